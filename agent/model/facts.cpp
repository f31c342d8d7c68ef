#include "agent/model/facts.hpp"

#include <algorithm>
#include <cstring>

namespace vmirror {

Value Value::of(bool v) {
  Value out;
  out.kind = Kind::boolean;
  out.number = v;
  return out;
}

Value Value::of(std::uint64_t v) {
  Value out;
  out.number = v;
  return out;
}

Value Value::of(std::int64_t v) {
  Value out;
  out.kind = Kind::signed_number;
  out.signed_number = v;
  return out;
}

Value Value::of(double v) {
  Value out;
  out.kind = Kind::real;
  out.real = v;
  return out;
}

Value Value::of(std::string_view v) {
  Value out;
  out.kind = Kind::text;
  out.text = v;
  return out;
}

Value Value::of(Bytes v) {
  Value out;
  out.kind = Kind::bytes;
  out.text = as_text(v);
  return out;
}

Value Value::of(const Mac& v) {
  Value out;
  out.kind = Kind::mac;
  std::memcpy(out.ip.octets.data(), v.octets.data(), v.octets.size());
  return out;
}

Value Value::of(const IpAddress& v) {
  Value out;
  out.kind = Kind::ip;
  out.ip = v;
  return out;
}

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
  while (!records_.empty() && open_ > 0) close();
  refused_ = 0;
  full_ = records_.size() == kMaxRecords;
  if (full_) {
    ++overflowed_;
    return;
  }
  records_.push_back({protocol, static_cast<std::uint32_t>(fields_.size()), 0});
}

void Facts::push(const Field& field) {
  const bool opens =
      field.shape == Field::Shape::open_object || field.shape == Field::Shape::open_array;
  const bool closes = field.shape == Field::Shape::close;
  // What closes a thing goes the way of what opened it, so that a record is always well nested:
  // room for it is kept.
  if (closes && refused_ > 0) {
    --refused_;
    return;
  }
  if (closes && open_ == 0) return;
  const std::size_t room = fields_.size() + open_ + (opens ? 2 : 1);
  if (records_.empty() || full_ || refused_ > 0 || (!closes && room > kMaxFields)) {
    if (opens) ++refused_;
    ++overflowed_;
    return;
  }
  if (opens) ++open_;
  if (closes) --open_;
  fields_.push_back(field);
  ++records_.back().count;
}

void Facts::push(const Fact& fact) {
  if (facts_.size() == kMaxFacts) {
    ++overflowed_;
    return;
  }
  facts_.push_back(fact);
}

std::string_view Facts::keep(std::string_view text) {
  const std::size_t size = std::min(text.size(), kKeepBytes - arena_used_);
  if (size < text.size()) ++overflowed_;
  char* at = arena_.get() + arena_used_;
  std::memcpy(at, text.data(), size);
  arena_used_ += size;
  return {at, size};
}

void Facts::clear() {
  fields_.clear();
  records_.clear();
  facts_.clear();
  arena_used_ = 0;
  open_ = refused_ = 0;
  full_ = false;
}

}  // namespace vmirror
