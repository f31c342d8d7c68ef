// The tables and columns of the Open_vSwitch database (ovs-vswitchd.conf.db(5)) that the driver
// uses. The enums are the places in schema(); a column that an older server lacks is always empty.
#pragma once

#include <string>

#include "plugin/ovsdb/value.hpp"

namespace vmirror::ovs {

enum TableIndex : std::size_t { kOpenVswitch, kBridge, kPort, kInterface, kMirror };

namespace root {
enum : std::size_t { kBridges, kOvsVersion, kDbVersion, kIfaceTypes, kNextCfg, kCurCfg };
}
namespace bridge {
enum : std::size_t {
  kName,
  kPorts,
  kMirrors,
  kFloodVlans,
  kExternalIds,
  kDatapathType,
  kController,
  kFailMode
};
}
namespace port {
enum : std::size_t { kName, kInterfaces, kTag, kTrunks, kVlanMode, kExternalIds, kBondMode };
}
namespace interface {
enum : std::size_t {
  kName,
  kType,
  kOptions,
  kMacInUse,
  kLinkState,
  kMtu,
  kMtuRequest,
  kError,
  kStatus,
  kExternalIds,
  kStatistics,
  kOfport
};
}
namespace mirror {
enum : std::size_t {
  kName,
  kSelectAll,
  kSelectSrcPort,
  kSelectDstPort,
  kSelectVlan,
  kOutputPort,
  kOutputVlan,
  kSnaplen,
  kFilter,
  kExternalIds,
  kStatistics
};
}

/// What marks an object as ours: external_ids:vmirror-owner=OWNER.
constexpr const char* kOwnerKey = "vmirror-owner";

/// The key of a bridge's external_ids that lists the flood_vlans that OWNER added: "100,200".
inline std::string vlans_key(const std::string& owner) {
  return "vmirror-flood-vlans-" + owner;
}

/// The key of a port's external_ids that lists the VLANs that OWNER keeps off it: "100,200". The
/// port's trunks are all others then.
inline std::string kept_off_key(const std::string& owner) {
  return "vmirror-kept-off-" + owner;
}

ovsdb::Schema schema();

}  // namespace vmirror::ovs
