// The threads that answer: one that carries requests and answers to and from the sockets, and a few
// on which answers are made. Those may wait: for a worker, for the control thread, for the main
// thread. The main thread waits for none of them.
//
//   client --> [ sockets ] --> [ answers ] --on_main--> [ main ]
//          <--             <--             <-- value --
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>

namespace vmirror {

class AnswerThreads {
 public:
  /// So many answers are made at once; more wait for their turn.
  static constexpr std::size_t kAtOnce = 4;

  /// `main` outlives this; its thread is the one that calls `start` and `stop`.
  explicit AnswerThreads(boost::asio::io_context& main) : main_(main) {}
  ~AnswerThreads() { stop(); }
  AnswerThreads(const AnswerThreads&) = delete;
  AnswerThreads& operator=(const AnswerThreads&) = delete;

  /// Where the servers' sockets live. It runs from `start` on.
  boost::asio::io_context& sockets() { return sockets_; }
  /// Where handlers are called.
  boost::asio::thread_pool::executor_type executor() { return answers_.get_executor(); }
  /// The same for what must not wait behind other answers.
  boost::asio::thread_pool::executor_type urgent() { return urgent_.get_executor(); }

  void start() {
    thread_ = std::thread([this] { sockets_.run(); });
  }
  /// Waits until what is under way is answered; calls of `on_main` that wait give up. To be called
  /// before what the answers are made of ends, once the main thread runs nothing more.
  void stop() {
    ends_ = true;
    sockets_.stop();
    if (thread_.joinable()) thread_.join();
    answers_.join();
    urgent_.join();
  }

  /// Does `work` on one of the answering threads.
  template <typename Work>
  void post(Work work) {
    boost::asio::post(answers_, std::move(work));
  }
  /// Called on an answering thread: does `work` on the main thread and gives what it returns. None:
  /// the daemon ends.
  template <typename Work>
  std::optional<std::invoke_result_t<Work&>> on_main(Work work) {
    auto task =
        std::make_shared<std::packaged_task<std::invoke_result_t<Work&>()>>(std::move(work));
    auto value = task->get_future();
    boost::asio::post(main_, [task] { (*task)(); });
    while (value.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready)
      if (ends_) return std::nullopt;
    return value.get();
  }

 private:
  boost::asio::io_context& main_;
  boost::asio::io_context sockets_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> stays_{
      sockets_.get_executor()};
  boost::asio::thread_pool answers_{kAtOnce}, urgent_{1};
  std::thread thread_;
  std::atomic<bool> ends_ = false;
};

}  // namespace vmirror
