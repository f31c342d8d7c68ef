// `vmirror analyze`: capture files through the production pipeline.
#include "agent/engine/worker/analyze.hpp"

#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <charconv>

#include "agent/api/routes.hpp"
#include "agent/cli/analyze_options.hpp"
#include "agent/cli/bpf_filter.hpp"
#include "agent/cli/command.hpp"
#include "agent/cli/table.hpp"
#include "agent/engine/worker/json.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

Result<std::shared_ptr<const Dissectors>> select_dissectors(const std::string& list) {
  std::vector<std::string> names;
  boost::split(names, list, boost::is_any_of(","));
  auto selected = Dissectors::select(names);
  if (!selected)
    return fail(selected.error().kind, selected.error().what, "--protocols",
                selected.error().remedy);
  return std::make_shared<const Dissectors>(std::move(*selected));
}

/// `-` is standard output, or input.
std::string path_of(const std::string& name, const char* standard) {
  return name == "-" ? standard : name;
}
constexpr std::uint64_t kMostLearning = 1'000'000'000;  ///< Seconds.
constexpr const char *kStandardInput = "/dev/stdin", *kStandardOutput = "/dev/stdout";

void print_report(const CommandContext& context, std::ostream& out, const AnalyzeReport& report) {
  const json::object object = to_json(report);
  const EngineSnapshot& snapshot = report.snapshot;
  const FrameCounters frames = snapshot.frames();
  out << count(report.packets, "packet") << ", " << count(report.bytes, "byte") << ", "
      << count(report.flows, "flow") << ", " << count(snapshot.assets.size(), "asset") << ", "
      << cell(object.if_contains("cpu_seconds")) << " s of CPU\n";
  out << "received " << frames.received << " = analysed " << frames.analysed << " + held "
      << frames.held;
  for (std::size_t i = 0; i < kDropKinds; ++i)
    if (frames.dropped[i] != 0)
      out << " + " << to_text(static_cast<Drop>(i)) << " " << frames.dropped[i];
  out << "\n";
  for (const InputSnapshot& input : snapshot.inputs) {
    for (const std::string& warning : input.warnings) out << "warning: " << warning << "\n";
    if (input.error) out << "error: " << input.error->text() << "\n";
  }
  const auto counts = [&](const char* title, const char* key) {
    const auto* member = object.if_contains(key);
    if (member == nullptr || !member->is_object()) return;
    json::array rows;
    for (const auto& [name, count] : member->get_object())
      if (!count.is_number() || count.to_number<double>() != 0)
        rows.push_back(json::object{{"name", name}, {"count", count}});
    if (rows.empty()) return;
    const Column columns[] = {{"name", title}, {"count", "COUNT"}};
    out << "\n";
    print_table(out, rows, columns, {context.colour, 0, false});
  };
  counts("DECAPSULATED", "decapsulated");
  counts("PROTOCOL", "protocols");
  counts("MALFORMED", "malformed");
  counts("NOT UNDERSTOOD", "not_understood");
  if (!snapshot.assets.empty())
    out << "\n`vmirror assets FILE` lists the assets, `vmirror flows FILE` the flows\n";
  if (snapshot.findings.empty()) return;
  constexpr Column kFindings[] = {{"kind", "FINDING"}, {"severity", "SEVERITY"}, {"by", "BY"},
                                  {"on", "ON"},        {"count", "COUNT"},       {"first", "FIRST"},
                                  {"source", "SOURCE"}};
  out << "\n";
  print_table(out, object.at("findings").as_array(), kFindings, {context.colour, 0, false});
}

int analyze_files(const CommandContext& context, const AnalyzeArguments& arguments) {
  auto made = pipeline_options(arguments);
  if (!made) return report(context, made.error());
  PipelineOptions& options = *made;
  options.findings.emplace();
  if (arguments.learn >= 0) options.findings->learning = arguments.learn * kSecond;
  std::unique_ptr<LineSinks> sinks;
  const std::string eve = path_of(arguments.eve, kStandardOutput);
  if (!eve.empty()) {
    SinkOptions sink_options{FileOutput{eve, 0, 0}};
    sink_options.drain = std::chrono::minutes(1);
    sink_options.wait = true;
    auto opened = LineSinks::open({std::move(sink_options)});
    if (!opened) return report(context, opened.error());
    sinks = std::move(*opened);
    options.eve.sinks = sinks.get();
  }
  std::function<void(std::uint64_t)> progress;
  if (context.progress)
    progress = [&](std::uint64_t frames) {
      context.err << "\r" << frames / 1'000'000 << " million packets" << std::flush;
    };
  const auto analysed = analyze_arguments(arguments, std::move(options), progress);
  if (context.progress) context.err << "\r\033[K";
  if (!analysed) return report(context, analysed.error());
  std::optional<Error> fault = analysed->snapshot.inputs.front().error;
  if (sinks) {
    sinks->stop();
    const SinkStatus written = sinks->status().front();
    if (written.lost_total() > 0)
      fault = written.error.value_or(Error{Error::Kind::refused,
                                           count(written.lost_total(), "event") + " not written",
                                           eve, "write to a disk that has room"});
  }
  // Events on standard output leave no room for the report there.
  std::ostream& out = eve == kStandardOutput ? context.err : context.out;
  if (context.json) {
    json::object object = to_json(*analysed);
    if (fault) object["error"] = to_json(*fault);  // One object, whatever went wrong.
    out << json::serialize(object) << "\n";
  } else {
    print_report(context, out, *analysed);
  }
  return fault ? say(context, *fault) : kOk;
}

}  // namespace

void add_analyze_options(CLI::App& command, AnalyzeArguments& arguments) {
  command
      .add_option("FILE", arguments.files,
                  "pcap or pcapng files, also gzip, read in this order; -: standard input")
      ->required();
  command.add_option(
      "--filter", arguments.filter,
      "Read only frames that this libpcap expression takes, as they are in the file");
  command.add_option("--protocols", arguments.protocols, "none, all, or names joined by commas")
      ->capture_default_str();
  command.add_option("--session", arguments.sessions,
                     "Take only the copies of these mirroring sessions");
  command.add_option("--rspan-vlan", arguments.rspan_vlan, "Frames of this VLAN are RSPAN copies")
      ->check(CLI::Range(1, 4094));
  command.add_option("--udp-port", arguments.udp_ports,
                     "Another UDP port of an encapsulation: hp_erm=9300, vxlan=5000");
  command
      .add_option("--identity", arguments.identity,
                  "What tells flows and assets apart beside addresses: vlan, overlay, session, "
                  "sender (default: vlan,overlay)")
      ->delimiter(',');
  command.add_flag("--encapsulated-only", arguments.encapsulated_only,
                   "Drop frames without an encapsulation as not_mirrored");
}

namespace {

/// "vxlan=5000"
Result<void> add_udp_port(const std::string& text, UdpCarriers& to) {
  const std::size_t at = text.find('=');
  const Encapsulation carried = parse_in_udp(std::string_view(text).substr(0, at));
  unsigned port = 0;
  const char* end = text.data() + text.size();
  if (at != std::string::npos && carried != Encapsulation::none) {
    const auto [stop, error] = std::from_chars(text.data() + at + 1, end, port);
    if (error == std::errc() && stop == end && port > 0 && port <= 65535) {
      to.set(static_cast<std::uint16_t>(port), carried);
      return {};
    }
  }
  std::string names;
  for (const Encapsulation known : kInUdp)
    names += std::string(names.empty() ? "" : ", ") + to_text(known);
  return tl::unexpected(Error{Error::Kind::invalid,
                              "`" + text + "` is not an encapsulation and its port", "--udp-port",
                              "write ENCAPSULATION=PORT; encapsulations: " + names});
}

}  // namespace

Result<AnalyzeReport> analyze_arguments(const AnalyzeArguments& arguments, PipelineOptions options,
                                        const std::function<void(std::uint64_t)>& progress) {
  std::function<bool(const Frame&)> wanted;
  if (!arguments.filter.empty()) {
    auto filter = make_bpf_filter(arguments.filter);
    if (!filter) return tl::unexpected(filter.error());
    wanted = std::move(*filter);
  }
  std::vector<std::string> files;
  for (const std::string& file : arguments.files) files.push_back(path_of(file, kStandardInput));
  return analyze(files, std::move(options), progress, wanted);
}

Result<PipelineOptions> pipeline_options(const AnalyzeArguments& arguments) {
  PipelineOptions options;
  options.input_name = arguments.files.front();
  options.decap.accept_bare = !arguments.encapsulated_only;
  options.decap.sessions.insert(arguments.sessions.begin(), arguments.sessions.end());
  for (const std::string& text : arguments.udp_ports) {
    const auto done = add_udp_port(text, options.decap.udp);
    if (!done) return tl::unexpected(done.error());
  }
  if (arguments.rspan_vlan != 0)
    options.decap.rspan_vlan = static_cast<std::uint16_t>(arguments.rspan_vlan);
  if (!arguments.identity.empty()) {
    const auto identity = parse_identity(arguments.identity);
    if (!identity)
      return fail(identity.error().kind, identity.error().what, "--identity",
                  identity.error().remedy);
    options.identity = *identity;
  }
  auto dissectors = select_dissectors(arguments.protocols);
  if (!dissectors) return tl::unexpected(dissectors.error());
  options.dissectors = *dissectors;
  // Without the registry there are no vendors; nothing else is lost.
  if (auto vendors = Vendors::load())
    options.vendors = std::make_shared<const Vendors>(std::move(*vendors));
  return options;
}

void add_analyze(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* command = app.add_subcommand(
      "analyze", "Analyse capture files with the daemon's pipeline, and print the counters");
  auto arguments = std::make_shared<AnalyzeArguments>();
  add_analyze_options(*command, *arguments);
  command->add_flag("--json", context.json, "Print one JSON object");
  command->add_option("--eve", arguments->eve,
                      "Write events to this file as EVE JSON lines; -: to standard output, and the "
                      "report to standard error");
  command
      ->add_option("--learn", arguments->learn,
                   "Seconds from the first frame in which all devices, servers and masters that "
                   "are seen are known; who comes later is a finding (default: 86400)")
      ->check(whole_number(0, kMostLearning));
  command->footer("Example: vmirror analyze --protocols dns,modbus --eve eve.json mirror.pcap");
  command->callback([&, arguments] { exit = analyze_files(context, *arguments); });
}

}  // namespace vmirror
