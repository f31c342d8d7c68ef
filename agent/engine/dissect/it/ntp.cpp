// RFC 5905, section 7.3.
//
//   0                              1         2      3           4            8
//   | leap 2, version 3, mode 3    | stratum | poll | precision | root delay | root dispersion |
//   12             16               24            32             40              48
//   | reference id | reference time | origin time | receive time | transmit time | extensions, MAC
#include "agent/engine/dissect/it/ntp.hpp"

#include "agent/engine/dissect/text.hpp"
#include "agent/engine/dissect/times.hpp"

namespace vmirror {
namespace ntp {
namespace {

enum Mode : std::uint8_t { kClient = 3, kServer = 4, kControl = 6 };
constexpr Named kModes[] = {
    {1, "symmetric_active"}, {2, "symmetric_passive"}, {kClient, "client"}, {kServer, "server"},
    {5, "broadcast"},        {kControl, "control"},    {7, "private"}};

/// Of who gives its time to others and is itself set by a clock. A client may write anything there
/// (RFC 9109 and draft-ietf-ntp-data-minimization ask it to).
bool tells_clock(const NtpMessage& ntp) {
  constexpr std::uint8_t kNotSet = 3, kDeepest = 15;
  return ntp.mode != kClient && ntp.mode < kControl && ntp.leap != kNotSet && ntp.stratum >= 1 &&
         ntp.stratum <= kDeepest;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto ntp = parse_ntp(bytes);
  if (!ntp) return ntp.error();
  facts.record("ntp");
  facts.add("version", ntp->version);
  tell_named(facts, "mode", kModes, ntp->mode);
  if (ntp->mode >= kControl) return Malformed::none;
  facts.add("stratum", ntp->stratum);
  if (ntp->stratum == 1)
    facts.add("reference_id", text_of(bytes.subspan(12, 4)));
  else if (ntp->reference_id != 0)
    facts.add("reference_id", IpAddress::v4(bytes.data() + 12));
  if (tells_clock(*ntp))
    facts.clock(context.sender(), ntp_time(ntp->transmit_time), "ntp.transmit_time");
  if (ntp->mode == kClient) context.ask(ntp->transmit_time);
  if (ntp->mode != kServer) return Malformed::none;
  if (const auto request = context.answer(ntp->origin_time))
    facts.add("latency_us", context.latency_us(*request));
  facts.learn(context.sender(), Attribute::service, "ntp", "ntp.mode", Confidence::implied);
  return Malformed::none;
}

/// Nearly any 48 bytes could be a client's: only where its port speaks for it.
Probe probe(Bytes bytes, const Context& context) {
  const auto ntp = parse_ntp(bytes);
  if (!ntp || !context.at_own_port) return Probe::no;
  if (ntp->mode == kClient) return Probe::client;
  return ntp->mode == kServer ? Probe::server : Probe::yes;
}

constexpr Place kAt[] = {123};

}  // namespace
}  // namespace ntp

Parsed<NtpMessage> parse_ntp(Bytes bytes) {
  Cursor cursor(bytes);
  NtpMessage out;
  const std::uint8_t first = cursor.u8();
  out.leap = first >> 6;
  out.version = first >> 3 & 7;
  out.mode = first & 7;
  out.stratum = cursor.u8();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (out.version == 0 || out.version > 4 || out.mode == 0) return bad(Malformed::bad_value);
  if (out.mode >= ntp::kControl) return out;  // RFC 9327: another format from here on.
  cursor.skip(10);
  out.reference_id = cursor.u32();
  cursor.skip(8);
  out.origin_time = cursor.u64();
  cursor.skip(8);
  out.transmit_time = cursor.u64();
  if (!cursor.ok()) return bad(Malformed::truncated);
  return out;
}

const Dissector kNtp{.name = "ntp",
                     .carrier = Carrier::datagram,
                     .at = ntp::kAt,
                     .probe = ntp::probe,
                     .dissect = ntp::dissect};

}  // namespace vmirror
