#include "agent/model/facts.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace vmirror {

const char* to_text(Attribute attribute) {
  switch (attribute) {
    case Attribute::ip_address:
      return "ip_address";
    case Attribute::host_name:
      return "host_name";
    case Attribute::vendor:
      return "vendor";
    case Attribute::model:
      return "model";
    case Attribute::firmware:
      return "firmware";
    case Attribute::serial_number:
      return "serial_number";
    case Attribute::description:
      return "description";
    case Attribute::router:
      return "router";
    case Attribute::service:
      return "service";
    case Attribute::order_number:
      return "order_number";
    case Attribute::hardware:
      return "hardware";
    case Attribute::role:
      return "role";
    case Attribute::station_name:
      return "station_name";
    case Attribute::operating_system:
      return "operating_system";
    case Attribute::domain:
      return "domain";
    case Attribute::count_:
      break;
  }
  return "unknown";
}

std::string to_text(const Station& station) {
  constexpr const char* kNames[] = {"", "modbus_unit", "cip_slot", "dnp3_address",
                                    "bacnet_address"};
  if (station.kind == Station::Kind::none) return {};
  return std::string(kNames[static_cast<std::size_t>(station.kind)]) + " " +
         std::to_string(station.number);
}

const char* to_text(Confidence confidence) {
  constexpr const char* kNames[] = {"guessed", "implied", "stated"};
  return kNames[static_cast<std::size_t>(confidence)];
}

const char* to_text(Act::Kind kind) {
  constexpr const char* kNames[] = {"read",
                                    "write",
                                    "start",
                                    "stop",
                                    "download",
                                    "firmware",
                                    "weak_authentication",
                                    "refused_authentication",
                                    "set_time",
                                    "claim_address",
                                    "serve_addresses"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Act::Kind::count_));
  return kNames[static_cast<std::size_t>(kind)];
}

Facts::Facts() : fields_(kMaxFields), arena_(kKeepBytes) {
  records_.reserve(kMaxRecords);
  facts_.reserve(kMaxFacts);
  acts_.reserve(kMaxActs);
  clocks_.reserve(kMaxClocks);
}

void Facts::record(const char* protocol) {
  while (open_ > 0) close();
  refused_ = 0;
  in_record_ = records_.size() < kMaxRecords;
  if (!in_record_) {
    overflow(Part::records);
    return;
  }
  records_.push_back({protocol, static_cast<std::uint32_t>(used_), 0});
}

void Facts::open(Field::Shape shape, const char* name) {
  if (!has_room(2)) {
    ++refused_;
    return;
  }
  ++open_;
  append(shape, name, {});
}

void Facts::close() {
  // What closes a thing goes the way of what opened it: a record is always well nested.
  if (refused_ > 0) {
    --refused_;
  } else if (open_ > 0) {
    --open_;
    append(Field::Shape::close, "", {});
  }
}

void Facts::push(const Fact& fact) {
  if (facts_.size() == kMaxFacts) {
    overflow(Part::facts);
    return;
  }
  facts_.push_back(fact);
}

void Facts::push(const ClockReading& clock) {
  if (clocks_.size() == kMaxClocks) return overflow(Part::clocks);
  clocks_.push_back(clock);
}

void Facts::act(Act::Kind kind, const Subject& on, const Subject& by, const char* source) {
  if (acts_.size() == kMaxActs || records_.empty()) return overflow(Part::acts);
  acts_.push_back({kind, on, by, source, static_cast<std::uint32_t>(records_.size() - 1)});
}

std::string_view Facts::keep(std::string_view text) {
  const std::size_t size = std::min(text.size(), kKeepBytes - arena_used_);
  if (size < text.size()) overflow(Part::bytes);
  char* at = arena_.data() + arena_used_;
  std::memcpy(at, text.data(), size);
  arena_used_ += size;
  return {at, size};
}

void Facts::clear() {
  const auto note = [this](Part part, std::size_t has) {
    most_[place(part)] = std::max(most_[place(part)], has);
  };
  note(Part::fields, used_);
  note(Part::records, records_.size());
  note(Part::facts, facts_.size());
  note(Part::acts, acts_.size());
  note(Part::clocks, clocks_.size());
  note(Part::bytes, arena_used_);
  used_ = 0;
  records_.clear();
  facts_.clear();
  acts_.clear();
  clocks_.clear();
  arena_used_ = 0;
  open_ = refused_ = 0;
  in_record_ = false;
}

}  // namespace vmirror
