// The hook's settings. The file of settings is also the hook: an executable file with vmirror-hook
// as its interpreter. libvirtd starts the file as a program, the kernel starts vmirror-hook with
// the file's path, and no shell runs in between.
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
  std::chrono::milliseconds timeout{500};  ///< Of one whole call. 10 to 60000.
  bool operator==(const HookSettings&) const = default;
};

constexpr std::size_t kMaxHookFile = 4096;  ///< Bytes.
/// The kernel's limit for a `#!` line (BINPRM_BUF_SIZE, Linux 5.1 and later).
constexpr std::size_t kMaxInterpreterLine = 255;

/// The text of a hook's file. Error::Kind::invalid: a path has white space, the program's path is
/// too long for a `#!` line, or the timeout is out of its bounds.
Result<std::string> hook_file(const std::string& program, const HookSettings& settings);

/// True: `text` begins like the output of hook_file, so the file is ours.
bool is_hook_file(std::string_view text);

/// Reads such a file; missing settings have their defaults. Error::Kind::invalid names the line.
Result<HookSettings> parse_hook_file(std::string_view text);

}  // namespace vmirror
