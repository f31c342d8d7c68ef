// What is given up can't be taken back: each try is made in a process of its own.
#include "agent/confine/confine.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <thread>

#include "agent/confine/parts.hpp"
#include "tests/support/captures.hpp"

namespace vmirror {
namespace {

/// What `work` wrote, from a process that it alone confines.
std::string in_a_child(const std::function<std::string()>& work) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string text = work();
    const auto written = ::write(ends[1], text.data(), text.size());
    ::_exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  std::string out;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    out.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return status == 0 ? out : out + " and ended with " + std::to_string(status);
}

/// The name of the error of a call that gives -1; `done` for any other.
std::string outcome(long result) {
  return result == -1 ? ::strerrorname_np(errno) : "done";
}

TEST(Confine, SystemCallsThatTheDaemonNeverMakesAreRefused) {
  struct Case {
    const char* name;
    std::function<long()> call;
    const char* outcome;
  };
  for (const Case& c :
       {Case{"exec",
             [] {
               char program[] = "/bin/true";
               char* const words[] = {program, nullptr};
               return ::execv(program, words);
             },
             "EPERM"},
        Case{"fork a namespace", [] { return ::unshare(CLONE_NEWUSER); }, "EPERM"},
        Case{"trace", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }, "EPERM"},
        Case{"a family of its own", [] { return ::socket(AF_VSOCK, SOCK_STREAM, 0); }, "EPERM"},
        Case{"become another", [] { return ::setuid(1); }, "EPERM"},
        Case{"TCP", [] { return ::socket(AF_INET, SOCK_STREAM, 0); }, "done"},
        Case{"a thread",
             [] {
               long ran = -1;
               std::thread([&ran] { ran = 0; }).join();
               return ran;
             },
             "done"}}) {
    const std::string told = in_a_child([&c]() -> std::string {
      const auto confined = confine({});
      if (!confined) return confined.error().text();
      if (confined->system_calls != kInForce) return confined->system_calls;
      return outcome(c.call());
    });
    if (told.starts_with("not available")) GTEST_SKIP() << told;
    EXPECT_EQ(told, c.outcome) << c.name;
  }
}

TEST(Confine, FilesAreWrittenOnlyWhereTheOptionsSay) {
  const test::TempDir ours, theirs;
  const auto create = [](const std::string& path) {
    return ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  };
  ASSERT_GE(create(theirs / "old"), 0);
  struct Case {
    std::string name;
    std::function<long()> call;
    const char* outcome;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"a file of ours", [&] { return create(ours / "new"); }, "done"},
           {"in a folder that is made later",
            [&] {
              std::filesystem::create_directory(ours / "state");
              return create(ours / "state/new");
            },
            "done"},
           {"renamed",
            [&] {
              create(ours / "a");
              return ::rename((ours / "a").c_str(), (ours / "b").c_str());
            },
            "done"},
           {"a file of theirs", [&] { return create(theirs / "new"); }, "EACCES"},
           {"written", [&] { return ::open((theirs / "old").c_str(), O_WRONLY | O_CLOEXEC); },
            "EACCES"},
           {"removed", [&] { return ::unlink((theirs / "old").c_str()); }, "EACCES"},
           {"read", [&] { return ::open((theirs / "old").c_str(), O_RDONLY | O_CLOEXEC); },
            "done"}}) {
    const std::string told = in_a_child([&]() -> std::string {
      ConfineOptions options;
      options.writable_folders = {ours / "state"};  // Not there yet: the one above it counts.
      const auto confined = confine(options);
      if (!confined) return confined.error().text();
      if (confined->files != kInForce) return confined->files;
      return outcome(c.call());
    });
    std::filesystem::remove(ours / "state/new");
    std::filesystem::remove(ours / "state");
    if (told.starts_with("not available")) GTEST_SKIP() << told;
    EXPECT_EQ(told, c.outcome) << c.name;
  }
}

TEST(Confine, SaysWhatIsThereAndKeepsNoMoreThanTwoCapabilities) {
  const std::string told = in_a_child([]() -> std::string {
    const auto confined = confine({});
    if (!confined) return confined.error().text();
    std::string out = confined->user + (confined->no_new_privileges ? " no more" : "");
    for (const std::string& name : confined->capabilities) out += " " + name;
    return out;
  });
  if (::geteuid() == 0)
    EXPECT_EQ(told, "root no more CAP_NET_ADMIN CAP_NET_RAW");
  else
    EXPECT_EQ(told.find("CAP_"), told.npos) << told;
}

TEST(Confine, AUserThatIsNotThereIsAnErrorWithItsRemedy) {
  EXPECT_EQ(in_a_child([] { return become("nobody-here").error().text(); }),
            "user: there is no user `nobody-here` (useradd --system --no-create-home nobody-here)");
}

}  // namespace
}  // namespace vmirror
