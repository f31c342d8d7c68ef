// What a policy file may say, and the exact words in which a wrong one is refused.
#include "agent/control/policy/policy_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace vmirror {
namespace {

namespace fs = std::filesystem;

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

TEST(PolicyFile, EveryKey) {
  const auto policy = parse_policy(R"(
policy: domain-controllers
select:
  - vm: "dc-*"
    external_ids: {role: dc}
  - mac: "52-54-00-AA:*"
  - port: "vnet*"
    uuid: "6F*"
  - title: "* controller"
    network: ot
    labels: {zone: cell-3}
direction: in
snaplen: 128
vlans: [0, 10]
filter:
  - {protocol: tcp, port: [88, 3268-3269]}
  - {direction: in, vlan: 10, protocol: udp, port: 53, cidr: [10.0.0.0/8, "2001:db8::1"]}
  - not: {cidr: 10.9.0.0/16}
targets:
  - local
  - erspan: {address: 192.0.2.9, version: 3, session: 17}
  - erspan: {address: "2001:db8::9", session: auto}
  - gre: {address: 192.0.2.9, key: 7}
  - rspan: {vlan: 100}
  - rspan: {vlan: 101, restrict: true}
priority: -5
over_budget: {truncate: 96}
expires: 2026-12-31T00:00:00+01:00
require: true
sensor: follow
)",
                                   "dc.yaml");
  ASSERT_TRUE(policy) << policy.error().text();
  const Policy expected{
      .name = "domain-controllers",
      .select = {{.vm = "dc-*", .uuid = "", .mac = "", .port = "", .labels = {{"role", "dc"}}},
                 {.vm = "", .uuid = "", .mac = "52:54:00:aa:*", .port = "", .labels = {}},
                 {.vm = "", .uuid = "6F*", .mac = "", .port = "vnet*", .labels = {}},
                 {.vm = "",
                  .uuid = "",
                  .mac = "",
                  .port = "",
                  .title = "* controller",
                  .network = "ot",
                  .labels = {{"zone", "cell-3"}}}},
      .direction = Direction::in,
      .snaplen = 128,
      .vlans = {0, 10},
      .filter = {.only = {{.carried = {{0, 6}}, .ports = {{88, 88}, {3268, 3269}}},
                          {.direction = Direction::in,
                           .vlans = {10},
                           .carried = {{0, 17}},
                           .ports = {{53, 53}},
                           .prefixes = {{ip("10.0.0.0"), 8}, {ip("2001:db8::1"), 128}}}},
                 .except = {{.prefixes = {{ip("10.9.0.0"), 16}}}}},
      .targets = {LocalTarget{}, ErspanTarget{ip("192.0.2.9"), 3, 17},
                  ErspanTarget{ip("2001:db8::9"), 2, std::nullopt}, GreTarget{ip("192.0.2.9"), 7},
                  RspanTarget{100}, RspanTarget{101, true}},
      .priority = -5,
      .truncate = 96,
      .expires = *parse_time("2026-12-30T23:00:00Z"),
      .require = true,
      .sensor = Policy::Sensor::follow,
  };
  EXPECT_EQ(*policy, expected);
}

TEST(PolicyFile, WhatIsNotSaidHasADefault) {
  const auto policy = parse_policy("policy: a\nselect: [{port: p1}]\ntargets: [local]\n", "a.yaml");
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->direction, Direction::both);
  EXPECT_EQ(policy->snaplen, 0U);
  EXPECT_TRUE(policy->filter.empty());
  EXPECT_EQ(policy->priority, 0);
  EXPECT_EQ(policy->truncate, 0U);
  EXPECT_FALSE(policy->expires);
  EXPECT_FALSE(policy->require);
  EXPECT_EQ(policy->sensor, Policy::Sensor::stay);
}

TEST(PolicyFile, ADurationHasUnits) {
  constexpr Time kHour = 3600 * kSecond;
  const struct {
    const char* text;
    std::optional<Time> is;
  } table[] = {
      {"4h", 4 * kHour},
      {"1h30m", kHour + kHour / 2},
      {"90m", kHour + kHour / 2},
      {"7d", 168 * kHour},
      {"1s", kSecond},
      {"", {}},
      {"4", {}},
      {"h", {}},
      {"30m1h", {}},
      {"-1h", {}},
      {"1.5h", {}},
      {"367d", {}},
      {"99999999999999999999s", {}},
  };
  for (const auto& row : table) {
    const auto read = parse_duration(row.text);
    EXPECT_EQ(read ? std::optional(*read) : std::nullopt, row.is) << row.text;
  }
}

TEST(PolicyFile, RefusalsNameLineAndRemedy) {
  const std::string head = "policy: a\nselect: [{port: p1}]\n";
  const std::string full = head + "targets: [local]\n";
  const struct {
    std::string text, error;
  } table[] = {
      {"", "f.yaml: the file is empty (write it, or remove it)"},
      {"just text",
       "f.yaml:1: the file is not a mapping (write `KEY: VALUE` with `policy`, `select`, "
       "`direction`, `snaplen`, `vlans`, `filter`, `targets`, `priority`, `over_budget`, "
       "`expires`, "
       "`ttl`, `require` or `sensor`)"},
      {full + "snapln: 5\n", "f.yaml:4: unknown key `snapln` (write `snaplen`)"},
      {full + "colour: red\n",
       "f.yaml:4: unknown key `colour` (write one of `policy`, `select`, `direction`, `snaplen`, "
       "`vlans`, `filter`, `targets`, `priority`, `over_budget`, `expires`, `ttl`, `require` or "
       "`sensor`)"},
      {full + "targets: [local]\n", "f.yaml:4: key `targets` is given twice (keep one of them)"},
      {head, "f.yaml:1: key `targets` is missing (add `targets: ...`)"},
      {"policy: a b\n",
       "f.yaml:1: `policy` is `a b` (write a name of at most 63 letters, digits, `.`, `_` or "
       "`-`)"},
      {"policy: ../x\n",
       "f.yaml:1: `policy` is `../x` (write a name of at most 63 letters, digits, `.`, `_` or "
       "`-`)"},
      {"policy: a\nselect: {port: p1}\n",
       "f.yaml:2: `select` is not a list (write one `- ...` for each entry)"},
      {"policy: a\nselect: []\ntargets: [local]\n",
       "f.yaml: `select` is empty (to select every NIC write `- port: \"*\"`)"},
      {"policy: a\nselect:\n  - {}\n",
       "f.yaml:3: an entry of `select` has no condition (to select every NIC write `port: \"*\"`)"},
      {"policy: a\nselect:\n  - prt: x\n", "f.yaml:3: unknown key `prt` (write `port`)"},
      {"policy: a\nselect:\n  - external_ids: dc\n",
       "f.yaml:3: `external_ids` is not a mapping (write `KEY: VALUE` or `{KEY: VALUE}`)"},
      {full + "direction: ingress\n",
       "f.yaml:4: `direction` is `ingress` (write `in`, `out` or `both`)"},
      {full + "filter: tcp\n",
       "f.yaml:4: `filter` is not a list (write one `- ...` for each entry)"},
      {full + "filter:\n  - {}\n",
       "f.yaml:5: an entry of `filter` has no condition (write `direction`, `vlan`, `protocol`, "
       "`port` "
       "or `cidr`)"},
      {full + "filter:\n  - not: {}\n",
       "f.yaml:5: an entry of `filter` has no condition (write `direction`, `vlan`, `protocol`, "
       "`port` "
       "or `cidr`)"},
      {full + "filter: [{ports: 53}]\n", "f.yaml:4: unknown key `ports` (write `port`)"},
      {full + "filter: [{protocol: tpc}]\n",
       "f.yaml:4: `protocol`: `tpc` is no protocol (write tcp, udp, sctp, icmp, icmpv6, igmp, arp, "
       "ipv4, ipv6 or an IP protocol's number)"},
      {full + "filter: [{port: [53, 70000]}]\n",
       "f.yaml:4: `port`: `70000` is no port (write a number of 0 to 65535, or FIRST-LAST)"},
      {full + "filter: [{port: 9-3}]\n",
       "f.yaml:4: `port`: `9-3` is no port (write a number of 0 to 65535, or FIRST-LAST)"},
      {full + "filter: [{cidr: 10.0.0.1/8}]\n",
       "f.yaml:4: `cidr`: `10.0.0.1/8` has bits behind its prefix: it is 10.0.0.0/8 (write "
       "ADDRESS/BITS, or an address)"},
      {full + "filter: [{cidr: 10.0.0.0/33}]\n",
       "f.yaml:4: `cidr`: `10.0.0.0/33` has no prefix of 0 to 32 bits (write ADDRESS/BITS, or an "
       "address)"},
      {full + "filter: [{vlan: 4095}]\n",
       "f.yaml:4: `vlan` is `4095` (write a number from 0 to 4094)"},
      {full + "filter: [{protocol: icmp, port: 7}]\n",
       "f.yaml:4: `port` needs protocols that have ports (write `protocol: tcp`, udp or "
       "sctp, or two entries)"},
      {full + "filter: [{protocol: arp, cidr: 10.0.0.0/8}]\n",
       "f.yaml:4: `cidr` 10.0.0.0/8 is an address of none of the protocols (write protocols "
       "of its family, or two entries)"},
      {full + "snaplen: -1\n",
       "f.yaml:4: `snaplen` is `-1` (write 0 for whole frames, or 14 to 65535 bytes)"},
      {full + "vlans: [4095]\n", "f.yaml:4: `vlans` is `4095` (write a number from 0 to 4094)"},
      {full + "snaplen: 13\n",
       "f.yaml:4: `snaplen` is `13` (write 0 for whole frames, or 14 to 65535 bytes)"},
      {full + "snaplen: 99999999999999999999\n",
       "f.yaml:4: `snaplen` is `99999999999999999999` (write 0 for whole frames, or 14 to 65535 "
       "bytes)"},
      {full + "priority: high\n",
       "f.yaml:4: `priority` is `high` (write a number from -1000 to 1000)"},
      {full + "over_budget: sample\n",
       "f.yaml:4: `over_budget: sample`: no switch that vmirror drives takes every nth frame "
       "(write "
       "`drop`, or `{truncate: 128}`)"},
      {full + "over_budget: stop\n",
       "f.yaml:4: `over_budget` is `stop` (write `drop`, or `{truncate: 128}`)"},
      {full + "over_budget: {truncate: 13}\n",
       "f.yaml:4: `truncate` is `13` (write a number from 14 to 65535)"},
      {full + "expires: tomorrow\n",
       "f.yaml:4: `expires`: `tomorrow` is not a time (write it as 2026-12-31T00:00:00Z)"},
      {full + "expires: 2026-02-30T00:00:00Z\n",
       "f.yaml:4: `expires`: `2026-02-30T00:00:00Z` is not a time (write it as "
       "2026-12-31T00:00:00Z)"},
      {full + "ttl: 0s\n",
       "f.yaml:4: `ttl`: `0s` is no time of 1s to 366d (write it as 4h, or 1h30m)"},
      {full + "ttl: 4\n",
       "f.yaml:4: `ttl`: `4` is no time of 1s to 366d (write it as 4h, or 1h30m)"},
      {full + "ttl: 400d\n",
       "f.yaml:4: `ttl`: `400d` is no time of 1s to 366d (write it as 4h, or 1h30m)"},
      {head + "targets:\n  - disk\n",
       "f.yaml:4: unknown target `disk` (write `local`, `erspan: {address: IP}`, `gre: {address: "
       "IP}` or `rspan: {vlan: N}`)"},
      {head + "targets:\n  - local: {}\n", "f.yaml:4: `local` takes no options (write `- local`)"},
      {head + "targets:\n  - local\n  - local\n",
       "f.yaml:5: target local is given twice (keep one of them)"},
      {head + "targets:\n  - {gre: {address: 192.0.2.1}, rspan: {vlan: 5}}\n",
       "f.yaml:4: an entry of `targets` holds 2 targets (write one `- ...` for each)"},
      {head + "targets:\n  - erspan: {version: 3}\n",
       "f.yaml:4: key `address` is missing (add `address: ...`)"},
      {head + "targets:\n  - erspan: {address: collector}\n",
       "f.yaml:4: `address`: `collector` is no IP address (write an IPv4 or IPv6 address)"},
      {head + "targets:\n  - erspan: {address: 192.0.2.1, version: 1}\n",
       "f.yaml:4: `version` is `1` (write `2` or `3`)"},
      {head + "targets:\n  - erspan: {address: 192.0.2.1, session: 1024}\n",
       "f.yaml:4: `session` is `1024` (write a number from 0 to 1023, or `auto`)"},
      {head + "targets:\n  - gre: {address: 192.0.2.1, key: 4294967296}\n",
       "f.yaml:4: `key` is `4294967296` (write a number from 0 to 4294967295)"},
      {head + "targets:\n  - rspan: {vlan: 4095}\n",
       "f.yaml:4: `vlan` is `4095` (write a number from 1 to 4094)"},
      {full + "---\npolicy: b\n",
       "f.yaml:4: a second document begins here (keep one document a file)"},
      {"policy: [\n", "f.yaml:2: not YAML: end of sequence flow not found (correct the line)"},
      {"policy: a\n\tselect: b\n",
       "f.yaml:2: not YAML: a tab in the indentation (indent with spaces)"},
      {"policy: a\nselect:\n\t- vm: x\n",
       "f.yaml:3: not YAML: a tab in the indentation (indent with spaces)"},
      {full + "# caf\xe9\n", "f.yaml:4: a character that is not UTF-8 (write the file in UTF-8)"},
  };
  for (const auto& row : table) {
    const auto policy = parse_policy(row.text, "f.yaml");
    ASSERT_FALSE(policy) << row.text;
    EXPECT_EQ(policy.error().text(), row.error) << row.text;
  }
}

TEST(PolicyFile, HostileYamlEndsInAnError) {
  const std::string deep(200'000, '[');
  EXPECT_FALSE(parse_policy(deep, "f.yaml"));
  EXPECT_FALSE(parse_policy(std::string(2 << 20, ' '), "f.yaml"));
  EXPECT_FALSE(parse_policy("a: &a [*a, *a]\n", "f.yaml"));
  EXPECT_FALSE(parse_policy(std::string("policy: \0x", 10), "f.yaml"));
  std::string selectors = "policy: a\ntargets: [local]\nselect:\n";
  for (std::size_t i = 0; i < kMostSelectors; ++i) selectors += "  - port: p\n";
  EXPECT_TRUE(parse_policy(selectors, "f.yaml"));
  EXPECT_EQ(parse_policy(selectors + "  - port: p\n", "f.yaml").error().text(),
            "f.yaml:1028: more than 1024 entries of `select` (use patterns, or write several "
            "policies)");
  EXPECT_LT(
      parse_policy("policy: \"" + std::string(100'000, 'a') + "\"\n", "f.yaml").error().what.size(),
      300U);
  const std::string digits = "2026-01-01T00:00:00." + std::string(100'000, '1') + "Z";
  EXPECT_FALSE(parse_time(digits));
}

class PolicyFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/vmirror-policies-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(folder_); }
  void put(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
  }
  static std::string policy(const std::string& name, const std::string& more = "") {
    return "policy: " + name + "\nselect: [{port: p1}]\ntargets: [local]\n" + more;
  }
  std::string folder_;
};

TEST_F(PolicyFolderTest, ABadFileIsSetAside) {
  put("a.yaml", policy("a"));
  put("b.yaml", policy("b", "snapln: 5\n"));
  put("c.yaml", policy("a"));
  put(".d.yaml", "hidden");
  put("e.txt", "not ours");
  put("f.yml", policy("f"));
  const PolicyFolder folder = read_policies(folder_);
  ASSERT_EQ(folder.files.size(), 4U);
  EXPECT_EQ(folder.files[3].policy->name, "f");
  EXPECT_FALSE(folder.files[0].error);
  EXPECT_EQ(folder.first_error()->text(),
            folder_ + "/b.yaml:4: unknown key `snapln` (write `snaplen`)");
  EXPECT_EQ(folder.files[2].error->text(), folder_ + "/c.yaml: policy `a` is in " + folder_ +
                                               "/a.yaml too (give one of them another name)");
}

TEST_F(PolicyFolderTest, AMissingFolderIsAnErrorAndAnEmptyOneIsNot) {
  EXPECT_FALSE(read_policies(folder_).first_error());
  EXPECT_TRUE(read_policies(folder_ + "/none").first_error());
}

TEST_F(PolicyFolderTest, KeepReplacesTheFileThatHoldsThePolicy) {
  put("other-name.yaml", policy("a"));
  EXPECT_EQ(*keep_policy(read_policies(folder_), policy("a", "snaplen: 64\n"), "stdin"),
            folder_ + "/other-name.yaml");
  EXPECT_EQ(*keep_policy(read_policies(folder_), policy("b"), "stdin"), folder_ + "/b.yaml");
  const PolicyFolder folder = read_policies(folder_);
  ASSERT_FALSE(folder.first_error());
  ASSERT_EQ(folder.policies().size(), 2U);
  EXPECT_EQ(folder.policies()[1].snaplen, 64U);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 2);
}

TEST_F(PolicyFolderTest, KeepTakesNothingBad) {
  put("a.yaml", policy("a"));
  EXPECT_FALSE(keep_policy(read_policies(folder_), policy("a", "snapln: 1\n"), "stdin"));
  EXPECT_EQ(read_policies(folder_).policies()[0].snaplen, 0U);
}

TEST_F(PolicyFolderTest, AFileThatDidNotChangeIsNotReadAnew) {
  put("a.yaml", policy("a"));
  put("b.yaml", policy("b"));
  const PolicyFolder first = read_policies(folder_);
  put("b.yaml", policy("b", "snaplen: 64\n"));
  const PolicyFolder second = read_policies(folder_, first);
  EXPECT_EQ(second.files[0].read, first.files[0].read);
  EXPECT_NE(second.files[1].read, first.files[1].read);
  EXPECT_EQ(second.policies()[1].snaplen, 64U);
}

TEST_F(PolicyFolderTest, FilesBeyondTheBoundAreNamedAndNotRead) {
  for (std::size_t i = 0; i < kMostPolicyFiles + 2; ++i)
    put(std::to_string(10'000 + i) + ".yaml", policy("p" + std::to_string(i)));
  const PolicyFolder folder = read_policies(folder_);
  EXPECT_EQ(folder.policies().size(), kMostPolicyFiles);
  EXPECT_EQ(folder.first_error()->text(),
            folder_ +
                "/11000.yaml: not read: a folder has at most 1000 policies of 4194304 bytes in "
                "all (join policies, or remove files)");
}

TEST_F(PolicyFolderTest, AFolderOfTooManyBytes) {
  const std::string comment = "#" + std::string(500'000, ' ') + "\n";
  for (int i = 0; i < 10; ++i)
    put(std::to_string(i) + ".yaml", policy("p" + std::to_string(i)) + comment);
  const PolicyFolder folder = read_policies(folder_);
  EXPECT_EQ(folder.policies().size(), 8U);
  EXPECT_EQ(folder.files[8].error->kind, Error::Kind::exhausted);
}

TEST_F(PolicyFolderTest, WhatALinkLeadsToIsNotShown) {
  put("secret", "hash: $6$topsecret\n");
  fs::create_symlink("secret", folder_ + "/a.yaml");
  put("b.yaml", "hash: shown\n");
  const PolicyFolder folder = read_policies(folder_);
  EXPECT_EQ(folder.files[0].error->text(),
            folder_ +
                "/a.yaml:1: the link leads to a file that is no policy (correct this line; "
                "what is in the file is not shown here)");
  EXPECT_NE(folder.files[1].error->text().find("unknown key `hash`"), std::string::npos);
}

TEST_F(PolicyFolderTest, FilesAndFoldersThatOthersMayWriteAreRefused) {
  put("a.yaml", policy("a"));
  fs::permissions(folder_ + "/a.yaml", fs::perms(0666));
  EXPECT_EQ(read_policies(folder_).first_error()->text(),
            folder_ + "/a.yaml: every user may write it (chmod o-w " + folder_ + "/a.yaml)");
  fs::permissions(folder_ + "/a.yaml", fs::perms(0664));
  EXPECT_FALSE(read_policies(folder_).first_error());
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown((folder_ + "/a.yaml").c_str(), 1000, 0), 0);
    EXPECT_EQ(read_policies(folder_).first_error()->what, "belongs to user 1000");
    ASSERT_EQ(::chown((folder_ + "/a.yaml").c_str(), 0, 0), 0);
  }
  fs::permissions(folder_, fs::perms(0777));
  EXPECT_EQ(read_policies(folder_).error->what, "every user may write it");
}

TEST_F(PolicyFolderTest, Drop) {
  put("x.yaml", policy("a"));
  EXPECT_TRUE(drop_policy(read_policies(folder_), "a"));
  EXPECT_EQ(drop_policy(read_policies(folder_), "a").error().kind, Error::Kind::missing);
}

}  // namespace
}  // namespace vmirror
