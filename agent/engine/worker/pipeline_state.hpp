// A pipeline's state: what the parts of its implementation share. Not for others.
//
//   pipeline.cpp           frames through the stages, the end of flows
//   moving.cpp             guests that come and go
//   pipeline_findings.cpp  new devices, strays and twins
//   pipeline_snapshot.cpp  slices of what is known
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/engine/decap/envelope.hpp"
#include "agent/engine/decap/fragments.hpp"
#include "agent/engine/health/clocks.hpp"
#include "agent/engine/wire/lent.hpp"
#include "agent/engine/worker/adoption.hpp"
#include "agent/engine/worker/nic_filter.hpp"
#include "agent/engine/worker/pipeline.hpp"
#include "agent/engine/worker/streams.hpp"

namespace vmirror {

constexpr std::size_t kGroup = 32;
constexpr std::size_t kHeaderErrors = static_cast<std::size_t>(HeaderError::udp_length) + 1;

/// A frame on its way through the stages.
struct PipelineItem {
  const Frame* frame;  ///< The input's, or `inner`.
  Packet packet;
  FlowTable::Probe probe;
  Origin origin;
  Frame inner;
  bool is_counted = false;  ///< For coverage, by the outermost frame.
  /// Of that frame, where it was taken off: a guest's own tunnel.
  std::array<Mac, 2> outermost = {};
  std::uint16_t outermost_vlan = 0;
  bool in_own_tunnel() const { return is_counted && origin.depth > 0; }
};

/// What a worker needs to read messages; not there when no protocol is selected.
struct Reading {
  explicit Reading(const PipelineOptions& options)
      : dissectors(options.dissectors),
        dissection(*dissectors, options.buffers, {.hash = KeyedHash(options.flows.seed)}),
        streams(dissection, options.reassembly, options.max_streams) {}

  std::shared_ptr<const Dissectors> dissectors;
  Dissection dissection;
  Streams streams;
  Facts facts;
  Fragments fragments{FragmentLimits{}};  ///< Of guests: the datagrams that carry messages.
  std::uint64_t fragments_given_up = 0;
};

struct Pipeline::State {
  using Item = PipelineItem;

  explicit State(PipelineOptions o)
      : options(std::move(o)),
        decap(with_hash(options.decap, options)),
        flows(flow_options(options)),
        inventory(with_hash(inventory_options(options), options), options.vendors),
        clocks(KeyedHash(options.flows.seed)),
        coverage(options.input_name),
        filter(options.input_name),
        eve(options.eve, options.input_name),
        items(std::make_unique<Item[]>(kGroup)) {
    if (options.dissectors && options.dissectors->size() > 0) reading.emplace(options);
    if (!options.findings || !options.findings->any()) return;
    own_baseline = !options.baseline;
    if (own_baseline) options.baseline = std::make_shared<Baseline>(options.findings->learning);
    findings.emplace(*options.findings, options.baseline, KeyedHash(options.flows.seed));
  }

  static InventoryOptions inventory_options(const PipelineOptions& options) {
    InventoryOptions out = options.inventory;
    out.note_senders = options.findings && options.findings->any();
    return out;
  }

  static FlowTableOptions flow_options(const PipelineOptions& options) {
    FlowTableOptions out = options.flows;
    out.top = options.top_flows;
    out.by_vlan = options.identity.vlan;
    return out;
  }

  /// All tables have one secret, that of the flow table.
  template <typename T>
  static T with_hash(T of_table, const PipelineOptions& options) {
    of_table.hash = KeyedHash(options.flows.seed);
    return of_table;
  }

  PipelineOptions options;
  Decapsulator decap;
  Envelopes& envelopes = decap.envelopes();
  FlowTable flows;
  Inventory inventory;
  Clocks clocks;
  CoverageCounter coverage;
  NicFilter filter;
  EveWriter eve;
  std::optional<Reading> reading;
  /// Whose own tunnels scopes are of.
  struct OwnTunnel {
    std::array<Mac, 2> macs;
    std::uint16_t vlan = 0;
  };
  static constexpr std::uint32_t kMostOwnTunnels = 1024;
  Lent<OwnTunnel> own_tunnels{options.decap.own_tunnels ? kMostOwnTunnels : 0};
  std::optional<Findings> findings;
  bool own_baseline = false;
  MirrorIndex watched;
  /// Of `watched`, by port: the guests' NICs, whatever the input.
  std::unordered_map<Mac, std::map<PortKey, WatchedNic>> guests;

  /// Of `watched`, NICs that have the MAC of another; since when, 0: not looked at yet.
  struct Twin {
    Mac mac;
    std::uint16_t vlan = 0;
    Time since = 0;
  };
  std::map<PortKey, Twin> twins;
  Time twins_told = 0;

  FrameCounters counters;
  std::array<std::uint64_t, kDropKinds> source_before{};  ///< Of sources that were closed.
  std::array<std::uint64_t, kDropKinds> source_seen{};    ///< Counted so far.
  std::array<std::uint64_t, kHeaderErrors> header_errors{};
  std::uint64_t too_deep = 0;  ///< Guests' own tunnels that were analysed as they are.
  NumberCounts ethertypes, llc_saps, snap_protocols, ip_protocols;  ///< That nobody here reads.
  SkippedTags tags;                                            ///< Of the frame that is told of.
  std::vector<std::pair<const char*, std::uint64_t>> records;  ///< By the record's protocol.
  Time last_frame = 0;
  Time requests_expired = 0;
  struct Adopted {
    std::shared_ptr<Adoption> adoption;
    Time since;  ///< None of its flows was seen later.
  };
  std::vector<Adopted> adoptions;  ///< Flows that may go on here.
  AdoptionCounters adopted;
  Time adoptions_expired = 0;

  std::unique_ptr<Item[]> items;
  std::size_t count = 0;  ///< Items that wait for the second stage.

  void take_in(const Frame& frame);
  Scope scope_of(const Item& item);
  Scope own_scope_of(const Item& item);
  bool take_off(const Frame& frame, Item& item, bool known);
  bool unwrap(const Decapsulated& taken, Item& item);
  bool unwrap_own(const Frame& frame, Item& item);
  void filter_out(const Item& item, std::uint64_t frames);
  void run_group();
  void analyse(Item& item);
  void note_anomaly(const Item& item);
  void note_sender(const Item& item, const FlowTable::Entry& entry);
  void begin_flow(Item& item, FlowTable::Entry& entry);
  void read(const Item& item, FlowTable::Entry& entry);
  void read_fragment(const Item& item);
  Context context_of(const Item& item);
  bool open_stream(const Item& item, FlowTable::Entry& entry);
  void read_datagram(const Item& item, FlowTable::Entry& entry);
  void read_segment(const Item& item, FlowTable::Entry& entry);
  void fold(const EventHead& head, std::uint16_t vlan);
  void tell_findings(const EventHead& head);
  void look_for_findings(Time now);
  void tell(const Item& item, const FlowTable::Entry& entry);
  void fold_flow_reports();
  const char* application(std::uint8_t protocol, DissectorId dissector, std::uint32_t stream) const;
  void end_reading(const FlowReport& report, const char* name);
  void count_record(const char* protocol);
  void housekeep(Time now, std::size_t frames);
  void write(const Flow& flow);
  /// Whose frame it is: the guest that sent it or, where no mirrored NIC did, that receives it.
  struct GuestOf {
    std::string_view vm, nic;
    Direction direction = Direction::none;
    void into(EventHead& head) const;
  };
  const WatchedNic* nic_of(const Mac& mac, std::uint16_t vlan) const;
  GuestOf guest_of(const Mac& source, const Mac& destination, std::uint16_t vlan) const;
  GuestOf guest_of(Scope scope, const Mac& source, const Mac& destination,
                   std::uint16_t vlan) const;
  GuestOf guest_of(const Asset& asset) const;

  bool go_on(std::uint32_t place, Time now);
  bool go_on(std::uint32_t place, const HandedFlow& given, Time now);
  void adopt_reading(FlowTable::Entry& entry, std::uint64_t id, const HandedFlow& given);
  void end_adopted(const HandedFlow& given, FlowEnd end);
  void expire_adoptions(Time now);
  void leave_adoptions();
  HandedFlow hand(std::uint32_t place);

  std::vector<ProtocolSnapshot> protocols() const;
  std::vector<Limit> limits(std::size_t sessions);
  std::vector<NamedCount> stream_counts() const;
  std::vector<NamedCount> adopted_counts() const;
  std::vector<NamedCount> errors() const;
  void count_not_understood(const Packet& p);
  std::vector<NamedCount> not_understood() const;
};

}  // namespace vmirror
