#include "agent/engine/capture/pcapng.hpp"

#include <algorithm>
#include <optional>

#include "agent/engine/capture/link.hpp"

namespace vmirror {
namespace {

constexpr std::uint32_t kSection = 0x0a0d0d0a, kInterface = 1, kPacket = 2, kSimple = 3,
                        kEnhanced = 6;
constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;
constexpr std::size_t kFrame = 12;  // Type and the two lengths.

std::uint32_t native32(const std::uint8_t* p) {
  std::uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

}  // namespace

bool is_pcapng(Bytes first) {
  return first.size() >= 4 && native32(first.data()) == kSection;
}

std::uint16_t PcapngReader::get16(const std::uint8_t* p) const {
  std::uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return swapped_ ? __builtin_bswap16(v) : v;
}
std::uint32_t PcapngReader::get32(const std::uint8_t* p) const {
  const std::uint32_t v = native32(p);
  return swapped_ ? __builtin_bswap32(v) : v;
}

Time PcapngReader::Interface::to_time(std::uint64_t ticks) const {
  const int n = resolution & 0x7f;
  std::uint64_t time = 0;
  if ((resolution & 0x80) != 0) {
    if (n < 64) {
      const std::uint64_t fraction = ticks & ((1ULL << n) - 1);
      time = (ticks >> n) * kSecond +
             static_cast<std::uint64_t>(static_cast<unsigned __int128>(fraction) * kSecond >> n);
    }
  } else if (n <= 9) {
    time = ticks;
    for (int i = n; i < 9; ++i) time *= 10;
  } else {
    time = ticks;
    for (int i = 9; i < n && time != 0; ++i) time /= 10;
  }
  return static_cast<Time>(time + static_cast<std::uint64_t>(offset) * kSecond);
}

/// A section's byte order is in its header, so it comes before the header's own length.
bool PcapngReader::section(const std::uint8_t* block, Progress& progress) {
  const std::uint32_t magic = native32(block + 8);
  if (magic != kByteOrder && __builtin_bswap32(magic) != kByteOrder) {
    progress.what = "a section without the byte-order magic";
    return false;
  }
  swapped_ = magic != kByteOrder;
  return true;
}

const char* PcapngReader::section_body(Bytes body) {
  if (body.size() < 16) return "a section header too short";
  if (get16(body.data() + 4) != 1) return "a section of an unknown version";
  interfaces_.clear();
  begun_ = true;
  return nullptr;
}

/// Calls `visit(code, value)` for each. False: one goes past the block.
template <typename Visit>
bool PcapngReader::each_option(Bytes options, const Visit& visit) const {
  while (options.size() >= 4) {
    const std::uint16_t code = get16(options.data());
    const std::size_t size = get16(options.data() + 2);
    options = options.subspan(4);
    if (code == 0) break;
    if (size > options.size()) return false;
    visit(code, options.first(size));
    options = options.subspan(std::min(options.size(), (size + 3) / 4 * 4));
  }
  return true;
}

const char* PcapngReader::interface(Bytes body) {
  if (body.size() < 8) return "an interface description too short";
  if (interfaces_.size() == kMaxInterfaces) return "more than 4096 interfaces";
  Interface out;
  out.linktype = get16(body.data());
  const auto link = link_of(out.linktype);
  out.supported = link.has_value();
  if (link) out.link = *link;
  out.snaplen = get32(body.data() + 4);
  const bool whole = each_option(body.subspan(8), [&](std::uint16_t code, Bytes value) {
    if (code == 9 && value.size() == 1) out.resolution = value[0];
    if (code == 13 && value.size() == 1) out.fcs_size = value[0];
    if (code == 14 && value.size() == 8) {
      const std::uint64_t first = get32(value.data());
      const std::uint64_t second = get32(value.data() + 4);
      const bool big_endian = swapped_;  // This machine is little-endian.
      out.offset =
          static_cast<std::int64_t>(big_endian ? first << 32 | second : second << 32 | first);
    }
  });
  if (!whole) return "an option past its block";
  interfaces_.push_back(out);
  return nullptr;
}

/// By the packet's own flags, where its options have them and they tell it; else `otherwise`.
std::uint32_t PcapngReader::fcs_size(Bytes options, std::uint32_t otherwise) const {
  std::optional<std::uint32_t> out;
  each_option(options, [&](std::uint16_t code, Bytes value) {
    const std::uint32_t told = code == 2 && value.size() == 4 ? get32(value.data()) >> 5 & 15 : 0;
    if (told != 0 && !out) out = told;
  });
  return out.value_or(otherwise);
}

/// `head`: time high, time low, captured, on the wire; `data`: the bytes and what follows them.
PcapngReader::Block PcapngReader::with_interface(std::uint32_t id, Bytes head, Bytes data) {
  Block out;
  const std::uint32_t captured = get32(head.data() + 8);
  if (id >= interfaces_.size()) {
    out.wrong = "a packet of an interface that is not described";
  } else if (captured > data.size()) {
    out.wrong = "a packet longer than its block";
  } else if (interfaces_[id].supported) {
    const Interface& from = interfaces_[id];
    const std::uint64_t high = get32(head.data());
    out.supported = true;
    out.frame.bytes = data.first(captured);
    out.frame.wire_size = std::max(captured, get32(head.data() + 12));
    out.frame.link = from.link;
    out.frame.time = last_ = from.to_time(high << 32 | get32(head.data() + 4));
    const std::size_t padded = (std::size_t{captured} + 3) / 4 * 4;
    take_off_fcs(out.frame, padded < data.size() ? fcs_size(data.subspan(padded), from.fcs_size)
                                                 : from.fcs_size);
  } else {
    out.linktype = interfaces_[id].linktype;
  }
  return out;
}

PcapngReader::Block PcapngReader::simple(Bytes body) const {
  Block out;
  if (body.size() < 4) {
    out.wrong = "a simple packet too short";
  } else if (interfaces_.empty()) {
    out.wrong = "a packet of an interface that is not described";
  } else if (interfaces_[0].supported) {
    const Interface& from = interfaces_[0];
    const std::uint32_t wire = get32(body.data());
    const std::size_t limit = from.snaplen == 0 ? wire : std::min(wire, from.snaplen);
    out.supported = true;
    out.frame.bytes = body.subspan(4, std::min(limit, body.size() - 4));
    out.frame.wire_size = wire;
    out.frame.link = from.link;
    out.frame.time = last_;
    take_off_fcs(out.frame, from.fcs_size);
  } else {
    out.linktype = interfaces_[0].linktype;
  }
  return out;
}

PcapngReader::Block PcapngReader::packet(std::uint32_t type, Bytes body) {
  if (type == kSimple) return simple(body);
  if (body.size() < 20) {
    Block out;
    out.wrong = "a packet block too short";
    return out;
  }
  const std::uint32_t id = type == kPacket ? get16(body.data()) : get32(body.data());
  return with_interface(id, body.subspan(4, 16), body.subspan(20));
}

Progress PcapngReader::read(Bytes window, std::span<Frame> batch) {
  Progress progress;
  const auto corrupt = [&](const char* what) {
    progress.stop = Progress::Stop::corrupt;
    progress.what = what;
    return progress;
  };
  for (;;) {
    if (progress.frames == batch.size()) {
      progress.stop = Progress::Stop::batch_full;
      return progress;
    }
    progress.need = kFrame;
    if (progress.consumed + kFrame > window.size()) return progress;
    const Bytes rest = window.subspan(progress.consumed);
    const bool is_section = native32(rest.data()) == kSection;
    if (is_section && !section(rest.data(), progress)) return corrupt(progress.what);
    if (!is_section && !begun_) return corrupt("no section header");
    const std::uint32_t type = get32(rest.data());
    const std::size_t length = get32(rest.data() + 4);
    if (length < kFrame || length % 4 != 0) return corrupt("a block of an impossible length");
    const bool is_packet = type == kEnhanced || type == kSimple || type == kPacket;
    if (!is_packet && !is_section && type != kInterface) {
      progress.consumed += length;
      continue;
    }
    if (length > kMaxBlock) return corrupt("a block claims more than 16 MiB");
    progress.need = length;
    if (length > rest.size()) return progress;
    if (get32(rest.data() + length - 4) != length) return corrupt("a block whose lengths differ");
    const Bytes body = rest.subspan(8, length - kFrame);
    if (is_packet) {
      Block block = packet(type, body);
      if (block.wrong != nullptr) return corrupt(block.wrong);
      block.frame.input = input_;
      block.frame.number = number_ + 1;
      if (block.supported) {
        batch[progress.frames++] = block.frame;
      } else if (progress.unsupported > 0 && progress.linktype != block.linktype) {
        progress.stop = Progress::Stop::batch_full;  // Records of one type at a time.
        return progress;
      } else {
        progress.linktype = block.linktype;
        ++progress.unsupported;
      }
      ++number_;
    } else if (const char* wrong = is_section ? section_body(body) : interface(body)) {
      return corrupt(wrong);
    }
    progress.consumed += length;
  }
}

}  // namespace vmirror
