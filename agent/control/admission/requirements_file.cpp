#include "agent/control/admission/requirements_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "agent/control/hook/requirement.hpp"
#include "agent/control/hook/talk.hpp"
#include "plugin/base/whole_file.hpp"

namespace vmirror {
namespace {

/// `now` is what the file says. True: it requires all of `wanted`, or every guest.
bool asks_for_all(const Result<std::string>& now, const std::vector<Requirement>& wanted) {
  const auto has = now ? parse_requirements(*now) : std::vector<Requirement>{};
  const bool every = std::ranges::any_of(
      has, [](const Requirement& r) { return r.selector == Selector{} && !r.expires; });
  return every || std::ranges::all_of(wanted, [&](const Requirement& r) {
           return std::ranges::find(has, r) != has.end();
         });
}

/// The hook takes an empty file for one that requires every guest.
bool require_every_guest(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  ::close(fd);
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
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  const bool fits = text.size() <= kMaxRequirementsFile;
  if (fits && replace_file(path, text)) return {};
  const auto kind = fits ? Error::Kind::refused : Error::Kind::exhausted;
  const std::string why = fits ? std::string("not written: ") + std::strerror(errno)
                               : "too many selectors in policies with `require`; use fewer";
  const bool emptied = now && now->empty();
  if (!emptied && asks_for_all(now, wanted))
    return fail(kind, why, path, "libvirt's hook goes by what the file required before");
  if (emptied || require_every_guest(path))
    return fail(kind, why, path, "until it is, libvirt's hook takes every guest for required");
  return fail(kind, why, path, "libvirt's hook can't know what is required until it is");
}

}  // namespace vmirror
