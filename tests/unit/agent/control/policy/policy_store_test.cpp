// The watched folder of policies: each file whole or not at all, from whatever hand a change comes.
#include "agent/control/policy/policy_store.hpp"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

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
    return {io, folder, [this](const PolicyFolder& is) {
              known.push_back(is.whole());
              used.push_back(is.policies());
            }};
  }

  boost::asio::io_context io;
  std::string folder;
  std::vector<bool> known;                ///< Whether the set had all policies of the folder.
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

TEST_F(PolicyStoreTest, ABadFileIsSetAsideAndTheOthersStand) {
  put("a.yaml", text("a"));
  put("b.yaml", text("b", "snapln: 5\n"));
  PolicyStore store = make();  // As a daemon that starts.
  ASSERT_EQ(used.size(), 1U);
  ASSERT_EQ(used[0].size(), 1U);
  EXPECT_EQ(used[0][0].name, "a");
  EXPECT_FALSE(known[0]);
  EXPECT_EQ(store.folder().first_error()->text(),
            folder + "/b.yaml:4: unknown key `snapln` (write `snaplen`)");
  put("b.yaml", text("b"));
  store.reload();
  EXPECT_EQ(used.size(), 2U);
  EXPECT_TRUE(known[1]);
  EXPECT_FALSE(store.folder().first_error());
}

TEST_F(PolicyStoreTest, APolicyWhoseFileWentBadStaysAsItWas) {
  put("a.yaml", text("a", "snaplen: 64\n"));
  PolicyStore store = make();
  put("a.yaml", text("a", "snapln: 5\n"));
  put("b.yaml", text("b"));
  store.reload();
  ASSERT_EQ(used.size(), 2U) << "the other file comes in force";
  ASSERT_EQ(used[1].size(), 2U);
  EXPECT_EQ(used[1][0].snaplen, 64U);
  EXPECT_TRUE(known[1]);
  put("c.yaml", text("a", "snaplen: 96\n"));  // Its name is another file's by now.
  store.reload();
  ASSERT_EQ(used.size(), 3U);
  ASSERT_EQ(used[2].size(), 2U);
  EXPECT_EQ(used[2][1].snaplen, 96U);
  fs::remove(folder + "/c.yaml");
  fs::remove(folder + "/a.yaml");
  store.reload();
  EXPECT_EQ(used.back().size(), 1U) << "a file that is gone leaves nothing";
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

TEST_F(PolicyStoreTest, KeepBesideABadFile) {
  put("bad.yaml", "x: 1\n");
  PolicyStore store = make();
  EXPECT_TRUE(store.keep(text("a")));
  EXPECT_EQ(used.back().size(), 1U);
  EXPECT_TRUE(store.keep(text("bad"))) << "the bad one itself is replaced";
  EXPECT_EQ(used.back().size(), 2U);
}

TEST_F(PolicyStoreTest, KeepWritesThroughNoLink) {
  put("victim", "honest");
  fs::create_symlink(folder + "/victim", folder + "/.a.new");
  PolicyStore store = make();
  ASSERT_TRUE(store.keep(text("a")));
  std::ifstream in(folder + "/victim");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "honest");
}

/// It has to come back: what waits for a writer that never comes hangs the main thread.
TEST_F(PolicyStoreTest, AFifoIsSetAside) {
  ASSERT_EQ(::mkfifo((folder + "/a.yaml").c_str(), 0600), 0);
  put("b.yaml", text("b"));
  const PolicyStore store = make();
  EXPECT_EQ(used[0].size(), 1U);
  EXPECT_EQ(store.folder().first_error()->text(),
            folder + "/a.yaml: is no regular file (put a file in its place)");
}

TEST_F(PolicyStoreTest, EachChangeIsInTheLog) {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  spdlog::set_pattern("%v");
  put("a.yaml", text("a"));
  put("b.yaml", text("b"));
  PolicyStore store = make();
  put("a.yaml", text("a", "snaplen: 64\n"));
  fs::remove(folder + "/b.yaml");
  store.reload();
  store.reload();
  spdlog::set_default_logger(before);
  const std::string user = ", of user " + std::to_string(::geteuid()) + "\n";
  EXPECT_EQ(log.str(), "policy a comes in force: " + folder + "/a.yaml" + user +
                           "policy b comes in force: " + folder + "/b.yaml" + user +
                           "policy a changes: " + folder + "/a.yaml" + user + "policy b is gone\n");
}

/// releases/42 -> releases/43, as those who deploy configurations do it.
TEST_F(PolicyStoreTest, AFolderBehindALinkThatIsTurned) {
  for (const char* release : {"/42", "/43"}) fs::create_directory(folder + release);
  const auto turn = [&](const char* release) {
    fs::create_directory_symlink(release, folder + "/fresh");
    fs::rename(folder + "/fresh", folder + "/policies.d");
  };
  turn("42");
  put("42/a.yaml", text("a"));
  put("43/a.yaml", text("a"));
  put("43/b.yaml", text("b"));
  PolicyStore store(io, folder + "/policies.d", [this](const PolicyFolder& is) {
    known.push_back(is.whole());
    used.push_back(is.policies());
  });
  EXPECT_EQ(used.back().size(), 1U);
  store.look();
  EXPECT_EQ(used.size(), 1U);
  turn("43");
  store.look();
  ASSERT_EQ(used.size(), 2U);
  EXPECT_EQ(used.back().size(), 2U);
  fs::remove(folder + "/43/a.yaml");  // The new one is the one that is watched.
  serve_until(3);
  EXPECT_EQ(used.back().size(), 1U);
}

TEST_F(PolicyStoreTest, AFolderWhoseParentWasRenamed) {
  fs::create_directories(folder + "/etc/policies.d");
  put("etc/policies.d/a.yaml", text("a"));
  PolicyStore store(io, folder + "/etc/policies.d", [this](const PolicyFolder& is) {
    known.push_back(is.whole());
    used.push_back(is.policies());
  });
  fs::rename(folder + "/etc", folder + "/old");
  store.look();
  EXPECT_TRUE(store.folder().error);
  EXPECT_EQ(used.size(), 1U) << "what was in force stays";
  fs::create_directories(folder + "/etc/policies.d");
  store.look();
  ASSERT_EQ(used.size(), 2U);
  EXPECT_TRUE(used.back().empty());
}

TEST_F(PolicyStoreTest, PoliciesThatAreLinks) {
  fs::create_directory(folder + "/available");
  put("available/a.yaml", text("a"));
  put("available/b.yaml", text("b"));
  PolicyStore store = make();
  fs::create_symlink("available/a.yaml", folder + "/a.yaml");
  serve_until(2);
  EXPECT_EQ(used.back().size(), 1U);
  fs::create_hard_link(folder + "/available/b.yaml", folder + "/b.yaml");
  serve_until(3);
  EXPECT_EQ(used.back().size(), 2U);
  put("available/a.yaml", text("a", "snaplen: 64\n"));  // Nothing happens in the folder itself.
  store.look();
  ASSERT_EQ(used.size(), 4U);
  EXPECT_EQ(used.back()[0].snaplen, 64U);
  put("available/b.yaml", text("b", "snaplen: 96\n"));
  store.look();
  ASSERT_EQ(used.size(), 5U) << "a hard link has another name, too";
  EXPECT_EQ(used.back()[1].snaplen, 96U);
  store.look();
  EXPECT_EQ(used.size(), 5U);
}

TEST_F(PolicyStoreTest, AModeThatChangesIsSeenAsTheRemedySays) {
  put("a.yaml", text("a"));
  fs::permissions(folder + "/a.yaml", fs::perms{0666});
  const PolicyStore store = make();
  ASSERT_EQ(used.size(), 1U);
  EXPECT_TRUE(used[0].empty()) << "every user may write it";
  fs::permissions(folder + "/a.yaml", fs::perms{0644});
  serve_until(2);
  EXPECT_EQ(used[1].size(), 1U);
  EXPECT_FALSE(store.folder().first_error());
  fs::permissions(folder + "/a.yaml", fs::perms{0666});
  for (int i = 0; i < 100 && !store.folder().first_error(); ++i)
    io.run_one_for(std::chrono::milliseconds(100));
  ASSERT_TRUE(store.folder().first_error());
  EXPECT_NE(store.folder().first_error()->text().find("every user may write it"),
            std::string::npos);
}

TEST_F(PolicyStoreTest, AFileThatIsHalfWrittenMakesNoNoise) {
  const PolicyStore store = make();
  std::ofstream half(folder + "/a.yaml");
  half << "policy: a\nselec" << std::flush;
  io.run_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(store.folder().first_error());
  half << "t: [{port: p1}]\ntargets: [local]\n";
  half.close();
  serve_until(2);
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
