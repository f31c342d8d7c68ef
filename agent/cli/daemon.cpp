// The commands that show what the daemon knows: status, sessions, locations, migrations, assets,
// flows, findings, explain.
#include <algorithm>
#include <set>

#include "agent/api/routes.hpp"
#include "agent/cli/listing.hpp"
#include "agent/cli/netbox.hpp"
#include "agent/cli/offline.hpp"
#include "agent/cli/store.hpp"
#include "agent/control/policy/yaml.hpp"
#include "agent/model/uuid.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

constexpr Column kSessionColumns[] = {{"name", "SESSION"},
                                      {"vm", "VM", false, 4},
                                      {"policy", "POLICY", false, 3},
                                      {"direction", "DIRECTION", false, 2},
                                      {"filtered", "FILTERED", true},
                                      {"mirror", "MIRROR", true},
                                      {"output", "OUTPUT", true},
                                      {"session_id", "ID", false, 1},
                                      {"copied_frames", "COPIED", true},
                                      {"state_text", "STATE"},
                                      {"reason", "REASON"}};

constexpr Column kFindingColumns[] = {
    {"kind", "KIND"},     {"severity", "SEVERITY", true}, {"by", "BY"},       {"on", "ON"},
    {"state", "STATE"},   {"count", "COUNT", true},       {"first", "FIRST"}, {"last", "LAST"},
    {"source", "SOURCE"}, {"technique", "TECHNIQUE"}};

/// The sessions as kSessionColumns show them: the reason ends with the warnings.
json::array session_rows(const json::object& answer) {
  json::array out = rows(answer, "sessions");
  for (json::value& row : out) {
    json::object& session = row.as_object();
    for (const json::value& warning : rows(session, "warnings"))
      session["reason"] = text(session, "reason") + "; warning: " + cell(&warning);
  }
  return out;
}

/// "received 812 = analysed 800 + held 0 + kernel 12"
std::string equation(const json::object& frames) {
  std::string out = "received " + text(frames, "received") + " = analysed " +
                    text(frames, "analysed") + " + held " + text(frames, "held");
  if (const auto* dropped = frames.if_contains("dropped"); dropped && dropped->is_object())
    for (const auto& [kind, count] : dropped->get_object())
      if (count.to_number<std::uint64_t>() != 0)
        out += " + " + std::string(kind) + " " + cell(&count);
  return out;
}

void print_errors(const CommandContext& context, const json::object& status) {
  for (const char* key : {"switch.error", "policy_error", "reconcile.error"})
    if (const auto* error = find(status, key); error != nullptr && error->is_object()) {
      const json::object& e = error->get_object();
      context.out << (context.colour ? "\033[31m" : "") << key << ": " << text(e, "where") << ": "
                  << text(e, "what") << " (" << text(e, "remedy") << ")"
                  << (context.colour ? "\033[0m" : "") << "\n";
    }
}

/// Each input's frames by the equation, and the mirroring sessions that it takes copies of.
void print_inputs(const CommandContext& context, const json::object& status) {
  heading(context, "Inputs");
  json::array sessions, senders;
  for (const json::value& input : rows(status, "inputs")) {
    const json::object& o = input.as_object();
    const auto* frames = find(o, "frames");
    context.out << text(o, "name") << ": "
                << (frames != nullptr && frames->is_object() ? equation(frames->get_object()) : "-")
                << "\n";
    for (const json::value& warning : rows(o, "warnings"))
      context.out << "  warning: " << cell(&warning) << "\n";
    if (const auto* error = find(o, "error")) context.out << "  error: " << cell(error) << "\n";
    for (const json::value& session : rows(o, "sessions")) {
      json::object row = session.as_object();
      row["input"] = o.at("name");
      sessions.push_back(std::move(row));
    }
    for (const json::value& sender : rows(o, "senders")) {
      json::object row = sender.as_object();
      row["input"] = o.at("name");
      senders.push_back(std::move(row));
    }
  }
  if (const auto* frames = find(status, "frames"); frames != nullptr && frames->is_object())
    context.out << "all: " << equation(frames->get_object()) << "\n";
  if (sessions.empty()) return;
  heading(context, "Copies received");
  constexpr Column kColumns[] = {
      {"input", "INPUT"},         {"encapsulation", "ENCAPSULATION"}, {"session", "ID"},
      {"sender", "SENDER"},       {"received", "RECEIVED"},           {"lost", "LOST"},
      {"reordered", "REORDERED"}, {"duplicate", "DUPLICATE"},         {"restarts", "RESTARTS"},
      {"rule", "COUNTED"},        {"truncated", "TRUNCATED"},         {"accepted", "ACCEPTED"}};
  print_table(context.out, sessions, kColumns, style(context));
  if (senders.empty()) return;
  heading(context, "Senders with several sessions");
  constexpr Column kOfSenders[] = {{"input", "INPUT"},         {"encapsulation", "ENCAPSULATION"},
                                   {"sender", "SENDER"},       {"sessions", "SESSIONS"},
                                   {"lost", "LOST"},           {"reordered", "REORDERED"},
                                   {"duplicate", "DUPLICATE"}, {"restarts", "RESTARTS"},
                                   {"rule", "COUNTED"}};
  print_table(context.out, senders, kOfSenders, style(context));
}

/// ": why", where the object has a reason or an error there; else "".
std::string because(const json::object& object, const char* key) {
  const std::string why = text(object, key);
  return why == "-" ? "" : ": " + why;
}

/// libvirt and its hook.
void print_hypervisor(const CommandContext& context, const json::object& status) {
  if (const std::string state = text(status, "libvirt.state"); state != "none" && state != "-")
    context.out << "libvirt " << text(status, "libvirt.uri") << " " << state << ", "
                << counted(status, "libvirt.guests", "guest") << because(status, "libvirt.error")
                << "\n";
  const auto* hook = find(status, "hook");
  if (hook == nullptr || !hook->is_object()) return;
  context.out << "libvirt's hook: " << counted(status, "hook.calls", "call") << ", "
              << text(status, "hook.refused") << " refused, " << text(status, "hook.missed")
              << " missed" << because(status, "hook.error") << "\n";
}

/// Migrations and the sensor that follows its guests.
void print_following(const CommandContext& context, const json::object& status) {
  if (const auto* m = find(status, "migrations"); m != nullptr && m->is_object()) {
    context.out << "migrations: " << text(status, "migrations.finished.done") << " done, "
                << text(status, "migrations.finished.aborted") << " aborted, "
                << text(status, "migrations.finished.lost") << " lost; gap "
                << counted(status, "migrations.gap_frames", "frame") << ", unknown for "
                << text(status, "migrations.gap_unknown") << "\n";
    if (const std::string why = because(status, "migrations.journal_error"); !why.empty())
      context.out << "the records of migrations can't be kept" << why << "\n";
  }
  if (text(status, "sensor.vm") != "-")
    context.out << "sensor " << text(status, "sensor.vm") << " " << text(status, "sensor.decision")
                << because(status, "sensor.error") << "\n";
}

/// Only what is less than it might be.
void print_privileges(const CommandContext& context, const json::object& status) {
  for (const auto& [key, name] : {std::pair("privileges.system_calls", "limits of system calls"),
                                  {"privileges.files", "limits of files"}})
    if (const std::string told = text(status, key); told != "-" && told != "in force")
      context.out << name << ": " << told << "\n";
}

/// The hypervisor, the other hosts' agents, migrations: a line each, where there is one.
void print_neighbours(const CommandContext& context, const json::object& status) {
  print_hypervisor(context, status);
  for (const json::value& peer : rows(status, "peers.hosts")) {
    const json::object& p = peer.as_object();
    context.out << "agent of " << text(p, "host") << " " << text(p, "state")
                << (text(p, "encrypted") == "true" ? "" : ", not encrypted") << because(p, "reason")
                << "\n";
  }
  print_following(context, status);
}

/// Why a device that nobody knew is no finding yet.
void print_learning(const CommandContext& context, const json::object& status) {
  if (is_true(status, "findings.learning"))
    context.out << "learning until " << text(status, "findings.learns_until").substr(0, 19)
                << "Z: a device that is seen before then makes no finding\n";
}

/// One line, where there are findings, and one while the engine learns.
void print_findings(const CommandContext& context, const json::object& status) {
  const std::string begun = text(status, "findings.begun");
  if (begun != "-" && begun != "0")
    context.out << counted(status, "findings.begun", "finding") << ": see `vmirror findings`\n";
  print_learning(context, status);
}

/// One line: is all well?
void print_summary(const CommandContext& context, const json::object& status) {
  if (text(status, "switch.state") == "none") return;  // Nobody asks a collector for mirrors.
  const bool well = is_true(status, "verdict.well");
  context.out << (!context.colour ? ""
                  : well          ? "\033[32m"
                                  : "\033[31m")
              << (well ? "all that is asked for is watched: " : "not all is watched: ")
              << text(status, "verdict.summary") << (context.colour ? "\033[0m" : "") << "\n";
  print_way_on(context, status);
}

void print_status(const CommandContext& context, const json::object& status) {
  print_summary(context, status);
  context.out << "host " << text(status, "host") << ", up " << text(status, "uptime_seconds")
              << " s, ";
  if (text(status, "switch.state") == "none")
    context.out << "drives no switch\n";
  else
    context.out << text(status, "switch.version") << " " << text(status, "switch.state") << "\n";
  print_privileges(context, status);
  print_neighbours(context, status);
  print_findings(context, status);
  print_errors(context, status);
  heading(context, "Policies");
  constexpr Column kPolicies[] = {
      {"name", "POLICY"}, {"sessions", "SESSIONS"}, {"state", "STATE"}, {"reason", "REASON"}};
  print_table(context.out, rows(status, "policies"), kPolicies, style(context));
  heading(context, "Sessions");
  print_table(context.out, session_rows(status), kSessionColumns, style(context));
  if (const json::array& budgets = rows(status, "budgets"); !budgets.empty()) {
    heading(context, "Budgets");
    constexpr Column kBudgets[] = {{"name", "BUDGET"},
                                   {"bits_per_second", "BITS/S"},
                                   {"used_bits_per_second", "USED"},
                                   {"asked_bits_per_second", "ASKED"},
                                   {"frames_per_second", "FRAMES/S"},
                                   {"used_frames_per_second", "USED"},
                                   {"asked_frames_per_second", "ASKED"},
                                   {"truncated", "TRUNCATED"},
                                   {"dropped", "DROPPED"}};
    print_table(context.out, budgets, kBudgets, style(context));
  }
  heading(context, "Coverage");
  constexpr Column kCoverage[] = {{"port", "PORT"},         {"vm", "VM"},
                                  {"mac", "MAC", false, 1}, {"received", "RECEIVED"},
                                  {"counted", "COUNTED"},   {"ratio", "RATIO"},
                                  {"warnings", "WARNINGS"}};
  print_table(context.out, rows(status, "coverage"), kCoverage, style(context));
  print_inputs(context, status);
  json::array used;
  for (const json::value& limit : rows(status, "limits"))
    if (text(limit.as_object(), "used") != "0" || text(limit.as_object(), "overflow") != "0")
      used.push_back(limit);
  if (used.empty()) return;
  heading(context, "Limits");
  constexpr Column kLimits[] = {{"name", "LIMIT"},
                                {"used", "USED"},
                                {"limit", "OF"},
                                {"unit", "UNIT"},
                                {"overflow", "OVERFLOWS"}};
  print_table(context.out, used, kLimits, style(context));
}

constexpr Column kMigrationColumns[] = {{"vm", "VM"},
                                        {"from", "FROM"},
                                        {"to", "TO"},
                                        {"state", "STATE"},
                                        {"started", "STARTED"},
                                        {"downtime_ms", "DOWNTIME MS"},
                                        {"gap_frames", "GAP FRAMES"},
                                        {"gap_ms", "GAP MS"},
                                        {"duplicates", "DUPLICATES"},
                                        {"handover.state", "HANDOVER"},
                                        {"notes", "NOTES"}};

/// One migration's steps in the order of their times, each by the clock of the host that saw it.
void print_steps(const CommandContext& context, const json::object& migration) {
  heading(context, text(migration, "id").c_str());
  struct Step {
    const char *key, *host, *words;
  };
  constexpr Step kSteps[] = {
      {"port_added", "to", "port added"},          {"mirror_active", "to", "mirror active"},
      {"suspended", "from", "guest suspended"},    {"last_frame", "from", "last frame there"},
      {"resumed", "to", "guest resumed"},          {"first_frame", "to", "first frame here"},
      {"mirror_removed", "from", "mirror removed"}};
  std::vector<std::pair<std::string, const Step*>> seen;
  for (const Step& step : kSteps)
    if (const auto* at = migration.if_contains(step.key); at != nullptr && at->is_string())
      seen.emplace_back(std::string(at->get_string()), &step);
  std::ranges::stable_sort(seen, {}, [](const auto& step) { return step.first; });
  json::array lines;
  for (const auto& [at, step] : seen)
    lines.push_back({{"at", at}, {"host", text(migration, step->host)}, {"step", step->words}});
  constexpr Column kColumns[] = {{"at", "AT"}, {"host", "HOST"}, {"step", "STEP"}};
  print_table(context.out, lines, kColumns, style(context));
  for (const json::value& note : rows(migration, "notes"))
    context.out << "note: " << cell(&note) << "\n";
}

/// An error where no NIC here is, or was, of a guest of this name. A UUID is taken as it is: its
/// guest may be on another host.
Result<void> check_guest(const CommandContext& context, const std::string& name) {
  if (is_uuid(name)) return {};
  const auto answer = ask_daemon(context, "/v1/locations");
  if (!answer) return tl::unexpected(answer.error());
  std::set<std::string> known;
  for (const json::value& location : rows(*answer, "locations"))
    for (const char* key : {"vm", "vm_uuid"}) known.insert(text(location.as_object(), key));
  if (known.contains(name)) return {};
  const std::string near = yaml::nearest(name, {known.begin(), known.end()});
  return fail(Error::Kind::missing, "no guest here is called so, and no migration is of one", name,
              near.empty() ? "see `vmirror locations`" : "did you mean `" + near + "`?");
}

int show_migrations(const CommandContext& context, const std::string& vm) {
  const auto answer = ask_daemon(context, "/v1/migrations" + (vm.empty() ? "" : "/" + in_path(vm)));
  if (!answer) return report(context, answer.error());
  const json::array& migrations = rows(*answer, "migrations");
  if (!vm.empty() && migrations.empty())
    if (const auto known = check_guest(context, vm); !known) return report(context, known.error());
  if (context.json) {
    print_json(context, *answer);
    return kOk;
  }
  print_table(context.out, migrations, kMigrationColumns, style(context));
  if (!vm.empty())
    for (const json::value& migration : migrations) print_steps(context, migration.as_object());
  return kOk;
}

}  // namespace

void add_status(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* command =
      declare(app, context, "status",
              "Show the daemon's state: policies, sessions, coverage, inputs, limits. Exit code 2: "
              "something that is asked for is not watched",
              "vmirror status --watch 2");
  auto options = std::make_shared<ListingOptions>();
  add_view_options(*command, context, *options);
  command->callback([&, options] {
    exit = watched(context, *options, [&] {
      return show(context, "/v1/status", [&](const json::object& status) -> int {
        if (!context.json) print_status(context, status);
        return is_true(status, "verdict.well") ? kOk : kNotWatched;
      });
    });
  });
}

void add_sessions(CLI::App& app, CommandContext& context, int& exit) {
  auto options = std::make_shared<ListingOptions>();
  CLI::App* command =
      declare_listing(app, context, *options, "sessions",
                      "Show each session, its state and the reason. Exit code 2: something that is "
                      "asked for is not "
                      "watched",
                      "vmirror sessions --filter 'state!=active' --sort since -o wide");
  auto proven = std::make_shared<bool>(false);
  command->add_flag(
      "--proven", *proven,
      "Exit code 2 also for sessions that are ready without a trace, or active and not proven");
  auto all_hosts = std::make_shared<bool>(false);
  auto host = std::make_shared<std::string>();
  auto* all = command->add_flag("--all-hosts", *all_hosts,
                                "The sessions of all hosts, as these told the store");
  command->add_option("--host", *host, "With --all-hosts: of this host alone, or a glob")
      ->needs(all);
  command->callback([&, options, proven, all_hosts, host] {
    if (*all_hosts) {
      if (!host->empty()) options->filters.push_back("host=" + *host);
      exit = list_all_sessions(context, *options);
      return;
    }
    exit =
        list(context, *options,
             {"/v1/sessions", "sessions", kSessionColumns, session_rows,
              [&](const json::object& answer) { return print_verdict(context, answer, *proven); }});
  });
}

void add_locations(CLI::App& app, CommandContext& context, int& exit) {
  static constexpr Column kColumns[] = {{"vm", "VM"},
                                        {"mac", "MAC"},
                                        {"host", "HOST"},
                                        {"switch", "SWITCH"},
                                        {"port", "PORT"},
                                        {"network", "NETWORK"},
                                        {"presence", "PRESENCE"},
                                        {"since", "SINCE"},
                                        {"sessions", "SESSIONS"},
                                        {"mirrored_since", "MIRRORED SINCE"},
                                        {"not_mirrored", "NOT MIRRORED"},
                                        {"labels", "LABELS"}};
  auto options = std::make_shared<ListingOptions>();
  CLI::App* command = declare_listing(app, context, *options, "locations",
                                      "Show where each guest's NICs are, and were",
                                      "vmirror locations --filter presence=gone");
  command->callback([&context, &exit, options] {
    exit = list(context, *options, {"/v1/locations", "locations", kColumns});
  });
}

void add_migrations(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* command =
      declare(app, context, "migrations",
              "Show a record of each migration; with VM: the steps of the migrations of this guest",
              "vmirror migrations dc1");
  auto vm = std::make_shared<std::string>();
  command->add_option("VM", *vm, "The VM's name or UUID")->check(not_empty());
  command->callback([&, vm] { exit = show_migrations(context, *vm); });
}

namespace {

/// The assets of a table, with a key for their names.
json::array with_names(const json::object& answer) {
  json::array out = rows(answer, "assets");
  for (json::value& asset : out) asset.as_object()["names"] = host_names(asset.as_object());
  return out;
}

/// Capture files, which a command reads instead of asking the daemon.
std::shared_ptr<std::vector<std::string>> add_files(CLI::App& command) {
  auto out = std::make_shared<std::vector<std::string>>();
  command.add_option("FILE", *out, "Capture files, instead of the daemon; -: standard input")
      ->excludes(command.get_option("--watch"));
  return out;
}

/// Listing::answer: none where there are no files.
std::function<Result<json::object>()> from(
    const std::vector<std::string>& files,
    Result<json::object> (*read)(const std::vector<std::string>&)) {
  if (files.empty()) return {};
  return [files, read] { return read(files); };
}

/// Listing::after: a file that ends in the middle of a frame, or is corrupt.
std::function<int(const json::object&)> told_faults(const CommandContext& context) {
  return [&context](const json::object& answer) -> int {
    for (const json::value& warning : rows(answer, "warnings"))
      context.err << "warning: " << cell(&warning) << "\n";
    const json::value* error = find(answer, "error");
    return error != nullptr && error->is_object() ? say(context, error_from_json(*error)) : kOk;
  };
}

}  // namespace

void add_assets(CLI::App& app, CommandContext& context, int& exit) {
  static constexpr Column kColumns[] = {
      {"mac", "MAC"},     {"vendor", "VENDOR"},   {"ips", "IPS"},
      {"names", "NAMES"}, {"vm", "VM"},           {"vlans", "VLANS"},
      {"role", "ROLE"},   {"packets", "PACKETS"}, {"last", "LAST SEEN"}};
  static constexpr ListingForm kNetBox{"netbox", "CSV for NetBox, IP addresses, Import",
                                       netbox_csv};
  auto options = std::make_shared<ListingOptions>();
  CLI::App* command =
      declare_listing(app, context, *options, "assets", "Show the assets: MACs, addresses, names",
                      "vmirror assets mirror.pcap -o netbox", &kNetBox);
  const auto files = add_files(*command);
  command->callback([&context, &exit, options, files] {
    exit = list(context, *options,
                {"/v1/assets", "assets", kColumns, with_names, told_faults(context), &kNetBox,
                 from(*files, &assets_of_files)});
  });
}

void add_flows(CLI::App& app, CommandContext& context, int& exit) {
  static constexpr Column kColumns[] = {
      {"src_ip", "CLIENT"}, {"src_port", "PORT"}, {"dest_ip", "SERVER"}, {"dest_port", "PORT"},
      {"proto", "PROTO"},   {"app_proto", "APP"}, {"vlan", "VLAN"},      {"packets", "PACKETS"},
      {"bytes", "BYTES"},   {"state", "STATE"}};
  auto options = std::make_shared<ListingOptions>();
  CLI::App* command =
      declare_listing(app, context, *options, "flows",
                      "Show the largest active flows; those of capture files, active or not",
                      "vmirror flows --filter app_proto=modbus --sort=-bytes --limit 10");
  const auto files = add_files(*command);
  command->callback([&context, &exit, options, files] {
    exit = list(context, *options,
                {"/v1/flows",
                 "flows",
                 kColumns,
                 {},
                 told_faults(context),
                 nullptr,
                 from(*files, [](const std::vector<std::string>& named) {
                   return flows_of_files(named);
                 })});
  });
}

void add_findings(CLI::App& app, CommandContext& context, int& exit) {
  auto options = std::make_shared<ListingOptions>();
  CLI::App* command = declare_listing(
      app, context, *options, "findings",
      "Show the findings: what a person should look at, latest first (docs/findings.md). Exit code "
      "2: one of those that are shown is active, seen in the last 15 minutes",
      "vmirror findings --filter severity=1 --filter state=active");
  command->callback([&, options] {
    exit = list(
        context, *options,
        {"/v1/findings", "findings", kFindingColumns, {}, [&](const json::object& answer) -> int {
           if (!context.json)
             if (const auto status = ask_daemon(context, "/v1/status"))
               print_learning(context, *status);
           const json::array& shown = rows(answer, "findings");
           return std::ranges::any_of(shown,
                                      [](const json::value& row) {
                                        return text(row.as_object(), "state") == "active";
                                      })
                      ? kNotWatched
                      : kOk;
         }});
  });
}

void add_explain(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* command = declare(app, context, "explain",
                              "Explain the state of sessions, from the policy to the latest error, "
                              "and what became of those that went",
                              "vmirror explain vnet0@local");
  auto name = std::make_shared<std::string>();
  command
      ->add_option("NAME", *name,
                   "A session, as `vmirror sessions` shows it, or all of a port, VM, MAC or policy")
      ->required()
      ->check(not_empty());
  command->callback([&, name] {
    const std::string target = "/v1/explain/" + in_path(*name);
    exit = show(context, target, [&](const json::object& answer) -> int {
      if (!context.json)
        for (const json::value& line : rows(answer, "lines")) context.out << cell(&line) << "\n";
      return kOk;
    });
  });
}

}  // namespace vmirror
