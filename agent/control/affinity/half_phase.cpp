#include "agent/control/affinity/half_phase.hpp"

#include "agent/control/affinity/set_back.hpp"

namespace vmirror::half {
namespace {

/// Null: the phase is not over.
const Over* over(const Phase& phase) {
  if (const auto* complete = std::get_if<Complete>(&phase)) return &complete->over;
  return std::get_if<Over>(&phase);
}

void move(std::optional<Time>& time, Time by, Time now) {
  if (time) time = vmirror::set_back(*time, by, now);
}

void move(Over& over, Time by, Time now) {
  over.since = vmirror::set_back(over.since, by, now);
  move(over.switchover, by, now);
}

}  // namespace

Phase suspend(const Phase& from, Time switchover) {
  return std::holds_alternative<Underway>(from) ? Suspended{switchover} : from;
}

Phase arrive(const Phase& from, Time switchover, Time now) {
  if (!std::holds_alternative<Underway>(from)) return from;
  return Over{MigrationState::done, now, switchover};
}

Phase end(const Phase& from, MigrationState verdict, Time now) {
  return is_over(from) ? from : Over{verdict, now, switchover(from)};
}

Phase complete(const Phase& from, Time now) {
  const auto* over = std::get_if<Over>(&from);
  return over != nullptr ? Complete{*over, now} : from;
}

Phase set_back(Phase phase, Time by, Time now) {
  if (auto* suspended = std::get_if<Suspended>(&phase)) {
    suspended->switchover = vmirror::set_back(suspended->switchover, by, now);
  } else if (auto* over = std::get_if<Over>(&phase)) {
    move(*over, by, now);
  } else if (auto* complete = std::get_if<Complete>(&phase)) {
    move(complete->over, by, now);
    complete->since = vmirror::set_back(complete->since, by, now);
  }
  return phase;
}

bool is_over(const Phase& phase) {
  return over(phase) != nullptr;
}

bool is_complete(const Phase& phase) {
  return std::holds_alternative<Complete>(phase);
}

MigrationState verdict(const Phase& phase) {
  const Over* end = over(phase);
  return end != nullptr ? end->verdict : MigrationState::running;
}

std::optional<Time> over_since(const Phase& phase) {
  const Over* end = over(phase);
  return end != nullptr ? std::optional(end->since) : std::nullopt;
}

std::optional<Time> complete_since(const Phase& phase) {
  const auto* complete = std::get_if<Complete>(&phase);
  return complete != nullptr ? std::optional(complete->since) : std::nullopt;
}

std::optional<Time> switchover(const Phase& phase) {
  if (const auto* suspended = std::get_if<Suspended>(&phase)) return suspended->switchover;
  const Over* end = over(phase);
  return end != nullptr ? end->switchover : std::nullopt;
}

}  // namespace vmirror::half
