// A guest as its hypervisor describes it: what the virtual switch does not know. A value: libvirt
// tells it today (agent/control/libvirt); vCenter and failover clusters tell the same.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/address.hpp"
#include "plugin/base/clock.hpp"
#include "plugin/base/persistent_map.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

enum class GuestState : std::uint8_t {
  incoming,   ///< It is being migrated here; its CPUs do not run on this host yet.
  running,    ///< Also after the switch-over of a post-copy migration.
  suspended,  ///< Paused by a person, an I/O error, or before a start.
  leaving,    ///< Its CPUs were stopped here by a migration; the other side has it, or will.
  off,        ///< Defined, not running.
};
/// "incoming", "running", "suspended", "leaving", "off"
const char* to_text(GuestState state);

/// Whether a NIC has, or can have, a port on a virtual switch.
enum class NicPort : std::uint8_t {
  open,       ///< Not known yet: its network, whose bridge nobody told, or its device decides.
  on_switch,  ///< Its bridge is one of Open vSwitch.
  by_other,   ///< Where somebody makes a port of its device: libvirt does not.
  none,       ///< Never: `on` is no switch that could mirror it.
};

struct GuestNic {
  std::optional<Mac> mac;
  std::string device;        ///< The port on the host: "vnet3"; empty while the guest is off.
  std::string alias;         ///< The hypervisor's name of the device: "net0".
  std::string interface_id;  ///< virtualport's interfaceid; empty where there is none.
  std::string bridge;        ///< The switch, where it is named.
  std::string network;       ///< The hypervisor's network, where the NIC is on one.
  NicPort port = NicPort::open;
  std::string type = {};  ///< The hypervisor's word: "bridge", "user", "hostdev".
  /// What it is on, for people: "Linux bridge br1", "PCI device 0000:03:10.1".
  std::string on = {};
  bool link_down = false;  ///< The hypervisor keeps the guest's link down.
  bool operator==(const GuestNic&) const = default;
};

struct Guest {
  std::string uuid;  ///< Lower case. Its identity: the same on both hosts of a migration.
  std::string name;
  std::string title;
  GuestState state = GuestState::off;
  std::map<std::string, std::string> labels;  ///< From the vmirror element of its metadata.
  std::vector<GuestNic> nics;
  bool operator==(const Guest&) const = default;
};

/// Why no port of a switch here is, or will be, this NIC's ("is on Linux bridge br1"), with a
/// remedy; none: there may be one. `bridge_is_read`: its `bridge` is a switch that is read here.
std::optional<Error> why_no_port(const GuestNic& nic, bool bridge_is_read);

/// All guests of this host as one reading shows them. Never changed once made: a guest that did not
/// change is the same object in the next one, and what two have in common is shared.
struct Guests {
  std::uint64_t revision = 0;  ///< Grows with each change.
  PersistentMap<std::string, std::shared_ptr<const Guest>> by_uuid;
  /// Why what is here may be stale; none: it is up to date. Unknown is not empty.
  std::optional<Error> error;
};

/// Calls visit(uuid, before, after) for each guest that differs; null: there was, or is, none. A
/// reading that there wasn't is null. Costs what differs where the one descends from
/// the other.
template <typename Visit>
void diff_guests(const Guests* before, const Guests* after, Visit visit) {
  using Map = decltype(Guests::by_uuid);
  const auto get = [](const auto* guest) { return guest ? guest->get() : nullptr; };
  diff(before ? before->by_uuid : Map(), after ? after->by_uuid : Map(),
       [&](const std::string& uuid, const auto* was, const auto* is) {
         visit(uuid, get(was), get(is));
       });
}

/// Something that happened to a guest, in the order in which the hypervisor told it. Unlike
/// `Guests`, which is the truth, it is a hint; yet only it has the moment, for a migration's
/// record.
struct GuestEvent {
  enum class Kind : std::uint8_t {
    started,             ///< Booted here.
    incoming,            ///< Began to come here; paused.
    suspended_leaving,   ///< Its CPUs were stopped here for the switch-over of a migration.
    suspended_postcopy,  ///< The same, and its memory follows later.
    resumed_arrived,     ///< Its CPUs run here since now: it has migrated to this host.
    resumed_postcopy,    ///< The same, while part of its memory is still on the other host.
    resumed_here,        ///< Its CPUs run again where they were: a migration failed or was aborted.
    left,                ///< It is gone from here: it has migrated.
    suspended,
    resumed,  ///< By a person, or an I/O error.
    stopped,  ///< Shut down, destroyed, crashed; or an incoming migration that failed.
    changed,  ///< Its NICs, name or labels.
    /// Asked, the hypervisor says that a migration from here is under way; `time` is when the sign
    /// of it came. Saving, dumping and snapshots give the same signs, and are none.
    leaving,
    /// Nothing happened: asked, the hypervisor says that no migration from here is under way.
    /// libvirt tells the source of an abort before the switch-over in no other way.
    not_leaving,
  };
  Time time = 0;  ///< Wall clock of this host, when it was told.
  Kind kind = Kind::changed;
  std::string uuid, name;
  std::string detail;  ///< The hypervisor's words: "failed"; may be empty.
  bool operator==(const GuestEvent&) const = default;
};
/// "started", "incoming", "suspended for migration", ...
const char* to_text(GuestEvent::Kind kind);

}  // namespace vmirror
