// What the stories of one session begin with: a mirror of port vnet0 on br0, as it was asked.
#pragma once

#include <optional>

#include "agent/control/reconcile/judge.hpp"

namespace vmirror::test {

/// `session`, with its name and target, on port vnet0 of br0, served by the mirror m to the port
/// `out`; its ID is `id`. The switch counts copies. The caller adds the ports.
inline void serve_by_one_mirror(Session session, std::optional<std::uint32_t> id,
                                Resolved& resolved, Realisation& realisation, Observed& observed) {
  session.switch_name = "br0";
  session.port = "vnet0";
  resolved.desired.sessions = {session};

  Mirror m;
  m.name = "m";
  m.switch_name = "br0";
  m.in_ports = m.out_ports = {"vnet0"};
  m.output = PortOutput{"out"};
  realisation.mirrors = {m};
  realisation.verdicts = {{session.name, "br0", "m", "out", id, std::nullopt}};

  m.owned = true;
  m.copied_frames = 0;
  Switch& sw = observed.switches["br0"];
  sw.name = "br0";
  sw.capabilities.proofs = {ProofSource::engine, ProofSource::mirror_counter,
                            ProofSource::collector};
  sw.mirrors["m"] = m;
}

}  // namespace vmirror::test
