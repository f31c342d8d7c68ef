// The pure parts of the commands about the store: documents, differences, a server's settings and
// status.
#include "agent/cli/store.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "agent/cli/policy_source.hpp"
#include "agent/cli/store_server.hpp"

namespace vmirror {
namespace {

using Texts = std::vector<std::string>;

std::string policy(const std::string& name) {
  return "policy: " + name + "\nselect: [{port: p}]\ntargets: [local]\n";
}

/// The names of the policies, or the error.
std::string names_of(const std::string& text) {
  std::istringstream in(text);
  const auto sources = read_policy_sources("-", in);
  if (!sources) return sources.error().front().text();
  std::string out;
  for (const PolicySource& source : *sources) {
    out += (out.empty() ? "" : " ") + source.name;
    EXPECT_NE(source.yaml.find("policy: " + source.name + "\n"), std::string::npos);
  }
  return out;
}

TEST(PolicySources, SeveralDocuments) {
  struct Case {
    const char* what;
    std::string text, names;
  };
  const Case cases[] = {
      {"one", policy("a"), "a"},
      {"one with a marker", "---\n" + policy("a"), "a"},
      {"two", policy("a") + "---\n" + policy("b"), "a b"},
      {"empty ones between",
       "# head\n---\n" + policy("a") + "---\n# none\n---\n\n...\n---\n" + policy("b"), "a b"},
      {"carriage returns", policy("a") + "---\r\n" + policy("b"), "a b"},
      {"one name twice", policy("a") + "---\n" + policy("a"),
       "standard input: policy `a` is there twice (give one of them another name)"},
  };
  for (const Case& c : cases) EXPECT_EQ(names_of(c.text), c.names) << c.what;
  // The line is that of the whole text.
  EXPECT_NE(
      names_of(policy("a") + "---\n" + policy("b") + "colour: red\n").find("standard input:8"),
      std::string::npos)
      << names_of(policy("a") + "---\n" + policy("b") + "colour: red\n");
}

TEST(LineDiff, WhatWentAndWhatCame) {
  struct Case {
    const char *was, *is;
    Texts told;
  };
  const Case cases[] = {
      {"", "", {}},
      {"a\nb\n", "a\nb\n", {}},
      {"", "a\nb\n", {"+a", "+b"}},
      {"a\n", "", {"-a"}},
      {"a\nb\nc\n", "a\nx\nc\n", {"-b", "+x"}},
      {"a\nb\nc\n", "b\nc\nd\n", {"-a", "+d"}},
      {"a\nb", "a\nb\n", {}},
  };
  for (const Case& c : cases) EXPECT_EQ(line_diff(c.was, c.is), c.told) << c.was << " " << c.is;
}

ServerSettings member_over_tls() {
  ServerSettings out;
  out.folder = "/f";
  out.address = "192.0.2.7";
  out.private_key = "k", out.certificate = "c", out.ca_certificate = "a";
  out.user = "vmirror";
  return out;
}

TEST(ServerSettings, AreReadAsTheyWereWritten) {
  const ServerSettings s = member_over_tls();
  const auto again = parse_settings(encode_settings(s), "/f");
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(server_words(*again, true), server_words(s, true));
  EXPECT_EQ(again->user, "vmirror");
  for (const char* text : {"", "{}", "[]", R"({"address": 1})"}) {
    const auto bad = parse_settings(text, "/f");
    ASSERT_FALSE(bad) << text;
    EXPECT_EQ(bad.error().where, "/f/server.json");
  }
}

TEST(ServerSettings, TheWordsOfTheServer) {
  ServerSettings alone;
  alone.folder = "/f";
  EXPECT_EQ(server_words(alone, true),
            (Texts{"/f/store.db", "--remote=punix:/f/store.sock", "--unixctl=/f/server.ctl",
                   "--no-chdir", "-vconsole:info"}));
  ServerSettings s = member_over_tls();
  const Texts words = server_words(s, true);
  for (const char* word : {"--remote=pssl:6651:192.0.2.7", "--private-key=k", "--certificate=c",
                           "--ca-cert=a", "--user=vmirror"})
    EXPECT_NE(std::ranges::find(words, word), words.end()) << word;
  EXPECT_EQ(s.member(), "ssl:192.0.2.7:6652");
  s.address = "2001:db8::7";
  s.insecure = true;
  EXPECT_EQ(s.member(), "tcp:[2001:db8::7]:6652");
  const Texts plain = server_words(s, false);
  EXPECT_NE(std::ranges::find(plain, "--remote=ptcp:6651:[2001:db8::7]"), plain.end());
  EXPECT_NE(std::ranges::find(plain, "--detach"), plain.end());
}

TEST(ServerSettings, WithRolesItListensByADatabaseOfItsOwn) {
  ServerSettings s = member_over_tls();
  s.roles = true;
  const Texts words = server_words(s, true);
  EXPECT_EQ((Texts{words.begin(), words.begin() + 2}), (Texts{"/f/store.db", "/f/remotes.db"}));
  EXPECT_NE(std::ranges::find(words, "--remote=db:vmirror_server,Server,connections"), words.end());
  // A second remote without a role would let every certificate write all.
  for (const std::string& word : words) EXPECT_EQ(word.find("pssl:"), word.npos) << word;
  EXPECT_NE(remotes_transaction(s).find(
                R"({"target":"pssl:6651:192.0.2.7","role":"vmirror","read_only":false})"),
            std::string::npos)
      << remotes_transaction(s);
  EXPECT_TRUE(parse_settings(encode_settings(s), "/f")->roles);
  EXPECT_FALSE(parse_settings(encode_settings(member_over_tls()), "/f")->roles);
}

TEST(ServerSettings, ARelayHasNoDatabaseAndIsForReadingOnly) {
  ServerSettings s = member_over_tls();
  s.roles = true;
  s.relay_of = {"ssl:192.0.2.8:6651", "ssl:[2001:db8::9]:6651"};
  const auto again = parse_settings(encode_settings(s), "/f");
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(again->relay_of, s.relay_of);
  for (const bool insecure : {false, true}) {
    if (insecure) {
      s.insecure = true, s.roles = false;
      s.private_key.clear(), s.certificate.clear(), s.ca_certificate.clear();
      s.relay_of = {"tcp:192.0.2.8:6651"};
    }
    EXPECT_TRUE(check(s)) << insecure;
    const Texts words = server_words(s, true);
    EXPECT_EQ((Texts{words.begin(), words.begin() + 2}),
              (Texts{insecure ? "relay:vmirror:tcp:192.0.2.8:6651"
                              : "relay:vmirror:ssl:192.0.2.8:6651,ssl:[2001:db8::9]:6651",
                     "/f/remotes.db"}));
    EXPECT_NE(std::ranges::find(words, "--remote=db:vmirror_server,Server,connections"),
              words.end());
    // A remote of the command line would let its clients write.
    EXPECT_EQ(std::ranges::count_if(words,
                                    [](const auto& word) { return word.starts_with("--remote="); }),
              1);
    const std::string remotes = remotes_transaction(s);
    EXPECT_EQ(remotes.find(R"("read_only":false)"), remotes.npos) << remotes;
    for (const char* target :
         {insecure ? "ptcp:6651:192.0.2.7" : "pssl:6651:192.0.2.7", "punix:/f/store.sock"})
      EXPECT_NE(remotes.find(target), remotes.npos) << remotes;
  }
  for (const char* server : {"ssl:192.0.2.8:6651", "tcp:kvm8:6651", "192.0.2.8", ""}) {
    s.relay_of = {"tcp:192.0.2.8:6651", server};
    EXPECT_EQ(check(s).error().where, "--to") << server;
  }
}

TEST(ServerStatus, OfARelay) {
  struct Case {
    const char* answer;
    bool well;
  };
  const Case cases[] = {
      {R"([{"rows":[{"connected":true,"schema":"{}"}]}])", true},
      {R"([{"rows":[{"connected":false,"schema":"{}"}]}])", false},
      {R"([{"rows":[{"connected":true,"schema":["set",[]]}]}])", false},
      {R"([{"rows":[]}])", false},
      {R"([{}])", false},
      {R"([])", false},
      {R"([1])", false},
  };
  for (const Case& c : cases) {
    const ServerStatus is = parse_relay_status(boost::json::parse(c.answer).as_array());
    EXPECT_TRUE(is.relay);
    EXPECT_EQ(is.is_well(), c.well) << c.answer;
  }
}

TEST(Firewall, OnlyMembersReachTheMembersPort) {
  EXPECT_EQ(firewall_rules(6652, {"192.0.2.7", "192.0.2.8", "2001:db8::7"}),
            "table inet vmirror_store {}\ndelete table inet vmirror_store\n"
            "table inet vmirror_store {\n  chain members {\n"
            "    type filter hook input priority -10; policy accept;\n"
            "    tcp dport 6652 ip saddr { 192.0.2.7, 192.0.2.8 } accept\n"
            "    tcp dport 6652 ip6 saddr { 2001:db8::7 } accept\n"
            "    tcp dport 6652 drop\n  }\n}\n");
  struct Case {
    const char *remote, *address;
  };
  const Case cases[] = {{"ssl:192.0.2.7:6652", "192.0.2.7"},
                        {"tcp:[2001:db8::7]:6652", "2001:db8::7"},
                        {"ssl:kvm7:6652", ""},
                        {"ssl:", ""},
                        {"", ""}};
  for (const Case& c : cases) EXPECT_EQ(address_of_member(c.remote), c.address) << c.remote;
}

TEST(ServerSettings, WhatContradictsItself) {
  EXPECT_TRUE(check(ServerSettings{}));
  EXPECT_TRUE(check(member_over_tls()));
  ServerSettings s = member_over_tls();
  s.insecure = true;
  EXPECT_FALSE(check(s));
  s = member_over_tls();
  s.certificate.clear();
  EXPECT_FALSE(check(s));
  s = member_over_tls();
  s.address = "kvm7";
  EXPECT_FALSE(check(s));
  s = member_over_tls();
  s.cluster_port = s.clients_port;
  EXPECT_FALSE(check(s));
}

TEST(ServerStatus, OfAClustersMember) {
  const ServerStatus is = parse_cluster_status(
      "0f3c\nName: vmirror\nCluster ID: 7c5e (7c5e1ff1-0000)\nServer ID: 0f3c (0f3c9a)\n"
      "Address: tcp:10.9.0.1:6652\nStatus: cluster member\nRole: leader\nTerm: 3\nLeader: self\n"
      "Vote: self\n\nElection timer: 1000\nLog: [2, 10]\nServers:\n"
      "    0f3c (0f3c at tcp:10.9.0.1:6652) (self) next_index=2 match_index=9\n"
      "    a1b2 (a1b2 at tcp:10.9.0.2:6652) next_index=10 match_index=9 last msg 12 ms ago\n"
      "    c3d4 (c3d4 at ssl:[2001:db8::1]:6652)\n");
  EXPECT_EQ(is.role, "leader");
  EXPECT_EQ(is.leader, "0f3c");
  EXPECT_EQ(is.term, 3);
  EXPECT_EQ(is.address, "tcp:10.9.0.1:6652");
  EXPECT_TRUE(is.is_well());
  const std::vector<Member> members{{"0f3c", "tcp:10.9.0.1:6652", true, {}},
                                    {"a1b2", "tcp:10.9.0.2:6652", false, 12},
                                    {"c3d4", "ssl:[2001:db8::1]:6652", false, {}}};
  EXPECT_EQ(is.members, members);
}

TEST(ServerStatus, WithoutALeaderItIsNotWell) {
  struct Case {
    const char* text;
    bool well;
  };
  const Case cases[] = {
      {"Status: cluster member\nLeader: a1b2\n", true},
      {"Status: cluster member\nLeader: unknown\n", false},
      {"Status: joining cluster\nLeader: unknown\n", false},
      {"Status: left cluster\nLeader: a1b2\n", false},
      {"", false},
  };
  for (const Case& c : cases) EXPECT_EQ(parse_cluster_status(c.text).is_well(), c.well) << c.text;
}

}  // namespace
}  // namespace vmirror
