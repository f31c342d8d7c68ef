#include "agent/engine/dissect/ot/genisys.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Genisys, Tells) {
  expect_tells(kGenisys, "genisys",
               {
                   {"poll", "genisys {header: \"poll\", direction: \"request\", server: 1}\n"},
                   {"nothing new",
                    "genisys {header: \"acknowledge_client\", direction: \"response\", server: 1}\n"
                    "fact 10.0.0.2 service = \"genisys\" (genisys.header, implied)\n"},
                   {"recall", "genisys {header: \"recall\", direction: \"request\", server: 1}\n"},
                   {"indications",
                    "genisys {header: \"indication_data\", direction: \"response\", server: 1, "
                    "words: 3}\n"
                    "fact 10.0.0.2 service = \"genisys\" (genisys.header, implied)\n"},
                   {"control",
                    "genisys {header: \"control_data\", direction: \"request\", server: 1, words: "
                    "1}\n"
                    "act 10.0.0.1 write 10.0.0.2 (genisys.header)\n"},
                   {"checkback",
                    "genisys {header: \"control_data_checkback\", direction: \"response\", server: "
                    "1, words: 1}\n"
                    "fact 10.0.0.2 service = \"genisys\" (genisys.header, implied)\n"},
                   {"execute",
                    "genisys {header: \"execute_controls\", direction: \"request\", server: 1}\n"
                    "act 10.0.0.1 write 10.0.0.2 (genisys.header)\n"},
                   {"acknowledge and poll",
                    "genisys {header: \"acknowledge_and_poll\", direction: \"request\", server: "
                    "1}\n"},
                   {"common control",
                    "genisys {header: \"common_control_data\", direction: \"request\", server: 0, "
                    "words: 1}\n"
                    "act 10.0.0.1 write 10.0.0.2 (genisys.header)\n"},
               });
}

TEST(Genisys, Malformed) {
  expect_malformed(kGenisys, {
                                 {"", "truncated"},
                                 {"fb 01 83 40", "truncated"},
                                 {"f4 01 83 40 f6", "bad_value"},
                                 {"fb f6", "bad_length"},
                                 {"fb 01 83 f6", "bad_length"},
                                 {"fb 01 83 40 f6 f6", "bad_length"},
                             });
}

TEST(Genisys, AWrongChecksumIsTold) {
  EXPECT_EQ(told(kGenisys, hex("fb02c241f6"), context_of()),
            "genisys {header: \"poll\", direction: \"request\", server: 2, checksum: \"wrong\"}\n");
}

TEST(Genisys, CutAtEveryByte) {
  expect_no_cut_passes(kGenisys, "genisys");
}

}  // namespace
}  // namespace vmirror
