#include <string>

#include "plugin/net/soap.hpp"
#include "plugin/vsphere/read.hpp"

namespace vmirror::vsphere {
namespace {

using net::text_of;
using Kind = Error::Kind;

struct Meaning {
  std::string_view type;
  Kind kind;
  const char* what;    ///< Null: the server's own text.
  const char* remedy;  ///< May be null.
};

constexpr Meaning kMeanings[] = {
    {"NotAuthenticated", Kind::refused, "the session with the server has ended", nullptr},
    {"InvalidLogin", Kind::refused, "user or password is wrong",
     "check the file of credentials; there is no further attempt with these, so that the account "
     "is "
     "not locked"},
    {"RestrictedVersion", Kind::unsupported, "the licence of this ESXi lets the API read only",
     "use the scripts for ESXi's shell, or a licence with the API"},
    {"ConcurrentAccess", Kind::refused, "somebody else changed it meanwhile", nullptr},
    {"ManagedObjectNotFound", Kind::missing, "the object is gone", nullptr},
    {"InvalidCollectorVersion", Kind::refused, "the server no longer knows what was read", nullptr},
    {"ResourceInUse", Kind::refused, "a machine still uses it",
     "take its adapter off, then it goes"},
    {"DuplicateName", Kind::refused, "something of that name is there already", nullptr},
    {"NotFound", Kind::refused, "something that is named is not there", nullptr},
    {"HostConfigFault", Kind::refused, "the host could not change its network",
     "see the host's log vmkernel.log"},
    {"InaccessibleDatastore", Kind::unreachable, "the machine's datastore can't be reached",
     nullptr},
    {"HostNotConnected", Kind::unreachable, "vCenter has no connection to the host", nullptr},
    {"HostCommunication", Kind::unreachable, "vCenter has no connection to the host", nullptr},
    {"RequestCanceled", Kind::unreachable, "the call was cancelled", nullptr},
    {"DvsNotAuthorized", Kind::refused, "the switch belongs to an extension",
     "mirror with that extension's own means"},
    {"DvsOperationBulkFault", Kind::refused, "some hosts did not take the change",
     "see these hosts' log vmkernel.log; the switch is compared again meanwhile"},
    {"VspanPromiscuousPortNotSupported", Kind::refused,
     "a port in promiscuous mode can't be a transmitted source or a destination",
     "set its policy `promiscuous mode` to Reject"},
    {"VspanPortPromiscChangeFault", Kind::refused, "a mirrored port can't be made promiscuous",
     "leave its policy `promiscuous mode` at Reject, or end the session first"},
    {"VspanPortgroupPromiscChangeFault", Kind::refused,
     "a port group with mirrored ports can't be made promiscuous",
     "leave its policy `promiscuous mode` at Reject, or end the sessions first"},
    {"VspanPortMoveFault", Kind::refused,
     "a mirrored port can't move into a promiscuous port group",
     "choose a port group with `promiscuous mode` at Reject, or end the session first"},
    {"VspanPortgroupTypeChangeFault", Kind::refused,
     "a port group with mirrored ports can't become ephemeral",
     "keep its static binding, or end the sessions first"},
    {"VspanDestPortConflict", Kind::refused, "one port is the destination of two sessions",
     "choose another destination, or end the other session"},
    {"VspanPortConflict", Kind::refused,
     "one port is a transmitted source and a destination of sessions",
     "choose another destination, or end the other session"},
    {"VspanSameSessionPortConflict", Kind::refused,
     "one port is source and destination of a session", "choose another destination"},
};

/// The fields of a fault that say what it is about, as they are called in the API.
constexpr const char* kFields[] = {"portKey",          "vspanSessionKey",  "vspanSessionKey1",
                                   "vspanSessionKey2", "srcPortgroupName", "destPortgroupName",
                                   "dvsExtensionKey",  "portgroupName",    "name",
                                   "invalidProperty"};
constexpr std::size_t kMostHosts = 8;  ///< Named of a fault of many hosts; the others are counted.

/// The hosts of a DvsOperationBulkFault: hostFault*: host, fault: fault (xsi:type),
/// localizedMessage.
std::string hosts_of(pugi::xml_node fault) {
  std::string out;
  std::size_t count = 0;
  for (const pugi::xml_node each : fault.children()) {
    if (net::local_name(each) != "hostFault" || ++count > kMostHosts) continue;
    const pugi::xml_node why = net::child(each, "fault");
    std::string_view words = text_of(why, "localizedMessage");
    if (words.empty()) words = xsi_type(net::child(why, "fault"));
    if (words.empty()) words = xsi_type(why);
    out += (out.empty() ? ": " : "; ") + read_ref(net::child(each, "host")).id + ": " +
           std::string(words);
  }
  if (count > kMostHosts) out += "; and " + std::to_string(count - kMostHosts) + " more";
  return out;
}

}  // namespace

Error error_of_fault(std::string_view type, pugi::xml_node fault, std::string_view text,
                     std::string where) {
  if (type == "NoPermission") {
    const std::string privilege(text_of(fault, "privilegeId"));
    const Ref object = read_ref(net::child(fault, "object"));
    return {Kind::refused,
            "the user lacks the privilege " + privilege +
                (object.empty() ? "" : " on " + object.type + " " + object.id),
            std::move(where), "add " + privilege + " to the user's role"};
  }
  const Meaning* meaning = nullptr;
  for (const Meaning& each : kMeanings)
    if (each.type == type) meaning = &each;
  Error out{meaning ? meaning->kind : Kind::refused, {}, std::move(where), {}};
  if (meaning) {
    out.what = meaning->what;
    if (meaning->remedy) out.remedy = meaning->remedy;
  } else {
    out.what = text.empty() ? "the server answers with a fault" : std::string(text);
  }
  out.what += hosts_of(fault);
  std::string fields(type);
  for (const char* field : kFields)
    if (const std::string_view value = text_of(fault, field); !value.empty())
      fields += std::string(fields.empty() ? "" : ", ") + field + " " + std::string(value);
  if (!fields.empty()) out.what += " (" + fields + ")";
  if (out.what.size() > net::kMaxFaultText) out.what.resize(net::kMaxFaultText);
  return out;
}

}  // namespace vmirror::vsphere
