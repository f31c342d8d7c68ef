// OPC 10000-6 (mappings), sections 6.7 (secure conversation), 7.1 (connection protocol), 5.2
// (values); OPC 10000-4 (services), 5.4 to 5.13 and 7 (their types).
//
//   field[n]: n bytes, little-endian; text: size[4] and bytes
//
//   0         3          4        8
//   | type[3] | chunk[1] | size[4] | ... |
//   HEL       | version[4] | receive[4] | send[4] | message size[4] | chunks[4] | endpoint text |
//   ACK       | version[4] | receive[4] | send[4] | message size[4] | chunks[4] |
//   ERR       | error[4] | reason text |          RHE  | server text | endpoint text |
//   OPN       | channel[4] | policy | certificate | thumbprint | sequence[4] | request[4] | body
//   MSG CLO   | channel[4] | token[4] | sequence[4] | request[4] | body
//   body      | type: node | header | ... |       sealed: from the sequence on, by the policy
//   request   | token: node | time[8] | handle[4] | diagnostics[4] | text | timeout[4] | object |
//   response  | time[8] | handle[4] | result[4] | diagnostics | texts | object |
#include "agent/engine/dissect/ot/opcua.hpp"

#include "agent/engine/dissect/ot/opcua_services.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace opcua {
namespace {

using Type = OpcuaMessage::Type;

constexpr std::size_t kOpcuaHeader = 8;
constexpr std::uint32_t kLeastChunk = 16, kMostChunk = 64U << 20;
constexpr const char* kTypeNames[] = {"HEL", "ACK", "ERR", "RHE", "OPN", "CLO", "MSG"};
constexpr std::string_view kPolicies = "http://opcfoundation.org/UA/SecurityPolicy#";
constexpr std::string_view kNoPolicy = "None";

/// What a flow's channel is.
struct OpcuaChannel {
  enum Mode : std::uint8_t { unknown, none, sign, encrypt };
  bool sealed = false;
  bool in_parts = false;  ///< The last chunk could be read, and more follow.
  Mode mode = unknown;
};
constexpr const char* kModeNames[] = {"", "none", "sign", "sign_and_encrypt"};

std::optional<Type> type_of(Bytes bytes) {
  for (std::size_t i = 0; i < std::size(kTypeNames); ++i)
    if (as_text(bytes.first(3)) == kTypeNames[i]) return static_cast<Type>(i);
  return std::nullopt;
}
bool is_chunk(std::uint8_t chunk) {
  return chunk == 'F' || chunk == 'C' || chunk == 'A';
}

/// "Basic256Sha256"
std::string_view policy_name(std::string_view uri) {
  const std::size_t mark = uri.find('#');
  return mark == std::string_view::npos ? uri : uri.substr(mark + 1);
}

/// The number of the service that a body begins with; nothing: none that is known.
std::optional<std::uint32_t> service_of(Bytes body) {
  OpcuaReader reader(body);
  const OpcuaNode node = reader.node();
  if (!reader.ok() || node.name_space != 0 || !node.number) return std::nullopt;
  return opcua_service(*node.number) ? node.number : std::nullopt;
}

Malformed tell_opening(const OpcuaMessage& opcua, Facts& facts) {
  OpcuaReader reader(opcua.body);
  if (opcua.type == Type::error) {
    facts.add("error", reader.u32());
    facts.add("reason", reader.text());
  } else if (opcua.type == Type::reverse_hello) {
    facts.add("server_uri", reader.text());
    facts.add("endpoint_url", reader.text());
  } else {
    facts.add("version", reader.u32());
    reader.skip(8);
    facts.add("max_message_size", reader.u32());
    reader.skip(4);
    if (opcua.type == Type::hello) facts.add("endpoint_url", reader.text());
  }
  return reader.ok() ? Malformed::none : Malformed::bad_length;
}

/// How a chunk came.
struct OpcuaReading {
  OpcuaChannel::Mode mode = OpcuaChannel::unknown;
  bool readable = true;
};

/// Of a channel whose opening was sealed a service that can be read tells signed from encrypted; of
/// one whose opening was not seen only what can be read is.
OpcuaReading reading_of(const OpcuaMessage& opcua, const Context& context) {
  OpcuaChannel alone;
  OpcuaChannel* channel = context.state<OpcuaChannel>(opcua.channel);
  if (!channel) channel = &alone;
  if (opcua.type == Type::open) {
    channel->sealed = opcua.secured;
    channel->mode = opcua.secured ? OpcuaChannel::unknown : OpcuaChannel::none;
    return {channel->mode, !opcua.secured};
  }
  if (channel->mode == OpcuaChannel::none) return {channel->mode, true};
  const bool named = service_of(opcua.body).has_value();
  const bool readable = named || channel->in_parts;
  if (channel->sealed && (named || channel->mode == OpcuaChannel::unknown))
    channel->mode = named ? OpcuaChannel::sign : OpcuaChannel::encrypt;
  channel->in_parts = readable && opcua.chunk == 'C';
  return {channel->mode, readable};
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto opcua = parse_opcua(bytes);
  if (!opcua) return opcua.error();
  facts.record("opcua");
  facts.add("type", kTypeNames[static_cast<std::size_t>(opcua->type)]);
  facts.add("chunk", std::string_view(opcua->chunk == 'F' ? "F" : opcua->chunk == 'C' ? "C" : "A"));
  const bool answers =
      opcua->type == Type::acknowledge || (!context.to_server && opcua->type >= Type::open);
  if (answers)
    facts.learn(context.sender(), Attribute::service, "opcua", "opcua.type", Confidence::implied);
  if (opcua->type < Type::open) return tell_opening(*opcua, facts);
  facts.add("secure_channel_id", opcua->channel);
  if (opcua->type == Type::open) facts.add("security_policy", opcua->security_policy);
  const OpcuaReading reading = reading_of(*opcua, context);
  if (reading.mode != OpcuaChannel::unknown) facts.add("security_mode", kModeNames[reading.mode]);
  if (!reading.readable) return Malformed::none;
  facts.add("request_id", opcua->request_id);
  const std::uint64_t key = std::uint64_t{opcua->channel & 0x3fffff} << 32 | opcua->request_id;
  if (opcua->chunk == 'A') {
    context.join({}, Begins::yes, true, key);  // Ends what came so far.
    return Malformed::none;
  }
  const auto whole = context.join(opcua->body, Begins::unsaid, opcua->chunk == 'F', key);
  if (!whole) return Malformed::none;
  const bool cut = whole->cut || context.cut;
  return tell_opcua_service(whole->bytes, opcua->request_id, cut, context, facts);
}

Framing frame(Bytes stream, const Context&) {
  const std::size_t known = std::min<std::size_t>(stream.size(), 3);
  bool fits = false;
  for (const char* name : kTypeNames)
    fits = fits || as_text(stream.first(known)) == std::string_view(name).substr(0, known);
  if (!fits || (stream.size() > 3 && !is_chunk(stream[3]))) return Framing::lost();
  if (stream.size() < kOpcuaHeader) return Framing::more();
  const std::uint32_t size = Cursor(stream.subspan(4)).le32();
  return size < kLeastChunk || size > kMostChunk ? Framing::lost() : Framing::message(size);
}

/// A connection's first chunk is whole or says its policy; one of the middle names a service.
Probe probe(Bytes stream, const Context& context) {
  if (stream.empty()) return Probe::maybe;
  const Framing framing = frame(stream, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more) return Probe::maybe;
  const Type type = *type_of(stream);
  if (type < Type::open) {
    if (framing.size > 8192) return Probe::no;
    if (stream.size() < framing.size) return context.at_own_port ? Probe::yes : Probe::maybe;
    const auto opcua = parse_opcua(stream.first(framing.size));
    if (!opcua) return Probe::no;
    if (type == Type::hello) return opcua->body.size() >= 24 ? Probe::client : Probe::no;
    if (type == Type::acknowledge) return opcua->body.size() == 20 ? Probe::server : Probe::no;
    return opcua->body.size() >= 8 ? Probe::yes : Probe::no;
  }
  if (context.at_own_port) return Probe::yes;
  if (stream.size() < 32) return Probe::maybe;
  if (type == Type::open)
    return as_text(stream.subspan(16)).starts_with(kPolicies.substr(0, 16)) ? Probe::yes
                                                                            : Probe::no;
  return service_of(stream.subspan(24)) ? Probe::yes : Probe::no;
}

constexpr Place kAt[] = {4840};

}  // namespace
}  // namespace opcua

Parsed<OpcuaMessage> parse_opcua(Bytes bytes) {
  if (bytes.size() < opcua::kOpcuaHeader) return bad(Malformed::truncated);
  const auto type = opcua::type_of(bytes);
  if (!type || !opcua::is_chunk(bytes[3])) return bad(Malformed::bad_value);
  OpcuaReader reader(bytes.subspan(4));
  const std::uint32_t size = reader.u32();
  if (size > bytes.size()) return bad(Malformed::truncated);
  if (size < bytes.size()) return bad(Malformed::bad_length);
  OpcuaMessage out;
  out.type = *type;
  out.chunk = bytes[3];
  if (*type >= opcua::Type::open) {
    out.channel = reader.u32();
    if (*type == opcua::Type::open) {
      const std::string_view uri = reader.text();
      out.security_policy = opcua::policy_name(uri);
      out.secured = out.security_policy != opcua::kNoPolicy;
      reader.bytes();
      reader.bytes();
    } else {
      out.token = reader.u32();
    }
    if (!out.secured) {
      out.sequence = reader.u32();
      out.request_id = reader.u32();
    }
  }
  if (!reader.ok()) return bad(Malformed::bad_length);
  out.body = reader.raw().rest();
  return out;
}

const Dissector kOpcua{.name = "opcua",
                       .carrier = Carrier::stream,
                       .at = opcua::kAt,
                       .probe = opcua::probe,
                       .frame = opcua::frame,
                       .dissect = opcua::dissect};

}  // namespace vmirror
