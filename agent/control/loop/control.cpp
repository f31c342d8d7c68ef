#include "agent/control/loop/control.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "agent/control/affinity/locate.hpp"

namespace vmirror {
namespace {

Reconciler make_reconciler(const ControlOptions& options, const Driver& driver,
                           const GuestPorts& guests) {
  const auto locate_port = [host = options.host, &guests](const std::string& switch_name,
                                                          const Port& port) {
    return locate(host, switch_name, port, guests.guest_of(switch_name, port));
  };
  const auto portless = [host = options.host, &guests](const std::string& uuid,
                                                       const std::vector<const Port*>& ports,
                                                       const Observed& observed) {
    const Guest* guest = guests.guest(uuid);
    return guest ? locate_portless(host, *guest, ports, observed) : Locations();
  };
  return {options.reconciler, locate_port, driver.realiser(), portless};
}

}  // namespace

struct Control::State {
  State(ControlOptions o, std::unique_ptr<Driver> d)
      : options(std::move(o)),
        driver(std::move(d)),
        reconciler(make_reconciler(options, *driver, guest_ports)) {}

  // What other threads put in; guarded by `mutex`.
  mutable std::mutex mutex;
  std::condition_variable wake;
  std::optional<std::vector<Policy>> policies;
  std::optional<Evidence> evidence;
  std::optional<Collectors> collectors;
  std::optional<std::shared_ptr<const Guests>> guests;
  bool hinted = false;
  bool stopping = false;
  std::uint64_t put_in = 0;     ///< Times that something was put in.
  std::uint64_t published = 0;  ///< Up to which of these a reading had all at some time.
  std::uint64_t acted_on = 0;   ///< Up to which of these `latest`, a reading, has all.
  std::shared_ptr<const ControlSnapshot> latest = std::make_shared<ControlSnapshot>();

  const ControlOptions options;
  std::unique_ptr<Driver> driver;
  GuestPorts guest_ports;  ///< The thread's alone.
  Reconciler reconciler;   ///< The thread's alone.
  std::uint64_t taken =
      0;  ///< Of what was put in, what the reconciler was told. The thread's alone.
  std::thread thread;

  template <typename Change>
  void put(Change change) {
    {
      const std::lock_guard lock(mutex);
      change();
      ++put_in;
    }
    wake.notify_all();  // The thread and who waits for a snapshot share it.
  }

  /// Tells the reconciler what came in. Called with the lock.
  void take_mail() {
    if (policies) reconciler.set_policies(*std::exchange(policies, std::nullopt));
    if (guests) {
      const auto changed = guest_ports.update(*std::exchange(guests, std::nullopt));
      reconciler.relocate(changed.uuids, changed.devices);
    }
    if (evidence) reconciler.set_evidence(*std::exchange(evidence, std::nullopt));
    if (collectors) reconciler.set_collectors(*std::exchange(collectors, std::nullopt));
    if (std::exchange(hinted, false)) reconciler.hint();
    taken = put_in;
  }

  void publish(bool read) {
    auto snapshot = std::make_shared<const ControlSnapshot>(reconciler.snapshot(wall_clock()));
    {
      const std::lock_guard lock(mutex);
      latest = snapshot;
      acted_on = read ? taken : 0;  // After a submission, until it is read back: of nothing.
      if (read) published = taken;
    }
    wake.notify_all();  // settle() and remove_all() wait for a snapshot.
    if (options.on_round) options.on_round(snapshot);
  }

  void run() {
    while (true) {
      Reconciler::Action action;
      {
        std::unique_lock lock(mutex);
        if (stopping) return;
        take_mail();
        action = reconciler.next(wall_clock());
        if (const auto* wait = std::get_if<Reconciler::Wait>(&action)) {
          const Time pause =
              std::clamp<Time>(wait->until - wall_clock(), 0, options.reconciler.interval);
          wake.wait_for(lock, std::chrono::nanoseconds(pause), [this] {
            return stopping || hinted || policies || guests || evidence || collectors;
          });
          continue;
        }
      }
      const auto* submit = std::get_if<Reconciler::Submit>(&action);
      if (submit != nullptr)
        reconciler.submitted(driver->submit(submit->steps), wall_clock());
      else
        reconciler.observed(driver->observe(), wall_clock());
      if (const RoundChanges changes = reconciler.take_changes();
          options.on_change && !changes.empty())
        options.on_change(changes);
      publish(submit == nullptr);
    }
  }
};

Control::Control(ControlOptions options, std::unique_ptr<Driver> driver)
    : state_(std::make_unique<State>(std::move(options), std::move(driver))) {
  State& s = *state_;
  s.driver->on_change([&s] { s.put([&s] { s.hinted = true; }); });
  s.thread = std::thread([&s] { s.run(); });
}

Control::~Control() {
  state_->put([this] { state_->stopping = true; });
  if (state_->thread.joinable()) state_->thread.join();
  // The driver's threads, which hint, end before what they hint to.
  state_->driver.reset();
}

std::uint64_t Control::set_policies(std::vector<Policy> policies) {
  std::uint64_t number = 0;
  state_->put([&] {
    state_->policies = std::move(policies);
    number = state_->put_in + 1;
  });
  return number;
}

bool Control::acts_on(std::uint64_t policies) const {
  const std::lock_guard lock(state_->mutex);
  return state_->published >= policies;
}

void Control::set_collectors(Collectors collectors) {
  state_->put([&] { state_->collectors = std::move(collectors); });
}
void Control::set_evidence(Evidence evidence) {
  state_->put([&] { state_->evidence = std::move(evidence); });
}

void Control::set_guests(std::shared_ptr<const Guests> guests) {
  state_->put([&] { state_->guests = std::move(guests); });
}

void Control::hint() {
  state_->put([&] { state_->hinted = true; });
}

std::shared_ptr<const ControlSnapshot> Control::snapshot() const {
  const std::lock_guard lock(state_->mutex);
  return state_->latest;
}

std::shared_ptr<const ControlSnapshot> Control::settle(std::chrono::milliseconds patience) {
  State& s = *state_;
  std::unique_lock lock(s.mutex);
  s.hinted = true;
  const std::uint64_t mine = ++s.put_in;
  s.wake.notify_all();
  s.wake.wait_for(lock, patience, [&] {
    return s.stopping || (s.acted_on >= mine && (s.latest->plan.empty() || s.latest->apply_error));
  });
  return s.latest;
}

std::string_view Control::driver_name() const {
  return state_->driver->name();
}

Realisation Control::realise(const Desired& desired, const Observed& observed) const {
  return state_->driver->realise(desired, observed);  // Pure, so that any thread may ask.
}

Result<void> Control::remove_all(std::chrono::milliseconds patience) {
  State& s = *state_;
  const Time asked = wall_clock();
  std::unique_lock lock(s.mutex);
  s.policies = std::vector<Policy>{};
  s.wake.notify_all();
  const auto clean = [&] {
    return s.latest->time >= asked && s.latest->in_sync() && s.latest->policies.empty() &&
           s.latest->observed_at >= asked;
  };
  const bool done = s.wake.wait_for(lock, patience, clean);
  s.stopping = true;
  s.wake.notify_all();
  lock.unlock();
  if (s.thread.joinable()) s.thread.join();
  if (done) return {};
  const auto& last = *s.latest;
  if (last.observe_error) return tl::unexpected(*last.observe_error);
  if (last.apply_error) return tl::unexpected(*last.apply_error);
  return fail(Error::Kind::unreachable, "the switch did not let go of our mirrors in time",
              "switch", "run `vmirror apply --prune --config FILE`");
}

}  // namespace vmirror
