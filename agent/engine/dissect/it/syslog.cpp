// RFC 5424, section 6; RFC 3164, section 4.1.
//
//   5424   <PRIORITY>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MESSAGE
//          "-": none
//   3164   <PRIORITY>Mmm dd hh:mm:ss HOSTNAME TAG[PROCID]: MESSAGE
//          <PRIORITY>anything: what many devices send
#include "agent/engine/dissect/it/syslog.hpp"

#include "agent/engine/dissect/header_lines.hpp"

namespace vmirror {
namespace syslog {
namespace {

constexpr std::uint64_t kMostPriority = 191;
constexpr const char* kFacilities[] = {
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
    "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};
constexpr const char* kSeverities[] = {"emerg",   "alert",  "crit", "err",
                                       "warning", "notice", "info", "debug"};

std::string_view unless_nil(std::string_view word) {
  return word == "-" ? std::string_view() : word;
}

/// Takes structured data off: "-", or elements in brackets, in which quotes may hide one.
void skip_structured(std::string_view& rest) {
  if (!rest.starts_with('[')) {
    next_word(rest);
    return;
  }
  while (rest.starts_with('[')) {
    bool quoted = false;
    std::size_t at = 1;
    for (; at < rest.size() && (quoted || rest[at] != ']'); ++at) {
      if (rest[at] == '\\' && quoted)
        ++at;
      else if (rest[at] == '"')
        quoted = !quoted;
    }
    rest.remove_prefix(std::min(at + 1, rest.size()));
  }
  rest = trimmed(rest);
}

void read_5424(std::string_view rest, SyslogMessage& out) {
  out.timestamp = unless_nil(next_word(rest));
  out.hostname = unless_nil(next_word(rest));
  out.app_name = unless_nil(next_word(rest));
  out.process_id = unless_nil(next_word(rest));
  out.message_id = unless_nil(next_word(rest));
  skip_structured(rest);
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);  // Byte order mark.
  out.message = rest;
}

bool is_time(std::string_view text) {
  constexpr std::string_view kForm = "Aaa 00 00:00:00 ";
  if (text.size() < kForm.size()) return false;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    const bool letter = (text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z';
    const bool fits = kForm[i] == '0'                      ? digit || (i == 4 && text[i] == ' ')
                      : kForm[i] == 'A' || kForm[i] == 'a' ? letter
                                                           : text[i] == kForm[i];
    if (!fits) return false;
  }
  return true;
}

void read_3164(std::string_view rest, SyslogMessage& out) {
  constexpr std::size_t kTime = 15, kLongestTag = 48;
  out.message = rest;
  if (!is_time(rest)) return;
  out.timestamp = rest.substr(0, kTime);
  rest = trimmed(rest.substr(kTime + 1));
  out.hostname = next_word(rest);
  out.message = rest;
  const std::size_t end = rest.find_first_of(":[ ");
  if (end == rest.npos || end == 0 || end > kLongestTag || rest[end] == ' ') return;
  const std::string_view tag = rest.substr(0, end);
  if (rest[end] == '[') {
    const std::size_t close = rest.find("]:", end);
    if (close == rest.npos) return;
    out.process_id = rest.substr(end + 1, close - end - 1);
    rest.remove_prefix(close + 2);
  } else {
    rest.remove_prefix(end + 1);
  }
  out.app_name = tag;
  out.message = trimmed(rest);
}

Outcome dissect(Bytes bytes, const Context&, Facts& facts) {
  const auto syslog = parse_syslog(bytes);
  if (!syslog) return syslog.error();
  facts.record("syslog");
  facts.add("facility", kFacilities[syslog->priority / 8]);
  facts.add("severity", kSeverities[syslog->priority % 8]);
  tell_text(facts, "timestamp", syslog->timestamp);
  tell_text(facts, "hostname", syslog->hostname);
  tell_text(facts, "app_name", syslog->app_name);
  tell_text(facts, "process_id", syslog->process_id);
  tell_text(facts, "message_id", syslog->message_id);
  tell_text(facts, "message", syslog->message);
  return Malformed::none;
}

/// A number in brackets is too little elsewhere than at the port.
Probe probe(Bytes bytes, const Context& context) {
  return context.at_own_port && parse_syslog(bytes) ? Probe::client : Probe::no;
}

constexpr Place kAt[] = {514};

}  // namespace
}  // namespace syslog

Parsed<SyslogMessage> parse_syslog(Bytes bytes) {
  constexpr std::size_t kPriority = 5;  // "<191>"
  std::string_view text = as_text(bytes);
  if (text.empty()) return bad(Malformed::truncated);
  if (text[0] != '<') return bad(Malformed::bad_value);
  const std::size_t end = text.substr(0, kPriority).find('>');
  if (end == text.npos)
    return bad(text.size() < kPriority ? Malformed::truncated : Malformed::bad_value);
  const auto priority = number_of(text.substr(1, end - 1));
  if (!priority || *priority > syslog::kMostPriority) return bad(Malformed::bad_value);
  SyslogMessage out;
  out.priority = static_cast<std::uint8_t>(*priority);
  std::string_view rest = text.substr(end + 1);
  while (rest.ends_with('\0') || rest.ends_with('\n')) rest.remove_suffix(1);
  if (rest.starts_with("1 ")) {
    out.version = 1;
    syslog::read_5424(rest.substr(2), out);
  } else {
    syslog::read_3164(rest, out);
  }
  return out;
}

const Dissector kSyslog{.name = "syslog",
                        .carrier = Carrier::datagram,
                        .at = syslog::kAt,
                        .probe = syslog::probe,
                        .dissect = syslog::dissect};

}  // namespace vmirror
