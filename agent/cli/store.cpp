// `vmirror get`, `delete`, `diff` and `wait`: the policies of all hosts, and what became of them.
#include "agent/cli/store.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "agent/cli/policy_source.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

constexpr std::chrono::milliseconds kBetweenLooks{300};
constexpr std::size_t kMostComparedLines = 2000;  ///< Of a text; the comparison is quadratic.

constexpr const char* kConditions[] = {"accepted", "realised", "proven"};

/// A policy's row with each condition as "2/3", and why the first does not hold.
json::array policy_cells(const json::object& answer) {
  json::array out = rows(answer, "policies");
  for (json::value& row : out) {
    json::object& policy = row.as_object();
    std::string reason;
    for (const char* name : kConditions) {
      const std::string key(name);
      if (reason.empty() && text(policy, (key + ".status").c_str()) != "true")
        reason = text(policy, (key + ".reason").c_str());
      policy[key + "_on"] = text(policy, (key + ".hosts").c_str()) + "/" + text(policy, "hosts");
    }
    policy["reason"] = reason;
  }
  return out;
}

constexpr Column kPolicyColumns[] = {{"name", "POLICY"},
                                     {"generation", "GENERATION", false, 3},
                                     {"set_by", "SET BY", false, 2},
                                     {"set_at", "SET AT", false, 1},
                                     {"accepted_on", "ACCEPTED"},
                                     {"realised_on", "REALISED"},
                                     {"proven_on", "PROVEN"},
                                     {"sessions", "SESSIONS", false, 4},
                                     {"reason", "REASON"}};

constexpr Column kHostColumns[] = {{"name", "HOST"},
                                   {"kind", "SWITCH"},
                                   {"switch_version", "SWITCH VERSION", true},
                                   {"version", "VMIRROR"},
                                   {"generation", "GENERATION"},
                                   {"sessions", "SESSIONS"},
                                   {"capabilities", "CAPABILITIES", true},
                                   {"fault", "FAULT"},
                                   {"refused", "REFUSED"}};

constexpr Column kSessionOfHostColumns[] = {
    {"host", "HOST"},           {"name", "SESSION"},
    {"vm", "VM", false, 2},     {"policies", "POLICIES", false, 1},
    {"mac", "MAC", true},       {"switch", "SWITCH", true},
    {"target", "TARGET", true}, {"state_text", "STATE"},
    {"since", "SINCE", true},   {"reason", "REASON"}};

bool holds(const json::object& policy, const char* condition) {
  return text(policy, (std::string(condition) + ".status").c_str()) == "true";
}

int list_policies(const CommandContext& context, const ListingOptions& options) {
  return list(context, options,
              {"/v1/store/policies", "policies", kPolicyColumns, policy_cells,
               [](const json::object& answer) -> int {
                 const bool well = std::ranges::all_of(
                     rows(answer, "policies"),
                     [](const json::value& p) { return holds(p.as_object(), "realised"); });
                 return well ? kOk : kNotWatched;
               }});
}

int list_hosts(const CommandContext& context, const ListingOptions& options) {
  return list(context, options,
              {"/v1/store/hosts", "hosts", kHostColumns, {}, [](const json::object& answer) -> int {
                 const bool well =
                     std::ranges::all_of(rows(answer, "hosts"), [](const json::value& host) {
                       const auto* refused = find(host.as_object(), "refused");
                       return text(host.as_object(), "fault") == "-" &&
                              (refused == nullptr || refused->as_object().empty());
                     });
                 return well ? kOk : kNotWatched;
               }});
}

constexpr Column kRemovalColumns[] = {{"policy", "POLICY"},
                                      {"generation", "GENERATION"},
                                      {"removed_by", "REMOVED BY"},
                                      {"removed_at", "REMOVED AT"}};

int list_removals(const CommandContext& context, const ListingOptions& options) {
  return list(
      context, options,
      {"/v1/store/removals", "removals", kRemovalColumns, {}, [](const json::object&) -> int {
         return kOk;
       }});
}

struct DeleteArguments {
  std::string name, host;
};

int delete_one(const CommandContext& context, const DeleteArguments& arguments) {
  const bool policy = arguments.host.empty();
  if (policy && arguments.name.empty())
    return report_usage(context, {Error::Kind::invalid, "nothing to delete", "vmirror delete",
                                  "name a policy, or --host HOST"});
  const auto answer = change_by_daemon(context,
                                       policy ? "/v1/policies/" + in_path(arguments.name)
                                              : "/v1/store/hosts/" + in_path(arguments.host),
                                       "DELETE");
  if (!answer) return report(context, answer.error());
  if (context.json)
    print_json(context, *answer);
  else if (policy)
    context.out << "policy " << arguments.name << " deleted\n";
  else
    context.out << "host " << arguments.host
                << " forgotten; its agent, if it lives, tells it anew\n";
  return kOk;
}

// ---- diff

/// {"policies": [{"policy", "change", "diff"}], "same"}
json::object compare(const std::vector<PolicySource>& sources, const json::object& answer) {
  std::map<std::string, std::string> stored;
  for (const json::value& policy : rows(answer, "policies"))
    stored[text(policy.as_object(), "name")] = std::string(policy.at("yaml").as_string());
  json::array out;
  bool same = true;
  for (const PolicySource& source : sources) {
    const auto is = stored.find(source.name);
    json::array lines;
    for (const std::string& line : line_diff(is == stored.end() ? "" : is->second, source.yaml))
      lines.emplace_back(line);
    const char* change = is == stored.end() ? "new" : lines.empty() ? "unchanged" : "changed";
    same = same && is != stored.end() && lines.empty();
    out.push_back({{"policy", source.name}, {"change", change}, {"diff", std::move(lines)}});
  }
  return {{"policies", std::move(out)}, {"same", same}};
}

int diff(const CommandContext& context, const std::string& path) {
  const auto sources = read_policy_sources(path, context.in);
  if (!sources) return report(context, sources.error());
  const auto answer = ask_daemon(context, "/v1/store/policies");
  if (!answer) return report(context, answer.error());
  const json::object compared = compare(*sources, *answer);
  if (context.json) {
    print_json(context, compared);
  } else {
    for (const json::value& policy : rows(compared, "policies")) {
      context.out << "policy " << text(policy.as_object(), "policy") << ": "
                  << text(policy.as_object(), "change") << "\n";
      for (const json::value& line : rows(policy.as_object(), "diff"))
        context.out << cell(&line) << "\n";
    }
  }
  return is_true(compared, "same") ? kOk : kNotWatched;
}

// ---- wait

struct WaitArguments {
  std::string name;
  std::string what = "realised";
  double timeout = 60;  ///< Seconds.
};

/// The policy of this name in the store; an empty object: it has none.
Result<json::object> stored_policy(const CommandContext& context, const std::string& name) {
  const auto answer = ask_daemon(context, "/v1/store/policies");
  if (!answer) return tl::unexpected(answer.error());
  for (const json::value& policy : rows(*answer, "policies"))
    if (text(policy.as_object(), "name") == name) return policy.as_object();
  return json::object();
}

int tell_waited(const CommandContext& context, const WaitArguments& arguments,
                const json::object& policy, bool reached) {
  if (context.json) {
    print_json(context, {{"policy", arguments.name},
                         {"for", arguments.what},
                         {"reached", reached},
                         {"standing", policy}});
  } else {
    context.out << "policy " << arguments.name << (reached ? " is " : " is not yet ")
                << arguments.what;
    if (!policy.empty() && arguments.what != "deleted")
      context.out << ": on " << text(policy, (arguments.what + ".hosts").c_str()) << " of "
                  << counted(policy, "hosts", "host") << ", generation "
                  << text(policy, "generation");
    if (!reached && !policy.empty())
      context.out << "; " << text(policy, (arguments.what + ".reason").c_str());
    context.out << "\n";
  }
  return reached ? kOk : kNotWatched;
}

int wait(const CommandContext& context, const WaitArguments& arguments) {
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(arguments.timeout);
  for (bool told = false;;) {
    const auto policy = stored_policy(context, arguments.name);
    const bool over = std::chrono::steady_clock::now() >= until;
    const bool deleted = arguments.what == "deleted";
    if (policy) {
      const bool reached = deleted ? policy->empty() : holds(*policy, arguments.what.c_str());
      if (reached || (over && (deleted || !policy->empty())))
        return tell_waited(context, arguments, *policy, reached);
      if (policy->empty())
        return report(context, {Error::Kind::missing, "there is no policy `" + arguments.name + "`",
                                "the store", "see `vmirror get policies`"});
    } else if (over || policy.error().kind != Error::Kind::unreachable) {
      return report(context, policy.error());
    } else if (!std::exchange(told, true)) {
      context.err << "vmirror: " << for_terminal(policy.error().text()) << "; asking again\n";
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out.push_back(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return out;
}

}  // namespace

std::vector<std::string> line_diff(std::string_view was, std::string_view is) {
  const auto a = lines_of(was), b = lines_of(is);
  std::vector<std::string> out;
  const auto take = [&out](char sign, std::string_view line) {
    out.push_back(sign + std::string(line));
  };
  if (std::max(a.size(), b.size()) > kMostComparedLines) {
    if (a == b) return out;
    for (const auto line : a) take('-', line);
    for (const auto line : b) take('+', line);
    return out;
  }
  // common[i][j]: the longest common sequence of the lines from i and j on.
  std::vector<std::vector<std::uint16_t>> common(a.size() + 1,
                                                 std::vector<std::uint16_t>(b.size() + 1));
  for (std::size_t i = a.size(); i-- > 0;)
    for (std::size_t j = b.size(); j-- > 0;)
      common[i][j] = a[i] == b[j] ? static_cast<std::uint16_t>(common[i + 1][j + 1] + 1)
                                  : std::max(common[i + 1][j], common[i][j + 1]);
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j])
      ++i, ++j;
    else if (i < a.size() && (j == b.size() || common[i + 1][j] >= common[i][j + 1]))
      take('-', a[i++]);
    else
      take('+', b[j++]);
  }
  return out;
}

int list_all_sessions(const CommandContext& context, const ListingOptions& options) {
  return list(context, options,
              {"/v1/store/sessions",
               "sessions",
               kSessionOfHostColumns,
               {},
               [](const json::object& answer) -> int {
                 const bool well =
                     std::ranges::all_of(rows(answer, "sessions"), [](const json::value& s) {
                       const std::string state = text(s.as_object(), "state");
                       return state == "draining" ||
                              (is_true(s.as_object(), "in_place") &&
                               (state == "active" || state == "ready" || state == "pending"));
                     });
                 return well ? kOk : kNotWatched;
               }});
}

void add_get(CLI::App& app, CommandContext& context, int& exit) {
  auto options = std::make_shared<ListingOptions>();
  CLI::App* command = declare_listing(app, context, *options, "get",
                                      "Show the store's policies with their conditions on all "
                                      "hosts, the hosts, the sessions of all "
                                      "hosts, or who removed policies. Exit code 2: something that "
                                      "is asked for is not on its switch",
                                      "vmirror get policies --watch 2");
  add_store_option(*command, context);
  auto what = std::make_shared<std::string>("policies");
  command->add_option("WHAT", *what, "policies, hosts, sessions or removals")
      ->check(one_of({"policies", "hosts", "sessions", "removals"}))
      ->capture_default_str();
  command->callback([&, options, what] {
    exit = *what == "policies"   ? list_policies(context, *options)
           : *what == "hosts"    ? list_hosts(context, *options)
           : *what == "removals" ? list_removals(context, *options)
                                 : list_all_sessions(context, *options);
  });
}

void add_delete(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* command =
      declare(app, context, "delete",
              "Delete a policy, from the store for all hosts; or, with --host, what "
              "a host that is gone told the store",
              "vmirror delete plc");
  add_store_option(*command, context);
  auto arguments = std::make_shared<DeleteArguments>();
  auto* name = command->add_option("NAME", arguments->name, "The policy")->check(not_empty());
  command->add_option("--host", arguments->host, "Forget this host and its sessions")
      ->check(not_empty())
      ->excludes(name);
  command->callback([&, arguments] { exit = delete_one(context, *arguments); });
}

void add_diff(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* command =
      declare(app, context, "diff",
              "Compare policies with those of the store. Exit code 2: one is new or differs",
              "vmirror diff policies/");
  add_store_option(*command, context);
  auto file = std::make_shared<std::string>();
  command->add_option("FILE", *file, "Policies, a folder of them, or `-` for standard input")
      ->required();
  command->callback([&, file] { exit = diff(context, *file); });
}

void add_wait(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* command = declare(
      app, context, "wait",
      "Wait until a policy of the store holds on all hosts. Exit code 2: it does not within the "
      "time, and the output says where",
      "vmirror wait plc --for proven --timeout 120");
  add_store_option(*command, context);
  auto arguments = std::make_shared<WaitArguments>();
  command->add_option("NAME", arguments->name, "The policy")->required()->check(not_empty());
  command
      ->add_option("--for", arguments->what,
                   "accepted: each host could read it; realised: its mirrors are on the switches; "
                   "proven: copies are proven to come; deleted: the store has it no more")
      ->check(one_of({"accepted", "realised", "proven", "deleted"}))
      ->capture_default_str();
  command->add_option("--timeout", arguments->timeout, "Seconds")
      ->check(seconds_from_zero())
      ->capture_default_str();
  command->callback([&, arguments] { exit = wait(context, *arguments); });
}

}  // namespace vmirror
