#define BOOST_PROCESS_USE_STD_FS  // In place of Boost's library of the same.
#include "agent/cli/store_tools.hpp"

#include <pwd.h>
#include <unistd.h>

#include <boost/process.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <thread>

#include "plugin/base/trusted_file.hpp"
#include "plugin/base/whole_file.hpp"

namespace vmirror {

namespace fs = std::filesystem;
namespace json = boost::json;
namespace process = boost::process;

namespace {

constexpr std::size_t kMostSettingsBytes = 64 << 10;
constexpr std::chrono::milliseconds kBetweenLooksAtEnd{100};
constexpr int kMostLooksAtEnd = 50;

}  // namespace

Result<std::string> run_tool(const std::string& program, const std::vector<std::string>& words,
                             const std::string& input, const std::string& output) {
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

namespace {

/// As it says itself.
Result<ServerStatus> served_status(const ServerSettings& s) {
  if (s.is_relay())
    return transact(s, R"(["_Server",{"op":"select","table":"Database","where":)"
                       R"([["name","==","vmirror"]],"columns":["connected","schema"]}])")
        .map(parse_relay_status);
  if (s.is_alone())
    return ask_server(s, {"ovsdb-server/list-dbs"}).map([](const std::string&) {
      ServerStatus out;
      out.alone = true;
      return out;
    });
  return ask_server(s, {"cluster/status", "vmirror"}).map(parse_cluster_status);
}

/// Why ovsdb-tool can't read the member's file; empty: it can. Read twice, since the server may be
/// in the middle of a write.
std::string spoilt(const ServerSettings& s) {
  std::string why;
  for (const bool last : {false, true}) {
    const auto read = run_tool("ovsdb-tool", {"check-cluster", s.file("store.db")});
    if (read) return {};
    why = read.error().what;
    if (!last) std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
  return why;
}

}  // namespace

std::string fault_of(const ServerSettings& s) {
  if (s.is_relay()) return {};
  if (!s.is_alone())
    if (const std::string why = spoilt(s); !why.empty())
      return "its file is spoilt, and it will not start from it again (" + why +
             "): on another server `vmirror cluster remove`, then here `vmirror cluster join "
             "--replace`";
  std::error_code code;
  const auto disk = fs::space(s.folder, code);
  const auto file = code ? 0 : fs::file_size(s.file("store.db"), code);
  if (code) return "its folder can't be read: " + code.message();
  // It writes its file anew beside the old one, to make it smaller.
  const std::uintmax_t needed = 2 * file + (std::uintmax_t{16} << 20);
  if (disk.available < needed)
    return "its disk has " + std::to_string(disk.available >> 20) + " MiB left and should have " +
           std::to_string((needed >> 20) + 1) + ": make room, or its file is spoilt";
  return {};
}

Result<ServerStatus> server_status(const ServerSettings& s) {
  auto out = served_status(s);
  if (out) out->fault = fault_of(s);
  return out;
}

Result<void> start_server(const ServerSettings& s) {
  const auto said = run_tool("ovsdb-server", server_words(s, false));
  if (!said) return tl::unexpected(said.error());
  return {};
}

Result<void> give_to_user(const ServerSettings& s) {
  if (s.user.empty()) return {};
  const passwd* user = ::getpwnam(s.user.c_str());
  if (user == nullptr)
    return fail(Error::Kind::missing, "there is no user `" + s.user + "`", "--user",
                "make it, or leave the option out");
  for (const std::string& path :
       {s.folder, s.file("store.db"), s.file("server.json"), s.file("remotes.db")})
    if (::chown(path.c_str(), user->pw_uid, user->pw_gid) != 0 && errno != ENOENT)
      return fail(Error::Kind::refused,
                  std::string("can't be given to the user: ") + std::strerror(errno), path,
                  "run as root");
  return {};
}

Result<void> make_remotes(const ServerSettings& s) {
  if (!s.has_remotes()) return {};
  std::error_code code;
  fs::remove(s.file("remotes.db"), code);
  const std::string schema = s.file("remotes.ovsschema");
  if (!replace_file(schema, remotes_schema()))
    return fail(Error::Kind::refused, std::strerror(errno), schema, "run as root");
  return run_tool("ovsdb-tool", {"create", s.file("remotes.db"), schema})
      .and_then([&](const std::string&) {
        return run_tool("ovsdb-tool", {"transact", s.file("remotes.db"), remotes_transaction(s)});
      })
      .map([](const std::string&) {});
}

Result<json::array> transact(const ServerSettings& s, const std::string& parameters) {
  auto said = run_tool("ovsdb-client", {"--timeout=30", "--no-leader-only", "transact",
                                        s.local_remote(), parameters});
  if (!said) return tl::unexpected(said.error());
  json::error_code error;
  const json::value value = json::parse(*said, error);
  if (error || !value.is_array())
    return fail(Error::Kind::internal, "ovsdb-client: " + *said, s.folder);
  for (const json::value& one : value.get_array())
    if (one.is_object() && one.get_object().contains("error"))
      return fail(Error::Kind::refused, "ovsdb-server: " + json::serialize(one), s.folder);
  return value.get_array();
}

Result<void> end_server(const ServerSettings& s) {
  if (const auto ended = ask_server(s, {"exit"}); !ended) return tl::unexpected(ended.error());
  for (int i = 0; i < kMostLooksAtEnd && fs::exists(s.file("server.pid")); ++i)
    std::this_thread::sleep_for(kBetweenLooksAtEnd);
  return {};
}

Result<void> restart_server(const ServerSettings& s) {
  return end_server(s).and_then([&] { return start_server(s); });
}

}  // namespace vmirror
