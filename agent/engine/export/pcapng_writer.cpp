#include "agent/engine/export/pcapng_writer.hpp"

#include <algorithm>
#include <cstring>

namespace vmirror {
namespace {

constexpr std::uint32_t kSectionBlock = 0x0a0d0d0a, kInterfaceBlock = 1, kStatisticsBlock = 5,
                        kFrameBlock = 6;
constexpr std::uint16_t kInterfaceName = 2, kInterfaceDescription = 3, kTimeResolution = 9;
constexpr std::uint16_t kFrameFlags = 2, kReceived = 4, kLost = 5;
constexpr std::size_t kAddresses = 12, kTagSize = 4;

/// One block at the end of a buffer: its lengths are set when it is complete.
class OpenBlock {
 public:
  OpenBlock(std::vector<std::uint8_t>& out, std::uint32_t type) : out_(out), begin_(out.size()) {
    put(type);
    put(std::uint32_t{0});
  }
  ~OpenBlock() {
    const auto length = static_cast<std::uint32_t>(out_.size() - begin_ + sizeof(std::uint32_t));
    put(length);
    std::memcpy(out_.data() + begin_ + sizeof length, &length, sizeof length);
  }
  OpenBlock(const OpenBlock&) = delete;
  OpenBlock& operator=(const OpenBlock&) = delete;

  template <typename Number>
  void put(Number value) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
    out_.insert(out_.end(), bytes, bytes + sizeof value);
  }
  void put_bytes(Bytes bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void pad() { out_.resize(begin_ + (out_.size() - begin_ + 3) / 4 * 4); }
  void put_time(Time time) {
    const auto ticks = static_cast<std::uint64_t>(time);
    put(static_cast<std::uint32_t>(ticks >> 32));
    put(static_cast<std::uint32_t>(ticks));
  }
  void option(std::uint16_t code, Bytes value) {
    put(code);
    put(static_cast<std::uint16_t>(value.size()));
    put_bytes(value);
    pad();
  }
  template <typename Number>
  void option_number(std::uint16_t code, Number value) {
    option(code, {reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
  }
  void end_options() { put(std::uint32_t{0}); }

 private:
  std::vector<std::uint8_t>& out_;
  std::size_t begin_;
};

/// An option's length has two bytes.
Bytes option_text(std::string_view text) {
  constexpr std::size_t kMost = 1024;
  return {reinterpret_cast<const std::uint8_t*>(text.data()), std::min(text.size(), kMost)};
}

std::uint32_t direction_flag(Direction direction) {
  constexpr std::uint32_t kUnknown = 0, kInbound = 1, kOutbound = 2;
  if (direction == Direction::in) return kInbound;
  return direction == Direction::out ? kOutbound : kUnknown;
}

}  // namespace

PcapngWriter::PcapngWriter(std::function<Result<void>(Bytes)> sink) : sink_(std::move(sink)) {
  OpenBlock block(out_, kSectionBlock);
  block.put(std::uint32_t{0x1a2b3c4d});
  block.put(std::uint16_t{1});
  block.put(std::uint16_t{0});
  block.put(std::uint64_t{0xffffffffffffffff});
}

std::uint32_t PcapngWriter::interface(std::string_view name, std::string_view description,
                                      std::uint32_t snaplen) {
  constexpr std::uint16_t kEthernet = 1;
  constexpr std::uint8_t kNanoseconds = 9;
  OpenBlock block(out_, kInterfaceBlock);
  block.put(kEthernet);
  block.put(std::uint16_t{0});
  block.put(snaplen);
  block.option(kInterfaceName, option_text(name));
  block.option(kInterfaceDescription, option_text(description));
  block.option_number(kTimeResolution, kNanoseconds);
  block.end_options();
  return interfaces_++;
}

void PcapngWriter::frame(std::uint32_t interface, const Frame& frame, Direction direction,
                         std::uint32_t snaplen) {
  const bool tagged = frame.stripped.present() && frame.bytes.size() >= kAddresses;
  std::size_t captured = frame.bytes.size() + (tagged ? kTagSize : 0);
  if (snaplen != 0) captured = std::min<std::size_t>(captured, snaplen);
  OpenBlock block(out_, kFrameBlock);
  block.put(interface);
  block.put_time(frame.time);
  block.put(static_cast<std::uint32_t>(captured));
  block.put(std::max(frame.wire_size, static_cast<std::uint32_t>(captured)));
  const std::size_t begin = out_.size();
  if (tagged) {
    std::uint8_t tag[kTagSize];
    store_be16(tag, frame.stripped.tpid);
    store_be16(tag + 2, frame.stripped.tci);
    block.put_bytes(frame.bytes.first(kAddresses));
    block.put_bytes(tag);
    block.put_bytes(frame.bytes.subspan(kAddresses));
  } else {
    block.put_bytes(frame.bytes);
  }
  out_.resize(begin + captured);
  block.pad();
  block.option_number(kFrameFlags, direction_flag(direction));
  block.end_options();
}

void PcapngWriter::statistics(std::uint32_t interface, Time now, std::uint64_t received,
                              std::uint64_t lost) {
  OpenBlock block(out_, kStatisticsBlock);
  block.put(interface);
  block.put_time(now);
  block.option_number(kReceived, received);
  block.option_number(kLost, lost);
  block.end_options();
}

Result<void> PcapngWriter::flush() {
  const auto done = sink_(out_);
  out_.clear();
  return done;
}

}  // namespace vmirror
