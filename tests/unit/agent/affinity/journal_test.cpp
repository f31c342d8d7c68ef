// What a journal tells after a crash, and that it stays small.
#include "agent/affinity/journal.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace vmirror {
namespace {

namespace fs = std::filesystem;

MigrationRecord record(const std::string& id, MigrationState state = MigrationState::running) {
  MigrationRecord r;
  r.id = id;
  r.vm_uuid = "u";
  r.vm_name = "dc1";
  r.state = state;
  r.source.host = "hosta";
  r.source.notes = {"a note"};
  return r;
}

std::string line(Time at, const MigrationRecord& r, const std::string& replaces = "") {
  return encode_journal_line(at, &r, replaces);
}

TEST(Journal, TheNewestStateOfEachRecord) {
  const auto done = record("a", MigrationState::done);
  const JournalContents contents =
      parse_journal(line(1, record("a")) + line(2, record("b")) + encode_journal_line(7, nullptr) +
                    line(3, done) + line(4, record("b2"), "b"));
  EXPECT_EQ(contents.records, (std::vector{done, record("b2")}));
  EXPECT_EQ(contents.alive, 7);
  EXPECT_EQ(contents.bad_lines, 0U);
}

TEST(Journal, ALineThatWasCutOffIsPassedOver) {
  const std::string whole = line(1, record("a")), cut = line(2, record("b"));
  for (std::size_t size = 1; size + 1 < cut.size(); ++size) {
    const JournalContents contents = parse_journal(whole + cut.substr(0, size));
    ASSERT_EQ(contents.records, std::vector{record("a")}) << size;
    EXPECT_EQ(contents.alive, 1);
    EXPECT_EQ(contents.bad_lines, 1U);
  }
  for (const char* text : {"null", "[]", "{}", "{\"at\": \"now\"}", "{\"at\": 1, \"record\": 5}",
                           "{\"at\": 1, \"record\": {}}", "{\"at\": 1, \"replaces\": 5}", "\xff"})
    EXPECT_EQ(parse_journal(text).bad_lines, 1U) << text;
}

class JournalFile : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/vmirror-journal-XXXXXX";
    folder_ = ::mkdtemp(name);
    path_ = folder_ + "/migrations.jsonl";
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string folder_, path_;
};

TEST_F(JournalFile, WhatWasAppendedIsThereAfterwards) {
  {
    Journal journal(path_);
    const auto empty = journal.load();
    ASSERT_TRUE(empty) << empty.error().text();
    EXPECT_TRUE(empty->records.empty());
    EXPECT_EQ(empty->alive, 0);
    ASSERT_TRUE(journal.append(record("a"), 1));
    ASSERT_TRUE(journal.append(record("b"), 2));
    ASSERT_TRUE(journal.append(record("b2"), 3, "b"));
    ASSERT_TRUE(journal.beat(9));
  }
  for (int i = 0; i < 2; ++i) {  // Loading writes it anew, and loses nothing.
    Journal journal(path_);
    const auto contents = journal.load();
    ASSERT_TRUE(contents) << contents.error().text();
    EXPECT_EQ(contents->records, (std::vector{record("a"), record("b2")}));
    EXPECT_EQ(contents->alive, 9);
  }
}

TEST_F(JournalFile, ItIsWrittenAnewBeforeItGrows) {
  Journal journal(path_, {.records = 5, .bytes = 50'000});
  ASSERT_TRUE(journal.load());
  for (int i = 0; i < 500; ++i)
    ASSERT_TRUE(journal.append(record("id" + std::to_string(i / 20)), i));
  EXPECT_LE(fs::file_size(path_), 50'000U);
  EXPECT_EQ(journal.bytes(), fs::file_size(path_));
  Journal again(path_, {.records = 5, .bytes = 50'000});
  const auto contents = again.load();
  ASSERT_TRUE(contents);
  ASSERT_EQ(contents->records.size(), 5U);
  EXPECT_EQ(contents->records.front().id, "id20");
  EXPECT_EQ(contents->records.back().id, "id24");
  EXPECT_EQ(contents->alive, 499);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(JournalFile, RecordsThatFillItAreStillWrittenOncePerChange) {
  Journal journal(path_, {.records = 50, .bytes = 1000});
  ASSERT_TRUE(journal.load());
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(journal.append(record(std::to_string(i)), i));
  const std::size_t before = journal.bytes();
  ASSERT_TRUE(journal.beat(100));
  EXPECT_GT(journal.bytes(), before);  // Appended, though it is past its bytes.
}

/// A disk that was full for a moment, as the kernel shows it: part of a line, then an error.
TEST_F(JournalFile, ALineThatFoundNoRoomIsWrittenByTheNextOne) {
  Journal journal(path_);
  ASSERT_TRUE(journal.load());
  ASSERT_TRUE(journal.append(record("a"), 1));
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small{journal.bytes() + 10, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto refused = journal.append(record("a", MigrationState::done), 2);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  ASSERT_FALSE(refused);
  ASSERT_EQ(fs::file_size(path_), journal.bytes() + 10) << "cut off";
  ASSERT_TRUE(journal.append(record("b"), 3));
  Journal again(path_);
  const auto contents = again.load();
  ASSERT_TRUE(contents);
  EXPECT_EQ(contents->records, (std::vector{record("a", MigrationState::done), record("b")}));
  EXPECT_EQ(contents->bad_lines, 0U);
}

TEST_F(JournalFile, NoFolderIsAnErrorWithItsPath) {
  Journal journal(folder_ + "/none/journal");
  const auto contents = journal.load();
  ASSERT_FALSE(contents);
  EXPECT_EQ(contents.error().where, folder_ + "/none/journal.new");
  EXPECT_FALSE(journal.append(record("a"), 1));
}

}  // namespace
}  // namespace vmirror
