// `vmirror plan` and `vmirror policies`: what the daemon would change, and what it goes by.
#include <set>

#include "agent/cli/listing.hpp"
#include "agent/cli/policy_source.hpp"
#include "agent/cli/preview.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

void print_plan_steps(const CommandContext& context, const json::object& answer) {
  for (const json::value& step : rows(answer, "steps"))
    context.out << text(step.as_object(), "step") << "  # " << text(step.as_object(), "why")
                << "\n";
}

/// There is no plan, as of a switch that can't be read: the exit code is about what is watched,
/// where the daemon knows.
int tell_no_plan(const CommandContext& context, const Error& error) {
  report(context, error);
  const auto sessions = ask_daemon(context, "/v1/sessions");
  return sessions && !is_true(*sessions, "verdict.well") ? kNotWatched : kFailed;
}

int plan_now(const CommandContext& context) {
  const auto answer = ask_daemon(context, "/v1/plan");
  if (!answer) return tell_no_plan(context, answer.error());
  const bool in_sync = rows(*answer, "steps").empty();
  if (context.json) {
    print_json(context, *answer);
  } else {
    print_plan_steps(context, *answer);
    if (in_sync) context.out << "in sync\n";
  }
  const int exit = print_verdict(context, *answer);
  return in_sync ? exit : kNotWatched;
}

/// The rows of the table: a reason leaves out its remedy, which has a line of its own, for a
/// terminal cuts long lines.
json::array sessions_of_plan(const json::object& answer) {
  json::array out = rows(answer, "sessions");
  for (json::value& row : out) {
    json::object& session = row.as_object();
    std::string reason = text(session, "reason");
    const std::string remedy = " (" + text(session, "remedy") + ")";
    if (reason.ends_with(remedy)) reason.resize(reason.size() - remedy.size());
    session["reason"] = reason;
  }
  return out;
}

void print_preview(const CommandContext& context, const json::object& answer) {
  for (const json::value& policy : rows(answer, "policies")) {
    const json::object& p = policy.as_object();
    context.out << "policy " << text(p, "policy") << (is_true(p, "replaces") ? " (replaced)" : "")
                << ": " << text(p, "summary") << "\n";
    for (const json::value& why : rows(p, "unmatched")) context.out << "  " << cell(&why) << "\n";
  }
  constexpr Column kColumns[] = {{"name", "SESSION"},
                                 {"vm", "VM", false, 3},
                                 {"change", "CHANGE"},
                                 {"mirror", "MIRROR", false, 2},
                                 {"output", "OUTPUT", false, 1},
                                 {"reason", "REASON"},
                                 {"warnings", "WARNINGS"}};
  if (!rows(answer, "sessions").empty()) {
    heading(context, "Sessions");
    print_table(context.out, sessions_of_plan(answer), kColumns, style(context));
  }
  // A remedy that several sessions share is told of the first.
  std::set<std::string> remedies;
  for (const json::value& row : rows(answer, "sessions"))
    if (const std::string remedy = text(row.as_object(), "remedy");
        remedy != "-" && remedies.insert(remedy).second)
      context.out << "remedy of " << text(row.as_object(), "name") << ": " << remedy << "\n";
  heading(context, "Steps");
  for (const json::value& name : rows(answer, "goes"))
    context.out << "session " << cell(&name) << " goes\n";
  print_plan_steps(context, answer);
  if (rows(answer, "steps").empty()) context.out << "nothing changes on the switch\n";
}

}  // namespace

int preview(const CommandContext& context, const std::string& path) {
  const auto sources = read_policy_sources(path, context.in);
  if (!sources) return report(context, sources.error());
  json::array given;
  for (const PolicySource& source : *sources)
    given.push_back({{"file", source.file}, {"yaml", source.yaml}});
  const auto answer = ask_daemon(context, "/v1/plan", "POST",
                                 json::serialize(json::object{{"policies", std::move(given)}}));
  if (!answer)
    return answer.error().kind == Error::Kind::invalid ? report(context, answer.error())
                                                       : tell_no_plan(context, answer.error());
  if (context.json)
    print_json(context, *answer);
  else
    print_preview(context, *answer);
  return is_true(*answer, "well") ? kOk : kNotWatched;
}

void add_plan(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* command = declare(
      app, context, "plan",
      "Show what the daemon would change now or, with FILE, what these policies would do; nothing "
      "is changed. Exit code 2: the switch is not as asked, or something would not be watched",
      "vmirror plan dc.yaml");
  auto file = std::make_shared<std::string>();
  command->add_option("FILE", *file, "A policy, a folder of policies, or `-` for standard input");
  command->callback(
      [&, file] { exit = file->empty() ? plan_now(context) : preview(context, *file); });
}

void add_policies(CLI::App& app, CommandContext& context, int& exit) {
  static constexpr Column kColumns[] = {
      {"name", "POLICY"}, {"state", "STATE"}, {"summary", "NICS AND SESSIONS"}, {"file", "FILE"}};
  auto options = std::make_shared<ListingOptions>();
  CLI::App* command = declare_listing(
      app, context, *options, "policies",
      "Show each policy: what became of it, and its file. Exit code 2: something that they ask for "
      "is not watched",
      "vmirror policies --filter state=bad");
  command->callback([&, options] {
    exit = list(
        context, *options,
        {"/v1/policies", "policies", kColumns, {}, [&context](const json::object& answer) -> int {
           print_way_on(context, answer);
           return is_true(answer, "verdict.well") ? kOk : kNotWatched;
         }});
  });
}

}  // namespace vmirror
