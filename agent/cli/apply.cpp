// `vmirror apply`: hands a policy to the daemon, or removes what no policy asks for.
#include <fstream>
#include <iterator>

#include "agent/api/routes.hpp"
#include "agent/app/prune.hpp"
#include "agent/cli/command.hpp"
#include "agent/cli/table.hpp"
#include "agent/control/policy/policy_file.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

struct ApplyArguments {
  std::string file;
  std::string config;
  std::string remove;
  bool prune = false;
};

int apply_file(const CommandContext& context, const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string yaml{std::istreambuf_iterator<char>(in), {}};
  if (!in && !in.eof())
    return report(context,
                  {Error::Kind::missing, "can't be read", path, "name a readable YAML file"});
  // Checked here first, so that an error names the file that the person edits.
  if (const auto policy = parse_policy(yaml, path); !policy) return report(context, policy.error());
  const auto answer = ask_daemon(context, "/v1/policies", "PUT", yaml);
  if (!answer) return report(context, answer.error());
  if (context.json)
    print_json(context, *answer);
  else
    context.out << "policy " << cell(find(*answer, "policy")) << " is stored in "
                << cell(find(*answer, "file")) << "\n";
  return kOk;
}

int remove_policy(const CommandContext& context, const std::string& name) {
  const auto answer = ask_daemon(context, "/v1/policies/" + name, "DELETE");
  if (!answer) return report(context, answer.error());
  if (context.json)
    print_json(context, *answer);
  else
    context.out << "policy " << name << " is removed\n";
  return kOk;
}

/// Without a daemon, by its configuration: {"steps": [...]}.
Result<json::object> prune_alone(const std::string& path) {
  const auto steps = prune_by_config(path);
  if (!steps) return tl::unexpected(steps.error());
  json::array told;
  for (const Step& step : *steps) told.push_back(to_json(step));
  return json::object{{"steps", std::move(told)}};
}

int prune(const CommandContext& context, const std::string& config) {
  const auto answer =
      config.empty() ? ask_daemon(context, "/v1/prune", "POST") : prune_alone(config);
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
  if (!arguments.file.empty()) return apply_file(context, arguments.file);
  if (arguments.prune) return prune(context, arguments.config);
  context.err << "vmirror apply: name a policy's FILE, --remove NAME, or --prune\n";
  return kUsage;
}

}  // namespace

void add_apply(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* command = app.add_subcommand("apply",
                                         "Store or remove a policy in the daemon, or remove "
                                         "mirrors and ports that no policy asks for");
  auto arguments = std::make_shared<ApplyArguments>();
  // One thing at a time, so that --json is one object and an exit code is about one thing.
  command->add_option("FILE", arguments->file, "The policy, one YAML document");
  command->add_option("--remove", arguments->remove, "Remove the policy of this name")
      ->excludes("FILE");
  auto* prune = command->add_flag("--prune", arguments->prune,
                                  "Remove vmirror's mirrors and ports that no policy asks for; not "
                                  "with FILE or --remove");
  prune->excludes("FILE")->excludes("--remove");
  command
      ->add_option("--config", arguments->config,
                   "With --prune: change the switch directly, with this configuration of vmirrord "
                   "(after a crash, without a daemon)")
      ->needs(prune);
  command->add_flag("--json", context.json, "Print one JSON object");
  command->add_option("--socket", context.socket, "The daemon's control socket")
      ->envname("VMIRROR_SOCKET")
      ->capture_default_str();
  command->footer("Example: vmirror apply dc.yaml");
  command->callback([&, arguments] { exit = apply(context, *arguments); });
}

}  // namespace vmirror
