// `vmirror check`: the table of agent/report/check.hpp over the daemon's answers, or over a capture
// file.
#include "agent/report/check.hpp"

#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/cli/analyze_options.hpp"
#include "agent/cli/asking.hpp"
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

/// A folder for events that goes with everything in it.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::error_code ignored;
    std::string form = (std::filesystem::temp_directory_path(ignored) / "vmirror-check-XXXXXX");
    if (::mkdtemp(form.data()) != nullptr) path_ = form;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

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

/// The flows of a capture, from its events: the engine's table is empty after a file.
json::array flows_of_events(const std::string& path) {
  constexpr std::size_t kMostFlows = 100'000;
  json::array out;
  std::ifstream in(path);
  for (std::string line; out.size() < kMostFlows && std::getline(in, line);) {
    json::error_code error;
    const json::value event = json::parse(line, error);
    if (!error && event.is_object() && text(event.get_object(), "event_type") == "flow")
      out.push_back(flow_of_event(event.get_object()));
  }
  return out;
}

Result<CheckEvidence> read_evidence(const std::string& file) {
  AnalyzeArguments arguments;
  arguments.files = {file};
  auto options = pipeline_options(arguments);
  if (!options) return tl::unexpected(options.error());
  const ScratchFolder scratch;
  const std::string eve = scratch.path() + "/eve.json";
  SinkOptions sink{FileOutput{eve, 0, 0}};
  sink.drain = std::chrono::minutes(1);
  sink.wait = true;
  auto sinks = LineSinks::open({std::move(sink)});
  if (!sinks) return tl::unexpected(sinks.error());
  options->eve.sinks = sinks->get();
  const auto report = analyze_arguments(arguments, std::move(*options), {});
  if (!report) return tl::unexpected(report.error());
  (*sinks)->stop();
  CheckEvidence out;
  out.after = to_json(report->snapshot);
  out.flows = flows_of_events(eve);
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
