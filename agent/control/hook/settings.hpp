// The hook's settings, which are at the same time the hook: an executable file whose interpreter is
// vmirror-hook. libvirtd starts it as a program, the kernel starts vmirror-hook with its path, and
// no shell runs in between.
//
//   #!/usr/bin/vmirror-hook
//   # vmirror: `vmirror hook install` wrote this hook, `vmirror hook remove` takes it away.
//   socket /run/vmirror/control.sock
//   requirements /var/lib/vmirror/requirements
//   timeout_ms 500
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "plugin/base/result.hpp"

namespace vmirror {

struct HookSettings {
  std::string socket = "/run/vmirror/control.sock";
  std::string requirements = "/var/lib/vmirror/requirements";
  std::chrono::milliseconds timeout{500};  ///< Of one call, in all. 10 to 60000.
  bool operator==(const HookSettings&) const = default;
};

constexpr std::size_t kMaxHookFile = 4096;  ///< Bytes.
/// The kernel's bound of a `#!` line (BINPRM_BUF_SIZE, Linux 5.1 and later).
constexpr std::size_t kMaxInterpreterLine = 255;

/// The file of a hook. Error::Kind::invalid: one of the paths has white space, or the program's is
/// too long for a `#!` line; the timeout is out of its bounds.
Result<std::string> hook_file(const std::string& program, const HookSettings& settings);

/// True when `text` begins as hook_file writes it: the file is ours.
bool is_hook_file(std::string_view text);

/// Reads such a file; what isn't said in it has its default. Error::Kind::invalid names the line.
Result<HookSettings> parse_hook_file(std::string_view text);

}  // namespace vmirror
