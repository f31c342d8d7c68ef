#include "agent/engine/export/json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>

#include "plugin/base/plain_text.hpp"

namespace vmirror {
namespace {

constexpr char kJsonHex[] = "0123456789abcdef";

/// True for what a JSON string may hold as it is: printable ASCII but the quote and the backslash.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (int c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

/// The same of eight bytes at once.
bool all_plain(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kHigh = 0x8080808080808080;
  const auto has_zero = [](std::uint64_t v) { return (v - kOnes) & ~v; };
  const std::uint64_t below_space = word - kOnes * 0x20;
  const std::uint64_t above_tilde = word + kOnes;
  return ((below_space | above_tilde | word | has_zero(word ^ kOnes * '"') |
           has_zero(word ^ kOnes * '\\')) &
          kHigh) == 0;
}

/// "00" to "99".
constexpr auto kPairs = [] {
  std::array<std::array<char, 2>, 100> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i)
    pairs[i] = {static_cast<char>('0' + i / 10), static_cast<char>('0' + i % 10)};
  return pairs;
}();

/// Two decimal digits.
char* put_pair(char* to, std::uint64_t value) {
  std::memcpy(to, kPairs[value].data(), 2);
  return to + 2;
}

char* put_hex(char* to, unsigned byte) {
  to[0] = kJsonHex[byte >> 4];
  to[1] = kJsonHex[byte & 15];
  return to + 2;
}

/// The octets' decimal texts: most of an event's numbers are these.
struct OctetText {
  char text[3];
  std::uint8_t size;
};
constexpr auto kOctets = [] {
  std::array<OctetText, 256> octets{};
  for (unsigned i = 0; i < octets.size(); ++i) {
    OctetText& out = octets[i];
    if (i >= 100) out.text[out.size++] = static_cast<char>('0' + i / 100);
    if (i >= 10) out.text[out.size++] = static_cast<char>('0' + i / 10 % 10);
    out.text[out.size++] = static_cast<char>('0' + i % 10);
  }
  return octets;
}();

/// Writes up to two bytes more than it says.
char* put_ip4(char* to, const std::uint8_t* octets) {
  for (int i = 0; i < 4; ++i) {
    const OctetText& octet = kOctets[octets[i]];
    std::memcpy(to, octet.text, sizeof octet.text);
    to += octet.size;
    *to++ = '.';
  }
  return to - 1;
}

/// Where the longest run of two or more zero groups begins and ends, the first of them; RFC 5952.
std::pair<int, int> longest_zeros(const std::array<unsigned, 8>& groups) {
  std::pair<int, int> longest{-1, -1};
  for (int i = 0; i < 8; ++i) {
    int end = i;
    while (end < 8 && groups[static_cast<std::size_t>(end)] == 0) ++end;
    if (end - i >= 2 && end - i > longest.second - longest.first) longest = {i, end};
    i = std::max(i, end);
  }
  return longest;
}

/// RFC 5952, and with inet_ntop ::ffff:192.0.2.1 and ::192.0.2.1.
char* put_ip6(char* to, const std::uint8_t* octets) {
  std::array<unsigned, 8> groups;
  for (std::size_t i = 0; i < 8; ++i) groups[i] = load_be16(octets + 2 * i);
  const auto [zeros, behind] = longest_zeros(groups);
  const bool with_ip4 = zeros == 0 && (behind == 6 || (behind == 5 && groups[5] == 0xffff));
  const int end = with_ip4 ? 6 : 8;
  for (int i = 0; i < end;) {
    if (i == zeros) {
      *to++ = ':';
      i = behind;
      if (i >= end) *to++ = ':';
      continue;
    }
    if (i > 0) *to++ = ':';
    to = std::to_chars(to, to + 4, groups[static_cast<std::size_t>(i++)], 16).ptr;
  }
  if (!with_ip4) return to;
  if (behind < 6) *to++ = ':';
  return put_ip4(to, octets + 12);
}

char* put_time(char* to, Time time) {
  using namespace std::chrono;
  const sys_time<nanoseconds> at{nanoseconds(time)};
  const sys_days day = floor<days>(at);
  const year_month_day date(day);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  const auto of_day = static_cast<std::uint64_t>(floor<microseconds>(at - day).count());
  const auto second = static_cast<unsigned>(of_day / 1'000'000);
  const auto microseconds_of = static_cast<unsigned>(of_day % 1'000'000);
  to = put_pair(put_pair(to, year / 100), year % 100);
  *to++ = '-';
  to = put_pair(to, static_cast<unsigned>(date.month()));
  *to++ = '-';
  to = put_pair(to, static_cast<unsigned>(date.day()));
  *to++ = 'T';
  to = put_pair(to, second / 3600);
  *to++ = ':';
  to = put_pair(to, second / 60 % 60);
  *to++ = ':';
  to = put_pair(to, second % 60);
  *to++ = '.';
  to = put_pair(to, microseconds_of / 10000);
  to = put_pair(to, microseconds_of / 100 % 100);
  to = put_pair(to, microseconds_of % 100);
  std::memcpy(to, "+0000", 5);
  return to + 5;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  Json(out).value(text);
}

void Json::flush() {
  out_.append(block_, static_cast<std::size_t>(at_ - block_));
  at_ = block_;
}

void Json::opened(bool begun, char bracket) {
  if (begun) {
    *at_++ = bracket;
    const std::uint64_t bit = 1ULL << (depth_ + 1);
    arrays_ = bracket == '[' ? arrays_ | bit : arrays_ & ~bit;
    used_ &= ~bit;
  }
  ++depth_;
}

void Json::close() {
  if (depth_ == 0) return;
  room(1);
  if (depth_ <= kMaxDepth) *at_++ = (arrays_ >> depth_ & 1) != 0 ? ']' : '}';
  if (--depth_ == 0) flush();
}

/// Copies a text shorter than a word, if it needs no escapes. Four bytes and more are two halves of
/// a word that overlap. There is room.
bool Json::copy_plain(std::string_view text) {
  const char* const from = text.data();
  const std::size_t size = text.size();
  if (size >= 4) {
    std::uint32_t first, last;
    std::memcpy(&first, from, 4);
    std::memcpy(&last, from + size - 4, 4);
    if (!all_plain(first | std::uint64_t{last} << 32)) return false;
    std::memcpy(at_, &first, 4);
    std::memcpy(at_ + size - 4, &last, 4);
  } else {
    for (const char c : text)
      if (!kPlain[static_cast<unsigned char>(c)]) return false;
    for (std::size_t i = 0; i < size; ++i) at_[i] = from[i];
  }
  at_ += size;
  return true;
}

void Json::string(std::string_view text) {
  constexpr std::size_t kWord = 8;
  room(2 * kWord);
  *at_++ = '"';
  std::size_t i = 0;
  bool short_and_plain = text.size() < kWord && copy_plain(text);
  while (i < text.size() && !short_and_plain) {
    room(2 * kWord);  // An escape has six bytes, the closing quote one.
    if (text.size() >= kWord) {
      // The last word begins earlier than where we are: what was written before is shifted out.
      const std::size_t word_at = std::min(i, text.size() - kWord);
      std::uint64_t word;
      std::memcpy(&word, text.data() + word_at, kWord);
      if (all_plain(word)) {
        word >>= 8 * (i - word_at);
        std::memcpy(at_, &word, kWord);
        at_ += word_at + kWord - i;
        i = word_at + kWord;
        continue;
      }
    }
    if (kPlain[static_cast<unsigned char>(text[i])])
      *at_++ = text[i++];
    else
      escape(text, i);
  }
  *at_++ = '"';
}

/// What stands for the byte at `place`, or the UTF-8 sequence that begins there.
void Json::escape(std::string_view text, std::size_t& place) {
  const auto c = static_cast<unsigned char>(text[place]);
  const std::size_t size = utf8_size(text.substr(place));
  if (size > 1 || c == 0x7f) {
    std::memcpy(at_, text.data() + place, size);
    at_ += size;
    place += size;
    return;
  }
  ++place;
  if (size == 0) {
    literal("\\\\x");
    at_ = put_hex(at_, c);
    return;
  }
  switch (c) {
    case '"':
      return literal("\\\"");
    case '\\':
      return literal("\\\\");
    case '\n':
      return literal("\\n");
    case '\r':
      return literal("\\r");
    case '\t':
      return literal("\\t");
    default:
      literal("\\u00");
      at_ = put_hex(at_, c);
  }
}

void Json::write_time(Time t) {
  *at_++ = '"';
  at_ = put_time(at_, t);
  *at_++ = '"';
}

void Json::write_hex(std::string_view bytes) {
  *at_++ = '"';
  for (const char c : bytes) {
    room(4);
    at_ = put_hex(at_, static_cast<unsigned char>(c));
  }
  *at_++ = '"';
}

void Json::write_unsigned(std::uint64_t v) {
  at_ = std::to_chars(at_, at_ + kShort, v).ptr;
}
void Json::write_signed(std::int64_t v) {
  at_ = std::to_chars(at_, at_ + kShort, v).ptr;
}

void Json::write(double v) {
  if (!std::isfinite(v)) return literal("null");
  at_ = std::to_chars(at_, at_ + kShort, v).ptr;
}

void Json::write(const Mac& v) {
  char* to = at_;
  *to++ = '"';
  for (std::size_t i = 0; i < 6; ++i) {
    if (i > 0) *to++ = ':';
    to = put_hex(to, v.octets[i]);
  }
  *to++ = '"';
  at_ = to;
}

void Json::write(const IpAddress& v) {
  if (v.empty()) return literal("null");
  char* to = at_;
  *to++ = '"';
  to = v.version == 4 ? put_ip4(to, v.octets.data()) : put_ip6(to, v.octets.data());
  *to++ = '"';
  at_ = to;
}

}  // namespace vmirror
