#include "agent/control/hook/message.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace vmirror {
namespace {

void append_encoded(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte < 0x80 && std::isalnum(byte)) || c == '-' || c == '.' || c == '_' ||
                       c == '~';  // RFC 3986, section 2.3
    if (plain) {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
}

tl::unexpected<Error> no_reply(const char* why) {
  return fail(Error::Kind::invalid, why, "the agent's answer");
}

/// True when the header line has this name; `value` is what follows, without blanks around it.
bool is_header(std::string_view line, std::string_view name, std::string_view& value) {
  if (line.size() <= name.size() || line[name.size()] != ':') return false;
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  if (!std::ranges::equal(line.substr(0, name.size()), name, {}, lower, lower)) return false;
  value = line.substr(name.size() + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  return true;
}

/// The text as a number, whole; none: it is no such number.
std::optional<std::size_t> number(std::string_view text) {
  std::size_t out = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, out);
  if (text.empty() || read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return out;
}

/// "HTTP/1.1 409 Conflict" -> 409; none: it is no status line.
std::optional<int> status_of(std::string_view line) {
  constexpr std::string_view kProtocol = "HTTP/1.";
  if (!line.starts_with(kProtocol) || line.size() < 12 || line[8] != ' ') return std::nullopt;
  const auto status = number(line.substr(9, 3));
  if (!status || *status < 100 || (line.size() > 12 && line[12] != ' ')) return std::nullopt;
  return static_cast<int>(*status);
}

}  // namespace

std::string encode_hook_request(std::string_view operation, std::string_view guest,
                                std::string_view xml) {
  std::string out = "POST /v1/hook?operation=";
  out.reserve(256 + xml.size());
  append_encoded(out, operation);
  out += "&guest=";
  append_encoded(out, guest);
  out += " HTTP/1.1\r\nHost: vmirror\r\nConnection: close\r\nContent-Length: ";
  out += std::to_string(xml.size());
  out += "\r\n\r\n";
  out += xml;
  return out;
}

Result<std::optional<HookReply>> parse_hook_reply(std::string_view bytes, bool closed) {
  if (bytes.size() > kMaxHookAnswer) return no_reply("too long");
  const std::size_t head_end = bytes.find("\r\n\r\n");
  if (head_end == bytes.npos) {
    if (closed) return no_reply("it ends before its head does");
    return std::nullopt;
  }
  std::string_view head = bytes.substr(0, head_end + 2);
  const std::string_view body = bytes.substr(head_end + 4);
  const auto line = [&] {
    const std::string_view out = head.substr(0, head.find("\r\n"));
    head.remove_prefix(out.size() + 2);
    return out;
  };
  const auto status = status_of(line());
  if (!status) return no_reply("no HTTP");
  std::optional<std::size_t> length;
  while (!head.empty()) {
    const std::string_view field = line();
    std::string_view value;
    if (is_header(field, "Transfer-Encoding", value)) return no_reply("a transfer coding");
    if (!is_header(field, "Content-Length", value)) continue;
    length = number(value);
    if (!length || *length > kMaxHookAnswer) return no_reply("a bad length");
  }
  if (length && body.size() >= *length) return HookReply{*status, std::string(body, 0, *length)};
  if (!closed) return std::nullopt;
  if (length) return no_reply("it ends before its body does");
  return HookReply{*status, std::string(body)};
}

}  // namespace vmirror
