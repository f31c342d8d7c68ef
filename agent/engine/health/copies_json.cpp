#include "agent/engine/health/copies_json.hpp"

#include <boost/json.hpp>

namespace vmirror {

namespace json = boost::json;

namespace {

Error wrong(const char* what) {
  return {Error::Kind::invalid, what, kCopiesMessage, "see that both agents are of one version"};
}

std::optional<std::uint64_t> number(const json::object& in, const char* key) {
  const auto* value = in.if_contains(key);
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return std::nullopt;
  return static_cast<std::uint64_t>(value->get_int64());
}

std::optional<IpAddress> address(const json::value* value) {
  if (value == nullptr || !value->is_string()) return std::nullopt;
  const auto parsed = IpAddress::parse(std::string_view(value->get_string()));
  return parsed ? std::optional(*parsed) : std::nullopt;
}

std::optional<Encapsulation> encapsulation(const json::value* value) {
  if (value == nullptr || !value->is_string()) return std::nullopt;
  for (std::size_t i = 1; i < kEncapsulations; ++i) {
    const auto e = static_cast<Encapsulation>(i);
    if (std::string_view(value->get_string()) == to_text(e)) return e;
  }
  return std::nullopt;
}

const json::array* array_of(const json::object& in, const char* key) {
  const auto* value = in.if_contains(key);
  return value ? value->if_array() : nullptr;
}

Result<void> read_session(const json::value& from, CopiesReport& to) {
  const auto* o = from.if_object();
  if (o == nullptr) return tl::unexpected(wrong("a session is no object"));
  const auto kind = encapsulation(o->if_contains("encapsulation"));
  const auto sender = address(o->if_contains("sender"));
  const auto id = number(*o, "session"), received = number(*o, "received");
  const auto lost = number(*o, "lost"), last = number(*o, "last");
  if (!kind || !sender || !id || *id > 0xffffffff || !received || !lost || !last)
    return tl::unexpected(wrong("a session lacks a key, or has one that can't be"));
  to.sessions[{*kind, static_cast<std::uint32_t>(*id), *sender}] = {*received, *lost,
                                                                    static_cast<Time>(*last)};
  return {};
}

}  // namespace

std::string encode_copies(const std::optional<CopiesReport>& report) {
  json::object out{{"version", kCopiesVersion}};
  if (!report) {
    out["same"] = true;
    return json::serialize(out);
  }
  json::array addresses, sessions;
  for (const IpAddress& a : report->addresses)
    if (addresses.size() < kMaxReportedAddresses) addresses.emplace_back(a.text());
  std::uint64_t left_out = report->left_out;
  for (const auto& [key, copies] : report->sessions) {
    if (sessions.size() >= kMaxReportedSessions) {
      ++left_out;
      continue;
    }
    sessions.push_back({{"encapsulation", to_text(key.encapsulation)},
                        {"session", key.session},
                        {"sender", key.sender.text()},
                        {"received", static_cast<std::int64_t>(copies.received)},
                        {"lost", static_cast<std::int64_t>(copies.lost)},
                        {"last", copies.last}});
  }
  out["addresses"] = std::move(addresses);
  out["left_out"] = static_cast<std::int64_t>(left_out);
  out["sessions"] = std::move(sessions);
  return json::serialize(out);
}

Result<std::optional<CopiesReport>> parse_copies(std::string_view body) {
  if (body.size() > kMaxCopiesJson)
    return fail(Error::Kind::exhausted, "the message has more than 2 MiB", kCopiesMessage);
  json::error_code error;
  json::parse_options options;
  options.max_depth = 4;
  const json::value value = json::parse(body, error, {}, options);
  const auto* o = error ? nullptr : value.if_object();
  if (o == nullptr) return tl::unexpected(wrong("the message is no JSON object"));
  const auto version = number(*o, "version");
  if (!version) return tl::unexpected(wrong("the message has no version"));
  if (*version != kCopiesVersion)
    return fail(Error::Kind::unsupported,
                "the message has version " + std::to_string(*version) + ", and 1 is known here",
                kCopiesMessage, "run one version of vmirror on both hosts");
  if (o->contains("same")) return std::optional<CopiesReport>();
  const json::array* sessions = array_of(*o, "sessions");
  const json::array* addresses = array_of(*o, "addresses");
  const auto left_out = number(*o, "left_out");
  if (!sessions || !addresses || !left_out) return tl::unexpected(wrong("the message lacks a key"));
  if (sessions->size() > kMaxReportedSessions || addresses->size() > kMaxReportedAddresses)
    return fail(Error::Kind::exhausted, "the message has too many sessions or addresses",
                kCopiesMessage);
  CopiesReport out;
  out.left_out = *left_out;
  for (const json::value& one : *addresses) {
    const auto parsed = address(&one);
    if (!parsed) return tl::unexpected(wrong("an address is none"));
    out.addresses.insert(*parsed);
  }
  for (const json::value& one : *sessions)
    if (auto read = read_session(one, out); !read) return tl::unexpected(read.error());
  return std::optional(std::move(out));
}

}  // namespace vmirror
