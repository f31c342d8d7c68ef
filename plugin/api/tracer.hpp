// A word of the switch on a mirror that has nothing to copy yet: what it would do with a frame of a
// port, asked without a frame being sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plugin/api/model.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

/// Would frames of this port be copied to this output?
struct TraceQuestion {
  std::string session;  ///< Names the question.
  std::string switch_name, port;
  Mac mac;                            ///< The guest's.
  std::optional<std::uint16_t> vlan;  ///< The port's tag.
  Direction direction = Direction::both;
  std::string output;                        ///< The port that takes the copies; or:
  std::optional<std::uint16_t> output_vlan;  ///< their VLAN.
  std::string remote;  ///< Where the output port is a tunnel, the address that copies go to.
  Time since = 0;  ///< Since when the mirror is so: tells one question of a session from the next.
  /// DaemonProgress::done of the reading: what is configured differs with it.
  std::uint64_t configured = 0;
  bool operator==(const TraceQuestion&) const = default;
};

struct TraceAnswer {
  enum class Kind : std::uint8_t {
    copied,      ///< In all its directions.
    not_copied,  ///< For sure, in one of them.
    not_told,    ///< `why` says why.
  };
  Kind kind = Kind::not_told;
  std::string why;  ///< In words, but where it is copied.
  Time at = 0;      ///< When the switch was asked, wall clock.
  Time since = 0;   ///< TraceQuestion::since
  bool operator==(const TraceAnswer&) const = default;
};

/// Asks on a thread of its own, so that a switch that hangs is waited for by nobody else. All
/// functions may be called by any thread.
class Tracer {
 public:
  virtual ~Tracer() = default;
  /// To be answered one after the other, in any order. False: too many wait, ask again later.
  virtual bool ask(TraceQuestion question) = 0;
  struct Answered {
    TraceQuestion question;
    TraceAnswer answer;
  };
  /// What was answered since the last call.
  virtual std::vector<Answered> take_answers() = 0;
};

}  // namespace vmirror
