// Makers of capture files for tests, fuzz seeds and benches: pcap and pcapng in every variant that
// agent/engine/capture reads, written from the formats and not from the readers.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plugin/base/result.hpp"
#include "tests/support/encapsulate.hpp"
#include "tests/support/frames.hpp"

namespace vmirror::test {

/// A frame as a capture file has it.
struct Captured {
  Time time = 0;
  Buffer bytes;
  std::uint32_t wire_size = 0;  ///< 0: bytes.size()
};

struct PcapForm {
  bool big_endian = false;
  bool nanoseconds = false;
  bool modified = false;  ///< 24-byte record headers.
  std::uint32_t linktype = 1;
  std::uint32_t snaplen = 262144;
};
/// A whole pcap file.
Buffer pcap(std::span<const Captured> frames, const PcapForm& form = {});

/// Writes a pcapng file block by block: section() first.
class Pcapng {
 public:
  Pcapng& section(bool big_endian = false, std::uint16_t major = 1);
  /// `resolution` and `offset` as the options if_tsresol and if_tsoffset have them.
  Pcapng& interface(std::uint16_t linktype = 1, std::uint32_t snaplen = 0,
                    std::optional<std::uint8_t> resolution = {},
                    std::optional<std::int64_t> offset = {});
  Pcapng& enhanced(std::uint32_t interface, std::uint64_t ticks, Bytes frame,
                   std::uint32_t wire_size = 0);
  Pcapng& simple(Bytes frame, std::uint32_t wire_size = 0);
  Pcapng& obsolete(std::uint16_t interface, std::uint64_t ticks, Bytes frame);
  /// Any block: its body is padded.
  Pcapng& block(std::uint32_t type, Bytes body);
  Buffer take() { return std::move(out_); }

 private:
  void put16(Buffer& to, std::uint64_t v) const;
  void put32(Buffer& to, std::uint64_t v) const;
  Buffer out_;
  bool big_endian_ = false;
};

/// RFC 1952, one member.
Buffer gzip(Bytes bytes);

/// A folder that goes away with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  /// A path in it.
  std::string operator/(const std::string& name) const { return path_ / name; }
  /// Writes a file in it and returns its path.
  std::string write(const std::string& name, Bytes bytes) const;

 private:
  std::filesystem::path path_;
};

/// Writes a pcap file (nanoseconds, Ethernet unless told) frame by frame: any size, flat memory.
/// Aborts where it can't write.
class PcapFile {
 public:
  explicit PcapFile(const std::string& path, std::uint32_t linktype = 1);
  void write(Time time, Bytes bytes, std::uint32_t wire_size = 0);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
};

/// The pcap and pcapng files of ../shared/captures, beside the source tree; sorted, empty where it
/// is not at hand. They are others' and not part of the project: tests that use them skip without.
std::vector<std::string> shared_captures();

/// All frames of a capture file. What open_capture_file and its source say, where they fail.
Result<std::vector<Captured>> read_capture(const std::string& path);

/// Writes `from` again with each frame wrapped, as a nanosecond pcap of Ethernet. The number of
/// frames written. Frames that are not Ethernet are left out, as are those that the wrapping has
/// nothing for.
Result<std::size_t> wrap_capture(const std::string& from, const std::string& to,
                                 const Wrapping& wrapping);

}  // namespace vmirror::test
