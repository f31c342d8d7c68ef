#include "plugin/ovs/version.hpp"

#include <charconv>

namespace vmirror::ovs {

std::string Version::text() const {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

std::optional<Version> version_in(std::string_view text) {
  for (std::size_t at = 0; (at = text.find_first_of("0123456789", at)) != std::string_view::npos;) {
    Version version;
    const char* p = text.data() + at;
    const char* const end = text.data() + text.size();
    int parts = 0;
    for (int* part : {&version.major, &version.minor, &version.patch}) {
      if (parts != 0 && (p == end || *p++ != '.')) break;
      const auto [next, error] = std::from_chars(p, end, *part);
      if (error != std::errc()) break;
      p = next;
      ++parts;
    }
    if (parts == 3) return version;
    at = text.find_first_not_of("0123456789", at);
    if (at == std::string_view::npos) break;
  }
  return std::nullopt;
}

bool copies_changed_frames_again(const Version& version) {
  return version >= Version{3, 1, 3};
}

std::optional<Version> bonds_fixed_in(const Version& version) {
  constexpr Version kLast{3, 7, 0};
  if (version >= kLast) return std::nullopt;
  for (const Version fixed :
       {Version{3, 3, 8}, Version{3, 4, 5}, Version{3, 5, 4}, Version{3, 6, 2}})
    if (version.major == fixed.major && version.minor == fixed.minor)
      return version < fixed ? std::optional(fixed) : std::nullopt;
  return kLast;
}

}  // namespace vmirror::ovs
