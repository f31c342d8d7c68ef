// Writes JSON straight into a text buffer: no tree, no allocation once the buffer has its size.
//
//   Json json(buffer);
//   json.open_object();            {
//   json.field("id", 7);             "id":7
//   json.open_array("ips");          ,"ips":[
//   json.value(ip);                    "192.0.2.1"
//   json.close();                    ]
//   json.close();                  }
//
// What comes out is always valid JSON in UTF-8, whatever the bytes of a text are. A byte of a text
// that is no part of valid UTF-8 (RFC 3629: overlong forms and surrogates aren't) becomes the four
// characters `\xNN`, as Suricata writes them: readable, and nothing is lost.
//
// Millions of fields a second: bytes go to a block of the writer's own, whose room is asked for
// once for each field, and from there to the buffer many at a time.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "plugin/base/address.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

/// Appends `text` to `out` as a JSON string with its quotes (RFC 8259 section 7). Pure.
void append_json_string(std::string& out, std::string_view text);

/// The name of a member. A literal is looked at by the compiler and needs no escapes.
class JsonName {
 public:
  static constexpr std::size_t kMost = 64;  ///< Bytes of a literal with quotes, comma and colon.

  constexpr JsonName() = default;
  template <std::size_t kSize>
  consteval JsonName(const char (&literal)[kSize]) : text_(literal, kSize - 1), is_plain_(true) {
    static_assert(kSize + 3 <= kMost);
    for (const char c : text_)
      if (c < 0x20 || c == 0x7f || c == '"' || c == '\\') throw "a name that needs escapes";
  }
  /// Any bytes: they are escaped as any text is.
  static constexpr JsonName any(std::string_view text) {
    JsonName name;
    name.text_ = text;
    return name;
  }

  std::string_view text() const { return text_; }
  bool is_plain() const { return is_plain_; }

 private:
  std::string_view text_;
  bool is_plain_ = false;
};

/// A writer of one JSON value into a buffer that it borrows, which has the value when it is closed,
/// or when the writer is gone. It puts the commas; the caller nests rightly: a name with every
/// member of an object, none in an array.
class Json {
 public:
  static constexpr int kMaxDepth = 30;  ///< Deeper ones are left out; many readers stop at 32.

  explicit Json(std::string& out) : out_(out) {}
  ~Json() { flush(); }
  Json(const Json&) = delete;
  Json& operator=(const Json&) = delete;

  [[gnu::always_inline]] void open_object(JsonName name = {}) { opened(begin(name), '{'); }
  [[gnu::always_inline]] void open_array(JsonName name = {}) { opened(begin(name), '['); }
  /// Closes the innermost that is open. Nothing is open: does nothing.
  void close();
  /// Closes what was opened after the nesting was `depth`.
  void close_to(int depth) {
    while (depth_ > depth) close();
  }
  int depth() const { return depth_; }

  /// A member of the open object.
  template <typename T>
  [[gnu::always_inline]] void field(JsonName name, const T& v) {
    if (begin(name)) write(v);
  }
  /// An element of the open array, or the one value at the top.
  template <typename T>
  [[gnu::always_inline]] void value(const T& v) {
    if (begin({})) write(v);
  }
  void null(JsonName name) {
    if (begin(name)) literal("null");
  }
  /// A time in Suricata's form: 2026-01-02T03:04:05.678901+0000, always in UTC.
  [[gnu::always_inline]] void time(JsonName name, Time t) {
    if (begin(name)) write_time(t);
  }
  /// Raw bytes as lower-case hexadecimal text.
  [[gnu::always_inline]] void hex(JsonName name, std::string_view bytes) {
    if (begin(name)) write_hex(bytes);
  }

 private:
  static constexpr std::size_t kBlock = 4096;  ///< Bytes written before they go to the buffer.
  static constexpr std::size_t kShort = 64;    ///< The most that a value takes that is no text.

  /// Behind `begin`: an object or array, or one that is too deep.
  void opened(bool begun, char bracket);
  /// Comma and name; false: too deep, write nothing. Leaves room for a short value.
  [[gnu::always_inline]] bool begin(JsonName name) {
    if (depth_ >= kMaxDepth) return false;
    room(JsonName::kMost + kShort);
    const std::uint64_t bit = 1ULL << depth_;
    *at_ = ',';
    at_ += (used_ & bit) != 0 ? 1 : 0;
    used_ |= bit;
    if (depth_ == 0 || (arrays_ & bit) != 0) return true;
    if (name.is_plain()) {
      *at_++ = '"';
      std::memcpy(at_, name.text().data(), name.text().size());
      at_ += name.text().size();
      *at_++ = '"';
    } else {
      string(name.text());
      room(kShort + 1);
    }
    *at_++ = ':';
    return true;
  }
  /// Makes sure that `bytes` can be written.
  void room(std::size_t bytes) {
    if (static_cast<std::size_t>(block_ + kBlock - at_) < bytes) [[unlikely]]
      flush();
  }
  void flush();
  void literal(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void string(std::string_view text);
  bool copy_plain(std::string_view text);
  void escape(std::string_view text, std::size_t& place);
  void write_time(Time t);
  void write_hex(std::string_view bytes);
  void write_unsigned(std::uint64_t v);
  void write_signed(std::int64_t v);
  void write(bool v) { v ? literal("true") : literal("false"); }
  void write(std::unsigned_integral auto v) { write_unsigned(v); }
  void write(std::signed_integral auto v) { write_signed(v); }
  void write(double v);  ///< Not a number or infinite: null.
  void write(std::string_view v) { string(v); }
  void write(const char* v) { string(v); }
  void write(const std::string& v) { string(v); }
  void write(const Mac& v);
  void write(const IpAddress& v);  ///< No address: null.

  std::string& out_;
  char* at_ = block_;  ///< Behind what was written.
  int depth_ = 0;
  std::uint64_t arrays_ = 0;  ///< Bit d: what is open at depth d + 1 is an array.
  std::uint64_t used_ = 0;    ///< Bit d: it has a member already, so that a comma is due.
  char block_[kBlock];
};

}  // namespace vmirror
