#include "agent/cli/command.hpp"

#include <algorithm>
#include <thread>

#include "agent/api/routes.hpp"
#include "agent/app/store_direct.hpp"
#include "agent/control/policy/yaml.hpp"
#include "plugin/base/plain_text.hpp"

namespace vmirror {

namespace json = boost::json;

const std::vector<AddCommand>& commands() {
  static const std::vector<AddCommand> all{
      add_status,   add_sessions, add_locations, add_migrations, add_assets,  add_flows,
      add_findings, add_explain,  add_policies,  add_plan,       add_apply,   add_drain,
      add_check,    add_capture,  add_dissect,   add_analyze,    add_drivers, add_hook,
      add_get,      add_delete,   add_diff,      add_wait,       add_cluster, add_pki};
  return all;
}

namespace {

/// The nearest command or option to a word that is none; empty where all words are known, or
/// nothing is near.
std::string meant(const CLI::App& app, const std::vector<std::string>& words) {
  std::vector<std::string> commands, options;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    commands.push_back(command->get_name());
  const CLI::App* called = &app;
  for (const std::string& word : words) {
    if (word.starts_with('-') || called != &app) continue;
    if (std::ranges::find(commands, word) == commands.end())
      return yaml::nearest(word, {commands.begin(), commands.end()});
    called = app.get_subcommand(word);
  }
  for (const CLI::Option* option : called->get_options())
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  for (const std::string& word : words) {
    const std::string name = word.substr(0, word.find('='));
    if (name.starts_with("--") && std::ranges::find(options, name) == options.end())
      return yaml::nearest(name, {options.begin(), options.end()});
  }
  return {};
}

/// Of a command line that is wrong. With `--json` in it the error is an object, too.
int tell_usage(const CLI::App& app, const CLI::ParseError& error,
               const std::vector<std::string>& words, const CommandContext& context) {
  app.exit(error, context.out, context.err);
  const std::string near = meant(app, words);
  if (!near.empty()) context.err << "did you mean `" << near << "`?\n";
  if (std::ranges::find(words, "--json") != words.end())
    print_json(context, {{"error", to_json(Error{Error::Kind::invalid, error.what(), "",
                                                 near.empty() ? "" : "write `" + near + "`"})}});
  return kUsage;
}

}  // namespace

int run_command_line(std::vector<std::string> arguments, CommandContext& context) {
  CLI::App app{"Mirrors the traffic of virtual machines to a sensor, and analyses it.", "vmirror"};
  app.set_version_flag("--version", std::string("vmirror ") + VMIRROR_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 all well; 1 failed, standard error says why; 2 something that is asked for is "
      "not watched: missing, refused, failed, unreadable, or not on the switch yet (sessions, "
      "status, policies, plan, apply, check, get, wait), policies differ (diff), the hook is not "
      "installed or cannot work (hook status), the store has no leader (cluster status), a "
      "finding is active (findings), a certificate expires soon (pki list); 64 "
      "wrong command line; 70 a fault of vmirror.\n\n"
      "Example: vmirror sessions --json");
  int exit = kOk;
  for (const AddCommand add : commands()) add(app, context, exit);
  const std::vector<std::string> words = arguments;
  std::reverse(arguments.begin(), arguments.end());  // As CLI11 takes a vector.
  try {
    app.parse(arguments);
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e, context.out, context.err);
  } catch (const CLI::ParseError& e) {
    return tell_usage(app, e, words, context);
  }
  return exit;
}

int say(const CommandContext& context, const Error& error) {
  context.err << "vmirror: " << for_terminal(error.text()) << "\n";
  return kFailed;
}

int report(const CommandContext& context, const Error& error) {
  if (context.json) print_json(context, {{"error", to_json(error)}});
  return say(context, error);
}

namespace {

constexpr std::chrono::milliseconds kBetweenChanges{100};

Result<json::object> read_answer(const CommandContext& context, const HttpResponse& response) {
  json::error_code error;
  const json::value value = json::parse(response.body, error);
  if (error || !value.is_object())
    return fail(Error::Kind::internal, "the daemon's answer is not a JSON object", context.socket,
                "run vmirrord and vmirror of one version");
  if (response.status >= 300) {
    const auto* said = value.get_object().if_contains("error");
    return tl::unexpected(said != nullptr ? error_from_json(*said) : Error{});
  }
  return value.get_object();
}

}  // namespace

Result<json::object> ask_daemon(const CommandContext& context, const std::string& target,
                                const std::string& method, const std::string& body) {
  if (!context.store.empty()) return ask_store(context.store, target, method, body);
  const auto response = http_call(context.socket, {method, target, body});
  if (!response) return tl::unexpected(response.error());
  return read_answer(context, *response);
}

Result<json::object> change_by_daemon(const CommandContext& context, const std::string& target,
                                      const std::string& method, const std::string& body) {
  const auto until = std::chrono::steady_clock::now() + context.change_patience;
  for (bool unanswered = false;; unanswered = true) {
    auto answer = Result<json::object>{};
    if (context.store.empty()) {
      const auto response = http_call(context.socket, {method, target, body});
      if (!response) return tl::unexpected(response.error());  // No daemon: nobody will elect one.
      answer = read_answer(context, *response);
    } else {
      answer = ask_store(context.store, target, method, body);
    }
    if (answer) return answer;
    if (unanswered && method == "DELETE" && answer.error().kind == Error::Kind::missing)
      return json::object{};
    if (answer.error().kind != Error::Kind::unreachable ||
        std::chrono::steady_clock::now() >= until)
      return answer;
    if (!unanswered)
      context.err << "vmirror: " << for_terminal(answer.error().text()) << "; asking again\n";
    std::this_thread::sleep_for(kBetweenChanges);
  }
}

void print_json(const CommandContext& context, const json::object& object) {
  context.out << json::serialize(object) << "\n";
}

}  // namespace vmirror
