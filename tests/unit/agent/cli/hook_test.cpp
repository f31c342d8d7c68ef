// `vmirror hook`: what it writes, and that it leaves alone what isn't ours.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/cli/command.hpp"
#include "agent/control/hook/settings.hpp"
#include "tests/support/captures.hpp"

namespace vmirror {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct Root {
  test::TempDir folder;
  fs::path file = fs::path(folder / "etc/libvirt/hooks/qemu.d/vmirror");
  std::string out, err;

  int run(std::vector<std::string> words) {
    words.insert(words.begin(), "hook");
    words.insert(words.end(), {"--root", folder / ""});
    std::ostringstream o, e;
    CommandContext context{.out = o, .err = e};
    const int exit = run_command_line(std::move(words), context);
    out = o.str();
    err = e.str();
    return exit;
  }
  std::string text() const {
    std::ostringstream o;
    o << std::ifstream(file).rdbuf();
    return o.str();
  }
  void put(const std::string& content) const {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << content;
  }
};

TEST(HookCommand, InstallsAnExecutableOnce) {
  Root r;
  const std::vector<std::string> install{"install",   "--program", "/bin/true",
                                         "--timeout", "50",        "--json"};
  ASSERT_EQ(r.run(install), kOk) << r.err;
  EXPECT_EQ(json::parse(r.out).at("changed"), true);
  EXPECT_EQ(json::parse(r.out).at("reload_libvirtd"), true) << "there was no hook for QEMU";
  EXPECT_EQ(fs::status(r.file).permissions(), fs::perms(0755));
  EXPECT_TRUE(r.text().starts_with("#!/bin/true\n")) << r.text();
  EXPECT_EQ(parse_hook_file(r.text())->timeout, std::chrono::milliseconds(50));
  EXPECT_EQ(std::distance(fs::directory_iterator(r.file.parent_path()), {}), 1)
      << "libvirtd runs whatever is in there";

  ASSERT_EQ(r.run(install), kOk);
  EXPECT_EQ(json::parse(r.out).at("changed"), false);
  EXPECT_EQ(json::parse(r.out).at("reload_libvirtd"), false);
  ASSERT_EQ(r.run({"install", "--program", "/bin/true", "--timeout", "60"}), kOk);
  EXPECT_EQ(parse_hook_file(r.text())->timeout, std::chrono::milliseconds(60));
}

TEST(HookCommand, SaysWhenLibvirtdMustLook) {
  Root r;
  ASSERT_EQ(r.run({"install", "--program", "/bin/true"}), kOk);
  EXPECT_NE(r.out.find("systemctl reload libvirtd"), std::string::npos) << r.out;
  ASSERT_EQ(r.run({"remove"}), kOk);
  const fs::path other = r.file.parent_path() / "other";
  std::ofstream(other) << "#!/bin/sh\n";
  fs::permissions(other, fs::perms(0755));
  ASSERT_EQ(r.run({"install", "--program", "/bin/true"}), kOk);
  EXPECT_EQ(r.out.find("reload"), std::string::npos) << r.out;
}

TEST(HookCommand, LeavesOthersFilesAlone) {
  Root r;
  r.put("#!/bin/sh\nexit 0\n");
  for (const char* command : {"install", "remove"}) {
    EXPECT_EQ(r.run({command}), kFailed) << command;
    EXPECT_NE(r.err.find("isn't vmirror's"), std::string::npos) << r.err;
    EXPECT_EQ(r.text(), "#!/bin/sh\nexit 0\n") << command;
  }
  EXPECT_EQ(r.run({"status"}), kNotWatched) << "it tells what is there: that isn't vmirror's hook";
  EXPECT_NE(r.out.find("is not installed"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("isn't vmirror's"), std::string::npos) << r.out;
  EXPECT_EQ(r.run({"status", "--json"}), kNotWatched);
  EXPECT_FALSE(json::parse(r.out).at("installed").as_bool());
}

TEST(HookCommand, RemovesOurs) {
  Root r;
  ASSERT_EQ(r.run({"remove"}), kOk);
  EXPECT_NE(r.out.find("was not there"), std::string::npos);
  ASSERT_EQ(r.run({"install", "--program", "/bin/true"}), kOk);
  ASSERT_EQ(r.run({"remove"}), kOk);
  EXPECT_FALSE(fs::exists(r.file));
}

TEST(HookCommand, StatusTellsWhatIsWrong) {
  Root r;
  EXPECT_EQ(r.run({"status"}), kNotWatched);
  EXPECT_NE(r.out.find("is not installed"), std::string::npos) << r.out;
  struct Case {
    const char* why;
    std::string text;
    const char* error;
  };
  const std::string good = *hook_file("/bin/true", {.socket = "/nowhere.sock"});
  for (const Case& c : {Case{"no daemon", good, "/nowhere.sock"},
                        Case{"no program", *hook_file("/nowhere", {}), "/nowhere is not there"},
                        Case{"a bad line", good + "colour red\n", "line 6"}}) {
    r.put(c.text);
    fs::permissions(r.file, fs::perms(0755));
    EXPECT_EQ(r.run({"status", "--json"}), kNotWatched) << c.why;
    const std::string error(json::parse(r.out).at("error").as_string());
    EXPECT_NE(error.find(c.error), std::string::npos) << error;
  }
  r.put(good);
  fs::permissions(r.file, fs::perms(0644));
  EXPECT_EQ(r.run({"status"}), kNotWatched);
  EXPECT_NE(r.out.find("isn't executable"), std::string::npos) << r.out;
}

TEST(HookCommand, AWrongLineIsAnError) {
  Root r;
  EXPECT_EQ(r.run({}), kUsage);
  EXPECT_EQ(r.run({"install", "--timeout", "x"}), kUsage);
  for (const char* timeout : {"5", "-5", "60001"})
    EXPECT_EQ(r.run({"install", "--program", "/bin/true", "--timeout", timeout}), kUsage)
        << timeout;
  EXPECT_EQ(r.run({"install", "--program", "relative"}), kUsage);
  EXPECT_FALSE(fs::exists(r.file));
}

TEST(HookCommand, InstallsNoProgramThatLibvirtdCannotRun) {
  Root r;
  const std::string text = r.folder.write("hook", {});
  struct Case {
    std::string program;
    const char* why;
  };
  for (const Case& c : {Case{"/nope", "is not there"}, Case{text, "isn't executable"},
                        Case{r.folder / "", "not a program"}}) {
    EXPECT_EQ(r.run({"install", "--program", c.program}), kFailed) << c.program;
    EXPECT_NE(r.err.find(c.why), std::string::npos) << r.err;
    EXPECT_FALSE(fs::exists(r.file));
  }
}

}  // namespace
}  // namespace vmirror
