#include "agent/engine/capture/pcap.hpp"

#include <algorithm>

#include "agent/engine/capture/link.hpp"

namespace vmirror {
namespace {

constexpr std::uint32_t kMicro = 0xa1b2c3d4, kNano = 0xa1b23c4d, kModified = 0xa1b2cd34;
constexpr std::size_t kFileHeader = 24;
/// Above the link type: how many 16-bit words of frame check sequence end each frame, where that is
/// told.
constexpr std::uint32_t kFcsIsTold = 1u << 26;
constexpr int kFcsShift = 28;

template <bool kSwapped>
std::uint32_t load(const std::uint8_t* p) {
  std::uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return kSwapped ? __builtin_bswap32(v) : v;
}

bool is_magic(std::uint32_t v) {
  return v == kMicro || v == kNano || v == kModified;
}

}  // namespace

bool is_pcap(Bytes first) {
  return first.size() >= 4 &&
         (is_magic(load<false>(first.data())) || is_magic(load<true>(first.data())));
}

/// Reads the file header; what is wrong with it, or null.
const char* PcapReader::begin(Bytes header) {
  const std::uint8_t* p = header.data();
  swapped_ = !is_magic(load<false>(p));
  const auto word = [&](std::size_t at) {
    return swapped_ ? load<true>(p + at) : load<false>(p + at);
  };
  const std::uint32_t magic = word(0);
  if (!is_magic(magic)) return "no pcap magic";
  if (magic == kNano) tick_ = 1;
  if (magic == kModified) header_size_ = 24;
  const std::uint32_t link_word = word(20);
  linktype_ = static_cast<std::uint16_t>(link_word);
  if ((link_word & kFcsIsTold) != 0) fcs_size_ = (link_word >> kFcsShift) * 2;
  const auto link = link_of(linktype_);
  supported_ = link.has_value();
  if (link) link_ = *link;
  begun_ = true;
  return nullptr;
}

Progress PcapReader::read(Bytes window, std::span<Frame> batch) {
  Progress progress;
  if (!begun_) {
    progress.need = kFileHeader;
    if (window.size() < kFileHeader) return progress;
    if (const char* what = begin(window.first(kFileHeader))) {
      progress.stop = Progress::Stop::corrupt;
      progress.what = what;
      return progress;
    }
    progress = read(window.subspan(kFileHeader), batch);
    progress.consumed += kFileHeader;
    return progress;
  }
  if (!supported_) return swapped_ ? foreign<true>(window) : foreign<false>(window);
  return swapped_ ? records<true>(window, batch) : records<false>(window, batch);
}

template <bool kSwapped>
Progress PcapReader::records(Bytes window, std::span<Frame> batch) {
  Progress progress;
  const std::uint8_t* p = window.data();
  const std::uint8_t* const end = p + window.size();
  const std::size_t header = header_size_;
  std::size_t n = 0;
  for (;;) {
    if (n == batch.size()) {
      progress.stop = Progress::Stop::batch_full;
      break;
    }
    const auto left = static_cast<std::size_t>(end - p);
    if (left < header) {
      progress.need = header;
      break;
    }
    const std::uint32_t size = load<kSwapped>(p + 8);
    if (size > kMaxRecord) {
      progress.stop = Progress::Stop::corrupt;
      progress.what = "a record claims more than 1 MiB";
      break;
    }
    if (left < header + size) {
      progress.need = header + size;
      break;
    }
    __builtin_prefetch(p + header + size + 128);  // The record after the next, most often.
    Frame& frame = batch[n++];
    frame.bytes = {p + header, size};
    frame.wire_size = std::max(size, load<kSwapped>(p + 12));
    frame.link = link_;
    frame.stripped = {};
    frame.time = static_cast<Time>(load<kSwapped>(p)) * kSecond +
                 static_cast<Time>(load<kSwapped>(p + 4)) * tick_;
    frame.input = input_;
    frame.number = ++number_;
    if (fcs_size_ != 0) [[unlikely]]
      take_off_fcs(frame, fcs_size_);
    p += header + size;
  }
  progress.frames = n;
  progress.consumed = static_cast<std::uint64_t>(p - window.data());
  return progress;
}

/// Counts records of a link type that we do not read.
template <bool kSwapped>
Progress PcapReader::foreign(Bytes window) const {
  Progress progress;
  progress.linktype = linktype_;
  while (progress.consumed + header_size_ <= window.size()) {
    const std::uint32_t size = load<kSwapped>(window.data() + progress.consumed + 8);
    if (size > kMaxForeignRecord) {
      progress.stop = Progress::Stop::corrupt;
      progress.what = "a record claims more than 128 MiB";
      return progress;
    }
    progress.consumed += header_size_ + size;
    ++progress.unsupported;
  }
  progress.need = header_size_;
  return progress;
}

}  // namespace vmirror
