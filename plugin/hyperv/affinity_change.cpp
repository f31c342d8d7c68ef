// Steps on a failover cluster, by methods of root/MSCluster.
//
//   create   CreateAffinityRule -> the rule is seen -> AddGroupToAffinityRule -> SetAffinityRule
//   change   SetAffinityRule, AddGroupToAffinityRule, RemoveGroupFromAffinityRule: what differs
//   remove   RemoveAffinityRule
//
// A creation that was interrupted leaves a rule of our name that lacks groups: the next round
// changes it. A rule without groups has no effect.
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "plugin/hyperv/affinity.hpp"

namespace vmirror::hyperv {
namespace {

using std::chrono::milliseconds;

constexpr const char* kRuleClass = "MSCluster_AffinityRule";
/// A new rule may not be found at once: how often, and how soon, it is looked for.
constexpr int kLooks = 20;
constexpr milliseconds kLookAgain{500};

/// Calls a method of a cluster's object. They give back an error number of Windows, or nothing.
Result<Instance> call(WsmanClient& client, const Reference& of, const std::string& method,
                      const std::vector<Parameter>& parameters, const std::stop_token& stop) {
  auto done = client.invoke(kCluster, of, method, parameters, stop);
  if (!done) return tl::unexpected(done.error());
  if (done->value.value_or(0) != 0)
    return fail(Error::Kind::refused,
                method + ": the cluster refuses it: error " + std::to_string(*done->value),
                client.url(), "see the number by: net helpmsg " + std::to_string(*done->value));
  return std::move(done->output);
}

template <typename Names>
std::vector<Parameter> repeated(const char* name, const Names& values) {
  std::vector<Parameter> out;
  for (const std::string& each : values) out.push_back({name, each});
  return out;
}

/// The rule of that name as it is now; nothing: there is none.
Result<std::optional<ClusterRule>> find_rule(WsmanClient& client, const std::string& name,
                                             const std::stop_token& stop) {
  const auto rules =
      client.query(kCluster, queries()[static_cast<std::size_t>(Table::affinity_rules)].wql, stop);
  if (!rules) return tl::unexpected(rules.error());
  for (const Instance& each : *rules)
    if (each.text("Name") == name) return std::optional(read_rule(each));
  return std::nullopt;
}

/// Makes a rule without groups, and waits until it is seen.
Result<ClusterRule> create(WsmanClient& client, const std::string& name,
                           const std::stop_token& stop) {
  const auto made = call(client, {kRuleClass, {}}, "CreateAffinityRule",
                         {{"Name", name}, {"RuleType", std::to_string(kSameNode)}}, stop);
  if (!made) return tl::unexpected(made.error());
  std::mutex mutex;
  std::condition_variable_any never;
  for (int look = 0; look < kLooks && !stop.stop_requested(); look++) {
    const auto is = find_rule(client, name, stop);
    if (!is) return tl::unexpected(is.error());
    if (*is) return **is;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, kLookAgain, [] { return false; });
  }
  return fail(Error::Kind::missing, "the rule " + name + " was made and is not there",
              client.url());
}

std::set<std::string> without(const std::set<std::string>& of, const std::set<std::string>& less) {
  std::set<std::string> out;
  std::ranges::set_difference(of, less, std::inserter(out, out.end()));
  return out;
}

Result<void> make_so(WsmanClient& client, const std::string& name, const ClusterRule& is,
                     const ClusterRule& wanted, const std::stop_token& stop) {
  const Reference rule{kRuleClass, {{"Name", name}}};
  for (const auto& [method, groups] :
       {std::pair("AddGroupToAffinityRule", without(wanted.groups, is.groups)),
        {"RemoveGroupFromAffinityRule", without(is.groups, wanted.groups)}})
    if (!groups.empty())
      if (const auto done = call(client, rule, method, repeated("Groups", groups), stop); !done)
        return tl::unexpected(done.error());
  if (is.type == wanted.type && is.enabled == wanted.enabled) return {};
  const auto done = call(
      client, rule, "SetAffinityRule",
      {{"RuleType", std::to_string(wanted.type)}, {"Enabled", wanted.enabled ? "1" : "0"}}, stop);
  if (!done) return tl::unexpected(done.error());
  return {};
}

}  // namespace

Result<bool> change_rule(WsmanClient& client, const Step& step, const std::stop_token& stop) {
  const auto* wanted = value_as<RuleValue>(step.value.get());
  const auto* seen = value_as<RuleValue>(step.seen.get());
  const std::string& name = step.key.name;
  auto is = find_rule(client, name, stop);
  if (!is) return tl::unexpected(is.error());
  if (is->has_value() != (seen != nullptr) || (seen && !(**is == seen->rule))) return false;
  if (!wanted) {
    const auto done = call(client, {kRuleClass, {{"Name", name}}}, "RemoveAffinityRule", {}, stop);
    if (!done) return tl::unexpected(done.error());
    return true;
  }
  if (!*is) {
    auto made = create(client, name, stop);
    if (!made) return tl::unexpected(made.error());
    *is = std::move(*made);
  }
  if (const auto done = make_so(client, name, **is, wanted->rule, stop); !done)
    return tl::unexpected(done.error());
  return true;
}

Result<std::vector<std::string>> read_owners(WsmanClient& client, const std::string& group,
                                             const std::stop_token& stop) {
  const auto is =
      call(client, {"MSCluster_ResourceGroup", {{"Name", group}}}, "GetPreferredOwners", {}, stop);
  if (!is) return tl::unexpected(is.error());
  return is->all("NodeNames");
}

Result<void> write_owners(WsmanClient& client, const std::string& group,
                          const std::vector<std::string>& nodes, const std::stop_token& stop) {
  const auto done = call(client, {"MSCluster_ResourceGroup", {{"Name", group}}},
                         "SetPreferredOwners", repeated("NodeNames", nodes), stop);
  if (!done) return tl::unexpected(done.error());
  return {};
}

}  // namespace vmirror::hyperv
