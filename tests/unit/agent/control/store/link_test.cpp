// The links of two agents to one real ovsdb-server, asked by several threads at once.
#include "agent/control/store/link.hpp"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <boost/json.hpp>
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
        note(link_->status());
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
  bool has_rival() const { return has_rival_; }
  std::vector<std::string> lacks() const {
    const std::lock_guard lock(mutex_);
    return lacks_;
  }

 private:
  void note(const StoreStatus& status) {
    has_rival_ = status.rival != 0;
    const std::lock_guard lock(mutex_);
    lacks_ = status.lacks;
  }

  const TempDir state_;
  const std::string host_;
  std::unique_ptr<StoreLink> link_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::size_t> policies_ = 0;
  std::atomic<bool> has_rival_ = false;
  mutable std::mutex mutex_;
  std::vector<std::string> lacks_;  ///< Guarded by mutex_.
  std::thread thread_;
};

std::string policy_named(const std::string& name) {
  return "policy: " + name + "\nselect: [{port: p}]\ntargets: [local]\n";
}

/// A server of a store with this schema.
class Store {
 public:
  explicit Store(std::string schema) {
    const std::string path = folder_.write(
        "vmirror.ovsschema", {reinterpret_cast<const std::uint8_t*>(schema.data()), schema.size()});
    database_ = folder_ / "store.db";
    run_shell("ovsdb-tool create " + database_ + " " + path);
    server_ = std::make_unique<OvsSandbox>(
        OvsSandbox::Options{.vswitchd = false, .server_arguments = {database_}});
  }
  std::string remote() const { return server_->remote(); }

 private:
  const TempDir folder_;
  std::string database_;
  std::unique_ptr<OvsSandbox> server_;
};

/// The schema before policies were referred to, and before there were instances of agents.
std::string first_schema() {
  boost::json::value out = boost::json::parse(store::schema_between());
  auto& tables = out.at("tables").as_object();
  for (const char* column : {"policies", "removals", "operators"})
    tables.at("Cluster").at("columns").as_object().erase(column);
  tables.at("Host").at("columns").as_object().erase("instance");
  tables.erase("Removal");
  tables.erase("RBAC_Role");
  tables.erase("RBAC_Permission");
  return boost::json::serialize(out);
}

/// A later schema: more columns, and another table.
std::string future_schema() {
  boost::json::value out = boost::json::parse(store::schema_text());
  auto& tables = out.at("tables").as_object();
  for (const char* table : {"Cluster", "Policy", "Host", "Session"})
    tables.at(table).at("columns").as_object()["colour"] = {{"type", "string"}};
  tables["Weather"] = {{"columns", {{"colour", {{"type", "string"}}}}}, {"isRoot", true}};
  return boost::json::serialize(out);
}

TEST(StoreLink, WorksWithEarlierAndLaterSchemas) {
  if (const std::string why = OvsSandbox::unavailable(); !why.empty()) GTEST_SKIP() << why;
  struct Case {
    const char* what;
    std::string schema;
    std::vector<std::string> lacks;
  };
  const Case cases[] = {
      {"the first",
       first_schema(),
       {"Cluster.policies", "Cluster.removals", "Host.instance", "Removal.policy",
        "Removal.generation", "Removal.removed_by", "Removal.removed_at"}},
      {"of today", std::string(store::schema_text()), {}},
      {"of the future", future_schema(), {}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const Store store(c.schema);
    LinkedAgent agent(store.remote(), "a");
    ASSERT_TRUE(agent.started());
    for (const char* name : {"one", "two"})
      EXPECT_TRUE(agent.link().put(policy_named(name), "me", wall_clock()));
    // One that is changed is one still.
    EXPECT_TRUE(agent.link().put(policy_named("two") + "# changed\n", "me", wall_clock()));
    EXPECT_TRUE(eventually([&] { return agent.policies() == 2; }));
    EXPECT_TRUE(agent.link().drop("one", "me", wall_clock()));
    EXPECT_TRUE(eventually([&] { return agent.policies() == 1; }));
    EXPECT_TRUE(eventually([&] {
      const auto all = agent.link().contents(wall_clock());
      return all && all->hosts.size() == 1 && all->hosts[0].generation == 4;
    }));
    EXPECT_EQ(agent.lacks(), c.lacks);
    const auto all = agent.link().contents(wall_clock());
    ASSERT_TRUE(all) << all.error().text();
    ASSERT_EQ(all->removals.size(), c.lacks.empty() ? 1U : 0U);
    if (all->removals.empty()) continue;
    EXPECT_EQ(all->removals[0].policy, "one");
    EXPECT_EQ(all->removals[0].generation, 4);
    EXPECT_EQ(all->removals[0].removed_by, "me");
  }
}

TEST(StoreLink, TwoAgentsOfOneHostFindEachOther) {
  if (const std::string why = OvsSandbox::unavailable(); !why.empty()) GTEST_SKIP() << why;
  const Store store{std::string(store::schema_text())};
  LinkedAgent a(store.remote(), "a"), other(store.remote(), "b");
  ASSERT_TRUE(a.started() && other.started());
  EXPECT_TRUE(eventually([&] {
    const auto all = a.link().contents(wall_clock());
    return all && all->hosts.size() == 2;
  }));
  EXPECT_FALSE(a.has_rival());
  LinkedAgent second(store.remote(), "a");
  EXPECT_TRUE(eventually([&] { return a.has_rival() && second.has_rival(); }));
  EXPECT_FALSE(other.has_rival());
  EXPECT_TRUE(eventually([&] {
    const auto all = other.link().contents(wall_clock());
    return all && !all->hosts[0].fault.empty() && all->hosts[1].fault.empty();
  })) << "all hosts are told";
}

TEST(StoreLink, ChangesOfTwoHostsAtOnceAreEachDoneOnceAndSeenByBoth) {
  if (const std::string why = OvsSandbox::unavailable(); !why.empty()) GTEST_SKIP() << why;
  spdlog::default_logger();  // Made by the first thread that logs, else: unseen by TSan.
  const Store store{std::string(store::schema_text())};
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

  EXPECT_TRUE(b.link().drop("a0", "me", wall_clock()));
  EXPECT_EQ(b.link().drop("a0", "me", wall_clock()).error().kind, Error::Kind::missing);
  EXPECT_TRUE(eventually([&] { return a.policies() == 2 * kEach - 1; }));
}

}  // namespace
}  // namespace vmirror
