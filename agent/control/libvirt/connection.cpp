// The face of Libvirt, and the thread that tells.
#include "agent/control/libvirt/connection.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

#include "agent/control/libvirt/domain_xml.hpp"
#include "agent/control/libvirt/impl.hpp"
#include "agent/model/uuid.hpp"

namespace vmirror {
namespace {

/// libvirtd answers five calls of a connection at once (libvirtd.conf, max_client_requests).
constexpr unsigned kWorkers = 4;
constexpr std::chrono::seconds kPatience{1};  ///< For a call that is under way at the end.

/// Signals are the main thread's.
template <typename F>
std::thread quiet_thread(F run) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  std::thread thread(std::move(run));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

Libvirt::Libvirt(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Libvirt::~Libvirt() {
  impl_->stop();
}

std::unique_ptr<Libvirt> Libvirt::start(LibvirtOptions options) {
  auto impl = std::make_shared<Impl>(std::move(options));
  impl->start();
  return std::unique_ptr<Libvirt>(new Libvirt(std::move(impl)));
}

std::shared_ptr<const Guests> Libvirt::guests() const {
  return impl_->guests();
}
LibvirtStatus Libvirt::status() const {
  return impl_->status();
}
void Libvirt::hint(const std::string& uuid) {
  impl_->hint(uuid);
}
void Libvirt::ask_leaving(const std::string& uuid) {
  impl_->ask_leaving(uuid);
}
Result<void> Libvirt::migrate(const std::string& uuid, const std::string& destination,
                              const MigrateOptions& options,
                              std::function<void(Result<void>)> done) {
  return impl_->migrate(uuid, destination, options, std::move(done));
}

// ---- From here on: Impl

Libvirt::Impl::Impl(LibvirtOptions options)
    : options_(std::move(options)), backoff_(options_.backoff_min) {
  lost_ = Error{Error::Kind::unreachable, "not connected yet", options_.uri, {}};
  status_.uri = options_.uri;
  auto none = std::make_shared<Guests>();
  none->error = lost_;
  told_ = std::move(none);
}

void Libvirt::Impl::start() {
  const Lock lock(mutex_);
  thread_ = quiet_thread([this] { tell(); });
  workers_ = kWorkers;
  for (unsigned i = 0; i < kWorkers; i++)
    pool_.push_back(quiet_thread([self = shared_from_this()] { self->work(); }));
}

void Libvirt::Impl::stop() {
  Lock lock(mutex_);
  stop_ = true;
  for_thread_.notify_all();
  for_workers_.notify_all();
  lock.unlock();
  thread_.join();
  lock.lock();
  for_stop_.wait(lock, [this] { return callbacks_ == 0; });
  const bool all = for_stop_.wait_for(lock, kPatience, [this] { return workers_ == 0; });
  lock.unlock();
  for (std::thread& worker : pool_) all ? worker.join() : worker.detach();
}

std::shared_ptr<const Guests> Libvirt::Impl::guests() const {
  const Lock lock(mutex_);
  return told_;
}

LibvirtStatus Libvirt::Impl::status() const {
  const Lock lock(mutex_);
  LibvirtStatus status = status_;
  status.connected = link_ != nullptr;
  status.guests = known_.size();
  status.events_waiting = events_.size();
  if (const std::optional<Error> error = why_stale())
    status.error = error->text();
  else if (!unread_.empty())
    status.error = unread_.begin()->second.text();
  return status;
}

void Libvirt::Impl::hint(std::string uuid) {
  uuid = lower(std::move(uuid));
  const Lock lock(mutex_);
  if (!link_ || !is_uuid(uuid)) return;
  want(std::move(uuid));
}

void Libvirt::Impl::ask_leaving(std::string uuid) {
  uuid = lower(std::move(uuid));
  const Lock lock(mutex_);
  if (!link_ || !is_uuid(uuid)) return;
  ask(uuid, {.sign = {}, .awaited = true});
}

Result<void> Libvirt::Impl::migrate(const std::string& uuid, const std::string& destination,
                                    const MigrateOptions& options,
                                    std::function<void(Result<void>)> done) {
  Lock lock(mutex_);
  if (migrations_ == kMaxLibvirtMigrations)
    return fail(Error::Kind::exhausted,
                std::to_string(kMaxLibvirtMigrations) + " migrations are under way", options_.uri);
  migrations_++;
  lock.unlock();
  quiet_thread([self = shared_from_this(), uuid, destination, options, done = std::move(done)] {
    Result<void> result = migrate_domain(self->options_.uri, uuid, destination, options);
    Lock lock(self->mutex_);
    self->migrations_--;
    if (self->stop_) return;
    self->callbacks_++;
    lock.unlock();
    if (done) done(std::move(result));
    lock.lock();
    self->callbacks_--;
    self->for_stop_.notify_all();
  }).detach();
  return {};
}

// ---- The thread

void Libvirt::Impl::tell() {
  Lock lock(mutex_);
  while (!stop_) {
    for_thread_.wait(lock, [this] { return stop_ || changed_ || !events_.empty(); });
    tell_events(lock);
    if (changed_ && !stop_) tell_guests(lock);
  }
}

void Libvirt::Impl::tell_events(Lock& lock) {
  while (!events_.empty() && !stop_) {
    const DomainEvent event = std::move(events_.front());
    events_.pop_front();
    const auto before = states_.find(event.uuid);
    const Transition next =
        transition(before == states_.end() ? std::nullopt : std::optional(before->second), event);
    if (next.state) {
      doubted_.erase(event.uuid);
      states_[event.uuid] = *next.state;
      // What was read before the event must not be told after it.
      if (const auto* known = known_.get(event.uuid); known && (*known)->state != *next.state) {
        Guest guest = **known;
        guest.state = *next.state;
        known_.set(event.uuid, std::make_shared<const Guest>(std::move(guest)));
        changed_ = true;
      }
    }
    if (next.kind && options_.on_event) {
      lock.unlock();
      options_.on_event({event.time, *next.kind, event.uuid, event.name, next.detail});
      lock.lock();
    }
    if (next.read && link_) want(event.uuid);
    if (next.ask && link_) ask(event.uuid, {.sign = event.time});
  }
}

void Libvirt::Impl::tell_guests(Lock& lock) {
  changed_ = false;
  auto next = std::make_shared<Guests>();
  next->by_uuid = known_;
  next->error = why_stale();
  if (next->by_uuid == told_->by_uuid && next->error == told_->error) return;
  next->revision = told_->revision + 1;
  told_ = next;
  if (!options_.on_guests) return;
  lock.unlock();
  options_.on_guests(std::move(next));
  lock.lock();
}

/// Called with the mutex held.
std::optional<Error> Libvirt::Impl::why_stale() const {
  if (lost_) return lost_;
  if (!complete_) {
    std::string what = "its guests are being read";
    if (!listing_ && !reading_.empty()) what += "; waiting for " + *reading_.begin();
    return Error{Error::Kind::unreachable, std::move(what), options_.uri, {}};
  }
  // One that libvirtd described and we could not read says nothing of the others.
  for (const auto& [uuid, error] : unread_)
    if (error.kind == Error::Kind::unreachable) return error;
  return std::nullopt;
}

}  // namespace vmirror
