// Which frames of a sender one sequence numbers: those of a session, or those of all its sessions.
//
//   A 7   B 8   A 9   B 10      one for all: each number follows the sender's last one
//   A 7   B 3   A 8   B 4       one each: each follows its own session's last one
//
// Open vSwitch counts the copies of all its ERSPAN ports by one counter, those of all its GRE ports
// with a sequence by another. Who sends is told by the address, so that hosts behind one NAT are
// one sender: their numbers fit neither, and nothing is said of loss. A sender of one session is no
// question. Copies to other collectors are numbered, too, and look like loss here.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/engine/decap/sequence.hpp"

namespace vmirror {

/// What a session's lost, reordered, duplicate and restarts are.
enum class SequenceRule : std::uint8_t {
  none,     ///< Not known: its frames have no number.
  session,  ///< Counted by the session's own numbers.
  sender,   ///< Counted with all sessions of its sender, and shown there.
  open,     ///< Held back: the numbers don't tell yet which of the two is right.
};
/// "none", "per session", "per sender", "open"
const char* to_text(SequenceRule rule);

/// The numbers of a sender of several sessions.
class SenderSequence {
 public:
  /// `first` is its first session's.
  explicit SenderSequence(SequenceWindow& first) : window_(first), sessions_{&first} {}
  /// A further session's window; it stays where it is.
  void add(SequenceWindow& session) { sessions_.push_back(&session); }

  /// A number of the session that `own` is the window of.
  void see(std::uint32_t sequence, SequenceWindow& own) {
    const bool follows_own = own.is_next(sequence);
    if (follows_own && window_.is_next(sequence)) {  // No evidence.
      own.follow(sequence);
      window_.follow(sequence);
      return;
    }
    weigh(sequence, follows_own);
    own.see(sequence);
    window_.see(sequence);
  }

  /// By what was seen of late: four times as much for the one as for the other, and twice at least.
  SequenceRule rule() const;
  const SequenceWindow::Counts& counts() const { return window_.counts(); }

 private:
  static constexpr std::uint32_t kEnough = 2, kRatio = 4;
  static constexpr std::uint32_t kMemory = 1024;  ///< Pieces of evidence; then half is forgotten.

  /// From so much on the rule is sure: should it turn, what it made of the other's numbers is
  /// forgotten.
  static constexpr std::uint32_t kSure = 64;

  void weigh(std::uint32_t sequence, bool follows_own);
  void forget_where_it_turned();

  SequenceWindow window_;
  std::vector<SequenceWindow*> sessions_;
  std::uint32_t for_session_ = 0, for_sender_ = 0;
  SequenceRule sure_ = SequenceRule::open;
};

}  // namespace vmirror
