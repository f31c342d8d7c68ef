// The layout of a handover. All integers are big-endian; `n * x` is n of x, one after another.
//
//   field[n]: n bytes
//
//   0        4            6         8         16
//   | "VMHO" | version[2] | macs[2] | time[8] | macs * mac[6] |
//   | left out: flows[8], streams[8], assets[8] | workers missing[2] |
//   | flows[4] | flows * flow | assets[4] | assets * asset |
//   | expectations[2] | expectations * expectation |                            and nothing behind
//
//   flow    | size[4] | size bytes:
//     | IP version[1] | protocol[1] | EtherType[2] | VLAN[2] | ports[4] |
//     | lesser end[16] | greater end[16] | side of the lesser[1] | TCP state[1] |
//     | 2 * TCP flags[1] | id[8] | 2 * mac[6] | session[4] |
//     | 2 * (packets[8], bytes[8], of which were reported: packets[8], bytes[8]) |
//     | first[8] | last[8] | name's size[1] | name of the application |
//     | probed[1] (ff: it is not looked for, fe: it is done with) |
//     | requests[2] | requests * (key[8], time[8], a[4], b[4]) |
//     | states[2] | states * known | joins[2] | joins * (known, flags[1]: 0 to the server, 1 cut) |
//     | stream[1] (0: none) | with a stream: failures[1] | size[1] | innermost's name | 2 * side |
//     | scope[4] |
//   known   | size[1] | protocol | carrier[1] | key[8] | size[4] | bytes |
//   side    | flags[1]: bits 0 open, 1 passable, 2 searching | next[4] | passable[4] | since[8] |
//           | runs[2] | runs * (sequence[4], on the wire[4], size[4], bytes) |
//           | size[4] | bytes of a message that waits | need[4] | want[4] | skip[4] |
//   asset   | size[4] | size bytes:
//     | mac[6] | router[1] | first[8] | last[8] | packets[8] | bytes[8] |
//     | IPs[2] | IPs * (version[1], octets[16]) | VLANs[2] | VLANs * VLAN[2] |
//     | properties[2] | properties * (attribute[1], last[8], size[2], value, size[1], source,
//       confidence[1], station's kind[1], station's number[4]) | scope[4] |
//
//   expectation | version[1] | octets[16] | port[2] | size[1] | protocol | carrier[1] | until[8] |
//
// The sizes of flow and asset are for what a later version appends: a reader passes over what it
// does not know. What a reader can't do without changes the version.
#include <limits>

#include "agent/engine/worker/handover.hpp"

namespace vmirror {
namespace {

constexpr std::uint32_t kMagic = 0x564d484f;
constexpr std::uint16_t kVersion = 2;
constexpr std::uint8_t kNotProbed = 0xff, kReadToItsEnd = 0xfe;
constexpr std::size_t kFlowSize = 4 + 42 + 4 + 8 + 12 + 4 + 64 + 16 + 1 + 1 + 2 + 2 + 2 + 1 + 4;
constexpr std::size_t kKnownSize = 1 + 1 + 8 + 4;
constexpr std::size_t kRequestSize = 24;
constexpr std::size_t kSideSize = 1 + 4 + 4 + 8 + 2 + 4 + 4 + 4 + 4;
constexpr std::size_t kRunSize = 12;
constexpr std::size_t kAssetSize = 4 + 6 + 1 + 32 + 2 + 2 + 2 + 4;
constexpr std::size_t kPropertySize = 1 + 8 + 2 + 1 + 1 + 1 + 4;
constexpr Time kLatest = std::int64_t{1} << 61;  ///< Differences of two times stay in range.

enum SideFlag : std::uint8_t { kOpen = 1, kPassable = 2, kSearching = 4 };

// ---- Writing

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  template <typename T>
  void be(std::uint64_t v) {
    for (std::size_t i = sizeof(T); i-- > 0;) out_ += static_cast<char>(v >> (8 * i));
  }
  void u8(std::uint64_t v) { be<std::uint8_t>(v); }
  void u16(std::uint64_t v) { be<std::uint16_t>(v); }
  void u32(std::uint64_t v) { be<std::uint32_t>(v); }
  void u64(std::uint64_t v) { be<std::uint64_t>(v); }
  void time(Time v) { u64(static_cast<std::uint64_t>(v)); }
  void bytes(const void* from, std::size_t size) {
    out_.append(static_cast<const char*>(from), size);
  }

 private:
  std::string& out_;
};

void write(Writer& out, const FlowKey& key) {
  out.u8(key.version);
  out.u8(key.protocol);
  out.u16(key.ethertype);
  out.u16(key.vlan);
  out.u32(key.ports);
  out.bytes(key.address.data(), 32);  // Octets already: see FlowKey.
}

void write(Writer& out, const SavedSide& tcp, const SavedMessages& messages) {
  out.u8((tcp.open ? kOpen : 0) | (tcp.passable ? kPassable : 0) |
         (messages.searching ? kSearching : 0));
  out.u32(tcp.next);
  out.u32(tcp.passable.value_or(0));
  out.time(tcp.since);
  out.u16(tcp.held.size());
  for (const SavedSide::Run& run : tcp.held) {
    out.u32(run.sequence);
    out.u32(run.wire_size);
    out.u32(run.bytes.size());
    out.bytes(run.bytes.data(), run.bytes.size());
  }
  out.u32(messages.held.size());
  out.bytes(messages.held.data(), messages.held.size());
  out.u32(messages.need);
  out.u32(messages.want);
  out.u32(messages.skip);
}

void write(Writer& out, const std::string& text) {
  out.u8(text.size());
  out.bytes(text.data(), text.size());
}

void write(Writer& out, const IpAddress& ip) {
  out.u8(ip.version);
  out.bytes(ip.octets.data(), ip.octets.size());
}

void write(Writer& out, const SavedMemory::State& known) {
  write(out, known.protocol);
  out.u8(static_cast<std::uint8_t>(known.carrier));
  out.u64(known.key);
  out.u32(known.bytes.size());
  out.bytes(known.bytes.data(), known.bytes.size());
}

void write(Writer& out, const SavedMemory& memory) {
  out.u16(memory.states.size());
  for (const SavedMemory::State& state : memory.states) write(out, state);
  out.u16(memory.joins.size());
  for (const SavedMemory::Join& join : memory.joins) {
    write(out, join.of);
    out.u8((join.to_server ? 1 : 0) | (join.cut ? 2 : 0));
  }
}

void write(Writer& out, const SavedExpectation& expectation) {
  write(out, expectation.server);
  out.u16(expectation.port);
  write(out, expectation.protocol);
  out.u8(static_cast<std::uint8_t>(expectation.carrier));
  out.time(expectation.until);
}

void write(Writer& out, const HandedFlow& handed) {
  const SavedFlow& saved = handed.flow;
  const Flow& flow = saved.flow;
  out.u32(encoded_size(handed) - 4);
  write(out, saved.key);
  out.u8(saved.lesser_side);
  out.u8(static_cast<std::uint8_t>(flow.tcp));
  for (const std::uint8_t flags : flow.tcp_flags) out.u8(flags);
  out.u64(flow.id);
  for (const Mac& mac : flow.mac) out.bytes(mac.octets.data(), 6);
  out.u32(flow.origin.session);
  for (std::size_t side = 0; side < 2; ++side) {
    out.u64(flow.packets[side]);
    out.u64(flow.bytes[side]);
    out.u64(saved.reported_packets[side]);
    out.u64(saved.reported_bytes[side]);
  }
  out.time(flow.first);
  out.time(flow.last);
  out.u8(handed.application.size());
  out.bytes(handed.application.data(), handed.application.size());
  out.u8(handed.done ? kReadToItsEnd : handed.probed.value_or(kNotProbed));
  out.u16(handed.requests.size());
  for (const HandedRequest& request : handed.requests) {
    out.u64(request.key);
    out.time(request.request.time);
    out.u32(request.request.a);
    out.u32(request.request.b);
  }
  write(out, handed.memory);
  out.u8(handed.stream.has_value());
  if (handed.stream) {
    out.u8(handed.stream->failures);
    write(out, handed.stream->innermost);
    for (std::size_t side = 0; side < 2; ++side)
      write(out, handed.stream->tcp[side], handed.stream->messages[side]);
  }
  out.u32(handed.flow.key.scope);
}

void write(Writer& out, const Asset& asset) {
  out.u32(encoded_size(asset) - 4);
  out.bytes(asset.mac.octets.data(), 6);
  out.u8(asset.router);
  out.time(asset.first);
  out.time(asset.last);
  out.u64(asset.packets);
  out.u64(asset.bytes);
  out.u16(asset.ips.size());
  for (const IpAddress& ip : asset.ips) {
    out.u8(ip.version);
    out.bytes(ip.octets.data(), 16);
  }
  out.u16(asset.vlans.size());
  for (const std::uint16_t vlan : asset.vlans) out.u16(vlan);
  out.u16(asset.properties.size());
  for (const AssetProperty& property : asset.properties) {
    out.u8(static_cast<std::uint8_t>(property.attribute));
    out.time(property.last);
    out.u16(property.value.size());
    out.bytes(property.value.data(), property.value.size());
    out.u8(property.source.size());
    out.bytes(property.source.data(), property.source.size());
    out.u8(static_cast<std::uint8_t>(property.confidence));
    out.u8(static_cast<std::uint8_t>(property.station.kind));
    out.u32(property.station.number);
  }
  out.u32(asset.scope);
}

// ---- Reading. What a length says is believed only as far as there are bytes: a list is never
// reserved for more than the cursor has left.

std::string text_of(Cursor& in, std::size_t size) {
  return std::string(as_text(in.take(size)));
}

std::vector<std::uint8_t> bytes_of(Cursor& in, std::size_t size) {
  const Bytes bytes = in.take(size);
  return {bytes.begin(), bytes.end()};
}

Mac mac_of(Cursor& in) {
  const Bytes bytes = in.take(6);
  return bytes.empty() ? Mac{} : Mac::from(bytes.data());
}

/// False: no time that anything could have.
bool read_time(Cursor& in, Time& time) {
  const std::uint64_t v = in.u64();
  time = static_cast<Time>(v);
  return v <= static_cast<std::uint64_t>(kLatest);
}

bool read(Cursor& in, SavedSide& tcp, SavedMessages& messages) {
  const std::uint8_t flags = in.u8();
  tcp.open = (flags & kOpen) != 0;
  messages.searching = (flags & kSearching) != 0;
  tcp.next = in.u32();
  const std::uint32_t passable = in.u32();
  if ((flags & kPassable) != 0) tcp.passable = passable;
  if (!read_time(in, tcp.since)) return false;
  for (std::uint32_t runs = in.u16(); runs > 0 && in.ok(); --runs) {
    SavedSide::Run& run = tcp.held.emplace_back();
    run.sequence = in.u32();
    run.wire_size = in.u32();
    run.bytes = bytes_of(in, in.u32());
  }
  messages.held = bytes_of(in, in.u32());
  messages.need = in.u32();
  messages.want = in.u32();
  messages.skip = in.u32();
  return in.ok();
}

bool read(Cursor& in, SavedFlow& saved) {
  FlowKey& key = saved.key;
  key.version = in.u8();
  key.protocol = in.u8();
  key.ethertype = in.u16();
  key.vlan = in.u16();
  key.ports = in.u32();
  if (const Bytes ends = in.take(32); !ends.empty())
    std::memcpy(key.address.data(), ends.data(), ends.size());
  saved.lesser_side = in.u8();
  Flow& flow = saved.flow;
  const std::uint8_t state = in.u8();
  for (std::uint8_t& flags : flow.tcp_flags) flags = in.u8();
  flow.id = in.u64();
  for (Mac& mac : flow.mac) mac = mac_of(in);
  flow.origin.session = in.u32();
  bool sound = true;
  for (std::size_t side = 0; side < 2; ++side) {
    flow.packets[side] = in.u64();
    flow.bytes[side] = in.u64();
    saved.reported_packets[side] = in.u64();
    saved.reported_bytes[side] = in.u64();
    sound &= saved.reported_packets[side] <= flow.packets[side] &&
             saved.reported_bytes[side] <= flow.bytes[side];
  }
  sound &= read_time(in, flow.first) && read_time(in, flow.last) && flow.first <= flow.last;
  if (!in.ok() || !sound || saved.lesser_side > 1) return false;
  if (key.version != 0 && key.version != 4 && key.version != 6) return false;
  const bool tcp = key.version != 0 && key.protocol == ip_protocol::kTcp;
  if (state > static_cast<std::uint8_t>(TcpState::midstream) || (state != 0) != tcp) return false;
  flow.tcp = static_cast<TcpState>(state);
  describe(key, saved.lesser_side, flow);
  return true;
}

bool read_carrier(Cursor& in, Carrier& carrier) {
  const std::uint8_t v = in.u8();
  carrier = static_cast<Carrier>(v);
  return v <= static_cast<std::uint8_t>(Carrier::inside);
}

bool read(Cursor& in, SavedMemory::State& known) {
  known.protocol = text_of(in, in.u8());
  if (!read_carrier(in, known.carrier)) return false;
  known.key = in.u64();
  known.bytes = bytes_of(in, in.u32());
  return in.ok();
}

bool read(Cursor& in, SavedMemory& memory) {
  for (std::uint32_t states = in.u16(); states > 0; --states)
    if (!read(in, memory.states.emplace_back())) return false;
  for (std::uint32_t joins = in.u16(); joins > 0; --joins) {
    SavedMemory::Join& join = memory.joins.emplace_back();
    if (!read(in, join.of)) return false;
    const std::uint8_t flags = in.u8();
    join.to_server = (flags & 1) != 0;
    join.cut = (flags & 2) != 0;
  }
  return in.ok();
}

bool read(Cursor& in, SavedExpectation& expectation) {
  const std::uint8_t version = in.u8();
  const Bytes octets = in.take(16);
  if (!in.ok() || (version != 4 && version != 6)) return false;
  expectation.server = version == 4 ? IpAddress::v4(octets.data()) : IpAddress::v6(octets.data());
  expectation.port = in.u16();
  expectation.protocol = text_of(in, in.u8());
  return read_carrier(in, expectation.carrier) && read_time(in, expectation.until) && in.ok();
}

bool read(Cursor& in, HandedFlow& handed) {
  if (!read(in, handed.flow)) return false;
  handed.application = text_of(in, in.u8());
  const std::uint8_t probed = in.u8();
  handed.done = probed == kReadToItsEnd;
  if (probed < kReadToItsEnd) handed.probed = probed;
  for (std::uint32_t requests = in.u16(); requests > 0 && in.ok(); --requests) {
    HandedRequest& request = handed.requests.emplace_back();
    request.key = in.u64();
    if (!read_time(in, request.request.time)) return false;
    request.request.a = in.u32();
    request.request.b = in.u32();
  }
  if (!read(in, handed.memory)) return false;
  const std::uint8_t has_stream = in.u8();
  if (has_stream > 1) return false;
  if (has_stream == 1) {
    HandedStream& stream = handed.stream.emplace();
    stream.failures = in.u8();
    stream.innermost = text_of(in, in.u8());
    if (!read(in, stream.tcp[0], stream.messages[0]) ||
        !read(in, stream.tcp[1], stream.messages[1]))
      return false;
  }
  handed.flow.key.scope = handed.flow.flow.scope = in.u32();
  return in.ok();
}

bool read(Cursor& in, Asset& asset) {
  asset.mac = mac_of(in);
  asset.router = in.u8() != 0;
  if (!read_time(in, asset.first) || !read_time(in, asset.last)) return false;
  asset.packets = in.u64();
  asset.bytes = in.u64();
  for (std::uint32_t ips = in.u16(); ips > 0 && in.ok(); --ips) {
    const std::uint8_t version = in.u8();
    const Bytes octets = in.take(16);
    if (!in.ok() || (version != 4 && version != 6)) return false;
    asset.ips.push_back(version == 4 ? IpAddress::v4(octets.data()) : IpAddress::v6(octets.data()));
  }
  for (std::uint32_t vlans = in.u16(); vlans > 0 && in.ok(); --vlans)
    asset.vlans.push_back(in.u16());
  for (std::uint32_t properties = in.u16(); properties > 0 && in.ok(); --properties) {
    AssetProperty& property = asset.properties.emplace_back();
    const std::uint8_t attribute = in.u8();
    if (attribute >= static_cast<std::uint8_t>(Attribute::count_)) return false;
    property.attribute = static_cast<Attribute>(attribute);
    if (!read_time(in, property.last)) return false;
    property.value = text_of(in, in.u16());
    property.source = text_of(in, in.u8());
    const std::uint8_t confidence = in.u8(), station = in.u8();
    if (confidence > static_cast<std::uint8_t>(Confidence::stated) ||
        station > static_cast<std::uint8_t>(Station::Kind::bacnet_address))
      return false;
    property.confidence = static_cast<Confidence>(confidence);
    property.station = {static_cast<Station::Kind>(station), in.u32()};
  }
  asset.scope = in.u32();
  return in.ok();
}

/// Parts that have their size in front. The number of the first that is not sound, from 1; 0: all
/// are.
template <typename Part>
std::uint32_t read_parts(Cursor& in, std::uint32_t count, std::vector<Part>& out) {
  for (std::uint32_t i = 1; i <= count; ++i) {
    Cursor part = in.sub(in.u32());
    if (!in.ok() || !read(part, out.emplace_back())) return i;
  }
  return 0;
}

tl::unexpected<Error> broken(const std::string& what) {
  return fail(Error::Kind::invalid, "the guest's state is broken: " + what, "handover",
              "run the same version of vmirror on both hosts");
}

tl::unexpected<Error> too_much(const char* what, std::uint64_t is, std::uint64_t limit) {
  return fail(Error::Kind::exhausted,
              std::to_string(is) + " " + what + " are over the bound of " + std::to_string(limit),
              "handover");
}

std::size_t encoded_size(const SavedMemory::State& known) {
  return kKnownSize + known.protocol.size() + known.bytes.size();
}

}  // namespace

std::size_t encoded_size(const HandedFlow& flow) {
  std::size_t size = kFlowSize + flow.application.size() + flow.requests.size() * kRequestSize;
  for (const SavedMemory::State& state : flow.memory.states) size += encoded_size(state);
  for (const SavedMemory::Join& join : flow.memory.joins) size += encoded_size(join.of) + 1;
  if (!flow.stream) return size;
  size += 1 + 1 + flow.stream->innermost.size() + 2 * kSideSize;
  for (const SavedMessages& messages : flow.stream->messages) size += messages.held.size();
  for (const SavedSide& side : flow.stream->tcp)
    for (const SavedSide::Run& run : side.held) size += kRunSize + run.bytes.size();
  return size;
}

std::size_t encoded_size(const Asset& asset) {
  std::size_t size = kAssetSize + asset.ips.size() * 17 + asset.vlans.size() * 2;
  for (const AssetProperty& property : asset.properties)
    size += kPropertySize + property.value.size() + property.source.size();
  return size;
}

std::string encode(const Handover& handover) {
  std::size_t size = 0;
  for (const HandedFlow& flow : handover.flows) size += encoded_size(flow);
  std::string out;
  out.reserve(size + 4096);
  Writer to(out);
  to.u32(kMagic);
  to.u16(kVersion);
  to.u16(handover.macs.size());
  to.time(handover.time);
  for (const Mac& mac : handover.macs) to.bytes(mac.octets.data(), 6);
  to.u64(handover.left_out.flows);
  to.u64(handover.left_out.streams);
  to.u64(handover.left_out.assets);
  to.u16(handover.workers_missing);
  to.u32(handover.flows.size());
  for (const HandedFlow& flow : handover.flows) write(to, flow);
  to.u32(handover.assets.size());
  for (const Asset& asset : handover.assets) write(to, asset);
  to.u16(handover.expectations.size());
  for (const SavedExpectation& expectation : handover.expectations) write(to, expectation);
  return out;
}

Result<Handover> decode(Bytes bytes, const HandoverLimits& limits) {
  if (bytes.size() > limits.bytes) return too_much("bytes", bytes.size(), limits.bytes);
  Cursor in(bytes);
  Handover out;
  if (in.u32() != kMagic) return broken("this is none");
  if (const std::uint16_t version = in.u16(); version != kVersion)
    return fail(Error::Kind::unsupported, "version " + std::to_string(version), "handover",
                "run the same version of vmirror on both hosts");
  const std::uint16_t macs = in.u16();
  const bool timely = read_time(in, out.time);
  for (std::uint16_t i = 0; i < macs && in.ok(); ++i) out.macs.push_back(mac_of(in));
  out.left_out.flows = in.u64();
  out.left_out.streams = in.u64();
  out.left_out.assets = in.u64();
  out.workers_missing = in.u16();
  const std::uint32_t flows = in.u32();
  if (!in.ok() || !timely) return broken("its head");
  if (flows > limits.flows) return too_much("flows", flows, limits.flows);
  if (const std::uint32_t at = read_parts(in, flows, out.flows))
    return broken("flow " + std::to_string(at));
  const std::uint32_t assets = in.u32();
  if (assets > macs) return broken("more assets than NICs");
  if (const std::uint32_t at = read_parts(in, assets, out.assets))
    return broken("asset " + std::to_string(at));
  for (std::uint32_t expectations = in.u16(); expectations > 0; --expectations)
    if (!read(in, out.expectations.emplace_back())) return broken("an announced port");
  if (!in.ok()) return broken("it is cut off");
  if (!in.empty()) return broken(std::to_string(in.left()) + " bytes behind its end");
  return out;
}

}  // namespace vmirror
