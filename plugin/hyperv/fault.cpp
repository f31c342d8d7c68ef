#include <string>

#include "plugin/hyperv/wsman.hpp"

namespace vmirror::hyperv {
namespace {

using Kind = Error::Kind;
using net::child;

/// wsmerror.h, winerror.h, wbemcli.h
constexpr std::uint64_t kInvalidNamespace = 0x8004100E, kWmiAccessDenied = 0x80041003,
                        kInvalidClass = 0x80041010, kQuota = 2150859174;

struct Meaning {
  std::string_view subcode;
  Kind kind;
  const char* remedy;  ///< May be null.
};

constexpr const char* kRights =
    "put the account into the host's local groups Hyper-V Administrators and Remote Management "
    "Users, grant it Enable and Remote Enable on the WMI namespaces root\\virtualization\\v2 and "
    "root\\MSCluster, and for a cluster: Grant-ClusterAccess";

constexpr Meaning kMeanings[] = {
    {"AccessDenied", Kind::refused, kRights},
    {"DestinationUnreachable", Kind::missing, nullptr},
    {"TimedOut", Kind::unreachable, nullptr},
    {"InvalidEnumerationContext", Kind::unreachable, nullptr},
    {"InternalError", Kind::unreachable, nullptr},
    {"EncodingLimit", Kind::exhausted,
     "raise the host's limit: winrm set winrm/config @{MaxEnvelopeSizekb=\"1024\"}"},
    {"FilteringRequestedUnavailable", Kind::unsupported, nullptr},
    {"DeliveryModeRequestedUnavailable", Kind::unsupported, nullptr},
    {"ActionNotSupported", Kind::unsupported, nullptr},
    {"UnsupportedFeature", Kind::unsupported, nullptr},
};

/// <f:WSManFault Code="..."><f:Message>text, or <f:ProviderFault><f:WSManFault ...>
struct Innermost {
  std::uint64_t code = 0;
  std::string_view text;
};
Innermost innermost(pugi::xml_node detail) {
  Innermost out;
  for (pugi::xml_node fault = child(detail, "WSManFault"); fault;
       fault = child(child(child(fault, "Message"), "ProviderFault"), "WSManFault")) {
    out.code = fault.attribute("Code").as_ullong();
    const std::string_view text = net::text_of(fault, "Message");
    if (!text.empty()) out.text = text;
  }
  return out;
}

}  // namespace

Error error_of_fault(const net::SoapFault& fault, std::string where) {
  const Innermost inner = innermost(fault.detail);
  const std::string& code = fault.subcode.empty() ? fault.code : fault.subcode;
  Error out{Kind::refused,
            std::string(inner.text.empty() ? fault.text : inner.text),
            std::move(where),
            {}};
  if (out.what.size() > net::kMaxFaultText) out.what.resize(net::kMaxFaultText);
  while (out.what.ends_with(' ') || out.what.ends_with('\n')) out.what.pop_back();
  if (out.what.empty()) out.what = "the host answers with a fault";
  out.what += " (" + code + (inner.code == 0 ? "" : ", code " + std::to_string(inner.code)) + ")";
  for (const Meaning& each : kMeanings)
    if (each.subcode == code) {
      out.kind = each.kind;
      if (each.remedy) out.remedy = each.remedy;
    }
  if (inner.code == kWmiAccessDenied) {
    out.kind = Kind::refused;
    out.remedy = kRights;
  }
  if (inner.code == kInvalidNamespace || inner.code == kInvalidClass) out.kind = Kind::missing;
  if (inner.code == kQuota) {
    out.kind = Kind::exhausted;
    out.remedy = "other programs use the account, too: give the agent an account of its own";
  }
  return out;
}

std::string return_value_text(std::uint64_t value) {
  constexpr const char* kFirst[] = {
      "done",          "not supported",          "failed", "timeout", "invalid parameter",
      "invalid state", "incompatible parameters"};
  constexpr const char* kOwn[] = {"failed",         "access denied", "not supported",
                                  "status unknown", "timeout",       "invalid parameter",
                                  "in use",         "invalid state", "wrong data type",
                                  "not available",  "out of memory"};
  constexpr std::uint64_t kOwnBegin = 32768;
  std::string words = "unknown";
  if (value < std::size(kFirst)) words = kFirst[value];
  if (value == 4096) words = "job started";
  if (value >= kOwnBegin && value < kOwnBegin + std::size(kOwn)) words = kOwn[value - kOwnBegin];
  return words + " (" + std::to_string(value) + ")";
}

}  // namespace vmirror::hyperv
