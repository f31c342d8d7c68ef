// The OVSDB client against a real ovsdb-server with the Open_vSwitch schema.
#include "plugin/ovsdb/client.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <thread>

#include "tests/support/ovs_sandbox.hpp"

namespace vmirror::ovsdb {
namespace {

using test::eventually;
using test::OvsSandbox;
using namespace std::chrono_literals;

enum Tables : std::size_t { kRoot, kBridge, kMirror };
enum RootColumns : std::size_t { kBridges, kVersion, kNextCfg };
enum BridgeColumns : std::size_t { kBridgeName, kMirrors, kBridgeIds, kFloodVlans };
enum MirrorColumns : std::size_t { kMirrorName, kSnaplen, kFilter, kStatistics };

Schema schema() {
  return {"Open_vSwitch",
          {{"Open_vSwitch",
            true,
            {Column::set("bridges", Type::uuid), Column::optional("ovs_version", Type::string),
             Column::one("next_cfg", Type::integer)}},
           {"Bridge",
            false,
            {Column::one("name", Type::string), Column::set("mirrors", Type::uuid),
             Column::map("external_ids"), Column::set("flood_vlans", Type::integer)}},
           {"Mirror",
            false,
            {Column::one("name", Type::string), Column::optional("snaplen", Type::integer),
             Column::optional("filter", Type::string),
             Column::map("statistics", Type::integer).quietly()}}}};
}

class ClientTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = OvsSandbox::unavailable(); !why.empty()) GTEST_SKIP() << why;
  }

  void start(OvsSandbox::Options options = {}) {
    options.vswitchd = false;
    sandbox_ = std::make_unique<OvsSandbox>(options);
    connect(sandbox_->remote());
  }
  void connect(const std::string& remote) {
    auto started = Client::start({.remote = remote}, schema());
    ASSERT_TRUE(started) << started.error().text();
    client_ = std::move(*started);
    client_->on_change([this] { hints_++; });
  }
  std::shared_ptr<const Snapshot> read() {
    auto got = client_->read(5s);
    EXPECT_TRUE(got) << got.error().text();
    return got ? *got : nullptr;
  }
  /// The only row of a table.
  static const Row& only(const Snapshot& snapshot, std::size_t table) {
    EXPECT_EQ(snapshot[table].rows.size(), 1u);
    return *snapshot[table].rows.begin()->second;
  }

  std::unique_ptr<OvsSandbox> sandbox_;
  std::atomic<int> hints_ = 0;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, ReplicatesWhatOthersWrite) {
  start();
  EXPECT_TRUE(read()->tables[kBridge]->rows.empty());
  const int before = hints_;
  sandbox_->vsctl("add-br br0 -- set bridge br0 external_ids:a=b flood_vlans=5,3");
  ASSERT_TRUE(eventually([&] { return read()->tables[kBridge]->rows.size() == 1; }));
  const auto now = read();
  const Row& bridge = only(*now, kBridge);
  EXPECT_EQ(bridge[kBridgeName].text(), "br0");
  EXPECT_EQ(bridge[kBridgeIds].map(), (std::map<std::string, std::string>{{"a", "b"}}));
  EXPECT_EQ(bridge[kFloodVlans].set<std::int64_t>(), (std::set<std::int64_t>{3, 5}));
  EXPECT_EQ(only(*now, kRoot)[kBridges].set<Uuid>(), std::set<Uuid>{bridge.id});
  EXPECT_TRUE(eventually([&] { return hints_ > before; }));

  sandbox_->vsctl("del-br br0");
  EXPECT_TRUE(eventually([&] { return read()->tables[kBridge]->rows.empty(); }));
  EXPECT_EQ(only(*now, kBridge)[kBridgeName].text(), "br0") << "a snapshot never changes";
}

TEST_F(ClientTest, ReadsItsOwnWrites) {
  start();
  sandbox_->vsctl("add-br br0");
  ASSERT_TRUE(eventually([&] { return read()->tables[kBridge]->rows.size() == 1; }));
  for (int i = 0; i < 50; i++) {
    const Uuid bridge = only(*read(), kBridge).id;
    const Uuid fresh{{1, 2, 3, static_cast<std::uint32_t>(i)}};
    const auto done =
        client_->commit({Insert{kMirror, fresh, {{kMirrorName, Atom("m" + std::to_string(i))}}},
                         Add{kBridge, bridge, kMirrors, Atom(fresh)}},
                        5s);
    ASSERT_TRUE(done) << done.error().text();
    ASSERT_TRUE(done->done);
    ASSERT_EQ((*done->snapshot)[kMirror].rows.size(), static_cast<std::size_t>(i + 1));
    ASSERT_EQ(only(*done->snapshot, kBridge)[kMirrors].size(), static_cast<std::size_t>(i + 1));
  }
}

TEST_F(ClientTest, ServesSeveralThreads) {
  start();
  sandbox_->vsctl("add-br br0");
  ASSERT_TRUE(eventually([&] { return read()->tables[kBridge]->rows.size() == 1; }));
  const Uuid bridge = only(*read(), kBridge).id;
  std::atomic<int> seen = 0;
  std::vector<std::thread> threads;
  for (std::uint16_t t = 0; t < 4; t++)
    threads.emplace_back([&, t] {
      for (std::uint16_t i = 0; i < 20; i++) {
        const std::uint16_t vlan = t * 20 + i;
        const auto done = client_->commit(
            {Add{kBridge, bridge, kFloodVlans, std::set<std::uint16_t>{vlan}}}, 10s);
        seen += done && done->done &&
                (*done->snapshot)[kBridge]
                    .find(bridge)
                    ->columns[kFloodVlans]
                    .set<std::int64_t>()
                    .contains(vlan);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen, 80);
  EXPECT_EQ(only(*read(), kBridge)[kFloodVlans].size(), 80u);
}

TEST_F(ClientTest, AddsAndRemovesWithoutTouchingWhatOthersWrote) {
  start();
  sandbox_->vsctl("add-br br0 -- set bridge br0 external_ids:theirs=1 flood_vlans=7");
  ASSERT_TRUE(eventually([&] { return read()->tables[kBridge]->rows.size() == 1; }));
  const Uuid bridge = only(*read(), kBridge).id;
  const std::map<std::string, std::string> ours{{"ours", "2"}, {"more", "3"}};
  auto done = client_->commit({Add{kBridge, bridge, kBridgeIds, ours},
                               Add{kBridge, bridge, kFloodVlans, std::set<std::uint16_t>{8, 9}}},
                              5s);
  ASSERT_TRUE(done && done->done);
  EXPECT_EQ(sandbox_->vsctl("get bridge br0 external_ids"),
            "{more=\"3\", ours=\"2\", theirs=\"1\"}");
  EXPECT_EQ(sandbox_->vsctl("get bridge br0 flood_vlans"), "[7, 8, 9]");
  done = client_->commit(
      {Remove{kBridge, bridge, kBridgeIds, "more"},
       Add{kBridge, bridge, kBridgeIds, std::map<std::string, std::string>{{"ours", "4"}}},
       Remove{kBridge, bridge, kFloodVlans, std::set<std::uint16_t>{9}}},
      5s);
  ASSERT_TRUE(done && done->done);
  EXPECT_EQ(sandbox_->vsctl("get bridge br0 external_ids"), "{ours=\"4\", theirs=\"1\"}");
  EXPECT_EQ(sandbox_->vsctl("get bridge br0 flood_vlans"), "[7, 8]");
}

TEST_F(ClientTest, CountsUpWithWhatItChangesWhateverOthersCount) {
  start();
  sandbox_->vsctl("add-br br0 -- set open_vswitch . next_cfg=7");
  ASSERT_TRUE(eventually([&] { return read()->tables[kBridge]->rows.size() == 1; }));
  const Uuid bridge = only(*read(), kBridge).id, root = only(*read(), kRoot).id;
  const auto vlan = [&](std::uint16_t id) {
    return Add{kBridge, bridge, kFloodVlans, std::set<std::uint16_t>{id}};
  };
  std::vector<std::thread> threads;
  for (std::uint16_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::uint16_t i = 0; i < 5; ++i) {
        const auto id = static_cast<std::uint16_t>(10 * t + i);
        const auto done = client_->commit({vlan(id), Increment{kRoot, root, kNextCfg}}, 5s);
        EXPECT_TRUE(done && done->done);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sandbox_->vsctl("get open_vswitch . next_cfg"), "27");

  ASSERT_TRUE(eventually([&] { return only(*read(), kBridge)[kFloodVlans].size() == 20; }));
  const struct {
    const char* what;
    Operation operation;
    const char* next_cfg;
  } table[] = {
      {"a value is written that is there", Write{kBridge, bridge, {{kBridgeName, "br0"}}}, "27"},
      {"a value is added that is there", vlan(0), "28"},
      {"a value is removed that isn't",
       Remove{kBridge, bridge, kFloodVlans, std::set<std::uint16_t>{999}}, "28"},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.what);
    const auto done = client_->commit({row.operation, Increment{kRoot, root, kNextCfg}}, 5s);
    EXPECT_TRUE(done && done->done);
    EXPECT_EQ(sandbox_->vsctl("get open_vswitch . next_cfg"), row.next_cfg);
  }
}

TEST_F(ClientTest, AllOrNothing) {
  start();
  sandbox_->vsctl("add-br br0");
  ASSERT_TRUE(eventually([&] { return read()->tables[kBridge]->rows.size() == 1; }));
  const Row bridge = only(*read(), kBridge);
  const Uuid fresh{{1, 2, 3, 4}};
  const Transaction too_short = {
      Insert{kMirror, fresh, {{kMirrorName, "m"}, {kSnaplen, Atom(std::int64_t{1})}}},
      Add{kBridge, bridge.id, kMirrors, Atom(fresh)}};
  const auto refused = client_->commit(too_short, 5s);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Error::Kind::refused);
  EXPECT_NE(refused.error().what.find("constraint violation"), std::string::npos)
      << refused.error().text();
  EXPECT_TRUE((*read())[kMirror].rows.empty());

  const auto lost =
      client_->commit({Verify{kBridge, bridge.id, kBridgeName, "br1"},
                       Write{kBridge, bridge.id, {{kFloodVlans, Atom(std::int64_t{1})}}}},
                      5s);
  ASSERT_TRUE(lost) << lost.error().text();
  EXPECT_FALSE(lost->done);
  const auto gone = client_->commit({Remove{kBridge, fresh, kMirrors, Atom(fresh)}}, 5s);
  ASSERT_TRUE(gone);
  EXPECT_FALSE(gone->done) << "a row that isn't there";
}

TEST_F(ClientTest, QuietColumnsGiveNoHint) {
  start();
  sandbox_->vsctl("add-br br0 -- --id=@m create mirror name=m -- set bridge br0 mirrors=@m");
  ASSERT_TRUE(eventually([&] { return read()->tables[kMirror]->rows.size() == 1; }));
  const int before = hints_;
  sandbox_->vsctl("set mirror m statistics:tx_packets=5");
  ASSERT_TRUE(eventually(
      [&] { return only(*read(), kMirror)[kStatistics].map<std::int64_t>()["tx_packets"] == 5; }));
  EXPECT_EQ(hints_, before);
  sandbox_->vsctl("set mirror m snaplen=100");
  EXPECT_TRUE(eventually([&] { return hints_ > before; }));
}

/// A new row's counters are its own; what changes one that was there is a writing of all. What a
/// connection brings is of any time.
TEST_F(ClientTest, KnowsWhenCountersWereWritten) {
  start();
  sandbox_->vsctl("add-br br0 -- --id=@m create mirror name=m -- set bridge br0 mirrors=@m");
  const auto is = [&](std::int64_t count) {
    const auto now = read();
    return (*now)[kMirror].rows.size() == 1 &&
           only(*now, kMirror)[kStatistics].map<std::int64_t>()["tx_packets"] == count;
  };
  sandbox_->vsctl("set mirror m statistics:tx_packets=5");
  ASSERT_TRUE(eventually([&] { return is(5); }));
  EXPECT_EQ(read()->counted_at, 0);
  const Time before = wall_clock();
  sandbox_->vsctl("set mirror m statistics:tx_packets=6");
  ASSERT_TRUE(eventually([&] { return is(6); }));
  const Time written = read()->counted_at;
  EXPECT_GE(written, before);
  EXPECT_LE(written, wall_clock());
  sandbox_->vsctl("set mirror m snaplen=100");
  ASSERT_TRUE(
      eventually([&] { return only(*read(), kMirror)[kSnaplen].get<std::int64_t>() == 100; }));
  EXPECT_EQ(read()->counted_at, written) << "no counter changed";
  connect(sandbox_->remote());
  EXPECT_TRUE(is(6));
  EXPECT_EQ(read()->counted_at, 0) << "another connection";
}

TEST_F(ClientTest, SurvivesTheServersRestart) {
  start();
  sandbox_->vsctl("add-br br0 -- add-br br1");
  ASSERT_TRUE(eventually([&] { return read()->tables[kBridge]->rows.size() == 2; }));
  EXPECT_EQ(read()->lost_at, 0) << "it was never lost";
  const Time killed = wall_clock();
  sandbox_->kill_server();
  ASSERT_TRUE(eventually([&] { return !client_->read(0ms); }));
  const auto down = client_->read(50ms);
  ASSERT_FALSE(down);
  EXPECT_EQ(down.error().kind, Error::Kind::unreachable);
  const auto unsent = client_->commit({}, 50ms);
  ASSERT_FALSE(unsent);
  EXPECT_EQ(unsent.error().kind, Error::Kind::unreachable);
  sandbox_->start_server();
  sandbox_->vsctl("del-br br0 -- add-br br2");
  ASSERT_TRUE(eventually([&] { return read()->tables[kBridge]->rows.size() == 2; }));
  std::set<std::string> names;
  for (const auto& [id, row] : (*read())[kBridge].rows) names.insert((*row)[kBridgeName].text());
  EXPECT_EQ(names, (std::set<std::string>{"br1", "br2"}));
  EXPECT_GE(read()->lost_at, killed);
  EXPECT_GT(read()->found_at, read()->lost_at);
}

TEST_F(ClientTest, GivesUpOnAServerThatDoesNotAnswer) {
  start();
  ASSERT_TRUE(read());
  sandbox_->vsctl("add-br br0");
  ASSERT_TRUE(eventually([&] { return read()->tables[kBridge]->rows.size() == 1; }));
  sandbox_->freeze_server(true);
  const Uuid bridge = only(*read(), kBridge).id;
  const auto slow =
      client_->commit({Add{kBridge, bridge, kFloodVlans, std::set<std::uint16_t>{8}}}, 100ms);
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().kind, Error::Kind::unreachable);
  sandbox_->freeze_server(false);
  const auto done =
      client_->commit({Add{kBridge, bridge, kFloodVlans, std::set<std::uint16_t>{9}}}, 5s);
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_TRUE(done->done);
}

TEST_F(ClientTest, LivesWithAnOlderAndANewerSchema) {
  OvsSandbox::Options options;
  options.edit_schema = [](std::string text) {
    const std::string filter =
        R"("filter": {"type": {"key": "string", "min": 0, "max": 1}}, "of_the_future")";
    return text.replace(text.find("\"snaplen\""), 9, filter);
  };
  start(options);
  const auto now = read();
  ASSERT_TRUE(now);
  EXPECT_FALSE((*now)[kMirror].has_column[kSnaplen]);
  EXPECT_TRUE((*now)[kMirror].has_column[kFilter]);
  EXPECT_TRUE((*now)[kMirror].has_column[kMirrorName]);
}

TEST_F(ClientTest, SaysWhyThereIsNoConnection) {
  connect("unix:/nonexistent/db.sock");
  const auto got = client_->read(300ms);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, Error::Kind::unreachable);
  EXPECT_NE(got.error().what.find("No such file"), std::string::npos) << got.error().text();
}

TEST(ClientOptionsTest, RefusesWhatIsNoRemote) {
  const struct {
    const char* remote;
    const char* key;
  } cases[] = {{"", ""},
               {"/run/db.sock", ""},
               {"punix:/run/db.sock", ""},
               {"ssl:127.0.0.1:1", ""},
               {"ssl:127.0.0.1:1", "/nonexistent"}};
  for (const auto& c : cases) {
    const auto started = Client::start(
        {.remote = c.remote, .private_key = c.key, .certificate = c.key, .ca_certificate = c.key},
        schema());
    ASSERT_FALSE(started) << c.remote;
    EXPECT_EQ(started.error().kind, Error::Kind::invalid) << c.remote;
  }
}

TEST_F(ClientTest, LeavesTheProcessItsSignals) {
  start();
  ASSERT_TRUE(read());
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGALRM, SIGSEGV, SIGPIPE}) {
    struct sigaction action;
    ASSERT_EQ(sigaction(signal, nullptr, &action), 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_EQ(action.sa_handler, SIG_DFL) << signal;
#endif
  }
}

}  // namespace
}  // namespace vmirror::ovsdb
