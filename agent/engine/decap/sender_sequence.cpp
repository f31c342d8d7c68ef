#include "agent/engine/decap/sender_sequence.hpp"

namespace vmirror {

const char* to_text(SequenceRule rule) {
  switch (rule) {
    case SequenceRule::none:
      return "none";
    case SequenceRule::session:
      return "per session";
    case SequenceRule::sender:
      return "per sender";
    case SequenceRule::open:
      return "open";
  }
  return "?";
}

void SenderSequence::weigh(std::uint32_t sequence, bool follows_own) {
  const bool follows_sender = window_.is_next(sequence);
  for_session_ += follows_own && !follows_sender ? 1 : 0;
  for_sender_ += follows_sender && !follows_own ? 1 : 0;
  forget_where_it_turned();
  if (for_session_ + for_sender_ < kMemory) return;
  for_session_ /= 2;
  for_sender_ /= 2;
}

void SenderSequence::forget_where_it_turned() {
  const SequenceRule is = rule();
  if (sure_ != SequenceRule::open && is != sure_) {
    if (sure_ == SequenceRule::session) window_.forget_counts();
    if (sure_ == SequenceRule::sender)
      for (SequenceWindow* session : sessions_) session->forget_counts();
    sure_ = SequenceRule::open;
  }
  if (for_session_ + for_sender_ >= kSure) sure_ = is;
}

SequenceRule SenderSequence::rule() const {
  const auto holds = [](std::uint32_t a, std::uint32_t b) {
    return a >= kEnough && a >= kRatio * b;
  };
  if (holds(for_sender_, for_session_)) return SequenceRule::sender;
  return holds(for_session_, for_sender_) ? SequenceRule::session : SequenceRule::open;
}

}  // namespace vmirror
