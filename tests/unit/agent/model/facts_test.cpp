#include "agent/model/facts.hpp"

#include <gtest/gtest.h>

#include "tests/support/facts_text.hpp"

namespace vmirror {
namespace {

using test::facts_text;

TEST(Facts, RecordsAndFactsAsTheyAreTold) {
  Facts facts;
  facts.record("dns");
  facts.add("id", 7u);
  facts.open_array("answers");
  facts.open_object("");
  facts.add("rdata", "a\xff\"");
  facts.close();
  facts.add("", -1);
  facts.close();
  facts.record("arp");
  facts.learn({*Mac::parse("52:54:00:00:00:01"), {}}, Attribute::router, true, "arp.x");
  EXPECT_EQ(facts_text(facts),
            "dns {id: 7, answers: [{rdata: \"a\\xff\\\"\"}, -1]}\n"
            "arp {}\n"
            "fact 52:54:00:00:00:01 router = true (arp.x)\n");
  facts.clear();
  EXPECT_TRUE(facts.empty());
  const struct {
    Facts::Part part;
    std::size_t most;
  } table[] = {{Facts::Part::fields, 7},
               {Facts::Part::records, 2},
               {Facts::Part::facts, 1},
               {Facts::Part::bytes, 0}};
  for (const auto& row : table) {
    EXPECT_EQ(facts.most(row.part), row.most) << static_cast<int>(row.part);
    EXPECT_EQ(facts.overflowed(row.part), 0u) << static_cast<int>(row.part);
  }
}

TEST(Facts, ARecordClosesWhatTheLastLeftOpen) {
  Facts facts;
  facts.add("outside", 1u);  // of no record
  EXPECT_EQ(facts.overflowed(Facts::Part::fields), 1u);
  facts.record("a");
  facts.open_object("x");
  facts.open_array("y");
  facts.record("b");
  facts.close();  // closes nothing
  EXPECT_EQ(facts_text(facts), "a {x: {y: []}}\nb {}\n");
}

TEST(Facts, WithoutRoomARecordIsShorterButWellNested) {
  Facts facts;
  facts.record("a");
  facts.open_array("list");
  for (int i = 0; i < 5000; ++i) {
    facts.open_object("");
    facts.add("i", i);
    facts.close();
  }
  facts.close();
  EXPECT_GT(facts.overflowed(Facts::Part::fields), 0u);
  EXPECT_EQ(facts.overflowed(Facts::Part::records), 0u);
  int depth = 0;
  for (const Field& field : facts.fields(facts.records()[0])) {
    if (field.shape == Field::Shape::close)
      --depth;
    else if (field.shape != Field::Shape::leaf)
      ++depth;
    ASSERT_GE(depth, 0);
  }
  EXPECT_EQ(depth, 0);
  EXPECT_LE(facts.fields(facts.records()[0]).size(), Facts::kMaxFields);
}

TEST(Facts, ARecordThatFindsNoRoomLeavesTheOneBeforeAlone) {
  Facts facts;
  for (std::size_t i = 0; i < Facts::kMaxRecords; ++i) facts.record("a");
  facts.record("b");
  facts.open_object("x");
  facts.add("y", 1u);
  facts.close();
  EXPECT_EQ(facts.records().size(), Facts::kMaxRecords);
  EXPECT_EQ(facts.fields(facts.records().back()).size(), 0u);
}

TEST(Facts, KeptTextIsShortenedWhenTheArenaIsFull) {
  Facts facts;
  const std::string text(40'000, 'x');
  EXPECT_EQ(facts.keep(text).size(), text.size());
  EXPECT_EQ(facts.keep(text).size(), Facts::kKeepBytes - text.size());
  facts.clear();
  EXPECT_EQ(facts.keep(text).size(), text.size());
}

}  // namespace
}  // namespace vmirror
