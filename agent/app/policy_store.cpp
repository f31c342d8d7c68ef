#include "agent/app/policy_store.hpp"

#include <spdlog/spdlog.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>

namespace vmirror {

namespace asio = boost::asio;

namespace {
/// Several files that are changed together are read together.
constexpr std::chrono::milliseconds kSettle{10};
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                  IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
}  // namespace

struct PolicyStore::State : std::enable_shared_from_this<State> {
  State(asio::io_context& io, std::string path, Use u)
      : folder{std::move(path), {}, {}}, use(std::move(u)), watcher(io), settle(io) {}

  PolicyFolder folder;
  std::optional<std::vector<Policy>> in_force;
  Use use;
  asio::posix::stream_descriptor watcher;
  asio::steady_timer settle;
  bool watching = false;

  void reload() {
    if (!watching) watch();
    const auto before = folder.first_error();
    folder = read_policies(folder.path);
    const auto bad = folder.first_error();
    if (bad && bad != before) spdlog::error("policies, what was in force stays: {}", bad->text());
    if (bad) return;
    std::vector<Policy> policies = folder.policies();
    if (in_force == policies) return;
    in_force = policies;
    use(std::move(policies));
  }

  /// Before the folder is read, so that no change falls between.
  void watch() {
    if (!watcher.is_open()) {
      const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
      if (fd < 0) return;
      watcher.assign(fd);
      wait();
    }
    watching = ::inotify_add_watch(watcher.native_handle(), folder.path.c_str(), kEvents) >= 0;
  }

  void wait() {
    watcher.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](boost::system::error_code error) {
                         if (error) return;
                         self->drain();
                         self->wait();
                       });
  }

  void drain() {
    alignas(inotify_event) std::array<char, 4096> buffer;
    ssize_t size = 0;
    while ((size = ::read(watcher.native_handle(), buffer.data(), buffer.size())) > 0)
      for (ssize_t at = 0; at < size;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        if ((event->mask & (IN_IGNORED | IN_MOVE_SELF)) != 0) watching = false;
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
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

const PolicyFolder& PolicyStore::folder() const {
  return state_->folder;
}

Result<std::pair<std::string, std::string>> PolicyStore::keep(std::string_view yaml) {
  const auto policy = parse_policy(yaml, "the policy");
  if (!policy) return tl::unexpected(policy.error());
  const PolicyFolder now = read_policies(state_->folder.path);
  if (now.error) return tl::unexpected(*now.error);
  const std::string own_path = now.path + "/" + policy->name + ".yaml";
  for (const PolicyFile& file : now.files)
    if (file.error && file.path != own_path)
      return fail(Error::Kind::refused,
                  "not kept, because another policy is bad: " + file.error->what, file.error->where,
                  file.error->remedy);
  auto path = keep_policy(state_->folder.path, yaml, "the policy");
  if (!path) return tl::unexpected(path.error());
  state_->reload();
  return std::pair(policy->name, *path);
}

Result<void> PolicyStore::drop(const std::string& name) {
  const auto done = drop_policy(state_->folder.path, name);
  if (done) state_->reload();
  return done;
}

}  // namespace vmirror
