// `vmirror cluster`: makes, starts and asks this host's server of the store, by Open vSwitch's own
// programs (ovsdb-tool(1), ovsdb-server(1), ovs-appctl(8), ovsdb-client(1)).
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/ip/host_name.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "agent/cli/asking.hpp"
#include "agent/cli/store_roles.hpp"
#include "agent/cli/store_tools.hpp"
#include "agent/control/store/schema.hpp"
#include "agent/pki/folder.hpp"
#include "plugin/base/address.hpp"
#include "plugin/base/whole_file.hpp"

namespace vmirror {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr std::chrono::milliseconds kBetweenLooksAtServer{100};

struct ClusterArguments {
  ServerSettings settings;
  std::vector<std::string> to;  ///< join: members of the cluster.
  std::string file;             ///< backup, restore
  double timeout = 30;          ///< Seconds.
  bool foreground = false;      ///< start
  bool replace = false;         ///< join
  std::string member;           ///< remove: its ID or address
  std::string pki, name;      ///< init, join, relay: the folder of certificates, and whose is this
                              ///< server's.
  std::string operator_name;  ///< grant, revoke
  std::vector<std::string> allowed;  ///< firewall: addresses besides the members'.
};

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
  } else if (is.relay) {
    context.out << "a relay of ";
    for (const std::string& server : s.relay_of) context.out << server << " ";
    context.out << (is.connected ? "" : "(not connected) ") << "at " << s.local_remote() << "\n";
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
  if (!is.fault.empty() && !context.json) context.out << "not well: " << is.fault << "\n";
  return is.is_well() ? kOk : kNotWatched;
}

int start_and_tell(const CommandContext& context, const ClusterArguments& a) {
  if (const auto started = start_server(a.settings); !started)
    return report(context, started.error());
  const auto is =
      await(a.settings, a.timeout, [](const ServerStatus& now) { return now.is_well(); });
  if (!is) return report(context, is.error());
  return tell_status(context, a.settings, *is);
}

/// Makes the folder, the settings and, by ovsdb-tool, the database, which a relay has not (no
/// words); nothing is left of a failure.
Result<void> make_server(const ServerSettings& s, const std::vector<std::string>& tool_words) {
  for (const char* name : {"store.db", "server.json"})
    if (fs::exists(s.file(name)))
      return fail(Error::Kind::refused, "there is a server already", s.file(name),
                  "`vmirror cluster status`; or name another --folder");
  std::error_code code;
  fs::create_directories(s.folder, code);
  if (code || ::chmod(s.folder.c_str(), 0750) != 0 ||
      !replace_file(s.file("server.json"), encode_settings(s)))
    return fail(Error::Kind::refused, std::string("can't be made: ") + std::strerror(errno),
                s.folder, "run as root, or name another --folder");
  auto made = tool_words.empty() ? Result<std::string>() : run_tool("ovsdb-tool", tool_words);
  auto given = made.and_then([&](const std::string&) { return make_remotes(s); }).and_then([&] {
    return give_to_user(s);
  });
  if (given) return {};
  for (const char* name : {"store.db", "server.json", "remotes.db"}) fs::remove(s.file(name), code);
  return given;
}

/// With the files of --pki, and with roles where there are certificates.
Result<ServerSettings> settings_to_make(const ClusterArguments& a) {
  ServerSettings s = a.settings;
  if (!a.pki.empty()) {
    const std::string name = a.name.empty() ? boost::asio::ip::host_name() : a.name;
    const pki::Holder holder = s.is_relay() ? pki::Holder::relay : pki::Holder::server;
    s.certificate = a.pki + "/" + pki::file_name(holder, name);
    s.private_key = s.certificate;
    s.ca_certificate = a.pki + "/ca.pem";
    for (const std::string& file : {s.certificate, s.ca_certificate})
      if (::access(file.c_str(), R_OK) != 0)
        return fail(Error::Kind::missing, std::strerror(errno), file,
                    "`vmirror pki " + std::string(pki::to_text(holder)) + " " + name +
                        "` where the CA is, and bring it here");
  }
  if (const auto good = check(s); !good) return tl::unexpected(good.error());
  s.roles = !s.is_alone() && !s.insecure;
  return s;
}

/// Of a server that has a database: a relay has none, and its clients may write nothing.
Result<ServerSettings> server_with_database(const ClusterArguments& a) {
  auto out = read_settings(a.settings.folder);
  if (out && out->is_relay())
    return fail(Error::Kind::unsupported, "this is a relay: by it the store is only read",
                a.settings.folder, "run the command on a server of the store");
  return out;
}

// ---- Roles

int tell_operators(const CommandContext& context, const StoreState& state) {
  if (context.json) {
    print_json(context,
               {{"operators", json::array(state.operators.begin(), state.operators.end())}});
    return kOk;
  }
  for (const std::string& name : state.operators) context.out << name << "\n";
  if (state.operators.empty()) context.out << "no operator is named to the store\n";
  return kOk;
}

/// Names an operator to the store, or (`take`) no more; without a name shows them.
int change_operators(const CommandContext& context, const ClusterArguments& a, bool take) {
  const auto settings = server_with_database(a);
  if (!settings) return report(context, settings.error());
  auto state = store_state(*settings);
  if (!state) return report(context, state.error());
  if (a.operator_name.empty()) return tell_operators(context, *state);
  if (state->is_old())
    return report(context, {Error::Kind::unsupported, "the store's schema knows no operators",
                            settings->folder, "`vmirror cluster upgrade`"});
  if (a.operator_name.find(':') != std::string::npos)
    return report(context, {Error::Kind::invalid, "`" + a.operator_name + "` has a colon", "NAME",
                            "write the name of `vmirror pki operator NAME`"});
  if (take && state->operators.erase(a.operator_name) == 0)
    return report(context, {Error::Kind::missing, "there is no operator `" + a.operator_name + "`",
                            "the store", "see `vmirror cluster operators`"});
  if (const auto done = change_operator(*settings, a.operator_name, take); !done)
    return report(context, done.error());
  if (!take) state->operators.insert(a.operator_name);
  return tell_operators(context, *state);
}

int grant(const CommandContext& context, const ClusterArguments& a) {
  return change_operators(context, a, false);
}

int revoke(const CommandContext& context, const ClusterArguments& a) {
  return change_operators(context, a, true);
}

int upgrade(const CommandContext& context, const ClusterArguments& a) {
  auto settings = server_with_database(a);
  if (!settings) return report(context, settings.error());
  ServerSettings& s = *settings;
  auto state = store_state(s);
  if (!state) return report(context, state.error());
  const std::string before = state->schema_version;
  if (store::is_later(before, store::schema_version()))
    return report(context, {Error::Kind::unsupported,
                            "the store's schema " + before + " is later than this vmirror's, " +
                                store::schema_version() + "; what it has besides would be lost",
                            s.folder, "upgrade vmirror on this host"});
  if (const auto done = convert_store(s, *state); !done) return report(context, done.error());
  // A server alone tells clients the schema that it began with (`_Server`, ovsdb-server 3.1): they
  // would take the new columns for absent.
  if (s.is_alone() && before != store::schema_version())
    if (const auto done = restart_server(s); !done) return report(context, done.error());
  if (state = store_state(s); !state) return report(context, state.error());
  if (const auto done = put_roles(s, *state); !done) return report(context, done.error());
  if (!s.roles && !s.is_alone() && !s.insecure) {
    s.roles = true;
    auto done = make_remotes(s).and_then([&] { return give_to_user(s); });
    if (done && !replace_file(s.file("server.json"), encode_settings(s)))
      done = fail(Error::Kind::refused, std::strerror(errno), s.file("server.json"), "run as root");
    if (done) done = give_to_user(s);
    if (done) done = restart_server(s);
    if (!done) return report(context, done.error());
  }
  if (context.json)
    print_json(context, {{"was", before}, {"schema", state->schema_version}, {"roles", s.roles}});
  else
    context.out << "schema " << before << " -> " << state->schema_version
                << (s.roles ? "; clients with TLS have roles" : "; no roles: it has no TLS")
                << "\n";
  return kOk;
}

int print_firewall(const CommandContext& context, const ClusterArguments& a) {
  const auto settings = server_with_database(a);
  if (!settings) return report(context, settings.error());
  const auto is = server_status(*settings);
  if (!is) return report(context, is.error());
  std::set<std::string> addresses;
  for (const Member& member : is->members)
    if (const std::string address = address_of_member(member.address); !address.empty())
      addresses.insert(address);
  for (const std::string& address : a.allowed) {
    if (!IpAddress::parse(address))
      return report(context, {Error::Kind::invalid, "`" + address + "` is no IP address", "--allow",
                              "write a member's address"});
    addresses.insert(address);
  }
  if (addresses.empty())
    return report(context, {Error::Kind::unsupported, "this server has no port for members",
                            settings->folder, "a server alone needs no rules"});
  const std::string rules = firewall_rules(settings->cluster_port, addresses);
  if (context.json)
    print_json(context, {{"rules", rules}});
  else
    context.out << rules;
  return kOk;
}

int init(const CommandContext& context, const ClusterArguments& given) {
  ClusterArguments a = given;
  auto settings = settings_to_make(given);
  if (!settings) return report(context, settings.error());
  a.settings = std::move(*settings);
  const ServerSettings& s = a.settings;
  std::error_code code;
  fs::create_directories(s.folder, code);
  const std::string schema = s.file("vmirror.ovsschema");
  if (!replace_file(schema, store::schema_text()))
    return report(context, {Error::Kind::refused, std::strerror(errno), schema, "run as root"});
  const auto made =
      s.is_alone() ? make_server(s, {"create", s.file("store.db"), schema})
                   : make_server(s, {"create-cluster", s.file("store.db"), schema, s.member()});
  if (!made) return report(context, made.error());
  if (const auto started = start_server(s); !started) return report(context, started.error());
  const auto is = await(s, a.timeout, [](const ServerStatus& now) { return now.is_well(); });
  if (!is) return report(context, is.error());
  if (const auto done = put_roles(s, {}); !done) return report(context, done.error());
  return tell_status(context, s, *is);
}

/// Sets the server that is there aside: its settings and its database, which nobody starts again.
Result<void> set_aside(const ServerSettings& s) {
  // One with a spoilt file may have ended, or serve on from its memory.
  if (ask_server(s, {"version"}))
    if (const auto ended = end_server(s); !ended) return ended;
  for (const char* name : {"store.db", "server.json"}) {
    std::error_code code;
    if (!fs::exists(s.file(name), code)) continue;
    fs::rename(s.file(name), s.file(name) + ".replaced", code);
    if (code)
      return fail(Error::Kind::refused, "can't be set aside: " + code.message(), s.file(name),
                  "run as root");
  }
  return {};
}

int join(const CommandContext& context, const ClusterArguments& given) {
  ClusterArguments a = given;
  auto settings = settings_to_make(given);
  if (!settings) return report(context, settings.error());
  a.settings = std::move(*settings);
  const ServerSettings& s = a.settings;
  std::vector<std::string> words{"join-cluster", s.file("store.db"), "vmirror", s.member()};
  words.insert(words.end(), a.to.begin(), a.to.end());
  if (a.replace)
    if (const auto aside = set_aside(s); !aside) return report(context, aside.error());
  if (const auto made = make_server(s, words); !made) return report(context, made.error());
  return start_and_tell(context, a);
}

int relay(const CommandContext& context, const ClusterArguments& given) {
  ClusterArguments a = given;
  a.settings.relay_of = a.to;
  auto settings = settings_to_make(a);
  if (!settings) return report(context, settings.error());
  a.settings = std::move(*settings);
  if (const auto made = make_server(a.settings, {}); !made) return report(context, made.error());
  return start_and_tell(context, a);
}

int start(const CommandContext& context, const ClusterArguments& given) {
  ClusterArguments a = given;
  auto settings = read_settings(a.settings.folder);
  if (!settings) return report(context, settings.error());
  a.settings = std::move(*settings);
  if (!a.foreground) return start_and_tell(context, a);
  std::vector<std::string> words = server_words(a.settings, true);
  std::vector<char*> argv{const_cast<char*>("ovsdb-server")};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp(argv.front(), argv.data());
  return report(context,
                {Error::Kind::missing, std::string("ovsdb-server: ") + std::strerror(errno), "PATH",
                 "install openvswitch-switch"});
}

/// A server that is missing, or does not answer, is in no cluster with a leader.
int show_status(const CommandContext& context, const ClusterArguments& a) {
  const auto settings = read_settings(a.settings.folder);
  const auto is = settings ? server_status(*settings) : tl::unexpected(settings.error());
  if (is) return tell_status(context, *settings, *is);
  report(context, is.error());
  return kNotWatched;
}

/// Takes another server out of the cluster, one that is gone for good or must join anew.
int remove_member(const CommandContext& context, const ClusterArguments& a) {
  const auto settings = server_with_database(a);
  if (!settings) return report(context, settings.error());
  const auto is = server_status(*settings);
  if (!is) return report(context, is.error());
  const auto member = std::ranges::find_if(
      is->members, [&](const Member& m) { return m.id == a.member || m.address == a.member; });
  if (member == is->members.end())
    return report(context, {Error::Kind::missing, "no member of the cluster is called so", a.member,
                            "see `vmirror cluster status`"});
  if (member->self)
    return report(context, {Error::Kind::refused, "this is the server here", a.member,
                            "`vmirror cluster leave`"});
  if (const auto asked = ask_server(*settings, {"cluster/kick", "vmirror", member->id}); !asked)
    return report(context, asked.error());
  const auto without = await(*settings, a.timeout, [&](const ServerStatus& now) {
    return std::ranges::find(now.members, member->id, &Member::id) == now.members.end();
  });
  if (!without) return report(context, without.error());
  if (std::ranges::find(without->members, member->id, &Member::id) != without->members.end())
    return report(context, {Error::Kind::unreachable, "the members have not agreed to it",
                            member->address, "is there a leader? `vmirror cluster status`; again"});
  return tell_status(context, *settings, *without);
}

int end_relay(const CommandContext& context, const ServerSettings& s) {
  if (const auto ended = ask_server(s, {"exit"}); !ended) return report(context, ended.error());
  std::error_code code;
  for (const char* name : {"server.json", "remotes.db"}) fs::remove(s.file(name), code);
  if (context.json)
    print_json(context, {{"left", true}, {"folder", s.folder}});
  else
    context.out << "the relay has ended; agents read elsewhere\n";
  return kOk;
}

int leave(const CommandContext& context, const ClusterArguments& a) {
  const auto settings = read_settings(a.settings.folder);
  if (!settings) return report(context, settings.error());
  const ServerSettings& s = *settings;
  if (s.is_relay()) return end_relay(context, s);
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
  const auto settings = server_with_database(a);
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
      ->check(seconds_from_zero())
      ->capture_default_str();
}

void add_cluster_port(CLI::App& command, ClusterArguments& a) {
  command.add_option("--cluster-port", a.settings.cluster_port, "For members")
      ->capture_default_str();
}

CLI::Option* add_server_options(CLI::App& command, ClusterArguments& a) {
  auto* address =
      command.add_option("--address", a.settings.address,
                         "This host's IP address, for agents and the other members of the cluster");
  command.add_option("--clients-port", a.settings.clients_port, "For agents")
      ->capture_default_str();
  auto* key = command.add_option("--private-key", a.settings.private_key, "PEM; needs --address");
  command
      .add_option("--pki", a.pki,
                  "In place of the three files: a folder with server-NAME.pem (of a relay: "
                  "relay-NAME.pem) and ca.pem of "
                  "`vmirror pki`")
      ->excludes(key);
  command.add_option("--name", a.name, "With --pki: NAME; this host's name by default");
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
  add_server_options(*first, *first_arguments);
  add_cluster_port(*first, *first_arguments);
  const auto [next, next_arguments] =
      add("join", "Make and start a further server of a store",
          "vmirror cluster join --address 192.0.2.8 --to ssl:192.0.2.7:6652 --private-key k.pem "
          "--certificate c.pem --ca-certificate ca.pem",
          join);
  add_server_options(*next, *next_arguments)->required();
  add_cluster_port(*next, *next_arguments);
  next->add_flag("--replace", next_arguments->replace,
                 "Set the database that lies there aside, as store.db.replaced: it is spoilt, or "
                 "the cluster has removed it");
  next->add_option("--to", next_arguments->to, "Members: ssl:IP:PORT, the cluster's port")
      ->required();
  const auto [between, between_arguments] = add(
      "relay",
      "Make and start a relay: it has no database, serves what the servers have to many agents, "
      "and lets nobody write",
      "vmirror cluster relay --address 192.0.2.20 --pki /etc/vmirror/pki --to ssl:192.0.2.7:6651 "
      "--to ssl:192.0.2.8:6651",
      relay);
  add_server_options(*between, *between_arguments)->required();
  between
      ->add_option("--to", between_arguments->to,
                   "All servers of the store: ssl:IP:PORT, the port for agents")
      ->required();
  const auto [begin, begin_arguments] =
      add("start", "Start the server, as after a boot", "vmirror cluster start", start);
  begin->add_flag("--foreground", begin_arguments->foreground,
                  "Become ovsdb-server, for a service manager");
  add_timeout(*begin, *begin_arguments);
  add("status",
      "Show the server and its cluster. Exit code 2: it is no member of a cluster with a leader, "
      "its file or its disk is not well, or it is a relay without a server",
      "vmirror cluster status --json", show_status);
  const auto [end, end_arguments] =
      add("leave", "Take the server out of its cluster, and end it; or end the relay",
          "vmirror cluster leave", leave);
  add_timeout(*end, *end_arguments);
  const auto [gone, gone_arguments] =
      add("remove",
          "Take another server out of the cluster: one that is gone for good, or has to join anew",
          "vmirror cluster remove ssl:192.0.2.8:6652", remove_member);
  gone->add_option("SERVER", gone_arguments->member, "Its ID or address, of `cluster status`")
      ->required();
  add_timeout(*gone, *gone_arguments);
  const auto [named, named_arguments] = add(
      "grant", "Let an operator set policies, by the certificate of `vmirror pki operator NAME`",
      "vmirror cluster grant alice", grant);
  named->add_option("NAME", named_arguments->operator_name, "The operator")->required();
  const auto [taken, taken_arguments] =
      add("revoke", "Let an operator set policies no more", "vmirror cluster revoke alice", revoke);
  taken->add_option("NAME", taken_arguments->operator_name, "The operator")->required();
  add("operators", "Show who may set policies by a certificate", "vmirror cluster operators",
      grant);
  add("upgrade",
      "Bring the store's schema and roles, and this server, to this version of vmirror; once on "
      "each server",
      "vmirror cluster upgrade", upgrade);
  const auto [wall, wall_arguments] =
      add("firewall",
          "Print rules by which only members reach the members' port, which takes every "
          "certificate of the CA for a member's; on each server",
          "vmirror cluster firewall --allow 192.0.2.9 | nft -f -", print_firewall);
  wall->add_option("--allow", wall_arguments->allowed,
                   "An address besides the members', as of one that is to join; may be repeated");
  const auto [save, save_arguments] =
      add("backup", "Write all rows to a file", "vmirror cluster backup store.backup", backup);
  save->add_option("FILE", save_arguments->file, "The file")->required();
  const auto [load, load_arguments] = add("restore", "Put the rows of a file in place of all rows",
                                          "vmirror cluster restore store.backup", restore);
  load->add_option("FILE", load_arguments->file, "A file of `backup`")->required();
}

}  // namespace vmirror
