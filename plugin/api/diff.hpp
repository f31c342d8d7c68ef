// diff: from the objects that a driver wants and those that are there to the steps between them.
// Pure, and the same for all drivers.
//
//   wanted, observed --> what differs, by key --> removals (who needs a thing before the thing),
//                                                 then the rest (a thing before who needs it)
#pragma once

#include <map>
#include <vector>

#include "plugin/api/model.hpp"

namespace vmirror {

/// Keeps what it was given the last time and looks at the objects that differ.
class Differ {
 public:
  /// The steps that turn the owned objects of `observed` into `wanted`; empty when nothing is to
  /// do. A name is free before it is used, and what an object needs exists before it. Objects that
  /// aren't owned are neither removed nor changed: one that is as it is wanted serves, whoever made
  /// it; for one that isn't, the step says so and the driver refuses it. A switch that `observed`
  /// lacks gets no steps.
  ///
  /// Costs what differs from the last call's arguments, where these are their ancestors, and the
  /// number of steps; what comes of it depends on the arguments alone.
  std::vector<Step> update(const Objects& wanted, const Observed& observed);

 private:
  void look_at(const ObjectKey& key);

  Objects wanted_;
  PersistentMap<ObjectKey, ObservedObject> observed_;
  std::map<ObjectKey, Step> steps_;
};

/// The same, once.
std::vector<Step> diff(const Objects& wanted, const Observed& observed);

}  // namespace vmirror
