#include "agent/confine/confine.hpp"

#include <cap-ng.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "agent/confine/parts.hpp"

namespace vmirror {
namespace {

/// To make the output port and to capture.
constexpr std::array<unsigned, 2> kKept = {CAP_NET_ADMIN, CAP_NET_RAW};

tl::unexpected<Error> cannot_confine(const std::string& what, int error) {
  return fail(Error::Kind::refused, what + ": " + std::strerror(error), "privileges",
              "start it as root, or as the user of its service");
}

Result<passwd> find_user(const std::string& name) {
  errno = 0;
  if (const passwd* user = ::getpwnam(name.c_str())) return *user;
  return fail(Error::Kind::missing, "there is no user `" + name + "`", "user",
              "useradd --system --no-create-home " + name);
}

/// The folders that only root may make.
Result<void> own(const std::vector<std::string>& folders, const passwd& user) {
  for (const std::string& folder : folders) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return cannot_confine("the folder " + folder + " can't be made", error.value());
    if (::lchown(folder.c_str(), user.pw_uid, user.pw_gid) != 0)
      return cannot_confine("the folder " + folder + " can't be given to " + user.pw_name, errno);
  }
  return {};
}

Result<std::vector<std::string>> effective_capabilities() {
  std::vector<std::string> out;
  if (capng_get_caps_process() != 0) return cannot_confine("capabilities can't be read", errno);
  for (unsigned capability = 0; capability <= CAP_LAST_CAP; ++capability)
    if (capng_have_capability(CAPNG_EFFECTIVE, capability) == 1)
      if (const char* name = capng_capability_to_name(capability))
        out.push_back(std::string("CAP_") + name);
  for (std::string& name : out)
    for (char& c : name)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

std::string user_name() {
  const passwd* user = ::getpwuid(::geteuid());
  return user != nullptr ? user->pw_name : std::to_string(::geteuid());
}

}  // namespace

Result<void> become(const std::string& user) {
  std::optional<passwd> other;
  if (!user.empty()) {
    const auto found = find_user(user);
    if (!found) return tl::unexpected(found.error());
    if (found->pw_uid != ::geteuid()) other = *found;
  }
  if (other && ::geteuid() != 0)
    return fail(Error::Kind::refused, "only root can go on as the user `" + user + "`", "user",
                "start it as root or as " + user + ", or take `user` away");
  if (capng_get_caps_process() != 0) return cannot_confine("capabilities can't be read", errno);
  std::array<bool, kKept.size()> there{};
  for (std::size_t i = 0; i < kKept.size(); ++i)
    there[i] = capng_have_capability(CAPNG_PERMITTED, kKept[i]) == 1;
  const bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) == 1;
  capng_clear(CAPNG_SELECT_BOTH);
  for (std::size_t i = 0; i < kKept.size(); ++i)
    if (there[i])
      capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED),
                   kKept[i]);
  const int done =
      other
          ? capng_change_id(static_cast<int>(other->pw_uid), static_cast<int>(other->pw_gid),
                            static_cast<capng_flags_t>(CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING))
          : capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
  if (done != 0) return cannot_confine("privileges can't be given up", errno);
  return {};
}

Result<Confinement> confine(const ConfineOptions& options) {
  if (!options.user.empty() && ::geteuid() == 0) {
    const auto user = find_user(options.user);
    if (!user) return tl::unexpected(user.error());
    if (const auto done = own(options.own_folders, *user); !done)
      return tl::unexpected(done.error());
  }
  if (const auto done = become(options.user); !done) return tl::unexpected(done.error());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return cannot_confine("new privileges can't be given up", errno);
  Confinement out;
  out.user = user_name();
  auto capabilities = effective_capabilities();
  if (!capabilities) return tl::unexpected(capabilities.error());
  out.capabilities = std::move(*capabilities);
  out.no_new_privileges = ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
  out.files = limit_files(options);
  out.system_calls = limit_system_calls();
  return out;
}

}  // namespace vmirror
