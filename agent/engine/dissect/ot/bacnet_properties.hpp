// The objects and properties of BACnet's services that read and write (ANSI/ASHRAE 135, clause 15).
#pragma once

#include <cstring>
#include <optional>

#include "agent/engine/dissect/dissector.hpp"
#include "agent/engine/dissect/ot/bacnet_names.hpp"
#include "agent/engine/dissect/ot/bacnet_tags.hpp"

namespace vmirror {

/// Objects of a message that its record has; facts come of all.
constexpr int kMaxBacnetObjects = 16;

/// Confirmed services that are read.
enum BacnetConfirmed : std::uint8_t {
  kReadFile = 6,
  kWriteFile = 7,
  kCreateObject = 10,
  kDeleteObject = 11,
  kReadProperty = 12,
  kReadMultiple = 14,
  kWriteProperty = 15,
  kWriteMultiple = 16,
  kCommunicationControl = 17,
  kReinitialize = 20,
  kReadRange = 26,
};

/// The context tags in which a service has a property, its index and its value. 0xff: none.
struct BacnetLayout {
  std::uint8_t property, index, value;
  bool list;  ///< Of several objects, their properties inside the opening tag 1.
};
inline std::optional<BacnetLayout> bacnet_layout(std::uint8_t service, bool answer) {
  switch (service) {
    case kReadProperty:
    case kWriteProperty:
      return BacnetLayout{1, 2, 3, false};
    case kReadRange:
      return BacnetLayout{1, 2, 0xff, false};
    case kReadMultiple:
      return answer ? BacnetLayout{2, 3, 4, true} : BacnetLayout{0, 1, 0xff, true};
    case kWriteMultiple:
      return BacnetLayout{0, 1, 2, true};
    default:
      return std::nullopt;
  }
}

/// A character string, of UTF-8 or Latin-1; of others nothing.
inline std::string_view bacnet_text(Bytes value) {
  if (value.empty() || (value[0] != 0 && value[0] != 5)) return {};
  return text_of(value.subspan(1));
}

inline void tell_bacnet_value(const BacnetTag& tag, Facts& facts) {
  switch (tag.number) {
    case kBacnetBoolean:
      return facts.add("value", tag.length != 0);
    case kBacnetUnsigned:
    case kBacnetEnumerated:
      return facts.add("value", bacnet_unsigned(tag.value));
    case kBacnetSigned: {
      const std::uint64_t raw = bacnet_unsigned(tag.value);
      const std::size_t bits = tag.value.size() * 8;
      if (bits == 0 || bits > 64) return;
      const unsigned spare = static_cast<unsigned>(64 - bits);
      return facts.add("value", static_cast<std::int64_t>(raw << spare) >> spare);
    }
    case kBacnetReal: {
      if (tag.value.size() != 4) return;
      const auto raw = static_cast<std::uint32_t>(bacnet_unsigned(tag.value));
      float real;
      std::memcpy(&real, &raw, sizeof real);
      return facts.add("value", real);
    }
    case kBacnetText:
      return facts.add("value", bacnet_text(tag.value));
    default:
      return;
  }
}

/// Reads the objects and properties of one service, and tells them.
class BacnetProperties {
 public:
  BacnetProperties(Cursor cursor, const BacnetLayout& layout, Facts& facts)
      : cursor_(cursor), layout_(layout), facts_(facts) {}

  /// `learn` is called with object type, property, and the first tag of its value.
  template <typename Learn>
  Malformed tell(Learn learn) {
    facts_.open_array("objects");
    const bool read = layout_.list ? tell_list(learn) : tell_single(learn);
    flush(learn);
    facts_.close();
    return read && cursor_.ok() ? Malformed::none : Malformed::bad_length;
  }

 private:
  template <typename Learn>
  bool tell_single(Learn learn) {
    bool any = false;
    while (!cursor_.empty() && cursor_.ok()) {
      const BacnetTag tag = next_bacnet_tag(cursor_);
      if (tag.is_context(0)) take_object(tag);
      if (any && tag.is_context(layout_.index)) index_ = bacnet_unsigned(tag.value);
      if (tag.is_context(layout_.property)) {
        property_ = static_cast<std::uint32_t>(bacnet_unsigned(tag.value));
        any = true;
      }
      if (tag.opens(layout_.value)) {
        read_value(layout_.value);
      } else if (tag.kind == BacnetTag::Kind::opening && !skip_list(tag.number)) {
        return false;
      }
    }
    static_cast<void>(learn);
    return any;
  }

  template <typename Learn>
  bool tell_list(Learn learn) {
    while (!cursor_.empty() && cursor_.ok()) {
      const BacnetTag tag = next_bacnet_tag(cursor_);
      if (tag.is_context(0)) {
        take_object(tag);
      } else if (tag.opens(1)) {
        if (!tell_of_object(learn)) return false;
      }
    }
    return true;
  }

  template <typename Learn>
  bool tell_of_object(Learn learn) {
    while (cursor_.ok() && !cursor_.empty()) {
      const BacnetTag tag = next_bacnet_tag(cursor_);
      if (tag.closes(1)) {
        flush(learn);
        return true;
      }
      if (tag.is_context(layout_.property)) {
        flush(learn);
        property_ = static_cast<std::uint32_t>(bacnet_unsigned(tag.value));
      } else if (tag.is_context(layout_.index)) {
        index_ = bacnet_unsigned(tag.value);
      } else if (tag.opens(layout_.value)) {
        read_value(layout_.value);
      } else if (tag.kind == BacnetTag::Kind::opening && !skip_list(tag.number)) {
        return false;
      }
    }
    return false;
  }

  void take_object(const BacnetTag& tag) {
    object_ = static_cast<std::uint32_t>(bacnet_unsigned(tag.value));
  }

  /// Up to the closing tag; lists inside may open the same number again.
  bool skip_list(std::uint8_t number) {
    for (int depth = 1; cursor_.ok() && !cursor_.empty();) {
      const BacnetTag tag = next_bacnet_tag(cursor_);
      if (tag.opens(number)) ++depth;
      if (tag.closes(number) && --depth == 0) return true;
    }
    return false;
  }
  void read_value(std::uint8_t number) {
    const Cursor before = cursor_;
    const BacnetTag tag = next_bacnet_tag(cursor_);
    if (tag.kind == BacnetTag::Kind::application) {
      value_ = tag;
      skip_list(number);
    } else {
      cursor_ = before;
      skip_list(number);
    }
  }

  template <typename Learn>
  void flush(Learn learn) {
    if (!property_) return;
    if (told_++ < kMaxBacnetObjects) {
      facts_.open_object("");
      tell_named(facts_, "object_type", kBacnetObjects, object_ >> 22);
      facts_.add("instance_number", object_ & 0x3fffff);
      tell_named(facts_, "property", kBacnetProperties, *property_);
      if (index_) facts_.add("array_index", *index_);
      if (value_) tell_bacnet_value(*value_, facts_);
      facts_.close();
    }
    if (value_) learn(object_ >> 22, *property_, *value_);
    property_.reset();
    index_.reset();
    value_.reset();
  }

  Cursor cursor_;
  BacnetLayout layout_;
  Facts& facts_;
  std::uint32_t object_ = 0;
  std::optional<std::uint32_t> property_;
  std::optional<std::uint64_t> index_;
  std::optional<BacnetTag> value_;
  int told_ = 0;
};

}  // namespace vmirror
