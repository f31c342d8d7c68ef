// A CA in a folder: what it issues, what it refuses, and how it is replaced.
#include "agent/pki/folder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "plugin/base/whole_file.hpp"

namespace vmirror::pki {
namespace {

constexpr Time kNow = 1'800'000'000 * kSecond;
constexpr Time kDay = 86400 * kSecond;

class FolderTest : public testing::Test {
 protected:
  FolderTest() {
    std::string path = testing::TempDir() + "pki.XXXXXX";
    root_ = ::mkdtemp(path.data());
    folder_ = Folder(root_ + "/ca");
  }
  ~FolderTest() override { std::filesystem::remove_all(root_); }

  std::string text(const std::string& name) const {
    std::ifstream in(folder_.file(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  unsigned mode(const std::string& name) const {
    struct stat s {};
    return ::stat(folder_.file(name).c_str(), &s) == 0 ? s.st_mode & 07777 : 0;
  }
  Result<std::string> issue(const Order& order, Time now = kNow) const {
    return folder_.issue(order, now, 365 * kDay);
  }

  std::vector<Entry> all() const { return folder_.entries().value(); }

  std::string root_;
  Folder folder_{""};
};

TEST_F(FolderTest, WhatIsIssued) {
  ASSERT_TRUE(folder_.make_authority(kNow, 3650 * kDay));
  struct Case {
    Order order;
    const char *file, *common_name;
    std::vector<std::string> dns, addresses;
    const char* unit = "";
  };
  const Case cases[] = {
      {{Holder::host, "kvm7", {}, {"192.0.2.7", "2001:db8::7"}},
       "host-kvm7.pem",
       "kvm7",
       {"kvm7"},
       {"192.0.2.7", "2001:db8::7"}},
      {{Holder::server, "kvm7", {"store.example"}, {}},
       "server-kvm7.pem",
       "server:kvm7",
       {"kvm7", "store.example"},
       {}},
      {{Holder::operator_, "alice", {}, {}}, "operator-alice.pem", "operator:alice", {}, {}},
      // By its common name a certificate may write; who only reads has none.
      {{Holder::viewer, "bob", {}, {}}, "viewer-bob.pem", "", {}, {}, "viewer:bob"},
      {{Holder::relay, "kvm9", {}, {}}, "relay-kvm9.pem", "", {"kvm9"}, {}, "relay:kvm9"},
  };
  for (const Case& c : cases) {
    const auto path = issue(c.order);
    ASSERT_TRUE(path) << path.error().text();
    EXPECT_EQ(*path, folder_.file(c.file));
    EXPECT_EQ(mode(c.file), 0600u);
    EXPECT_NE(text(c.file).find("BEGIN PRIVATE KEY"), std::string::npos);
    const auto read = read_certificates(text(c.file));
    ASSERT_TRUE(read) << read.error().text();
    ASSERT_EQ(read->size(), 1u);
    const Certificate& one = read->front();
    EXPECT_EQ(one.subject, (Subject{c.common_name, c.dns, c.addresses, c.unit}));
    EXPECT_FALSE(one.is_authority);
    EXPECT_EQ(one.not_before, kNow - 3600 * kSecond);
    EXPECT_EQ(one.not_after, kNow + 365 * kDay);
  }
  EXPECT_EQ(mode("ca.key"), 0600u);
  EXPECT_EQ(mode("ca.pem"), 0644u);
  EXPECT_EQ(text("ca.pem").find("PRIVATE"), std::string::npos);
  const auto all = folder_.entries();
  ASSERT_TRUE(all) << all.error().text();
  std::string told;
  for (const Entry& e : *all)
    told += std::string(e.holder ? to_text(*e.holder) : "ca") + " " + (e.holder ? e.name : "-") +
            (e.trusted ? ";" : " strange;");
  EXPECT_EQ(told, "ca -;host kvm7;operator alice;relay kvm9;server kvm7;viewer bob;");
  EXPECT_TRUE(all->front().certificate.is_authority);
}

TEST_F(FolderTest, WhatIsRefused) {
  EXPECT_EQ(issue({Holder::host, "kvm7", {}, {}}).error().remedy,
            "there is no CA here: `vmirror pki init`");
  EXPECT_EQ(folder_.entries().error().kind, Error::Kind::missing);
  ASSERT_TRUE(folder_.make_authority(kNow, 100 * kDay));
  EXPECT_EQ(folder_.make_authority(kNow, kDay).error().kind, Error::Kind::refused);
  const std::string long_name(65, 'a');
  struct Case {
    Order order;
    const char* told;
  };
  const Case cases[] = {
      // A host that is called as a person is in a certificate would have the person's rights.
      {{Holder::host, "operator:alice", {}, {}}, "`operator:alice` is no name"},
      {{Holder::host, "", {}, {}}, "`` is no name"},
      {{Holder::host, "../x", {}, {}}, "`../x` is no name"},
      {{Holder::host, "-x", {}, {}}, "`-x` is no name"},
      {{Holder::host, "a,b", {}, {}}, "`a,b` is no name"},
      {{Holder::host, long_name, {}, {}}, "1 to 64 bytes"},
      {{Holder::host, "kvm7", {}, {"192.0.2"}}, "`192.0.2` is no IP address"},
      {{Holder::host, "kvm7", {"a,IP:192.0.2.1"}, {}}, "is no DNS name"},
  };
  for (const Case& c : cases) {
    const auto made = issue(c.order);
    ASSERT_FALSE(made) << c.told;
    EXPECT_EQ(made.error().kind, Error::Kind::invalid) << made.error().text();
    EXPECT_NE(made.error().text().find(c.told), std::string::npos) << made.error().text();
  }
  // No certificate outlives its CA, and none is made of one that has ended.
  ASSERT_TRUE(issue({Holder::host, "kvm7", {}, {}}));
  EXPECT_EQ(read_certificates(text("host-kvm7.pem"))->front().not_after, kNow + 100 * kDay);
  EXPECT_NE(issue({Holder::host, "kvm8", {}, {}}, kNow + 101 * kDay).error().what.find("expired"),
            std::string::npos);
  ASSERT_TRUE(replace_file(folder_.file("ca.key"), "no key"));
  EXPECT_EQ(issue({Holder::host, "kvm8", {}, {}}).error().where, folder_.file("ca.key"));
  ASSERT_TRUE(replace_file(folder_.file("host-kvm8.pem"), "none"));
  EXPECT_EQ(folder_.entries().error().where, folder_.file("host-kvm8.pem"));
}

TEST_F(FolderTest, ACertificateIsRenewedWithItsNames) {
  ASSERT_TRUE(folder_.make_authority(kNow, 3650 * kDay));
  ASSERT_TRUE(issue({Holder::server, "kvm7", {"store.example"}, {"192.0.2.7"}}));
  const std::string before = text("server-kvm7.pem");
  ASSERT_TRUE(issue({Holder::server, "kvm7", {}, {}}, kNow + 10 * kDay));
  const Certificate was = read_certificates(before)->front(),
                    is = read_certificates(text("server-kvm7.pem"))->front();
  EXPECT_EQ(is.subject, was.subject);
  EXPECT_NE(is.serial, was.serial);
  EXPECT_EQ(is.not_after, was.not_after + 10 * kDay);
  EXPECT_NE(before.substr(0, 200), text("server-kvm7.pem").substr(0, 200)) << "the same key";
}

TEST_F(FolderTest, ACaIsReplacedInThreeSteps) {
  ASSERT_TRUE(folder_.make_authority(kNow, 3650 * kDay));
  ASSERT_TRUE(issue({Holder::host, "kvm7", {}, {}}));
  ASSERT_TRUE(issue({Holder::host, "kvm8", {}, {}}));
  ASSERT_TRUE(folder_.rotate_authority(kNow + kDay, 3650 * kDay));
  EXPECT_EQ(read_certificates(text("ca.pem"))->size(), 2u);
  for (const Entry& e : all()) EXPECT_TRUE(e.trusted) << e.file;
  ASSERT_TRUE(issue({Holder::host, "kvm7", {}, {}}, kNow + kDay));
  const auto early = folder_.retire_authorities();
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().where, folder_.file("host-kvm8.pem"));
  ASSERT_TRUE(issue({Holder::host, "kvm8", {}, {}}, kNow + kDay));
  ASSERT_TRUE(folder_.retire_authorities());
  EXPECT_EQ(read_certificates(text("ca.pem"))->size(), 1u);
  for (const Entry& e : all()) EXPECT_TRUE(e.trusted) << e.file;
  // One that came back from a copy is of a CA that is trusted no more.
  ASSERT_TRUE(folder_.rotate_authority(kNow + 2 * kDay, 3650 * kDay));
  ASSERT_TRUE(replace_file(folder_.file("ca.pem"), read_certificates(text("ca.pem"))->front().pem));
  for (const Entry& e : all()) EXPECT_EQ(e.trusted, !e.holder) << e.file;
}

/// While `blocked` is a folder, the file that is to take its place can't be made.
TEST_F(FolderTest, ACaThatCanNotBeReplacedGoesOnIssuing) {
  const auto block = [&](const char* name) {
    const std::string path = folder_.file(std::string(".") + name);
    std::filesystem::create_directories(path + "/full");
    return path;
  };
  for (const char* name : {"ca.pem", "ca.key"}) {
    SCOPED_TRACE(name);
    std::filesystem::remove_all(folder_.file(""));
    std::string blocked = block(name);
    ASSERT_FALSE(folder_.make_authority(kNow, 3650 * kDay));
    EXPECT_EQ(mode("ca.pem"), 0u) << "of a CA without a key";
    EXPECT_EQ(mode("ca.key"), 0u);
    std::filesystem::remove_all(blocked);
    ASSERT_TRUE(folder_.make_authority(kNow, 3650 * kDay));

    blocked = block(name);
    const std::string before = text("ca.pem");
    ASSERT_FALSE(folder_.rotate_authority(kNow + kDay, 3650 * kDay));
    std::filesystem::remove_all(blocked);
    EXPECT_EQ(text("ca.pem"), before);
    ASSERT_TRUE(issue({Holder::host, "kvm7", {}, {}}));
    EXPECT_TRUE(all().back().trusted);
  }
}

/// As after a crash between the two files.
TEST_F(FolderTest, TheKeyTellsWhichCaIssues) {
  ASSERT_TRUE(folder_.make_authority(kNow, 3650 * kDay));
  const std::string key = text("ca.key"), first = text("ca.pem");
  ASSERT_TRUE(folder_.rotate_authority(kNow + kDay, 3650 * kDay));
  ASSERT_TRUE(replace_file(folder_.file("ca.key"), key));
  ASSERT_TRUE(issue({Holder::host, "kvm7", {}, {}}));
  EXPECT_TRUE(is_signed_by(all().back().certificate, read_certificates(first)->front()));
  ASSERT_TRUE(folder_.retire_authorities());
  EXPECT_EQ(text("ca.pem"), first);
}

}  // namespace
}  // namespace vmirror::pki
