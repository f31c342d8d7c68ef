// The byte cursor: the only way in which a parser reads. Every length passes its bound check, so a
// parser that uses it alone can't read past its input. All integers are big-endian unless the name
// says `le`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace vmirror {

using Bytes = std::span<const std::uint8_t>;

inline std::uint16_t load_be16(const std::uint8_t* p) {
  std::uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap16(v);
}
inline std::uint32_t load_be32(const std::uint8_t* p) {
  std::uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap32(v);
}
inline std::uint64_t load_be64(const std::uint8_t* p) {
  std::uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap64(v);
}
inline void store_be16(std::uint8_t* p, std::uint16_t v) {
  v = __builtin_bswap16(v);
  std::memcpy(p, &v, sizeof v);
}
inline void store_be32(std::uint8_t* p, std::uint32_t v) {
  v = __builtin_bswap32(v);
  std::memcpy(p, &v, sizeof v);
}

inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Reads a borrowed span from front to back. A read past the end returns zero (or an empty span),
/// moves to the end and makes `ok()` false for good: a parser reads a whole fixed part and checks
/// once.
class Cursor {
 public:
  Cursor() = default;
  explicit Cursor(Bytes bytes)
      : begin_(bytes.data()), at_(bytes.data()), end_(at_ + bytes.size()) {}

  /// True while no read went past the end.
  bool ok() const { return ok_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  bool empty() const { return at_ == end_; }
  /// Bytes read so far.
  std::size_t offset() const { return static_cast<std::size_t>(at_ - begin_); }
  /// What is left, without reading it.
  Bytes rest() const { return {at_, left()}; }

  std::uint8_t u8() { return has(1) ? *at_++ : 0; }
  std::uint16_t u16() {
    return read<std::uint16_t>([](auto v) { return __builtin_bswap16(v); });
  }
  std::uint32_t u32() {
    return read<std::uint32_t>([](auto v) { return __builtin_bswap32(v); });
  }
  std::uint64_t u64() {
    return read<std::uint64_t>([](auto v) { return __builtin_bswap64(v); });
  }
  std::uint32_t u24() {
    const std::uint32_t high = u8();
    return (high << 16) | u16();
  }
  std::uint16_t le16() {
    return read<std::uint16_t>([](auto v) { return v; });
  }
  std::uint32_t le32() {
    return read<std::uint32_t>([](auto v) { return v; });
  }
  std::uint64_t le64() {
    return read<std::uint64_t>([](auto v) { return v; });
  }

  /// The next `size` bytes as a span into the input.
  Bytes take(std::size_t size) {
    if (!has(size)) return {};
    Bytes out{at_, size};
    at_ += size;
    return out;
  }
  void skip(std::size_t size) { take(size); }
  /// A cursor over the next `size` bytes, which this one skips: the way into a length-prefixed
  /// part.
  Cursor sub(std::size_t size) {
    Cursor out(take(size));
    out.ok_ = ok_;
    return out;
  }

 private:
  bool has(std::size_t size) {
    if (left() >= size) return true;
    ok_ = false;
    at_ = end_;
    return false;
  }
  template <typename T, typename Convert>
  T read(Convert convert) {
    if (!has(sizeof(T))) return 0;
    T v;
    std::memcpy(&v, at_, sizeof v);
    at_ += sizeof v;
    return convert(v);
  }

  const std::uint8_t* begin_ = nullptr;
  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  bool ok_ = true;
};

}  // namespace vmirror
