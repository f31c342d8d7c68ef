// The journal of migrations' records, from which a restarted agent reads its records. A file of
// JSON lines; each line is the newest state of a record, or a sign of life.
//
//   {"at": TIME, "record": {...}}                    agent/control/affinity/record_json.hpp
//   {"at": TIME, "record": {...}, "replaces": "ID"}  the record had that id before
//   {"at": TIME}                                     the agent was alive at this time
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/migration.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// One line with its line feed. Pure.
std::string encode_journal_line(Time at, const MigrationRecord* record,
                                std::string_view replaces = {});

/// The contents of a journal.
struct JournalContents {
  std::vector<MigrationRecord> records;  ///< The newest state of each, in the order of their ids'
                                         ///< first lines.
  Time alive = 0;                        ///< The time of the last line; 0: there is none.
  std::size_t bad_lines = 0;             ///< Ignored lines: cut off by a crash, or damaged.
  std::optional<Error> error;            ///< Of Journal::load.
};
/// Pure. A line that can't be read is counted and ignored.
JournalContents parse_journal(std::string_view text);

/// The file. One thread. Written lines survive the end of the process. A crash of the machine may
/// lose the last seconds (there is no fsync on append).
class Journal {
 public:
  struct Options {
    std::size_t records = 320;  ///< Kept; the oldest records are dropped first.
    /// Above it, and above twice the size of its records, the file is rewritten.
    std::size_t bytes = std::size_t{4} << 20;
  };
  /// Touches nothing yet.
  Journal(std::string path, Options options);
  explicit Journal(std::string path) : Journal(std::move(path), Options{}) {}
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Reads the file, rewrites it without superseded lines, and opens it to append. A missing file
  /// is an empty journal; its folder must exist. JournalContents::error: Error::Kind::refused, the
  /// file can't be written, and the contents are valid; or the file can't be read: then it is left
  /// as it is, and every later write fails, too.
  JournalContents load();
  /// The state of the record at `now`. Error::Kind::refused: no space, or no permission; the next
  /// append or beat that succeeds also writes this state.
  Result<void> append(const MigrationRecord& record, Time now, const std::string& replaces = {});
  /// To be called once a second. Writes a sign of life while a record is `open`; otherwise only
  /// lines that could not be written before.
  Result<void> beat(Time now, bool open);
  std::size_t bytes() const { return bytes_; }

 private:
  Result<void> write(const std::string& line);
  /// Replaces the file, in one step, by the newest state of each record.
  Result<void> compact();

  std::string path_;
  Options options_;
  int file_ = -1;
  Result<void> read_;  ///< The result of load(); an error: nothing may be written.
  bool lacks_ = true;  ///< The file lacks a line, or ends amid a line: it must be rewritten.
  std::size_t bytes_ = 0, limit_ = 0;
  Time alive_ = 0;
  std::map<std::uint64_t, MigrationRecord> records_;  ///< By order of arrival.
  std::map<std::string, std::uint64_t> order_;        ///< By id.
  std::uint64_t next_ = 0;
};

}  // namespace vmirror
