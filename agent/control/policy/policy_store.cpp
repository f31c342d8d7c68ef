#include "agent/control/policy/policy_store.hpp"

#include <spdlog/spdlog.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <map>
#include <optional>

namespace vmirror {

namespace asio = boost::asio;

namespace {
/// Several files that are changed together are read together; each change takes so much longer.
constexpr std::chrono::milliseconds kSettle{3};
constexpr std::uint32_t kEvents = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM |
                                  IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB |
                                  IN_ONLYDIR;

constexpr std::size_t kToldFiles = 16;  ///< Bad files that one reading names in the log.

/// A folder's state is where its path leads: what is in it tells for itself.
FileState place_of(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return {};
  if (S_ISDIR(s.st_mode)) return {.device = s.st_dev, .inode = s.st_ino};
  return FileState::of(s);
}

/// Symbolic or hard. It is whole once it is there, where a plain file tells when it is closed; and
/// what it leads to may change by another name.
bool is_link(const std::string& path) {
  struct stat s {};
  return ::lstat(path.c_str(), &s) == 0 &&
         (S_ISLNK(s.st_mode) || (S_ISREG(s.st_mode) && s.st_nlink > 1));
}

/// Where the folder and the links in it lead: what inotify, which watches inodes, does not tell.
std::map<std::string, FileState> places_of(const std::string& folder) {
  namespace fs = std::filesystem;
  std::map<std::string, FileState> out{{folder, place_of(folder)}};
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    const std::string path = it->path().string();
    if (is_link(path)) out.emplace(path, place_of(path));
  }
  return out;
}
}  // namespace

struct PolicyStore::State : std::enable_shared_from_this<State> {
  State(asio::io_context& io, std::string path, Use u)
      : folder{std::move(path)}, use(std::move(u)), watcher(io), settle(io) {}

  PolicyFolder folder;
  std::optional<std::pair<std::vector<Policy>, bool>> in_force;
  Use use;
  asio::posix::stream_descriptor watcher;
  asio::steady_timer settle;
  int watched = -1;                         ///< inotify's descriptor of the folder; -1: of none.
  std::map<std::string, FileState> places;  ///< As of the last reading.

  void look() {
    if (folder.error || watched < 0 || places != places_of(folder.path)) reload();
  }

  void reload() {
    places = places_of(folder.path);
    watch();
    PolicyFolder next = read_policies(folder.path, folder);
    if (next.error) {
      if (next.error != folder.error)
        spdlog::error("policies, what was in force stays: {}", next.error->text());
      folder.error = next.error;
      return;
    }
    tell_bad(next);
    folder = std::move(next);
    std::pair now(folder.policies(), folder.whole());
    if (in_force == now) return;
    tell_changes(in_force ? in_force->first : std::vector<Policy>{});
    in_force = std::move(now);
    use(folder);
  }

  /// What changed in force against `before`, in which file, and whose file it is.
  void tell_changes(const std::vector<Policy>& before) const {
    std::map<std::string_view, const Policy*> earlier;
    for (const Policy& policy : before) earlier.emplace(policy.name, &policy);
    for (const PolicyFile& file : folder.files) {
      if (!file.policy) continue;
      const auto known = earlier.find(file.policy->name);
      const bool is_new = known == earlier.end();
      if (is_new || *known->second != *file.policy)
        spdlog::info("policy {} {}: {}, of user {}", file.policy->name,
                     is_new ? "comes in force" : "changes", file.path, file.state.owner);
      if (!is_new) earlier.erase(known);
    }
    for (const auto& [name, policy] : earlier) spdlog::info("policy {} is gone", name);
  }

  void tell_bad(const PolicyFolder& next) const {
    std::map<std::string_view, const std::optional<Error>*> told;
    for (const PolicyFile& file : folder.files) told.emplace(file.path, &file.error);
    std::size_t news = 0;
    for (const PolicyFile& file : next.files) {
      const auto last = told.find(file.path);
      if (!file.error || (last != told.end() && *last->second == file.error)) continue;
      if (++news <= kToldFiles)
        spdlog::error("policy file set aside{}: {}",
                      file.policy ? ", its policy stays in force as it was" : "",
                      file.error->text());
    }
    if (news > kToldFiles) spdlog::error("policy files set aside: {} more", news - kToldFiles);
  }

  /// Before the folder is read, so that no change falls between; and each time, for the path may
  /// lead to another folder by now. The same one keeps its descriptor.
  void watch() {
    if (!watcher.is_open()) {
      const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
      if (fd < 0) return;
      watcher.assign(fd);
      wait();
    }
    const int fd = watcher.native_handle();
    const int now = ::inotify_add_watch(fd, folder.path.c_str(), kEvents);
    if (watched >= 0 && watched != now) ::inotify_rm_watch(fd, watched);
    watched = now;
  }

  void wait() {
    watcher.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](boost::system::error_code error) {
                         if (error) return;
                         self->drain();
                         self->wait();
                       });
  }

  /// Whether what happened can change the set. A file that is new is whole when it is closed; its
  /// mode may be set before.
  bool is_news(const inotify_event& event) const {
    const std::string path = folder.path + "/" + (event.len > 0 ? event.name : "");
    if ((event.mask & IN_CREATE) != 0) return is_link(path);
    if ((event.mask & IN_ATTRIB) != 0 && event.len > 0)
      return std::ranges::find(folder.files, path, &PolicyFile::path) != folder.files.end();
    return (event.mask & IN_IGNORED) == 0;
  }

  void drain() {
    alignas(inotify_event) std::array<char, 4096> buffer;
    ssize_t size = 0;
    bool news = false;
    while ((size = ::read(watcher.native_handle(), buffer.data(), buffer.size())) > 0)
      for (ssize_t at = 0; at < size;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        news |= is_news(*event);
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
    if (!news) return;
    settle.expires_after(kSettle);
    settle.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (!error) self->reload();
    });
  }
};

PolicyStore::PolicyStore(asio::io_context& io, std::string folder, Use use)
    : state_(std::make_shared<State>(io, std::move(folder), std::move(use))) {
  state_->reload();
}

PolicyStore::~PolicyStore() {
  boost::system::error_code ignored;
  state_->settle.cancel(ignored);
  state_->watcher.close(ignored);
}

void PolicyStore::reload() {
  state_->reload();
}

void PolicyStore::look() {
  state_->look();
}

const PolicyFolder& PolicyStore::folder() const {
  return state_->folder;
}

Result<std::pair<std::string, std::string>> PolicyStore::keep(std::string_view yaml) {
  const auto policy = parse_policy(yaml, "the policy");
  if (!policy) return tl::unexpected(policy.error());
  state_->reload();  // What others wrote a moment ago counts.
  if (state_->folder.error) return tl::unexpected(*state_->folder.error);
  auto path = keep_policy(state_->folder, yaml, "the policy");
  if (!path) return tl::unexpected(path.error());
  state_->reload();
  const auto file = std::ranges::find(state_->folder.files, *path, &PolicyFile::path);
  if (file != state_->folder.files.end() && file->error) return tl::unexpected(*file->error);
  return std::pair(policy->name, *path);
}

Result<void> PolicyStore::drop(const std::string& name) {
  state_->reload();
  const auto done = drop_policy(state_->folder, name);
  if (done) state_->reload();
  return done;
}

}  // namespace vmirror
