// The capture files that the benches run on: millions of mixed packets, made once and kept under
// build/bench/captures, by a name that says how they were made.
//
//   clips   conversations: the captures of ../shared/captures where that exists, else built ones
//   plays   many clips at once, each with hosts of its own: MACs and IPs rewritten, by the play
//   file    pcap in microseconds; the packets of the plays in turn, in short bursts
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plugin/base/result.hpp"
#include "tests/support/frames.hpp"

namespace vmirror::bench {

struct Mix {
  std::uint64_t packets = 3'000'000;
  bool wrapped = false;  ///< Each frame in ERSPAN II with a sequence number.
  bool built = false;    ///< Built clips, even where there are real ones.
  unsigned plays_at_once = 2048;
  unsigned sites = 16;           ///< How often each MAC is found again under another address.
  unsigned spacing_ns = 30'000;  ///< Mean time from packet to packet.
};

/// Path of the pcap file of this mix, which is made if it isn't there. The same mix gives the same
/// bytes, as long as the captures are the same.
Result<std::string> mixed_capture(const Mix& mix);

/// One conversation's Ethernet frames, in order.
using Clip = std::vector<test::Buffer>;
/// TCP with data and ACKs, DNS, ARP, ping, IPv6, VLANs, Modbus, bulk transfers.
std::vector<Clip> built_clips();
/// A download: a handshake of TLS 1.3 and 1,000 records of a segment each, every second one
/// acknowledged; without `tls` the same with bytes that no protocol begins with.
Clip bulk_clip(unsigned host, bool tls);
/// Path of a pcap file of 64 such downloads.
Result<std::string> bulk_capture(bool tls);

}  // namespace vmirror::bench
