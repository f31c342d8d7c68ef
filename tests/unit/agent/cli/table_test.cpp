// Tables for people.
#include "agent/cli/table.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace vmirror {
namespace {

namespace json = boost::json;

std::string table(const char* rows, std::span<const Column> columns, bool colour = false) {
  std::ostringstream out;
  print_table(out, json::parse(rows).as_array(), columns, colour);
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
  EXPECT_EQ(table(R"([{"name":"a\u001b[2Jb\n"}])", columns), "name\na?[2Jb?\n");
}

TEST(Table, CountsCharactersNotBytes) {
  const Column columns[] = {{"a", "a"}, {"b", "b"}};
  EXPECT_EQ(table(R"([{"a":"é","b":"x"},{"a":"ab","b":"y"}])", columns), "a   b\né   x\nab  y\n");
}

TEST(Table, ColoursStatesWhenAsked) {
  const Column columns[] = {{"state", "state"}};
  EXPECT_EQ(table(R"([{"state":"active"}])", columns, true),
            "\033[1mstate\033[0m\n\033[32mactive\033[0m\n");
}

TEST(Table, SaysNoneWhereThereIsNothing) {
  const Column columns[] = {{"a", "a"}};
  EXPECT_EQ(table("[]", columns), "none\n");
}

}  // namespace
}  // namespace vmirror
