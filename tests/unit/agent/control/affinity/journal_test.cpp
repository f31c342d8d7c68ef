// What a journal tells after a crash, and that it stays small.
#include "agent/control/affinity/journal.hpp"

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
    const JournalContents empty = journal.load();
    ASSERT_FALSE(empty.error) << empty.error->text();
    EXPECT_TRUE(empty.records.empty());
    EXPECT_EQ(empty.alive, 0);
    ASSERT_TRUE(journal.append(record("a"), 1));
    ASSERT_TRUE(journal.append(record("b"), 2));
    ASSERT_TRUE(journal.append(record("b2"), 3, "b"));
    ASSERT_TRUE(journal.beat(9, true));
  }
  for (int i = 0; i < 2; ++i) {  // Loading writes it anew, and loses nothing.
    Journal journal(path_);
    const JournalContents contents = journal.load();
    ASSERT_FALSE(contents.error) << contents.error->text();
    EXPECT_EQ(contents.records, (std::vector{record("a"), record("b2")}));
    EXPECT_EQ(contents.alive, 9);
  }
}

TEST_F(JournalFile, ItIsWrittenAnewBeforeItGrows) {
  Journal journal(path_, {.records = 5, .bytes = 50'000});
  ASSERT_FALSE(journal.load().error);
  for (int i = 0; i < 500; ++i)
    ASSERT_TRUE(journal.append(record("id" + std::to_string(i / 20)), i));
  EXPECT_LE(fs::file_size(path_), 50'000U);
  EXPECT_EQ(journal.bytes(), fs::file_size(path_));
  Journal again(path_, {.records = 5, .bytes = 50'000});
  const JournalContents contents = again.load();
  ASSERT_FALSE(contents.error);
  ASSERT_EQ(contents.records.size(), 5U);
  EXPECT_EQ(contents.records.front().id, "id20");
  EXPECT_EQ(contents.records.back().id, "id24");
  EXPECT_EQ(contents.alive, 499);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(JournalFile, RecordsThatFillItAreStillWrittenOncePerChange) {
  Journal journal(path_, {.records = 50, .bytes = 1000});
  ASSERT_FALSE(journal.load().error);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(journal.append(record(std::to_string(i)), i));
  const std::size_t before = journal.bytes();
  ASSERT_TRUE(journal.beat(100, true));
  EXPECT_GT(journal.bytes(), before);  // Appended, though it is past its bytes.
}

/// A disk that is full, as the kernel shows it: what goes past `bytes` of a file is an error.
class NoRoom {
 public:
  explicit NoRoom(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &old_), 0);
    const rlimit small{bytes, old_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  }
  ~NoRoom() { EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &old_), 0); }

 private:
  rlimit old_{};
};

/// The next line may be another record's, or none for long: then the beat writes it.
TEST_F(JournalFile, ALineThatFoundNoRoomIsWrittenByTheNextOne) {
  for (const bool another : {true, false}) {
    Journal journal(path_);
    ASSERT_FALSE(journal.load().error);
    ASSERT_TRUE(journal.append(record("a"), 1));
    {
      const NoRoom small(journal.bytes() + 10);
      ASSERT_FALSE(journal.append(record("a", MigrationState::done), 2));
    }
    ASSERT_EQ(fs::file_size(path_), journal.bytes() + 10) << "cut off";
    std::vector expected{record("a", MigrationState::done)};
    if (another) {
      expected.push_back(record("b"));
      ASSERT_TRUE(journal.append(record("b"), 3));
    } else {
      ASSERT_TRUE(journal.beat(3, false));
    }
    Journal again(path_);
    const JournalContents contents = again.load();
    ASSERT_FALSE(contents.error);
    EXPECT_EQ(contents.records, expected);
    EXPECT_EQ(contents.bad_lines, 0U);
    fs::remove(path_);
  }
}

/// The agent begins while the disk is full: it knows what was, and writes once there is room.
TEST_F(JournalFile, WhatIsReadStandsThoughItCanNotBeWrittenAnew) {
  {
    Journal journal(path_);
    ASSERT_FALSE(journal.load().error);
    ASSERT_TRUE(journal.append(record("a"), 1));
  }
  Journal journal(path_);
  {
    const NoRoom none(0);
    const JournalContents contents = journal.load();
    ASSERT_TRUE(contents.error);
    EXPECT_EQ(contents.records, std::vector{record("a")});
    EXPECT_EQ(contents.alive, 1);
    EXPECT_FALSE(journal.append(record("b"), 2));
    EXPECT_FALSE(journal.beat(3, false));
  }
  EXPECT_TRUE(journal.beat(4, false));
  EXPECT_EQ(Journal(path_).load().records, (std::vector{record("a"), record("b")}));
}

TEST_F(JournalFile, ABeatWritesNothingWhereNothingIsOpenOrLacking) {
  Journal journal(path_);
  ASSERT_FALSE(journal.load().error);
  ASSERT_TRUE(journal.append(record("a"), 1));
  const std::size_t before = fs::file_size(path_);
  EXPECT_TRUE(journal.beat(2, false));
  EXPECT_EQ(fs::file_size(path_), before);
}

TEST_F(JournalFile, NoFolderIsAnErrorWithItsPath) {
  Journal journal(folder_ + "/none/journal");
  const JournalContents contents = journal.load();
  ASSERT_TRUE(contents.error);
  EXPECT_EQ(contents.error->where, folder_ + "/none/journal.new");
  EXPECT_FALSE(journal.append(record("a"), 1));
}

TEST_F(JournalFile, WhatCanNotBeReadIsLeftAsItIs) {
  fs::create_directory(path_);
  Journal journal(path_);
  const JournalContents contents = journal.load();
  ASSERT_TRUE(contents.error);
  EXPECT_EQ(contents.error->where, path_);
  EXPECT_TRUE(contents.records.empty());
  const auto refused = journal.append(record("a"), 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text(), contents.error->text());
  EXPECT_FALSE(journal.beat(2, false));
  EXPECT_TRUE(fs::is_directory(path_));
  EXPECT_FALSE(fs::exists(path_ + ".new"));
}

}  // namespace
}  // namespace vmirror
