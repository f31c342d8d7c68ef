// The connection against libvirt's built-in test driver: no libvirtd, no root.
#include "agent/control/libvirt/connection.hpp"

#include <gtest/gtest.h>
#include <libvirt/libvirt.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "agent/control/libvirt/domain_xml.hpp"

namespace vmirror {
namespace {

constexpr const char* kUri = "test:///default";
constexpr const char* kTestUuid = "6695eb01-f6a4-8304-79aa-97f2502e193f";  // Its guest "test".

using Connection = std::unique_ptr<virConnect, decltype(&virConnectClose)>;
using Domain = std::unique_ptr<virDomain, decltype(&virDomainFree)>;

/// What a Libvirt told, and a wait for it.
struct Told {
  std::mutex mutex;
  std::condition_variable changed;
  std::shared_ptr<const Guests> guests;
  std::vector<GuestEvent> events;
  std::vector<std::string> order;  ///< "started g", "running g": each callback's, for one guest.

  LibvirtOptions options(std::string uri = kUri) {
    LibvirtOptions options;
    options.uri = std::move(uri);
    options.on_guests = [this](std::shared_ptr<const Guests> now) {
      const std::lock_guard lock(mutex);
      guests = std::move(now);
      for (const auto& [uuid, guest] : guests->by_uuid)
        if (uuid == kTestUuid) order.push_back(to_text(guest->state));
      changed.notify_all();
    };
    options.on_event = [this](const GuestEvent& event) {
      const std::lock_guard lock(mutex);
      events.push_back(event);
      if (event.uuid == kTestUuid) order.push_back(std::string("event ") + to_text(event.kind));
      changed.notify_all();
    };
    return options;
  }
  template <typename F>
  bool wait(F condition) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(20),
                            [&] { return guests && condition(*guests); });
  }
  bool wait_complete() {
    return wait([](const Guests& g) { return !g.error; });
  }
};

std::string definition(const std::string& name, const std::string& more = {}) {
  return "<domain type='test'><name>" + name +
         "</name><memory>8192</memory><os><type>hvm</type></os>" + more + "</domain>";
}

std::size_t count(const Guests& guests, GuestState state) {
  std::size_t n = 0;
  for (const auto& [uuid, guest] : guests.by_uuid) n += guest->state == state;
  return n;
}

TEST(Libvirt, ReadsItsGuests) {
  Told told;
  const auto libvirt = Libvirt::start(told.options());
  ASSERT_TRUE(told.wait_complete());
  const auto guests = libvirt->guests();
  const auto at = guests->by_uuid.find(kTestUuid);
  ASSERT_NE(at, guests->by_uuid.end());
  EXPECT_EQ(at->second->name, "test");
  EXPECT_EQ(at->second->state, GuestState::running);
  ASSERT_EQ(at->second->nics.size(), 1U);
  EXPECT_EQ(at->second->nics[0].network, "default");
  const LibvirtStatus status = libvirt->status();
  EXPECT_TRUE(status.connected);
  EXPECT_EQ(status.error, "");
  EXPECT_EQ(status.connections, 1U);
  EXPECT_FALSE(status.version.empty());
}

TEST(Libvirt, TellsAnEventAndThenItsEffect) {
  Told told;
  const auto libvirt = Libvirt::start(told.options());
  ASSERT_TRUE(told.wait_complete());
  const auto before = libvirt->guests();
  const Connection other(virConnectOpen(kUri), virConnectClose);
  const Domain domain(virDomainLookupByUUIDString(other.get(), kTestUuid), virDomainFree);
  ASSERT_EQ(virDomainSuspend(domain.get()), 0);
  const auto state_is = [](GuestState state) {
    return [state](const Guests& g) { return g.by_uuid.at(kTestUuid)->state == state; };
  };
  ASSERT_TRUE(told.wait(state_is(GuestState::suspended)));
  ASSERT_EQ(virDomainResume(domain.get()), 0);
  ASSERT_TRUE(told.wait(state_is(GuestState::running)));
  const std::lock_guard lock(told.mutex);
  const std::vector<std::string> expected = {"running", "event suspended", "suspended",
                                             "event resumed", "running"};
  std::vector<std::string> order = told.order;
  order.erase(std::unique(order.begin(), order.end()), order.end());
  EXPECT_EQ(order, expected);
  EXPECT_GT(told.guests->revision, before->revision);
  for (const GuestEvent& event : told.events) EXPECT_GT(event.time, 0);
}

TEST(Libvirt, SharesWhatDidNotChangeAndForgetsWhatIsGone) {
  Told told;
  const auto libvirt = Libvirt::start(told.options());
  ASSERT_TRUE(told.wait_complete());
  const auto before = libvirt->guests();
  const Connection other(virConnectOpen(kUri), virConnectClose);
  const Domain domain(
      virDomainCreateXML(other.get(), definition("transient", "<title>T</title>").c_str(), 0),
      virDomainFree);
  ASSERT_TRUE(domain);
  ASSERT_TRUE(
      told.wait([&](const Guests& g) { return g.by_uuid.size() == before->by_uuid.size() + 1; }));
  const auto with = libvirt->guests();
  EXPECT_EQ(with->by_uuid.at(kTestUuid), before->by_uuid.at(kTestUuid));
  ASSERT_EQ(virDomainDestroy(domain.get()), 0);
  EXPECT_TRUE(
      told.wait([&](const Guests& g) { return g.by_uuid.size() == before->by_uuid.size(); }));
}

TEST(Libvirt, AHintIsForgivingAboutWhatItNames) {
  Told told;
  const auto libvirt = Libvirt::start(told.options());
  ASSERT_TRUE(told.wait_complete());
  libvirt->hint("no uuid");
  libvirt->hint("00000000-0000-4000-8000-000000000000");
  const Connection other(virConnectOpen(kUri), virConnectClose);
  const Domain domain(virDomainLookupByUUIDString(other.get(), kTestUuid), virDomainFree);
  ASSERT_EQ(virDomainSetMetadata(domain.get(), VIR_DOMAIN_METADATA_TITLE, "hinted", nullptr,
                                 nullptr, VIR_DOMAIN_AFFECT_LIVE),
            0);
  EXPECT_TRUE(told.wait(
      [](const Guests& g) { return g.by_uuid.at(kTestUuid)->title == "hinted" && !g.error; }));
  virDomainSetMetadata(domain.get(), VIR_DOMAIN_METADATA_TITLE, nullptr, nullptr, nullptr,
                       VIR_DOMAIN_AFFECT_LIVE);
}

TEST(Libvirt, AStormEndsConsistent) {
  constexpr std::size_t kGuests = 500;
  Told told;
  const auto libvirt = Libvirt::start(told.options());
  ASSERT_TRUE(told.wait_complete());
  const std::size_t before = libvirt->guests()->by_uuid.size();
  const Connection other(virConnectOpen(kUri), virConnectClose);
  std::vector<Domain> domains;
  for (std::size_t i = 0; i < kGuests; i++)
    domains.emplace_back(
        virDomainCreateXML(other.get(), definition("storm" + std::to_string(i)).c_str(), 0),
        virDomainFree);
  ASSERT_TRUE(told.wait(
      [&](const Guests& g) { return count(g, GuestState::running) == before + kGuests; }));
  for (const Domain& domain : domains) ASSERT_EQ(virDomainDestroy(domain.get()), 0);
  EXPECT_TRUE(told.wait([&](const Guests& g) { return g.by_uuid.size() == before && !g.error; }));
  const LibvirtStatus status = libvirt->status();
  EXPECT_EQ(status.events_lost, 0U);
  EXPECT_GE(status.events, 2 * kGuests);
}

std::string labels(std::size_t n) {
  std::string out = "<v:guest xmlns:v='" + std::string(kGuestMetadataUri) + "'>";
  for (std::size_t i = 0; i < n; i++) out += "<v:label key='" + std::to_string(i) + "' value=''/>";
  return out + "</v:guest>";
}

TEST(Libvirt, AGuestThatCantBeReadIsNamedAndTheOthersAreUpToDate) {
  const Connection other(virConnectOpen(kUri), virConnectClose);
  const std::string metadata = "<metadata>" + labels(kMaxGuestLabels + 1) + "</metadata>";
  const Domain bad(virDomainCreateXML(other.get(), definition("labelled", metadata).c_str(), 0),
                   virDomainFree);
  ASSERT_TRUE(bad);
  Told told;
  const auto libvirt = Libvirt::start(told.options());
  const bool complete = told.wait_complete();
  const std::string error = libvirt->status().error;
  const auto guests = libvirt->guests();
  ASSERT_EQ(virDomainDestroy(bad.get()), 0);
  ASSERT_TRUE(complete);
  EXPECT_EQ(error, "guest labelled, domain XML: more than 64 labels");
  EXPECT_TRUE(libvirt->status().connected);
  EXPECT_TRUE(guests->by_uuid.contains(kTestUuid));
  for (const auto& [uuid, guest] : guests->by_uuid) EXPECT_NE(guest->name, "labelled");
}

TEST(Libvirt, SaysWhyItIsNotConnected) {
  Told told;
  const auto libvirt =
      Libvirt::start(told.options("qemu+unix:///system?socket=/nonexistent/libvirt-sock"));
  ASSERT_TRUE(told.wait([](const Guests& g) {
    return g.error && g.error->text().find("/nonexistent/libvirt-sock") != std::string::npos;
  }));
  EXPECT_FALSE(libvirt->status().connected);
  EXPECT_TRUE(libvirt->guests()->by_uuid.empty());
  libvirt->hint(kTestUuid);
}

TEST(Libvirt, TellsHowAMigrationEnded) {
  Told told;
  const auto libvirt = Libvirt::start(told.options());
  ASSERT_TRUE(told.wait_complete());
  const struct {
    const char* uuid;
    Error::Kind kind;
  } table[] = {{"00000000-0000-4000-8000-000000000000", Error::Kind::missing},
               {kTestUuid, Error::Kind::refused}};  // The test driver does not migrate.
  for (const auto& row : table) {
    std::optional<Result<void>> ended;
    ASSERT_TRUE(
        libvirt->migrate(row.uuid, "qemu+tcp://127.0.0.1:1/system", {}, [&](Result<void> result) {
          const std::lock_guard lock(told.mutex);
          ended = std::move(result);
          told.changed.notify_all();
        }));
    ASSERT_TRUE(told.wait([&](const Guests&) { return ended.has_value(); }));
    ASSERT_FALSE(*ended);
    EXPECT_EQ(ended->error().kind, row.kind) << ended->error().text();
  }
}

TEST(Libvirt, SeveralAtOnceAndOneAfterAnother) {
  for (int round = 0; round < 3; round++) {
    Told a, b;
    const auto one = Libvirt::start(a.options());
    const auto other = Libvirt::start(b.options());
    EXPECT_TRUE(a.wait_complete());
    EXPECT_TRUE(b.wait_complete());
  }
}

}  // namespace
}  // namespace vmirror
