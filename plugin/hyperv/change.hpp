// Steps carried out on a host: the mark is written, the setting is changed, and for a removal the
// setting is put back before the mark goes.
//
//   create, change   notes + mark -> read the setting -> Add or Modify -> job
//   remove           read the setting -> put it back, if it is still as we left it -> notes - mark
//
// Affinity rules of a cluster have no notes: see affinity.hpp.
//
// The setting and the notes are read anew before each change, so that nothing is overwritten that
// was not seen: where the setting is another than the step was made from, nothing is done.
#pragma once

#include <stop_token>
#include <string>

#include "plugin/api/model.hpp"
#include "plugin/hyperv/host.hpp"
#include "plugin/hyperv/wsman.hpp"

namespace vmirror::hyperv {

struct Changer {
  WsmanClient& client;
  const std::string& owner;

  /// `state`: as it was read last; `switch_id`: the GUID of the step's switch, empty for steps of a
  /// cluster. False: the host is
  /// another than the step was made from, and nothing was done. Errors: the client's;
  /// Error::Kind::missing: the VM or switch is gone.
  Result<bool> carry_out(const Step& step, const HostState& state, const std::string& switch_id,
                         const std::stop_token& stop) const;
};

}  // namespace vmirror::hyperv
