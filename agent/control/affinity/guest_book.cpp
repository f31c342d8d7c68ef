#include "agent/control/affinity/guest_book.hpp"

#include <utility>

namespace vmirror {

void GuestBook::told(std::shared_ptr<const Guests> guests, Time now) {
  const std::lock_guard lock(mutex_);
  told_ = std::move(guests);
  for (auto& [uuid, entry] : announced_) entry.at = as_of(entry.at, now);
  std::erase_if(announced_, [&](const auto& entry) {
    const auto* known = told_->by_uuid.get(entry.first);
    if (known != nullptr && (*known)->state != GuestState::off) return true;
    return !told_->error && now - entry.second.at > kAnnouncementHolds;
  });
  tell();
}

void GuestBook::announced(const std::string& operation, Guest guest, Time now) {
  const std::lock_guard lock(mutex_);
  const auto before = announced_.find(guest.uuid);
  if (operation == "release") {
    if (before == announced_.end()) return;
    announced_.erase(before);
    return tell();
  }
  if (before == announced_.end() && announced_.size() >= kMaxAnnouncedGuests) {
    ++passed_over_;
    return;
  }
  // `prepare` and `start` don't say what for: after `migrate` it is a guest that comes here. Only
  // where a connection will tell that it has come.
  const bool comes =
      told_ && (operation == "migrate" || (before != announced_.end() &&
                                           before->second.guest->state == GuestState::incoming));
  guest.state = comes ? GuestState::incoming : GuestState::suspended;
  if (before != announced_.end() && *before->second.guest == guest) {
    before->second.at = now;
    return;
  }
  const std::string uuid = guest.uuid;
  announced_[uuid] = {std::make_shared<const Guest>(std::move(guest)), now};
  tell();
}

GuestBook::Count GuestBook::count() const {
  const std::lock_guard lock(mutex_);
  return {announced_.size(), passed_over_};
}

/// Of one guest what the hook told goes before what the connection does: it came later.
void GuestBook::tell() {
  auto all = told_ ? std::make_shared<Guests>(*told_) : std::make_shared<Guests>();
  for (const auto& [uuid, entry] : announced_) all->by_uuid.set(uuid, entry.guest);
  all->revision = ++revision_;
  use_(std::move(all));
}

}  // namespace vmirror
