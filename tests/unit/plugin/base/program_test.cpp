// The outermost catch: whatever nothing handles ends a program with a message and an exit code.
#include "plugin/base/program.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace vmirror {
namespace {

TEST(Program, GivesTheExitCodeOfItsBody) {
  EXPECT_EXIT(std::exit(run_program("vmirror", [] { return 3; })), testing::ExitedWithCode(3), "");
}

TEST(Program, AnExceptionOfTheBodyIsAMessageAndACode) {
  const auto fails = [](auto what) {
    return std::exit(run_program("vmirror", [&]() -> int { throw what; }));
  };
  EXPECT_EXIT(fails(std::runtime_error("out of luck")), testing::ExitedWithCode(kExitFault),
              "vmirror: ended by a fault of its own: out of luck");
  EXPECT_EXIT(fails(std::bad_alloc()), testing::ExitedWithCode(kExitFault), "bad_alloc");
  EXPECT_EXIT(fails(7), testing::ExitedWithCode(kExitFault), "an unknown type");
}

TEST(Program, AnExceptionOfAThreadIsTheSame) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(run_program("vmirror",
                          [] {
                            std::thread([] { throw std::runtime_error("in a thread"); }).join();
                            return 0;
                          }),
              testing::ExitedWithCode(kExitFault), "in a thread");
}

}  // namespace
}  // namespace vmirror
