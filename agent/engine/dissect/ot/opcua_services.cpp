// OPC 10000-4: 5.4 (FindServers, GetEndpoints), 5.6 (sessions), 5.10 (Read, Write), 7.2
// (ApplicationDescription), 7.10 (EndpointDescription); OPC 10000-5, 12.4 (BuildInfo). Numbers are
// those of OPC 10000-6, annex A, for the binary encoding.
//
//   application  | uri | product uri | name | type[4] | gateway | profile | urls |
//   endpoint     | url | application | certificate | mode[4] | policy | tokens | profile | level |
//   token        | id | type[4] | issued type | issuer | policy |
//   data value   | mask[1] | variant | status[4] | time[8] | pico[2] | time[8] | pico[2] |
//   variant      | array:1 dimensions:1 type:6 | value, or count[4] and values |
//   build info   | product uri | manufacturer | product | version | build | date[8] |
#include "agent/engine/dissect/ot/opcua_services.hpp"

namespace vmirror {
namespace opcua_services {
namespace {

constexpr std::uint32_t kMaxListedHere = 16;
enum Service : std::uint32_t {
  kServiceFault = 397,
  kFindServers = 422,
  kGetEndpoints = 428,
  kOpenChannel = 446,
  kCreateSession = 461,
  kActivateSession = 467,
  kReadNodes = 631,
  kWriteNodes = 673,
  kHistoryUpdate = 700,
  kCallMethods = 712,
};
/// Requests; an answer's number is 3 more. Those after the gap have their answer's next to theirs.
constexpr Named kRequests[] = {{kFindServers, "FindServers"},
                               {kGetEndpoints, "GetEndpoints"},
                               {437, "RegisterServer"},
                               {kOpenChannel, "OpenSecureChannel"},
                               {452, "CloseSecureChannel"},
                               {kCreateSession, "CreateSession"},
                               {kActivateSession, "ActivateSession"},
                               {473, "CloseSession"},
                               {479, "Cancel"},
                               {488, "AddNodes"},
                               {494, "AddReferences"},
                               {500, "DeleteNodes"},
                               {506, "DeleteReferences"},
                               {527, "Browse"},
                               {533, "BrowseNext"},
                               {554, "TranslateBrowsePathsToNodeIds"},
                               {560, "RegisterNodes"},
                               {566, "UnregisterNodes"},
                               {615, "QueryFirst"},
                               {621, "QueryNext"},
                               {kReadNodes, "Read"},
                               {664, "HistoryRead"},
                               {kWriteNodes, "Write"},
                               {kHistoryUpdate, "HistoryUpdate"},
                               {kCallMethods, "Call"},
                               {751, "CreateMonitoredItems"},
                               {763, "ModifyMonitoredItems"},
                               {769, "SetMonitoringMode"},
                               {775, "SetTriggering"},
                               {781, "DeleteMonitoredItems"},
                               {787, "CreateSubscription"},
                               {793, "ModifySubscription"},
                               {799, "SetPublishingMode"},
                               {826, "Publish"},
                               {832, "Republish"},
                               {841, "TransferSubscriptions"},
                               {847, "DeleteSubscriptions"}};
constexpr Named kLaterServices[] = {{kServiceFault, "ServiceFault"},
                                    {12208, "FindServersOnNetwork"},
                                    {12209, "FindServersOnNetwork"},
                                    {12211, "RegisterServer2"},
                                    {12212, "RegisterServer2"}};
constexpr Named kSecurityModes[] = {
    {0, "invalid"}, {1, "none"}, {2, "sign"}, {3, "sign_and_encrypt"}};
constexpr Named kApplicationTypes[] = {
    {0, "server"}, {1, "client"}, {2, "client_and_server"}, {3, "discovery_server"}};
constexpr Named kTokenTypes[] = {
    {321, "anonymous"}, {324, "user_name"}, {327, "certificate"}, {940, "issued"}};
constexpr std::uint32_t kUserName = 324, kBuildInfoObject = 340, kServerStatusObject = 864;
/// Nodes of the server object that hold the build info or a part of it; the last digit of a code.
constexpr std::uint32_t kProductNameNode = 2261, kBuildNumberNode = 2265;
enum BuildPart : std::uint32_t {
  kNothing,
  kProductName,
  kProductUri,
  kManufacturer,
  kVersion,
  kNumber
};

bool is_request(std::uint32_t number) {
  return name_of(kRequests, number) != nullptr || number == 12208 || number == 12211;
}

struct OpcuaApplication {
  std::string_view uri, product_uri, name;
  std::uint32_t type = 0;
};
OpcuaApplication read_application(OpcuaReader& reader) {
  OpcuaApplication out;
  out.uri = reader.text();
  out.product_uri = reader.text();
  out.name = reader.localized_text();
  out.type = reader.u32();
  reader.bytes();
  reader.bytes();
  reader.skip_texts();
  return out;
}
void tell_application(const OpcuaApplication& application, Facts& facts) {
  facts.add("application_uri", application.uri);
  if (!application.product_uri.empty()) facts.add("product_uri", application.product_uri);
}
void learn_application(const OpcuaApplication& application, const Subject& subject, Facts& facts) {
  if (!application.uri.empty())
    facts.learn(subject, Attribute::station_name, application.uri, "opcua.application_uri");
  if (!application.product_uri.empty())
    facts.learn(subject, Attribute::description, application.product_uri, "opcua.product_uri");
}

void tell_applications(OpcuaReader& reader, std::uint32_t count, Facts& facts) {
  facts.open_array("applications");
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    const OpcuaApplication application = read_application(reader);
    if (!reader.ok() || i >= kMaxListedHere) continue;
    facts.open_object("");
    tell_application(application, facts);
    if (!application.name.empty()) facts.add("name", application.name);
    tell_named(facts, "type", kApplicationTypes, application.type);
    facts.close();
  }
  facts.close();
}

void tell_endpoints(OpcuaReader& reader, const Context& context, Facts& facts) {
  const std::uint32_t count = reader.count();
  facts.open_array("endpoints");
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    const std::string_view url = reader.text();
    const OpcuaApplication application = read_application(reader);
    reader.bytes();
    const std::uint32_t mode = reader.u32();
    const std::string_view policy = reader.text();
    for (std::uint32_t left = reader.count(); left > 0 && reader.ok(); --left) {
      reader.bytes();
      reader.u32();
      for (int text = 0; text < 3; ++text) reader.bytes();
    }
    reader.bytes();
    reader.u8();
    if (!reader.ok()) break;
    if (i == 0) learn_application(application, context.sender(), facts);
    if (i >= kMaxListedHere) continue;
    facts.open_object("");
    facts.add("endpoint_url", url);
    tell_named(facts, "security_mode", kSecurityModes, mode);
    facts.add("security_policy", policy.substr(std::min(policy.find('#') + 1, policy.size())));
    tell_application(application, facts);
    facts.close();
  }
  facts.close();
}

/// The user of ActivateSession, and whether a password goes in clear.
void tell_user(OpcuaReader& reader, const Context& context, Facts& facts) {
  reader.bytes();
  reader.bytes();
  for (std::uint32_t left = reader.count(); left > 0 && reader.ok(); --left) {
    reader.bytes();
    reader.bytes();
  }
  reader.skip_texts();
  const auto [type, token] = reader.extension_object();
  if (!reader.ok() || !type.number) return;
  tell_named(facts, "user_token_type", kTokenTypes, *type.number);
  if (type.number != kUserName) return;
  OpcuaReader user(token);
  user.bytes();
  const std::string_view name = user.text();
  const Bytes password = user.bytes();
  const Bytes algorithm = user.bytes();
  if (!user.ok()) return;
  facts.add("user", name);
  if (!password.empty() && algorithm.empty())
    facts.act(Act::Kind::weak_authentication, context.receiver(), context.sender(),
              "opcua.user_token_type");
}

/// Which part of the build info is in each of the first nodes that are read: four bits each.
std::uint64_t asked_parts(OpcuaReader reader) {
  reader.skip(12);
  const std::uint32_t count = reader.count();
  std::uint64_t out = 0;
  for (std::uint32_t i = 0; i < count && i < 16 && reader.ok(); ++i) {
    const OpcuaNode node = reader.node();
    reader.u32();
    reader.bytes();
    reader.skip(2);
    reader.bytes();
    if (!reader.ok() || node.name_space != 0 || !node.number) continue;
    if (*node.number >= kProductNameNode && *node.number <= kBuildNumberNode)
      out |= std::uint64_t{*node.number - kProductNameNode + 1} << 4 * i;
  }
  return out;
}

/// What a server says of its program.
struct BuildInfo {
  std::string_view product_uri, manufacturer, product_name, version, number;
  bool empty() const {
    return product_uri.empty() && manufacturer.empty() && product_name.empty() && version.empty() &&
           number.empty();
  }
  void set(std::uint64_t part, std::string_view text) {
    if (part == kProductName) product_name = text;
    if (part == kProductUri) product_uri = text;
    if (part == kManufacturer) manufacturer = text;
    if (part == kVersion) version = text;
    if (part == kNumber) number = text;
  }
};

void read_build_info(OpcuaReader& reader, BuildInfo& out) {
  out.product_uri = reader.text();
  out.manufacturer = reader.text();
  out.product_name = reader.text();
  out.version = reader.text();
  out.number = reader.text();
}

/// One value of a built-in type; false: one that is not passed over here.
bool skip_scalar(OpcuaReader& reader, std::uint8_t type) {
  constexpr std::uint8_t kSizes[] = {0, 1, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 0, 8, 16};
  switch (type) {
    case 12:
    case 15:
    case 16:
      reader.bytes();
      return true;
    case 17:
    case 18:
      reader.node();
      return true;
    case 19:
      reader.u32();
      return true;
    case 20:
      reader.skip(2);
      reader.bytes();
      return true;
    case 21:
      reader.localized_text();
      return true;
    case 22:
      reader.extension_object();
      return true;
    default:
      if (type >= std::size(kSizes)) return false;
      reader.skip(kSizes[type]);
      return true;
  }
}

/// A variant; text and the build info go to `build`.
bool read_variant(OpcuaReader& reader, std::uint64_t part, BuildInfo& build) {
  const std::uint8_t encoding = reader.u8();
  const std::uint8_t type = encoding & 0x3f;
  if ((encoding & 0x80) == 0) {
    if (type == 12 && part != kNothing) {
      build.set(part, reader.text());
      return true;
    }
    if (type != 22) return skip_scalar(reader, type);
    const auto [object, body] = reader.extension_object();
    OpcuaReader inner(body);
    if (object.number == kServerStatusObject) inner.skip(20);
    if (object.number == kServerStatusObject || object.number == kBuildInfoObject)
      read_build_info(inner, build);
    return true;
  }
  for (std::uint32_t left = reader.count(); left > 0 && reader.ok(); --left)
    if (!skip_scalar(reader, type)) return false;
  if ((encoding & 0x40) != 0)
    for (std::uint32_t left = reader.count(); left > 0 && reader.ok(); --left) reader.u32();
  return true;
}

BuildInfo read_values(OpcuaReader& reader, std::uint64_t parts) {
  BuildInfo out;
  const std::uint32_t count = reader.count();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    const std::uint8_t mask = reader.u8();
    const std::uint64_t part = i < 16 ? parts >> 4 * i & 15 : std::uint64_t{kNothing};
    if ((mask & 1) != 0 && !read_variant(reader, part, out)) break;
    reader.skip(((mask & 2) != 0 ? 4 : 0) + ((mask & 4) != 0 ? 8 : 0) + ((mask & 8) != 0 ? 8 : 0) +
                ((mask & 0x10) != 0 ? 2 : 0) + ((mask & 0x20) != 0 ? 2 : 0));
  }
  return out;
}

void tell_build(const BuildInfo& build, const Subject& subject, Facts& facts) {
  if (build.empty()) return;
  const struct {
    const char* name;
    std::string_view text;
    Attribute attribute;
  } parts[] = {{"product_uri", build.product_uri, Attribute::description},
               {"manufacturer", build.manufacturer, Attribute::vendor},
               {"product_name", build.product_name, Attribute::model},
               {"software_version", build.version, Attribute::firmware},
               {"build_number", build.number, Attribute::count_}};
  facts.open_object("build");
  for (const auto& part : parts)
    if (!part.text.empty()) facts.add(part.name, part.text);
  facts.close();
  for (const auto& part : parts)
    if (!part.text.empty() && part.attribute != Attribute::count_)
      facts.learn(subject, part.attribute, part.text, "opcua.build");
}

std::optional<Act::Kind> act_of(std::uint32_t number) {
  switch (number) {
    case kReadNodes:
    case 664:
      return Act::Kind::read;
    case kWriteNodes:
    case kHistoryUpdate:
    case kCallMethods:
    case 488:
    case 494:
    case 500:
    case 506:
      return Act::Kind::write;
    default:
      return std::nullopt;
  }
}

void tell_request(std::uint32_t number, std::uint32_t request_id, OpcuaReader& reader,
                  const Context& context, Facts& facts) {
  reader.node();
  reader.skip(16);
  reader.bytes();
  reader.u32();
  reader.extension_object();
  std::uint64_t parts = 0;
  if (reader.ok() && number == kReadNodes) parts = asked_parts(reader);
  context.ask(request_id, static_cast<std::uint32_t>(parts),
              static_cast<std::uint32_t>(parts >> 32));
  if (const auto act = act_of(number))
    facts.act(*act, context.receiver(), context.sender(), "opcua.service");
  if (!reader.ok()) return;
  if (number == kOpenChannel) {
    reader.skip(8);
    const std::uint32_t mode = reader.u32();
    if (reader.ok()) tell_named(facts, "requested_mode", kSecurityModes, mode);
  }
  if (number == kCreateSession) tell_applications(reader, 1, facts);
  if (number == kActivateSession) tell_user(reader, context, facts);
}

void tell_response(std::uint32_t number, std::uint32_t request_id, OpcuaReader& reader,
                   const Context& context, Facts& facts) {
  const auto request = context.answer(request_id);
  reader.skip(12);
  const std::uint32_t result = reader.u32();
  reader.skip_diagnostics();
  reader.skip_texts();
  reader.extension_object();
  if (reader.ok()) facts.add("result", result);
  if (request) facts.add("latency_us", context.latency_us(*request));
  if (!reader.ok() || result != 0) return;
  if (number == kFindServers + 3) {
    const std::uint32_t count = reader.count();
    tell_applications(reader, count, facts);
  } else if (number == kGetEndpoints + 3) {
    tell_endpoints(reader, context, facts);
  } else if (number == kCreateSession + 3) {
    reader.node();
    reader.node();
    reader.skip(8);
    reader.bytes();
    reader.bytes();
    if (reader.ok()) tell_endpoints(reader, context, facts);
  } else if (number == kReadNodes + 3) {
    const std::uint64_t parts = request ? request->a | std::uint64_t{request->b} << 32 : 0;
    tell_build(read_values(reader, parts), context.sender(), facts);
  }
}

}  // namespace
}  // namespace opcua_services

const char* opcua_service(std::uint32_t number) {
  if (const char* name = name_of(opcua_services::kRequests, number)) return name;
  if (number >= 3)
    if (const char* name = name_of(opcua_services::kRequests, number - 3)) return name;
  return name_of(opcua_services::kLaterServices, number);
}

Malformed tell_opcua_service(Bytes body, std::uint32_t request_id, bool cut, const Context& context,
                             Facts& facts) {
  OpcuaReader reader(body);
  const OpcuaNode type = reader.node();
  if (!reader.ok()) return cut ? Malformed::truncated : Malformed::bad_length;
  const char* name = type.number && type.name_space == 0 ? opcua_service(*type.number) : nullptr;
  if (name)
    facts.add("service", name);
  else if (type.number)
    facts.add("service", keep_number(facts, "", *type.number));
  if (!name) return Malformed::none;
  const bool request = opcua_services::is_request(*type.number);
  facts.add("direction", request ? "request" : "response");
  if (request)
    opcua_services::tell_request(*type.number, request_id, reader, context, facts);
  else
    opcua_services::tell_response(*type.number, request_id, reader, context, facts);
  if (reader.ok()) return Malformed::none;
  return cut ? Malformed::truncated : Malformed::bad_length;
}

}  // namespace vmirror
