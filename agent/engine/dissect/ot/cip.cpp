// CIP Networks Library Volume 1: 2-4 (message router), 3-5.5 (connection manager), 5A-2 (identity),
// appendix A (multiple service packet), appendix C (paths). All numbers little-endian.
//
//   field[n]: n bytes
//
//   request         | service[1] | path size in words[1] | path | data |
//   response        | service + 0x80[1] | 0[1] | status[1] | words[1] | extended status | data |
//   multiple        | count[2] | count * offset[2], from count on | messages |
//   unconnected     | tick[1] | ticks[1] | size[2] | message | pad | words[1] | 0[1] | route |
//   forward open    | tick[1] | ticks[1] | O->T id[4] | T->O id[4] | serial[2] | vendor[2] |
//                   originator[4] | multiplier[1] | 0[3] | O->T RPI[4] | parameters[2 or 4] |
//                   T->O RPI[4] | parameters[2 or 4] | transport[1] | words[1] | path |
//   its answer      | O->T id[4] | T->O id[4] | serial[2] | vendor[2] | originator[4] | ...
//   path            segments: 001 type:3 format:2 logical, 000 link:1 port:4, 0x91 | size | symbol
#include "agent/engine/dissect/ot/cip.hpp"

#include "agent/engine/dissect/ot/cip_names.hpp"
#include "agent/engine/dissect/ot/enip.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace cip {
namespace {

constexpr int kMaxInner = 64;
/// Most that a message holds another: a routed one that has several.
constexpr int kMaxNested = 3;
constexpr Time kIoLasts = Time{3600} * kSecond;
constexpr std::uint8_t kBackplane = 1;
/// The identity object's last attribute that is told; those from 8 on are optional.
constexpr std::uint32_t kLastOfIdentity = 7;

/// What goes with a message down to those inside it.
struct CipPlace {
  std::uint32_t tag = 0;
  std::uint32_t index = 0;  ///< In a Multiple Service Packet, from 1 on.
  std::optional<std::uint8_t> slot;
  int nested = 0;
};

/// What a request keeps for its answer: class and instance, attribute and slot (0: none, else + 1).
std::uint32_t packed_object(const CipPath& path) {
  return (path.class_id.value_or(0) & 0xffff) << 16 | (path.instance.value_or(0) & 0xffff);
}
std::uint32_t packed_rest(const CipPath& path, std::optional<std::uint8_t> slot) {
  const std::uint32_t attribute =
      path.attribute && *path.attribute < 0xffff ? *path.attribute + 1 : 0;
  const std::uint32_t place = slot ? *slot + 1U : 0U;
  return attribute | place << 16 | std::uint32_t{!path.symbol.empty()} << 25 |
         std::uint32_t{path.class_id.has_value()} << 26;
}

std::uint64_t key_of(std::uint8_t service, const CipPlace& place) {
  return std::uint64_t{place.index} << 40 | std::uint64_t{place.tag} << 8 | service;
}

Subject slot_of(const Subject& machine, std::optional<std::uint8_t> slot) {
  if (!slot) return machine;
  return {{}, machine.ip, {Station::Kind::cip_slot, *slot}};
}

std::string_view service_name(std::uint8_t service, const CipPath& path, Facts& facts) {
  const char* name = name_of(kCipServices, service);
  if (name == nullptr && path.class_id) {
    switch (*path.class_id) {
      case kCipConnectionManager:
        name = name_of(kCipConnectionServices, service);
        break;
      case kCipFile:
        name = name_of(kCipFileServices, service);
        break;
      case kCipPccc:
        name = name_of(kCipPcccServices, service);
        break;
      case kCipSymbol:
      case kCipTemplate:
        name = name_of(kCipTagServices, service);
        break;
      default:
        break;
    }
  }
  if (name == nullptr && !path.symbol.empty()) name = name_of(kCipTagServices, service);
  return name ? std::string_view(name) : ShortText().add("0x").add_hex(service, 2).kept(facts);
}

/// What a request does; nothing: neither reads nor writes.
std::optional<Act::Kind> act_of(std::uint8_t service, const CipPath& path) {
  switch (service) {
    case kCipGetAll:
    case kCipGetList:
    case kCipGetSingle:
      return Act::Kind::read;
    case kCipSetAll:
    case kCipSetList:
    case kCipSetSingle:
      return path.class_id == kCipWallClock ? Act::Kind::set_time : Act::Kind::write;
    case 0x19:
      return Act::Kind::write;
    case kCipReset:
      return Act::Kind::stop;
    case kCipStart:
      return Act::Kind::start;
    case kCipStop:
      return Act::Kind::stop;
    default:
      break;
  }
  if (path.class_id == kCipFile && (service == kCipInitiateDownload || service == kCipPartialWrite))
    return Act::Kind::download;
  const bool symbol = path.class_id == kCipSymbol || !path.symbol.empty();
  if (symbol && (service == kCipReadTag || service == kCipReadFragment || service == 0x55))
    return Act::Kind::read;
  if (symbol &&
      (service == kCipWriteTag || service == kCipWriteFragment || service == kCipModifyTag))
    return Act::Kind::write;
  return std::nullopt;
}

void tell_path(const CipPath& path, Facts& facts) {
  if (path.class_id) {
    if (const char* name = name_of(kCipClasses, *path.class_id)) facts.add("class", name);
    facts.add("class_id", *path.class_id);
  }
  if (path.instance) facts.add("instance", *path.instance);
  if (path.attribute) facts.add("attribute", *path.attribute);
  if (path.connection_point) facts.add("connection_point", *path.connection_point);
  if (!path.symbol.empty()) facts.add("symbol", path.symbol);
}

void tell_forward_open(const CipMessage& cip, const Context& context, Facts& facts) {
  Cursor cursor(cip.data);
  if (!cip.response) {
    const int parameters = cip.service == kCipLargeForwardOpen ? 4 : 2;
    cursor.skip(2);
    facts.add("o_t_connection_id", cursor.le32());
    facts.add("t_o_connection_id", cursor.le32());
    facts.add("connection_serial", cursor.le16());
    cursor.skip(10);
    facts.add("o_t_rpi_us", cursor.le32());
    cursor.skip(static_cast<std::size_t>(parameters));
    facts.add("t_o_rpi_us", cursor.le32());
    cursor.skip(static_cast<std::size_t>(parameters));
    const std::uint8_t transport = cursor.u8() & 15;
    if (!cursor.ok()) return;
    facts.add("transport_class", transport);
    if (transport > 1) return;
    context.expect(context.destination.ip, kCipIoPort, kCipIo, kIoLasts);
    return context.expect(context.source.ip, kCipIoPort, kCipIo, kIoLasts);
  }
  if (cip.status != 0) return;
  facts.add("o_t_connection_id", cursor.le32());
  facts.add("t_o_connection_id", cursor.le32());
  facts.add("connection_serial", cursor.le16());
}

/// One attribute of the identity object; not ok(): truncated.
CipIdentity read_attribute(std::uint32_t attribute, Cursor& value) {
  CipIdentity identity;
  if (attribute == 1) identity.vendor_id = value.le16();
  if (attribute == 2) identity.device_type = value.le16();
  if (attribute == 3) identity.product_code = value.le16();
  if (attribute == 4) {
    identity.major = value.u8();
    identity.minor = value.u8();
  }
  if (attribute == 5) identity.status = value.le16();
  if (attribute == 6) identity.serial = value.le32();
  if (attribute == 7) identity.product_name = text_of(value.take(value.u8()));
  return identity;
}

/// The answer of the identity object, whole or one attribute.
void tell_object(const CipPath& path, const CipMessage& cip, const Subject& subject, Facts& facts) {
  if (path.class_id != kCipIdentity || cip.status != 0) return;
  const bool one = cip.service == kCipGetSingle && path.attribute && *path.attribute >= 1 &&
                   *path.attribute <= kLastOfIdentity;
  if (!one && cip.service != kCipGetAll) return;
  Cursor cursor(cip.data);
  const CipIdentity identity =
      one ? read_attribute(*path.attribute, cursor) : read_identity(cursor);
  if (!cursor.ok()) return;
  tell_identity(identity, facts, one ? path.attribute : std::nullopt);
  learn_identity(identity, subject, "cip.identity", facts);
}

Malformed tell_message(Bytes bytes, const Context& context, const CipPlace& place, Facts& facts);

Malformed tell_inner(const CipMessage& cip, const Context& context, const CipPlace& place,
                     Facts& facts) {
  Cursor cursor(cip.data);
  const int count = cursor.le16();
  Bytes offsets = cursor.take(static_cast<std::size_t>(count) * 2);
  if (!cursor.ok()) return Malformed::truncated;
  const auto at = [&](int i) -> std::size_t {
    return Cursor(offsets.subspan(static_cast<std::size_t>(i) * 2)).le16();
  };
  Malformed worst = Malformed::none;
  for (int i = 0; i < count && i < kMaxInner; ++i) {
    const std::size_t begin = at(i), end = i + 1 < count ? at(i + 1) : cip.data.size();
    if (begin > end || end > cip.data.size()) return Malformed::bad_length;
    CipPlace inner = place;
    inner.index = static_cast<std::uint32_t>(i + 1);
    ++inner.nested;
    const Malformed malformed =
        tell_message(cip.data.subspan(begin, end - begin), context, inner, facts);
    if (malformed != Malformed::none) worst = malformed;
  }
  return worst;
}

Malformed tell_routed(const CipMessage& cip, const Context& context, CipPlace place, Facts& facts) {
  Cursor cursor(cip.data);
  cursor.skip(2);
  const std::uint16_t size = cursor.le16();
  const Bytes message = cursor.take(size);
  cursor.skip(size % 2);
  const std::size_t words = cursor.u8();
  cursor.u8();
  const Bytes path = cursor.take(words * 2);
  if (!cursor.ok()) return Malformed::truncated;
  const auto route = parse_cip_path(path);
  if (!route) return route.error();
  if (route->slot) facts.add("slot", *route->slot);
  place.slot = route->slot;
  ++place.nested;
  return tell_message(message, context, place, facts);
}

Malformed tell_request(const CipMessage& cip, const Context& context, const CipPlace& place,
                       Facts& facts) {
  tell_path(cip.path, facts);
  if (place.slot) facts.add("slot", *place.slot);
  context.ask(key_of(cip.service, place), packed_object(cip.path),
              packed_rest(cip.path, place.slot));
  if (const auto act = act_of(cip.service, cip.path))
    facts.act(*act, slot_of(context.receiver(), place.slot), context.sender(), "cip.service");
  if (cip.path.class_id == kCipConnectionManager) {
    if (cip.service == kCipUnconnectedSend) return tell_routed(cip, context, place, facts);
    if (cip.service == kCipForwardOpen || cip.service == kCipLargeForwardOpen)
      tell_forward_open(cip, context, facts);
  }
  return Malformed::none;
}

/// Of a request's path what was kept.
CipPath path_of(const Request& request) {
  CipPath out;
  if ((request.b >> 26 & 1) != 0) {
    out.class_id = request.a >> 16;
    out.instance = request.a & 0xffff;
  }
  if ((request.b & 0xffff) != 0) out.attribute = (request.b & 0xffff) - 1;
  if ((request.b >> 16 & 0x1ff) != 0)
    out.slot = static_cast<std::uint8_t>((request.b >> 16 & 0x1ff) - 1);
  return out;
}

Malformed tell_message(Bytes bytes, const Context& context, const CipPlace& place, Facts& facts) {
  if (place.nested > kMaxNested) return Malformed::too_deep;
  const auto cip = parse_cip(bytes);
  if (!cip) return cip.error();
  facts.record("cip");
  facts.add("type", cip->response ? "response" : "request");
  std::optional<Request> request;
  CipPath path = cip->path;
  if (cip->response) {
    request = context.answer(key_of(cip->service, place));
    if (request) path = path_of(*request);
  }
  CipPath named = path;
  if (request && (request->b >> 25 & 1) != 0) named.symbol = "tag";
  facts.add("service", service_name(cip->service, named, facts));
  const bool multiple = cip->service == kCipMultiple;
  if (!cip->response) {
    if (multiple && cip->data.size() >= 2) facts.add("services", Cursor(cip->data).le16());
    const Malformed malformed = tell_request(*cip, context, place, facts);
    return multiple && malformed == Malformed::none ? tell_inner(*cip, context, place, facts)
                                                    : malformed;
  }
  tell_path(path, facts);
  if (path.slot) facts.add("slot", *path.slot);
  tell_named(facts, "status", kCipStatuses, cip->status);
  if (cip->extended_status) facts.add("extended_status", *cip->extended_status);
  if (request) facts.add("latency_us", context.latency_us(*request));
  if (multiple && cip->data.size() >= 2) {
    facts.add("services", Cursor(cip->data).le16());
    return tell_inner(*cip, context, place, facts);
  }
  tell_object(path, *cip, slot_of(context.sender(), path.slot), facts);
  if (path.class_id == kCipConnectionManager &&
      (cip->service == kCipForwardOpen || cip->service == kCipLargeForwardOpen))
    tell_forward_open(*cip, context, facts);
  return Malformed::none;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  CipPlace place;
  place.tag = context.tag;
  return tell_message(bytes, context, place, facts);
}

constexpr Place kAt[] = {kEnipCip};

/// A logical segment's value, as its format says.
std::optional<std::uint32_t> logical_value(std::uint8_t format, Cursor& cursor) {
  if (format == 0) return cursor.u8();
  if (format > 2) return std::nullopt;
  cursor.u8();
  return format == 1 ? cursor.le16() : cursor.le32();
}

bool read_logical(std::uint8_t segment, Cursor& cursor, CipPath& out) {
  const auto type = static_cast<std::uint8_t>(segment >> 2 & 7);
  if (type == 5) {  // An electronic key: format 4, ten bytes in all.
    cursor.skip(cursor.u8() == 4 ? 8 : 0);
    return true;
  }
  const auto value = logical_value(segment & 3, cursor);
  if (!value) return false;
  if (type == 0) out.class_id = value;
  if (type == 1) out.instance = value;
  if (type == 3) out.connection_point = value;
  if (type == 4) out.attribute = value;
  return true;
}

void read_port(std::uint8_t segment, Cursor& cursor, CipPath& out) {
  const std::size_t start = cursor.offset();
  std::size_t size = 1;
  if ((segment & 0x10) != 0) size = cursor.u8();
  const std::uint32_t port = (segment & 15) == 15 ? cursor.le16() : segment & 15;
  const Bytes link = cursor.take(size);
  if (port == kBackplane && link.size() == 1) out.slot = link[0];
  if ((cursor.offset() - start) % 2 == 0 && !cursor.empty()) cursor.skip(1);
}

}  // namespace
}  // namespace cip

Parsed<CipPath> parse_cip_path(Bytes path) {
  CipPath out;
  Cursor cursor(path);
  while (!cursor.empty() && cursor.ok()) {
    const std::uint8_t segment = cursor.u8();
    switch (segment >> 5) {
      case 0:
        cip::read_port(segment, cursor, out);
        break;
      case 1:
        if (!cip::read_logical(segment, cursor, out)) return bad(Malformed::bad_value);
        break;
      case 2:  // Network segments: one byte, or as many words as the next says.
        cursor.skip((segment & 0x10) != 0 ? std::size_t{cursor.u8()} * 2 : 1);
        break;
      case 4: {
        const std::size_t size = cursor.u8();
        if (segment == 0x80) {
          cursor.skip(size * 2);
        } else {
          const std::string_view symbol = text_of(cursor.take(size));
          if (out.symbol.empty()) out.symbol = symbol;
          if (size % 2 != 0) cursor.skip(1);
        }
        break;
      }
      default:
        return bad(Malformed::bad_value);
    }
  }
  if (!cursor.ok()) return bad(Malformed::truncated);
  return out;
}

Parsed<CipMessage> parse_cip(Bytes bytes) {
  Cursor cursor(bytes);
  CipMessage out;
  const std::uint8_t service = cursor.u8();
  out.service = service & 0x7f;
  out.response = (service & 0x80) != 0;
  if (out.response) {
    cursor.u8();
    out.status = cursor.u8();
    Cursor words = cursor.sub(std::size_t{cursor.u8()} * 2);
    if (words.left() >= 2) out.extended_status = words.le16();
  } else {
    const Bytes path_bytes = cursor.take(std::size_t{cursor.u8()} * 2);
    if (!cursor.ok()) return bad(Malformed::truncated);
    const auto path = parse_cip_path(path_bytes);
    if (!path) return bad(path.error());
    out.path = *path;
  }
  if (!cursor.ok()) return bad(Malformed::truncated);
  out.data = cursor.rest();
  return out;
}

const Dissector kCip{
    .name = "cip", .carrier = Carrier::inside, .at = cip::kAt, .dissect = cip::dissect};

}  // namespace vmirror
