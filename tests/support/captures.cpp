#include "tests/support/captures.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "agent/engine/capture/capture.hpp"

namespace vmirror::test {
namespace {

void append(Buffer& to, std::uint64_t v, int size, bool big_endian) {
  for (int i = 0; i < size; ++i)
    to.push_back(static_cast<std::uint8_t>(v >> (8 * (big_endian ? size - 1 - i : i))));
}

Buffer pcap_header(const PcapForm& f) {
  Buffer out;
  append(out, f.modified ? 0xa1b2cd34 : f.nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, 4, f.big_endian);
  append(out, 2, 2, f.big_endian);
  append(out, 4, 2, f.big_endian);
  append(out, 0, 4, f.big_endian);
  append(out, 0, 4, f.big_endian);
  append(out, f.snaplen, 4, f.big_endian);
  append(out, f.linktype, 4, f.big_endian);
  return out;
}

Buffer pcap_record(const PcapForm& f, Time time, std::size_t size, std::uint32_t wire_size) {
  Buffer out;
  append(out, static_cast<std::uint64_t>(time / kSecond), 4, f.big_endian);
  append(out, static_cast<std::uint64_t>(time % kSecond / (f.nanoseconds ? 1 : 1000)), 4,
         f.big_endian);
  append(out, size, 4, f.big_endian);
  append(out, wire_size == 0 ? size : wire_size, 4, f.big_endian);
  if (f.modified) out.resize(out.size() + 8);
  return out;
}

constexpr PcapForm kFileForm{.nanoseconds = true};

}  // namespace

Buffer pcap(std::span<const Captured> frames, const PcapForm& form) {
  Buffer out = pcap_header(form);
  for (const Captured& c : frames)
    out = concat({out, pcap_record(form, c.time, c.bytes.size(), c.wire_size), c.bytes});
  return out;
}

void Pcapng::put16(Buffer& to, std::uint64_t v) const {
  append(to, v, 2, big_endian_);
}
void Pcapng::put32(Buffer& to, std::uint64_t v) const {
  append(to, v, 4, big_endian_);
}

Pcapng& Pcapng::block(std::uint32_t type, Bytes body) {
  const std::size_t padded = (body.size() + 3) / 4 * 4;
  put32(out_, type);
  put32(out_, padded + 12);
  out_.insert(out_.end(), body.begin(), body.end());
  out_.resize(out_.size() + padded - body.size());
  put32(out_, padded + 12);
  return *this;
}

Pcapng& Pcapng::section(bool big_endian, std::uint16_t major) {
  big_endian_ = big_endian;
  Buffer body;
  put32(body, 0x1a2b3c4d);
  put16(body, major);
  put16(body, 0);
  body.insert(body.end(), 8, 0xff);  // Section length: not known.
  return block(0x0a0d0d0a, body);
}

Pcapng& Pcapng::interface(std::uint16_t linktype, std::uint32_t snaplen,
                          std::optional<std::uint8_t> resolution,
                          std::optional<std::int64_t> offset) {
  Buffer body;
  put16(body, linktype);
  put16(body, 0);
  put32(body, snaplen);
  if (resolution) {
    put16(body, 9);
    put16(body, 1);
    body.insert(body.end(), {*resolution, 0, 0, 0});
  }
  if (offset) {
    put16(body, 14);
    put16(body, 8);
    append(body, static_cast<std::uint64_t>(*offset), 8, big_endian_);
  }
  if (resolution || offset) put32(body, 0);
  return block(1, body);
}

Pcapng& Pcapng::enhanced(std::uint32_t interface, std::uint64_t ticks, Bytes frame,
                         std::uint32_t wire_size) {
  Buffer body;
  for (const std::uint64_t v : {std::uint64_t{interface}, ticks >> 32, ticks & 0xffffffff})
    put32(body, v);
  put32(body, frame.size());
  put32(body, wire_size == 0 ? frame.size() : wire_size);
  return block(6, concat({body, frame}));
}

Pcapng& Pcapng::simple(Bytes frame, std::uint32_t wire_size) {
  Buffer body;
  put32(body, wire_size == 0 ? frame.size() : wire_size);
  return block(3, concat({body, frame}));
}

Pcapng& Pcapng::obsolete(std::uint16_t interface, std::uint64_t ticks, Bytes frame) {
  Buffer body;
  put16(body, interface);
  put16(body, 0xffff);
  for (const std::uint64_t v : {ticks >> 32, ticks & 0xffffffff}) put32(body, v);
  put32(body, frame.size());
  put32(body, frame.size());
  return block(2, concat({body, frame}));
}

Buffer gzip(Bytes bytes) {
  z_stream z{};
  if (deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  Buffer out(deflateBound(&z, bytes.size()) + 64);
  z.next_in = const_cast<Bytef*>(bytes.data());
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = out.data();
  z.avail_out = static_cast<uInt>(out.size());
  if (deflate(&z, Z_FINISH) != Z_STREAM_END) std::abort();
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

TempDir::TempDir() {
  std::string name = std::filesystem::temp_directory_path() / "vmirror-test-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}
TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}
std::string TempDir::write(const std::string& name, Bytes bytes) const {
  const std::string path = *this / name;
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) std::abort();
  return path;
}

PcapFile::PcapFile(const std::string& path, std::uint32_t linktype)
    : file_(std::fopen(path.c_str(), "wb")) {
  if (!file_) std::abort();
  PcapForm form = kFileForm;
  form.linktype = linktype;
  const Buffer header = pcap_header(form);
  if (std::fwrite(header.data(), header.size(), 1, file_.get()) != 1) std::abort();
}

void PcapFile::write(Time time, Bytes bytes, std::uint32_t wire_size) {
  const Buffer record = pcap_record(kFileForm, time, bytes.size(), wire_size);
  if (std::fwrite(record.data(), record.size(), 1, file_.get()) != 1 ||
      (!bytes.empty() && std::fwrite(bytes.data(), bytes.size(), 1, file_.get()) != 1))
    std::abort();
}

namespace {

template <typename Take>
Result<std::size_t> each_frame(const std::string& path, Take take) {
  auto source = open_capture_file(path);
  if (!source) return tl::unexpected(source.error());
  std::vector<Frame> batch(256);
  std::size_t frames = 0;
  while (!(*source)->finished()) {
    const auto count = (*source)->next(batch, 0);
    if (!count) return tl::unexpected(count.error());
    for (std::size_t i = 0; i < *count; ++i) take(batch[i]);
    frames += *count;
  }
  return frames;
}

}  // namespace

std::vector<std::string> shared_captures() {
  namespace fs = std::filesystem;
  std::vector<std::string> out;
  const fs::path folder = fs::path(VMIRROR_SOURCE_DIR) / "../shared/captures";
  if (!fs::is_directory(folder)) return out;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string kind = entry.path().extension();
    if (kind == ".pcap" || kind == ".pcapng" || kind == ".cap" || kind == ".gz")
      out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::vector<Captured>> read_capture(const std::string& path) {
  std::vector<Captured> out;
  const auto read = each_frame(path, [&](const Frame& f) {
    out.push_back({f.time, {f.bytes.begin(), f.bytes.end()}, f.wire_size});
  });
  if (!read) return tl::unexpected(read.error());
  return out;
}

Result<std::size_t> wrap_capture(const std::string& from, const std::string& to,
                                 const Wrapping& wrapping) {
  PcapFile file(to);
  std::uint32_t sequence = 0;
  std::size_t written = 0;
  const auto read = each_frame(from, [&](const Frame& f) {
    if (f.link != LinkType::ethernet || f.bytes.size() < 14) return;
    // The mirror had the whole frame; the capture of its copy is cut where the original was.
    Buffer whole(f.bytes.begin(), f.bytes.end());
    const std::size_t cut = f.wire_size < 65000 ? f.wire_size - f.bytes.size() : 0;
    whole.resize(whole.size() + cut);
    const std::vector<Buffer> copies = wrapping.wrap(whole, sequence++);
    for (const Buffer& copy : copies) {
      const bool last = &copy == &copies.back();
      const Bytes kept = Bytes(copy).first(copy.size() - (last ? std::min(cut, copy.size()) : 0));
      file.write(f.time, kept, static_cast<std::uint32_t>(copy.size()));
      ++written;
    }
  });
  if (!read) return tl::unexpected(read.error());
  return written;
}

}  // namespace vmirror::test
