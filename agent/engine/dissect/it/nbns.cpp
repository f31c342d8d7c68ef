// RFC 1002, section 4.2: the message is that of DNS (dns_message.cpp), with other flags and names.
//
//   field[n]: n bytes, field:n: n bits
//
//   header        | id[2] | QR:1 opcode:4 AA:1 TC:1 RD:1 RA:1 0:2 broadcast:1 rcode:4 | counts[8] |
//   name          a label of 32 letters, two for each byte: 'A' + upper half, 'A' + lower half
//   its 16 bytes  | name[15], blanks at its end | suffix[1] |
//   NB, 0x20      | group:1 type:2 0:13 | address[4] | ...
//   NBSTAT, 0x21  | count[1] | name[15] suffix[1] flags[2] |... unit's mac[6] | counters... |
#include "agent/engine/dissect/it/nbns.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace nbns {
namespace {

constexpr std::uint16_t kNb = 0x20, kNbstat = 0x21, kGroup = 0x8000;
constexpr std::uint8_t kWorkstation = 0, kControllers = 0x1c, kServer = 0x20;
constexpr int kRegistration = 5, kWack = 7, kRefresh = 8;
constexpr std::size_t kMaxListed = 64, kEntry = 6;
constexpr Named kOpcodes[] = {{0, "query"},    {kRegistration, "registration"}, {6, "release"},
                              {kWack, "wack"}, {kRefresh, "refresh"},           {9, "refresh"}};

std::string_view hex_of(std::uint8_t byte, Facts& facts) {
  constexpr char kDigits[] = "0123456789abcdef";
  const char out[] = {kDigits[byte >> 4], kDigits[byte & 15]};
  return facts.keep({out, 2});
}

std::string_view name_in(const NetbiosName& name, Facts& facts) {
  return facts.keep(text_of({reinterpret_cast<const std::uint8_t*>(name.text), name.size}));
}

void tell_name(const NetbiosName& name, Facts& facts) {
  facts.add("name", name_in(name, facts));
  facts.add("suffix", hex_of(name.suffix, facts));
}

/// `there`: where somebody says that the name is at home.
void learn(const NetbiosName& name, bool group, const IpAddress& there, Facts& facts) {
  const Subject subject{{}, there};
  if (there.empty() || there.is_unspecified() || name.size == 0) return;
  if (!group && (name.suffix == kWorkstation || name.suffix == kServer))
    facts.learn(subject, Attribute::host_name, name_in(name, facts), "nbns.name");
  if (group && (name.suffix == kWorkstation || name.suffix == kControllers))
    facts.learn(subject, Attribute::domain, name_in(name, facts), "nbns.name");
  if (group && name.suffix == kControllers)
    facts.learn(subject, Attribute::role, "domain_controller", "nbns.suffix");
}

Malformed tell_addresses(const NetbiosName& name, Bytes data, Facts& facts) {
  if (data.size() % kEntry != 0) return Malformed::bad_length;
  Cursor cursor(data);
  bool group = false;
  facts.open_array("addresses");
  for (std::size_t i = 0; i < kMaxListed && !cursor.empty(); ++i) {
    group = (cursor.u16() & kGroup) != 0;
    const IpAddress address = IpAddress::v4(cursor.take(4).data());
    facts.add("", address);
    learn(name, group, address, facts);
  }
  facts.close();
  if (group) facts.add("group", true);
  return Malformed::none;
}

Malformed tell_status(Bytes data, const Context& context, Facts& facts) {
  Cursor cursor(data);
  const std::size_t count = cursor.u8();
  facts.open_array("names");
  for (std::size_t i = 0; i < count && cursor.ok(); ++i) {
    NetbiosName name;
    const Bytes text = cursor.take(sizeof name.text);
    name.suffix = cursor.u8();
    const bool group = (cursor.u16() & kGroup) != 0;
    if (!cursor.ok()) break;
    const std::string_view trimmed = text_of(text);
    name.size = static_cast<std::uint8_t>(trimmed.copy(name.text, sizeof name.text));
    learn(name, group, context.source.ip, facts);
    if (i >= kMaxListed) continue;
    facts.open_object("");
    tell_name(name, facts);
    facts.add("group", group);
    facts.close();
  }
  facts.close();
  const Bytes mac = cursor.take(6);
  if (!cursor.ok()) return Malformed::truncated;
  facts.add("mac", Mac::from(mac.data()));
  return Malformed::none;
}

Malformed tell_resource(DnsReader& reader, bool asked, const Context& context, Facts& facts) {
  const auto resource = reader.resource();
  if (!resource) return resource.error();
  const std::string_view text = resource->name.text();
  const auto name = netbios_name(text.substr(0, text.find('.')));
  if (!name) return Malformed::bad_value;
  if (!asked) tell_name(*name, facts);
  if (resource->type == kNb) return tell_addresses(*name, resource->data, facts);
  return resource->type == kNbstat ? tell_status(resource->data, context, facts) : Malformed::none;
}

Outcome dissect(Bytes message, const Context& context, Facts& facts) {
  DnsReader reader(message);
  const auto header = reader.header();
  if (!header) return header.error();
  facts.record("nbns");
  facts.add("type", header->response() ? "answer" : "query");
  facts.add("id", header->id);
  tell_named(facts, "opcode", kOpcodes, static_cast<std::uint32_t>(header->opcode()));
  if (header->questions > 0) {
    const auto question = reader.question();
    if (!question) return question.error();
    const std::string_view text = question->name.text();
    const auto name = netbios_name(text.substr(0, text.find('.')));
    if (!name) return Malformed::bad_value;
    tell_name(*name, facts);
  }
  if (header->response()) {
    facts.add("rcode", static_cast<unsigned>(header->rcode()));
    if (const auto request = context.answer(header->id))
      facts.add("latency_us", context.latency_us(*request));
  } else {
    context.ask(header->id);
  }
  // A wait's resource has flags alone. What is registered stands among the additional ones.
  if (header->opcode() == kWack || header->rcode() != 0) return Malformed::none;
  const bool has_one = header->response() ? header->answers > 0 : header->additionals > 0;
  return has_one ? tell_resource(reader, header->questions > 0, context, facts) : Malformed::none;
}

/// At its own port alone: what stands there is DNS's.
Probe probe(Bytes message, const Context& context) {
  const auto header = DnsReader(message).header();
  if (!context.at_own_port || !header ||
      name_of(kOpcodes, static_cast<std::uint32_t>(header->opcode())) == nullptr)
    return Probe::no;
  return header->response() ? Probe::server : Probe::client;
}

constexpr Place kAt[] = {137};

}  // namespace
}  // namespace nbns

std::optional<NetbiosName> netbios_name(std::string_view first) {
  constexpr std::size_t kLetters = 32;
  if (first.size() != kLetters) return std::nullopt;
  std::uint8_t bytes[kLetters / 2];
  for (std::size_t i = 0; i < std::size(bytes); ++i) {
    const int high = first[2 * i] - 'A', low = first[2 * i + 1] - 'A';
    if (high < 0 || high > 15 || low < 0 || low > 15) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  NetbiosName out;
  out.suffix = bytes[15];
  const std::string_view text = text_of(Bytes(bytes).first(15));
  out.size = static_cast<std::uint8_t>(text.copy(out.text, sizeof out.text));
  return out;
}

const Dissector kNbns{.name = "nbns",
                      .carrier = Carrier::datagram,
                      .at = nbns::kAt,
                      .probe = nbns::probe,
                      .dissect = nbns::dissect};

}  // namespace vmirror
