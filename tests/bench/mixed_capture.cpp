#include "tests/bench/mixed_capture.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>

#include "agent/engine/capture/capture.hpp"
#include "tests/support/encapsulate.hpp"

namespace vmirror::bench {
namespace {

namespace fs = std::filesystem;
using test::Buffer;

/// Part of each file's name: raise it when the same Mix gives other bytes.
constexpr int kVersion = 1;

// ---- Writing -----------------------------------------------------------------------------------

/// A pcap file in this machine's byte order, with microseconds.
class PcapWriter {
 public:
  explicit PcapWriter(const std::string& path) : file_(std::fopen(path.c_str(), "wb")) {
    if (file_ == nullptr) return;
    std::setvbuf(file_.get(), nullptr, _IOFBF, 1 << 20);
    const std::uint32_t header[6] = {0xa1b2c3d4, 4u << 16 | 2, 0, 0, 262144, 1};
    std::fwrite(header, sizeof header, 1, file_.get());
  }
  bool open() const { return file_ != nullptr; }
  void write(Time time, Bytes frame) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    const std::uint32_t header[4] = {static_cast<std::uint32_t>(time / kSecond),
                                     static_cast<std::uint32_t>(time % kSecond / 1000), size, size};
    std::fwrite(header, sizeof header, 1, file_.get());
    std::fwrite(frame.data(), 1, frame.size(), file_.get());
  }
  bool close() {
    const bool good = std::ferror(file_.get()) == 0;
    return std::fclose(file_.release()) == 0 && good;
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
};

// ---- Clips -------------------------------------------------------------------------------------

Clip read_clip(const std::string& path) {
  Clip clip;
  auto source = open_capture_file(path);
  if (!source) return clip;
  std::array<Frame, 256> batch;
  while (!(*source)->finished()) {
    const auto count = (*source)->next(batch, 0);
    if (!count) break;
    for (std::size_t i = 0; i < *count; ++i) {
      const Frame& f = batch[i];
      if (f.link != LinkType::ethernet || f.bytes.size() < 14 || f.bytes.size() > 1900) continue;
      clip.emplace_back(f.bytes.begin(), f.bytes.end());
    }
  }
  return clip;
}

/// Broken on purpose; argus, which is to be compared, ends with a corrupted heap.
bool kills_argus(const std::string& name) {
  return name == "tcpdump" || name == "arp-leak.pcap" || name == "llc.pcap" ||
         name == "dns-inverse-query.pcap";
}

std::vector<Clip> captured_clips() {
  std::vector<std::string> paths;
  std::error_code error;
  const fs::path folder = fs::path(VMIRROR_SOURCE_DIR).parent_path() / "shared/captures";
  for (fs::recursive_directory_iterator i(folder, error), end; i != end && !error;
       i.increment(error)) {
    if (kills_argus(i->path().filename())) {
      if (i->is_directory()) i.disable_recursion_pending();
      continue;
    }
    const std::string extension = i->path().extension();
    if (extension == ".pcap" || extension == ".pcapng" || extension == ".cap") {
      paths.push_back(i->path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Clip> clips;
  for (const auto& path : paths) {
    if (Clip clip = read_clip(path); !clip.empty()) clips.push_back(std::move(clip));
  }
  return clips;
}

// ---- Plays -------------------------------------------------------------------------------------

/// What one play's hosts have that no other's have.
struct Hosts {
  std::uint32_t ip = 0;   ///< XORed to an IPv4 address's lower 24 bits, to IPv6's third word.
  std::uint8_t site = 0;  ///< XORed to a MAC's fourth octet.
};

void move_mac(std::uint8_t* mac, const Hosts& hosts) {
  if ((mac[0] & 1) == 0) mac[3] ^= hosts.site;
}

void move_ip4(std::uint8_t* ip, const Hosts& hosts) {
  if (ip[0] == 0 || ip[0] >= 224) return;
  for (int i = 0; i < 3; ++i) ip[1 + i] ^= static_cast<std::uint8_t>(hosts.ip >> (8 * (2 - i)));
}

void move_ip6(std::uint8_t* ip, const Hosts& hosts) {
  if (ip[0] == 0xff) return;
  for (int i = 0; i < 4; ++i) ip[8 + i] ^= static_cast<std::uint8_t>(hosts.ip >> (8 * (3 - i)));
}

/// The frame as sent between these hosts. Checksums stay as they were: none of the programs that
/// are measured looks at them.
void move(Buffer& frame, const Hosts& hosts) {
  const Packet packet = parse_packet(frame, LinkType::ethernet);
  std::uint8_t* const network = frame.data() + packet.network;
  move_mac(frame.data(), hosts);
  move_mac(frame.data() + 6, hosts);
  if (packet.ip_version == 4) {
    move_ip4(network + 12, hosts);
    move_ip4(network + 16, hosts);
  } else if (packet.ip_version == 6) {
    move_ip6(network + 8, hosts);
    move_ip6(network + 24, hosts);
  } else if (packet.ethertype == ethertype::kArp && packet.network_size >= 28) {
    move_mac(network + 8, hosts);
    move_ip4(network + 14, hosts);
    move_mac(network + 18, hosts);
    move_ip4(network + 24, hosts);
  }
}

struct Play {
  const Clip* clip = nullptr;
  std::size_t next = 0;
  Hosts hosts;
};

Buffer wrapped(Bytes frame, std::uint32_t sequence) {
  return test::outer_frame(
      {}, ip_protocol::kGre,
      test::gre({.protocol = 0x88be, .sequence = sequence}, test::erspan2({.session = 7}, frame)));
}

bool write_plays(const std::vector<Clip>& clips, const Mix& mix, PcapWriter& out) {
  std::mt19937 random(1);
  std::vector<Play> plays(mix.plays_at_once);
  Time time = 1'700'000'000 * kSecond;
  Buffer frame;
  for (std::uint64_t written = 0; written < mix.packets;) {
    Play& play = plays[random() % plays.size()];
    for (unsigned burst = 1 + random() % 4; burst > 0 && written < mix.packets; --burst) {
      if (play.clip == nullptr || play.next == play.clip->size()) {
        play = {&clips[random() % clips.size()], 0, {}};
        play.hosts.ip = static_cast<std::uint32_t>(random());
        play.hosts.site = static_cast<std::uint8_t>(random() % mix.sites);
        // So that not all begin at their beginning, and at once.
        if (written < plays.size()) play.next = random() % play.clip->size();
      }
      frame = (*play.clip)[play.next++];
      move(frame, play.hosts);
      if (mix.wrapped) frame = wrapped(frame, static_cast<std::uint32_t>(written));
      time += mix.spacing_ns / 2 + random() % (mix.spacing_ns + 1);
      out.write(time, frame);
      ++written;
    }
  }
  return out.close();
}

/// The path of a capture of this name, which `write` makes if it isn't there.
template <typename Write>
Result<std::string> kept(const std::string& name, Write&& write) {
  const fs::path path = fs::path(VMIRROR_SOURCE_DIR) / "build/bench/captures" / name;
  std::error_code error;
  if (fs::exists(path, error)) return path.string();
  fs::create_directories(path.parent_path(), error);
  const std::string unfinished = path.string() + ".new";
  PcapWriter out(unfinished);
  if (!out.open() || !write(out))
    return fail(Error::Kind::refused, "can't be written", unfinished, "make room, or permission");
  fs::rename(unfinished, path, error);
  return path.string();
}

}  // namespace

Result<std::string> mixed_capture(const Mix& mix) {
  std::vector<Clip> clips;
  if (!mix.built) clips = captured_clips();
  const bool built = clips.empty();
  if (built) clips = built_clips();
  std::size_t frames = 0;
  for (const Clip& clip : clips) frames += clip.size();

  const std::string name = std::string(built ? "built" : "captured") +
                           (mix.wrapped ? "-erspan2" : "") + "-" + std::to_string(mix.packets) +
                           "-" + std::to_string(mix.plays_at_once) + "x" +
                           std::to_string(mix.sites) + "-" + std::to_string(mix.spacing_ns) +
                           "ns-of" + std::to_string(clips.size()) + "x" + std::to_string(frames) +
                           "-v" + std::to_string(kVersion) + ".pcap";
  return kept(name, [&](PcapWriter& out) { return write_plays(clips, mix, out); });
}

Result<std::string> bulk_capture(bool tls) {
  constexpr unsigned kHosts = 64;
  const std::string name =
      std::string(tls ? "bulk-tls" : "bulk-unknown") + "-v" + std::to_string(kVersion) + ".pcap";
  return kept(name, [&](PcapWriter& out) {
    Time time = 1'700'000'000 * kSecond;
    for (unsigned host = 0; host < kHosts; ++host)
      for (const Buffer& frame : bulk_clip(host, tls)) out.write(time += 30'000, frame);
    return out.close();
  });
}

}  // namespace vmirror::bench
