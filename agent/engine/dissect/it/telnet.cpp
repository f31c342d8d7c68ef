// RFC 854, page 14; RFC 855.
//
//   | ff | fb WILL, fc WONT, fd DO, fe DONT | option[1] |
//   | ff | fa | option[1] | ... | ff f0 |         everything else is text; ff ff is one byte of it
#include "agent/engine/dissect/it/telnet.hpp"

namespace vmirror {
namespace telnet {
namespace {

constexpr std::uint8_t kCommand = 0xff, kSub = 0xfa, kWill = 0xfb, kDont = 0xfe, kMostOption = 49;
constexpr std::size_t kTriple = 3;

bool is_negotiation(Bytes bytes) {
  return bytes.size() >= kTriple && bytes[0] == kCommand && bytes[1] >= kWill &&
         bytes[1] <= kDont && (bytes[2] <= kMostOption || bytes[2] == kCommand);
}

Framing frame(Bytes stream, const Context&) {
  if (stream[0] != kCommand) return Framing::message(static_cast<std::uint32_t>(stream.size()));
  if (stream.size() < kTriple) return Framing::more();
  return is_negotiation(stream) ? Framing::message(kTriple)
                                : Framing::message(static_cast<std::uint32_t>(stream.size()));
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  if (bytes.empty()) return Malformed::truncated;
  if (bytes[0] == kCommand && bytes.size() < kTriple) return Malformed::truncated;
  if (context.to_server) return Malformed::none;
  facts.learn(context.sender(), Attribute::service, "telnet", "telnet.negotiation",
              Confidence::implied);
  return Outcome::done();
}

Probe probe(Bytes stream, const Context& context) {
  if (stream.empty()) return Probe::maybe;
  if (stream[0] != kCommand) return Probe::no;
  const std::size_t need = context.at_own_port ? kTriple : 2 * kTriple;
  if (stream.size() < need)
    return stream.size() >= kTriple && !is_negotiation(stream) ? Probe::no : Probe::maybe;
  if (!is_negotiation(stream)) return Probe::no;
  if (context.at_own_port) return Probe::yes;
  const Bytes next = stream.subspan(kTriple);
  return is_negotiation(next) || (next[0] == kCommand && next[1] == kSub) ? Probe::yes : Probe::no;
}

constexpr Place kAt[] = {23};

}  // namespace
}  // namespace telnet

const Dissector kTelnet{.name = "telnet",
                        .carrier = Carrier::stream,
                        .at = telnet::kAt,
                        .probe = telnet::probe,
                        .frame = telnet::frame,
                        .dissect = telnet::dissect};

}  // namespace vmirror
