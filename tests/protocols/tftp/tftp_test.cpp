#include "agent/engine/dissect/it/tftp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Tftp, Tells) {
  expect_tells(
      kTftp, "tftp",
      {
          {"read",
           "tftp {packet: \"read\", file: \"startup-config\", mode: \"octet\"}\n"
           "act 10.0.0.1 read 10.0.0.2 (tftp.packet)\n"},
          {"write",
           "tftp {packet: \"write\", file: \"firmware.bin\", mode: \"OCTET\", blksize: 1428, "
           "tsize: 1048576}\n"
           "act 10.0.0.1 write 10.0.0.2 (tftp.packet)\n"},
          {"options", "tftp {packet: \"oack\", blksize: 1428}\n"},
          {"data", ""},
          {"ack", ""},
          {"error", "tftp {packet: \"error\", error_code: 1, message: \"File not found\"}\n"},
      });
}

TEST(Tftp, Malformed) {
  expect_malformed(kTftp, {
                              {"00", "truncated"},
                              {"0007", "bad_value"},
                              {"0001 61", "truncated"},
                              {"0001 6100 6263 00", "bad_value"},
                              {"0003 00", "truncated"},
                              {"0005 0001 61", "truncated"},
                          });
}

TEST(Tftp, TheServersOtherPortIsExpected) {
  Dissection dissection(all_dissectors());
  Facts facts;
  const auto give = [&](bool up, std::uint16_t client, std::uint16_t server, const char* what) {
    Context context = context_of(up);
    context.engine = &dissection;
    context.source_port = up ? client : server;
    context.destination_port = up ? server : client;
    DissectorId id = all_dissectors().for_datagram(context.source_port, context.destination_port);
    dissection.datagram(id, payload("tftp", what), context, facts);
    const char* name = all_dissectors().name(id);
    facts.clear();
    dissection.settle();
    return std::string(name ? name : "none");
  };
  EXPECT_EQ(give(false, 40000, 50000, "data"), "none");
  EXPECT_EQ(give(true, 40000, 69, "read"), "tftp");
  EXPECT_EQ(give(false, 40000, 50000, "data"), "tftp");
  EXPECT_EQ(give(false, 40001, 50000, "data"), "none");
}

TEST(Tftp, CutAtEveryByte) {
  expect_no_cut_passes(kTftp, "tftp", [](const Payload& each, std::size_t size) {
    // Behind file and mode, behind a block's number, and anywhere in options a message may end.
    if (each.what == "write") return size >= 21;
    return each.what == "data" ? size >= 4 : each.what == "options" && size >= 2;
  });
}

}  // namespace
}  // namespace vmirror
