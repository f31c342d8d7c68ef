// The realiser: the pure part of a driver, from the sessions that are wanted and the world to the
// objects that it wants to own there. pack.hpp has one for switches whose mirrors have names.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plugin/api/model.hpp"

namespace vmirror {

class Realiser {
 public:
  virtual ~Realiser() = default;
  Realiser() = default;
  Realiser(const Realiser&) = delete;
  Realiser& operator=(const Realiser&) = delete;

  /// Brings everything below up to date. Costs what differs from the last call's arguments, where
  /// these are their ancestors; what it leads to depends on the arguments alone.
  virtual void update(const SessionMap& sessions, std::shared_ptr<const Observed> world) = 0;

  // Good until the next update().

  virtual const Objects& objects() const = 0;
  /// What the switches are to show once the objects are there: a session is in place when they do.
  /// Few: one for each group of sessions, not for each session.
  virtual const std::vector<Mirror>& mirrors() const = 0;
  /// By the names in `sessions`, one for each.
  virtual const PersistentMap<std::string, Verdict>& verdicts() const = 0;
};

/// What a fresh realiser makes of it, with the verdicts in the sessions' order. The first sessions
/// are served first.
Realisation realise(const Desired& desired, const Observed& observed, Realiser& fresh);

}  // namespace vmirror
