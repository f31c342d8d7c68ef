// What each of two clients in one process has for itself, and what they share.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "plugin/ovsdb/client.hpp"
#include "tests/support/ovs_sandbox.hpp"

namespace vmirror::ovsdb {
namespace {

using test::eventually;
using test::OvsSandbox;
using namespace std::chrono_literals;

enum Tables : std::size_t { kRoot, kBridge };
enum RootColumns : std::size_t { kBridges };
enum BridgeColumns : std::size_t { kName, kIds };
using Names = std::set<std::string>;

Schema schema() {
  return {"Open_vSwitch",
          {{"Open_vSwitch", true, {Column::set("bridges", Type::uuid)}},
           {"Bridge", false, {Column::one("name", Type::string), Column::map("external_ids")}}}};
}

std::unique_ptr<Client> client(const ClientOptions& options) {
  auto started = Client::start(options, schema());
  EXPECT_TRUE(started) << started.error().text();
  return started ? std::move(*started) : nullptr;
}

Names bridges(Client& of) {
  Names out;
  const auto now = of.read(10s);
  EXPECT_TRUE(now) << now.error().text();
  if (now)
    for (const auto& [id, row] : (**now)[kBridge].rows) out.insert((*row)[kName].text());
  return out;
}

class TwoClientsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = OvsSandbox::unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
};

TEST_F(TwoClientsTest, EachReplicatesTheRowsOfItsOwnConditions) {
  OvsSandbox sandbox({.vswitchd = false});
  sandbox.vsctl("add-br br0 -- add-br br1 -- add-br br2 -- set Bridge br2 external_ids:of=a");
  const std::map<std::string, std::string> of_a = {{"of", "a"}};
  const struct {
    const char* what;
    std::vector<Condition> only;
    Names before, after;
  } table[] = {
      {"no condition", {}, {"br0", "br1", "br2"}, {"br0", "br1", "br2", "br3"}},
      {"a name", {{kBridge, kName, "br1"}}, {"br1"}, {"br1"}},
      {"one of two names",
       {{kBridge, kName, "br0"}, {kBridge, kName, "br1"}},
       {"br0", "br1"},
       {"br0", "br1"}},
      {"a key of a map", {{kBridge, kIds, of_a}}, {"br2"}, {"br2", "br3"}},
      {"nobody's name", {{kBridge, kName, "br9"}}, {}, {}},
  };
  std::vector<std::unique_ptr<Client>> clients;
  for (const auto& row : table)
    clients.push_back(client({.remote = sandbox.remote(), .only = row.only}));
  for (std::size_t i = 0; i < clients.size(); i++)
    EXPECT_EQ(bridges(*clients[i]), table[i].before) << table[i].what;
  sandbox.vsctl("add-br br3 -- set Bridge br3 external_ids:of=a");
  for (std::size_t i = 0; i < clients.size(); i++) {
    EXPECT_TRUE(eventually([&] {
      return (*clients[i]->read(10s))
                 ->tables[kRoot]
                 ->rows.begin()
                 ->second->columns[kBridges]
                 .size() == 4;
    })) << table[i].what
        << ": references stay, whatever rows are left out";
    EXPECT_EQ(bridges(*clients[i]), table[i].after) << table[i].what;
  }
}

TEST_F(TwoClientsTest, OneTakesTheLeaderOnlyAndTheOtherAnyServer) {
  OvsSandbox leader({.vswitchd = false, .clustered = true});
  OvsSandbox follower({.vswitchd = false, .joins = leader.raft()});
  leader.vsctl("add-br br0");
  const auto any = client({.remote = follower.remote()});
  const auto strict = client({.remote = follower.remote(), .leader_only = true});
  const auto either =
      client({.remote = follower.remote() + "," + leader.remote(), .leader_only = true});
  EXPECT_TRUE(eventually([&] { return bridges(*any) == Names{"br0"}; }));
  EXPECT_TRUE(eventually([&] { return bridges(*either) == Names{"br0"}; })) << "goes to the leader";
  const auto refused = strict->read(500ms);
  ASSERT_FALSE(refused) << "the follower is no leader";
  EXPECT_EQ(refused.error().kind, Error::Kind::unreachable);
}

/// Two keys with certificates of their own, and files that hold neither.
class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/vmirror-tls-XXXXXX";
    ASSERT_TRUE(mkdtemp(pattern));
    folder = pattern;
    std::ofstream(at("text")) << "no PEM\n";
    for (const std::string name : {"a", "b"})
      if (std::system(("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=" + name + " -keyout " +
                       at(name + ".key") + " -out " + at(name + ".pem") + " >/dev/null 2>&1")
                          .c_str()) != 0)
        GTEST_SKIP() << "needs openssl";
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::string at(const std::string& name) const { return folder + "/" + name; }
  /// To a port where nobody listens.
  ClientOptions options(const std::string& key, const std::string& certificate,
                        const std::string& ca) const {
    return {.remote = "ssl:127.0.0.1:1",
            .private_key = at(key),
            .certificate = at(certificate),
            .ca_certificate = at(ca)};
  }
  std::string folder;
};

TEST_F(TlsTest, ClientsThatLiveAtOneTimeUseTheSameFiles) {
  const ClientOptions a = options("a.key", "a.pem", "a.pem"),
                      b = options("b.key", "b.pem", "b.pem"),
                      other_ca = options("a.key", "a.pem", "b.pem");
  {
    const auto first = client(a), second = client(a);
    const auto without = client({.remote = "unix:" + at("nobody")});
    for (const ClientOptions& other : {b, other_ca}) {
      const auto refused = Client::start(other, schema());
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().kind, Error::Kind::unsupported);
      for (const std::string& file : {a.ca_certificate, other.ca_certificate})
        EXPECT_NE(refused.error().what.find(file), std::string::npos) << refused.error().text();
    }
  }
  EXPECT_TRUE(client(b)) << "nobody uses the others any more";
}

TEST_F(TlsTest, FilesOfNoUseAreRefusedByName) {
  const struct {
    const char *key, *certificate, *ca, *where, *what;
  } table[] = {
      {"none", "a.pem", "a.pem", "none", "can't read this file"},
      {"text", "a.pem", "a.pem", "text", "this file holds no private key"},
      {"a.key", "text", "a.pem", "text", "this file holds no certificate"},
      {"b.key", "a.pem", "a.pem", "b.key", "the private key is not the certificate's"},
      {"a.key", "a.pem", "text", "text", "this file holds no CA's certificate"},
  };
  for (const auto& row : table) {
    const auto refused = Client::start(options(row.key, row.certificate, row.ca), schema());
    ASSERT_FALSE(refused) << row.what;
    EXPECT_EQ(refused.error().kind, Error::Kind::invalid) << row.what;
    EXPECT_EQ(refused.error().what, row.what);
    EXPECT_EQ(refused.error().where, at(row.where));
  }
  EXPECT_TRUE(client(options("a.key", "a.pem", "a.pem"))) << "nothing of a refusal stays";
}

}  // namespace
}  // namespace vmirror::ovsdb
