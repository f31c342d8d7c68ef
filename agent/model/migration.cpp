#include "agent/model/migration.hpp"

#include <algorithm>

namespace vmirror {

const char* to_text(MigrationState state) {
  switch (state) {
    case MigrationState::running:
      return "running";
    case MigrationState::done:
      return "done";
    case MigrationState::aborted:
      return "aborted";
    case MigrationState::lost:
      break;
  }
  return "lost";
}

const char* to_text(HandoverResult::State state) {
  switch (state) {
    case HandoverResult::State::none:
      return "none";
    case HandoverResult::State::sent:
      return "sent";
    case HandoverResult::State::taken:
      return "taken";
    case HandoverResult::State::failed:
      break;
  }
  return "failed";
}

std::optional<std::uint64_t> gap_frames(const MigrationRecord& record) {
  std::uint64_t gap = 0;
  for (const MigrationHalf* half : {&record.source, &record.destination}) {
    if (!half->port_frames || !half->copied_frames) return {};
    gap += *half->port_frames - std::min(*half->port_frames, *half->copied_frames);
  }
  return gap;
}

std::optional<Time> gap(const MigrationRecord& record) {
  const MigrationHalf& from = record.source;
  const MigrationHalf& to = record.destination;
  if (!from.suspended || !to.resumed || !to.mirror_active) return {};
  const Time unmirrored_there =
      from.mirror_removed ? std::max<Time>(0, *from.suspended - *from.mirror_removed) : 0;
  return unmirrored_there + std::max<Time>(0, *to.mirror_active - *to.resumed);
}

std::optional<Time> downtime(const MigrationRecord& record) {
  if (!record.source.suspended || !record.destination.resumed || !record.clock_offset) return {};
  return *record.destination.resumed - (*record.source.suspended - *record.clock_offset);
}

}  // namespace vmirror
