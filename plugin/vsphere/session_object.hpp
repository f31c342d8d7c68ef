// A mirroring session of a distributed switch as an object, and what it is as a mirror.
//
//   Mirror (wanted)        --session_of--> VspanSession --encode--> the server
//   VspanSession (there)   --mirror_of---> Mirror, for who judges
#pragma once

#include <memory>
#include <string>

#include "plugin/api/model.hpp"
#include "plugin/vsphere/values.hpp"

namespace vmirror::vsphere {

/// What a session's description says where it is ours: the owner's name is all of the mark, for
/// names need not be unique.
std::string mark_of(const std::string& owner);

class SessionValue final : public ObjectValue {
 public:
  explicit SessionValue(VspanSession s);
  std::string text() const override;
  std::string difference(const ObjectValue& is) const override;
  bool is_part_of(const ObjectValue& is) const override;

  /// Normal: ports sorted, what the server has as a default named, what its type has no use for
  /// left out. Of one that is there with its key.
  const VspanSession session;
};

/// The session that makes a mirror, without a key. `uplink`: the name of the hosts' uplink that a
/// VLAN output leaves by; else unused.
///
///   AddressOutput  encapsulatedRemoteMirrorSource     VlanOutput  remoteMirrorSource
///   PortOutput     dvPortMirror; with VLANs and `all` (an RSPAN VLAN's receiver) remoteMirrorDest
VspanSession session_of(const Mirror& mirror, const std::string& owner, const std::string& uplink);

/// The mirror that a session is. Its output is none where the session is disabled, or of a kind
/// that copies to none place alone.
Mirror mirror_of(const VspanSession& session, const std::string& switch_name,
                 const std::string& owner);

}  // namespace vmirror::vsphere
