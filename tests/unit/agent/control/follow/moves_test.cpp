#include "agent/control/follow/moves.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

Location at(const char* port, const char* host, const char* uuid = "u1") {
  Location out;
  out.switch_name = "dvs";
  out.port = port;
  out.host = host;
  out.vm_uuid = uuid;
  out.vm_name = "web";
  return out;
}

TEST(Moves, AreThoseOfWholeGuestsFromOneHostToAnother) {
  const struct {
    const char* name;
    std::vector<RoundChanges::OfPort> ports;
    std::vector<std::string> moves;
  } kCases[] = {
      {"one port of a switch of many hosts", {{at("1", "a"), at("1", "b")}}, {"u1 web a>b"}},
      {"two ports are one move",
       {{at("1", "a"), at("1", "b")}, {at("2", "a"), at("2", "b")}},
       {"u1 web a>b"}},
      {"switches of one host each", {{at("1", "a"), {}}, {{}, at("9", "b")}}, {"u1 web a>b"}},
      {"two guests",
       {{at("1", "a"), at("1", "b")}, {at("2", "b", "u2"), at("2", "a", "u2")}},
       {"u1 web a>b", "u2 web b>a"}},
      {"it came", {{{}, at("1", "b")}}, {}},
      {"it went", {{at("1", "a"), {}}}, {}},
      {"it is another otherwise", {{at("1", "a"), at("1", "a")}}, {}},
      {"half of it moved", {{at("1", "a"), at("1", "b")}, {at("2", "a"), at("2", "a")}}, {}},
      {"nobody told whose it is", {{at("1", "a", ""), at("1", "b", "")}}, {}},
  };
  for (const auto& c : kCases) {
    RoundChanges changes;
    changes.ports = c.ports;
    std::vector<std::string> moves;
    for (const SeenMove& move : moves_of(changes)) {
      moves.push_back(move.vm_uuid + " " + move.vm_name + " " + move.from + ">" + move.to);
      EXPECT_FALSE(move.notes.empty()) << c.name;
    }
    EXPECT_EQ(moves, c.moves) << c.name;
  }
}

}  // namespace
}  // namespace vmirror
