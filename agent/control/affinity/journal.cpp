#include "agent/control/affinity/journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>

#include "agent/control/affinity/record_json.hpp"

namespace vmirror {
namespace {

namespace json = boost::json;

tl::unexpected<Error> refused(const char* doing, const std::string& path) {
  return fail(Error::Kind::refused, std::string(doing) + ": " + std::strerror(errno), path,
              "is there room, and may the daemon write here?");
}

/// A file that isn't there is empty.
Result<std::string> read_all(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return std::string();
  if (file < 0) return refused("can't be read", path);
  std::string text;
  std::array<char, 65536> block;
  ssize_t n = 0;
  do {
    n = ::read(file, block.data(), block.size());
    if (n > 0) text.append(block.data(), static_cast<std::size_t>(n));
  } while (n > 0 || (n < 0 && errno == EINTR));
  Result<std::string> out = std::move(text);
  if (n < 0) out = refused("can't be read", path);
  ::close(file);
  return out;
}

Result<void> write_all(int file, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t n = ::write(file, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return refused("can't be written", path);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

struct Line {
  Time at = 0;
  std::optional<MigrationRecord> record;
  std::string replaces;
};

Result<Line> parse_line(std::string_view text) {
  const auto value = parse_bounded(text);
  if (!value) return tl::unexpected(value.error());
  const auto wrong = [] { return fail(Error::Kind::invalid, "no line of a journal"); };
  const json::object* object = value->if_object();
  const json::value* at = object == nullptr ? nullptr : object->if_contains("at");
  if (at == nullptr || !at->is_int64()) return wrong();
  Line line{at->get_int64(), {}, {}};
  if (const json::value* replaces = object->if_contains("replaces")) {
    if (!replaces->is_string()) return wrong();
    line.replaces = replaces->get_string();
  }
  if (const json::value* record = object->if_contains("record")) {
    auto read = record_from_json(*record);
    if (!read) return tl::unexpected(read.error());
    line.record = std::move(*read);
  }
  return line;
}

}  // namespace

std::string encode_journal_line(Time at, const MigrationRecord* record, std::string_view replaces) {
  json::object line{{"at", at}};
  if (record != nullptr) line["record"] = to_json(*record);
  if (!replaces.empty()) line["replaces"] = replaces;
  return json::serialize(line) + "\n";
}

JournalContents parse_journal(std::string_view text) {
  JournalContents out;
  std::map<std::string, std::size_t> place;  // In `records`, by id.
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view row = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (row.empty()) continue;
    auto line = parse_line(row);
    if (!line) {
      ++out.bad_lines;
      continue;
    }
    out.alive = std::max(out.alive, line->at);
    if (!line->record) continue;
    if (const auto old = place.find(line->replaces);
        !line->replaces.empty() && old != place.end()) {
      place.emplace(line->record->id, old->second);
      place.erase(line->replaces);
    }
    const auto [it, is_new] = place.try_emplace(line->record->id, out.records.size());
    if (is_new)
      out.records.push_back(std::move(*line->record));
    else
      out.records[it->second] = std::move(*line->record);
  }
  return out;
}

Journal::Journal(std::string path, Options options)
    : path_(std::move(path)),
      options_(options),
      read_(fail(Error::Kind::refused, "is not loaded", path_)) {}

Journal::~Journal() {
  if (file_ >= 0) ::close(file_);
}

JournalContents Journal::load() {
  const auto text = read_all(path_);
  if (!text) {
    read_ = tl::unexpected(text.error());
    JournalContents none;
    none.error = text.error();
    return none;
  }
  read_ = {};
  JournalContents contents = parse_journal(*text);
  if (contents.records.size() > options_.records)
    contents.records.erase(contents.records.begin(),
                           contents.records.end() - static_cast<std::ptrdiff_t>(options_.records));
  records_.clear();
  order_.clear();
  for (const MigrationRecord& record : contents.records) {
    order_[record.id] = next_;
    records_[next_++] = record;
  }
  alive_ = contents.alive;
  if (const auto done = compact(); !done) contents.error = done.error();
  return contents;
}

Result<void> Journal::append(const MigrationRecord& record, Time now, const std::string& replaces) {
  std::uint64_t place = next_;
  if (const auto old = order_.find(replaces.empty() ? record.id : replaces); old != order_.end()) {
    place = old->second;
    order_.erase(old);
  } else {
    ++next_;
  }
  order_[record.id] = place;
  records_[place] = record;
  while (records_.size() > options_.records) {
    order_.erase(records_.begin()->second.id);
    records_.erase(records_.begin());
  }
  alive_ = std::max(alive_, now);
  return write(encode_journal_line(now, &record, replaces));
}

Result<void> Journal::beat(Time now, bool open) {
  if (!open && !lacks_) return {};
  alive_ = std::max(alive_, now);
  return write(encode_journal_line(now, nullptr));
}

Result<void> Journal::write(const std::string& line) {
  // Written anew, it holds what the line says, and what a line that was cut off was to say.
  if (lacks_ || bytes_ + line.size() > limit_) return compact();
  if (const auto done = write_all(file_, line, path_); !done) {
    lacks_ = true;
    return done;
  }
  bytes_ += line.size();
  return {};
}

Result<void> Journal::compact() {
  if (!read_) return read_;
  lacks_ = true;
  std::string text;
  for (const auto& [place, record] : records_) text += encode_journal_line(alive_, &record);
  if (text.empty() && alive_ != 0) text = encode_journal_line(alive_, nullptr);
  const std::string unfinished = path_ + ".new";
  const int file =
      ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640);
  if (file < 0) return refused("can't be created", unfinished);
  auto done = write_all(file, text, unfinished);
  if (done && ::fsync(file) != 0) done = refused("can't be written", unfinished);
  if (done && ::rename(unfinished.c_str(), path_.c_str()) != 0)
    done = refused("can't be replaced", path_);
  if (!done) {
    ::close(file);
    ::unlink(unfinished.c_str());
    return done;
  }
  if (file_ >= 0) ::close(file_);
  file_ = file;
  lacks_ = false;
  bytes_ = text.size();
  limit_ = std::max(options_.bytes, 2 * bytes_);
  return {};
}

}  // namespace vmirror
