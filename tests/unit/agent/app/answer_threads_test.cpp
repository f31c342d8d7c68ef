// Answers are made beside the main thread, of values that it gives.
#include "agent/app/answer_threads.hpp"

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace vmirror {
namespace {

namespace asio = boost::asio;

TEST(AnswerThreads, TheMainThreadGivesValuesAndIsNotWaitedForOnceItEnds) {
  asio::io_context main;
  AnswerThreads answering(main);
  answering.start();
  std::promise<std::optional<std::thread::id>> gave;
  answering.post(
      [&] { gave.set_value(answering.on_main([] { return std::this_thread::get_id(); })); });
  auto value = gave.get_future();
  while (value.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    main.restart();
    main.run_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(value.get(), std::this_thread::get_id());

  // The main thread runs nothing more: who waits for it gives up.
  std::optional<int> late = 1;
  std::promise<void> begun;
  answering.post([&] {
    begun.set_value();
    late = answering.on_main([] { return 2; });
  });
  begun.get_future().wait();
  answering.stop();
  EXPECT_EQ(late, std::nullopt);
}

TEST(AnswerThreads, OneThatWaitsHoldsUpNoOther) {
  asio::io_context main;
  AnswerThreads answering(main);
  std::promise<void> over, quick;
  answering.post([is_over = over.get_future().share()] { is_over.wait(); });
  answering.post([&] { quick.set_value(); });
  quick.get_future().wait();
  over.set_value();
}

}  // namespace
}  // namespace vmirror
