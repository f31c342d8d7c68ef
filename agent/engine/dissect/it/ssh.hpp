// SSH (RFC 4253): which software speaks; all else is encrypted, and costs nothing.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// Record `ssh`, with Suricata's names: client or server {proto_version, software_version}, one
/// record for each.
/// Facts of the server: service "ssh", description (ssh.server.software_version).
/// Found on odd ports.
extern const Dissector kSsh;

}  // namespace vmirror
