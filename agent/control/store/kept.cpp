#include "agent/control/store/kept.hpp"

#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "plugin/base/text.hpp"
#include "plugin/base/trusted_file.hpp"
#include "plugin/base/whole_file.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

/// As much as an agent takes of policies, each byte escaped at worst, and what stands around them.
constexpr std::size_t kMostKeptBytes = 8 * kMostPolicyBytes;

std::string member(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

std::int64_t number(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

}  // namespace

std::string encode_kept(const KeptPolicies& kept) {
  json::array policies;
  for (const StoredPolicy& p : kept.policies.policies)
    policies.push_back(
        {{"name", p.name},
         {"yaml", p.yaml},
         {"generation", p.generation},
         {"set_by", p.set_by},
         {"set_at", p.set_at},
         {"begun", p.begun == 0 ? json::value() : json::value(clock_text(p.begun))}});
  return json::serialize(json::object{
      {"generation", kept.policies.generation},
      {"lost_at", kept.lost_at == 0 ? json::value() : json::value(clock_text(kept.lost_at))},
      {"policies", std::move(policies)}});
}

Result<KeptPolicies> parse_kept(std::string_view text, const std::string& file) {
  json::error_code error;
  const json::value value = json::parse(text, error);
  const auto* object = error ? nullptr : value.if_object();
  const auto* list = object == nullptr ? nullptr : object->if_contains("policies");
  if (list == nullptr || !list->is_array())
    return fail(Error::Kind::invalid, "this is no file of the store's policies", file,
                "remove it; the policies come from the store again");
  KeptPolicies out;
  out.policies.generation = number(*object, "generation");
  if (const auto at = parse_time(member(*object, "lost_at"))) out.lost_at = *at;
  for (const json::value& one : list->get_array())
    if (const auto* policy = one.if_object()) {
      const auto begun = parse_time(member(*policy, "begun"));
      out.policies.policies.push_back({member(*policy, "name"), member(*policy, "yaml"),
                                       number(*policy, "generation"), member(*policy, "set_by"),
                                       member(*policy, "set_at"), begun.value_or(0)});
    }
  return out;
}

std::string kept_path(const std::string& state) {
  return state + "/store.json";
}

Result<std::optional<KeptPolicies>> read_kept(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::optional<KeptPolicies>();
  return read_trusted(path, kMostKeptBytes)
      .and_then([&](const std::string& text) { return parse_kept(text, path); })
      .map([](KeptPolicies kept) { return std::optional(std::move(kept)); });
}

Result<void> save_kept(const std::string& path, const KeptPolicies& kept) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  if (replace_file(path, encode_kept(kept))) return {};
  return fail(Error::Kind::refused, std::string("can't be written: ") + std::strerror(errno), path,
              "is there room, and may the daemon write here?");
}

}  // namespace vmirror
