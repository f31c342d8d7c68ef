// RFC 1350, section 5; RFC 2347 (options).
//
//   read, write   | 1 or 2[2] | file | 00 | mode | 00 | (option | 00 | value | 00)...
//   data, ack     | 3 or 4[2] | block[2] | data
//   error         | 5[2] | code[2] | message | 00 |
//   options       | 6[2] | (option | 00 | value | 00)...
#include "agent/engine/dissect/it/tftp.hpp"

#include "agent/engine/dissect/header_lines.hpp"

namespace vmirror {
namespace tftp {
namespace {

using Type = TftpMessage::Type;

constexpr int kMaxOptions = 16;

/// Takes off a text and the NUL behind it; nothing: it is not there.
std::optional<std::string_view> take_text(Bytes& rest) {
  const std::string_view text = as_text(rest);
  const std::size_t end = text.find('\0');
  if (end == text.npos) return std::nullopt;
  rest = rest.subspan(end + 1);
  return text.substr(0, end);
}

bool is_printable(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool has_request(const TftpMessage& tftp) {
  return tftp.type == Type::read || tftp.type == Type::write;
}

void tell_options(Bytes options, Facts& facts) {
  for (int i = 0; i < kMaxOptions && !options.empty(); ++i) {
    const auto name = take_text(options);
    const auto value = name ? take_text(options) : std::nullopt;
    const auto number = value ? number_of(*value) : std::nullopt;
    if (!number) continue;
    if (is_same_name(*name, "blksize")) facts.add("blksize", *number);
    if (is_same_name(*name, "tsize")) facts.add("tsize", *number);
  }
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  constexpr Time kMinute = 60 * kSecond;
  const auto tftp = parse_tftp(bytes);
  if (!tftp) return tftp.error();
  if (tftp->type == Type::data || tftp->type == Type::ack) return Malformed::none;
  facts.record("tftp");
  if (has_request(*tftp)) {
    const bool writes = tftp->type == Type::write;
    facts.add("packet", writes ? "write" : "read");
    tell_text(facts, "file", tftp->file);
    tell_text(facts, "mode", tftp->mode);
    tell_options(tftp->options, facts);
    facts.act(writes ? Act::Kind::write : Act::Kind::read, context.receiver(), context.sender(),
              "tftp.packet");
    context.expect(context.source.ip, context.source_port, kTftp, kMinute);
  } else if (tftp->type == Type::error) {
    facts.add("packet", "error");
    facts.add("error_code", tftp->block);
    tell_text(facts, "message", tftp->message);
  } else {
    facts.add("packet", "oack");
    tell_options(tftp->options, facts);
  }
  return Malformed::none;
}

/// Of data and acknowledgements four bytes are legal: where they were announced alone.
Probe probe(Bytes bytes, const Context& context) {
  const auto tftp = parse_tftp(bytes);
  if (!tftp) return Probe::no;
  if (has_request(*tftp)) return is_printable(tftp->file) ? Probe::client : Probe::no;
  return context.at_own_port ? Probe::yes : Probe::no;
}

constexpr Place kAt[] = {69};

}  // namespace
}  // namespace tftp

Parsed<TftpMessage> parse_tftp(Bytes bytes) {
  Cursor cursor(bytes);
  const std::uint16_t type = cursor.u16();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (type < 1 || type > 6) return bad(Malformed::bad_value);
  TftpMessage out;
  out.type = static_cast<tftp::Type>(type);
  if (tftp::has_request(out)) {
    Bytes rest = cursor.rest();
    const auto file = tftp::take_text(rest);
    const auto mode = file ? tftp::take_text(rest) : std::nullopt;
    if (!mode) return bad(Malformed::truncated);
    out.file = *file;
    out.mode = *mode;
    out.options = rest;
    const bool known = is_same_name(*mode, "octet") || is_same_name(*mode, "netascii") ||
                       is_same_name(*mode, "mail");
    return known ? Parsed<TftpMessage>(out) : bad(Malformed::bad_value);
  }
  if (out.type == tftp::Type::options) {
    out.options = cursor.rest();
    return out;
  }
  out.block = cursor.u16();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (out.type == tftp::Type::error) {
    Bytes rest = cursor.rest();
    const auto message = tftp::take_text(rest);
    if (!message) return bad(Malformed::truncated);
    out.message = *message;
  }
  return out;
}

const Dissector kTftp{.name = "tftp",
                      .carrier = Carrier::datagram,
                      .at = tftp::kAt,
                      .probe = tftp::probe,
                      .dissect = tftp::dissect};

}  // namespace vmirror
