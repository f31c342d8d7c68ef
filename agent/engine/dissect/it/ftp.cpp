// RFC 959, sections 4.1 (commands), 4.2 (replies); RFC 2428 (EPRT, EPSV); RFC 4217, section 4.
//
//   command   WORD CRLF   WORD SP argument CRLF
//   reply     NNN SP text CRLF    NNN-text CRLF ... NNN SP text CRLF
//   PORT, 227 h1,h2,h3,h4,p1,p2   EPRT |1|address|port|    229 (|||port|)
#include "agent/engine/dissect/it/ftp.hpp"

#include "agent/engine/dissect/header_lines.hpp"
#include "agent/engine/dissect/it/tls.hpp"

namespace vmirror {
namespace ftp {
namespace {

constexpr std::size_t kLongestLine = 2048, kLongestReply = 16384;
constexpr Time kAnnounced = 60 * kSecond;
enum Asked : std::uint32_t { kOther, kAuth };

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}
/// "220 " and "220-": the code at the front of a reply's line.
bool has_code(std::string_view text) {
  return text.size() >= 4 && text[0] >= '1' && text[0] <= '6' && is_digit(text[1]) &&
         is_digit(text[2]) && (text[3] == ' ' || text[3] == '-' || text[3] == '\r');
}

/// Bytes up to the end of the reply at the front; 0: it is not there.
std::size_t reply_size(std::string_view text) {
  std::string_view rest = text;
  for (bool first = true;; first = false) {
    const std::string_view at = rest;
    const auto line = next_line(rest);
    if (!line) return 0;
    const bool ends = at.size() >= 4 && at.substr(0, 3) == text.substr(0, 3) && at[3] != '-';
    if (ends || (first && (at.size() < 4 || at[3] != '-'))) return text.size() - rest.size();
  }
}

/// Takes a number off, and the separator behind it.
std::optional<std::uint64_t> take_number(std::string_view& rest, std::string_view separators) {
  const std::size_t end = std::min(rest.find_first_of(separators), rest.size());
  const auto out = number_of(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return out;
}

struct Address {
  IpAddress ip;  ///< Empty: not said.
  std::uint16_t port = 0;
};
/// "h1,h2,h3,h4,p1,p2", behind anything that is no digit.
std::optional<Address> host_port(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_of("0123456789"), text.size()));
  std::uint8_t octets[6];
  for (std::uint8_t& octet : octets) {
    const auto number = take_number(text, ",). \r");
    if (!number || *number > 255) return std::nullopt;
    octet = static_cast<std::uint8_t>(*number);
  }
  return Address{IpAddress::v4(octets), load_be16(octets + 4)};
}
/// "|1|192.0.2.1|5282|" and "(|||5282|)"; the address is not read: it is the sender's own.
std::optional<Address> extended(std::string_view text) {
  text.remove_prefix(std::min(text.find('|'), text.size()));
  if (text.empty()) return std::nullopt;
  const char bar[] = {text[0], 0};
  text.remove_prefix(1);
  take_number(text, bar);
  take_number(text, bar);
  const auto port = take_number(text, bar);
  if (!port || *port == 0 || *port > 65535) return std::nullopt;
  return Address{{}, static_cast<std::uint16_t>(*port)};
}

/// `listener`: whose port it is, where the text names no address or one that is hidden by NAT.
void announce(const std::optional<Address>& address, const char* mode, const IpAddress& listener,
              const Context& context, Facts& facts) {
  if (!address || address->port == 0) return;
  facts.add("dynamic_port", address->port);
  facts.add("mode", mode);
  context.expect(listener, address->port, kFtpData, kAnnounced);
  if (!address->ip.empty() && address->ip != listener)
    context.expect(address->ip, address->port, kFtpData, kAnnounced);
}

void tell_command(const FtpMessage& ftp, const Context& context, Facts& facts) {
  constexpr std::string_view kWrites[] = {"STOR", "STOU", "APPE", "DELE", "RNTO", "RMD", "MKD"};
  const auto is = [&](std::string_view name) { return is_same_name(ftp.command, name); };
  tell_text(facts, "command", ftp.command);
  const bool secret = is("PASS") || is("ACCT");
  if (!secret) tell_text(facts, "command_data", ftp.argument);
  if (is("PASS"))
    facts.act(Act::Kind::weak_authentication, context.receiver(), context.sender(), "ftp.command");
  if (is("RETR")) facts.act(Act::Kind::read, context.receiver(), context.sender(), "ftp.command");
  if (std::any_of(std::begin(kWrites), std::end(kWrites), is))
    facts.act(Act::Kind::write, context.receiver(), context.sender(), "ftp.command");
  if (is("PORT")) announce(host_port(ftp.argument), "active", context.source.ip, context, facts);
  if (is("EPRT")) announce(extended(ftp.argument), "active", context.source.ip, context, facts);
  context.ask(0, is("AUTH") ? kAuth : kOther);
}

Outcome tell_reply(const FtpMessage& ftp, const Context& context, Facts& facts) {
  constexpr std::uint16_t kPassive = 227, kExtendedPassive = 229, kAuthAccepted = 234;
  facts.add("completion_code", ftp.code);
  tell_text(facts, "reply", ftp.text);
  const IpAddress& own = context.source.ip;
  if (ftp.code == kPassive) {
    const std::size_t from = ftp.text.find('(');
    announce(host_port(ftp.text.substr(std::min(from, ftp.text.size()))), "passive", own, context,
             facts);
  }
  if (ftp.code == kExtendedPassive) announce(extended(ftp.text), "passive", own, context, facts);
  const auto request = context.answer(0);
  if (request) facts.add("latency_us", context.latency_us(*request));
  facts.learn(context.sender(), Attribute::service, "ftp", "ftp.completion_code",
              Confidence::implied);
  const bool secured = ftp.code == kAuthAccepted && request && request->a == kAuth;
  return secured ? Outcome::become(kTls) : Outcome(Malformed::none);
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto ftp = parse_ftp(bytes);
  if (!ftp) return ftp.error();
  facts.record("ftp");
  if (ftp->is_reply) return tell_reply(*ftp, context, facts);
  tell_command(*ftp, context, facts);
  return Malformed::none;
}

Framing frame(Bytes stream, const Context& context) {
  const std::string_view text = as_text(stream);
  if (!context.to_server) {
    if (!is_digit(text[0]) || (text.size() >= 4 && !has_code(text))) return Framing::lost();
    const std::size_t size = reply_size(text);
    if (size > 0) return Framing::message(static_cast<std::uint32_t>(size));
    return text.size() < kLongestReply ? Framing::more() : Framing::lost();
  }
  if (!is_letter(text[0])) return Framing::lost();
  const std::size_t end = text.find('\n');
  if (end != text.npos) return Framing::message(static_cast<std::uint32_t>(end + 1));
  return text.size() < kLongestLine ? Framing::more() : Framing::lost();
}

/// The greeting's 220 is SMTP's, too: elsewhere than at the port it must name FTP. A command is
/// three or four letters there.
Probe probe(Bytes stream, const Context& context) {
  if (stream.empty()) return Probe::maybe;
  const std::string_view text = as_text(stream);
  std::string_view rest = text;
  if (is_digit(text[0])) {
    if (text.size() < 4) return Probe::maybe;
    if (!has_code(text)) return Probe::no;
    const auto line = next_line(rest);
    if (!line) return text.size() < kLongestLine ? Probe::maybe : Probe::no;
    if (context.at_own_port) return Probe::server;
    const std::string_view greeting = text.substr(0, reply_size(text));
    const bool names =
        greeting.find("FTP") != greeting.npos || greeting.find("ftp") != greeting.npos;
    if (line->starts_with("220") && greeting.empty())
      return text.size() < kLongestReply ? Probe::maybe : Probe::no;
    return line->starts_with("220") && names ? Probe::server : Probe::no;
  }
  if (!context.at_own_port) return Probe::no;
  const auto line = next_line(rest);
  const std::size_t letters = static_cast<std::size_t>(
      std::find_if_not(text.begin(), text.end(), is_letter) - text.begin());
  if (letters > 4) return Probe::no;
  if (!line) return letters == text.size() || letters >= 3 ? Probe::maybe : Probe::no;
  const bool ends = letters == line->size() || (*line)[letters] == ' ';
  return letters >= 3 && ends ? Probe::client : Probe::no;
}

// ---- Data

Framing frame_data(Bytes stream, const Context&) {
  return Framing::message(static_cast<std::uint32_t>(stream.size()), 0);
}
Outcome dissect_data(Bytes, const Context&, Facts&) {
  return Outcome::done();
}
/// Anything, where it was announced.
Probe probe_data(Bytes, const Context& context) {
  return context.at_own_port ? Probe::yes : Probe::no;
}

constexpr Place kAt[] = {21};
constexpr Place kAtData[] = {20};

}  // namespace
}  // namespace ftp

Parsed<FtpMessage> parse_ftp(Bytes bytes) {
  std::string_view rest = as_text(bytes);
  if (rest.empty()) return bad(Malformed::truncated);
  FtpMessage out;
  out.is_reply = ftp::is_digit(rest[0]);
  if (!out.is_reply && !ftp::is_letter(rest[0])) return bad(Malformed::bad_value);
  if (out.is_reply && ftp::reply_size(rest) == 0) return bad(Malformed::truncated);
  const auto line = next_line(rest);
  if (!line) return bad(Malformed::truncated);
  if (out.is_reply) {
    const auto code = number_of(line->substr(0, 3));
    if (!code || line->size() < 3) return bad(Malformed::bad_value);
    out.code = static_cast<std::uint16_t>(*code);
    out.text = line->substr(std::min<std::size_t>(4, line->size()));
    return out;
  }
  out.argument = *line;
  out.command = next_word(out.argument);
  return out;
}

const Dissector kFtp{.name = "ftp",
                     .carrier = Carrier::stream,
                     .at = ftp::kAt,
                     .probe = ftp::probe,
                     .frame = ftp::frame,
                     .dissect = ftp::dissect};
const Dissector kFtpData{.name = "ftp_data",
                         .carrier = Carrier::stream,
                         .at = ftp::kAtData,
                         .probe = ftp::probe_data,
                         .frame = ftp::frame_data,
                         .dissect = ftp::dissect_data};

}  // namespace vmirror
