#include "agent/cli/asking.hpp"

#include <boost/url/encode.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>

namespace vmirror {

namespace json = boost::json;

CLI::App* declare(CLI::App& app, CommandContext& context, const char* name, const char* description,
                  const char* example) {
  CLI::App* command = app.add_subcommand(name, description);
  command->add_flag("--json", context.json, "Print one JSON object");
  command->add_option("--socket", context.socket, "The daemon's control socket")
      ->envname("VMIRROR_SOCKET")
      ->capture_default_str();
  command->footer(std::string("Example: ") + example);
  return command;
}

void add_store_option(CLI::App& command, CommandContext& context) {
  command
      .add_option("--store", context.store,
                  "Ask the store itself in place of a daemon; FILE has the keys of vmirrord's "
                  "`store`, with an operator's certificate")
      ->type_name("FILE")
      ->envname("VMIRROR_STORE");
}

const json::array& rows(const json::object& object, const char* key) {
  static const json::array none;
  const auto* value = find(object, key);
  return value != nullptr && value->is_array() ? value->get_array() : none;
}

std::string text(const json::object& object, const char* key) {
  return cell(find(object, key));
}

std::string counted(const json::object& object, const char* key, const char* noun) {
  const std::string number = text(object, key);
  return number + " " + noun + (number == "1" ? "" : "s");
}

bool is_true(const json::object& object, const char* key) {
  const auto* value = find(object, key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

TableStyle style(const CommandContext& context) {
  return {context.colour, context.width, false};
}

void heading(const CommandContext& context, const char* title) {
  context.out << "\n"
              << (context.colour ? "\033[1m" : "") << title << (context.colour ? "\033[0m" : "")
              << "\n";
}

std::string in_path(const std::string& name) {
  return boost::urls::encode(name, boost::urls::unreserved_chars);
}

void print_way_on(const CommandContext& context, const json::object& answer) {
  if (context.json || is_true(answer, "verdict.well")) return;
  const json::value* name = find(answer, "verdict.explain");
  if (name != nullptr && !name->is_null())
    context.out << "see `vmirror explain " << cell(name) << "`\n";
}

int print_verdict(const CommandContext& context, const json::object& answer, bool proven) {
  const bool well =
      is_true(answer, "verdict.well") && !(proven && !rows(answer, "verdict.not_proven").empty());
  if (context.json) return well ? kOk : kNotWatched;
  for (const json::value& line : rows(answer, "verdict.missing"))
    context.out << "not watched: " << cell(&line) << "\n";
  if (const auto n = rows(answer, "verdict.not_proven").size(); n > 0)
    context.out << n << " not proven\n";
  print_way_on(context, answer);
  return well ? kOk : kNotWatched;
}

}  // namespace vmirror
