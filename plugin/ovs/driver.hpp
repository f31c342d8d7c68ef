// The driver of Open vSwitch: bridges, ports and mirrors through the switch's own database (OVSDB,
// RFC 7047), on this host over a Unix socket or from an appliance VM over TLS.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "plugin/api/driver.hpp"

namespace vmirror {

/// Where the switch's database is and whose mirrors are ours.
struct OvsOptions {
  /// `unix:PATH`, `tcp:IP:PORT` or `ssl:IP:PORT`. Addresses, not host names.
  std::string remote = "unix:/run/openvswitch/db.sock";
  /// `tcp:` is neither encrypted nor authenticated: it must be asked for by this.
  bool insecure = false;
  /// PEM files; all three are needed with `ssl:` and unused otherwise. TLS settings are the
  /// process's: two drivers with different ones in one process don't work.
  std::string private_key, certificate, ca_certificate;
  /// The value of `external_ids:vmirror-owner` on what we create. Two daemons on one switch need
  /// two.
  std::string owner = "vmirror";
  /// The folder with ovs-vswitchd's control socket, where that is not the one of a `unix:` remote.
  std::string run_directory = {};
  /// How long one observe() waits for the database, and what was submitted may run.
  std::chrono::milliseconds timeout{3000};
};

/// From the configuration's section, by the members' names; `timeout_ms` in milliseconds. What is
/// left out has the default.
OvsOptions ovs_options(const std::map<std::string, std::string>& section);

/// What can be told without the switch: an owner, the remote's form, the files that it needs.
/// make_ovs_driver asks it. Error::Kind::invalid. Pure: files are not opened.
Result<void> check(const OvsOptions& options);

/// Starts the connection on a thread of its own and returns at once, whether or not the database
/// answers: observe() tells. Error::Kind::invalid when an option is wrong or a TLS file unreadable.
Result<std::unique_ptr<Driver>> make_ovs_driver(const OvsOptions& options);

}  // namespace vmirror
