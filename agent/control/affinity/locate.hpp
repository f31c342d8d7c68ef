// locate: the location of each NIC, from the switch's ports and the hypervisor's guests. Pure.
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

/// An index over the guests of this host, by which a port finds its guest. One thread.
class GuestPorts {
 public:
  /// The changes: new, removed and changed guests, and the devices that they have or had. Ports
  /// with such a vm-id, or with such a name, must be located again.
  struct Changes {
    std::vector<std::string> uuids;
    std::vector<std::string> devices;  ///< May contain duplicates.
  };

  /// Follows a new reading; null: no hypervisor. A stale reading (`Guests::error`) is followed like
  /// any other: it has the last known guests, which remain valid. A guest that is the same object
  /// costs one comparison of pointers.
  Changes update(std::shared_ptr<const Guests> guests);

  /// The guest that the port belongs to: the guest that the port's vm-id names. If the switch has
  /// no vm-id (libvirt writes it only on some kinds of switch): the guest that has a NIC with the
  /// port's name on this switch. Null: no guest of the hypervisor. Valid until the next
  /// update. O(log n).
  const Guest* guest_of(const std::string& switch_name, const Port& port) const;
  /// The guest with this UUID; null: no guest of the hypervisor. Valid until the next update.
  const Guest* guest(const std::string& uuid) const;

 private:
  std::shared_ptr<const Guests> guests_;
  std::multimap<std::string, const Guest*> by_device_;
};

/// The guest's NIC that has the port: by interface id, else MAC, else device; null: no NIC.
const GuestNic* nic_of(const Guest& guest, const Port& port);

/// The location of one port's NIC; `guest`: of guest_of(), null: not known. `host`: this host. On a
/// switch of many hosts the port's label `vm-host` names the guest's host.
///
/// The hypervisor's name, UUID, title, network and labels have precedence over the switch's.
/// Without a hypervisor the VM's name is the port's label `vm-name` (external_ids:vm-name), or the
/// switch's identifier of the VM if this is no UUID. If the identifier is a UUID, it is the VM's
/// UUID. The NIC's interface id and MAC come from the guest if the switch does not
/// know them.
///
/// A port of a guest that migrates to this host is incoming. Any other port of a guest is active,
/// also if the guest is paused, gone or off: while the port exists, frames may come. Without a
/// hypervisor a port is incoming if the switch says so (Port::incoming).
Location locate(const std::string& host, const std::string& switch_name, const Port& port,
                const Guest* guest);

/// The NICs of a guest without a port, which can't be mirrored; Location::no_port says why.
/// `ports`: of this guest. A guest that is off has no such NICs. While a guest does not run, NICs
/// whose port may be about to appear, or has just disappeared, are left out. A NIC on a switch that
/// is read here is left out, too: the switch reports its port.
Locations locate_portless(const std::string& host, const Guest& guest,
                          const std::vector<const Port*>& ports, const Observed& observed);

/// A location for each foreign port, by switch and port, then the locations of NICs without a port.
/// `guests` may be null.
Locations locate(const Observed& observed, const Guests* guests, const std::string& host);

}  // namespace vmirror
