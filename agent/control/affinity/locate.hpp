// locate: from what a switch and a hypervisor show to where each NIC is. Pure.
//
//   port --vm-id, else device name--> guest --interface id, else MAC, else device--> its NIC
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/model/guest.hpp"
#include "agent/model/location.hpp"
#include "plugin/api/model.hpp"

namespace vmirror {

/// Whose a port is: an index over the guests of this host. One thread.
class GuestPorts {
 public:
  /// What became different: guests that came, went or changed, and the devices that they have or
  /// had. The ports to locate anew are those with such a vm-id or of such a name.
  struct Changes {
    std::vector<std::string> uuids;
    std::vector<std::string> devices;  ///< May hold one twice.
  };

  /// Follows a new reading; null is no hypervisor. One that is stale (`Guests::error`) is followed
  /// as any other: it shows what was last known, which stays in force. A guest that is the same
  /// object costs one comparison of pointers.
  Changes update(std::shared_ptr<const Guests> guests);

  /// The guest that the port belongs to: the one that its vm-id names; where the switch has no
  /// vm-id (libvirt writes one only on some kinds of switch), the one that has a
  /// NIC of the port's name on this switch. Null: none that the hypervisor told. Good until the
  /// next update. O(log n).
  const Guest* guest_of(const std::string& switch_name, const Port& port) const;
  /// The guest of that UUID; null: none that the hypervisor told. Good until the next update.
  const Guest* guest(const std::string& uuid) const;

 private:
  std::shared_ptr<const Guests> guests_;
  std::multimap<std::string, const Guest*> by_device_;
};

/// The guest's NIC that the port is: by interface id, else MAC, else device; null: none of them.
const GuestNic* nic_of(const Guest& guest, const Port& port);

/// Where one port's NIC is; `guest` as guest_of has it, null: nobody told. `host` is this host; a
/// switch of many hosts says by the port's label `vm-host` on which one the guest is.
///
/// What the hypervisor tells goes before what the switch tells: name, UUID, title, network, and of
/// one label the guest's. Without it the VM's name is the port's label `vm-name`
/// (external_ids:vm-name), or what the switch calls the VM where that is no UUID; its UUID is what
/// the switch calls it else. What the switch does not know of the NIC (interface id, MAC) is the
/// guest's.
///
/// A port of a guest that is on its way here is incoming. Any other of a guest is active, also when
/// it is paused, left or is off: as long as the port is there, frames may come. Where no hypervisor
/// tells, a port that the switch says is incoming (Port::incoming) is.
Location locate(const std::string& host, const std::string& switch_name, const Port& port,
                const Guest* guest);

/// The NICs of a guest that no port is: what they are on can't be mirrored, and says so. `ports`
/// are those of this guest. A guest that is off has none; of one that does not run yet, or no
/// longer, those are left out whose port may be about to come, or has just gone. A NIC on a switch
/// that is read here is left out, too: the switch tells of it.
Locations locate_portless(const std::string& host, const Guest& guest,
                          const std::vector<const Port*>& ports, const Observed& observed);

/// One location for each port that isn't ours, by switch and port, then those of NICs without one.
/// `guests` may be null.
Locations locate(const Observed& observed, const Guests* guests, const std::string& host);

}  // namespace vmirror
