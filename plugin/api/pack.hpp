// pack: from sessions to the fewest mirrors that serve them. Pure, and the same for every switch
// that has ports, mirrors and a bound on their number; what a target becomes on the switch is the
// driver's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "plugin/api/model.hpp"

namespace vmirror {

/// What a session's target becomes on its switch: a port or a VLAN that takes the copies.
struct Output {
  std::string key;   ///< Names it among the outputs of a switch: "local", "erspan-192.0.2.9".
  std::string port;  ///< Empty when it is a VLAN.
  std::optional<std::uint16_t> vlan = {};
  std::optional<OutputPort> ours = {};  ///< Set when the port is to be made by us.
  std::optional<std::uint32_t> session_id = {};
  /// Refuses the session, yet keeps the port: where only the port's being there tells the reason.
  std::optional<Error> refused = {};
};

/// The driver's part: the output for a session on a switch, or why there can be none. The session's
/// port is on that switch.
using FindOutput = std::function<Result<Output>(const SessionRequest&, const Switch&)>;

/// One mirror for each (switch, output, snaplen, filter), named "OWNER-KEY[-sSNAPLEN][-fHASH]", so
/// that names depend on what is desired alone. Gives one verdict for each session, in their order.
/// Refused are, each with its reason: what names no switch, port or direction; a snaplen or filter
/// that the switch hasn't got; a source that is a port of ours, or that any mirror's copies go to;
/// a name that somebody else's object holds; and the mirrors past
/// `capabilities.mirrors_per_switch`, those of others counted, the first sessions served first.
Realisation pack(const Desired& desired, const Observed& observed, std::string_view owner,
                 const FindOutput& find_output);

/// The text's FNV-1a hash (64 bits) as `digits` hexadecimal digits: for names that must be short.
std::string short_hash(std::string_view text, std::size_t digits);

}  // namespace vmirror
