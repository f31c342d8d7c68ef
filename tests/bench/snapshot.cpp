// What it costs the capturing worker to be asked what it knows: 65,536 assets and a million flows.
//
//   @held    a worker on frames made in memory; how long it is away from its source while it is
//            asked for everything. CPU time of its thread, so that neighbours do not count. The
//            clock goes on where a hypervisor takes the core away, so the longest slice alone is
//            told, too: without frames, of the request that was disturbed least.
//   @asked   vmirrord behind a veth, live frames at full speed from the other core, and /v1/status
//            asked for ten times a second; frames that the kernel dropped meanwhile
//
// VMIRROR_REFERENCE names the folder of another build's programs (vmirror_bench, vmirrord): each
// measurement is then made with both, in turn.
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <thread>

#include "agent/engine/worker/engine.hpp"
#include "tests/bench/benches.hpp"
#include "tests/bench/many_flows.hpp"
#include "tests/bench/passes.hpp"
#include "tests/bench/veth.hpp"

namespace vmirror::bench {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

// ---- How long a worker is held

/// What the source sees of its worker, and the one who asks of the source.
struct Watch {
  std::atomic<std::uint64_t> frames = 0;
  std::atomic<double> longest = 0;  ///< CPU seconds between two calls of `next`.
  std::atomic<bool> quiet = false;  ///< No frames come: between two calls is one slice at most.
};

class MemorySource : public FrameSource {
 public:
  explicit MemorySource(Watch& watch) : watch_(watch) {}

  Result<std::size_t> next(std::span<Frame> batch, int) override {
    const double away = left_ == 0 ? 0 : thread_cpu_seconds() - left_;
    if (away > watch_.longest.load(std::memory_order_relaxed)) watch_.longest = away;
    const std::size_t count = watch_.quiet ? 0 : std::min(batch.size(), bytes_.size());
    for (std::size_t i = 0; i < count; ++i) {
      flows_.next(bytes_[i].data());
      batch[i] = test::frame_of(bytes_[i], time_ += 1000);
    }
    watch_.frames += count;
    left_ = thread_cpu_seconds();
    return count;
  }
  bool finished() const override { return false; }
  std::span<const std::uint64_t, kDropKinds> dropped() const override { return dropped_; }
  std::span<const std::string> warnings() const override { return {}; }

 private:
  Watch& watch_;
  ManyFlows flows_;
  Time time_ = 1'700'000'000 * kSecond;
  double left_ = 0;
  std::array<std::array<std::uint8_t, ManyFlows::kSize>, kBatchFrames> bytes_{};
  std::array<std::uint64_t, kDropKinds> dropped_{};
};

constexpr int kSnapshots = 100;
constexpr double kAskedFor = 10;  ///< How long frames come while the daemon is asked.

/// The longest time away in each of kSnapshots spans in which `during` runs, shortest first.
std::vector<double> longest_times(Watch& watch, const std::function<void()>& during) {
  std::vector<double> out;
  for (int n = 0; n < kSnapshots; ++n) {
    watch.longest = 0;
    during();
    out.push_back(watch.longest * 1e3);
    std::this_thread::sleep_for(milliseconds(5));
  }
  std::ranges::sort(out);
  return out;
}

// ---- What is lost while the daemon is asked

/// Sends for some seconds, and asks for the status meanwhile; the frames that came and those that
/// were dropped.
std::optional<LiveDaemon::Counts> send_and_ask(const LiveDaemon& daemon, double seconds,
                                               bool asks) {
  const auto before = daemon.ask();
  const pid_t sender = start_sender(ManyFlows::kSize, ManyFlows::kFlows, seconds, daemon.log());
  for (auto at = std::chrono::steady_clock::now(); waitpid(sender, nullptr, WNOHANG) != sender;) {
    if (asks) daemon.ask();
    std::this_thread::sleep_until(at += milliseconds(100));
  }
  std::this_thread::sleep_for(milliseconds(300));
  const auto after = daemon.ask();
  if (!before || !after) return std::nullopt;
  return LiveDaemon::Counts{after->flows, after->received - before->received,
                            after->dropped - before->dropped};
}

/// The numbers of a part, run by another build's program.
Result<std::vector<double>> run_part_of(const fs::path& program,
                                        const std::vector<std::string>& arguments) {
  std::vector<std::string> all{program.string()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const auto done = run_program(all);
  if (!done) return tl::unexpected(done.error());
  if (done->status != 0)
    return fail(Error::Kind::internal, done->output, program.string() + " " + arguments[0]);
  std::istringstream lines(done->output);
  return std::vector<double>(std::istream_iterator<double>(lines), {});
}

}  // namespace

/// @held: the longest time in ms that the worker is away from its source, at most and 99 of 100:
/// without anybody who asks, and while it is asked for everything; then the longest slice of the
/// request whose longest slice is the shortest.
int part_held(const std::vector<std::string>&) {
  auto options = pipeline_options("none");
  if (!options) return 1;
  options->flows.max_flows = 1 << 20;
  Watch watch;
  EngineOptions engine_options;
  engine_options.pipeline = *options;
  InputOptions input;
  input.name = "memory";
  input.open = [&](int) -> Result<std::unique_ptr<FrameSource>> {
    return std::make_unique<MemorySource>(watch);
  };
  engine_options.inputs.push_back(std::move(input));
  Engine engine(std::move(engine_options));
  while (watch.frames < 2 * ManyFlows::kFlows) std::this_thread::sleep_for(milliseconds(10));
  std::size_t flows = 0, assets = 0, top = 0;
  const double start = now_seconds();
  const auto with = longest_times(watch, [&] {
    const auto known = engine.snapshot(milliseconds(5000));
    flows = known->flows_active;
    assets = known->assets.size();
    top = known->top_flows.size();
  });
  // As long, so that what the machine does to both is the same.
  const auto span = std::chrono::duration<double>((now_seconds() - start) / kSnapshots);
  const auto without = longest_times(watch, [&] { std::this_thread::sleep_for(span); });
  if (flows != ManyFlows::kFlows || assets != ManyFlows::kHosts || top == 0) {
    std::fprintf(stderr, "%zu flows, %zu assets, %zu on top\n", flows, assets, top);
    return 1;
  }
  watch.quiet = true;
  const auto slices = longest_times(watch, [&] { (void)engine.snapshot(milliseconds(5000)); });
  for (const auto& times : {without, with})
    std::printf("%.6f\n%.6f\n", times.back(), times[kSnapshots - 2]);
  std::printf("%.6f\n", slices.front());
  return 0;
}

/// @asked VMIRRORD: frames received and dropped while nobody asks, and while somebody does.
int part_asked(const std::vector<std::string>& arguments) {
  if (arguments.size() != 1) return 64;
  if (const int status = enter_veth(); status != 0) return status;
  const fs::path folder = scratch_folder();
  {
    const LiveDaemon daemon(arguments[0], folder, "{protocols: none, max_flows: 1048576}");
    if (!daemon.is_up()) {
      std::fprintf(stderr, "no vmirrord; see %s\n", daemon.log().c_str());
      return 1;
    }
    std::optional<LiveDaemon::Counts> known;  // A second has all flows, if no frame is dropped.
    for (int tries = 0; tries < 10 && (!known || known->flows < ManyFlows::kFlows); ++tries)
      known = send_and_ask(daemon, 1, false);
    if (!known || known->flows != ManyFlows::kFlows) {
      std::fprintf(stderr, "the daemon has no million flows; see %s\n", daemon.log().c_str());
      return 1;
    }
    const auto unasked = send_and_ask(daemon, kAskedFor, false);
    const auto asked = send_and_ask(daemon, kAskedFor, true);
    if (!unasked || !asked) return 1;
    std::printf("%.0f\n%.0f\n%.0f\n%.0f\n", unasked->received, unasked->dropped, asked->received,
                asked->dropped);
  }
  fs::remove_all(folder);
  return 0;
}

void bench_snapshot(Report& report) {
  if (cores() < 2) return report.note("snapshot needs two cores: left out");
  const fs::path own = fs::path(self_path()).parent_path();
  const char* const named = std::getenv("VMIRROR_REFERENCE");
  const std::vector<fs::path> builds =
      named != nullptr ? std::vector<fs::path>{own, named} : std::vector<fs::path>{own};
  std::array<std::vector<double>, 2> held, asked;
  for (std::size_t i = 0; i < builds.size(); ++i) {
    const auto n = run_part_of(builds[i] / "vmirror_bench", {"@held"});
    if (!n || n->size() != 5) return report.note(n ? "snapshot: no numbers" : n.error().text());
    held[i] = *n;
  }
  const auto of = [&](const auto& numbers, std::size_t which) {
    return builds.size() == 2 ? std::optional(numbers[1][which]) : std::nullopt;
  };
  report.add({"snapshot.batch_max", held[0][0], "ms", of(held, 0), {}});
  report.add({"snapshot.held_max", held[0][2], "ms", of(held, 2), value_at_most(0.5)});
  report.add({"snapshot.held_p99", held[0][3], "ms", of(held, 3), value_at_most(0.5)});
  report.add({"snapshot.slice_max", held[0][4], "ms", of(held, 4), value_at_most(0.5)});
  for (std::size_t i = 0; i < builds.size(); ++i) {
    const auto n = run_part({"@asked", (builds[i] / "vmirrord").string()});
    if (!n || n->size() != 4) return report.note(n ? "snapshot: no numbers" : n.error().text());
    asked[i] = *n;
  }
  report.add({"snapshot.dropped_unasked", asked[0][1], "frames", of(asked, 1), {}});
  report.add({"snapshot.dropped_asked", asked[0][3], "frames", of(asked, 3), value_at_most(0)});
  report.add({"snapshot.frames_asked", asked[0][2], "frames", of(asked, 2), {}});
}

}  // namespace vmirror::bench
