// The values that every virtual switch's driver speaks: what is asked (Desired), what is there
// (Observed), what the driver would have there (Realisation) and one change (Step). No value here
// names a kind of switch; a driver that can't express one says so in the session's verdict.
//
// Directions are the guest's: `in` is what the guest receives, `out` is what it sends.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "plugin/api/filter.hpp"
#include "plugin/base/address.hpp"
#include "plugin/base/clock.hpp"
#include "plugin/base/persistent_map.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

// ---- Targets: where copies go ------------------------------------------------------------------

/// The engine of this agent. On the host itself: a port of our own on the switch. In an appliance
/// VM: that VM's monitor NIC, found on the switch by its MAC.
struct LocalTarget {
  std::optional<Mac> monitor_nic;
  auto operator<=>(const LocalTarget&) const = default;
};
/// A collector that takes ERSPAN (draft-foschiano-erspan).
struct ErspanTarget {
  IpAddress address;
  int version = 2;  ///< ERSPAN type: 2 or 3.
  std::optional<std::uint16_t>
      session;  ///< 0..1023; none: chosen by the planner, stable per target.
  auto operator<=>(const ErspanTarget&) const = default;
};
/// A collector that takes transparent Ethernet over GRE (protocol 0x6558).
struct GreTarget {
  IpAddress address;
  std::optional<std::uint32_t> key;
  auto operator<=>(const GreTarget&) const = default;
};
/// A VLAN that carries copies over the switches.
struct RspanTarget {
  std::uint16_t vlan = 0;  ///< 1..4094
  /// May the VLAN be kept off ports that take every VLAN, though they aren't ours? See
  /// docs/decisions/0017.
  bool restrict = false;
  auto operator<=>(const RspanTarget&) const = default;
};
using Target = std::variant<LocalTarget, ErspanTarget, GreTarget, RspanTarget>;

/// A short stable text: "local", "erspan-192.0.2.9", "gre-192.0.2.9", "rspan-100".
std::string to_text(const Target& target);

// ---- Desired

/// One mirror that is wanted: one NIC on this host to one target.
struct Session {
  std::string name;         ///< "vnet0@local": unique on the host.
  std::string policy;       ///< The policy that asked; several joined by '+'.
  std::string switch_name;  ///< Where the NIC's port is.
  std::string port;         ///< The port's name on that switch.
  Direction direction = Direction::both;
  std::uint32_t snaplen = 0;      ///< Bytes kept of each copy; 0: whole frames.
  std::set<std::uint16_t> vlans;  ///< Only frames of these; 0: untagged; empty: every frame.
  Filter filter;                  ///< Of these, the frames that are wanted.
  Target target;
  bool operator==(const Session&) const = default;
};

struct Desired {
  std::vector<Session> sessions;
};

/// The same as a value that is cheap to copy and compare, by the sessions' names.
using SessionMap = PersistentMap<std::string, Session>;

// ---- Observed

/// What the switch itself counted on a port. Absent where the switch has not said yet.
struct PortCounters {
  std::uint64_t out_frames = 0;  ///< Sent by the guest, received by the switch.
  std::uint64_t out_bytes = 0;
  std::uint64_t in_frames = 0;  ///< Received by the guest, sent by the switch.
  std::uint64_t in_bytes = 0;
  std::uint64_t in_dropped = 0;  ///< Sent to the port, and not taken by it.
  bool operator==(const PortCounters&) const = default;
};

struct Port {
  std::string name;
  std::string id;  ///< The switch's own identity of it; changes when deleted and added again.
  std::string
      type;  ///< "" or "system" for a plain one, else the switch's word: internal, erspan, …
  bool owned = false;
  bool link_up = false;
  std::optional<Mac> mac;    ///< The guest's, where the switch knows it.
  std::string mac_unknown;   ///< Of a guest's port without one: why, in words.
  std::string vm;            ///< The VM's UUID or name, where the switch knows it.
  std::string interface_id;  ///< The NIC's identity, the same on both hosts of a migration.
  std::optional<std::uint16_t> vlan;  ///< Access VLAN.
  /// VLANs that it carries besides; empty: every one. None: no other, as far as is known.
  std::optional<std::set<std::uint16_t>> trunks;
  std::vector<std::string> members;            ///< Of a bond: its interfaces, by name.
  std::map<std::string, std::string> labels;   ///< Open vSwitch: external_ids.
  std::map<std::string, std::string> options;  ///< Tunnel ports: remote_ip, key, …
  std::string bond;     ///< The mode of a bond, in the switch's word; empty: it is none.
  bool uplink = false;  ///< Leads out of the host: a physical NIC, a bond.
  /// May lead out of the host, for all that the switch knows: a plain device that is neither a tap
  /// nor known to be a guest's. False where `uplink` is true.
  bool maybe_uplink = false;
  std::string egress;                ///< Tunnel ports: the device its packets leave through.
  std::optional<bool> carrier;       ///< Of `egress`; none: the switch does not say.
  std::optional<std::uint32_t> mtu;  ///< Bytes, where the switch knows it.
  std::string error;                 ///< What the switch says is wrong with it; empty: nothing.
  std::optional<PortCounters> counters;
  bool operator==(const Port&) const = default;
};

/// A mirror as a switch has it, or as a driver wants it (then the counters are absent).
struct Mirror {
  std::string name;  ///< Unique on its switch.
  std::string switch_name;
  PersistentSet<std::string> in_ports;   ///< Copies what these ports' guests receive.
  PersistentSet<std::string> out_ports;  ///< Copies what these ports' guests send.
  bool all = false;                      ///< Copies every frame of the switch.
  std::set<std::uint16_t> vlans;         ///< Only frames of these; empty: every VLAN.
  std::string output_port;  ///< Where copies go; empty when by VLAN, or when it is gone.
  std::optional<std::uint16_t> output_vlan;
  std::uint32_t snaplen = 0;
  std::string match;  ///< Only frames that match this, in the switch's own words; empty: every one.

  // Observed only.
  std::string id;  ///< The switch's own identity of it; another for one that was made anew.
  bool owned = false;
  std::optional<std::uint64_t> copied_frames;
  std::optional<std::uint64_t> copied_bytes;
  std::string error;  ///< What shows that the switch has given it up; empty: nothing.

  /// True when both ask the switch for the same but the selected ports, whatever was counted.
  bool same_but_ports(const Mirror& other) const;
  /// True when both ask the switch for the same, whatever was counted.
  bool same_as(const Mirror& other) const;
  bool operator==(const Mirror&) const = default;
};

/// Names a port of a host.
struct PortKey {
  std::string switch_name, port;
  auto operator<=>(const PortKey&) const = default;
};

/// As a key where no order is needed.
struct PortKeyHash {
  std::size_t operator()(const PortKey& key) const noexcept {
    const std::hash<std::string> hash;
    return hash(key.switch_name) * 0x9e3779b97f4a7c15ULL + hash(key.port);
  }
};

/// VLANs that we keep off a port of others', which would carry every one.
struct KeptOff {
  std::set<std::uint16_t> vlans;
  bool in_force = false;  ///< False: somebody changed the port's VLANs since.
  bool operator==(const KeptOff&) const = default;
};

/// What moves a switch's frames. Open vSwitch's two differ in how they send a tunnel's packets.
enum class Datapath : std::uint8_t {
  kernel,     ///< The kernel also routes, resolves and fragments.
  userspace,  ///< The daemon does it all, by the host's routes, through a bridge of its own.
};
/// "kernel", "userspace"
std::string_view to_text(Datapath datapath);

struct Switch {
  std::string name;
  Datapath datapath = Datapath::kernel;
  PersistentMap<std::string, Port> ports;   ///< By name.
  std::map<std::string, Mirror> mirrors;    ///< By name.
  std::set<std::uint16_t> unlearned_vlans;  ///< VLANs in which the switch learns no addresses.
  std::set<std::uint16_t> owned_unlearned_vlans;  ///< Those of them that we set.
  std::map<std::string, KeptOff> kept_off;        ///< By port.
};

/// What the driver can do on this switch in this version; the rest is refused by name.
struct Capabilities {
  std::string version;  ///< The switch's, for people: "Open vSwitch 3.1.0, schema 8.3.1"
  std::size_t mirrors_per_switch = 0;
  bool snaplen = false;
  bool match = false;  ///< A mirror can be restricted to exact protocols, ports and addresses.
  bool erspan = false;
  bool gre = false;
  bool rspan = false;
  bool operator==(const Capabilities&) const = default;
};

/// For a while the switch could not be read. Wall clock.
struct Outage {
  Time from = 0, to = 0;
  bool operator==(const Outage&) const = default;
};

/// How far the switch's own daemon is with what it was asked, by whomever. A daemon that is gone or
/// hangs leaves `done` behind. Both 0 where the switch's API itself carries changes out.
struct DaemonProgress {
  std::string daemon;  ///< Its name, for people: "ovs-vswitchd"
  std::int64_t asked = 0, done = 0;
  /// It gives no sign of life since then (wall clock), asked by the driver or not. 0: it does, or
  /// the driver has no means to tell.
  Time silent_since = 0;
  bool behind() const { return done < asked; }
  bool operator==(const DaemonProgress&) const = default;
};

/// The world as one reading shows it. Names are unique among a driver's switches.
struct Observed {
  std::uint64_t revision = 0;  ///< Grows with each change that the driver saw.
  Capabilities capabilities;
  std::map<std::string, Switch> switches;
  DaemonProgress progress;
  /// Of the host itself, without loopback; empty where the agent is elsewhere.
  std::set<IpAddress> own_addresses;
  std::optional<Outage> outage;  ///< The latest, once it was over; none since the driver began.
  /// When the ports' counters came that are the latest, all of one writing (wall clock): each
  /// port's are of this moment or a little before, also those that did not change. 0: a port's may
  /// be of any time.
  Time counted_at = 0;
};

/// The switch of that name; one without anything where there is none.
const Switch& switch_of(const Observed& world, const std::string& name);

/// Calls visit(key, before, after) for each port that differs; null: there was, or is, none. Costs
/// what differs where the one world descends from the other.
template <typename Visit>
void diff_ports(const Observed& before, const Observed& after, Visit visit) {
  std::set<std::string> names;
  for (const Observed* world : {&before, &after})
    for (const auto& [name, sw] : world->switches) names.insert(name);
  for (const std::string& name : names)
    diff(switch_of(before, name).ports, switch_of(after, name).ports,
         [&](const std::string& port, const Port* was, const Port* is) {
           visit(PortKey{name, port}, was, is);
         });
}

// ---- Realisation and steps

/// Who leaves out the frames that a session's filter doesn't want.
enum class Filtering : std::uint8_t {
  none,         ///< It has no filter.
  by_switch,    ///< Its mirrors copy only what is wanted.
  by_receiver,  ///< All is copied; who receives it drops the rest.
};
/// "none", "by the switch", "by the receiver"
const char* to_text(Filtering filtering);

/// What is to become of one session: the mirrors that serve it, or why none can.
struct Verdict {
  std::string session;
  std::string switch_name;
  std::string mirror;  ///< Empty when refused.
  std::string output;  ///< Port name, or "vlan 100".
  std::optional<std::uint32_t>
      session_id;  ///< ERSPAN session ID or GRE key, when the target has one.
  std::optional<Error> refused;
  /// What a person should know of the copies, each with its remedy.
  std::vector<std::string> warnings = {};
  std::vector<std::string> more_mirrors = {};  ///< Where one can't express the filter.
  Filtering filtering = Filtering::none;
  bool operator==(const Verdict&) const = default;
};

/// A port of our own that a mirror needs.
struct OutputPort {
  std::string name;
  std::string switch_name;
  std::string type;                            ///< internal, erspan, gre
  std::map<std::string, std::string> options;  ///< remote_ip, key, erspan_ver, …
  bool operator==(const OutputPort&) const = default;
};

/// All that a driver wants to own on its switches; what it owns and isn't here goes.
struct Wanted {
  std::vector<OutputPort> ports;
  std::vector<Mirror> mirrors;
  std::map<std::string, std::set<std::uint16_t>> unlearned_vlans;  ///< By switch.
  std::map<PortKey, std::set<std::uint16_t>> kept_off;             ///< VLANs, by port.
};
/// What is wanted for a Desired.
struct Realisation : Wanted {
  std::vector<Verdict> verdicts;  ///< One for each session asked.
};

struct PutPort {
  OutputPort port;
  bool operator==(const PutPort&) const = default;
};
struct RemovePort {
  std::string switch_name, name;
  bool operator==(const RemovePort&) const = default;
};
/// Creates the mirror, or makes the owned one of that name be so.
struct PutMirror {
  Mirror mirror;
  /// Where it was observed: the ports that it selected then. What changed since then needs no look
  /// at a thousand others; what else was changed meanwhile is for the next observation to tell.
  struct Selected {
    PersistentSet<std::string> in, out;
    bool operator==(const Selected&) const = default;
  };
  std::optional<Selected> was = {};
  bool operator==(const PutMirror&) const = default;
};
struct RemoveMirror {
  std::string switch_name, name;
  bool operator==(const RemoveMirror&) const = default;
};
/// The VLANs in which we ask the switch not to learn; replaces those that we asked for before.
struct PutUnlearnedVlans {
  std::string switch_name;
  std::set<std::uint16_t> vlans;
  bool operator==(const PutUnlearnedVlans&) const = default;
};

/// Keeps these VLANs, and no others, off a port of others' that carries every other VLAN; none: the
/// port is as it was. What else is changed on the port is not touched: where somebody gave it VLANs
/// since, only our claim goes.
struct PutKeptOff {
  std::string switch_name, port;
  std::set<std::uint16_t> vlans;
  bool operator==(const PutKeptOff&) const = default;
};

/// One change to one owned object, with the reason in words.
struct Step {
  std::variant<PutPort, RemovePort, PutMirror, RemoveMirror, PutUnlearnedVlans, PutKeptOff> change;
  std::string why;  ///< "no such mirror", "someone changed snaplen from 128 to 0"

  /// The switch that it changes.
  const std::string& switch_name() const;
  /// "put mirror br0/vmirror-local: in {vnet0} out {vnet0} -> port vmr-br0"; of many ports a few.
  std::string text() const;
  bool operator==(const Step&) const = default;
};

}  // namespace vmirror
