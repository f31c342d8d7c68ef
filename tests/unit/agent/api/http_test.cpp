// The control socket's HTTP: a real server and a real client in one process.
#include "agent/api/http.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

namespace vmirror {
namespace {

namespace asio = boost::asio;

/// An io_context on a thread of its own, and a folder for sockets.
class Http : public testing::Test {
 protected:
  /// Runs `f` on the server's thread and returns what it returns.
  template <typename F>
  auto on_io(F f) -> decltype(f()) {
    std::packaged_task<decltype(f())()> task(std::move(f));
    auto result = task.get_future();
    asio::post(io_, [&task] { task(); });
    return result.get();
  }
  Http() : work_(asio::make_work_guard(io_)), thread_([this] { io_.run(); }) {
    char name[] = "/tmp/vmirror-http-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~Http() override {
    on_io([this] { server_.reset(); });
    work_.reset();
    io_.stop();
    thread_.join();
    std::filesystem::remove_all(folder_);
  }
  std::string path() const { return folder_ + "/control"; }
  Error listen(HttpLimits limits = {}) {
    auto server = on_io([&] {
      return HttpServer::on_unix_socket(
          io_, io_.get_executor(), path(),
          [](const HttpRequest& request) {
            return HttpResponse{200, "text/plain",
                                request.method + " " + request.target + " " + request.body};
          },
          limits);
    });
    if (!server) return server.error();
    server_ = std::move(*server);
    return {};
  }

  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::string folder_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

TEST_F(Http, AnswersOnAUnixSocketThatOnlyTheOwnerMayUse) {
  ASSERT_EQ(listen().what, "");
  struct stat status {};
  ASSERT_EQ(stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const auto answer = http_call(path(), {"PUT", "/v1/policies/a?b=c", "text"});
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->content_type, "text/plain");
  EXPECT_EQ(answer->body, "PUT /v1/policies/a?b=c text");
}

TEST_F(Http, SaysWhereNoDaemonAnswers) {
  const auto answer = http_call(path(), {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, Error::Kind::unreachable);
  EXPECT_EQ(answer.error().where, path());
}

TEST_F(Http, RefusesARequestThatIsTooLarge) {
  HttpLimits limits;
  limits.body_bytes = 10;
  ASSERT_EQ(listen(limits).what, "");
  const auto answer = http_call(path(), {"PUT", "/", std::string(11, 'x')});
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(answer->status, 413);
}

TEST_F(Http, ReplacesASocketThatACrashLeftBehindButNoLivingOne) {
  {
    asio::io_context gone;
    asio::local::stream_protocol::acceptor left(gone, path());
  }
  ASSERT_TRUE(std::filesystem::exists(path()));
  ASSERT_EQ(listen().what, "");
  const auto second = on_io([&] {
    return HttpServer::on_unix_socket(io_, io_.get_executor(), path(),
                                      [](const HttpRequest&) { return HttpResponse{}; });
  });
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, Error::Kind::refused);
  EXPECT_TRUE(http_call(path(), {})) << "the first still answers";
}

TEST_F(Http, AnAnswerThatTakesLongDelaysNoOther) {
  asio::thread_pool answers(2);
  std::promise<void> over;
  auto server = on_io([&] {
    return HttpServer::on_unix_socket(
        io_, answers.get_executor(), path(),
        [is_over = over.get_future().share()](const HttpRequest& request) {
          if (request.target == "/slow") is_over.wait();
          return HttpResponse{200, "text/plain", request.target};
        });
  });
  ASSERT_TRUE(server) << server.error().text();
  server_ = std::move(*server);
  std::string slow;
  std::thread waits([&] {
    if (const auto answer = http_call(path(), {"GET", "/slow", ""})) slow = answer->body;
  });
  for (int times = 0; times < 3; ++times) {
    const auto answer = http_call(path(), {"GET", "/quick", ""});
    ASSERT_TRUE(answer) << answer.error().text();
    EXPECT_EQ(answer->body, "/quick");
  }
  EXPECT_EQ(slow, "");
  over.set_value();
  waits.join();
  EXPECT_EQ(slow, "/slow");
  answers.join();
}

/// A path that was mistaken for a socket's.
TEST_F(Http, RemovesNothingButSockets) {
  const std::string file = folder_ + "/file", link = folder_ + "/link";
  std::ofstream(file) << "honest";
  std::filesystem::create_symlink(file, link);
  for (const std::string& path : {file, link}) {
    const auto server = on_io([&] {
      return HttpServer::on_unix_socket(io_, io_.get_executor(), path,
                                        [](const HttpRequest&) { return HttpResponse{}; });
    });
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().text(),
              path + ": what is there is no socket, and stays (remove it, or choose another path)");
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::symlink_status(path)));
  }
  EXPECT_EQ(std::filesystem::file_size(file), 6U);
}

/// The control socket after somebody cleaned /run.
TEST_F(Http, ListensAgainWhenItsPathWasTakenAway) {
  std::filesystem::create_directory(folder_ + "/run");
  const std::string in_run = folder_ + "/run/control";
  auto server = on_io([&] {
    return HttpServer::on_unix_socket(io_, io_.get_executor(), in_run,
                                      [](const HttpRequest&) { return HttpResponse{}; });
  });
  ASSERT_TRUE(server) << server.error().text();
  server_ = std::move(*server);
  const auto answers = [&] {
    for (int i = 0; i < 500; ++i) {
      if (http_call(in_run, {})) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  };
  const auto news = [this] { return on_io([this] { return server_->take_news(); }); };
  ASSERT_TRUE(answers());
  EXPECT_FALSE(news());
  std::filesystem::remove(in_run);
  EXPECT_TRUE(answers()) << "the path was removed";
  EXPECT_EQ(news(), in_run + ": was taken away; listens there again");
  EXPECT_FALSE(news()) << "once";
  struct stat status {};
  ASSERT_EQ(stat(in_run.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  std::filesystem::remove_all(folder_ + "/run");
  EXPECT_TRUE(answers()) << "its folder was removed";
}

TEST_F(Http, LeavesASocketThatIsAnothersByNow) {
  ASSERT_EQ(listen().what, "");
  asio::io_context other;
  const asio::local::stream_protocol::acceptor theirs(other, folder_ + "/theirs");
  std::filesystem::rename(folder_ + "/theirs", path());
  std::optional<std::string> news;
  for (int i = 0; i < 500 && !news; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    news = on_io([this] { return server_->take_news(); });
  }
  ASSERT_TRUE(news);
  EXPECT_NE(news->find("another process listens"), std::string::npos) << *news;
  on_io([this] { server_.reset(); });
  EXPECT_TRUE(std::filesystem::exists(path())) << "theirs";
}

/// Where nothing is accepted any more, even to connect would be to wait.
TEST_F(Http, DoesNotWaitForOneThatListensAndHangs) {
  asio::io_context other;
  asio::local::stream_protocol::acceptor hangs(other);
  hangs.open();
  hangs.bind(path());
  hangs.listen(0);
  std::vector<int> waiting;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  path().copy(to.sun_path, sizeof to.sun_path - 1);
  for (bool full = false; !full;) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    full = ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0;
    EXPECT_TRUE(!full || errno == EAGAIN);
    waiting.push_back(fd);
  }
  auto refused = std::async(std::launch::async, [this] { return listen(); });
  EXPECT_EQ(refused.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  hangs.close();  // Who waits is woken.
  EXPECT_EQ(refused.get().kind, Error::Kind::refused);
  for (const int fd : waiting) ::close(fd);
}

TEST(HttpListener, WaitsWhereNoDescriptorIsFree) {
  char name[] = "/tmp/vmirror-http-XXXXXX";
  const std::string folder = mkdtemp(name), path = folder + "/control";
  asio::io_context io, other;
  auto server = HttpServer::on_unix_socket(io, io.get_executor(), path,
                                           [](const HttpRequest&) { return HttpResponse{}; });
  ASSERT_TRUE(server) << server.error().text();
  asio::local::stream_protocol::socket peer(other);
  peer.connect(asio::local::stream_protocol::endpoint(path));
  asio::write(peer, asio::buffer(std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n")));
  const int lowest_free = ::dup(0);
  ::close(lowest_free);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const rlimit none{static_cast<rlim_t>(lowest_free), old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const std::size_t turns = io.run_for(std::chrono::milliseconds(300));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_GT(turns, 0U) << "it tried";
  EXPECT_LT(turns, 20U);
  for (int i = 0; i < 100 && peer.available() == 0; ++i)
    io.run_one_for(std::chrono::milliseconds(100));
  EXPECT_GT(peer.available(), 0U) << "answered once there was one";
  server->reset();
  std::filesystem::remove_all(folder);
}

TEST_F(Http, ClosesWhatIsOpenWhenItGoes) {
  ASSERT_EQ(listen().what, "");
  asio::io_context other;
  asio::local::stream_protocol::socket idle(other);
  idle.connect(asio::local::stream_protocol::endpoint(path()));
  ASSERT_TRUE(http_call(path(), {}));
  on_io([this] { server_.reset(); });
  char byte;
  boost::system::error_code error;
  idle.read_some(asio::buffer(&byte, 1), error);
  EXPECT_TRUE(error) << "the idle connection was closed";
  EXPECT_FALSE(std::filesystem::exists(path()));
  EXPECT_FALSE(http_call(path(), {}));
}

/// A connection of this process that only is there.
class Idle {
 public:
  explicit Idle(const std::string& path) { socket_.connect(path); }
  void ask(const std::string& target) {
    asio::write(socket_, asio::buffer("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n"));
  }
  /// Waits for its end.
  bool is_closed() {
    char byte = 0;
    boost::system::error_code error;
    socket_.read_some(asio::buffer(&byte, 1), error);
    return error == asio::error::eof || error == asio::error::connection_reset;
  }

 private:
  asio::io_context io_;
  asio::local::stream_protocol::socket socket_{io_};
};

TEST_F(Http, AnIdleConnectionGivesWayToANewOneOfItsClient) {
  HttpLimits limits;
  limits.connections_each = 2;
  ASSERT_EQ(listen(limits).what, "");
  Idle first(path()), second(path()), third(path());
  EXPECT_TRUE(first.is_closed());
  for (int i = 0; i < 3; ++i) {
    const auto answer = http_call(path(), {});
    ASSERT_TRUE(answer) << answer.error().text();
    EXPECT_EQ(answer->status, 200);
  }
  EXPECT_TRUE(second.is_closed());
}

TEST_F(Http, WhatIsUrgentWaitsForNoOther) {
  std::promise<void> release;
  asio::thread_pool answers(1), urgent(1);
  HttpLimits limits;
  limits.connections = 4;
  limits.connections_each = 4;
  const auto held = release.get_future().share();
  auto server = on_io([&] {
    return HttpServer::on_unix_socket(
        io_, answers.get_executor(), path(),
        [held](const HttpRequest& request) {
          if (request.target == "/slow") held.wait();
          return HttpResponse{200, "text/plain", request.target};
        },
        limits, {[](const HttpRequest& r) { return r.target == "/hook"; }, urgent.get_executor()});
  });
  ASSERT_TRUE(server) << server.error().text();
  server_ = std::move(*server);
  std::deque<Idle> slow;
  for (int i = 0; i < 4; ++i) slow.emplace_back(path()).ask("/slow");
  // Once all four are being answered, one more is refused, and what is urgent is answered.
  int status = 0;
  for (int i = 0; i < 500 && status != 503; ++i)
    if (const auto other = http_call(path(), {"GET", "/fast", ""}, std::chrono::milliseconds(500)))
      status = other->status;
  EXPECT_EQ(status, 503);
  const auto answer = http_call(path(), {"GET", "/hook", ""});
  release.set_value();
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(answer->body, "/hook");
  answers.join();
  urgent.join();
}

TEST_F(Http, ListensOnLoopbackOnly) {
  const auto wide = on_io([&] {
    return HttpServer::on_loopback(io_, io_.get_executor(), "192.0.2.1", 0,
                                   [](const HttpRequest&) { return HttpResponse{}; });
  });
  ASSERT_FALSE(wide);
  EXPECT_EQ(wide.error().kind, Error::Kind::invalid);
  auto server = on_io([&] {
    return HttpServer::on_loopback(io_, io_.get_executor(), "127.0.0.1", 0,
                                   [](const HttpRequest&) { return HttpResponse{}; });
  });
  ASSERT_TRUE(server) << server.error().text();
  server_ = std::move(*server);
  asio::io_context other;
  asio::ip::tcp::socket peer(other);
  peer.connect({asio::ip::make_address("127.0.0.1"), server_->port()});
  asio::write(peer, asio::buffer(std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n")));
  char bytes[12];
  asio::read(peer, asio::buffer(bytes));
  EXPECT_EQ(std::string_view(bytes, 12), "HTTP/1.1 200");
}

}  // namespace
}  // namespace vmirror
