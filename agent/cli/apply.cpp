// `vmirror apply`: hands policies to the daemon, or removes what no policy asks for.
#include <chrono>
#include <filesystem>
#include <thread>

#include "agent/api/routes.hpp"
#include "agent/app/prune.hpp"
#include "agent/cli/asking.hpp"
#include "agent/cli/policy_source.hpp"
#include "agent/cli/preview.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

constexpr std::chrono::milliseconds kPollInterval{100};

struct ApplyArguments {
  std::string file;
  std::string config;
  std::string remove;
  bool prune = false;
  bool dry_run = false;
  bool proven = false;
  double wait = 3;  ///< Seconds.
};

/// What a person may choose who wants the proof.
constexpr double kPatienceForProof = 60;

/// True once the answer for a policy tells of none of its sessions that it waits.
bool is_settled(const json::object& policy) {
  if (text(policy, "state") == "waiting") return false;
  for (const json::value& session : rows(policy, "sessions"))
    if (text(session.as_object(), "state") == "pending") return false;
  return true;
}

bool is_proven(const json::object& policy) {
  return rows(policy, "verdict.not_proven").empty();
}

/// Stores one policy, and waits until it is known what became of it or, where it is asked for,
/// until its copies are proven.
Result<json::object> apply_source(const CommandContext& context, const PolicySource& source,
                                  const ApplyArguments& arguments) {
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(arguments.wait);
  const auto is_done = [&](const json::object& policy) {
    return is_settled(policy) && (!arguments.proven || is_proven(policy));
  };
  auto answer = change_by_daemon(context, "/v1/policies", "PUT", source.yaml);
  while (answer && !is_done(*answer) && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(kPollInterval);
    answer = ask_daemon(context, "/v1/policies/" + in_path(source.name));
  }
  return answer;
}

void print_applied(const CommandContext& context, const ApplyArguments& arguments,
                   const json::object& policy) {
  context.out << "policy " << text(policy, "policy") << " applied, in " << text(policy, "file")
              << ": " << text(policy, "summary") << "\n";
  for (const json::value& why : rows(policy, "unmatched"))
    context.out << "  " << cell(&why) << "\n";
  print_way_on(context, policy);
  const std::size_t open = rows(policy, "verdict.not_proven").size();
  if (open == 0 || !is_true(policy, "verdict.well")) return;
  context.out << "  " << count(open, "session") << (open == 1 ? " is" : " are")
              << " not proven yet: traffic of the guest proves a mirror. `vmirror apply --proven "
                 "--wait "
              << kPatienceForProof << " " << (arguments.file == "-" ? "FILE" : arguments.file)
              << "` waits for the proof\n";
}

/// A single policy's answer is the object of --json; those of a folder, or of several documents,
/// are {"policies": [...]}.
int apply_path(const CommandContext& context, const ApplyArguments& arguments) {
  const auto sources = read_policy_sources(arguments.file, context.in);
  if (!sources) return report(context, sources.error());
  if (arguments.proven && !context.store.empty())
    return report_usage(
        context,
        {Error::Kind::invalid, "the store does not know what becomes of a policy at once",
         "--proven",
         "`vmirror wait " + sources->front().name + " --for proven`, after it is applied"});
  json::array answers;
  bool well = true;
  for (const PolicySource& source : *sources) {
    const auto answer = apply_source(context, source, arguments);
    if (!answer) return report(context, answer.error());
    if (!context.json) print_applied(context, arguments, *answer);
    well = well && is_true(*answer, "verdict.well") && (!arguments.proven || is_proven(*answer));
    answers.emplace_back(*answer);
  }
  if (context.json) {
    std::error_code ignored;
    if (answers.size() > 1 || std::filesystem::is_directory(arguments.file, ignored))
      print_json(context, {{"policies", std::move(answers)}});
    else
      print_json(context, answers.front().as_object());
  }
  return well ? kOk : kNotWatched;
}

int remove_policy(const CommandContext& context, const std::string& name) {
  const auto answer = change_by_daemon(context, "/v1/policies/" + in_path(name), "DELETE");
  if (!answer) return report(context, answer.error());
  if (context.json)
    print_json(context, *answer);
  else
    context.out << "policy " << name << " removed\n";
  return kOk;
}

/// Without a daemon, by its configuration: {"steps": [...]}.
Result<json::object> steps_json(const Result<std::vector<Step>>& steps) {
  if (!steps) return tl::unexpected(steps.error());
  json::array told;
  for (const Step& step : *steps) told.push_back(to_json(step));
  return json::object{{"steps", std::move(told)}};
}

int print_removed(const CommandContext& context, const Result<json::object>& answer) {
  if (!answer) return report(context, answer.error());
  if (context.json) {
    print_json(context, *answer);
    return kOk;
  }
  const auto* steps = answer->if_contains("steps");
  if (steps == nullptr || !steps->is_array() || steps->get_array().empty()) {
    context.out << "nothing to remove\n";
    return kOk;
  }
  for (const json::value& step : steps->get_array())
    context.out << cell(find(step.as_object(), "step")) << "\n";
  return kOk;
}

int apply(const CommandContext& context, const ApplyArguments& arguments) {
  if (!arguments.remove.empty()) return remove_policy(context, arguments.remove);
  if (arguments.dry_run) return preview(context, arguments.file);
  if (!arguments.file.empty()) return apply_path(context, arguments);
  if (arguments.prune)
    return print_removed(context, arguments.config.empty()
                                      ? ask_daemon(context, "/v1/prune", "POST")
                                      : steps_json(prune_by_config(arguments.config)));
  return report_usage(context, {Error::Kind::invalid, "nothing to apply", "vmirror apply",
                                "name a policy's FILE, --remove NAME, or --prune"});
}

/// Waits until the switch shows no mirror of the daemon's.
int drain_daemon(const CommandContext& context, bool undo) {
  constexpr auto kPatience = std::chrono::seconds(30);
  const auto until = std::chrono::steady_clock::now() + kPatience;
  auto answer = ask_daemon(context, "/v1/drain", undo ? "DELETE" : "POST");
  while (answer && !rows(*answer, "steps").empty() && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(kPollInterval);
    answer = ask_daemon(context, "/v1/plan");
  }
  if (!answer && answer.error().kind == Error::Kind::unreachable && !undo)
    answer.error().remedy +=
        "; where no daemon runs, `vmirror drain --config FILE` does it, with vmirrord's "
        "configuration";
  if (!answer) return report(context, answer.error());
  const bool done = rows(*answer, "steps").empty();
  if (context.json)
    print_json(context, *answer);
  else if (!done)
    context.out << "not done yet: see `vmirror plan`\n";
  else
    context.out << (undo
                        ? "the policies are in force again\n"
                        : "drained: no mirror of this daemon is left, until `vmirror drain --undo` "
                          "or the daemon's next start\n");
  return done ? kOk : kFailed;
}

}  // namespace

void add_drain(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* command = declare(
      app, context, "drain",
      "Take all mirrors and ports of the daemon away, until --undo or the daemon's next start",
      "vmirror drain && systemctl disable --now vmirrord");
  auto undo = std::make_shared<bool>(false);
  auto config = std::make_shared<std::string>();
  auto* flag = command->add_flag("--undo", *undo, "Put the mirrors back");
  command
      ->add_option(
          "--config", *config,
          "Change the switch directly, with this configuration of vmirrord, while no daemon "
          "runs")
      ->excludes(flag);
  command->callback([&, undo, config] {
    exit = config->empty() ? drain_daemon(context, *undo)
                           : print_removed(context, steps_json(drain_by_config(*config)));
  });
}

void add_apply(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* command = declare(app, context, "apply",
                              "Store or remove policies in the daemon, or remove mirrors and ports "
                              "that no policy asks for. "
                              "Exit code 2: stored, and something that they ask for is not watched",
                              "vmirror apply --dry-run dc.yaml && vmirror apply dc.yaml");
  add_store_option(*command, context);
  auto arguments = std::make_shared<ApplyArguments>();
  // One thing at a time, so that --json is one object and an exit code is about one thing.
  auto* file = command->add_option("FILE", arguments->file,
                                   "A policy, a folder of policies (the daemon's other policies "
                                   "stay), or `-` for standard input");
  command->add_flag("--dry-run", arguments->dry_run, "Show what FILE would do; change nothing")
      ->needs(file);
  command
      ->add_option("--wait", arguments->wait,
                   "With FILE: wait at most so many seconds until it is known what became of it")
      ->capture_default_str()
      ->check(seconds_from_zero())
      ->needs(file);
  command
      ->add_flag("--proven", arguments->proven,
                 "With FILE: wait, for the time of --wait, until the copies are proven, too. Exit "
                 "code 2: not all are by then")
      ->needs(file);
  command->add_option("--remove", arguments->remove, "Remove the policy of this name")
      ->check(not_empty())
      ->excludes(file);
  auto* prune = command->add_flag("--prune", arguments->prune,
                                  "Remove vmirror's mirrors and ports that no policy asks for; not "
                                  "with FILE or --remove");
  prune->excludes("FILE")->excludes("--remove");
  command
      ->add_option("--config", arguments->config,
                   "With --prune: change the switch directly, with this configuration of vmirrord "
                   "(after a crash, without a daemon)")
      ->needs(prune);
  command->callback([&, arguments] { exit = apply(context, *arguments); });
}

}  // namespace vmirror
