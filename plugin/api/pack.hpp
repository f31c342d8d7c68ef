// pack: from sessions to the fewest mirrors that serve them. Pure, and the same for every switch
// that has mirrors, made one by one under names, and a bound on their number; what a target becomes
// on the switch is the driver's (OutputRules).
//
//   sessions, world --> what all ask for together (Demand), the few ports that concern all
//                       (Landmarks) --> OutputRules --> each session's output
//                   --> mirrors, what they need, verdicts
//
// The Packer does it for what changed since it was last asked. What concerns one session is
// looked at when the session or its port changed; what concerns all of them is worked out each time
// from a few numbers, and when it comes out different all are looked at anew.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "plugin/api/model.hpp"
#include "plugin/api/realiser.hpp"

namespace vmirror {

/// What a session's target becomes on its switch.
struct OutputChoice {
  std::string key;  ///< Names it among the outputs of a switch: "local", "erspan-192.0.2.9".
  Output to;
  /// The driver's own objects without which it is nothing: a port of ours, a setting of the switch.
  std::map<ObjectKey, Object> needs = {};
  /// Of the ports of ours among them the names: a session is refused where somebody else has one.
  std::set<std::string> own_ports = {};
  std::optional<std::uint32_t> session_id = {};
  /// Refuses the session, yet keeps what it needs: where only the port's being there tells the
  /// reason.
  std::optional<Error> refused = {};
  std::vector<std::string> warnings = {};  ///< See Verdict.
};

/// The driver's part: the output for a session on a switch, or why there can be none. The session's
/// port is on that switch.
using FindOutput = std::function<Result<OutputChoice>(const Session&, const Switch&)>;

/// What the sessions ask for together, of those whose port is there: by switch and target.
struct Share {
  Direction direction = Direction::none;  ///< All of theirs.
  std::uint32_t mtu = 0;                  ///< The largest of their ports'; 0: none is known.
  /// Their manner_text()s. Copies that several mirrors would send to one output a switch may make
  /// once only, in the manner of one of them.
  std::set<std::string> manners;
  /// A frame may have both its sender's `out` and its receiver's `in` among them.
  bool both_ends = false;
};
using Demand = std::map<std::pair<std::string, Target>, Share>;

/// The ports that may concern sessions of other ports.
struct Landmarks {
  std::set<PortKey> owned;
  std::set<PortKey> tunnels;  ///< Owned or not.
  std::set<PortKey> patches;  ///< With a `peer`: lead to another switch.
  std::set<PortKey> uplinks;
  std::set<PortKey> bonds;
  std::unordered_map<Mac, std::set<PortKey>> by_mac;
};

/// What one mirror copies of a session: all of it, or a part of what its filter wants.
struct Cut {
  Direction direction = Direction::both;
  std::set<std::uint16_t> vlans = {};  ///< Mirror::vlans
  std::string match = {};              ///< Mirror::match
  auto operator<=>(const Cut&) const = default;
};
/// The cuts that together copy what the session's filter wants and nothing else, or why this switch
/// can't. A frame that several of them want is copied once. Error::Kind::unsupported where another
/// could; what no frame can match is Error::Kind::invalid.
using CutUp = std::function<Result<std::vector<Cut>>(const Session&)>;

/// What a driver makes of them, for one state of the world.
struct OutputRules {
  FindOutput find;
  CutUp cut = {};  ///< Null: the switch filters nothing.
  /// All that `find` reads besides the session, its port and the switch's name: where this is the
  /// same, so are the outputs of sessions that did not change.
  std::string basis = {};
};
using MakeRules = std::function<OutputRules(const Demand&, const Landmarks&, const Observed&)>;

class Packer final : public Realiser {
 public:
  /// `owner` begins the mirrors' names.
  Packer(std::string owner, MakeRules make_rules);
  ~Packer() override;

  void update(const SessionMap& sessions, std::shared_ptr<const Observed> world) override;
  const Objects& objects() const override;
  /// Selections descend from those of the world where they are equal.
  const std::vector<Mirror>& mirrors() const override;
  const PersistentMap<std::string, Verdict>& verdicts() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// One mirror for each (switch, output, snaplen, VLANs, match), named
/// "OWNER-KEY[-sSNAPLEN][-vVLANS][-cHASH]", so that names depend on what is desired alone. Gives
/// one verdict for each session, in their order. A filter that the switch can't do is the
/// receiver's where that is the engine here. Refused are, each with its reason: what names no
/// switch, port or direction; a snaplen or filter that can't be had; a source that is a
/// port of ours, or that any mirror's copies go to; a name that somebody else's object holds; and
/// the mirrors past `capabilities.mirrors`, those of others counted, the first sessions
/// served first. Where a switch copies more than the one NIC (Capabilities::granularity), the
/// verdict warns of it.
Realisation pack(const Desired& desired, const Observed& observed, std::string_view owner,
                 const FindOutput& find_output);

/// What of a frame a session wants copied, as a part of a name: "[-sSNAPLEN][-vVLANS]", empty for
/// every frame as a whole. Filters aren't among it: where two mirrors with one output differ in
/// them, a frame is copied when one of them wants it.
std::string manner_text(const Session& session);

/// The text's FNV-1a hash (64 bits) as `digits` hexadecimal digits: for names that must be short.
std::string short_hash(std::string_view text, std::size_t digits);

}  // namespace vmirror
