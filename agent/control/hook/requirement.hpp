// The hook's list of policies with `require: true`, for the case that no agent answers: a file that
// the agent rewrites whenever these policies change, with one line for each of their
// selectors.
//
//   # vmirror requirements 1
//   POLICY \t EXPIRES \t vm=GLOB \t uuid=GLOB \t mac=.. \t port=.. \t title=.. \t network=..
//                     \t label:KEY=GLOB
//
// EXPIRES is in seconds since 1970, 0: never; parts that aren't given are left out. Control
// characters and `%` in all fields, and `=` in keys, are percent-encoded.
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
  std::optional<Time> expires;  ///< The end of the requirement; whole seconds.
  Selector selector;            ///< Empty: any NIC of any guest.
  bool operator==(const Requirement&) const = default;
};

constexpr std::size_t kMaxRequirementsFile = 1 << 20;  ///< Bytes.

/// The requirements of the policies with `require: true`, in order.
std::vector<Requirement> requirements_of(std::span<const Policy> policies);
/// The file's whole text.
std::string requirements_text(std::span<const Requirement> requirements);
/// Reads the file's text. An unreadable part (a damaged line, another version) requires every
/// guest: such a file exists because a guest is, or was, required.
std::vector<Requirement> parse_requirements(std::string_view text);

/// The NIC that the hypervisor is about to plug, before a switch shows its port: with the labels
/// that libvirt writes on an Open vSwitch port, and the guest's labels.
Location planned_location(const Guest& guest, const GuestNic& nic);

/// True: the selector selects the NIC, or may select it by what is known so far.
/// - `port`, while the NIC's device has no name: not selected; the next step of the start, when the
///   device has a name, decides;
/// - a label that neither the guest nor libvirt gives: selected only if another program than
///   libvirt makes the port (a NIC without bridge and network), and may have labelled it.
bool may_select(const Selector& selector, const Guest& guest, const GuestNic& nic);

/// The first policy that requires `guest` to be mirrored; none: no policy does. An unknown guest
/// (null) may be any guest.
std::optional<std::string> required_by(std::span<const Requirement> requirements,
                                       const Guest* guest, Time now);

}  // namespace vmirror
