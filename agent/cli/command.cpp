#include "agent/cli/command.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
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

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    out.push_back(command->get_name());
  return out;
}

/// What the words call: the command, and the word in a command's place that is none.
struct Called {
  const CLI::App* app;
  std::string path;     ///< "vmirror hook"
  std::string unknown;  ///< Empty: all are commands.
};

Called called_by(const CLI::App& app, const std::vector<std::string>& words) {
  Called out{&app, "vmirror", ""};
  for (const std::string& word : words) {
    const std::vector<std::string> known = commands_of(*out.app);
    if (known.empty()) return out;
    if (word.starts_with('-')) continue;
    if (std::ranges::find(known, word) == known.end()) {
      out.unknown = word;
      return out;
    }
    out.app = out.app->get_subcommand(word);
    out.path += " " + word;
  }
  return out;
}

/// The nearest option of the command to one that it has not; empty where all are known, or nothing
/// is near.
std::string meant_option(const CLI::App& command, const std::vector<std::string>& words) {
  std::vector<std::string> options;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  for (const std::string& word : words) {
    const std::string name = word.substr(0, word.find('='));
    if (name.starts_with("--") && std::ranges::find(options, name) == options.end())
      return yaml::nearest(name, {options.begin(), options.end()});
  }
  return {};
}

bool ask_for_json(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--json" || words[i] == "-ojson" || words[i] == "--output=json") return true;
    if (words[i] == "json" && i > 0 && (words[i - 1] == "-o" || words[i - 1] == "--output"))
      return true;
  }
  return false;
}

/// Of a command line that is wrong. With `--json` in it the error is an object, too.
int tell_usage(const CLI::App& app, const CLI::ParseError& error,
               const std::vector<std::string>& words, const CommandContext& context) {
  const Called called = called_by(app, words);
  std::string what = error.what(), near;
  if (called.unknown.empty()) {
    context.err << called.path << ": " << for_terminal(what) << " (see `" << called.path
                << " --help`)\n";
    near = meant_option(*called.app, words);
  } else {
    what = "unknown command `" + for_terminal(called.unknown) + "`";
    context.err << called.path << ": " << what << " (`" << called.path
                << " --help` lists the commands)\n";
    const std::vector<std::string> known = commands_of(*called.app);
    near = yaml::nearest(called.unknown, {known.begin(), known.end()});
  }
  if (!near.empty()) context.err << "did you mean `" << near << "`?\n";
  if (ask_for_json(words))
    print_json(context, {{"error", to_json(Error{Error::Kind::invalid, what, "",
                                                 near.empty() ? "see `" + called.path + " --help`"
                                                              : "write `" + near + "`"})}});
  return kUsage;
}

/// Above it a time does not fit a clock's count of nanoseconds.
constexpr double kMostSeconds = 1e9;

CLI::Validator seconds(bool zero) {
  return {[zero](std::string& text) -> std::string {
            double value = -1;
            const char* end = text.data() + text.size();
            const auto read = std::from_chars(text.data(), end, value);
            if (read.ec == std::errc() && read.ptr == end && std::isfinite(value) &&
                value <= kMostSeconds && (zero ? value >= 0 : value > 0))
              return {};
            return "`" + for_terminal(text) + "` is no number of seconds " +
                   (zero ? "from 0" : "above 0") + " to a billion";
          },
          ""};
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
  if (!arguments.empty() && arguments.front() == "help") {  // As `vmirror COMMAND --help`.
    arguments.erase(arguments.begin());
    arguments.emplace_back("--help");
  }
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
  say(context, error);
  return error.where.starts_with("--") ? kUsage : kFailed;
}

int report(const CommandContext& context, const std::vector<Error>& errors) {
  if (errors.size() == 1) return report(context, errors.front());
  json::array all;
  for (const Error& error : errors) {
    all.push_back(to_json(error));
    say(context, error);
  }
  if (context.json)
    print_json(context, {{"error", to_json(errors.front())}, {"errors", std::move(all)}});
  return kFailed;
}

int report_usage(const CommandContext& context, const Error& error) {
  report(context, error);
  return kUsage;
}

CLI::Validator seconds_from_zero() {
  return seconds(true);
}

CLI::Validator seconds_above_zero() {
  return seconds(false);
}

CLI::Validator whole_number(std::uint64_t min, std::uint64_t max) {
  return {[min, max](std::string& text) -> std::string {
            std::uint64_t value = 0;
            const char* end = text.data() + text.size();
            const auto read = std::from_chars(text.data(), end, value);
            if (read.ec == std::errc() && read.ptr == end && value >= min && value <= max)
              return {};
            return "`" + for_terminal(text) + "` is no whole number from " + std::to_string(min) +
                   " to " + std::to_string(max);
          },
          ""};
}

CLI::Validator one_of(std::vector<std::string> known) {
  std::string list;
  for (const std::string& one : known) list += (list.empty() ? "" : ",") + one;
  return {[known = std::move(known)](std::string& text) -> std::string {
            if (std::ranges::find(known, text) != known.end()) return {};
            std::string out;
            for (const std::string& one : known)
              out += (out.empty() ? "" : one == known.back() ? " or " : ", ") + ("`" + one + "`");
            return "`" + for_terminal(text) + "` is not known: write " + out;
          },
          "{" + list + "}"};
}

CLI::Validator not_empty() {
  return {[](std::string& text) -> std::string {
            return text.empty() ? "the text is empty: is a variable of the shell not set?" : "";
          },
          ""};
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
