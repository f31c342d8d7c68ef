// pcap files.
//
//   field[n]: n bytes, field:n: n bits
//
//   file    | magic[4] | major[2] | minor[2] | 0[8] | snaplen[4] | flags:16 link type:16 |
//   record  | seconds[4] | fraction[4] | captured[4] | on the wire[4] | modified: [8] | bytes... |
//
//   magic, in the writer's byte order: a1b2c3d4 microseconds, a1b23c4d nanoseconds, a1b2cd34
//   modified (microseconds; interface index, protocol and packet type behind each record header)
#pragma once

#include "agent/engine/capture/records.hpp"

namespace vmirror {

/// True for the magic of either byte order. `first` needs 4 bytes.
bool is_pcap(Bytes first);

/// draft-ietf-opsawg-pcap, section 4 and 5.
class PcapReader : public RecordReader {
 public:
  explicit PcapReader(std::uint16_t input) : input_(input) {}
  Progress read(Bytes window, std::span<Frame> batch) override;

 private:
  const char* begin(Bytes header);
  template <bool kSwapped>
  Progress records(Bytes window, std::span<Frame> batch);
  template <bool kSwapped>
  Progress foreign(Bytes window) const;

  std::uint16_t input_;
  std::uint32_t number_ = 0;  ///< Of the last record that was read.
  bool begun_ = false;
  bool swapped_ = false;  ///< Not in this machine's byte order.
  std::uint16_t linktype_ = 0;
  bool supported_ = false;  ///< `link_` is what the file has.
  LinkType link_ = LinkType::ethernet;
  std::uint32_t header_size_ = 16;
  std::uint32_t fcs_size_ = 0;  ///< Bytes at the end of each frame.
  Time tick_ = 1000;            ///< Nanoseconds
};

}  // namespace vmirror
