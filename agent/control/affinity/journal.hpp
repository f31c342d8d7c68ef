// The journal of migrations' records: what an agent that was killed knows of them when it is back.
// A file of JSON lines, each the newest state of one record, or a sign of life.
//
//   {"at": TIME, "record": {...}}                    agent/control/affinity/record_json.hpp
//   {"at": TIME, "record": {...}, "replaces": "ID"}  the record had that id before
//   {"at": TIME}                                     the agent lived then
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

/// What a journal tells.
struct JournalContents {
  std::vector<MigrationRecord> records;  ///< The newest state of each, in the order of their ids'
                                         ///< first lines.
  Time alive = 0;                        ///< Of the last line; 0: there is none.
  std::size_t bad_lines = 0;             ///< Passed over: cut off by a crash, or damaged.
  std::optional<Error> error;            ///< Journal::load's.
};
/// Pure. A line that can't be read is counted and passed over.
JournalContents parse_journal(std::string_view text);

/// The file. One thread. What is written survives the process's end; the machine's end may take the
/// last seconds (there is no fsync on append).
class Journal {
 public:
  struct Options {
    std::size_t records = 320;  ///< Kept; the oldest go first.
    /// Past it, and past twice what its records need, the file is written anew.
    std::size_t bytes = std::size_t{4} << 20;
  };
  /// Touches nothing yet.
  Journal(std::string path, Options options);
  explicit Journal(std::string path) : Journal(std::move(path), Options{}) {}
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Reads the file, writes it anew without what is superseded, and opens it to append. A file that
  /// isn't there is an empty journal; its folder must be there. JournalContents::error:
  /// Error::Kind::refused, it can't be written, and the contents stand; or it can't be read, and it
  /// is left as it is: all that is to be written fails, too.
  JournalContents load();
  /// The record is like this at `now`. Error::Kind::refused: no room, no right; the next append or
  /// beat that succeeds writes what this one could not.
  Result<void> append(const MigrationRecord& record, Time now, const std::string& replaces = {});
  /// To be called once a second. While a record is `open` a sign of life; else it only writes what
  /// could not be written before.
  Result<void> beat(Time now, bool open);
  std::size_t bytes() const { return bytes_; }

 private:
  Result<void> write(const std::string& line);
  /// Replaces the file, in one step, by the newest state of each record.
  Result<void> compact();

  std::string path_;
  Options options_;
  int file_ = -1;
  Result<void> read_;  ///< What load() could, or why nothing may be written.
  bool lacks_ = true;  ///< The file lacks something, or ends amid a line: it is to be written anew.
  std::size_t bytes_ = 0, limit_ = 0;
  Time alive_ = 0;
  std::map<std::uint64_t, MigrationRecord> records_;  ///< By order of arrival.
  std::map<std::string, std::uint64_t> order_;        ///< By id.
  std::uint64_t next_ = 0;
};

}  // namespace vmirror
