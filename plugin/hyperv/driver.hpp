// The driver of Hyper-V: port mirroring of virtual switches by WMI over WS-Management, from
// anywhere that reaches the hosts' WinRM over HTTPS.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "plugin/api/driver.hpp"

namespace vmirror {

struct HypervOptions {
  /// "https://hv1.example:5986"; the nodes of a cluster with blanks between.
  std::string url;
  std::string credentials_file;  ///< As mount.cifs(8) has it; see net::CredentialSource. Or:
  std::string credentials_systemd;
  std::string ca_file;
  std::string thumbprint;  ///< See net::HttpOptions; several in the order of the URLs.
  /// "basic": a local account of the host. "ntlm": the same, or one of a domain. Both by the
  /// credentials. "negotiate": Kerberos, by the ticket that `keytab` brings, or this process's.
  std::string auth = "basic";
  std::string keytab;  ///< See net::HttpOptions.
  /// What our marks in the notes of VMs and switches begin with. Two daemons on one host need two.
  std::string owner = "vmirror";
  /// The monitor adapter on each switch, "VM/adapter", a glob; empty: by `local.monitor_nic`.
  std::string monitor;
  int monitor_session = 0;       ///< 0 to 255: MonitorSession of all settings of ours.
  std::string vlans = "0-4094";  ///< Of the monitor adapter's trunk.
  int native_vlan = 0;           ///< The VLAN whose frames arrive there without a tag.
  /// "true": rules of the failover cluster keep a sensor with its sources; see affinity.hpp.
  std::string affinity_rules = "false";
  std::chrono::milliseconds poll{500};  ///< Between two questions to a host.
  /// How long one observe() waits for the first reading.
  std::chrono::milliseconds timeout{10'000};
};

/// From the configuration's section, by the members' names; `poll_ms` and `timeout_ms` in
/// milliseconds. What is left out has the default.
HypervOptions hyperv_options(const std::map<std::string, std::string>& section);

/// What can be told without the hosts: make_hyperv_driver asks it. Error::Kind::invalid. Pure:
/// files are not opened.
Result<void> check(const HypervOptions& options);

/// Starts to read on threads of its own and returns at once, whether or not the hosts answer:
/// observe() tells. Error: as check(), and net::HttpClient::make.
Result<std::unique_ptr<Driver>> make_hyperv_driver(const HypervOptions& options);

}  // namespace vmirror
