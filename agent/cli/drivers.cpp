// `vmirror drivers`: the kinds of virtual switch that this version drives.
#include "agent/cli/command.hpp"
#include "agent/cli/table.hpp"
#include "plugin/registry.hpp"

namespace vmirror {

namespace json = boost::json;

void add_drivers(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* command = app.add_subcommand("drivers", "List the kinds of virtual switches");
  command->add_flag("--json", context.json, "Print one JSON object");
  command->footer("Example: vmirror drivers");
  command->callback([&] {
    json::array rows;
    for (const DriverInfo& driver : drivers())
      rows.push_back(json::object{{"name", driver.name}, {"summary", driver.summary}});
    if (context.json) {
      print_json(context, {{"drivers", rows}});
    } else {
      constexpr Column kColumns[] = {{"name", "DRIVER"}, {"summary", "SUMMARY"}};
      print_table(context.out, rows, kColumns, {context.colour, context.width, false});
    }
    exit = kOk;
  });
}

}  // namespace vmirror
