// A network namespace with a veth, a sender that fills it from core 1, and programs on core 0 that
// receive: for what is measured of capture on a live interface.
//
//   core 1: @send -> vmb0's receive path -> ring -> core 0: the program that is measured
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vmirror::bench {

constexpr const char* kVeth = "vmb0";
constexpr std::uint32_t kVethSpeed = 10'000;  ///< Mbit/s, as its driver states.

/// Moves this process into a network namespace of its own, with the veth, up. The exit status of a
/// part: 0, or not 0 with the reason printed.
int enter_veth();

/// A folder of this process's own for logs and sockets, made.
std::filesystem::path scratch_folder();

/// Starts a program on a core, both its outputs appended to the file `log`.
pid_t start_on(int core, const std::vector<std::string>& arguments, const std::string& log);
/// The same sender for all: frames of ManyFlows of so many bytes, for so many seconds.
pid_t start_sender(std::size_t bytes, std::uint32_t flows, double seconds, const std::string& log);
/// Ends a child by this signal, and waits for its end.
void end_by(pid_t child, int signal);
/// CPU seconds of a process so far, of all its threads, as the scheduler counts them: nanoseconds
/// and not ticks.
double cpu_seconds_of(pid_t process);

/// A vmirrord that captures on the veth, without a switch.
class LiveDaemon {
 public:
  /// `analysis`: that section of its configuration, in YAML's flow style: "{protocols: none}".
  LiveDaemon(const std::string& program, const std::filesystem::path& folder,
             const std::string& analysis);
  ~LiveDaemon();
  LiveDaemon(const LiveDaemon&) = delete;
  LiveDaemon& operator=(const LiveDaemon&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& log() const { return log_; }
  struct Counts {
    double flows = 0;  ///< That are active.
    /// Frames; those that the ring dropped are among the received.
    double received = 0, dropped = 0;
  };
  /// GET /v1/status. Empty: no answer.
  std::optional<Counts> ask() const;
  /// Waits until it answers, for at most 5 s.
  bool is_up() const;

 private:
  std::string socket_, log_;
  pid_t pid_ = 0;
};

}  // namespace vmirror::bench
