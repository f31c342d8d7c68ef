// What follows from what happens: on the switch, at the hypervisor, in the policy folder, and as
// time passes. All of it on the main thread, but on_guests, which libvirt's thread and the hook's
// call.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <csignal>

#include "agent/app/daemon_state.hpp"
#include "agent/app/service_manager.hpp"
#include "agent/control/admission/requirements_file.hpp"
#include "agent/engine/export/eve.hpp"

namespace vmirror {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds kTick{1000};
constexpr Time kBetweenRefusals = 10 * kSecond;

}  // namespace

/// The folder's policies and the store's. Until both are known nothing is changed: a mirror that
/// the other one asks for would be taken away.
void Daemon::State::use(const PolicyFolder& folder) {
  folder_known = true;
  if (store && !store->known()) return;
  const PolicyFolder all = store ? compose(folder, store->files()) : folder;
  asked_for = all.policies();
  asked_whole = all.whole();
  put_in_force();
}

PolicyFolder Daemon::State::asked_policies() const {
  if (!policies) return {};
  return store ? compose(policies->folder(), store->files()) : policies->folder();
}

void Daemon::State::look_at_store() {
  if (store->look(wall_clock()) && folder_known) use(policies->folder());
}

/// Only what follows the policies of a generation is told under its name.
void Daemon::State::report_to_store(const ControlSnapshot& known) {
  if (!in_force || !store->takes_report(wall_clock())) return;
  store->report(report_of({.host = config.host,
                           .driver = config.driver->name,
                           .version = VMIRROR_VERSION,
                           .control = known,
                           .policies = store->files(),
                           .generation = policies_generation,
                           .drained = drained}),
                wall_clock());
  told_sessions = known.sessions;
  told_generation = policies_generation;
}

/// After a round, so that who waits for a change does not wait for the tick as well. What is not
/// settled is left to the tick: the next round may bring it.
void Daemon::State::report_news(const ControlSnapshot& known) {
  if (!known.in_sync()) return;
  if (known.sessions == told_sessions && policies_generation == told_generation) return;
  report_to_store(known);
}

/// A daemon that is drained goes by no policy, whatever the folder has.
void Daemon::State::put_in_force() {
  in_force = drained ? std::vector<Policy>{} : asked_for.value_or(std::vector<Policy>{});
  all_known = drained || asked_whole;
  terms.set_ends(*in_force, wall_clock(), boot_clock());
  write_for_hook();
  policies_number = control->set_policies(*in_force);
  policies_generation = store ? store->generation() : 0;
}

void Daemon::State::drain(bool on) {
  if (drained == on) return;
  drained = on;
  spdlog::warn(on ? "drained: all mirrors are taken away, until `vmirror drain --undo` or a restart"
                  : "no longer drained: the policies are in force again");
  put_in_force();
}

/// Each second anew: with an old file, or none, and no agent the hook would let a guest start
/// unmirrored that a policy requires.
void Daemon::State::write_for_hook() {
  const std::string path = requirements_path(config.state);
  const auto saved = save_requirements(path, *in_force, all_known);
  if (!saved && hook_file_error != saved.error())
    spdlog::error("for the hook, tried again each second: {}", saved.error().text());
  if (saved && hook_file_error) spdlog::info("for the hook: {} is written now", path);
  hook_file_error = saved ? std::nullopt : std::optional(saved.error());
}

void Daemon::State::on_guest_event(const GuestEvent& event) {
  following->on_guest_event(event);
  if (hook.happened(event) && in_force && std::ranges::any_of(*in_force, &Policy::require))
    spdlog::warn("guest {} began without libvirt's hook: what policies require is not refused",
                 event.name);
}

/// News of the control side: the log, the engine's mirror index, coverage, evidence.
void Daemon::State::on_round() {
  round_waits = false;
  const bool acts = control->acts_on(policies_number);  // Asked before, as in on_tick().
  const auto known = control->snapshot();
  for (auto at = known->history.lower_bound(logged); at != known->history.end(); ++at)
    spdlog::log(at->second.warning ? spdlog::level::warn : spdlog::level::info, "{}: {}",
                at->second.subject, at->second.text);
  logged = known->events;
  watch_nics(*known);
  if (store && acts) report_news(*known);
  silent->look(*known, wall_clock());
  following->on_round(known->observed && !known->observe_error,
                      known->observed ? known->observed->outage : std::nullopt, known->time);
}

void Daemon::State::watch_nics(const ControlSnapshot& known) {
  auto watched = lingering.follow(known.index, wall_clock());
  if (watched == index) return;
  index = std::move(watched);
  engine->watch(index);
}

void Daemon::State::on_guests(std::shared_ptr<const Guests> told) {
  control->set_guests(told);
  asio::post(io, [this, told = std::move(told)] { following->on_guests(told, wall_clock()); });
}

void Daemon::State::on_change(const RoundChanges& changes) {
  for (const auto& [before, after] : changes.ports)
    if (after)
      locations.put(*after, changes.time);
    else
      locations.remove(before->switch_name, before->port, changes.time);
  following->on_change(changes);
  for (const auto& port : changes.ports)  // A guest that nobody told of: is it known by now?
    if (libvirt && port.after && port.after->vm_name.empty() && !port.after->vm_uuid.empty())
      libvirt->hint(port.after->vm_uuid);
}

/// Ten times a second, while NICs are watched.
void Daemon::State::sample_counts() {
  const auto known = control->snapshot();
  if (!known->index->nics.empty()) coverage.sample(engine->nics(), *known);
  counts.expires_after(std::chrono::nanoseconds(CoverageLog::kSampleInterval));
  counts.async_wait([this](boost::system::error_code error) {
    if (!error) sample_counts();
  });
}

/// Reads the ports' counters, and tells the control side what came of those that were read before.
/// Most of a thousand quiet guests' NICs are as they were.
void Daemon::State::judge_counts(const ControlSnapshot& known) {
  Evidence now = evidence;
  if (!known.index->nics.empty() || !evidence.nics.empty()) {
    const bool behind = known.observed && known.observed->progress.behind;
    coverage.sample(engine->nics(), known);
    coverage.read(known, wall_clock());
    for (const std::string& news : coverage.take_news()) spdlog::warn("{}", news);
    now = coverage.evidence(known, behind);
  }
  silent->look(known, wall_clock());
  now.traced = silent->answers();
  if (now == evidence) return;
  evidence = std::move(now);
  control->set_evidence(evidence);
}

/// Once a second. What somebody made of the hook's file is put right.
void Daemon::State::on_tick() {
  tell_alive();
  if (policies) policies->look();
  if (store) look_at_store();
  if (in_force && terms.is_stale(wall_clock(), boot_clock())) put_in_force();
  if (api)
    if (const auto news = api->take_news()) spdlog::warn("{}", *news);
  if (in_force) write_for_hook();
  if (copies->tells()) tell_copies();
  if (peers) tell_refusals();
  if (control) {
    if (peers) control->set_collectors(copies->collectors());
    const bool acts =
        control->acts_on(policies_number);  // Asked before: the snapshot has all of it.
    const auto known = control->snapshot();
    if (store && acts) report_to_store(*known);
    judge_counts(*known);
    watch_nics(*known);
    if (in_force) sensor->look(*known, *in_force, following->migrating(), wall_clock());
  }
  tick.expires_after(kTick);
  tick.async_wait([this](boost::system::error_code error) {
    if (!error) on_tick();
  });
}

/// A line for all of some seconds: strangers choose how often they come.
void Daemon::State::tell_refusals() {
  const PeersStatus now = peers->status();
  const Time at = wall_clock();
  if (now.refused_connections == refusals_told ||
      (at >= refusals_at && at - refusals_at < kBetweenRefusals))
    return;
  spdlog::warn("{} connections to the agents' port were refused; the last: {}",
               now.refused_connections - refusals_told, now.last_refusal);
  refusals_told = now.refused_connections;
  refusals_at = at;
}

/// What the peers are told is asked for where one may wait for the workers.
void Daemon::State::tell_copies() {
  if (std::exchange(copies_wait, true)) return;
  answering.post([this] {
    auto sessions = vmirror::copies(engine->counters());
    asio::post(io, [this, sessions = std::move(sessions)]() mutable {
      copies_wait = false;
      copies->tell(std::move(sessions));
    });
  });
}

void Daemon::State::write_stats() {
  answering.post([this] {
    std::vector<InputStats> inputs;
    for (const InputSnapshot& input : engine->counters().inputs)
      inputs.push_back({input.name, input.frames});
    std::string line;
    const Time now = wall_clock();
    append_stats_event(line, config.host, now,
                       static_cast<std::uint64_t>((now - started) / kSecond), inputs);
    eve->submit(line);
  });
  stats.expires_after(config.eve_stats_interval);
  stats.async_wait([this](boost::system::error_code error) {
    if (!error) write_stats();
  });
}

void Daemon::State::wait_for_signal() {
  signals.async_wait([this](boost::system::error_code error, int signal) {
    if (error) return;
    if (signal != SIGHUP) {
      spdlog::info("ends by signal {}", signal);
      tell_stopping();
      io.stop();
      return;
    }
    spdlog::info("SIGHUP: reads the policies anew");
    if (eve) eve->reopen();
    if (policies) policies->reload();
    wait_for_signal();
  });
}

}  // namespace vmirror
