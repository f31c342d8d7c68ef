#include "agent/engine/export/json.hpp"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cmath>
#include <ctime>

#include "plugin/base/plain_text.hpp"

namespace vmirror {
namespace {

constexpr char kHex[] = "0123456789abcdef";

/// True for what a JSON string may hold as it is: printable ASCII but the quote and the backslash.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (int c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

void append_control(std::string& out, unsigned char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
  }
}

void append_digits(std::string& out, int value, int digits) {
  char text[8];
  for (int i = digits; i-- > 0; value /= 10) text[i] = static_cast<char>('0' + value % 10);
  out.append(text, static_cast<std::size_t>(digits));
}

template <typename T>
void append_number(std::string& out, T v) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, v).ptr;
  out.append(text, static_cast<std::size_t>(end - text));
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    std::size_t run = i;
    while (run < text.size() && kPlain[p[run]]) ++run;
    out.append(text, i, run - i);
    if ((i = run) == text.size()) break;
    const std::size_t size = utf8_size(text.substr(i));
    if (size > 1 || p[i] == 0x7f) {
      out.append(text, i, size);
      i += size;
    } else if (size == 1) {
      append_control(out, p[i++]);
    } else {
      out += "\\\\x";
      out += kHex[p[i] >> 4];
      out += kHex[p[i++] & 15];
    }
  }
  out += '"';
}

void append_eve_time(std::string& out, Time time) {
  Time seconds = time / kSecond;
  Time nanoseconds = time % kSecond;
  if (nanoseconds < 0) {
    nanoseconds += kSecond;
    --seconds;
  }
  // Events come in order of time: the calendar is worked out once a second, not once a line.
  thread_local Time known_seconds = -1;
  thread_local char known[32];
  thread_local std::size_t known_size = 0;
  if (seconds != known_seconds || known_size == 0) {
    const std::time_t t = seconds;
    std::tm tm{};
    gmtime_r(&t, &tm);
    known_size = std::strftime(known, sizeof known, "%Y-%m-%dT%H:%M:%S.", &tm);
    known_seconds = seconds;
  }
  out.append(known, known_size);
  append_digits(out, static_cast<int>(nanoseconds / 1000), 6);
  out += "+0000";
}

void Json::open(std::string_view name, char bracket) {
  if (begin(name)) {
    out_ += bracket;
    const std::uint64_t bit = 1ULL << (depth_ + 1);
    arrays_ = bracket == '[' ? arrays_ | bit : arrays_ & ~bit;
    used_ &= ~bit;
  }
  ++depth_;
}

void Json::close() {
  if (depth_ == 0) return;
  if (depth_ <= kMaxDepth) out_ += (arrays_ >> depth_ & 1) != 0 ? ']' : '}';
  --depth_;
}

bool Json::begin(std::string_view name) {
  if (depth_ >= kMaxDepth) return false;
  const std::uint64_t bit = 1ULL << depth_;
  if ((used_ & bit) != 0) out_ += ',';
  used_ |= bit;
  if (depth_ > 0 && (arrays_ & bit) == 0) {
    append_json_string(out_, name);
    out_ += ':';
  }
  return true;
}

void Json::time(std::string_view name, Time t) {
  if (!begin(name)) return;
  out_ += '"';
  append_eve_time(out_, t);
  out_ += '"';
}

void Json::hex(std::string_view name, std::string_view bytes) {
  if (!begin(name)) return;
  out_ += '"';
  for (const char c : bytes) {
    out_ += kHex[static_cast<unsigned char>(c) >> 4];
    out_ += kHex[static_cast<unsigned char>(c) & 15];
  }
  out_ += '"';
}

void Json::write_unsigned(std::uint64_t v) {
  append_number(out_, v);
}
void Json::write_signed(std::int64_t v) {
  append_number(out_, v);
}

void Json::write(double v) {
  if (std::isfinite(v)) {
    append_number(out_, v);
  } else {
    out_ += "null";
  }
}

void Json::write(const Mac& v) {
  char text[19];
  char* p = text;
  *p++ = '"';
  for (std::size_t i = 0; i < 6; ++i) {
    if (i > 0) *p++ = ':';
    *p++ = kHex[v.octets[i] >> 4];
    *p++ = kHex[v.octets[i] & 15];
  }
  *p++ = '"';
  out_.append(text, static_cast<std::size_t>(p - text));
}

void Json::write(const IpAddress& v) {
  if (v.empty()) {
    out_ += "null";
    return;
  }
  out_ += '"';
  if (v.version == 4) {
    for (std::size_t i = 0; i < 4; ++i) {
      if (i > 0) out_ += '.';
      append_number(out_, static_cast<unsigned>(v.octets[i]));
    }
  } else {
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(AF_INET6, v.octets.data(), text, sizeof text);
    out_ += text;
  }
  out_ += '"';
}

}  // namespace vmirror
