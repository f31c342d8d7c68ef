// BER and DER (ITU-T X.690): tag, length, value, as LDAP, GOOSE, MMS, SPNEGO and certificates have
// them. Definite lengths alone: what these protocols must or do send.
//
//   | class:2 constructed:1 number:5 | 0 length:7, or 1 n:7 and n bytes of it | value |
//   number 31: the number follows, 7 bits a byte, the top bit set in all but the last
#pragma once

#include <cstdint>
#include <optional>

#include "plugin/base/cursor.hpp"

namespace vmirror {

struct BerElement {
  /// As in the first byte, for a number below 31: 0x30 SEQUENCE, 0xa0 [0] constructed. Else that
  /// byte and the number behind it: ber_tag(0xbf, 77).
  std::uint32_t tag = 0;
  Bytes value;

  bool is_constructed() const { return (tag & (tag > 0xff ? 0x20000000U : 0x20U)) != 0; }
};

/// The tag of a high number.
constexpr std::uint32_t ber_tag(std::uint8_t first, std::uint32_t number) {
  return std::uint32_t{first} << 24 | number;
}

/// Reads elements one after another. Like a Cursor: what can't be read makes `ok()` false for good.
class BerReader {
 public:
  BerReader() = default;
  explicit BerReader(Bytes bytes) : cursor_(bytes) {}

  bool ok() const { return ok_ && cursor_.ok(); }
  bool empty() const { return cursor_.empty(); }
  std::size_t offset() const { return cursor_.offset(); }
  Bytes rest() const { return cursor_.rest(); }

  /// The next element; tag 0 and no value where there is none.
  BerElement next() {
    BerElement out;
    if (!head(out.tag)) return {};
    const std::optional<std::uint32_t> size = length();
    if (!size) return {};
    out.value = cursor_.take(*size);
    return cursor_.ok() ? out : BerElement{};
  }
  /// The next element's value; nothing where its tag is another.
  Bytes expect(std::uint32_t tag) {
    const BerElement element = next();
    if (element.tag == tag) return element.value;
    ok_ = false;
    return {};
  }
  /// What is inside the next element.
  BerReader enter(std::uint32_t tag) {
    BerReader out(expect(tag));
    out.ok_ = ok();
    return out;
  }

 private:
  bool head(std::uint32_t& tag) {
    tag = cursor_.u8();
    if ((tag & 0x1f) != 0x1f) return ok();
    const auto first = static_cast<std::uint8_t>(tag);
    std::uint32_t number = 0;
    std::uint8_t byte = 0;
    do {
      byte = cursor_.u8();
      number = number << 7 | (byte & 0x7f);
      if (number > 0xffff) ok_ = false;
    } while ((byte & 0x80) != 0 && ok());
    tag = ber_tag(first, number);
    return ok();
  }
  std::optional<std::uint32_t> length() {
    const std::uint8_t first = cursor_.u8();
    if (first < 0x80) return first;
    const int bytes = first & 0x7f;
    if (bytes == 0 || bytes > 4) {  // Indefinite, or more than anything could be.
      ok_ = false;
      return std::nullopt;
    }
    std::uint32_t out = 0;
    for (int i = 0; i < bytes; ++i) out = out << 8 | cursor_.u8();
    return out;
  }

  Cursor cursor_;
  bool ok_ = true;
};

/// How long the element at the front is, head and all; nothing: too short to tell, or no BER (then
/// `sound` is false).
struct BerSize {
  bool sound = true;
  std::optional<std::uint64_t> size;
};
inline BerSize ber_size(Bytes front) {
  if (front.size() < 2) return {};
  if ((front[0] & 0x1f) == 0x1f || front[1] == 0x80 || front[1] > 0x84) return {false, {}};
  if (front[1] < 0x80) return {true, 2U + front[1]};
  const std::size_t bytes = front[1] & 0x7f;
  if (front.size() < 2 + bytes) return {};
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < bytes; ++i) out = out << 8 | front[2 + i];
  return {true, 2 + bytes + out};
}

/// An INTEGER or ENUMERATED of at most 8 bytes; nothing: it has none, or more.
inline std::optional<std::int64_t> ber_integer(Bytes value) {
  if (value.empty() || value.size() > 8) return std::nullopt;
  std::uint64_t out = (value[0] & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (const std::uint8_t byte : value) out = out << 8 | byte;
  return static_cast<std::int64_t>(out);
}
/// The same for what is never negative.
inline std::optional<std::uint64_t> ber_unsigned(Bytes value) {
  const std::optional<std::int64_t> out = ber_integer(value);
  if (out && *out >= 0) return static_cast<std::uint64_t>(*out);
  return std::nullopt;
}

}  // namespace vmirror
