// Traces for sessions whose guests are silent: asks the switch what it would do with a frame, since
// there are no frames to count.
//
//   ready sessions --> questions --> Tracer (a thread of the driver's) --> answers --> judge
//
// An answer is valid for a minute, and only until the switch's configuration changes. The database
// does not show changes of the flow tables.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "agent/control/reconcile/reconciler.hpp"
#include "plugin/api/tracer.hpp"

namespace vmirror {

/// One thread; time is the caller's.
class TraceAsker {
 public:
  static constexpr Time kHolds = 60 * kSecond;
  /// Between two checks of an answer's validity, and between two questions without an answer.
  static constexpr Time kAgain = 10 * kSecond;
  /// The answer that a frame is not copied is believed after two such answers, this time apart.
  static constexpr Time kConfirm = kSecond;

  /// `tracer`: the driver's; null: the switch can't be asked.
  explicit TraceAsker(std::unique_ptr<Tracer> tracer) : tracer_(std::move(tracer)) {}

  /// To be called after each reading and once a second. Costs the difference to the last call's
  /// snapshot, and the questions that are due.
  void look(const ControlSnapshot& control, Time now);
  /// By session. A copy is free.
  const PersistentMap<std::string, TraceAnswer>& answers() const { return answers_; }

 private:
  struct Asked {
    Time since = 0;        ///< SessionStatus::in_place_since of the mirror that it is about.
    bool waits = false;    ///< For an answer.
    bool doubted = false;  ///< The last answer was the first to say that nothing is copied.
    std::optional<Time> due;
    std::uint64_t configured = 0;  ///< TraceQuestion::configured of the latest answer.
    Time at = 0;                   ///< Of the latest answer; 0: there is none.
  };

  void take_answers(Time now);
  void follow(const std::string& session, const SessionStatus* is, Time now);
  void ask_due(const ControlSnapshot& control, Time now);
  void set_due(const std::string& session, Asked& asked, std::optional<Time> due);
  static std::optional<TraceQuestion> question_of(const SessionStatus& session,
                                                  const Observed& observed);

  const std::unique_ptr<Tracer> tracer_;
  PersistentMap<std::string, SessionStatus> sessions_;  ///< As of the last look.
  std::map<std::string, Asked> asked_;
  std::set<std::pair<Time, std::string>> due_;
  PersistentMap<std::string, TraceAnswer> answers_;
};

}  // namespace vmirror
