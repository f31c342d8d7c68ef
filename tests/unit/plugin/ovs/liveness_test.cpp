// What the signs of ovs-vswitchd's life come to: each test is a story, told second by second.
#include "plugin/ovs/liveness.hpp"

#include <gtest/gtest.h>

#include "plugin/ovs/schema.hpp"

namespace vmirror::ovs {
namespace {

constexpr Time kStart = 100 * kSecond;

TEST(Liveness, BesideTheDaemonItsSocketTells) {
  Liveness l;
  l.begin(kStart);
  l.answered(kStart);
  EXPECT_EQ(l.silent_since(kStart + kSilence), 0) << "it was not asked since";
  l.not_answered(kStart + kSecond);
  EXPECT_EQ(l.silent_since(kStart + kSilence - 1), 0) << "it may be busy";
  EXPECT_EQ(l.silent_since(kStart + kSilence), kStart);
  EXPECT_FALSE(l.should_ask(kStart + 10 * kQuiet)) << "the socket tells";
  l.answered(kStart + 9 * kSecond);
  EXPECT_EQ(l.silent_since(kStart + 9 * kSecond), 0);
}

TEST(Liveness, ADatabaseAloneIsAskedOnlyWhenItIsQuiet) {
  Liveness l;
  l.begin(kStart);
  l.not_answered(kStart);  // There is no socket.
  l.wrote(kStart + 5 * kSecond);
  EXPECT_FALSE(l.should_ask(kStart + kQuiet));
  const Time asked = kStart + 5 * kSecond + kQuiet;
  EXPECT_TRUE(l.should_ask(asked));
  l.asked(asked);
  EXPECT_FALSE(l.should_ask(asked + kSecond)) << "once is enough";
  EXPECT_EQ(l.silent_since(asked + kAskPatience - 1), 0);
  EXPECT_EQ(l.silent_since(asked + kAskPatience), kStart + 5 * kSecond);
  l.wrote(asked + kAskPatience);
  EXPECT_EQ(l.silent_since(asked + 2 * kAskPatience), 0);
}

TEST(Liveness, ASocketThatCanNotBeReachedAnyMoreIsNoSilence) {
  Liveness l;
  l.begin(kStart);
  l.answered(kStart);
  l.not_answered(kStart + kSecond);
  l.wrote(kStart + kSecond + kMillisecond);  // Written before, seen after.
  EXPECT_NE(l.silent_since(kStart + 5 * kSecond), 0);
  l.wrote(kStart + 6 * kSecond);
  EXPECT_EQ(l.silent_since(kStart + 60 * kSecond), 0);
  EXPECT_TRUE(l.should_ask(kStart + 60 * kSecond)) << "now the database tells";
}

TEST(Liveness, WhatOnlyTheDaemonWritesIsASign) {
  const ovsdb::Uuid id{{1, 2, 3, 4}};
  const struct {
    const char* what;
    std::size_t table, column;
    bool sign;
  } rows[] = {
      {"counters of a port", kInterface, interface::kStatistics, true},
      {"a link", kInterface, interface::kLinkState, true},
      {"counters of a mirror", kMirror, mirror::kStatistics, true},
      {"a change that was carried out", kOpenVswitch, root::kCurCfg, true},
      {"a change that was asked for", kOpenVswitch, root::kNextCfg, false},
      {"a person's wish", kInterface, interface::kOptions, false},
      {"a mirror's name", kMirror, mirror::kName, false},
  };
  const ovsdb::Schema schema = ovs::schema();
  const auto world = [&](std::size_t table, std::size_t column, std::int64_t value) {
    auto row = std::make_shared<ovsdb::Row>();
    row->id = id;
    row->columns.resize(schema.tables[table].columns.size());
    row->columns[column] = ovsdb::Datum(ovsdb::Atom(value));
    ovsdb::Snapshot out;
    for (std::size_t i = 0; i < schema.tables.size(); i++) {
      auto made = std::make_shared<ovsdb::Table>();
      if (i == table) made->put(row);
      out.tables.push_back(std::move(made));
    }
    return out;
  };
  for (const auto& r : rows) {
    const auto before = world(r.table, r.column, 1);
    EXPECT_EQ(daemon_wrote(before, world(r.table, r.column, 2)), r.sign) << r.what;
    EXPECT_FALSE(daemon_wrote(before, world(r.table, r.column, 1))) << r.what;
  }
}

TEST(Liveness, AskingCountsUpAndChangesNothingElse) {
  auto root = std::make_shared<ovsdb::Row>();
  root->id = {{9, 9, 9, 9}};
  auto table = std::make_shared<ovsdb::Table>();
  table->put(root);
  ovsdb::Snapshot db;
  db.tables.push_back(table);
  const auto transaction = ask_for_sign(db);
  ASSERT_EQ(transaction.size(), 1U);
  const auto* count = std::get_if<ovsdb::Increment>(&transaction[0]);
  ASSERT_NE(count, nullptr);
  EXPECT_EQ(count->column, root::kNextCfg);
  EXPECT_TRUE(count->always);
}

}  // namespace
}  // namespace vmirror::ovs
