// The flow table: every conversation that a worker sees, both directions in one entry, within a
// fixed bound.
//
//   index   | hash[4] entry[4] | ...         open addressing, linear probing, at most 2/3 full
//   slab    | entry[192] | entry[192] | ...  key and what each packet touches: the first 128 bytes
//
// One million flows take 208 MB, in huge pages where the kernel grants them. For a huge page the
// kernel may compact memory, for many milliseconds: a table for live traffic (ready > 0) has its
// index and its first entries touched before the first packet comes, takes small pages for others,
// and leaves it to the kernel's own thread to make huge ones of them.
//
// A batch goes through in three steps, so that memory is on its way while others are worked on:
//
//   prepare(probe, ...)  makes the key and its hash, asks for the index's line
//   locate(probe)        looks for the entry, asks for its lines
//   update(probe, ...)   counts the packet; begins a flow where there is none
//
// A flow ends when TCP closed it, when nothing came for its protocol's timeout, when the table was
// full and it was the least recently used of those looked at, or by `flush`. Time is the frames'.
// Where their clock was set back, what it stamped before counts as of now (plugin/base/clock.hpp):
// the sweep, which passes by all entries in turn, moves such a flow's times back as one.
//
// The client is who sent the SYN (or the SYN-ACK's receiver, the echo reply's receiver), else whom
// the first frame was from. Fragments behind the first have no ports: the first one's are kept for
// a while by addresses, protocol and ID in a small table of the newest; a fragment that isn't found
// there is counted in a flow of its own with ports 0.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/model/flow.hpp"
#include "agent/model/frame.hpp"

namespace vmirror {

struct FlowTableOptions {
  std::uint32_t max_flows = 262144;      ///< At most kMostFlows.
  std::uint8_t worker = 0;               ///< In the upper bits of each flow's id.
  Time tcp_opening = 30 * kSecond;       ///< Idle time after which a flow ends: SYN seen.
  Time tcp_established = 600 * kSecond;  ///< Also midstream.
  Time tcp_closing = 30 * kSecond;       ///< One FIN seen.
  Time tcp_closed = 5 * kSecond;         ///< Both FINs, or RST: late segments still belong to it.
  Time udp = 60 * kSecond;
  Time icmp = 30 * kSecond;
  Time other = 120 * kSecond;            ///< Other IP protocols, and frames below IP.
  Time report_interval = 300 * kSecond;  ///< A flow that goes on is reported this often; 0: never.
  /// Flows whose memory is touched at once, as is the index; 0: nothing is, for files.
  std::uint32_t ready = 0;
  std::uint64_t seed = 0x2545f4914f6cdd1d;  ///< Of the hash: a daemon draws it at random.
  /// At most so many of the greatest flows can be told; see `top`.
  std::uint32_t top = 1000;
  bool by_vlan = true;  ///< Identity::vlan
  /// Number of the first flow, in the middle bits of its id. A daemon draws it at random, so that
  /// flows that come from other hosts with their ids meet none of its own.
  std::uint32_t first_number = 1;
};

/// What tells flows apart. The lesser endpoint comes first, so that both directions have one key.
/// Below IP the addresses' first six octets are the MACs.
struct FlowKey {
  std::array<std::uint64_t, 4> address{};  ///< Lesser 16 octets, greater 16 octets.
  std::uint32_t ports = 0;                 ///< Of the lesser in the upper half.
  std::uint16_t ethertype = 0;
  std::uint16_t vlan = 0;
  std::uint8_t protocol = 0;
  std::uint8_t version = 0;  ///< 4, 6; 0: below IP
  std::uint16_t unused = 0;
  Scope scope = 0;
  bool operator==(const FlowKey& other) const {
    std::uint64_t a[2], b[2];  // Without a branch for each part: most keys are equal.
    std::memcpy(a, &ports, sizeof a);
    std::memcpy(b, &other.ports, sizeof b);
    return ((address[0] ^ other.address[0]) | (address[1] ^ other.address[1]) |
            (address[2] ^ other.address[2]) | (address[3] ^ other.address[3]) | (a[0] ^ b[0]) |
            (a[1] ^ b[1])) == 0;
  }
};

static_assert(sizeof(FlowKey) == 48);  // Without padding: compared as numbers.

/// A flow that ended, or goes on for long, and what each Flow::mac sent since it was last reported:
/// without what other MACs sent in its place, see Probe::other_sender.
struct FlowReport {
  Flow flow;
  std::array<std::uint64_t, 2> new_packets{}, new_bytes{};
  std::uint32_t stream = 0;  ///< What the engine kept in the entry; 0: nothing.
  std::uint8_t dissector = 0;
};

/// A flow as a value of its own: what another table needs to go on with it.
struct SavedFlow {
  FlowKey key;
  std::uint8_t lesser_side = 0;  ///< As in FlowTable::Entry.
  Flow flow;                     ///< Without application and input.
  std::array<std::uint64_t, 2> reported_packets{}, reported_bytes{};
  bool operator==(const SavedFlow&) const = default;
};
/// Fills in what the key says of the flow: addresses, ports, protocol, EtherType, VLAN, scope.
void describe(const FlowKey& key, std::uint8_t lesser_side, Flow& flow);

struct FlowCounters {
  std::uint64_t started = 0;
  std::array<std::uint64_t, kFlowEnds> ended{};  ///< Indexed by FlowEnd.
  std::uint64_t fragments_unmatched = 0;         ///< Later fragments whose first wasn't known.
};

class FlowTable {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr std::uint32_t kMostFlows = 1 << 24;

  /// One flow. `stream` and `dissector` are the engine's.
  struct alignas(64) Entry {
    FlowKey key;
    std::uint32_t hash = 0;
    std::uint8_t lesser_side = 0;  ///< The side (0: client) of the key's lesser endpoint.
    std::uint8_t timeout = 0;      ///< Index of the timeout that holds now.
    std::uint8_t dissector = 0;
    TcpState tcp = TcpState::none;
    Time last = 0;

    std::array<std::uint64_t, 2> packets, bytes;
    std::array<Mac, 2> mac;
    std::array<std::uint8_t, 2> flags;
    std::uint16_t input;
    std::uint32_t generation;  ///< With the entry's place the flow's id.
    std::uint32_t stream;
    Time next_report;

    // Written when the flow begins and when it is reported.
    Time first;
    FlowOrigin origin;
    std::uint16_t vlan;  ///< Of the first frame, where the key has none.
    bool has_others;     ///< `others_` knows of more senders than `mac`.
    std::array<std::uint64_t, 2> reported_packets, reported_bytes;
    std::uint64_t given_id;  ///< Its id where `generation` is 0: it began on another host.
  };
  static_assert(sizeof(Entry) == 192);

  /// One packet's way through the three steps.
  struct Probe {
    FlowKey key;
    std::uint32_t hash = 0;
    std::uint32_t entry = kNone;  ///< A guess after `locate`; the flow's entry after `update`.
    bool from_greater = false;    ///< The sender is the key's greater endpoint.
    bool icmp_answer = false;     ///< An echo reply: its sender is the server.
    bool started = false;         ///< `update` began a flow.
    /// The frame's sender is not the MAC that the flow has of this side: both sides of a router are
    /// mirrored, or an address moved to another NIC. `count_other` keeps it out of the reports.
    bool other_sender = false;
    std::uint8_t side = 0;  ///< After `update`: who sent this, 0 the client.
  };

  explicit FlowTable(FlowTableOptions options);
  FlowTable(FlowTable&&) noexcept = default;
  FlowTable& operator=(FlowTable&&) noexcept = default;

  void prepare(Probe& probe, const Frame& frame, const Packet& packet);
  /// Behind `prepare`, for the few frames that have a scope (scope_of) other than 0.
  void set_scope(Probe& probe, Scope scope) const;
  void locate(Probe& probe) const;
  /// The entry is good until the next call that is not const.
  Entry& update(Probe& probe, const Frame& frame, const Packet& packet, const Origin& origin = {});

  /// Behind `update`, where Probe::other_sender holds.
  void count_other(const Probe& probe, std::uint64_t bytes);

  /// Looks at the next `entries` entries for what timed out or is due for a report.
  void sweep(Time now, std::uint32_t entries);
  /// Ends the next `count` flows. True while some are left: a million at once were a long list.
  bool flush(std::uint32_t count);

  // -- for guests that move (moving.cpp) --
  /// The flows of which one end has one of these MACs: the places of the `most` latest, latest
  /// first, and how many there are in all. Looks at the whole table.
  std::pair<std::vector<std::uint32_t>, std::size_t> of(std::span<const Mac> macs,
                                                        std::size_t most) const;
  SavedFlow save(std::uint32_t place) const;
  /// The active flow of this key; kNone: there is none.
  std::uint32_t find(const FlowKey& key) const { return find(key, hash_of(key)); }
  enum class Join : std::uint8_t {
    one,   ///< It is the one that began there: counters summed, that id, that start.
    both,  ///< Both saw the same packets (its other end is mirrored here): the greater ones stand.
    over,  ///< The saved flow had ended before this one began: nothing was changed.
  };
  /// Joins the flow at this place with `saved`, of the same key. `turned`: client and server here
  /// changed places, because it is `saved` that saw the beginning. `now`: neither was seen later,
  /// unless by a clock that was set back since.
  Join join(std::uint32_t place, const SavedFlow& saved, Time now, bool& turned);
  /// Client and server of the flow at this place change places: its start was not seen, and what
  /// they say tells.
  void turn(std::uint32_t place);
  /// Idle time after which such a flow ends.
  Time timeout(const SavedFlow& saved) const;
  /// Ends the flow at this place as moved.
  void move_away(std::uint32_t place) { end(place, FlowEnd::moved); }

  /// What ended or is due since `clear_reports`. `update` and `sweep` add one at most for each
  /// packet or entry, so that a caller that clears after each batch has a bounded list.
  std::span<const FlowReport> reports() const { return reports_; }
  void clear_reports() { reports_.clear(); }

  std::uint32_t active() const { return active_; }
  std::uint32_t capacity() const { return options_.max_flows; }
  const Entry& entry(std::uint32_t place) const { return entries_[place]; }
  /// Of which the engine's part may be changed.
  Entry& entry(std::uint32_t place) { return entries_[place]; }
  const FlowCounters& counters() const { return counters_; }
  bool is_active(std::uint32_t place) const { return entries_[place].key.version != kFreeVersion; }
  /// Flow::id of the active flow at this place.
  std::uint64_t id(std::uint32_t place) const {
    const Entry& entry = entries_[place];
    if (entry.generation == 0) return entry.given_id;
    return std::uint64_t{options_.worker} << 56 | std::uint64_t{entry.generation} << 24 | place;
  }
  /// The active flow at this place, as it stands.
  Flow flow(std::uint32_t place) const { return flow_of(place, FlowEnd::none); }
  /// The places of the active flows with most bytes, greatest first, at most FlowTableOptions::top.
  /// Costs the same whatever the number of flows. Exact while the table never held more than
  /// kCompared. Past that it chooses from what the sweep noted in this turn and in the turn before:
  /// a flow that has grown among the greatest since the sweep passed it is missing until the sweep
  /// comes by again, and where most of the noted flows ended the list is shorter than it may be.
  std::vector<std::uint32_t> top(std::size_t count) const;
  static constexpr std::uint32_t kCompared = 8192;  ///< Entries that `top` looks at one by one.
  /// Bytes of address space for each flow, the index included.
  static std::size_t bytes_per_flow(std::uint32_t max_flows);

 private:
  struct Slot {
    std::uint32_t hash;
    std::uint32_t entry;  ///< One more than its place; 0: free.
  };
  /// Zeroed pages, used as they are touched.
  struct Pages {
    std::size_t size;
    void operator()(void* at) const;
  };
  template <typename T>
  using PagesOf = std::unique_ptr<T[], Pages>;
  template <typename T>
  static PagesOf<T> map(std::size_t count, std::size_t ready);
  void take_fresh_chunk();
  struct Ports {
    std::uint16_t from = 0, to = 0;
  };
  struct FirstFragment {
    std::uint64_t datagram = 0;  ///< Hash of addresses, protocol, ID.
    Time time = 0;
    Ports ports;
  };
  static constexpr std::size_t kFragments = 1024;
  static constexpr Time kFragmentTime = 30 * kSecond;
  static constexpr std::uint32_t kEvictionSample = 8;
  static constexpr std::uint32_t kChunk = 32768;      ///< Entries; a multiple of huge pages.
  static constexpr std::uint8_t kFreeVersion = 0xff;  ///< Of the key of an entry not in use.
  /// How much later than its start here a flow may have been seen elsewhere and still have moved:
  /// what is on its way when a guest changes hosts, and clocks that differ.
  static constexpr Time kOverlap = kSecond;

  void prepare_ip4(Probe& probe, const std::uint8_t* addresses, Ports ports) const;
  void prepare_ip6(Probe& probe, const std::uint8_t* addresses, Ports ports) const;
  void prepare_link(Probe& probe, Bytes bytes, const Packet& packet) const;
  Ports ports_of_fragment(const Frame& frame, const Packet& packet);
  static std::uint8_t timeout_of(TcpState state);
  static std::uint8_t timeout_of(const FlowKey& key);
  std::uint32_t hash_of(const FlowKey& key) const;
  std::uint32_t find(const FlowKey& key, std::uint32_t hash) const;
  std::uint32_t begin(const Probe& probe, const Frame& frame, const Packet& packet,
                      const Origin& origin);
  void begin_turn();
  void note(std::uint32_t place, std::uint64_t bytes);
  void note_all();
  void end(std::uint32_t place, FlowEnd reason);
  void evict(Time now);
  static void set_back(Entry& entry, Time now);
  void report(std::uint32_t place, FlowEnd reason);
  void unlink(std::uint32_t place);
  Flow flow_of(std::uint32_t place, FlowEnd reason) const;

  FlowTableOptions options_;
  std::array<std::uint64_t, 4> seeds_{};
  std::array<Time, 8> timeouts_{};  ///< By Entry::timeout.
  PagesOf<Slot> slots_{nullptr, Pages{0}};
  PagesOf<Entry> entries_{nullptr, Pages{0}};
  std::uint32_t mask_ = 0;
  std::uint32_t fresh_ = 0;     ///< Entries below were used at least once.
  std::uint32_t free_ = kNone;  ///< Chain of those given back, through `stream`.
  std::uint32_t active_ = 0;
  std::uint32_t sweep_hand_ = 0, eviction_hand_ = 0;
  std::uint32_t generation_ = 0;  ///< Of the next flow.
  /// The greatest flows that the sweep passed in this turn, as they were then, and in the turn
  /// before; empty while `top` looks at all entries.
  struct Noted {
    std::uint64_t bytes;
    std::uint32_t place;
  };
  std::vector<Noted> noted_, noted_before_;
  std::uint64_t noted_least_ = ~std::uint64_t{0};  ///< A flow with more is noted.
  FlowCounters counters_;
  std::vector<FlowReport> reports_;
  /// What other MACs sent since the last report, by place; of flows with Entry::has_others.
  struct Others {
    std::array<std::uint64_t, 2> packets{}, bytes{};
  };
  std::unordered_map<std::uint32_t, Others> others_;
  std::unique_ptr<FirstFragment[]> fragments_;
};

}  // namespace vmirror
