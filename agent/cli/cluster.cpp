// `vmirror cluster`: makes, starts and asks this host's server of the store, by Open vSwitch's own
// programs (ovsdb-tool(1), ovsdb-server(1), ovs-appctl(8), ovsdb-client(1)).
#define BOOST_PROCESS_USE_STD_FS  // In place of Boost's library of the same.
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/process.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "agent/cli/asking.hpp"
#include "agent/cli/store_server.hpp"
#include "agent/control/store/schema.hpp"
#include "plugin/base/trusted_file.hpp"
#include "plugin/base/whole_file.hpp"

namespace vmirror {

namespace fs = std::filesystem;
namespace json = boost::json;
namespace process = boost::process;

namespace {

constexpr std::chrono::milliseconds kBetweenLooksAtServer{100};
constexpr std::size_t kMostSettingsBytes = 64 << 10;

struct ClusterArguments {
  ServerSettings settings;
  std::vector<std::string> to;  ///< join: members of the cluster.
  std::string file;             ///< backup, restore
  double timeout = 30;          ///< Seconds.
  bool foreground = false;      ///< start
};

/// Runs a program of Open vSwitch to its end; what it printed. `input`, `output`: files in place of
/// its standard input and output; empty: none.
Result<std::string> run_tool(const std::string& program, const std::vector<std::string>& words,
                             const std::string& input = "/dev/null",
                             const std::string& output = {}) {
  const auto path = process::search_path(program);
  if (path.empty())
    return fail(Error::Kind::missing, "there is no program " + program, "PATH",
                "install openvswitch-common, and openvswitch-switch for ovsdb-server");
  process::ipstream out, err;
  std::error_code code;
  process::child child =
      output.empty()
          ? process::child(path, process::args(words),
                           process::std_in<input, (process::std_out & process::std_err)> out, code)
          : process::child(path, process::args(words),
                           process::std_in<input, process::std_out> output, process::std_err > out,
                           code);
  if (code) return fail(Error::Kind::refused, program + ": " + code.message(), path.string());
  const std::string said{std::istreambuf_iterator<char>(out), {}};
  child.wait(code);
  if (child.exit_code() == 0) return said;
  return fail(Error::Kind::refused,
              program + ": " + said.substr(0, said.find_last_not_of('\n') + 1),
              words.empty() ? "" : words.front(), "");
}

Result<std::string> ask_server(const ServerSettings& s, std::vector<std::string> words) {
  words.insert(words.begin(), {"-T", "5", "-t", s.file("server.ctl")});
  auto said = run_tool("ovs-appctl", words);
  if (!said) {
    said.error().where = s.folder;
    said.error().remedy = "is it running? `vmirror cluster start`";
  }
  return said;
}

Result<ServerSettings> read_settings(const std::string& folder) {
  const std::string path = folder + "/server.json";
  auto text = read_trusted(path, kMostSettingsBytes);
  if (!text) {
    if (text.error().kind == Error::Kind::missing)
      text.error().remedy =
          "there is no server of the store here: `vmirror cluster init` or `join`";
    return tl::unexpected(text.error());
  }
  return parse_settings(*text, folder);
}

Result<ServerStatus> server_status(const ServerSettings& s) {
  if (s.is_alone())
    return ask_server(s, {"ovsdb-server/list-dbs"}).map([](const std::string&) {
      ServerStatus out;
      out.alone = true;
      return out;
    });
  return ask_server(s, {"cluster/status", "vmirror"}).map(parse_cluster_status);
}

/// Waits until `is` holds of the server's status; the status when it did, or its time was over.
template <typename Is>
Result<ServerStatus> await(const ServerSettings& s, double seconds, Is is) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (;;) {
    auto now = server_status(s);
    if ((now && is(*now)) || std::chrono::steady_clock::now() >= until) return now;
    std::this_thread::sleep_for(kBetweenLooksAtServer);
  }
}

int tell_status(const CommandContext& context, const ServerSettings& s, const ServerStatus& is) {
  if (context.json) {
    json::object out = to_json(is);
    out["folder"] = s.folder;
    out["servers"] = s.local_remote();
    print_json(context, out);
  } else if (is.alone) {
    context.out << "alone, at " << s.local_remote() << "\n";
  } else {
    context.out << is.status << ", " << is.role << ", term " << is.term << ", leader "
                << (is.leader.empty() ? "unknown" : is.leader) << ", at " << is.address << "\n";
    json::array members = to_json(is).at("members").as_array();
    constexpr Column kColumns[] = {{"id", "SERVER"},
                                   {"address", "ADDRESS"},
                                   {"self", "THIS"},
                                   {"last_message_ms", "LAST MESSAGE MS AGO"}};
    print_table(context.out, members, kColumns, style(context));
  }
  return is.is_well() ? kOk : kNotWatched;
}

Result<void> start_server(const ServerSettings& s) {
  const auto said = run_tool("ovsdb-server", server_words(s, false));
  if (!said) return tl::unexpected(said.error());
  return {};
}

int start_and_tell(const CommandContext& context, const ClusterArguments& a) {
  if (const auto started = start_server(a.settings); !started)
    return report(context, started.error());
  const auto is =
      await(a.settings, a.timeout, [](const ServerStatus& now) { return now.is_well(); });
  if (!is) return report(context, is.error());
  return tell_status(context, a.settings, *is);
}

Result<void> give_to_user(const ServerSettings& s) {
  if (s.user.empty()) return {};
  const passwd* user = ::getpwnam(s.user.c_str());
  if (user == nullptr)
    return fail(Error::Kind::missing, "there is no user `" + s.user + "`", "--user",
                "make it, or leave the option out");
  for (const std::string& path : {s.folder, s.file("store.db"), s.file("server.json")})
    if (::chown(path.c_str(), user->pw_uid, user->pw_gid) != 0 && errno != ENOENT)
      return fail(Error::Kind::refused,
                  std::string("can't be given to the user: ") + std::strerror(errno), path,
                  "run as root");
  return {};
}

/// Makes the folder, the settings and, by ovsdb-tool, the database; nothing is left of a failure.
Result<void> make_server(const ServerSettings& s, const std::vector<std::string>& tool_words) {
  if (fs::exists(s.file("store.db")))
    return fail(Error::Kind::refused, "there is a database already", s.file("store.db"),
                "`vmirror cluster status`; or name another --folder");
  std::error_code code;
  fs::create_directories(s.folder, code);
  if (code || ::chmod(s.folder.c_str(), 0750) != 0 ||
      !replace_file(s.file("server.json"), encode_settings(s)))
    return fail(Error::Kind::refused, std::string("can't be made: ") + std::strerror(errno),
                s.folder, "run as root, or name another --folder");
  auto made = run_tool("ovsdb-tool", tool_words);
  auto given = made ? give_to_user(s) : Result<void>(tl::unexpected(made.error()));
  if (given) return {};
  for (const char* name : {"store.db", "server.json"}) fs::remove(s.file(name), code);
  return given;
}

int init(const CommandContext& context, const ClusterArguments& a) {
  const ServerSettings& s = a.settings;
  if (const auto good = check(s); !good) return report(context, good.error());
  std::error_code code;
  fs::create_directories(s.folder, code);
  const std::string schema = s.file("vmirror.ovsschema");
  if (!replace_file(schema, store::schema_text()))
    return report(context, {Error::Kind::refused, std::strerror(errno), schema, "run as root"});
  const auto made =
      s.is_alone() ? make_server(s, {"create", s.file("store.db"), schema})
                   : make_server(s, {"create-cluster", s.file("store.db"), schema, s.member()});
  if (!made) return report(context, made.error());
  return start_and_tell(context, a);
}

int join(const CommandContext& context, const ClusterArguments& a) {
  const ServerSettings& s = a.settings;
  if (const auto good = check(s); !good) return report(context, good.error());
  std::vector<std::string> words{"join-cluster", s.file("store.db"), "vmirror", s.member()};
  words.insert(words.end(), a.to.begin(), a.to.end());
  if (const auto made = make_server(s, words); !made) return report(context, made.error());
  return start_and_tell(context, a);
}

int start(const CommandContext& context, const ClusterArguments& given) {
  ClusterArguments a = given;
  auto settings = read_settings(a.settings.folder);
  if (!settings) return report(context, settings.error());
  a.settings = std::move(*settings);
  if (!a.foreground) return start_and_tell(context, a);
  const auto path = process::search_path("ovsdb-server");
  std::vector<std::string> words = server_words(a.settings, true);
  std::vector<char*> argv{const_cast<char*>("ovsdb-server")};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(path.c_str(), argv.data());
  return report(context,
                {Error::Kind::missing, std::string("ovsdb-server: ") + std::strerror(errno),
                 path.string(), "install openvswitch-switch"});
}

int show_status(const CommandContext& context, const ClusterArguments& a) {
  const auto settings = read_settings(a.settings.folder);
  if (!settings) return report(context, settings.error());
  const auto is = server_status(*settings);
  if (!is) return report(context, is.error());
  return tell_status(context, *settings, *is);
}

int leave(const CommandContext& context, const ClusterArguments& a) {
  const auto settings = read_settings(a.settings.folder);
  if (!settings) return report(context, settings.error());
  const ServerSettings& s = *settings;
  if (s.is_alone())
    return report(context, {Error::Kind::unsupported, "this server is alone: there is no cluster",
                            s.folder, "stop it, and remove its folder"});
  if (const auto asked = ask_server(s, {"cluster/leave", "vmirror"}); !asked)
    return report(context, asked.error());
  const auto is =
      await(s, a.timeout, [](const ServerStatus& now) { return now.status == "left cluster"; });
  // Where it has left, the server may have closed the database already.
  if (is && is->status != "left cluster")
    return report(context, {Error::Kind::unreachable,
                            "the other members have not let it go: it is " + is->status, s.folder,
                            "is there a leader? `vmirror cluster status`; again"});
  if (const auto ended = ask_server(s, {"exit"}); !ended) return report(context, ended.error());
  std::error_code code;
  fs::rename(s.file("store.db"), s.file("store.db.left"), code);
  fs::remove(s.file("server.json"), code);
  if (context.json)
    print_json(context, {{"left", true}, {"folder", s.folder}});
  else
    context.out << "left the cluster; its last contents are in " << s.file("store.db.left") << "\n";
  return kOk;
}

int backup(const CommandContext& context, const ClusterArguments& a) {
  const auto settings = read_settings(a.settings.folder);
  if (!settings) return report(context, settings.error());
  const std::string fresh = a.file + ".new";
  const auto said =
      run_tool("ovsdb-client",
               {"--timeout=30", "--no-leader-only", "backup", settings->local_remote(), "vmirror"},
               "/dev/null", fresh);
  std::error_code code;
  if (!said) {
    fs::remove(fresh, code);
    return report(context, said.error());
  }
  fs::rename(fresh, a.file, code);
  if (code)
    return report(context, {Error::Kind::refused, code.message(), a.file, "name another file"});
  if (context.json)
    print_json(context, {{"file", a.file}});
  else
    context.out << "the store's policies, hosts and sessions are in " << a.file << "\n";
  return kOk;
}

int restore(const CommandContext& context, const ClusterArguments& a) {
  const auto settings = read_settings(a.settings.folder);
  if (!settings) return report(context, settings.error());
  if (::access(a.file.c_str(), R_OK) != 0)
    return report(context, {Error::Kind::missing, std::strerror(errno), a.file,
                            "name a file of `vmirror cluster backup`"});
  const auto said = run_tool(
      "ovsdb-client",
      {"--timeout=30", "--no-leader-only", "restore", settings->local_remote(), "vmirror"}, a.file);
  if (!said) return report(context, said.error());
  if (context.json)
    print_json(context, {{"restored", a.file}});
  else
    context.out << "the store is as in " << a.file << "; agents tell what is theirs anew\n";
  return kOk;
}

using ClusterAction = int (*)(const CommandContext&, const ClusterArguments&);

/// A command below `cluster`, with the options that all of them have.
CLI::App* add_action(CLI::App& cluster, CommandContext& context, int& exit, const char* name,
                     const char* description, const char* example, ClusterAction action,
                     std::shared_ptr<ClusterArguments> arguments) {
  CLI::App* command = cluster.add_subcommand(name, description);
  command->add_flag("--json", context.json, "Print one JSON object");
  command->add_option("--folder", arguments->settings.folder, "The server's folder")
      ->capture_default_str();
  command->footer(std::string("Example: ") + example);
  command->callback([&context, &exit, action, arguments] { exit = action(context, *arguments); });
  return command;
}

void add_timeout(CLI::App& command, ClusterArguments& arguments) {
  command.add_option("--timeout", arguments.timeout, "Seconds to wait for the cluster")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

CLI::Option* add_member_options(CLI::App& command, ClusterArguments& a) {
  auto* address =
      command.add_option("--address", a.settings.address,
                         "This host's IP address, for agents and the other members of the cluster");
  command.add_option("--clients-port", a.settings.clients_port, "For agents")
      ->capture_default_str();
  command.add_option("--cluster-port", a.settings.cluster_port, "For members")
      ->capture_default_str();
  command.add_option("--private-key", a.settings.private_key, "PEM; needs --address");
  command.add_option("--certificate", a.settings.certificate, "PEM, of this host");
  command.add_option("--ca-certificate", a.settings.ca_certificate,
                     "PEM, of the CA of members and agents");
  command.add_flag("--insecure", a.settings.insecure,
                   "Without TLS: whoever reaches the ports can read and change all policies");
  command.add_option("--user", a.settings.user, "Run ovsdb-server as this user");
  add_timeout(command, a);
  return address;
}

}  // namespace

void add_cluster(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* cluster = app.add_subcommand(
      "cluster", "Make, start and ask this host's server of the store of policies");
  cluster->require_subcommand(1);
  cluster->footer(
      "Example: vmirror cluster init --address 192.0.2.7 --private-key k.pem "
      "--certificate c.pem --ca-certificate ca.pem");
  const auto add = [&](const char* name, const char* text, const char* example,
                       ClusterAction action) {
    auto arguments = std::make_shared<ClusterArguments>();
    CLI::App* command = add_action(*cluster, context, exit, name, text, example, action, arguments);
    return std::pair(command, arguments);
  };
  const auto [first, first_arguments] =
      add("init", "Make a store and start its first server; without --address alone, for this host",
          "vmirror cluster init", init);
  add_member_options(*first, *first_arguments);
  const auto [next, next_arguments] =
      add("join", "Make and start a further server of a store",
          "vmirror cluster join --address 192.0.2.8 --to ssl:192.0.2.7:6652 --private-key k.pem "
          "--certificate c.pem --ca-certificate ca.pem",
          join);
  add_member_options(*next, *next_arguments)->required();
  next->add_option("--to", next_arguments->to, "Members: ssl:IP:PORT, the cluster's port")
      ->required();
  const auto [begin, begin_arguments] =
      add("start", "Start the server, as after a boot", "vmirror cluster start", start);
  begin->add_flag("--foreground", begin_arguments->foreground,
                  "Become ovsdb-server, for a service manager");
  add_timeout(*begin, *begin_arguments);
  add("status",
      "Show the server and its cluster. Exit code 2: it is no member of a cluster with a leader",
      "vmirror cluster status --json", show_status);
  const auto [end, end_arguments] = add("leave", "Take the server out of its cluster, and end it",
                                        "vmirror cluster leave", leave);
  add_timeout(*end, *end_arguments);
  const auto [save, save_arguments] =
      add("backup", "Write all rows to a file", "vmirror cluster backup store.backup", backup);
  save->add_option("FILE", save_arguments->file, "The file")->required();
  const auto [load, load_arguments] = add("restore", "Put the rows of a file in place of all rows",
                                          "vmirror cluster restore store.backup", restore);
  load->add_option("FILE", load_arguments->file, "A file of `backup`")->required();
}

}  // namespace vmirror
