#include "agent/cli/listing.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "agent/control/policy/yaml.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kMostRows = 1'000'000'000;

/// "KEY=GLOB" or "KEY!=GLOB" taken apart; `key` is empty for text that any cell may have.
struct Condition {
  std::string key, text;
  bool no = false;
};

Condition parse_condition(const std::string& filter) {
  const std::size_t at = filter.find('=');
  if (at == filter.npos || at == 0) return {{}, filter, false};
  const bool no = filter[at - 1] == '!';
  return {filter.substr(0, at - (no ? 1 : 0)), filter.substr(at + 1), no};
}

bool holds(const Condition& condition, const json::object& row) {
  if (!condition.key.empty())
    return (::fnmatch(condition.text.c_str(), cell(find(row, condition.key)).c_str(), 0) == 0) !=
           condition.no;
  return std::ranges::any_of(row, [&](const auto& member) {
    return cell(&member.value()).find(condition.text) != std::string::npos;
  });
}

/// An error where the table has no such column, and no row has the key.
Result<void> check_key(const json::array& rows, std::span<const Column> columns,
                       const std::string& key) {
  if (rows.empty() || std::ranges::find(columns, key, &Column::key) != columns.end()) return {};
  std::vector<std::string> known;
  for (const Column& column : columns) known.emplace_back(column.key);
  for (const json::value& row : rows) {
    if (find(row.as_object(), key) != nullptr) return {};
    for (const auto& member : row.as_object()) known.emplace_back(member.key());
  }
  const std::string near = yaml::nearest(key, {known.begin(), known.end()});
  return fail(Error::Kind::invalid, "no row has the key `" + key + "`", "",
              near.empty() ? "see the keys with -o json" : "did you mean `" + near + "`?");
}

bool is_less(const json::value* a, const json::value* b) {
  const auto is_number = [](const json::value* v) { return v != nullptr && v->is_number(); };
  if (is_number(a) && is_number(b)) return a->to_number<double>() < b->to_number<double>();
  return cell(a) < cell(b);
}

}  // namespace

void add_view_options(CLI::App& command, CommandContext& context, ListingOptions& options,
                      const ListingForm* also) {
  std::vector<std::string> outputs{"table", "wide", "json"};
  std::string help = "table: lines are cut to the terminal; wide: nothing is cut; json: as --json";
  if (also != nullptr) {
    outputs.emplace_back(also->name);
    help += std::string("; ") + also->name + ": " + also->help;
  }
  command
      .add_option_function<std::string>(
          "-o,--output",
          [&](const std::string& output) {
            options.output = output;
            context.json = context.json || output == "json";
          },
          help)
      ->check(one_of(std::move(outputs)));
  command.add_option("--watch", options.watch, "Show it again every SECONDS, until a signal")
      ->check(seconds_above_zero())
      ->type_name("SECONDS");
}

CLI::App* declare_listing(CLI::App& app, CommandContext& context, ListingOptions& options,
                          const char* name, const char* description, const char* example,
                          const ListingForm* also) {
  CLI::App* command = declare(app, context, name, description, example);
  add_view_options(*command, context, options, also);
  command->add_option("--sort", options.sort,
                      "Sort by this key of the JSON; -KEY: the greatest first (--sort=-KEY)");
  command->add_option("--limit", options.limit, "Show at most so many rows; 0: all (default)")
      ->check(whole_number(0, kMostRows));
  command
      ->add_option("--filter", options.filters,
                   "Rows whose KEY matches: KEY=GLOB or KEY!=GLOB; or that have this text")
      ->expected(1)
      ->take_all();
  return command;
}

int watched(const CommandContext& context, const ListingOptions& options,
            const std::function<int()>& once) {
  if (options.watch <= 0) return once();
  for (;;) {
    if (context.width > 0 && !context.json) context.out << "\033[H\033[2J";
    once();
    context.out.flush();
    if (!context.out) return kFailed;
    std::this_thread::sleep_for(std::chrono::duration<double>(options.watch));
  }
}

Result<json::array> chosen_rows(const json::array& rows, std::span<const Column> columns,
                                const ListingOptions& options) {
  std::vector<Condition> conditions;
  for (const std::string& filter : options.filters) {
    conditions.push_back(parse_condition(filter));
    if (conditions.back().key.empty()) continue;
    if (const auto good = check_key(rows, columns, conditions.back().key); !good)
      return tl::unexpected(good.error());
  }
  json::array out;
  for (const json::value& row : rows)
    if (std::ranges::all_of(conditions,
                            [&](const Condition& c) { return holds(c, row.as_object()); }))
      out.push_back(row);
  if (!options.sort.empty()) {
    const bool down = options.sort.front() == '-';
    const std::string key = options.sort.substr(down ? 1 : 0);
    if (const auto good = check_key(rows, columns, key); !good) return tl::unexpected(good.error());
    std::ranges::stable_sort(out, [&](const json::value& a, const json::value& b) {
      const auto *x = find(a.as_object(), key), *y = find(b.as_object(), key);
      return down ? is_less(y, x) : is_less(x, y);
    });
  }
  if (options.limit > 0 && out.size() > options.limit)
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(options.limit), out.end());
  return out;
}

int list(const CommandContext& context, const ListingOptions& options, const Listing& listing) {
  return watched(context, options, [&]() -> int {
    auto answer = listing.answer ? listing.answer() : ask_daemon(context, listing.target);
    if (!answer) return report(context, answer.error());
    const bool as_other = listing.also != nullptr && options.output == listing.also->name;
    const bool as_table = !context.json && !as_other && listing.table_rows;
    auto chosen = chosen_rows(as_table ? listing.table_rows(*answer) : rows(*answer, listing.key),
                              listing.columns, options);
    if (!chosen) return report(context, chosen.error());
    (*answer)[listing.key] = *chosen;
    if (context.json) {
      print_json(context, *answer);
    } else if (as_other) {
      context.out << listing.also->text(*chosen);
    } else {
      print_table(
          context.out, *chosen, listing.columns,
          {context.colour, options.output == "wide" ? 0 : context.width, options.output == "wide"});
    }
    return listing.after ? listing.after(*answer) : kOk;
  });
}

}  // namespace vmirror
