// The driver of vSphere: mirroring sessions of vCenter's distributed switches, and SPAN port groups
// of standard switches, through the vim25 API of a vCenter or of an ESXi host.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "plugin/api/driver.hpp"

namespace vmirror {

struct VsphereOptions {
  std::string url;               ///< "https://vcenter.example"
  std::string credentials_file;  ///< As mount.cifs(8) has it; see net::CredentialSource. Or:
  std::string credentials_systemd;
  std::string ca_file, thumbprint;  ///< See net::HttpOptions.
  /// What sessions of ours say in their description, and begin their names with. Two daemons on one
  /// vCenter need two.
  std::string owner = "vmirror";
  /// This agent's address, where its engine takes ERSPAN in (`inputs`); empty: sessions to the
  /// engine go to the monitor NIC's port.
  std::string receiver;
  /// "true", or "false": another agent of this owner makes the sessions, and this one only looks.
  std::string acts = "true";
  std::string uplink;  ///< The hosts' uplink that RSPAN leaves by; empty: the first by name.
  /// The SPAN port group of standard switches; empty: these are left alone. One that the driver
  /// makes has the owner's name behind this one.
  std::string span;
  std::string span_vlans = "all";    ///< Or "10,20": a port group for each.
  std::string span_adopt = "false";  ///< "true": `span` is there already, and is used.
  std::string span_repair = "true";  ///< "false": one that is there is not changed.
  /// The MAC of the appliance's adapter, and the port group where it is while no session needs it:
  /// with both the driver moves the adapter.
  std::string adapter, span_park;
  /// "set": Net.ReversePathFwdCheckPromisc of hosts with several uplinks on the switch.
  std::string span_duplicates = "check";
  /// "true": rules of DRS keep a sensor with its sources where copies reach it on one host only.
  std::string drs_rules = "false";
  /// Names of hosts, globs with blanks between: a rule of DRS has the sensor and these sources run
  /// on them, if they can. Empty: no such rule.
  std::string drs_hosts;
  /// The MAC of an adapter of the agent's on a distributed switch, which gets the RSPAN VLANs that
  /// policies copy to; empty: another receiver has them.
  std::string rspan_adapter;
  /// How long one observe() waits for the first reading.
  std::chrono::milliseconds timeout{10'000};
};

/// From the configuration's section, by the members' names; `timeout_ms` in milliseconds. What is
/// left out has the default.
VsphereOptions vsphere_options(const std::map<std::string, std::string>& section);

/// What can be told without the server: make_vsphere_driver asks it. Error::Kind::invalid. Pure:
/// files are not opened.
Result<void> check(const VsphereOptions& options);

/// Starts to read on a thread of its own and returns at once, whether or not the server answers:
/// observe() tells. Error: as check(), and net::HttpClient::make.
Result<std::unique_ptr<Driver>> make_vsphere_driver(const VsphereOptions& options);

}  // namespace vmirror
