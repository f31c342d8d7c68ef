// What the hook itself knows of the policies with `require: true`, for the case that no agent can
// be asked: a file that the agent writes anew whenever they change, one line for each of their
// selectors.
//
//   # vmirror requirements 1
//   POLICY \t EXPIRES \t vm=GLOB \t uuid=GLOB \t mac=.. \t port=.. \t title=.. \t network=.. \t
//   label:KEY=GLOB
//
// EXPIRES is in seconds since 1970, 0: never; parts that aren't given are left out. In all fields
// control characters and `%`, in keys also `=`, are percent-encoded.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/guest.hpp"
#include "agent/model/policy.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

/// One selector of a policy that requires its guests to be mirrored.
struct Requirement {
  std::string policy;
  std::optional<Time> expires;  ///< From then on it asks nothing; whole seconds.
  Selector selector;            ///< Empty: any NIC of any guest.
  bool operator==(const Requirement&) const = default;
};

constexpr std::size_t kMaxRequirementsFile = 1 << 20;  ///< Bytes.

/// Those of the policies with `require: true`, in order.
std::vector<Requirement> requirements_of(std::span<const Policy> policies);
/// The file's whole text.
std::string requirements_text(std::span<const Requirement> requirements);
/// The other way. What can't be understood (a damaged line, another version) asks for any guest:
/// such a file is there because something is, or was, required.
std::vector<Requirement> parse_requirements(std::string_view text);

/// The NIC as the hypervisor is about to plug it, before a switch shows it: with the labels that
/// libvirt itself writes on an Open vSwitch port, and those of the guest.
Location planned_location(const Guest& guest, const GuestNic& nic);

/// True when the selector has the NIC, or could have it for all that is known of it yet:
/// - a `port` where the NIC's device has no name yet is left to the next step of its start, when it
///   has one: not selected;
/// - a label that neither guest nor libvirt gives: selected only where the port is made by somebody
///   else than libvirt (a NIC without bridge and network), who may have labelled it.
bool may_select(const Selector& selector, const Guest& guest, const GuestNic& nic);

/// The first policy that requires `guest` to be mirrored; none: no policy does. A guest that isn't
/// known (null) could be any.
std::optional<std::string> required_by(std::span<const Requirement> requirements,
                                       const Guest* guest, Time now);

}  // namespace vmirror
