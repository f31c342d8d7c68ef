// A migration's record as JSON: what goes out comes back, what is for people is right, and what is
// wrong is refused by name.
#include "agent/control/affinity/record_json.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

namespace json = boost::json;

constexpr Time kStart = 1800000000 * kSecond;

MigrationRecord sample() {
  MigrationRecord r;
  r.id = "aaaaaaaa-0000-4000-8000-000000000011@1800000000";
  r.vm_name = "dc1";
  r.vm_uuid = "aaaaaaaa-0000-4000-8000-000000000011";
  r.state = MigrationState::done;
  r.source.host = "hosta";
  r.source.mirrored = true;
  r.source.suspended = kStart + 500 * kMillisecond;
  r.source.last_frame = kStart + 499 * kMillisecond;
  r.source.mirror_removed = kStart + 900 * kMillisecond;
  r.source.port_frames = 120;
  r.source.copied_frames = 120;
  r.source.duplicates = 2;
  r.source.notes = {"a note"};
  r.destination.host = "hostb";
  r.destination.mirrored = true;
  r.destination.port_added = kStart;
  r.destination.mirror_active = kStart + 4 * kMillisecond;
  r.destination.resumed = kStart + 540 * kMillisecond;
  r.destination.first_frame = kStart + 541 * kMillisecond;
  r.destination.port_frames = 30;
  r.destination.copied_frames = 29;
  r.clock_offset = 0;
  r.handover = {HandoverResult::State::taken, 3, 1, 1, 812, ""};
  return r;
}

TEST(RecordJson, ComesBackAsItWent) {
  for (const MigrationRecord& record : {sample(), [] {
                                          MigrationRecord sparse;
                                          sparse.id = "u@1";
                                          sparse.vm_uuid = "u";
                                          return sparse;
                                        }()}) {
    const auto back = record_from_json(json::serialize(to_json(record)));
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(*back, record);
  }
}

TEST(RecordJson, TellsPeopleWhatTheHalvesMean) {
  const json::object o = to_json(sample());
  EXPECT_EQ(o.at("vm"), "dc1");
  EXPECT_EQ(o.at("from"), "hosta");
  EXPECT_EQ(o.at("to"), "hostb");
  EXPECT_EQ(o.at("started"), json::value(format_time(kStart)));
  EXPECT_EQ(o.at("gap_frames"), 1);
  EXPECT_EQ(o.at("gap_ms"), 0.0);
  EXPECT_EQ(o.at("downtime_ms"), 40.0);
  EXPECT_EQ(o.at("duplicates"), 2);
  EXPECT_EQ(o.at("notes"), json::array({"a note"}));
}

TEST(RecordJson, WhatIsNotKnownIsNull) {
  MigrationRecord half = sample();
  half.source = {};
  const json::object o = to_json(half);
  for (const char* key : {"suspended", "last_frame", "gap_frames", "gap_ms", "downtime_ms"})
    EXPECT_TRUE(o.at(key).is_null()) << key;
}

TEST(RecordJson, RefusesWhatItIsNot) {
  const auto with = [](const char* key, json::value value) {
    json::object o = to_json(sample());
    o[key] = std::move(value);
    return json::serialize(o);
  };
  struct Case {
    const char* what;
    std::string text;
    Error::Kind kind;
  };
  for (const Case& c : {
           Case{"nothing", "", Error::Kind::invalid},
           Case{"no object", "[1]", Error::Kind::invalid},
           Case{"no id", with("id", nullptr), Error::Kind::invalid},
           Case{"unknown state", with("state", "fine"), Error::Kind::invalid},
           Case{"a half that is a text", with("source", "x"), Error::Kind::invalid},
           Case{"a time that is a text", with("source", json::object{{"suspended", "now"}}),
                Error::Kind::invalid},
           Case{"a fraction of a nanosecond", with("source", json::object{{"suspended", 0.5}}),
                Error::Kind::invalid},
           Case{"less than no frames", with("source", json::object{{"port_frames", -1}}),
                Error::Kind::invalid},
           Case{"a name without end", with("vm_name", json::string(1000, 'x')),
                Error::Kind::exhausted},
           Case{"too much", std::string(kMaxRecordJson + 1, ' '), Error::Kind::exhausted},
           Case{"too deep", std::string(100, '['), Error::Kind::invalid},
       }) {
    const auto got = record_from_json(c.text);
    ASSERT_FALSE(got) << c.what;
    EXPECT_EQ(got.error().kind, c.kind) << c.what << ": " << got.error().text();
  }
}

TEST(RecordJson, NotesPastTheBoundAreNotRead) {
  MigrationRecord record = sample();
  record.source.notes.assign(40, "one more");
  const auto back = record_from_json(json::serialize(to_json(record)));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->source.notes.size(), kMaxRecordNotes);
}

}  // namespace
}  // namespace vmirror
