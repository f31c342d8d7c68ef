#include "agent/cli/command.hpp"

#include <algorithm>

#include "agent/api/routes.hpp"

namespace vmirror {

namespace json = boost::json;

const std::vector<AddCommand>& commands() {
  static const std::vector<AddCommand> all{add_status,  add_sessions, add_locations, add_migrations,
                                           add_assets,  add_flows,    add_explain,   add_policies,
                                           add_plan,    add_apply,    add_dissect,   add_analyze,
                                           add_drivers, add_hook};
  return all;
}

int run_command_line(std::vector<std::string> arguments, CommandContext& context) {
  CLI::App app{"Mirrors the traffic of virtual machines to a sensor, and analyses it.", "vmirror"};
  app.set_version_flag("--version", std::string("vmirror ") + VMIRROR_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 all well; 1 failed, standard error says why; 2 something that is asked for is "
      "not watched: missing, refused, failed, unreadable, or not on the switch yet (sessions, "
      "status, policies, plan, apply), the hook is not installed or cannot work (hook status); 64 "
      "wrong command line; 70 a fault of vmirror.\n\n"
      "Example: vmirror sessions --json");
  int exit = kOk;
  for (const AddCommand add : commands()) add(app, context, exit);
  std::reverse(arguments.begin(), arguments.end());  // As CLI11 takes a vector.
  try {
    app.parse(arguments);
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e, context.out, context.err);
  } catch (const CLI::ParseError& e) {
    app.exit(e, context.out, context.err);
    return kUsage;
  }
  return exit;
}

int report(const CommandContext& context, const Error& error) {
  context.err << "vmirror: " << error.text() << "\n";
  return kFailed;
}

Result<json::object> ask_daemon(const CommandContext& context, const std::string& target,
                                const std::string& method, const std::string& body) {
  const auto response = http_call(context.socket, {method, target, body});
  if (!response) return tl::unexpected(response.error());
  json::error_code error;
  const json::value value = json::parse(response->body, error);
  if (error || !value.is_object())
    return fail(Error::Kind::internal, "the daemon's answer is not a JSON object", context.socket,
                "run vmirrord and vmirror of one version");
  if (response->status >= 300) {
    const auto* said = value.get_object().if_contains("error");
    return tl::unexpected(said != nullptr ? error_from_json(*said) : Error{});
  }
  return value.get_object();
}

void print_json(const CommandContext& context, const json::object& object) {
  context.out << json::serialize(object) << "\n";
}

}  // namespace vmirror
