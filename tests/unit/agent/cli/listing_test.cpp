// Which rows a listing shows, and in which order.
#include "agent/cli/listing.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

namespace json = boost::json;

const char* const kRows = R"([
  {"name": "vnet0@local", "state": "active", "frames": 9, "client": {"ip": "10.0.0.1"}},
  {"name": "vnet1@local", "state": "ready", "frames": 100, "client": {"ip": "10.0.0.2"}},
  {"name": "vnet2@local", "state": "active", "frames": 10, "client": {"ip": "10.0.1.3"}}])";

std::string chosen(ListingOptions options) {
  constexpr Column kColumns[] = {{"name", "NAME"}, {"vendor", "VENDOR"}};
  const auto rows = chosen_rows(json::parse(kRows).as_array(), kColumns, options);
  if (!rows) return rows.error().text();
  std::string out;
  for (const json::value& row : *rows) out += std::string(row.at("name").as_string()).substr(4, 1);
  return out;
}

TEST(Listing, TakesTheRowsThatAllFiltersTake) {
  struct Case {
    std::vector<std::string> filters;
    const char* rows;
  };
  for (const Case& c : {
           Case{{}, "012"},
           Case{{"state=active"}, "02"},
           Case{{"state!=active"}, "1"},
           Case{{"state=act*", "client.ip=10.0.0.*"}, "0"},
           Case{{"frames=10"}, "2"},
           Case{{"vnet1"}, "1"},
           Case{{"nothing"}, ""},
           Case{{"vendor=Siemens*"}, ""},  // A column that no row has a value for.
           Case{{"vendor!=Siemens*"}, "012"},
           Case{{"vendr=Siemens*"}, "no row has the key `vendr` (did you mean `vendor`?)"},
           Case{{"stat=active"}, "no row has the key `stat` (did you mean `state`?)"},
       }) {
    ListingOptions options;
    options.filters = c.filters;
    EXPECT_EQ(chosen(options), c.rows);
  }
}

TEST(Listing, SortsNumbersAsNumbersAndKeepsNoMoreThanTheLimit) {
  struct Case {
    const char* sort;
    std::size_t limit;
    const char* rows;
  };
  for (const Case& c :
       {Case{"frames", 0, "021"}, Case{"-frames", 0, "120"}, Case{"-frames", 2, "12"},
        Case{"state", 0, "021"}, Case{"client.ip", 1, "0"}, Case{"", 2, "01"},
        Case{"fames", 0, "no row has the key `fames` (did you mean `frames`?)"}}) {
    ListingOptions options;
    options.sort = c.sort;
    options.limit = c.limit;
    EXPECT_EQ(chosen(options), c.rows) << c.sort;
  }
}

}  // namespace
}  // namespace vmirror
