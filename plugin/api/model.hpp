// The values that every virtual switch's driver speaks: what is asked (Desired), what is there
// (Observed), what the driver would have there (Realisation). The objects that a driver owns, and
// the steps that change them, are in object.hpp. No value here names a kind of switch; a driver
// that can't express one says so in the session's verdict.
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
#include "plugin/api/object.hpp"
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

/// What a switch may be able to copy to: the kinds of Target, ERSPAN by its type.
enum class TargetKind : std::uint8_t { local, erspan2, erspan3, gre, rspan };
TargetKind kind_of(const Target& target);
/// "a local port", "ERSPAN II", "ERSPAN III", "GRE", "an RSPAN VLAN"
const char* to_text(TargetKind kind);

// ---- Outputs: what a target is on one switch

struct PortOutput {
  std::string port;
  auto operator<=>(const PortOutput&) const = default;
};
struct VlanOutput {
  std::uint16_t vlan = 0;
  auto operator<=>(const VlanOutput&) const = default;
};
/// The mirror itself sends the copies: it has no port of its own.
struct AddressOutput {
  std::variant<ErspanTarget, GreTarget> to;  ///< With the session ID or key that it has.
  auto operator<=>(const AddressOutput&) const = default;
};
/// Whichever NIC the switch has in its monitor mode: it gives no choice.
struct MonitorOutput {
  std::string port;  ///< That NIC's; empty where the switch does not say.
  auto operator<=>(const MonitorOutput&) const = default;
};
using Output = std::variant<PortOutput, VlanOutput, AddressOutput, MonitorOutput>;

/// "vmr-br0", "vlan 100", "erspan-192.0.2.9", "vnet9"; of a monitor NIC that nobody names "the
/// monitor NIC".
std::string to_text(const Output& output);
/// The port that copies come out of, by name; empty: none, or it is not known.
const std::string& port_of(const std::optional<Output>& output);

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

/// The other end of a tunnel port, in the switch's words.
struct TunnelEnd {
  std::string remote;  ///< An address; or a word of the switch for one that each packet has.
  std::optional<std::uint32_t> key;
  bool operator==(const TunnelEnd&) const = default;
};

struct Port {
  std::string name;
  std::string id;  ///< The switch's own identity of it; changes when deleted and added again.
  std::string
      type;  ///< "" or "system" for a plain one, else the switch's word: internal, erspan, …
  bool owned = false;
  bool link_up = false;
  /// The guest's NIC is being made ready and does not run here yet: a migration comes. False where
  /// the switch does not tell.
  bool incoming = false;
  std::optional<Mac> mac;    ///< The guest's, where the switch knows it.
  std::string mac_unknown;   ///< Of a guest's port without one: why, in words.
  std::string vm;            ///< The VM's UUID or name, where the switch knows it.
  std::string interface_id;  ///< The NIC's identity, the same on both hosts of a migration.
  std::optional<std::uint16_t> vlan;  ///< Access VLAN.
  /// VLANs that it carries besides; empty: every one. None: no other, as far as is known.
  std::optional<std::set<std::uint16_t>> trunks;
  std::vector<std::string> members;           ///< Of a bond: its interfaces, by name.
  std::map<std::string, std::string> labels;  ///< What others wrote on it, by key.
  std::optional<TunnelEnd> tunnel;            ///< Tunnel ports.
  std::string peer;     ///< Of a port that leads to another switch here: that one's port.
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
  std::optional<Output> output;          ///< Where copies go; none: it is gone.
  std::uint32_t snaplen = 0;
  std::string match;  ///< Only frames that match this, in the switch's own words; empty: every one.

  // Observed only.
  std::string id;  ///< The switch's own identity of it; another for one that was made anew.
  bool owned = false;
  std::optional<std::uint64_t> copied_frames;
  std::optional<std::uint64_t> copied_bytes;
  std::string error;  ///< What shows that the switch has given it up; empty: nothing.

  const std::string& output_port() const { return port_of(output); }

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

/// What moves a switch's frames: they may differ in how they send a tunnel's packets.
enum class Datapath : std::uint8_t {
  kernel,     ///< The kernel also routes, resolves and fragments.
  userspace,  ///< The daemon does it all, by the host's routes, through a bridge of its own.
};
/// "kernel", "userspace"
std::string_view to_text(Datapath datapath);

/// The least that one session can select.
enum class Granularity : std::uint8_t {
  nic,           ///< One NIC.
  port_group,    ///< All NICs of a group: they are mirrored together.
  whole_switch,  ///< Every frame of the switch.
};

/// What may prove that a session's copies come; each is asked for where the switch offers it.
enum class ProofSource : std::uint8_t {
  engine,          ///< The engine here counts that NIC's frames, and the switch counts its port's.
  mirror_counter,  ///< The switch counts what each mirror copied.
  collector,       ///< The collector's agent counts what arrives.
};

struct SnaplenRange {
  std::uint32_t least = 0, most = 0;  ///< Bytes.
  bool operator==(const SnaplenRange&) const = default;
};

/// What a driver can do on one switch in its version; the rest is refused by name.
struct Capabilities {
  std::string version;      ///< The switch's, for people: "Open vSwitch 3.1.0, schema 8.3.1"
  std::size_t mirrors = 0;  ///< That the switch holds at most.
  std::set<TargetKind> targets = {};
  Granularity granularity = Granularity::nic;
  bool one_direction = true;                 ///< A mirror can copy one direction alone.
  std::optional<SnaplenRange> snaplen = {};  ///< None: whole frames only.
  bool match = false;  ///< A mirror can be restricted to exact protocols, ports and addresses.
  std::set<ProofSource> proofs = {};  ///< Empty: nothing that the switch offers proves a session.
  bool operator==(const Capabilities&) const = default;
};

struct Switch {
  std::string name;  ///< Unique among those of one reading.
  std::string host;  ///< Whose it is; empty: of the host that the agent serves.
  std::string kind;  ///< For people: "Open vSwitch".
  Capabilities capabilities = {};
  /// As the switch itself counts or names its versions; a step tells which it was made from. Empty
  /// where the driver has another means not to overwrite what it has not seen.
  std::string revision;
  Datapath datapath = Datapath::kernel;
  /// A controller's rules say where its frames go, and may change them on their way; false: the
  /// switch forwards by the addresses that it learns, as far as its API shows.
  bool controlled = false;
  PersistentMap<std::string, Port> ports;  ///< By name.
  std::map<std::string, Mirror> mirrors;   ///< By name.
};

/// For a while the switch could not be read. Wall clock.
struct Outage {
  Time from = 0, to = 0;
  bool operator==(const Outage&) const = default;
};

/// Whether the switch's own daemon carries out what it is asked, by whomever. As it stands here
/// where the switch's API itself carries changes out.
struct DaemonProgress {
  std::string daemon;      ///< Its name, for people: "ovs-vswitchd"
  bool behind = false;     ///< It owes a change.
  std::uint64_t done = 0;  ///< Another number with each change that it carried out.
  /// It gives no sign of life since then (wall clock), asked by the driver or not. 0: it does, or
  /// the driver has no means to tell.
  Time silent_since = 0;
  bool operator==(const DaemonProgress&) const = default;
};

/// Names what was submitted to a driver; never 0.
using Ticket = std::uint64_t;

/// How far the steps are that were submitted under one ticket.
struct Submission {
  enum class State : std::uint8_t {
    running,
    settled,   ///< The switch took all of it; this reading shows what came of it.
    conflict,  ///< The world was another than the steps were made from: nothing was done.
    failed,    ///< See `error`. Some of the steps may be done.
  };
  State state = State::running;
  Error error = {};
  bool operator==(const Submission&) const = default;
};

/// The world as one reading shows it. Names are unique among a driver's switches.
struct Observed {
  std::uint64_t revision = 0;  ///< Grows with each change that the driver saw.
  std::map<std::string, Switch> switches;
  /// Those of the driver's kinds, on all switches: what is there under the names that it uses.
  PersistentMap<ObjectKey, ObservedObject> objects;
  /// Those that run, and those that ended since the latest submit().
  std::map<Ticket, Submission> submissions;
  DaemonProgress progress;
  /// Of the host itself, without loopback; empty where the agent is elsewhere.
  std::set<IpAddress> own_addresses;
  /// Of the other ends of the tunnels whose packets the host's own kernel sends: those whose next
  /// hop does not answer the kernel, which sends nothing there. Empty where the agent is elsewhere.
  std::set<IpAddress> silent;
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

// ---- Realisation

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
  std::string output;  ///< As to_text(Output) says.
  std::optional<std::uint32_t>
      session_id;  ///< ERSPAN session ID or GRE key, when the target has one.
  std::optional<Error> refused;
  /// What a person should know of the copies, each with its remedy.
  std::vector<std::string> warnings = {};
  std::vector<std::string> more_mirrors = {};  ///< Where one can't express the filter.
  Filtering filtering = Filtering::none;
  bool operator==(const Verdict&) const = default;
};

/// What a driver makes of a Desired.
struct Realisation {
  /// All that the driver wants to own on its switches; what it owns and isn't here goes.
  Objects objects;
  std::vector<Mirror> mirrors;    ///< What the switches are to show then.
  std::vector<Verdict> verdicts;  ///< One for each session asked.
};

}  // namespace vmirror
