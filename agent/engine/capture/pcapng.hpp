// pcapng files: blocks, in sections that each have their byte order and their interfaces.
//
//   field[n]: n bytes
//
//   block              | type[4] | length[4] | body, padded to 4 | length[4] |
//
//   type               body
//   0a0d0d0a section   | magic 1a2b3c4d | major[2] | minor[2] | section length[8] | options... |
//   1 interface        | link type[2] | 0[2] | snaplen[4] | options (9 tsresol, 14 tsoffset)... |
//   6 enhanced         | interface[4] | time high[4] | time low[4] | captured[4] | on the wire[4] |
//                      | bytes... |
//   3 simple           | on the wire[4] | bytes... |
//   2 packet, obsolete | interface[2] | drops[2] | time high[4] | time low[4] | captured[4] |
//                      | on the wire[4] | bytes... |
#pragma once

#include <vector>

#include "agent/engine/capture/records.hpp"

namespace vmirror {

/// True for a section header. `first` needs 4 bytes.
bool is_pcapng(Bytes first);

/// draft-ietf-opsawg-pcapng. Other blocks are skipped. A simple packet has no time: it gets that of
/// the packet before it.
class PcapngReader : public RecordReader {
 public:
  static constexpr std::size_t kMaxInterfaces = 4096;  ///< of a section
  static constexpr std::size_t kMaxBlock = 16 << 20;   ///< of those that are read, in bytes

  explicit PcapngReader(std::uint16_t input) : input_(input) {}
  Progress read(Bytes window, std::span<Frame> batch) override;

 private:
  struct Interface {
    std::uint16_t linktype = 0;
    bool supported = false;
    LinkType link = LinkType::ethernet;
    std::uint32_t snaplen = 0;    ///< 0: none
    std::uint8_t resolution = 6;  ///< if_tsresol: 10^-n, or 2^-n with the top bit set
    std::int64_t offset = 0;      ///< Seconds
    std::uint8_t fcs_size = 0;    ///< if_fcslen: bytes at the end of each frame
    Time to_time(std::uint64_t ticks) const;
  };
  /// The frame that a packet block holds, or what is wrong.
  struct Block {
    const char* wrong = nullptr;
    bool supported = false;
    std::uint16_t linktype = 0;  ///< Of one that is not supported.
    Frame frame;
  };

  std::uint16_t get16(const std::uint8_t* p) const;
  std::uint32_t get32(const std::uint8_t* p) const;
  bool section(const std::uint8_t* block, Progress& progress);
  const char* section_body(Bytes body);
  const char* interface(Bytes body);
  Block packet(std::uint32_t type, Bytes body);
  Block simple(Bytes body) const;
  template <typename Visit>
  bool each_option(Bytes options, const Visit& visit) const;
  std::uint32_t fcs_size(Bytes options, std::uint32_t otherwise) const;
  Block with_interface(std::uint32_t id, Bytes head, Bytes data);

  std::uint16_t input_;
  std::uint32_t number_ = 0;  ///< Of the last packet that was read.
  bool begun_ = false;
  bool swapped_ = false;
  Time last_ = 0;
  std::vector<Interface> interfaces_;
};

}  // namespace vmirror
