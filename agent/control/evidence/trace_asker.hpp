// Asks the switch about sessions whose guests are silent: what it would do with a frame, since
// there is none to count.
//
//   ready sessions --> questions --> Tracer (a thread of the driver's) --> answers --> judge
//
// An answer holds until something is configured on the switch, and for a minute: of changes to its
// flow tables the database tells nothing.
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
  /// Between two looks at whether an answer still holds, and between two questions that get none.
  static constexpr Time kAgain = 10 * kSecond;
  /// That a frame would not be copied is believed once it is said twice, so far apart.
  static constexpr Time kConfirm = kSecond;

  /// `tracer`: the driver's; null: the switch can't be asked.
  explicit TraceAsker(std::unique_ptr<Tracer> tracer) : tracer_(std::move(tracer)) {}

  /// After each reading and once a second. Costs what differs from the last call's snapshot, and
  /// what is due.
  void look(const ControlSnapshot& control, Time now);
  /// By session. A copy costs nothing.
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
