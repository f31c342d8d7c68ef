// Sinks against real files and sockets: rotation, a full disk, a slow reader, one that goes away.
#include "agent/engine/export/sink.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

namespace vmirror {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// Waits for what must come; the bound is for a failure only.
bool eventually(const std::function<bool()>& done) {
  for (int i = 0; i < 4000; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

std::string contents(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::uint64_t lost(const LineSink& sink, LineLoss reason) {
  return sink.status().lost[static_cast<std::size_t>(reason)];
}

class Sink : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "vmirror-sink-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    path = folder / "eve.json";
  }
  void TearDown() override { fs::remove_all(folder); }

  std::unique_ptr<LineSink> file(std::uint64_t max_bytes = 0, int keep = 4) {
    SinkOptions options;
    options.output = FileOutput{path, max_bytes, keep};
    options.retry = 5ms;
    auto sink = LineSink::open(options);
    EXPECT_TRUE(sink) << sink.error().text();
    return std::move(*sink);
  }
  std::unique_ptr<LineSink> socket(bool datagram, std::size_t queue_bytes) {
    SinkOptions options;
    options.output = SocketOutput{path, datagram};
    options.queue_bytes = queue_bytes;
    options.retry = 5ms;
    options.drain = 50ms;
    auto sink = LineSink::open(options);
    EXPECT_TRUE(sink) << sink.error().text();
    return std::move(*sink);
  }
  /// The other program's socket.
  int listener(int type) {
    const int fd = ::socket(AF_UNIX, type, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    if (type == SOCK_STREAM) {
      EXPECT_EQ(::listen(fd, 1), 0);
    }
    return fd;
  }
  static std::string read_some(int fd) {
    char buffer[65536];
    pollfd p{fd, POLLIN, 0};
    if (::poll(&p, 1, 20'000) != 1) return "";
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    return {buffer, n > 0 ? static_cast<std::size_t>(n) : 0};
  }

  fs::path folder, path;
};

TEST_F(Sink, AppendsToAFile) {
  std::ofstream(path) << "older\nhalf a li";
  auto sink = file();
  sink->submit("one\ntwo\n");
  sink->submit("three\n");
  sink->stop();
  EXPECT_EQ(contents(path), "older\nhalf a li\none\ntwo\nthree\n");
  EXPECT_EQ(sink->status().lines, 3U);
  EXPECT_EQ(sink->status().bytes, 14U);
  sink->submit("late\n");
  EXPECT_EQ(lost(*sink, LineLoss::stopped), 1U);
}

TEST_F(Sink, APipeThatNobodyReadsIsNamed) {
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  SinkOptions options;
  options.output = FileOutput{path, 0, 0};
  const auto sink = LineSink::open(options);
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error().remedy, "start its reader");
}

TEST_F(Sink, WaitsForASlowReaderWhereItIsAskedTo) {
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  SinkOptions options;
  options.output = FileOutput{path, 0, 0};
  options.queue_bytes = 4096;
  options.drain = 20s;
  options.wait = true;
  auto sink = std::move(*LineSink::open(options));
  constexpr std::size_t kLines = 400, kLine = 1000;
  std::size_t came = 0;
  std::thread slow([&] {
    while (came < kLines * kLine) {
      const std::string part = read_some(reader);
      if (part.empty()) return;
      came += part.size();
      std::this_thread::sleep_for(1ms);
    }
  });
  const std::string line = std::string(kLine - 1, 'x') + "\n";
  for (std::size_t i = 0; i < kLines; ++i) sink->submit(line);
  slow.join();
  sink->stop();
  EXPECT_EQ(came, kLines * kLine);
  EXPECT_EQ(sink->status().lost_total(), 0U);
  ::close(reader);
}

TEST_F(Sink, RotatesAndLosesNoLine) {
  auto sink = file(/*max_bytes=*/10, /*keep=*/2);
  sink->submit("aaaa\nbbbb\ncccc\ndddd\n");
  sink->submit("a line longer than the bound\n");
  sink->submit("eeee\n");
  sink->stop();
  EXPECT_EQ(contents(path), "eeee\n");
  EXPECT_EQ(contents(folder / "eve.json.1"), "a line longer than the bound\n");
  EXPECT_EQ(contents(folder / "eve.json.2"), "cccc\ndddd\n");
  EXPECT_FALSE(fs::exists(folder / "eve.json.3"));
  EXPECT_EQ(sink->status().rotations, 3U);
  EXPECT_EQ(sink->status().lines, 6U);
}

TEST_F(Sink, ReopensAFileThatWasMovedAway) {
  auto sink = file();
  sink->submit("one\n");
  ASSERT_TRUE(eventually([&] { return sink->status().lines == 1; }));
  fs::rename(path, folder / "moved");
  sink->submit("two\n");
  ASSERT_TRUE(eventually([&] { return sink->status().lines == 2; }));
  sink->reopen();
  ASSERT_TRUE(eventually([&] {
    sink->submit("three\n");
    return fs::exists(path);
  }));
  sink->stop();
  EXPECT_TRUE(contents(folder / "moved").starts_with("one\ntwo\n"));
  EXPECT_TRUE(contents(path).starts_with("three\n"));
}

TEST_F(Sink, AFullDiskIsSeenAndRecovers) {
  fs::create_symlink("/dev/full", path);
  auto sink = file();
  sink->submit("one\n");
  ASSERT_TRUE(eventually([&] { return sink->status().error.has_value(); }));
  const Error error = *sink->status().error;
  EXPECT_EQ(error.where, path);
  EXPECT_EQ(error.what, "can't be written: No space left on device");
  EXPECT_NE(error.remedy, "");
  EXPECT_EQ(sink->status().lines, 0U);
  fs::remove(path);  // Space came.
  ASSERT_TRUE(eventually([&] { return sink->status().lines == 1; }));
  EXPECT_FALSE(sink->status().error);
  EXPECT_EQ(contents(path), "one\n");
  EXPECT_EQ(sink->status().lost_total(), 0U);
}

TEST_F(Sink, AFileThatMayNotGrowHoldsNoHalfLine) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small{6, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  auto sink = file();
  sink->submit("one\ntwo\nthree\n");
  const bool failed = eventually([&] { return sink->status().error.has_value(); });
  // Each attempt's half is there for a moment: until it is taken back.
  const bool whole = eventually([&] { return contents(path) == "one\n"; });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  ASSERT_TRUE(failed);
  EXPECT_TRUE(whole);
  ASSERT_TRUE(eventually([&] { return sink->status().lines == 3; }));
  EXPECT_EQ(contents(path), "one\ntwo\nthree\n");
}

TEST_F(Sink, AFileThatCantBeOpenedIsRefusedAtOnce) {
  SinkOptions options;
  options.output = FileOutput{folder / "missing" / "eve.json"};
  const auto sink = LineSink::open(options);
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error().kind, Error::Kind::refused);
  EXPECT_EQ(sink.error().remedy, "create its folder");
  options.output = SocketOutput{std::string(200, 'x')};
  EXPECT_EQ(LineSink::open(options).error().kind, Error::Kind::invalid);
}

TEST_F(Sink, SendsToAStreamThatComesLater) {
  auto sink = socket(false, 1 << 20);
  sink->submit("one\n");
  ASSERT_TRUE(eventually([&] { return sink->status().error.has_value(); }));
  EXPECT_EQ(sink->status().error->kind, Error::Kind::unreachable);
  const int server = listener(SOCK_STREAM);
  const int reader = ::accept(server, nullptr, nullptr);
  EXPECT_EQ(read_some(reader), "one\n");
  EXPECT_TRUE(eventually([&] { return !sink->status().error; }));
  ::close(reader);
  ::close(server);
}

TEST_F(Sink, ASlowReaderLosesLinesByNameAndBlocksNobody) {
  const int server = listener(SOCK_STREAM);
  auto sink = socket(false, 1 << 20);
  const std::string batch = std::string(9999, 'x') + '\n';
  for (int i = 0; i < 1000; ++i) sink->submit(batch);  // Ten times what has room, nobody reads.
  const int reader = ::accept(server, nullptr, nullptr);
  const SinkStatus full = sink->status();
  EXPECT_GT(full.lost[static_cast<std::size_t>(LineLoss::queue_full)], 0U);
  EXPECT_LE(full.waiting_bytes, std::size_t{1} << 20);
  // What the queue took is known now; the writer counts a part only after the reader may have it.
  const std::uint64_t accepted = 1000 - full.lost_total();
  std::size_t got = 0;
  while (got < accepted * batch.size()) {
    const std::string more = read_some(reader);
    ASSERT_FALSE(more.empty());
    got += more.size();
  }
  EXPECT_EQ(got, accepted * batch.size());
  EXPECT_TRUE(eventually([&] { return sink->status().lines == accepted; }));
  EXPECT_EQ(sink->status().lost_total(), full.lost_total());
  EXPECT_EQ(sink->status().waiting_bytes, 0U);
  ::close(reader);
  ::close(server);
}

TEST_F(Sink, AReaderThatComesBackStartsWithAWholeLine) {
  const int server = listener(SOCK_STREAM);
  auto sink = socket(false, 64 << 20);
  const std::string line = std::string(8'000'000, 'x') + '\n';  // More than a socket's buffer.
  sink->submit(line);
  int reader = ::accept(server, nullptr, nullptr);
  ASSERT_FALSE(read_some(reader).empty());
  ::close(reader);  // In the middle of the line.
  sink->submit("next\n");
  reader = ::accept(server, nullptr, nullptr);
  EXPECT_EQ(read_some(reader), "next\n");
  EXPECT_EQ(lost(*sink, LineLoss::disconnected), 1U);
  ::close(reader);
  ::close(server);
}

TEST_F(Sink, SendsADatagramALine) {
  const int server = listener(SOCK_DGRAM);
  auto sink = socket(true, 4 << 20);
  sink->submit("one\n" + std::string(1'000'000, 'x') + "\ntwo\n");
  EXPECT_EQ(read_some(server), "one\n");
  EXPECT_EQ(read_some(server), "two\n");
  EXPECT_TRUE(eventually([&] { return lost(*sink, LineLoss::too_long) == 1; }));
  ::close(server);
}

TEST_F(Sink, TheEndWaitsOnlyAsLongAsToldAndCountsTheRest) {
  auto sink = socket(false, 1 << 20);
  sink->submit("one\ntwo\n");
  sink->stop();
  EXPECT_EQ(lost(*sink, LineLoss::stopped), 2U);
}

TEST_F(Sink, TheEndCountsWhatWaitsBehindAnOutputThatFails) {
  auto sink = socket(false, 1 << 20);
  sink->submit("one\n");
  ASSERT_TRUE(eventually([&] { return sink->status().error.has_value(); }));
  sink->submit("two\n");  // The writer still holds the first.
  sink->stop();
  EXPECT_EQ(lost(*sink, LineLoss::stopped), 2U);
  EXPECT_EQ(sink->status().waiting_bytes, 0U);
}

TEST_F(Sink, AnOutputThatIsFullTakesNothingFromTheOthers) {
  SinkOptions to_file{FileOutput{path, 0, 0}};
  SinkOptions to_nobody{SocketOutput{folder / "nobody", false}};
  to_nobody.queue_bytes = 8;
  to_nobody.drain = 50ms;
  auto sinks = LineSinks::open({to_nobody, to_file});
  ASSERT_TRUE(sinks) << sinks.error().text();
  for (const char* line : {"one\n", "two\n", "three\n"}) (*sinks)->submit(line);
  (*sinks)->stop();
  const auto status = (*sinks)->status();
  ASSERT_EQ(status.size(), 2U);
  const auto of = [](const SinkStatus& s, LineLoss reason) {
    return s.lost[static_cast<std::size_t>(reason)];
  };
  EXPECT_EQ(status[0].name, (folder / "nobody").string());
  EXPECT_EQ(of(status[0], LineLoss::queue_full), 1U);
  EXPECT_EQ(of(status[0], LineLoss::stopped), 2U);
  EXPECT_EQ(status[0].lines, 0U);
  EXPECT_EQ(status[1].name, path.string());
  EXPECT_EQ(status[1].lines, 3U);
  EXPECT_EQ(status[1].lost_total(), 0U);
  EXPECT_EQ(contents(path), "one\ntwo\nthree\n");
}

TEST_F(Sink, OneThatCanNotBeOpenedOpensNone) {
  SinkOptions good{FileOutput{path, 0, 0}}, bad{FileOutput{folder / "no" / "folder", 0, 0}};
  const auto sinks = LineSinks::open({good, bad});
  ASSERT_FALSE(sinks);
  EXPECT_NE(sinks.error().text().find("no/folder"), std::string::npos) << sinks.error().text();
}

TEST_F(Sink, ManyThreadsLoseNothingUncounted) {
  auto sink = file(/*max_bytes=*/100'000, /*keep=*/1);
  std::vector<std::thread> workers;
  for (int w = 0; w < 4; ++w)
    workers.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) sink->submit("some line\nanother\n");
    });
  for (int i = 0; i < 100; ++i) {
    sink->status();
    sink->reopen();
  }
  for (std::thread& worker : workers) worker.join();
  sink->stop();
  const SinkStatus status = sink->status();
  EXPECT_EQ(status.lines + status.lost_total(), 40'000U);
}

}  // namespace
}  // namespace vmirror
