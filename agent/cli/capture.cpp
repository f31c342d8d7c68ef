#include "agent/cli/capture.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "agent/cli/asking.hpp"
#include "agent/cli/bpf_filter.hpp"
#include "agent/engine/capture/capture.hpp"
#include "agent/engine/export/pcapng_writer.hpp"
#include "agent/engine/worker/pipeline.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

/// SIGINT and SIGTERM as a question instead of an end, and SIGPIPE as an error of write(2).
class EndSignals {
 public:
  EndSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    sigdelset(&set, SIGPIPE);
    fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  }
  ~EndSignals() {
    if (fd_ >= 0) ::close(fd_);
  }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;
  bool came() const {
    signalfd_siginfo info{};
    return fd_ >= 0 && ::read(fd_, &info, sizeof info) == sizeof info;
  }

 private:
  int fd_ = -1;
};

/// Where the bytes go. A reader that went away is an end, not an error.
class OutputFile {
 public:
  static Result<OutputFile> open(const CommandContext& context, const std::string& path) {
    if (path == "-") {
      if (context.terminal)
        return fail(Error::Kind::refused, "standard output is a terminal", "",
                    "write to a file with --write FILE, or pipe it into `tcpdump -r -`");
      return OutputFile(STDOUT_FILENO, false);
    }
    constexpr mode_t kOwnerOnly = 0600;
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kOwnerOnly);
    if (fd < 0)
      return fail(Error::Kind::refused, std::string("can't be written: ") + std::strerror(errno),
                  path, "name a file in a folder that you may write");
    return OutputFile(fd, true);
  }
  OutputFile(OutputFile&& other) noexcept
      : fd_(other.fd_), owned_(std::exchange(other.owned_, false)) {}
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile() {
    if (owned_) ::close(fd_);
  }

  Result<void> write(Bytes bytes) {
    while (!bytes.empty() && !reader_gone_) {
      const ssize_t done = ::write(fd_, bytes.data(), bytes.size());
      if (done >= 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(done));
      } else if (errno == EPIPE) {
        reader_gone_ = true;
      } else if (errno != EINTR) {
        return fail(Error::Kind::exhausted,
                    std::string("the capture can't be written: ") + std::strerror(errno));
      }
    }
    return {};
  }
  bool reader_gone() const { return reader_gone_; }

 private:
  OutputFile(int fd, bool owned) : fd_(fd), owned_(owned) {}
  int fd_;
  bool owned_;
  bool reader_gone_ = false;
};

/// Writes the bare frames of some NICs, each as a frame of that NIC's interface.
class NicWriter final : public FrameObserver {
 public:
  NicWriter(const CaptureRequest& request, std::vector<CaptureNic> nics, OutputFile& file,
            std::function<bool(const Frame&)> filter)
      : request_(request),
        nics_(std::move(nics)),
        filter_(std::move(filter)),
        writer_([&file](Bytes bytes) { return file.write(bytes); }) {
    for (const CaptureNic& nic : nics_) {
      std::string description = nic.vm.empty() ? "" : "VM " + nic.vm + ", ";
      description += "NIC " + nic.mac.text();
      if (!nic.session.empty()) description += ", session " + nic.session;
      writer_.interface(nic.switch_name.empty() ? nic.port : nic.switch_name + "/" + nic.port,
                        description, request.snaplen);
    }
  }

  /// The device that the next frames come from.
  void from(const std::string& device) { device_ = device; }

  void analysed(const Frame& frame, const Packet& packet, const Origin&, std::uint64_t,
                const Facts*) override {
    if (done()) return;
    if (frame.link != LinkType::ethernet || !packet.has_macs) {
      ++summary_.not_ethernet;
      return;
    }
    if (filter_ && !filter_(frame)) return;
    const Mac from = packet.source_mac(frame.bytes), to = packet.destination_mac(frame.bytes);
    for (std::uint32_t i = 0; i < nics_.size(); ++i) {
      if (nics_[i].device != device_) continue;
      const Direction direction = nics_[i].mac == from                  ? Direction::out
                                  : nics_[i].mac == to || to.is_group() ? Direction::in
                                                                        : Direction::none;
      if (direction == Direction::none) continue;
      writer_.frame(i, frame, direction, request_.snaplen);
      ++summary_.frames;
      ++frames_of_[device_];
      return;
    }
  }

  bool done() const { return request_.count != 0 && summary_.frames >= request_.count; }
  Result<void> flush() { return writer_.flush(); }
  /// The last words: what each device brought and lost.
  Result<CaptureSummary> end(const std::map<std::string, std::uint64_t>& lost) {
    std::set<std::string> told;  // A device's figures are told at its first NIC.
    for (std::uint32_t i = 0; i < nics_.size(); ++i) {
      if (!told.insert(nics_[i].device).second) continue;
      writer_.statistics(i, wall_clock(), frames_of_[nics_[i].device], lost.at(nics_[i].device));
      summary_.lost += lost.at(nics_[i].device);
    }
    if (const auto written = flush(); !written) return tl::unexpected(written.error());
    return summary_;
  }

 private:
  const CaptureRequest& request_;
  const std::vector<CaptureNic> nics_;
  std::function<bool(const Frame&)> filter_;
  PcapngWriter writer_;
  std::string device_;
  std::map<std::string, std::uint64_t> frames_of_;  ///< By device.
  CaptureSummary summary_;
};

Result<std::vector<CaptureNic>> requested_nics(const CommandContext& context,
                                               const CaptureRequest& request) {
  if (!request.interface.empty()) {
    const auto mac = Mac::parse(request.name);
    if (!mac)
      return fail(Error::Kind::invalid, "with --interface the guest is named by its MAC",
                  request.name, "the MAC of the NIC, as `vmirror locations` of its host says");
    return std::vector<CaptureNic>{{.switch_name = "",
                                    .port = request.interface,
                                    .mac = *mac,
                                    .vm = "",
                                    .session = "",
                                    .device = request.interface}};
  }
  const auto answer = ask_daemon(context, "/v1/sessions");
  if (!answer) return tl::unexpected(answer.error());
  return capture_nics(rows(*answer, "sessions"), request.name);
}

constexpr std::uint64_t kMostFrames = 1'000'000'000'000;
constexpr std::uint64_t kMostSnaplen = 262'144;  ///< As tcpdump's.

/// A device of the capture, and what becomes of its frames.
struct Tap {
  std::string device;
  std::unique_ptr<FrameSource> source;
  Pipeline pipeline;
};

Result<std::vector<Tap>> open_taps(const std::vector<CaptureNic>& nics, FrameObserver& observer) {
  std::vector<Tap> out;
  for (const CaptureNic& nic : nics) {
    if (std::ranges::any_of(out, [&](const Tap& tap) { return tap.device == nic.device; }))
      continue;
    auto source = open_ring({.interface = nic.device});
    if (!source) return tl::unexpected(source.error());
    PipelineOptions options;
    options.observer = &observer;
    // Flows and assets are not asked for: small tables will do.
    options.flows.max_flows = 1024;
    options.inventory.max_assets = 1024;
    out.push_back({nic.device, std::move(*source), Pipeline(std::move(options))});
  }
  return out;
}

std::uint64_t lost_by(const FrameSource& source) {
  return source.dropped()[static_cast<std::size_t>(Drop::kernel)];
}

Result<CaptureSummary> run_capture(const CaptureRequest& request, NicWriter& writer,
                                   OutputFile& file, std::vector<Tap>& taps) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(request.seconds);
  const EndSignals signals;
  const int wait_ms = std::max<int>(5, 100 / static_cast<int>(taps.size()));
  std::vector<Frame> batch(1024);
  Result<void> written = writer.flush();  // A reader sees at once that the capture runs.
  while (written && !signals.came() && !file.reader_gone() && !writer.done() &&
         (request.seconds == 0 || Clock::now() < end)) {
    for (Tap& tap : taps) {
      const auto count = tap.source->next(batch, wait_ms);
      if (!count) return tl::unexpected(count.error());
      writer.from(tap.device);
      tap.pipeline.process({batch.data(), *count});
      if (*count == 0) tap.pipeline.tick(wall_clock());
    }
    written = writer.flush();
  }
  if (!written) return tl::unexpected(written.error());
  std::map<std::string, std::uint64_t> lost;
  for (const Tap& tap : taps) lost[tap.device] = lost_by(*tap.source);
  return writer.end(lost);
}

}  // namespace

std::vector<CaptureNic> capture_nics(const json::array& sessions) {
  std::map<PortKey, CaptureNic> out;
  for (const json::value& value : sessions) {
    const json::object& row = value.as_object();
    const std::string device = text(row, "output");
    const auto mac = Mac::parse(text(row, "mac"));
    // The output of a local target is a port of ours; a monitor NIC's copies leave the host.
    if (text(row, "target") != "local" || !device.starts_with("vmr-") || !mac) continue;
    const PortKey at{text(row, "switch"), text(row, "port")};
    out.try_emplace(
        at, CaptureNic{at.switch_name, at.port, *mac, text(row, "vm"), text(row, "name"), device});
  }
  std::vector<CaptureNic> nics;
  for (auto& [at, nic] : out) nics.push_back(std::move(nic));
  return nics;
}

namespace {

/// Of a session to `local` without an output port of the daemon's: the copies go to a NIC of the
/// sensor, whose name in the sensor only its own system knows.
Error why_not_here(const json::object& session, const std::string& name) {
  const std::string output = text(session, "output"), mac = text(session, "mac");
  if (output.empty() || output == "-")
    return {Error::Kind::missing, "no mirror serves it: " + text(session, "reason"), name,
            "`vmirror explain " + text(session, "name") + "` tells why"};
  return {Error::Kind::unsupported,
          "the switch hands its copies to the receiver's NIC `" + output +
              "`, which is no output port of this daemon",
          name,
          "on the machine that receives them: `vmirror capture " +
              (mac.empty() || mac == "-" ? "MAC" : mac) +
              " --interface DEVICE`, with the interface that `inputs` of its vmirrord.yaml names"};
}

}  // namespace

Result<std::vector<CaptureNic>> capture_nics(const json::array& sessions, const std::string& name) {
  json::array named;
  for (const json::value& row : sessions)
    for (const char* key : {"vm", "port", "mac", "name"})
      if (text(row.as_object(), key) == name) {
        named.push_back(row);
        break;
      }
  if (named.empty())
    return fail(Error::Kind::missing, "no session mirrors it here", name,
                "`vmirror sessions` lists what is mirrored; a policy must select the guest");
  std::vector<CaptureNic> nics = capture_nics(named);
  if (nics.empty() && text(named.front().as_object(), "target") == "local")
    return tl::unexpected(why_not_here(named.front().as_object(), name));
  if (nics.empty())
    return fail(
        Error::Kind::unsupported,
        "its copies go to " + text(named.front().as_object(), "target") + ", not to this host",
        name,
        "add the target `local` to the policy, or capture at the collector: `vmirror "
        "capture MAC --interface DEVICE`");
  return nics;
}

Result<CaptureSummary> capture_frames(const CommandContext& context,
                                      const CaptureRequest& request) {
  const auto nics = requested_nics(context, request);
  if (!nics) return tl::unexpected(nics.error());
  std::function<bool(const Frame&)> filter;
  if (!request.filter.empty()) {
    auto made = make_bpf_filter(request.filter);
    if (!made) return tl::unexpected(made.error());
    filter = std::move(*made);
  }
  auto file = OutputFile::open(context, request.file);
  if (!file) return tl::unexpected(file.error());
  NicWriter writer(request, *nics, *file, std::move(filter));
  auto taps = open_taps(*nics, writer);
  if (!taps) return tl::unexpected(taps.error());
  return run_capture(request, writer, *file, *taps);
}

void add_capture(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* command = declare(app, context, "capture",
                              "Capture the frames of one mirrored guest as pcapng, beside the "
                              "daemon: each NIC is an interface, each frame has the guest's "
                              "direction. Needs root, or CAP_NET_RAW",
                              "vmirror capture dc1 --write - | tcpdump -n -r -");
  auto request = std::make_shared<CaptureRequest>();
  command
      ->add_option("NAME", request->name,
                   "VM, port, MAC or session; group frames of its switch are captured, too")
      ->required()
      ->check(not_empty());
  command->add_option("-w,--write", request->file, "File, or - for standard output (default)");
  command->add_option("-c,--count", request->count, "End after so many frames; 0: never (default)")
      ->check(whole_number(0, kMostFrames));
  command->add_option("-s,--snaplen", request->snaplen, "Bytes of each frame; 0: all (default)")
      ->check(whole_number(0, kMostSnaplen));
  command->add_option("--for", request->seconds, "End after so many seconds")
      ->check(seconds_from_zero());
  command->add_option("--filter", request->filter, "A filter of libpcap, as tcpdump takes it");
  command->add_option("-i,--interface", request->interface,
                      "At a collector: the interface that the copies come in on");
  command->callback([&, request] {
    const auto summary = capture_frames(context, *request);
    if (!summary) {
      exit = report(context, summary.error());
      return;
    }
    if (context.json && request->file != "-")
      print_json(context, {{"file", request->file},
                           {"frames", summary->frames},
                           {"lost", summary->lost},
                           {"not_ethernet", summary->not_ethernet}});
    else
      context.err << count(summary->frames, "frame") << " captured, " << summary->lost
                  << " lost by the kernel, " << summary->not_ethernet << " without Ethernet\n";
    exit = kOk;
  });
}

}  // namespace vmirror
