// The watched folder of policies: whole or not at all, from whatever hand a change comes.
#include "agent/app/policy_store.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace vmirror {
namespace {

namespace fs = std::filesystem;

std::string text(const std::string& name, const std::string& more = "") {
  return "policy: " + name + "\nselect: [{port: p1}]\ntargets: [local]\n" + more;
}

class PolicyStoreTest : public testing::Test {
 protected:
  PolicyStoreTest() {
    char name[] = "/tmp/vmirror-store-XXXXXX";
    folder = ::mkdtemp(name);
  }
  ~PolicyStoreTest() override { fs::remove_all(folder); }
  void put(const std::string& name, const std::string& content) {
    std::ofstream(folder + "/" + name) << content;
  }
  /// Serves until `uses` sets of policies were put in force.
  void serve_until(std::size_t uses) {
    while (used.size() < uses && io.run_one_for(std::chrono::seconds(10)) > 0) {
    }
    ASSERT_EQ(used.size(), uses);
  }
  PolicyStore make() {
    return {io, folder, [this](std::vector<Policy> all) { used.push_back(std::move(all)); }};
  }

  boost::asio::io_context io;
  std::string folder;
  std::vector<std::vector<Policy>> used;  ///< Every set that was put in force.
};

TEST_F(PolicyStoreTest, AnEmptyFolderIsAGoodSet) {
  const PolicyStore store = make();
  ASSERT_EQ(used.size(), 1U);
  EXPECT_TRUE(used[0].empty());
}

TEST_F(PolicyStoreTest, FilesThatComeChangeAndGo) {
  const PolicyStore store = make();
  put("a.yaml", text("a"));
  serve_until(2);
  EXPECT_EQ(used[1].size(), 1U);
  put("a.yaml", text("a", "snaplen: 64\n"));
  serve_until(3);
  EXPECT_EQ(used[2][0].snaplen, 64U);
  put("b.new", text("b"));
  fs::rename(folder + "/b.new", folder + "/b.yaml");
  serve_until(4);
  EXPECT_EQ(used[3].size(), 2U);
  fs::remove(folder + "/a.yaml");
  serve_until(5);
  EXPECT_EQ(used[4].size(), 1U);
}

TEST_F(PolicyStoreTest, ABadFileLeavesWhatWasInForce) {
  put("a.yaml", text("a"));
  PolicyStore store = make();
  put("b.yaml", text("b", "snapln: 5\n"));
  store.reload();
  EXPECT_EQ(used.size(), 1U);
  EXPECT_EQ(store.folder().first_error()->text(),
            folder + "/b.yaml:4: unknown key `snapln` (write `snaplen`)");
  put("b.yaml", text("b"));
  store.reload();
  EXPECT_EQ(used.size(), 2U);
  EXPECT_FALSE(store.folder().first_error());
}

TEST_F(PolicyStoreTest, TheSameSetIsNotPutInForceTwice) {
  put("a.yaml", text("a"));
  PolicyStore store = make();
  put("a.yaml", "# a comment\n" + text("a"));
  store.reload();
  EXPECT_EQ(used.size(), 1U);
}

TEST_F(PolicyStoreTest, KeepAndDrop) {
  PolicyStore store = make();
  const auto kept = store.keep(text("a"));
  ASSERT_TRUE(kept) << kept.error().text();
  EXPECT_EQ(kept->first, "a");
  EXPECT_EQ(kept->second, folder + "/a.yaml");
  EXPECT_EQ(used.back().size(), 1U);
  EXPECT_EQ(store.keep("policy: b\n").error().text(),
            "the policy:1: key `select` is missing (add `select: ...`)");
  EXPECT_TRUE(store.drop("a"));
  EXPECT_TRUE(used.back().empty());
  EXPECT_EQ(store.drop("a").error().kind, Error::Kind::missing);
}

TEST_F(PolicyStoreTest, KeepIsRefusedWhileAnotherFileIsBad) {
  put("bad.yaml", "x: 1\n");
  PolicyStore store = make();
  const auto kept = store.keep(text("a"));
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().kind, Error::Kind::refused);
  EXPECT_NE(kept.error().where.find("bad.yaml:1"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder + "/a.yaml"));
  // The bad one itself may be replaced.
  EXPECT_TRUE(store.keep(text("bad")));
  EXPECT_EQ(used.back().size(), 1U);
}

TEST_F(PolicyStoreTest, AFolderThatComesLaterIsRead) {
  fs::remove(folder);
  PolicyStore store = make();
  EXPECT_TRUE(used.empty());
  EXPECT_EQ(store.folder().first_error()->kind, Error::Kind::missing);
  fs::create_directory(folder);
  store.reload();
  EXPECT_EQ(used.size(), 1U);
  put("a.yaml", text("a"));
  serve_until(2);
}

}  // namespace
}  // namespace vmirror
