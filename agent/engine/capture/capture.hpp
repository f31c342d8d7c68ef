// Where frames come in: an AF_PACKET ring on an interface, or a capture file. Both are a
// FrameSource (agent/model/source.hpp) of one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "agent/model/source.hpp"

namespace vmirror {

struct FileOptions {
  std::uint16_t input = 0;  ///< Goes to Frame::input.
};

/// Opens a pcap file (microseconds, nanoseconds, either byte order, and the "modified" format with
/// 24-byte record headers) or a pcapng file (either byte order, several sections and interfaces),
/// told by their first bytes; either may be gzip-compressed, and come through a pipe. Read and
/// unpacked through a buffer of bounded size (256 KiB, more where one record is longer), so memory
/// stays flat.
///
/// A frame check sequence is taken off where the file says that frames have one: in the link type
/// word of pcap, in if_fcslen or epb_flags of pcapng.
///
/// Link types read: Ethernet, raw IP, LINUX_SLL, LINUX_SLL2, NULL and LOOP; frames of others are
/// counted as Drop::unsupported_link, and named by a warning, or, where the file has no other, by
/// an error at its end (unsupported). A record that the file's end cuts off is counted as
/// Drop::capture_truncated, with a warning; the frames before it stand.
///
/// Errors. missing: no such file; refused: no permission; invalid: empty, or not a capture; from
/// `next`: invalid, where a record contradicts itself or the compressed data is broken (file and
/// offset are named), and unreachable, where the file can't be read further. After an error there
/// are no more frames; what came before stands.
/// Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, RFC 1952.
Result<std::unique_ptr<FrameSource>> open_capture_file(const std::string& path,
                                                       FileOptions options = {});

/// How the kernel spreads frames over the rings of one fanout group (packet(7), PACKET_FANOUT).
enum class Fanout : std::uint8_t { hash, load_balance, cpu, random, queue };

struct RingOptions {
  std::string interface = {};
  std::uint16_t input = 0;           ///< Goes to Frame::input.
  std::size_t block_size = 1 << 20;  ///< Bytes, a multiple of the page size.
  /// Blocks; the ring's memory, all of it resident, is size * count. 0: see default_block_count.
  unsigned block_count = 0;
  unsigned block_timeout_ms = 20;  ///< A block that is not full is handed over after this.
  std::uint32_t snaplen = 0;       ///< Bytes kept of each frame; 0: all of it.
  std::optional<std::uint16_t> fanout_group =
      {};  ///< Rings of one group share the interface's frames.
  Fanout fanout = Fanout::hash;
  bool promiscuous = true;    ///< Ends with the ring, whatever ends the process.
  bool receive_only = true;   ///< Leave out what this host sends through the interface.
  bool offloads_off = false;  ///< Switch off the offloads that merge frames; they stay off.
};

/// As many blocks as hold the frames of 50 ms at the interface's speed (Mbit/s; empty: 10,000), for
/// frames of 700 bytes on average; at least 16 MiB, for drivers that state a speed that they are
/// not bound to (tun: 10 Mbit/s), at most 256 MiB.
unsigned default_block_count(std::size_t block_size, std::optional<std::uint32_t> speed);

/// Opens a TPACKET_V3 ring. VLAN tags that the kernel took out of the bytes are in Frame::stripped.
/// Frames lost for want of room are Drop::kernel. Offloads that merge frames before we see them are
/// in `warnings`. `next` hands out the frames of a block, holds the block until they are consumed,
/// and sleeps only when there is none. Errors. missing: no such interface, or it was deleted
/// meanwhile; unreachable: it is down; refused: no CAP_NET_RAW; exhausted: no memory; invalid, and
/// only that for good: sizes that the kernel does not take; unsupported: a link type that we do not
/// read; from
/// `next`: unreachable, when the interface goes down (a later call may succeed), missing, when it
/// is gone for good; either comes after all frames that came before, up to `block_timeout_ms` and
/// 50 ms late.
/// Source: packet(7), Documentation/networking/packet_mmap.rst.
Result<std::unique_ptr<FrameSource>> open_ring(const RingOptions& options);

}  // namespace vmirror
