// The workers of a Libvirt: who calls libvirtd, and keeps what it says. The event loop's side, too.
#include <algorithm>
#include <utility>

#include "agent/control/libvirt/impl.hpp"

namespace vmirror {

namespace {
/// An event that a reading overtook is there by then.
constexpr std::chrono::milliseconds kOvertaken{50};
constexpr std::chrono::seconds kRetry{1};  ///< After a call that failed on a living connection.
constexpr std::chrono::seconds kTurn{1};   ///< Between the questions in turn.
/// Workers that ask at once; the others are left for reading.
constexpr std::size_t kAskers = 2;
}  // namespace

// ---- The event loop's thread

void Libvirt::Impl::take_event(std::uint64_t connection, DomainEvent event) {
  const Lock lock(mutex_);
  if (connection != connection_ || stop_) return;
  if (event.id == DomainEvent::Id::noted) return take_note(event);
  status_.events++;
  if (events_.size() == kMaxLibvirtEvents) {
    status_.events_lost++;
    states_.clear();  // They follow from events that are lost now.
    doubt();
    return;
  }
  events_.push_back(std::move(event));
  for_thread_.notify_one();
}

void Libvirt::Impl::take_close(std::uint64_t connection, const std::string& reason) {
  const Lock lock(mutex_);
  if (connection != connection_) return;
  if (link_)
    lose(reason);
  else
    closed_early_ = reason;
}

// ---- With the mutex held

/// All must be read again.
void Libvirt::Impl::doubt(Clock::duration later) {
  const Clock::time_point due = Clock::now() + later;
  if (!list_due_ || *list_due_ > due) list_due_ = due;
  for_workers_.notify_one();
}

/// This one must be read, soon. Where too many wait, all are.
void Libvirt::Impl::want(std::string uuid) {
  if (urgent_.size() == kMaxWaiting) {
    urgent_.clear();
    states_.clear();
    return doubt();
  }
  urgent_.insert(std::move(uuid));
  for_workers_.notify_one();
}

/// Where too many wait, it is not asked: who asks, asks again.
void Libvirt::Impl::ask(const std::string& uuid, const Question& question) {
  if (questions_.size() == kMaxWaiting && !questions_.contains(uuid)) return;
  Question& waits = questions_[uuid];
  if (!waits.sign) waits.sign = question.sign;
  waits.awaited = waits.awaited || question.awaited;
  for_workers_.notify_one();
}

/// Notes have names. One that starts or that nobody has heard of yet does not leave. A guest is
/// read anew, too: a VLAN or a link that is changed on a NIC has no event.
void Libvirt::Impl::take_note(const DomainEvent& event) {
  for (const auto& [uuid, guest] : known_) {
    if (guest->name != event.name || guest->state == GuestState::off ||
        guest->state == GuestState::incoming)
      continue;
    want(uuid);
    ask(uuid, {.sign = event.time});
  }
}

/// What is known stays, and Guests::error says why it may be stale.
void Libvirt::Impl::lose(const std::string& reason) {
  if (!link_) return;
  retired_.push_back(std::exchange(link_, nullptr));
  connection_++;  // Its last events are of no use: all is read again.
  connect_due_ = Clock::now() + backoff_;
  lost_ = Error{Error::Kind::unreachable, reason, options_.uri, "see that libvirtd runs"};
  status_.since = wall_clock();
  list_due_.reset();
  urgent_.clear();
  rest_.clear();
  questions_.clear();
  states_.clear();
  doubted_.clear();
  filling_ = complete_ = false;
  changed_ = true;
  for_thread_.notify_one();
  for_workers_.notify_all();
}

// ---- The workers

void Libvirt::Impl::work() {
  Lock lock(mutex_);
  while (!stop_)
    if (!do_one(lock)) {
      // Not for ever: a moment that is due may have been set while this one was busy.
      for_workers_.wait_until(lock, next_due());
    }
  if (link_) retired_.push_back(std::exchange(link_, nullptr));
  connection_++;
  std::vector<std::shared_ptr<LibvirtLink>> closing = std::exchange(retired_, {});
  lock.unlock();
  closing.clear();
  lock.lock();
  workers_--;
  for_stop_.notify_all();
}

Libvirt::Impl::Clock::time_point Libvirt::Impl::next_due() const {
  Clock::time_point due = Clock::now() + std::chrono::hours(1);
  if (!link_ && !connecting_) due = std::min(due, connect_due_);
  if (link_ && list_due_ && !listing_) due = std::min(due, *list_due_);
  if (link_)
    for (const auto& [uuid, at] : doubted_)
      if (!reading_.contains(uuid)) due = std::min(due, at);
  if (link_ && !link_->sees_notes()) due = std::min(due, turn_due_);
  return due;
}

/// False: there is nothing to do now.
bool Libvirt::Impl::do_one(Lock& lock) {
  if (!retired_.empty()) {
    std::vector<std::shared_ptr<LibvirtLink>> closing = std::exchange(retired_, {});
    lock.unlock();
    closing.clear();
    lock.lock();
    return true;
  }
  const Clock::time_point now = Clock::now();
  if (!link_) {
    if (connecting_ || connect_due_ > now) return false;
    connect(lock);
    return true;
  }
  if (list_due_ && *list_due_ <= now && !listing_) {
    list(lock);
    return true;
  }
  for (const auto& [uuid, at] : doubted_)
    if (at <= now && !reading_.contains(uuid)) urgent_.insert(uuid);
  std::string unused;
  for (std::set<std::string>* const from : {&urgent_, &rest_})
    if (take_next(*from, unused)) {
      read(lock, *from);
      return true;
    }
  if (!link_->sees_notes() && turn_due_ <= now) ask_in_turn();
  const bool waits = std::ranges::any_of(
      questions_, [this](const auto& entry) { return !asking_.contains(entry.first); });
  if (!waits || asking_.size() >= kAskers) return false;
  answer_leaving(lock);
  return true;
}

/// The guests that run, a few a second.
void Libvirt::Impl::ask_in_turn() {
  turn_due_ = Clock::now() + kTurn;
  const Time now = wall_clock();
  std::size_t asked = 0;
  std::vector<std::string> running;
  for (const auto& [uuid, guest] : known_)
    if (guest->state == GuestState::running) running.push_back(uuid);
  auto next = std::ranges::upper_bound(running, last_in_turn_);
  for (; asked < std::min(kAskedInTurn, running.size()); asked++) {
    if (next == running.end()) next = running.begin();
    last_in_turn_ = *next++;
    ask(last_in_turn_, {.sign = now});
  }
}

/// The answer is told as an event, after those that came before it.
void Libvirt::Impl::answer_leaving(Lock& lock) {
  const auto next = std::ranges::find_if(
      questions_, [this](const auto& entry) { return !asking_.contains(entry.first); });
  const auto [uuid, question] = *next;
  questions_.erase(next);
  asking_.insert(uuid);
  const std::shared_ptr<LibvirtLink> link = link_;
  lock.unlock();
  const Result<bool> leaving = link->is_leaving(uuid);
  lock.lock();
  asking_.erase(uuid);
  for_workers_.notify_one();
  if (link != link_ || !leaving || events_.size() == kMaxLibvirtEvents) return;
  if (*leaving ? !question.sign : !question.awaited) return;
  events_.push_back({*leaving ? *question.sign : wall_clock(),
                     uuid,
                     {},
                     *leaving ? DomainEvent::Id::leaving : DomainEvent::Id::not_leaving,
                     0,
                     0,
                     {}});
  for_thread_.notify_one();
}

void Libvirt::Impl::connect(Lock& lock) {
  connecting_ = true;
  closed_early_.reset();
  const std::uint64_t connection = ++connection_;
  lock.unlock();
  const std::weak_ptr<Impl> self = weak_from_this();
  auto opened = LibvirtLink::open(options_, {.event =
                                                 [self, connection](DomainEvent event) {
                                                   if (const auto impl = self.lock())
                                                     impl->take_event(connection, std::move(event));
                                                 },
                                             .closed =
                                                 [self, connection](const std::string& reason) {
                                                   if (const auto impl = self.lock())
                                                     impl->take_close(connection, reason);
                                                 }});
  std::string version = opened ? (*opened)->version() : std::string();
  lock.lock();
  connecting_ = false;
  if (!opened) {
    connect_due_ = Clock::now() + backoff_;
    backoff_ = std::min(backoff_ * 2, options_.backoff_max);
    lost_ = std::move(opened.error());
  } else {
    link_ = std::move(*opened);
    backoff_ = options_.backoff_min;
    lost_.reset();
    status_.since = wall_clock();
    status_.version = std::move(version);
    status_.connections++;
    doubt();
    if (closed_early_) lose(*closed_early_);
  }
  changed_ = true;
  for_thread_.notify_one();
}

void Libvirt::Impl::list(Lock& lock) {
  listing_ = true;
  list_due_.reset();
  const std::shared_ptr<LibvirtLink> link = link_;
  // A guest that a read finds while the list is being made may not be in it: only what was known
  // before can be gone.
  std::set<std::string> absent;
  for (const auto& [uuid, guest] : known_) absent.insert(uuid);
  for (const auto& [uuid, error] : unread_) absent.insert(uuid);
  lock.unlock();
  const Result<std::vector<std::string>> uuids = link->list();
  lock.lock();
  listing_ = false;
  if (link != link_) return;
  status_.full_reads++;
  if (!uuids) return doubt(kRetry);
  for (const std::string& uuid : *uuids) {
    absent.erase(uuid);
    rest_.insert(uuid);
  }
  rest_.insert(absent.begin(), absent.end());  // Read too: libvirtd says of each that it is gone.
  filling_ = true;
  if (rest_.empty()) {
    filling_ = false;
    complete_ = changed_ = true;
    for_thread_.notify_one();
  }
  for_workers_.notify_all();
}

/// The first that nobody else is reading.
bool Libvirt::Impl::take_next(const std::set<std::string>& from, std::string& uuid) const {
  const auto found = std::find_if(
      from.begin(), from.end(), [this](const std::string& one) { return !reading_.contains(one); });
  if (found == from.end()) return false;
  uuid = *found;
  return true;
}

void Libvirt::Impl::read(Lock& lock, std::set<std::string>& from) {
  std::string uuid;
  if (!take_next(from, uuid)) return;
  const bool urgent = &from == &urgent_;
  urgent_.erase(uuid);
  rest_.erase(uuid);
  reading_.insert(uuid);
  const std::shared_ptr<LibvirtLink> link = link_;
  const auto before = states_.find(uuid);
  const std::optional<GuestState> state =
      before == states_.end() ? std::nullopt : std::optional(before->second);
  lock.unlock();
  Result<std::optional<LibvirtLink::Reading>> answer = link->read(uuid, state);
  lock.lock();
  reading_.erase(uuid);
  if (link != link_) return;
  status_.reads++;
  // Something happened meanwhile: the answer may be from before it. It is read once more.
  if (urgent_.contains(uuid))
    for_workers_.notify_one();
  else
    keep(uuid, std::move(answer));
  if (filling_ && rest_.empty() && reading_.empty()) {
    filling_ = false;
    complete_ = changed_ = true;
  }
  // While all are read, the ones that are new are told together: at the end, or when the rest is
  // stuck.
  if (urgent || !filling_ || rest_.empty()) changed_ = true;
  if (changed_) for_thread_.notify_one();
}

/// With the mutex held.
void Libvirt::Impl::keep(const std::string& uuid,
                         Result<std::optional<LibvirtLink::Reading>> answer) {
  if (!answer) {
    // Unknown is not gone: what was known stays.
    doubted_.erase(uuid);
    if (answer.error().kind == Error::Kind::unreachable) doubt(kRetry);
    unread_.insert_or_assign(uuid, std::move(answer.error()));
    return;
  }
  unread_.erase(uuid);
  if (!*answer) {
    known_.erase(uuid);
    states_.erase(uuid);
    doubted_.erase(uuid);
    return;
  }
  Guest& guest = (*answer)->guest;
  // A reading may overtake the event that explains it: it is believed when it says so twice.
  const GuestState told = states_.emplace(uuid, guest.state).first->second;
  const Clock::time_point now = Clock::now();
  if (told != guest.state && doubted_.try_emplace(uuid, now + kOvertaken).first->second > now)
    guest.state = told;
  else
    doubted_.erase(uuid);
  if ((*answer)->starts) doubted_[uuid] = now + kRetry;
  const auto* before = known_.get(uuid);
  if (before == nullptr || **before != guest)
    known_.set(uuid, std::make_shared<const Guest>(std::move(guest)));
}

}  // namespace vmirror
