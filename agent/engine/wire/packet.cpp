#include "agent/engine/wire/packet.hpp"

#include <algorithm>

#include "agent/engine/wire/tags.hpp"
#include "agent/engine/wire/wlan.hpp"

namespace vmirror {
namespace {

constexpr int kMaxExtensions = 8;

bool is_tpid(std::uint16_t type) {
  return type == ethertype::kVlan || type == ethertype::kProviderVlan ||
         type == ethertype::kOldProviderVlan || type == ethertype::kOlderProviderVlan;
}

/// One pass over one frame; every member function reads one layer and names the next. What most
/// frames have not is kept out of line: inlined, it costs each frame the registers that it needs.
class Reader {
 public:
  /// `told`: where the skipped tags are written to; null: they are counted alone.
  Reader(Bytes bytes, Packet& packet, SkippedTags* told = nullptr)
      : data_(bytes.data()), size_(bytes.size()), p_(packet), told_(told) {}

  void read(LinkType type) {
    link(type);
    if (size_ >= kPrpSize && load_be16(data_ + size_ - 2) == tag_type::kPrp) [[unlikely]]
      trailer();
  }

 private:
  [[gnu::always_inline]] void link(LinkType type) {
    switch (type) {
      case LinkType::ethernet:
        return ethernet();
      case LinkType::ip:
        return bare_ip(0);
      case LinkType::linux_sll:
        return after_cooked({.type = 14, .address_size = 5, .address = 6, .size = 16});
      case LinkType::linux_sll2:
        return after_cooked({.type = 0, .address_size = 11, .address = 12, .size = 20});
      case LinkType::bsd_null:
        return bare_ip(4);
      case LinkType::mpls:
        return labels(0);
      case LinkType::wlan:
        return wlan();
    }
  }

  void fail(HeaderError error) { p_.error = error; }
  bool has(std::size_t offset, std::size_t size) const { return offset + size <= size_; }

  void ethernet() {
    if (!has(0, 14)) return fail(HeaderError::link_truncated);
    p_.has_macs = true;
    tagged(12);
  }

  /// Offsets in the headers of LINUX_SLL and SLL2, and their size.
  struct Cooked {
    std::uint8_t type, address_size, address, size;
  };
  [[gnu::noinline]] void after_cooked(Cooked header) {
    const std::size_t next = header.size;
    if (!has(0, next)) return fail(HeaderError::link_truncated);
    const std::uint16_t type = load_be16(data_ + header.type);
    constexpr std::uint8_t kMacSize = 6;
    if (data_[header.address_size] == kMacSize) p_.cooked_mac = header.address;
    if (is_tpid(type) && has(next, 4)) {
      add_tag({type, load_be16(data_ + next)});
      return tagged(next + 2);
    }
    if (type == ethertype::kIpv4 || type == ethertype::kIpv6) return network(type, next);
    const std::size_t at = skip(type, next);
    if (at != kNoType) tagged(at);
  }

  [[gnu::noinline]] void wlan() {
    const auto header = parse_wlan({data_, size_});
    if (!header) return fail(HeaderError::link_truncated);
    p_.cooked_mac = header->sender;
    llc(header->size, size_ - header->size);
  }

  void bare_ip(std::size_t at) {
    if (!has(at, 1)) return fail(HeaderError::link_truncated);
    const int version = data_[at] >> 4;
    if (version != 4 && version != 6) return fail(HeaderError::ip_version);
    network(version == 4 ? ethertype::kIpv4 : ethertype::kIpv6, at);
  }

  bool add_tag(VlanTag tag) {
    if (p_.tag_count == Packet::kMaxTags) {
      fail(HeaderError::vlan_too_deep);
      return false;
    }
    p_.tags[p_.tag_count++] = tag;
    return true;
  }

  /// `at` is where an EtherType, a length or a tag stands.
  void tagged(std::size_t at) {
    for (;;) {
      const std::uint16_t type = load_be16(data_ + at);
      if (type == ethertype::kIpv4 || type == ethertype::kIpv6) return network(type, at + 2);
      if (is_tpid(type)) {
        if (!has(at, 6)) return fail(HeaderError::vlan_truncated);
        if (!add_tag({type, load_be16(data_ + at + 2)})) return;
        at += 4;
        continue;
      }
      if (type < 0x0600) return llc(at + 2, type);
      at = skip(type, at + 2);
      if (at == kNoType) return;
    }
  }

  /// A type that is neither IP nor a VLAN; `behind` is the offset of the byte after it. Returns the
  /// offset of the next type, or kNoType where no type follows; the frame is then read to its end.
  [[gnu::noinline]] std::size_t skip(std::uint16_t type, std::size_t behind) {
    switch (type) {
      case ethertype::kPbb:
        carried(LinkCarrier::pbb, type, behind + 4);
        return kNoType;
      case ethertype::kFabricPath:
        carried(LinkCarrier::fabricpath, type, behind + 2);
        return kNoType;
      case tag_type::kMpls:
      case tag_type::kMplsUpstream:
        p_.ethertype = type;
        labels(behind);
        return kNoType;
      default:
        return skip_tag(type, behind);
    }
  }

  std::size_t skip_tag(std::uint16_t type, std::size_t behind) {
    const SkippedTag tag = read_tag(type, {data_ + behind, size_ - behind});
    if (tag.size == 0) {
      network(type, behind);
      return kNoType;
    }
    if (!note(tag)) return kNoType;
    behind += tag.size;
    if (tag.kind == TagKind::pppoe) {
      ppp(behind);
      return kNoType;
    }
    if (!has(behind, 2)) {
      fail(HeaderError::tag_truncated);
      return kNoType;
    }
    if (tag.kind == TagKind::macsec) check_ = kMacsecCheck;
    return behind;
  }

  bool note(const SkippedTag& tag) {
    if (p_.skipped_tags == Packet::kMaxSkippedTags) {
      fail(HeaderError::tag_too_deep);
      return false;
    }
    if (told_ != nullptr) told_->tags[told_->count++] = tag;
    ++p_.skipped_tags;
    return true;
  }

  /// PPP's protocol, whose first byte may be left out where it is 0 (RFC 1661, section 6.5).
  void ppp(std::size_t at) {
    constexpr std::uint16_t kIpv4 = 0x0021, kIpv6 = 0x0057;
    if (!has(at, 1)) return fail(HeaderError::tag_truncated);
    const std::size_t size = (data_[at] & 1) != 0 ? 1 : 2;
    if (!has(at, size)) return fail(HeaderError::tag_truncated);
    const std::uint16_t protocol = size == 1 ? data_[at] : load_be16(data_ + at);
    at += size;
    if (protocol == kIpv4) return network(ethertype::kIpv4, at);
    if (protocol == kIpv6) return network(ethertype::kIpv6, at);
    p_.ethertype = tag_type::kPppoe;
    set_network(at, size_);
  }

  /// The labels from `at` on, and what they carry: nothing says so, its first bytes have to.
  [[gnu::noinline]] void labels(std::size_t at) {
    for (bool bottom = false; !bottom; at += 4) {
      if (!has(at, 4)) return fail(HeaderError::tag_truncated);
      const std::uint32_t label = load_be32(data_ + at);
      if (!note({TagKind::mpls, 4, label >> 12})) return;
      bottom = (label & 0x100) != 0;
    }
    if (looks_like_ip(at))
      return network(data_[at] >> 4 == 4 ? ethertype::kIpv4 : ethertype::kIpv6, at);
    // A control word begins with four zero bits, as many a MAC does: a known type decides.
    const std::size_t behind_word = has(at, 1) && data_[at] >> 4 == 0 ? at + 4 : at;
    for (const bool with_length : {false, true})
      for (const std::size_t inner : {behind_word, at})
        if (looks_like_ethernet(inner, with_length))
          return carried(LinkCarrier::mpls, tag_type::kMpls, inner);
    if (p_.ethertype == 0) p_.ethertype = tag_type::kMpls;
    set_network(at, size_);
  }

  /// The header's version and length hold, and it ends within the frame or where a cut frame may.
  bool looks_like_ip(std::size_t at) const {
    if (!has(at, 20)) return false;
    const std::uint8_t* h = data_ + at;
    if (h[0] >> 4 == 6) return has(at, 40);
    return h[0] >> 4 == 4 && (h[0] & 15) >= 5 && load_be16(h + 2) >= (h[0] & 15) * 4;
  }
  /// Its type is one that we know, or it has a length instead.
  bool looks_like_ethernet(std::size_t at, bool with_length) const {
    if (!has(at, 14)) return false;
    const std::uint16_t type = load_be16(data_ + at + 12);
    if (type < 0x0600) return with_length;
    return type == ethertype::kIpv4 || type == ethertype::kIpv6 || type == ethertype::kArp ||
           type == ethertype::kLldp || is_tpid(type) ||
           read_tag(type, {data_ + at + 14, size_ - at - 14}).size > 0;
  }

  void carried(LinkCarrier carrier, std::uint16_t type, std::size_t at) {
    p_.ethertype = type;
    if (!has(at, 14)) return fail(HeaderError::tag_truncated);
    p_.carrier = carrier;
    set_network(at, size_);
  }

  void llc(std::size_t at, std::size_t length) {
    p_.llc = true;
    const std::size_t end = std::min(size_, at + length);
    if (at + 3 > end) return fail(HeaderError::llc_truncated);
    p_.llc_dsap = data_[at];
    p_.llc_ssap = data_[at + 1];
    if (p_.llc_dsap == 0xaa && p_.llc_ssap == 0xaa && data_[at + 2] == 3) {
      if (at + 8 > end) return fail(HeaderError::llc_truncated);
      p_.snap_oui = static_cast<std::uint32_t>(data_[at + 3]) << 16 | load_be16(data_ + at + 4);
      const std::uint16_t pid = load_be16(data_ + at + 6);
      // OUI 0: the PID is an EtherType (RFC 1042).
      if (p_.snap_oui == 0) {
        size_ = end;
        return network(pid, at + 8);
      }
      if (is_isl()) return isl();
      p_.ethertype = pid;
      at += 8;
    } else {
      at += (data_[at + 2] & 3) == 3 || at + 4 > end ? 3 : 4;  // U-format has a one-byte control.
    }
    set_network(at, end);
  }

  bool is_isl() const {
    constexpr std::uint32_t kCisco = 0x00000c;
    return p_.snap_oui == kCisco && has(0, 26 + 14) && (data_[0] & 0xfd) == 0x01 && data_[1] == 0 &&
           data_[2] == 0x0c && data_[3] == 0 && data_[4] == 0;
  }

  /// Its length counts from the SNAP header on, the carried frame's own checksum included.
  void isl() {
    constexpr std::size_t kHeader = 26, kLengthFrom = 14, kCheck = 4;
    p_.llc = false;
    const std::size_t end = kLengthFrom + load_be16(data_ + 12);
    carried(LinkCarrier::isl, 0, kHeader);
    set_network(kHeader, std::clamp(end - kCheck, kHeader, size_));
  }

  void set_network(std::size_t at, std::size_t end) {
    end = std::min<std::size_t>(end, 0xffff);
    at = std::min(at, end);
    p_.network = static_cast<std::uint16_t>(at);
    p_.network_size = static_cast<std::uint16_t>(end - at);
  }

  void network(std::uint16_t type, std::size_t at) {
    p_.ethertype = type;
    if (type == ethertype::kIpv4) return ipv4(at);
    if (type == ethertype::kIpv6) return ipv6(at);
    no_ip(at);
  }

  /// Trailers are no part of what the EtherType names. Those of IP are behind its own length.
  [[gnu::noinline]] void no_ip(std::size_t at) {
    std::size_t end = size_;
    if (end - at >= check_) end -= check_;
    end -= prp_at(end, at);
    set_network(at, end);
  }

  /// A PRP trailer behind the length that IP states.
  [[gnu::noinline]] void trailer() {
    const std::size_t end = p_.network + p_.network_size;
    if (p_.ip_version != 0 && size_ - std::min(end, size_) >= kPrpSize) prp_at(size_, p_.network);
  }

  /// The bytes of PRP's trailer where it ends the frame, else 0.
  std::size_t prp_at(std::size_t end, std::size_t network) {
    if (end - network < kPrpSize || !is_prp_trailer(data_ + end, end - network)) return 0;
    const std::uint32_t value = load_be32(data_ + end - kPrpSize);
    return note({TagKind::prp, kPrpSize, value}) ? kPrpSize : 0;
  }

  void ipv4(std::size_t at) {
    set_network(at, size_);
    if (!has(at, 20)) return fail(HeaderError::ip_truncated);
    const std::uint8_t* h = data_ + at;
    if (h[0] >> 4 != 4) return fail(HeaderError::ip_version);
    const std::size_t header = (h[0] & 15) * 4u;
    if (header < 20) return fail(HeaderError::ip_header_length);
    p_.ip_version = 4;
    p_.ttl = h[8];
    p_.protocol = h[9];
    if (!has(at, header)) return fail(HeaderError::ip_truncated);
    std::size_t total = load_be16(h + 2);
    if (total == 0) total = size_ - at;  // Segmentation offload leaves it zero.
    if (total < header) return fail(HeaderError::ip_total_length);
    const std::size_t end = std::min(size_, at + total);
    set_network(at, end);
    const std::uint16_t flags = load_be16(h + 6);
    p_.fragment_id = load_be16(h + 4);
    p_.fragment_offset = static_cast<std::uint16_t>((flags & 0x1fff) * 8);
    p_.more_fragments = (flags & 0x2000) != 0;
    finish_ip(at + header, end, at + total);
  }

  void ipv6(std::size_t at) {
    set_network(at, size_);
    if (!has(at, 40)) return fail(HeaderError::ip_truncated);
    const std::uint8_t* h = data_ + at;
    if (h[0] >> 4 != 6) return fail(HeaderError::ip_version);
    p_.ip_version = 6;
    p_.ttl = h[7];
    const std::size_t length = load_be16(h + 4);
    const std::size_t wire_end = length == 0 ? size_ : at + 40 + length;  // 0: jumbo or offload.
    const std::size_t end = std::min(size_, wire_end);
    set_network(at, end);
    std::uint8_t next = h[6];
    at += 40;
    for (int i = 0;; ++i) {
      const bool options = next == 0 || next == 43 || next == 60 || next == 135;
      if (!options && next != 44 && next != 51) break;
      if (i == kMaxExtensions || at + 8 > end) return fail(HeaderError::ip6_extension);
      const std::uint8_t* e = data_ + at;
      std::size_t size = 8;
      if (next == 44) {
        p_.fragment_offset = load_be16(e + 2) & 0xfff8;
        p_.more_fragments = (e[3] & 1) != 0;
        p_.fragment_id = load_be32(e + 4);
      } else {
        size = next == 51 ? (e[1] + 2u) * 4 : (e[1] + 1u) * 8;
      }
      const bool later_fragment = next == 44 && p_.fragment_offset != 0;
      next = e[0];
      if (at + size > end) return fail(HeaderError::ip6_extension);
      at += size;
      if (later_fragment) break;
    }
    p_.protocol = next;
    finish_ip(at, end, wire_end);
  }

  void finish_ip(std::size_t at, std::size_t end, std::size_t wire_end) {
    at = std::min<std::size_t>(at, 0xffff);
    end = std::clamp<std::size_t>(end, at, 0xffff);
    p_.transport = p_.payload = static_cast<std::uint16_t>(at);
    p_.payload_size = static_cast<std::uint16_t>(end - at);
    p_.payload_wire_size = static_cast<std::uint16_t>(std::min<std::size_t>(wire_end - at, 0xffff));
    p_.fragment = p_.more_fragments || p_.fragment_offset != 0;
    p_.first_fragment = p_.more_fragments && p_.fragment_offset == 0;
    if (p_.fragment_offset == 0) transport(at, end);
  }

  void transport(std::size_t at, std::size_t end) {
    switch (p_.protocol) {
      case ip_protocol::kTcp:
        return tcp(at, end);
      case ip_protocol::kUdp:
        return udp(at, end);
      case ip_protocol::kIcmp:
      case ip_protocol::kIcmpv6:
        return icmp(at, end);
      case ip_protocol::kSctp:
        if (at + 12 > end) return fail(HeaderError::transport_truncated);
        ports(at);
        return consume(12);
      default:
        return;
    }
  }

  void ports(std::size_t at) {
    p_.source_port = load_be16(data_ + at);
    p_.destination_port = load_be16(data_ + at + 2);
  }

  void consume(std::size_t header) {
    p_.payload = static_cast<std::uint16_t>(p_.payload + header);
    p_.payload_size = static_cast<std::uint16_t>(p_.payload_size - header);
    p_.payload_wire_size = static_cast<std::uint16_t>(p_.payload_wire_size - header);
  }

  void tcp(std::size_t at, std::size_t end) {
    if (at + 4 <= end) ports(at);
    if (at + 20 > end) return fail(HeaderError::transport_truncated);
    const std::uint8_t* h = data_ + at;
    p_.sequence = load_be32(h + 4);
    p_.acknowledgement = load_be32(h + 8);
    p_.tcp_flags = h[13];
    p_.window = load_be16(h + 14);
    const std::size_t header = (h[12] >> 4) * 4u;
    if (header < 20 || at + header > end) {
      consume(p_.payload_size);
      return fail(header < 20 ? HeaderError::tcp_offset : HeaderError::transport_truncated);
    }
    consume(header);
  }

  void udp(std::size_t at, std::size_t end) {
    if (at + 4 <= end) ports(at);
    if (at + 8 > end) return fail(HeaderError::transport_truncated);
    const std::size_t length = load_be16(data_ + at + 4);
    consume(8);
    if (length == 0) return;  // IPv6 jumbogram or offload: the IP length holds.
    if (length < 8) return fail(HeaderError::udp_length);
    if (p_.fragment) return;  // The length is the whole datagram's.
    p_.payload_size =
        static_cast<std::uint16_t>(std::min<std::size_t>(p_.payload_size, length - 8));
    p_.payload_wire_size =
        static_cast<std::uint16_t>(std::min<std::size_t>(p_.payload_wire_size, length - 8));
  }

  void icmp(std::size_t at, std::size_t end) {
    if (at + 4 > end) return fail(HeaderError::transport_truncated);
    p_.source_port = load_be16(data_ + at);
    if (at + 6 <= end) p_.destination_port = load_be16(data_ + at + 4);
    consume(4);
  }

  static constexpr std::size_t kNoType = 0, kPrpSize = 6, kMacsecCheck = 16;

  const std::uint8_t* data_;
  std::size_t size_;
  Packet& p_;
  SkippedTags* told_;
  std::size_t check_ = 0;  ///< Bytes of MACsec's check value at the frame's end.
};

/// What Reader would read of most frames, in one piece and at a third of the instructions:
/// Ethernet, IPv4 without options, whole TCP or UDP. False: the frame is something else, or
/// something is wrong with it; nothing was written.
///
///   0            12     14                   18         20         22       23
///   | MACs[12]   | 0800 | 45, tos, length[2] | id[2]    | flags,   | ttl[1] | 06 or 11 |
///                                                         offset[2]
///   24            26       30       34
///   | checksum[2] | src[4] | dst[4] | TCP or UDP...
bool read_plain(const std::uint8_t* frame, std::size_t size, Packet& p) {
  constexpr std::size_t kNetwork = 14, kTransport = 34, kUdp = 8, kTcp = 20;
  constexpr std::uint32_t kIpv4WithoutOptions = 0x080045;
  if (size < kTransport + kUdp || load_be32(frame + 12) >> 8 != kIpv4WithoutOptions ||
      (load_be16(frame + 20) & 0x3fff) != 0 || load_be16(frame + size - 2) == tag_type::kPrp)
    return false;
  const std::uint8_t protocol = frame[23];
  const std::uint8_t* const h = frame + kTransport;
  const std::size_t wire_end = kNetwork + load_be16(frame + 16);
  const std::size_t end = std::min(size, wire_end);
  std::size_t header = kUdp;
  if (protocol == ip_protocol::kTcp) {
    if (end < kTransport + kTcp) return false;
    header = (h[12] >> 4) * 4u;
    if (header < kTcp || kTransport + header > end) return false;
    p.sequence = load_be32(h + 4);
    p.acknowledgement = load_be32(h + 8);
    p.tcp_flags = h[13];
    p.window = load_be16(h + 14);
  } else if (protocol != ip_protocol::kUdp || end < kTransport + kUdp ||
             load_be16(h + 4) != wire_end - kTransport) {
    return false;
  }
  const std::size_t payload = kTransport + header;
  p.ip_version = 4;
  p.protocol = protocol;
  p.ttl = frame[22];
  p.has_macs = true;
  p.ethertype = ethertype::kIpv4;
  p.network = kNetwork;
  p.transport = kTransport;
  p.payload = static_cast<std::uint16_t>(payload);
  p.payload_size = static_cast<std::uint16_t>(end - payload);
  p.payload_wire_size = static_cast<std::uint16_t>(wire_end - payload);
  p.network_size = static_cast<std::uint16_t>(end - kNetwork);
  p.source_port = load_be16(h);
  p.destination_port = load_be16(h + 2);
  p.fragment_id = load_be16(frame + 18);
  return true;
}

}  // namespace

Packet parse_packet(Bytes bytes, LinkType link, VlanTag stripped) {
  Packet packet;
  if (stripped.present()) packet.tags[packet.tag_count++] = stripped;
  bytes = bytes.first(std::min<std::size_t>(bytes.size(), 0xffff));
  if (link == LinkType::ethernet && read_plain(bytes.data(), bytes.size(), packet)) [[likely]]
    return packet;
  Reader(bytes, packet).read(link);
  return packet;
}

SkippedTags skipped_tags(Bytes frame, LinkType link) {
  Packet packet;
  SkippedTags out;
  Reader(frame.first(std::min<std::size_t>(frame.size(), 0xffff)), packet, &out).read(link);
  return out;
}

const char* to_text(HeaderError error) {
  switch (error) {
    case HeaderError::none:
      return "none";
    case HeaderError::link_truncated:
      return "link_truncated";
    case HeaderError::vlan_truncated:
      return "vlan_truncated";
    case HeaderError::vlan_too_deep:
      return "vlan_too_deep";
    case HeaderError::tag_truncated:
      return "tag_truncated";
    case HeaderError::tag_too_deep:
      return "tag_too_deep";
    case HeaderError::llc_truncated:
      return "llc_truncated";
    case HeaderError::ip_truncated:
      return "ip_truncated";
    case HeaderError::ip_version:
      return "ip_version";
    case HeaderError::ip_header_length:
      return "ip_header_length";
    case HeaderError::ip_total_length:
      return "ip_total_length";
    case HeaderError::ip6_extension:
      return "ip6_extension";
    case HeaderError::transport_truncated:
      return "transport_truncated";
    case HeaderError::tcp_offset:
      return "tcp_offset";
    case HeaderError::udp_length:
      return "udp_length";
  }
  return "unknown";
}

}  // namespace vmirror
