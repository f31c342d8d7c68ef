#include "agent/control/admission/requirements_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "agent/control/hook/requirement.hpp"
#include "agent/control/hook/talk.hpp"

namespace vmirror {
namespace {

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = ::write(fd, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

}  // namespace

std::string requirements_path(const std::string& state_folder) {
  return state_folder + "/requirements";
}

Result<void> save_requirements(const std::string& path, std::span<const Policy> policies,
                               bool all_known) {
  std::vector<Requirement> wanted = requirements_of(policies);
  const auto now = read_file(path, kMaxRequirementsFile);
  if (!all_known && now)
    for (Requirement& earlier : parse_requirements(*now))
      if (std::ranges::find(policies, earlier.policy, &Policy::name) == policies.end())
        wanted.push_back(std::move(earlier));
  const std::string text = requirements_text(wanted);
  if (now && *now == text) return {};
  const auto failed = [&] {
    return fail(Error::Kind::refused, std::string("not written: ") + std::strerror(errno), path,
                "libvirt's hook can't know what is required until it is");
  };
  if (text.size() > kMaxRequirementsFile)
    return fail(Error::Kind::exhausted, "too many selectors in policies with `require`", path,
                "use fewer");
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  const std::string fresh = path + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return failed();
  const bool written = write_all(fd, text) && ::fsync(fd) == 0;
  ::close(fd);
  if (!written || ::rename(fresh.c_str(), path.c_str()) != 0) return failed();
  return {};
}

}  // namespace vmirror
