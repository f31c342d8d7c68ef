#include <gtest/gtest.h>

#include "agent/engine/dissect/ot/presence.hpp"
#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Codesys, Tells) {
  expect_tells(kCodesysUdp, "codesys",
               {
                   {"datagram", ""},
                   {"answer", "fact 10.0.0.2 service = \"codesys\" (codesys.magic, implied)\n"},
               });
}

TEST(Codesys, TellsOverTcp) {
  expect_tells(kCodesys, "codesys/tcp",
               {
                   {"request", ""},
                   {"answer", "fact 10.0.0.2 service = \"codesys\" (codesys.magic, implied)\n"},
               });
}

TEST(Codesys, Malformed) {
  expect_malformed(kCodesysUdp, {
                                    {"c56b", "truncated"},
                                    {"c66b400300100aff000000000000", "bad_value"},
                                });
}

TEST(Codesys, MalformedOverTcp) {
  expect_malformed(kCodesys, {{"00", "truncated"}, {"000117e9 08000000", "bad_value"}});
}

TEST(Codesys, CutAtEveryByte) {
  expect_no_cut_passes(kCodesysUdp, "codesys", [](const Payload&, std::size_t size) {
    return size >= 12;  // A datagram has no length.
  });
}

}  // namespace
}  // namespace vmirror
