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
// What comes out is always valid JSON in UTF-8, whatever the bytes of a text are.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "plugin/base/address.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

/// Appends `text` to `out` as a JSON string with its quotes (RFC 8259 section 7). A byte that is no
/// part of valid UTF-8 (RFC 3629: overlong forms and surrogates aren't) becomes the four characters
/// `\xNN`, as Suricata writes them: readable, and nothing is lost. Pure.
void append_json_string(std::string& out, std::string_view text);

/// Appends Suricata's form of a time: 2026-01-02T03:04:05.678901+0000, always in UTC.
void append_eve_time(std::string& out, Time time);

/// A writer of one JSON value into a buffer that it borrows. It puts the commas; the caller nests
/// rightly: a name with every member of an object, none in an array.
class Json {
 public:
  static constexpr int kMaxDepth = 30;  ///< Deeper ones are left out; many readers stop at 32.

  explicit Json(std::string& out) : out_(out) {}

  void open_object(std::string_view name = {}) { open(name, '{'); }
  void open_array(std::string_view name = {}) { open(name, '['); }
  /// Closes the innermost that is open. Nothing is open: does nothing.
  void close();
  /// Closes what was opened after the nesting was `depth`.
  void close_to(int depth) {
    while (depth_ > depth) close();
  }
  int depth() const { return depth_; }

  /// A member of the open object.
  template <typename T>
  void field(std::string_view name, const T& v) {
    if (!begin(name)) return;
    write(v);
  }
  /// An element of the open array, or the one value at the top.
  template <typename T>
  void value(const T& v) {
    if (!begin({})) return;
    write(v);
  }
  void null(std::string_view name) {
    if (begin(name)) out_ += "null";
  }
  /// A time in Suricata's form.
  void time(std::string_view name, Time t);
  /// Raw bytes as lower-case hexadecimal text.
  void hex(std::string_view name, std::string_view bytes);

 private:
  void open(std::string_view name, char bracket);
  bool begin(std::string_view name);  ///< Comma and name; false: too deep, write nothing.
  void write_unsigned(std::uint64_t v);
  void write_signed(std::int64_t v);
  void write(bool v) { out_ += v ? "true" : "false"; }
  void write(std::unsigned_integral auto v) { write_unsigned(v); }
  void write(std::signed_integral auto v) { write_signed(v); }
  void write(double v);  ///< Not a number or infinite: null.
  void write(std::string_view v) { append_json_string(out_, v); }
  void write(const char* v) { append_json_string(out_, v); }
  void write(const std::string& v) { append_json_string(out_, v); }
  void write(const Mac& v);
  void write(const IpAddress& v);  ///< No address: null.

  std::string& out_;
  int depth_ = 0;
  std::uint64_t arrays_ = 0;  ///< Bit d: what is open at depth d + 1 is an array.
  std::uint64_t used_ = 0;    ///< Bit d: it has a member already, so that a comma is due.
};

}  // namespace vmirror
