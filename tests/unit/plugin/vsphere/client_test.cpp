// The vim25 client against tests/vsphere's vCenter and ESXi, over TLS.
#include "plugin/vsphere/client.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <thread>

#include "plugin/vsphere/ports.hpp"
#include "plugin/vsphere/task.hpp"
#include "tests/support/child.hpp"
#include "tests/support/ovs_sandbox.hpp"
#include "tests/support/vcsim.hpp"

namespace vmirror::vsphere {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::Vcsim;

class VcsimTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = Vcsim::unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
  void start(std::vector<std::string> options = {}, const std::string& user = "vmirror") {
    client_.reset();
    vcsim_ = std::make_unique<Vcsim>(std::move(options));
    credentials(user, user);
    VimOptions with;
    with.http.url = vcsim_->url();
    with.http.thumbprint = vcsim_->thumbprint();
    with.http.retry = {.attempts = 3, .first = 10ms};
    with.credentials.file = directory_.path() + "/credentials";
    auto made = VimClient::make(with);
    ASSERT_TRUE(made) << made.error().text();
    client_ = std::move(*made);
  }
  void credentials(const std::string& user, const std::string& password) {
    const std::string path = directory_.path() + "/credentials";
    std::ofstream(path) << "username=" << user << "\npassword=" << password << "\n";
    chmod(path.c_str(), 0600);
  }
  std::string control(const std::string& path, std::optional<std::string> json = {}) {
    net::HttpOptions plain;
    plain.url = vcsim_->control();
    plain.plain_http = true;
    auto client = net::HttpClient::make(plain);
    EXPECT_TRUE(client) << client.error().text();
    net::HttpRequest request{.path = path};
    if (json) request.body = *json;
    const auto answer = (*client)->send(request);
    EXPECT_TRUE(answer && answer->status == 200)
        << path << ": " << (answer ? std::string(answer->body) : answer.error().text());
    return answer ? std::string(answer->body) : "";
  }
  void order(const std::string& json) { control("/orders", json); }
  void rule(const std::string& json) { control("/rules", "[" + json + "]"); }
  /// How often the server was called by that method.
  int calls(const std::string& method) {
    const std::string log = control("/log"), name = "\"" + method + "\"";
    int out = 0;
    for (std::size_t at = 0; (at = log.find(name, at)) != log.npos; at++) out++;
    return out;
  }
  Result<VimAnswer> current_time() {
    return client_->must({.self = {"ServiceInstance", "ServiceInstance"},
                          .name = "CurrentTime",
                          .repeatable = true});
  }
  /// The only switch as the watch sees it now.
  static const DistributedSwitch& only_switch(const InventoryWatch& watch) {
    EXPECT_EQ(watch.inventory().switches.size(), 1u);
    return watch.inventory().switches.begin()->second;
  }
  static Ref only_ref(const InventoryWatch& watch) {
    return watch.inventory().switches.begin()->first;
  }
  static std::string first_port(const InventoryWatch& watch) {
    for (const auto& [ref, machine] : watch.inventory().machines)
      for (const Nic& nic : machine.nics)
        if (!nic.backing.port_key.empty()) return nic.backing.port_key;
    return {};
  }
  static VspanSession erspan(const std::string& name, const std::string& port) {
    VspanSession out;
    out.name = name;
    out.enabled = true;
    out.transmitted.ports = out.received.ports = {port};
    out.destination.addresses = {"192.0.2.9"};
    out.normal_traffic = true;
    out.type = "encapsulatedRemoteMirrorSource";
    out.sampling_rate = 1;
    out.encapsulation = "erspan3";
    out.erspan_id = 5;
    return out;
  }
  /// Changes sessions and waits for the task.
  TaskInfo change(const InventoryWatch& watch, VspanChange::Operation operation,
                  const VspanSession& session) {
    const auto answer = reconfigure(*client_, only_ref(watch), only_switch(watch).config_version,
                                    {{operation, session}});
    EXPECT_TRUE(answer) << answer.error().text();
    EXPECT_EQ(answer->fault, "") << answer->error.text();
    const auto task = wait_for_task(*client_, task_of(*answer), 60s);
    EXPECT_TRUE(task) << task.error().text();
    return task ? *task : TaskInfo{};
  }
  /// Polls until the watch shows so many sessions.
  static bool shows(InventoryWatch& watch, std::size_t sessions) {
    return eventually(
        [&] {
          const auto polled = watch.poll(1s);
          EXPECT_TRUE(polled) << polled.error().text();
          return only_switch(watch).sessions.size() == sessions;
        },
        60);
  }

  test::TemporaryDirectory directory_;
  std::unique_ptr<Vcsim> vcsim_;
  std::unique_ptr<VimClient> client_;
};

TEST_F(VcsimTest, ASessionTellsWhatTheServerIs) {
  start();
  const auto session = client_->session();
  ASSERT_TRUE(session) << session.error().text();
  EXPECT_EQ((*session)->version, "8.0.1.0");
  EXPECT_TRUE((*session)->is_vcenter);
  EXPECT_NE((*session)->product.find("vCenter"), std::string::npos);
  EXPECT_FALSE((*session)->server_uuid.empty());
  EXPECT_EQ((*session)->number, 1u);
  for (int i = 0; i < 5; i++) ASSERT_TRUE(current_time());
  EXPECT_EQ(calls("Login"), 1);
  ASSERT_TRUE(client_->keep_alive());  // Something was called just now.
  EXPECT_EQ(calls("CurrentTime"), 5);
  client_.reset();
  EXPECT_EQ(calls("Logout"), 1);

  start({"--esx", "--api", "9.9.0.0,7.0.3.0,6.5"}, "admin");
  const auto esx = client_->session();
  ASSERT_TRUE(esx) << esx.error().text();
  EXPECT_FALSE((*esx)->is_vcenter);
  EXPECT_EQ((*esx)->version, "7.0.3.0");
}

TEST_F(VcsimTest, AnotherCertificateIsRefused) {
  start();
  VimOptions with;
  with.http.url = vcsim_->url();
  with.http.thumbprint = std::string(64, 'a');
  with.credentials.file = directory_.path() + "/credentials";
  const auto session = (*VimClient::make(with))->session();
  ASSERT_FALSE(session);
  EXPECT_NE(session.error().remedy.find(vcsim_->thumbprint()), std::string::npos);
  EXPECT_EQ(calls("Login"), 0);
}

TEST_F(VcsimTest, AWrongPasswordIsTriedOnce) {
  start();
  credentials("vmirror", "hidden-1");
  for (int i = 0; i < 3; i++) {
    const auto session = client_->session();
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().kind, Error::Kind::refused);
    EXPECT_NE(session.error().text().find("user vmirror"), std::string::npos);
    EXPECT_EQ(session.error().text().find("hidden"), std::string::npos) << session.error().text();
  }
  EXPECT_EQ(calls("Login"), 1);
  credentials("vmirror", "hidden-2");
  EXPECT_FALSE(client_->session());
  EXPECT_EQ(calls("Login"), 2);
  credentials("vmirror", "vmirror");
  EXPECT_TRUE(client_->session());
  EXPECT_EQ(calls("Login"), 3);
}

TEST_F(VcsimTest, ASessionThatEndedIsBegunAnew) {
  start();
  InventoryWatch watch(*client_);
  ASSERT_TRUE(watch.poll(1s));
  order(R"({"do": "expire_sessions"})");
  ASSERT_TRUE(current_time());
  EXPECT_EQ((*client_->session())->number, 2u);
  EXPECT_EQ(calls("Login"), 2);
  // The watch's filter was of the session before.
  const auto polled = watch.poll(1s);
  ASSERT_TRUE(polled) << polled.error().text();
  EXPECT_EQ(watch.inventory().machines.size(), 4u);
  // And while it waits: an error, then all anew.
  order(R"({"do": "expire_sessions"})");
  EXPECT_FALSE(watch.poll(1s));
  ASSERT_TRUE(watch.poll(1s));
  EXPECT_EQ(calls("Login"), 3);
}

TEST_F(VcsimTest, TheInventoryIsReadAndFollowed) {
  start({"--hosts", "3", "--vms", "9", "--standard", "1", "--opaque", "1", "--ephemeral", "1",
         "--bare", "1"});
  InventoryWatch watch(*client_);
  const auto first = watch.poll(1s);
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_TRUE(*first);
  const Inventory& inventory = watch.inventory();
  EXPECT_EQ(inventory.machines.size(), 9u);
  EXPECT_EQ(inventory.hosts.size(), 3u);
  EXPECT_GE(inventory.port_groups.size(), 2u);
  EXPECT_EQ(watch.missing(), 0u) << watch.first_missing().text();
  std::map<Backing::Kind, int> kinds;
  std::size_t bare = 0;
  for (const auto& [ref, machine] : inventory.machines) {
    EXPECT_TRUE(inventory.hosts.contains(machine.host)) << machine.name;
    EXPECT_FALSE(machine.uuid.empty());
    bare += machine.nics.empty();
    for (const Nic& nic : machine.nics) kinds[nic.backing.kind]++;
  }
  EXPECT_EQ(bare, 1u);
  EXPECT_EQ(kinds[Backing::Kind::port_group], 1);
  EXPECT_EQ(kinds[Backing::Kind::opaque], 1);
  EXPECT_EQ(kinds[Backing::Kind::dv_port], 6);
  const DistributedSwitch& dvs = only_switch(watch);
  EXPECT_FALSE(dvs.uuid.empty());
  EXPECT_FALSE(dvs.config_version.empty());
  EXPECT_EQ(dvs.hosts.size(), 3u);
  EXPECT_TRUE(dvs.capability.any && dvs.capability.encapsulated && dvs.capability.erspan);
  for (const auto& [ref, host] : inventory.hosts)
    EXPECT_TRUE(host.connected && !host.port_groups.empty()) << host.name;

  // A machine that moves shows in the next update.
  Ref moved, target;
  std::string name, to;
  for (const auto& [ref, machine] : inventory.machines)
    if (!machine.nics.empty() && machine.nics[0].backing.kind == Backing::Kind::dv_port)
      moved = ref, name = machine.name;
  for (const auto& [ref, host] : inventory.hosts)
    if (ref != inventory.machines.at(moved).host) target = ref, to = host.name;
  order(R"({"do": "migrate", "vm": ")" + name + R"(", "host": ")" + to + "\"}");
  EXPECT_TRUE(eventually(
      [&] {
        const auto polled = watch.poll(2s);
        EXPECT_TRUE(polled) << polled.error().text();
        return watch.inventory().machines.at(moved).host == target;
      },
      60));
}

TEST_F(VcsimTest, ALargeInventoryComesInPieces) {
  start({"--vms", "350", "--hosts", "10"});  // An answer has 100 objects at most.
  InventoryWatch watch(*client_);
  const auto polled = watch.poll(1s);
  ASSERT_TRUE(polled) << polled.error().text();
  EXPECT_EQ(watch.inventory().machines.size(), 350u);
  EXPECT_EQ(watch.inventory().hosts.size(), 10u);
  EXPECT_GE(calls("WaitForUpdatesEx"), 4);
}

TEST_F(VcsimTest, AnEsxiHasNoDistributedSwitch) {
  start({"--esx"}, "admin");
  InventoryWatch watch(*client_);
  const auto polled = watch.poll(1s);
  ASSERT_TRUE(polled) << polled.error().text();
  EXPECT_EQ(watch.inventory().hosts.size(), 1u);
  EXPECT_TRUE(watch.inventory().switches.empty());
}

TEST_F(VcsimTest, SessionsAreMadeChangedAndRemoved) {
  start();
  InventoryWatch watch(*client_);
  ASSERT_TRUE(watch.poll(1s));
  VspanSession session = erspan("vmirror-x", first_port(watch));
  ASSERT_EQ(change(watch, VspanChange::Operation::add, session).state, TaskInfo::State::success);
  ASSERT_TRUE(shows(watch, 1));
  const VspanSession made = only_switch(watch).sessions[0];
  EXPECT_FALSE(made.key.empty());
  session.key = made.key;
  session.erspan_cos = made.erspan_cos;
  session.erspan_nanoseconds = made.erspan_nanoseconds;
  EXPECT_EQ(made, session);

  session.length = 128;
  ASSERT_EQ(change(watch, VspanChange::Operation::edit, session).state, TaskInfo::State::success);
  ASSERT_TRUE(eventually(
      [&] {
        (void)watch.poll(1s);
        return only_switch(watch).sessions.at(0).length == 128;
      },
      60));
  // A second one for the same port's traffic, by the same version: somebody else was faster.
  const std::string old_version = only_switch(watch).config_version;
  order(R"({"do": "foreign_session", "name": "theirs"})");
  auto late = reconfigure(*client_, only_ref(watch), old_version,
                          {{VspanChange::Operation::remove, session}});
  ASSERT_TRUE(late) << late.error().text();
  if (late->fault.empty()) {
    const auto task = wait_for_task(*client_, task_of(*late), 60s);
    ASSERT_TRUE(task) << task.error().text();
    EXPECT_EQ(task->fault, "ConcurrentAccess") << task->error.text();
  } else {
    EXPECT_EQ(late->fault, "ConcurrentAccess") << late->error.text();
  }
  ASSERT_TRUE(shows(watch, 2));
  ASSERT_EQ(change(watch, VspanChange::Operation::remove, session).state, TaskInfo::State::success);
  ASSERT_TRUE(shows(watch, 1));
  EXPECT_EQ(only_switch(watch).sessions[0].name, "theirs");
}

TEST_F(VcsimTest, PortsTellTheirMachineHostAndCounters) {
  start();
  InventoryWatch watch(*client_);
  ASSERT_TRUE(watch.poll(1s));
  std::vector<std::string> keys = {"no such port"};
  std::map<std::string, std::pair<Ref, Nic>> nics;
  for (const auto& [ref, machine] : watch.inventory().machines)
    for (const Nic& nic : machine.nics)
      if (!nic.backing.port_key.empty()) {
        keys.push_back(nic.backing.port_key);
        nics[nic.backing.port_key] = {ref, nic};
      }
  ASSERT_EQ(nics.size(), 4u);
  for (int i = 0; i < 600; i++) keys.push_back("none-" + std::to_string(i));  // Two calls.
  const auto ports = fetch_ports(*client_, only_ref(watch), keys);
  ASSERT_TRUE(ports) << ports.error().text();
  ASSERT_EQ(ports->size(), 4u);
  for (const DvPort& port : *ports) {
    const auto& [machine, nic] = nics.at(port.key);
    EXPECT_EQ(port.connectee, Connectee::machine);
    EXPECT_EQ(port.entity, machine);
    EXPECT_EQ(port.nic_key, std::to_string(nic.key));
    EXPECT_EQ(port.mac, nic.mac);
    EXPECT_EQ(port.portgroup_key, nic.backing.portgroup_key);
    EXPECT_EQ(port.host, watch.inventory().machines.at(machine).host);
    EXPECT_FALSE(port.promiscuous);
  }
  const std::string key = ports->front().key;
  const std::uint64_t before = ports->front().packets_in;
  order(R"({"do": "port_traffic", "packets": 1000, "key": ")" + key + "\"}");
  EXPECT_EQ(fetch_ports(*client_, only_ref(watch), {key})->front().packets_in, before);
  ASSERT_TRUE(refresh_ports(*client_, only_ref(watch), {key}));
  EXPECT_EQ(fetch_ports(*client_, only_ref(watch), {key})->front().packets_in, before + 1000);
  EXPECT_FALSE(refresh_ports(*client_, only_ref(watch), {"no such port"}));
  EXPECT_TRUE(fetch_ports(*client_, only_ref(watch), {})->empty());
}

TEST_F(VcsimTest, RefusalsNameWhatAndWhy) {
  start();
  InventoryWatch watch(*client_);
  ASSERT_TRUE(watch.poll(1s));
  rule(R"({"method": "ReconfigureDvs_Task", "nth": 1, "times": 1, "how": "task",
           "fault": "VspanDestPortConflict", "fields": {"PortKey": "12"}})");
  const TaskInfo failed =
      change(watch, VspanChange::Operation::add, erspan("vmirror-x", first_port(watch)));
  EXPECT_EQ(failed.state, TaskInfo::State::error);
  EXPECT_EQ(failed.fault, "VspanDestPortConflict");
  EXPECT_NE(failed.error.what.find("portKey 12"), std::string::npos) << failed.error.text();
  EXPECT_FALSE(failed.error.remedy.empty());
  EXPECT_FALSE(wait_for_task(*client_, {"Task", "task-none"}, 5s));
}

TEST_F(VcsimTest, AMissingPrivilegeIsNamed) {
  start({"--account", "reader:reader:read"}, "reader");
  InventoryWatch reader(*client_);
  ASSERT_TRUE(reader.poll(1s));
  const auto answer = reconfigure(*client_, only_ref(reader), only_switch(reader).config_version,
                                  {{VspanChange::Operation::add, erspan("x", first_port(reader))}});
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(answer->fault, "NoPermission");
  EXPECT_NE(answer->error.text().find("DVSwitch."), std::string::npos) << answer->error.text();
}

TEST_F(VcsimTest, AChangeGoesOutOnceAlsoWhenItsAnswerIsLost) {
  start();
  InventoryWatch watch(*client_);
  ASSERT_TRUE(watch.poll(1s));
  rule(R"({"method": "ReconfigureDvs_Task", "nth": 1, "times": 1, "how": "cut_after"})");
  const auto answer =
      reconfigure(*client_, only_ref(watch), only_switch(watch).config_version,
                  {{VspanChange::Operation::add, erspan("vmirror-x", first_port(watch))}});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, Error::Kind::unreachable);
  EXPECT_EQ(calls("ReconfigureDvs_Task"), 1);
  ASSERT_TRUE(shows(watch, 1));  // It was done: only the observation can say so.
}

TEST_F(VcsimTest, AServerThatIgnoresSessionsIsSeenToHaveNone) {
  start({"--plain"}, "admin");
  InventoryWatch watch(*client_);
  const auto polled = watch.poll(1s);
  ASSERT_TRUE(polled) << polled.error().text();
  if (watch.inventory().switches.empty()) GTEST_FAIL() << "no distributed switch";
  const auto answer = reconfigure(*client_, only_ref(watch), only_switch(watch).config_version,
                                  {{VspanChange::Operation::add, erspan("x", "1")}});
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(answer->fault, "") << answer->error.text();
  (void)watch.poll(1s);
  EXPECT_TRUE(only_switch(watch).sessions.empty());
}

TEST_F(VcsimTest, AWaitIsStoppedByAnotherThreadAndTheNextReadsAllAnew) {
  start();
  InventoryWatch watch(*client_);
  ASSERT_TRUE(watch.poll(1s));
  std::stop_source source;
  std::atomic<bool> done = false;
  std::thread waiter([&] {
    EXPECT_FALSE(watch.poll(500s, source.get_token()));
    done = true;
  });
  ASSERT_TRUE(eventually([&] { return calls("WaitForUpdatesEx") >= 2; }, 60));
  ASSERT_TRUE(current_time());  // Others call meanwhile.
  EXPECT_FALSE(done);
  source.request_stop();
  EXPECT_TRUE(eventually([&] { return done.load(); }, 60));
  waiter.join();
  const auto again = watch.poll(1s);
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_FALSE(*again);  // All was read, and is as it was.
  EXPECT_EQ(watch.inventory().machines.size(), 4u);
}

TEST_F(VcsimTest, AServerThatStartsAgainIsFoundAgain) {
  start();
  InventoryWatch watch(*client_);
  ASSERT_TRUE(watch.poll(1s));
  order(R"({"do": "restart", "down_ms": 300})");
  EXPECT_TRUE(eventually([&] { return watch.poll(1s).has_value(); }, 60));
  EXPECT_EQ((*client_->session())->number, 2u);
  EXPECT_EQ(watch.inventory().machines.size(), 4u);
}

}  // namespace
}  // namespace vmirror::vsphere
