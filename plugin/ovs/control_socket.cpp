#include "plugin/ovs/control_socket.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <utility>

#include "plugin/base/unix_socket.hpp"

namespace vmirror::ovs {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr std::string_view kUnix = "unix:";

/// One JSON value. What a daemon sends is no stranger's, yet has a bound.
Result<json::value> receive(int fd, Deadline deadline, const std::string& path) {
  json::stream_parser parser;
  std::size_t size = 0;
  boost::system::error_code error;
  while (!parser.done()) {
    if (!wait_for(fd, POLLIN, deadline))
      return fail(Error::Kind::unreachable, "the daemon does not answer", path,
                  "is it stuck? see its log");
    char buffer[16384];
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return fail(Error::Kind::unreachable, "the daemon closed the connection", path);
    size += static_cast<std::size_t>(got);
    if (size > kMaxControlAnswer)
      return fail(Error::Kind::exhausted,
                  "the answer is longer than " + std::to_string(kMaxControlAnswer) + " bytes",
                  path);
    parser.write_some(buffer, static_cast<std::size_t>(got), error);
    if (error) return fail(Error::Kind::invalid, "no JSON: " + error.message(), path);
  }
  return parser.release();
}

/// Newest first.
std::vector<std::string> others(const std::string& folder, const std::string& program) {
  std::vector<std::pair<fs::file_time_type, std::string>> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(program + ".") && name.ends_with(".ctl"))
      found.emplace_back(entry.last_write_time(ignored), entry.path().string());
  }
  std::ranges::sort(found, std::greater<>());
  std::vector<std::string> out;
  for (auto& [time, path] : found) out.push_back(std::move(path));
  return out;
}

}  // namespace

ControlSocket::ControlSocket(const std::string& remote, std::string program)
    : program_(std::move(program)) {
  if (remote.starts_with(kUnix))
    folder_ = fs::path(remote.substr(kUnix.size())).parent_path().string();
}

/// The one that the daemon's note of its process ID names goes first; the others are there where
/// the note is not, or is of other namespaces.
std::vector<std::string> ControlSocket::candidates() const {
  std::vector<std::string> out;
  std::ifstream note(folder_ + "/" + program_ + ".pid");
  if (std::string pid; note >> pid) out.push_back(folder_ + "/" + program_ + "." + pid + ".ctl");
  std::ranges::move(others(folder_, program_), std::back_inserter(out));
  return out;
}

Result<std::string> ControlSocket::call(std::string_view command,
                                        const std::vector<std::string>& arguments,
                                        std::chrono::milliseconds timeout) const {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  if (folder_.empty())
    return fail(Error::Kind::unsupported, "the switch's database is not on this host", program_,
                "run the agent on the switch's host");
  Error why{Error::Kind::missing, "no control socket of " + program_, folder_,
            "is " + program_ + " running?"};
  for (const std::string& path : candidates()) {
    const auto fd = connect_unix(path);
    if (!fd) {  // A daemon that was killed leaves its socket behind.
      why = fd.error();
      why.remedy = "is " + program_ + " running?";
      continue;
    }
    const json::object request{{"id", 0},
                               {"method", command},
                               {"params", json::array(arguments.begin(), arguments.end())}};
    if (const auto sent = send_all(fd->get(), json::serialize(request), deadline); !sent)
      return fail(Error::Kind::unreachable, sent.error().what, path);
    const auto answer = receive(fd->get(), deadline, path);
    if (!answer) return tl::unexpected(answer.error());
    const json::object* object = answer->if_object();
    if (const json::value* error = object ? object->if_contains("error") : nullptr;
        error && error->is_string())
      return fail(Error::Kind::refused, std::string(error->get_string()), path);
    const json::value* result = object ? object->if_contains("result") : nullptr;
    if (!result || !result->is_string())
      return fail(Error::Kind::invalid, "an answer without a text", path);
    return std::string(result->get_string());
  }
  return tl::unexpected(std::move(why));
}

}  // namespace vmirror::ovs
