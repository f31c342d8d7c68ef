#include "agent/app/store_direct.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/host_name.hpp>
#include <boost/url/pct_string_view.hpp>
#include <chrono>

#include "agent/app/config.hpp"
#include "agent/control/store/change.hpp"
#include "agent/control/store/schema.hpp"
#include "agent/pki/certificate.hpp"
#include "agent/report/store.hpp"
#include "plugin/base/trusted_file.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

constexpr std::chrono::milliseconds kReadPatience{8000};
constexpr std::size_t kMostPemBytes = 64 << 10;

/// As whom the store knows us: by the certificate, or as root on a server's host.
Result<std::string> author(const StoreOptions& options) {
  if (!options.certificate.empty())
    return read_trusted(options.certificate, kMostPemBytes)
        .and_then([](const std::string& pem) { return pki::read_certificates(pem); })
        .map([](const auto& certificates) { return certificates.front().subject.name(); });
  const passwd* user = ::getpwuid(::getuid());
  return (user == nullptr ? std::to_string(::getuid()) : std::string(user->pw_name)) + "@" +
         boost::asio::ip::host_name();
}

/// The rest of the path after `prefix`, decoded; none: it begins otherwise.
std::optional<std::string> after(const std::string& target, const char* prefix) {
  if (!target.starts_with(prefix)) return {};
  const std::string rest = target.substr(std::string_view(prefix).size());
  const auto coded = boost::urls::make_pct_string_view(rest);
  return coded ? std::optional(coded->decode()) : std::nullopt;
}

Result<json::object> set_policy(ovsdb::Client& client, const StoreOptions& options,
                                const std::string& yaml) {
  const auto policy = parse_policy(yaml, "the policy");
  if (!policy) return tl::unexpected(policy.error());
  const auto by = author(options);
  if (!by) return tl::unexpected(by.error());
  const auto generation = put_policy(client, yaml, *by, wall_clock());
  if (!generation) return tl::unexpected(generation.error());
  return json::object{{"policy", policy->name},
                      {"file", place_in_store(policy->name)},
                      {"generation", *generation},
                      {"set_by", *by},
                      {"state", "stored"},
                      {"summary", "generation " + std::to_string(*generation) + "; `vmirror wait " +
                                      policy->name + "` tells when it holds on all hosts"},
                      {"sessions", json::array()},
                      {"unmatched", json::array()},
                      {"verdict", {{"well", true}}}};
}

json::object store_policies_now(const StoreContents& contents) {
  return store_policies_json(contents, wall_clock());
}

Result<json::object> all_rows(ovsdb::Client& client, json::object (*make)(const StoreContents&)) {
  return client.read(kReadPatience).map([&](const auto& snapshot) {
    return make(store_contents(*snapshot));
  });
}

}  // namespace

Result<json::object> ask_store(const std::string& file, const std::string& target,
                               const std::string& method, const std::string& body) {
  const auto options = load_store_options(file);
  if (!options) return tl::unexpected(options.error());
  auto client = ovsdb::Client::start(client_options(*options), store::schema());
  if (!client) return tl::unexpected(client.error());
  ovsdb::Client& store = **client;
  if (method == "GET" && target == "/v1/store/policies") return all_rows(store, store_policies_now);
  if (method == "GET" && target == "/v1/store/hosts") return all_rows(store, store_hosts_json);
  if (method == "GET" && target == "/v1/store/sessions")
    return all_rows(store, store_sessions_json);
  if (method == "GET" && target == "/v1/store/removals")
    return all_rows(store, store_removals_json);
  if (method == "PUT" && target == "/v1/policies") return set_policy(store, *options, body);
  const auto policy = after(target, "/v1/policies/"), host = after(target, "/v1/store/hosts/");
  if (method == "DELETE" && policy)
    return author(*options)
        .and_then(
            [&](const std::string& by) { return drop_policy(store, *policy, by, wall_clock()); })
        .map([&] {
          return json::object{{"policy", *policy}};
        });
  if (method == "DELETE" && host)
    return forget_host(store, *host).map([&] { return json::object{{"host", *host}}; });
  return fail(Error::Kind::unsupported, "the store alone can't tell this", file,
              "ask an agent: leave --store and VMIRROR_STORE out");
}

}  // namespace vmirror
