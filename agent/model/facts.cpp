#include "agent/model/facts.hpp"

#include <algorithm>
#include <cstring>

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
    case Attribute::count_:
      break;
  }
  return "unknown";
}

Facts::Facts() : arena_(new char[kKeepBytes]) {
  fields_.reserve(kMaxFields);
  records_.reserve(kMaxRecords);
  facts_.reserve(kMaxFacts);
}

void Facts::record(const char* protocol) {
  while (open_ > 0) close();
  refused_ = 0;
  in_record_ = records_.size() < kMaxRecords;
  if (!in_record_) {
    overflow(Part::records);
    return;
  }
  records_.push_back({protocol, static_cast<std::uint32_t>(fields_.size()), 0});
}

void Facts::open(Field::Shape shape, const char* name) {
  if (!has_room(2)) {
    ++refused_;
    return;
  }
  ++open_;
  fields_.push_back({shape, name, {}});
  ++records_.back().count;
}

void Facts::close() {
  // What closes a thing goes the way of what opened it: a record is always well nested.
  if (refused_ > 0) {
    --refused_;
  } else if (open_ > 0) {
    --open_;
    fields_.push_back({Field::Shape::close, "", {}});
    ++records_.back().count;
  }
}

void Facts::push(const Fact& fact) {
  if (facts_.size() == kMaxFacts) {
    overflow(Part::facts);
    return;
  }
  facts_.push_back(fact);
}

std::string_view Facts::keep(std::string_view text) {
  const std::size_t size = std::min(text.size(), kKeepBytes - arena_used_);
  if (size < text.size()) overflow(Part::bytes);
  char* at = arena_.get() + arena_used_;
  std::memcpy(at, text.data(), size);
  arena_used_ += size;
  return {at, size};
}

void Facts::clear() {
  const std::size_t has[] = {fields_.size(), records_.size(), facts_.size(), arena_used_};
  for (std::size_t i = 0; i < most_.size(); ++i) most_[i] = std::max(most_[i], has[i]);
  fields_.clear();
  records_.clear();
  facts_.clear();
  arena_used_ = 0;
  open_ = refused_ = 0;
  in_record_ = false;
}

}  // namespace vmirror
