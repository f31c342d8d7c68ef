// The migration tracker's talk with the other agents: who tells what, and what is made of it. See
// migration_tracker.hpp.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "agent/control/affinity/matching_halves.hpp"
#include "agent/control/affinity/migration_tracker.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {
namespace {

constexpr Time kClocksMoved = 100 * kMillisecond;  ///< Halves may match now that did not before.
constexpr const char* kHalfUnknown = "its half is not known";

/// Which of two words on one handover is the later.
int rank(HandoverResult::State state) {
  switch (state) {
    case HandoverResult::State::none:
      return 0;
    case HandoverResult::State::sent:
      return 1;
    case HandoverResult::State::failed:
      return 2;
    case HandoverResult::State::taken:
      break;
  }
  return 3;
}

/// `b` tells more of one handover than `a`.
bool tells_more(const HandoverResult& a, const HandoverResult& b) {
  return rank(b.state) > rank(a.state) ||
         (b.state == a.state && a.reason.empty() && !b.reason.empty());
}

/// Of both hosts' words the one that holds, the same on either: who has the guest knows best.
MigrationState together(MigrationState a, MigrationState b) {
  for (const auto state : {MigrationState::done, MigrationState::lost, MigrationState::aborted})
    if (a == state || b == state) return state;
  return MigrationState::running;
}

bool share_a_nic(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::ranges::any_of(a,
                             [&b](const auto& id) { return std::ranges::find(b, id) != b.end(); });
}

bool misses_a_half(const std::string& note) {
  return note.ends_with(kHalfUnknown);
}

/// The half of a message, as the other host's. That it misses ours is not true here.
MigrationHalf half_of(const MigrationMessage& message, const std::string& host, std::size_t notes) {
  MigrationHalf half = message.from_source ? message.record.source : message.record.destination;
  half.host = host;
  std::erase_if(half.notes, misses_a_half);
  if (half.notes.size() > notes) half.notes.resize(notes);
  return half;
}

}  // namespace

/// The other half is not told to its end, and that host may have it.
bool MigrationTracker::lacks_half_of(const MigrationRecord& record, const std::string& host) const {
  const MigrationHalf& other =
      record.source.host == options_.host ? record.destination : record.source;
  return !other.ended && (other.host.empty() || other.host == host);
}

/// The record that the message's half belongs to: by its id, else this host's newest record of the
/// guest that still lacks such a half. A record that began here between the two says that the guest
/// was elsewhere meanwhile.
MigrationTracker::Found MigrationTracker::find_for(const std::string& host,
                                                   const MigrationMessage& message) {
  const MigrationRecord& said = message.record;
  for (MigrationRecord& record : finished_)
    if (record.id == said.id) return {nullptr, &record, false};
  for (Open& open : open_)
    if (open.record.id == said.id && open.source != message.from_source)
      return {&open, nullptr, false};

  std::vector<Found> ours;
  for (MigrationRecord& record : finished_)
    if (!said.vm_uuid.empty() && record.vm_uuid == said.vm_uuid)
      ours.push_back({nullptr, &record, false});
  for (Open& open : open_)
    if (!said.vm_uuid.empty() && !open.record.vm_uuid.empty()
            ? open.record.vm_uuid == said.vm_uuid
            : share_a_nic(message.interface_ids, open.interface_ids))
      ours.push_back({&open, nullptr, false});
  const auto half = [this](const Found& found) -> const MigrationHalf& {
    const MigrationRecord& record = found.open != nullptr ? found.open->record : *found.finished;
    return record.source.host == options_.host ? record.source : record.destination;
  };
  std::ranges::stable_sort(
      ours, [&](const auto& a, const auto& b) { return half(a).began > half(b).began; });

  const auto offset = offsets_.find(host);
  const auto is_open = [](const Found& found) { return found.open != nullptr; };
  if (offset == offsets_.end() && std::ranges::any_of(ours, is_open))
    return {nullptr, nullptr, true};
  const Time ahead = offset != offsets_.end() ? offset->second : 0;  // Their clock less ours.
  const MigrationHalf& theirs = message.from_source ? said.source : said.destination;
  const Time they_began = theirs.began.value_or(0) - ahead;
  for (const Found& found : ours) {
    const MigrationRecord& record = found.open != nullptr ? found.open->record : *found.finished;
    const MigrationHalf& mine = half(found);
    const bool source = &mine == &record.source;
    const Time we_began = mine.began.value_or(they_began);
    const bool meanwhile = std::ranges::any_of(ours, [&](const Found& another) {
      const auto& began = half(another).began;
      return began && std::min(they_began, we_began) < *began &&
             *began < std::max(they_began, we_began);
    });
    if (source != message.from_source && lacks_half_of(record, host) && !meanwhile &&
        (message.from_source ? may_be_one(theirs, mine, ahead) : may_be_one(mine, theirs, -ahead)))
      return found;
  }
  return {};
}

const GuestView* MigrationTracker::view_for(const MigrationMessage& message) const {
  if (const auto it = views_.find(message.record.vm_uuid); it != views_.end()) return &it->second;
  for (const auto& [key, view] : views_)
    if ((view.uuid.empty() || message.record.vm_uuid.empty()) &&
        share_a_nic(view.interface_ids, message.interface_ids))
      return &view;
  return nullptr;
}

/// libvirt was read, and has no such guest running: its port is a leftover, of a host that crashed.
bool MigrationTracker::is_elsewhere(const GuestView& view) const {
  if (!hypervisor_read_ || no_hypervisor_ || view.uuid.empty()) return false;
  return !view.state || view.state == GuestState::off;
}

/// What is there, for halves of it may belong to what that agent has.
void MigrationTracker::tell_anew(const std::string& host) {
  for (Open& open : open_)
    if (open.other().host.empty() || open.other().host == host) open.tell = true;
  // A record that was finished without that peer's half: it may be asked for ours, too.
  for (const MigrationRecord& record : finished_) {
    const bool source = record.source.host == options_.host;
    if (lacks_half_of(record, host))
      actions_.push_back(SendMigration{host, {false, source, record, {}}});
  }
}

TrackerActions MigrationTracker::peer_up(const std::string& host, Time now) {
  up_.insert(host);
  down_since_.erase(host);
  tell_anew(host);
  return flush(now);
}

TrackerActions MigrationTracker::peer_down(const std::string& host, Time now) {
  up_.erase(host);
  down_since_.try_emplace(host, now);
  return flush(now);
}

TrackerActions MigrationTracker::clock_offset(const std::string& host, std::optional<Time> offset,
                                              Time now) {
  if (!offset) return {};
  const auto known = offsets_.find(host);
  const bool news = known == offsets_.end() || std::abs(known->second - *offset) > kClocksMoved;
  offsets_[host] = *offset;
  if (!news || !up_.contains(host)) return {};
  tell_anew(host);
  return flush(now);
}

TrackerActions MigrationTracker::message(const std::string& host, const MigrationMessage& message,
                                         Time now) {
  const Found found = find_for(host, message);
  if (found.finished != nullptr) {
    take_late(*found.finished, host, message);
    return flush(now);
  }
  Open* open = found.open;
  if (open == nullptr && !found.unsure) {
    const GuestView* view = view_for(message);
    // The destination asks who has the guest; or a source tells of one that has just come here.
    const bool begins =
        view != nullptr &&
        (message.from_source
             ? !message.record.source.ended && (view->incoming || !view->state)
             : !message.record.destination.ended && !view->incoming && !is_elsewhere(*view));
    if (begins) open = begin(view->key(), !message.from_source, now);
    if (open != nullptr) open->record.id = message.record.id;
  }
  if (open == nullptr) {
    ++counters_.ignored;
  } else {
    take(*open, host, message, now);
    if (message.asks) open->tell = true;
  }
  return flush(now);
}

void MigrationTracker::take(Open& open, const std::string& host, const MigrationMessage& message,
                            Time now) {
  const MigrationRecord& said = message.record;
  MigrationHalf half = half_of(message, host, options_.notes);
  if (half.ended || !open.other().ended) open.other() = std::move(half);
  if (said.state != MigrationState::running) open.theirs = said.state;
  if (open.record.vm_name.empty()) open.record.vm_name = said.vm_name;
  if (tells_more(open.record.handover, said.handover)) open.record.handover = said.handover;
  if (said.id < open.record.id) {
    if (open.replaces.empty() && !open.tentative) open.replaces = open.record.id;
    open.record.id = said.id;
    open.tell = true;
  } else if (said.id != open.record.id) {
    open.tell = true;  // They take ours.
  }
  compare_clocks(open.record, host, said);
  const MigrationHalf& ours = open.source ? said.source : said.destination;
  if (open.tentative || (open.is_complete() && !ours.ended)) open.tell = true;
  open.tentative = false;
  open.changed = true;
  if (open.is_complete()) return;

  if (open.theirs == MigrationState::aborted && !open.has_arrived() && !open.half().suspended)
    conclude(open, MigrationState::aborted, now);
  if (open.source) hand_over(open);
}

/// Both records say what the destination estimates; what this host does, until that is told.
void MigrationTracker::compare_clocks(MigrationRecord& record, const std::string& host,
                                      const MigrationRecord& said) const {
  const bool source = record.source.host == options_.host;
  const auto offset = offsets_.find(host);
  if (source && said.clock_offset)
    record.clock_offset = said.clock_offset;
  else if (offset != offsets_.end())
    record.clock_offset = source ? -offset->second : offset->second;
}

/// A half of a record that is finished: it was without it, or the other agent lacks ours.
void MigrationTracker::take_late(MigrationRecord& record, const std::string& host,
                                 const MigrationMessage& message) {
  const MigrationRecord& said = message.record;
  MigrationHalf& mine = message.from_source ? record.destination : record.source;
  MigrationHalf& theirs = message.from_source ? record.source : record.destination;
  if (mine.host != options_.host) {
    ++counters_.ignored;
    return;
  }
  std::string replaces;
  if (said.id < record.id) replaces = std::exchange(record.id, said.id);
  const bool more_handover = tells_more(record.handover, said.handover);
  const bool changes = more_handover || !theirs.ended;
  if (more_handover) record.handover = said.handover;
  if (!theirs.ended) {
    theirs = half_of(message, host, options_.notes);
    compare_clocks(record, host, said);
    record.state = together(record.state, said.state);
    if (theirs.ended) std::erase_if(mine.notes, misses_a_half);
  }
  if (changes) actions_.push_back(RecordChanged{record, std::move(replaces)});
  const MigrationHalf& known = message.from_source ? said.destination : said.source;
  if (!known.ended || said.id != record.id)
    actions_.push_back(SendMigration{host, {false, !message.from_source, record, {}}});
}

std::optional<std::string> MigrationTracker::expected_from(const std::string& host,
                                                           const std::string& id) const {
  const std::string guest = id.substr(0, id.rfind('@'));
  for (const Open& open : open_)
    if (!open.source && (open.record.id == id || open.guest == guest) && open.other().host == host)
      return open.guest;
  return std::nullopt;
}

TrackerActions MigrationTracker::handed_over(const std::string& id, const HandoverResult& result,
                                             Time now) {
  const auto by_id = std::ranges::find_if(open_, [&](const Open& o) { return o.record.id == id; });
  // Where the two agents agreed on another id since, the guest is the same.
  const auto it = by_id != open_.end()
                      ? by_id
                      : std::ranges::find(open_, id.substr(0, id.rfind('@')), &Open::guest);
  if (it != open_.end() && rank(result.state) >= rank(it->record.handover.state)) {
    it->record.handover = result;
    it->changed = it->tell = true;
  }
  for (MigrationRecord& record : finished_)
    if (record.id == id && rank(result.state) > rank(record.handover.state)) {
      record.handover = result;
      actions_.push_back(RecordChanged{record, {}});
      const bool source = record.source.host == options_.host;
      const std::string& host = source ? record.destination.host : record.source.host;
      if (!host.empty()) actions_.push_back(SendMigration{host, {false, source, record, {}}});
    }
  return flush(now);
}

MigrationMessage MigrationTracker::message_of(const Open& open, bool asks) const {
  MigrationMessage message{asks, open.source, open.record, open.interface_ids};
  message.record.state = half::verdict(open.phase);
  return message;
}

void MigrationTracker::send(const Open& open) {
  if (options_.peers.empty()) return;
  const bool known = !open.other().host.empty();
  actions_.push_back(SendMigration{open.other().host, message_of(open, !known && !open.source)});
}

bool MigrationTracker::awaits_other_half(Open& open, Time now) {
  const MigrationHalf& other = open.other();
  if (other.ended) return false;
  const std::string who =
      other.host.empty() ? std::string("the other host") : "the agent on " + other.host;
  if (options_.peers.empty()) {
    note(open, "no other agent is configured: " + std::string(kHalfUnknown));
    return false;
  }
  if (now < *half::complete_since(open.phase) + options_.patience) return true;
  const auto down = down_since_.find(other.host);
  if (other.host.empty())
    note(open, "no other agent told of the guest: " + std::string(kHalfUnknown));
  else if (down != down_since_.end())
    note(open, who + " is not reachable since " + time_of_day(down->second) + ": " + kHalfUnknown);
  else
    note(open, who + " did not tell all within " + std::to_string(options_.patience / kSecond) +
                   " s: " + kHalfUnknown);
  return false;
}

void MigrationTracker::finish(Open& open) {
  open.record.state = together(half::verdict(open.phase), open.theirs);
  if (open.tell) send(open);
  keep(std::move(open.record), std::move(open.replaces));
}

TrackerActions MigrationTracker::moved(const SeenMove& move, Time now) {
  MigrationRecord record;
  record.id = move.vm_uuid + "@" + format_time(now);
  record.vm_uuid = move.vm_uuid;
  record.vm_name = move.vm_name;
  record.state = MigrationState::done;
  record.source.host = move.from;
  record.destination.host = move.to;
  for (MigrationHalf* half : {&record.source, &record.destination}) {
    half->began = half->ended = now;
    half->mirrored = move.mirrored;
  }
  record.destination.port_added = now;
  if (move.in_place) record.destination.mirror_active = now;
  record.destination.notes = move.notes;
  keep(std::move(record), {});
  return flush(now);
}

void MigrationTracker::keep(MigrationRecord record, std::string replaces) {
  actions_.push_back(RecordChanged{record, std::move(replaces)});
  actions_.push_back(RecordFinished{record});
  ++counters_.finished[record.state];
  finished_.push_back(std::move(record));
  if (finished_.size() > options_.kept) {
    const std::string uuid = std::move(finished_.front().vm_uuid);
    finished_.pop_front();
    if (latest_of(uuid) == nullptr) completed_.erase(uuid);
    ++counters_.dropped;
  }
}

}  // namespace vmirror
