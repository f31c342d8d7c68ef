// The links of two agents to one real ovsdb-server, asked by several threads at once.
#include "agent/control/store/link.hpp"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "agent/control/store/schema.hpp"
#include "tests/support/captures.hpp"
#include "tests/support/child.hpp"
#include "tests/support/ovs_sandbox.hpp"

namespace vmirror {
namespace {

using namespace test;

/// An agent as far as the store sees it: one thread that looks, and reports its host.
class LinkedAgent {
 public:
  LinkedAgent(const std::string& server, const std::string& host) : host_(host) {
    auto link = StoreLink::start({.servers = {server}, .host = host, .state = state_ / ""},
                                 wall_clock(), [] {});
    EXPECT_TRUE(link) << link.error().text();
    if (!link) return;
    link_ = std::move(*link);
    thread_ = std::thread([this] {
      while (!stop_) {
        link_->look(wall_clock());
        HostReport report;
        report.host.name = host_;
        report.host.generation = link_->generation();
        if (link_->takes_report(wall_clock())) link_->report(report, wall_clock());
        policies_ = link_->files().size();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
  }
  ~LinkedAgent() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  StoreLink& link() { return *link_; }
  bool started() const { return link_ != nullptr; }
  std::size_t policies() const { return policies_; }

 private:
  const TempDir state_;
  const std::string host_;
  std::unique_ptr<StoreLink> link_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::size_t> policies_ = 0;
  std::thread thread_;
};

std::string policy_named(const std::string& name) {
  return "policy: " + name + "\nselect: [{port: p}]\ntargets: [local]\n";
}

TEST(StoreLink, ChangesOfTwoHostsAtOnceAreEachDoneOnceAndSeenByBoth) {
  if (const std::string why = OvsSandbox::unavailable(); !why.empty()) GTEST_SKIP() << why;
  spdlog::default_logger();  // Made by the first thread that logs, else: unseen by TSan.
  const TempDir folder;
  const std::string schema(store::schema_text()), database = folder / "store.db";
  const std::string path = folder.write(
      "vmirror.ovsschema", {reinterpret_cast<const std::uint8_t*>(schema.data()), schema.size()});
  run_shell("ovsdb-tool create " + database + " " + path);
  const OvsSandbox store({.vswitchd = false, .server_arguments = {database}});
  LinkedAgent a(store.remote(), "a"), b(store.remote(), "b");
  ASSERT_TRUE(a.started() && b.started());

  constexpr int kEach = 8;
  std::mutex mutex;
  std::set<std::int64_t> generations;
  const auto put_all = [&](LinkedAgent& by, const std::string& prefix) {
    for (int i = 0; i < kEach; ++i) {
      const auto put = by.link().put(policy_named(prefix + std::to_string(i)), "me", wall_clock());
      EXPECT_TRUE(put) << put.error().text();
      const std::lock_guard lock(mutex);
      if (put) generations.insert(*put);
    }
  };
  std::thread one([&] { put_all(a, "a"); }), other([&] { put_all(b, "b"); });
  std::thread asks([&] {
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(a.link().contents(wall_clock()));
  });
  for (std::thread* each : {&one, &other, &asks}) each->join();
  EXPECT_EQ(generations.size(), 2U * kEach) << "no two changes have one generation";
  EXPECT_TRUE(eventually([&] { return a.policies() == 2 * kEach && b.policies() == 2 * kEach; }));

  const auto again = a.link().put(policy_named("a0"), "another", wall_clock());
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_LT(*again, *generations.rbegin() + 1) << "the same text changes nothing";
  EXPECT_TRUE(eventually([&] {
    const auto all = b.link().contents(wall_clock());
    return all && all->hosts.size() == 2;
  })) << "both told of themselves";

  EXPECT_TRUE(b.link().drop("a0"));
  EXPECT_EQ(b.link().drop("a0").error().kind, Error::Kind::missing);
  EXPECT_TRUE(eventually([&] { return a.policies() == 2 * kEach - 1; }));
}

}  // namespace
}  // namespace vmirror
