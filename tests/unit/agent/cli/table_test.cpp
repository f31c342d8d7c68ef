// Tables for people.
#include "agent/cli/table.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace vmirror {
namespace {

namespace json = boost::json;

std::string table(const char* rows, std::span<const Column> columns, TableStyle style = {}) {
  std::ostringstream out;
  print_table(out, json::parse(rows).as_array(), columns, style);
  return out.str();
}

TEST(Table, AlignsTextLeftAndNumbersRight) {
  const Column columns[] = {{"name", "name"}, {"frames", "frames"}, {"state", "state"}};
  EXPECT_EQ(table(R"([{"name":"vnet0@local","frames":7,"state":"active"},
                      {"name":"v1","frames":12345,"state":"pending"}])",
                  columns),
            "name         frames  state\n"
            "vnet0@local       7  active\n"
            "v1            12345  pending\n");
}

TEST(Table, ShowsWhatIsAbsentNestedOrAList) {
  const Column columns[] = {{"ips", "ips"}, {"client.ip", "client"}, {"ratio", "ratio"}};
  EXPECT_EQ(table(R"([{"ips":["10.0.0.1","10.0.0.2"],"client":{"ip":"10.0.0.9"},"ratio":0.98765},
                      {"ips":[],"ratio":null}])",
                  columns),
            "ips                client    ratio\n"
            "10.0.0.1,10.0.0.2  10.0.0.9  0.988\n"
            "-                  -             -\n");
}

TEST(Table, LetsNoNameWriteToTheTerminal) {
  const Column columns[] = {{"name", "name"}};
  EXPECT_EQ(table(R"([{"name":"a\u001b[2Jb\n"}])", columns), "name\na\\x1b[2Jb\\x0a\n");
}

TEST(Table, CountsCharactersNotBytes) {
  const Column columns[] = {{"a", "a"}, {"b", "b"}};
  EXPECT_EQ(table(R"([{"a":"é","b":"x"},{"a":"ab","b":"y"}])", columns), "a   b\né   x\nab  y\n");
}

TEST(Table, ColoursStatesWhenAsked) {
  const Column columns[] = {{"state", "state"}};
  EXPECT_EQ(table(R"([{"state":"active"}])", columns, {.colour = true, .width = 0, .wide = false}),
            "\033[1mstate\033[0m\n\033[32mactive\033[0m\n");
}

TEST(Table, CutsLinesToTheTerminal) {
  const Column columns[] = {{"name", "NAME"}, {"n", "N"}, {"reason", "REASON"}};
  const char* rows = R"([{"name":"vnet0","n":12,"reason":"copies move with é"}])";
  const auto at = [&](std::size_t width) {
    return table(rows, columns, {.colour = false, .width = width, .wide = false});
  };
  EXPECT_EQ(at(0), "NAME    N  REASON\nvnet0  12  copies move with é\n");
  EXPECT_EQ(at(29), at(0));
  EXPECT_EQ(at(28), "NAME    N  REASON\nvnet0  12  copies move with…\n");
  EXPECT_EQ(at(9), "NAME    N\nvnet0  12\n");
  EXPECT_EQ(at(3), "NA…\nvn…\n");
}

TEST(Table, LeavesColumnsOutUntilAReasonHasRoom) {
  const Column columns[] = {{"name", "NAME"},
                            {"policy", "POLICY", false, 2},
                            {"id", "ID", false, 1},
                            {"reason", "REASON"}};
  const char* rows = R"([{"name":"vnet0","policy":"controllers","id":7,
                          "reason":"the switch refuses the mirror: no room for one more"}])";
  const auto at = [&](std::size_t width) {
    const std::string out = table(rows, columns, {.colour = false, .width = width, .wide = false});
    return out.substr(0, out.find('\n'));
  };
  EXPECT_EQ(at(0), "NAME   POLICY       ID  REASON");
  EXPECT_EQ(at(64), "NAME   POLICY       ID  REASON");
  EXPECT_EQ(at(63), "NAME   POLICY       REASON");
  EXPECT_EQ(at(59), "NAME   REASON");
  EXPECT_EQ(at(20), "NAME   REASON");
}

TEST(Table, ShowsSomeColumnsOnlyWhenWide) {
  const Column columns[] = {{"a", "A"}, {"b", "B", true}};
  const char* rows = R"([{"a":"x","b":"y"}])";
  EXPECT_EQ(table(rows, columns), "A\nx\n");
  EXPECT_EQ(table(rows, columns, {.colour = false, .width = 0, .wide = true}), "A  B\nx  y\n");
}

TEST(Table, SaysNoneWhereThereIsNothing) {
  const Column columns[] = {{"a", "a"}};
  EXPECT_EQ(table("[]", columns), "none\n");
}

}  // namespace
}  // namespace vmirror
