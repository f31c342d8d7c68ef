// `vmirror check`: the table of agent/report/check.hpp over the daemon's answers, or over a capture
// file.
#include "agent/report/check.hpp"

#include <chrono>
#include <thread>

#include "agent/cli/asking.hpp"
#include "agent/cli/offline.hpp"
#include "agent/engine/dissect/dissectors.hpp"
#include "agent/engine/worker/json.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

Result<CheckEvidence> ask_evidence(const CommandContext& context, double seconds) {
  CheckEvidence out;
  auto before = ask_daemon(context, "/v1/status");
  if (!before) return tl::unexpected(before.error());
  if (seconds > 0) {
    out.before = std::move(*before);
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    before = ask_daemon(context, "/v1/status");
    if (!before) return tl::unexpected(before.error());
  }
  out.after = std::move(*before);
  const auto flows = ask_daemon(context, "/v1/flows"), assets = ask_daemon(context, "/v1/assets");
  for (const auto* answer : {&flows, &assets})
    if (!*answer) return tl::unexpected(answer->error());
  out.flows = rows(*flows, "flows");
  out.assets = rows(*assets, "assets");
  return out;
}

/// A flow event of EVE in the form of the daemon's flows.
json::object flow_of_event(const json::object& event) {
  const auto number = [&](const char* key) {
    const auto* value = find(event, key);
    return value != nullptr && value->is_number() ? *value : json::value(0);
  };
  return {{"client",
           {{"mac", text(event, "ether.src_mac")},
            {"ip", text(event, "src_ip")},
            {"port", number("src_port")},
            {"packets", number("flow.pkts_toserver")}}},
          {"server",
           {{"mac", text(event, "ether.dest_mac")},
            {"ip", text(event, "dest_ip")},
            {"port", number("dest_port")},
            {"packets", number("flow.pkts_toclient")}}},
          {"protocol", text(event, "proto") == "TCP" ? 6 : 0},
          {"app_proto", find(event, "app_proto") != nullptr ? *find(event, "app_proto") : nullptr}};
}

/// The engine's table of flows is empty after a file: their events tell of them.
Result<CheckEvidence> read_evidence(const std::string& file) {
  constexpr std::size_t kMostFlows = 100'000;
  CheckEvidence out;
  const auto report = analyze_flows({file}, [&](const json::object& event) {
    if (out.flows.size() < kMostFlows) out.flows.push_back(flow_of_event(event));
  });
  if (!report) return tl::unexpected(report.error());
  out.after = to_json(report->snapshot);
  out.assets = rows(out.after, "assets");
  return out;
}

int print_findings(const CommandContext& context, const std::vector<CheckFinding>& findings) {
  const json::object object = to_json(findings);
  if (context.json) {
    print_json(context, object);
  } else {
    constexpr Column kColumns[] = {
        {"id", "CHECK"}, {"verdict", "VERDICT"}, {"evidence", "EVIDENCE"}, {"remedy", "REMEDY"}};
    print_table(context.out, rows(object, "findings"), kColumns, style(context));
    context.out << "\n"
                << text(object, "fail") << " fail, " << text(object, "warn") << " warn, "
                << text(object, "pass") << " pass, " << text(object, "not_told") << " not told\n";
  }
  return is_true(object, "well") ? kOk : kNotWatched;
}

}  // namespace

void add_check(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* command = declare(app, context, "check",
                              "Check what the sensor gets, as guides of sensor vendors ask for: "
                              "each check passes, warns or "
                              "fails, with its evidence and remedy. Exit code 2: one fails",
                              "vmirror check --for 60 --expect modbus");
  auto file = std::make_shared<std::string>();
  auto seconds = std::make_shared<double>(0);
  auto expected = std::make_shared<std::vector<std::string>>();
  auto* capture = command->add_option("FILE", *file, "A capture file, instead of the daemon");
  command
      ->add_option("--for", *seconds,
                   "Seconds to look for: counters are those of this time, not of the daemon's life")
      ->check(seconds_from_zero())
      ->excludes(capture);
  command
      ->add_option(
          "--expect", *expected,
          "Protocols that must be seen, such as modbus,s7comm: the check `expected-protocols`")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->callback([&, file, seconds, expected] {
    if (const auto known = Dissectors::select(*expected); !known) {
      exit = report(context,
                    {known.error().kind, known.error().what, "--expect", known.error().remedy});
      return;
    }
    auto evidence = file->empty() ? ask_evidence(context, *seconds) : read_evidence(*file);
    if (evidence) evidence->expected = *expected;
    exit = evidence ? print_findings(context, run_checks(*evidence))
                    : report(context, evidence.error());
  });
}

}  // namespace vmirror
