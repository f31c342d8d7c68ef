#include "agent/control/affinity/record_json.hpp"

#include <algorithm>

namespace vmirror {

namespace json = boost::json;

namespace {

// Sums and differences of any three of these fit a Time.
constexpr Time kLatest = 4'000'000'000 * kSecond;    ///< 2096.
constexpr Time kFurthest = 1'000'000'000 * kSecond;  ///< Between two clocks.

template <typename T>
json::value or_null(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

json::value clock(const std::optional<Time>& time) {
  return time ? json::value(format_time(*time)) : json::value(nullptr);
}

json::value milliseconds(const std::optional<Time>& time) {
  return time ? json::value(static_cast<double>(*time) / kMillisecond) : json::value(nullptr);
}

json::object to_json(const MigrationHalf& half) {
  json::object out{{"host", half.host}};
  for (const auto& [name, time] : kHalfTimes) out[name] = or_null(half.*time);
  out["mirrored"] = half.mirrored;
  out["postcopy"] = half.postcopy;
  out["port_frames"] = or_null(half.port_frames);
  out["copied_frames"] = or_null(half.copied_frames);
  out["duplicates"] = half.duplicates;
  out["notes"] = json::array(half.notes.begin(), half.notes.end());
  return out;
}

/// The earliest time in the record: its start, for people.
std::optional<Time> started(const MigrationRecord& record) {
  std::optional<Time> first;
  for (const MigrationHalf* half : {&record.source, &record.destination})
    for (const auto& [name, time] : kHalfTimes)
      if (const auto at = half->*time; at && (!first || *at < *first)) first = at;
  return first;
}

// ---- Reading

/// Reads members of one object; remembers what is wrong first.
class Members {
 public:
  Members(const json::value& value, std::string where) : where_(std::move(where)) {
    object_ = value.if_object();
    if (object_ == nullptr) wrong("no object");
  }

  const json::value* find(const char* key) {
    const auto* value = object_ == nullptr ? nullptr : object_->if_contains(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  void text(const char* key, std::string& out) {
    const auto* value = find(key);
    if (value == nullptr) return;
    if (!value->is_string()) return wrong(key);
    if (value->get_string().size() > kMaxRecordText) return wrong(key, Error::Kind::exhausted);
    out.assign(value->get_string());
  }
  void flag(const char* key, bool& out) {
    if (const auto* value = find(key))
      value->is_bool() ? void(out = value->get_bool()) : wrong(key);
  }
  template <typename T>
  void number(const char* key, T& out) {
    const auto* value = find(key);
    if (value == nullptr) return;
    boost::system::error_code error;
    out = value->to_number<T>(error);
    if (error || value->is_double()) wrong(key);
  }
  template <typename T>
  void number(const char* key, std::optional<T>& out) {
    if (find(key) == nullptr) return;
    number(key, out.emplace());
  }
  void time(const char* key, std::optional<Time>& out, Time min, Time max) {
    number(key, out);
    if (out && (*out < min || *out > max)) wrong(key);
  }
  /// One of the words that `to_text` has for the values 0..last.
  template <typename E>
  void word(const char* key, E& out, E last) {
    std::string said;
    text(key, said);
    for (int i = 0; i <= static_cast<int>(last); ++i)
      if (said == to_text(static_cast<E>(i))) {
        out = static_cast<E>(i);
        return;
      }
    wrong(key);
  }
  void texts(const char* key, std::vector<std::string>& out) {
    const auto* value = find(key);
    if (value == nullptr) return;
    if (!value->is_array()) return wrong(key);
    for (const json::value& one : value->get_array()) {
      if (!one.is_string()) return wrong(key);
      if (out.size() < kMaxRecordNotes)
        out.emplace_back(std::string_view(one.get_string()).substr(0, kMaxRecordText));
    }
  }
  void wrong(std::string_view key, Error::Kind kind = Error::Kind::invalid) {
    if (!error) error = Error{kind, "`" + std::string(key) + "` is not as expected", where_, ""};
  }

  std::optional<Error> error;

 private:
  const json::object* object_;
  std::string where_;
};

Result<MigrationHalf> half_from_json(const json::value& value, const char* where) {
  MigrationHalf half;
  Members in(value, where);
  in.text("host", half.host);
  for (const auto& [name, time] : kHalfTimes) in.time(name, half.*time, 0, kLatest);
  in.flag("mirrored", half.mirrored);
  in.flag("postcopy", half.postcopy);
  in.number("port_frames", half.port_frames);
  in.number("copied_frames", half.copied_frames);
  in.number("duplicates", half.duplicates);
  in.texts("notes", half.notes);
  if (in.error) return tl::unexpected(*in.error);
  return half;
}

Result<HandoverResult> handover_from_json(const json::value& value) {
  HandoverResult out;
  Members in(value, "handover");
  in.word("state", out.state, HandoverResult::State::failed);
  in.number("flows", out.flows);
  in.number("streams", out.streams);
  in.number("assets", out.assets);
  in.number("bytes", out.bytes);
  in.text("reason", out.reason);
  if (in.error) return tl::unexpected(*in.error);
  return out;
}

}  // namespace

json::object to_json(const MigrationRecord& r) {
  json::array notes;
  for (const MigrationHalf* half : {&r.source, &r.destination})
    for (const std::string& note : half->notes) notes.emplace_back(note);
  return {{"id", r.id},
          {"vm", r.vm_name.empty() ? r.vm_uuid : r.vm_name},
          {"vm_name", r.vm_name},
          {"vm_uuid", r.vm_uuid},
          {"state", to_text(r.state)},
          {"from", r.source.host},
          {"to", r.destination.host},
          {"started", clock(started(r))},
          {"port_added", clock(r.destination.port_added)},
          {"mirror_active", clock(r.destination.mirror_active)},
          {"suspended", clock(r.source.suspended)},
          {"last_frame", clock(r.source.last_frame)},
          {"resumed", clock(r.destination.resumed)},
          {"first_frame", clock(r.destination.first_frame)},
          {"mirror_removed", clock(r.source.mirror_removed)},
          {"gap_frames", or_null(gap_frames(r))},
          {"gap_ms", milliseconds(gap(r))},
          {"downtime_ms", milliseconds(downtime(r))},
          {"duplicates", r.source.duplicates + r.destination.duplicates},
          {"clock_offset_ns", or_null(r.clock_offset)},
          {"handover",
           {{"state", to_text(r.handover.state)},
            {"flows", r.handover.flows},
            {"streams", r.handover.streams},
            {"assets", r.handover.assets},
            {"bytes", r.handover.bytes},
            {"reason", r.handover.reason}}},
          {"notes", std::move(notes)},
          {"source", to_json(r.source)},
          {"destination", to_json(r.destination)}};
}

Result<json::value> parse_bounded(std::string_view text) {
  if (text.size() > kMaxRecordJson)
    return fail(Error::Kind::exhausted, "a record of " + std::to_string(text.size()) + " bytes",
                "migration record");
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 8;
  json::value value = json::parse(text, error, {}, options);
  if (error) return fail(Error::Kind::invalid, error.message(), "migration record");
  return value;
}

Result<MigrationRecord> record_from_json(std::string_view text) {
  return parse_bounded(text).and_then(
      [](const json::value& value) { return record_from_json(value); });
}

Result<MigrationRecord> record_from_json(const json::value& value) {
  MigrationRecord record;
  Members in(value, "migration record");
  in.text("id", record.id);
  in.text("vm_name", record.vm_name);
  in.text("vm_uuid", record.vm_uuid);
  in.word("state", record.state, MigrationState::lost);
  in.time("clock_offset_ns", record.clock_offset, -kFurthest, kFurthest);
  if (record.id.empty()) in.wrong("id");
  if (in.error) return tl::unexpected(*in.error);
  const json::object& object = value.get_object();
  const auto member = [&](const char* key) {
    const auto* found = object.if_contains(key);
    return found == nullptr ? json::value() : *found;
  };
  const auto source = half_from_json(member("source"), "source");
  if (!source) return tl::unexpected(source.error());
  const auto destination = half_from_json(member("destination"), "destination");
  if (!destination) return tl::unexpected(destination.error());
  const auto handover = handover_from_json(member("handover"));
  if (!handover) return tl::unexpected(handover.error());
  record.source = *source;
  record.destination = *destination;
  record.handover = *handover;
  return record;
}

}  // namespace vmirror
