// Reads a guest from libvirt's description of the guest (libvirt.org, "Domain XML format"). Pure.
// The description comes from libvirtd, or through the hook from a local socket.
//
//   <domain type='kvm'>
//     <name>dc1</name>  <uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>  <title>..</title>
//     <metadata>
//       <vmirror:guest xmlns:vmirror="urn:vmirror:guest:1">
//         <vmirror:label key="role" value="dc"/>                          labels
//       </vmirror:guest>
//     </metadata>
//     <devices>
//       <interface type='bridge'>             or any other type: described in words
//         <mac address='52:54:00:12:34:56'/>
//         <source bridge='br0' network='lan'/>
//         <virtualport type='openvswitch'>
//           <parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/>
//         </virtualport>
//         <target dev='vnet3'/>               while it runs
//         <alias name='net0'/>
//         <link state='down'/>
#pragma once

#include <cstddef>
#include <string_view>

#include "agent/model/guest.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// The namespace of our metadata element, as `virsh metadata DOMAIN --uri` takes it.
constexpr std::string_view kGuestMetadataUri = "urn:vmirror:guest:1";

constexpr std::size_t kMaxDomainXml = 1 << 20;     ///< Bytes of a description.
constexpr std::size_t kMaxGuestNics = 256;         ///< NICs of a guest.
constexpr std::size_t kMaxGuestLabels = 64;        ///< Labels of a guest.
constexpr std::size_t kMaxGuestTextLength = 1024;  ///< Bytes of a name, a title, a label.

/// The guest that `xml` describes. The description has no state: the caller sets it, and the guest
/// is `off` here. Labels without a key are left out, and a label with two values keeps its first
/// value. Error::Kind::invalid: no domain, no UUID or name, or not XML;
/// Error::Kind::exhausted: above one of the bounds above.
Result<Guest> parse_domain(std::string_view xml);

}  // namespace vmirror
