// vmirror-hook SETTINGS GUEST OPERATION SUBOPERATION EXTRA: libvirt's hook for QEMU guests.
// SETTINGS is the hook's own file (settings.hpp), whose interpreter this is. See hook.hpp.
#include <unistd.h>

#include <csignal>
#include <string_view>

#include "agent/control/hook/hook.hpp"
#include "plugin/base/program.hpp"

namespace {

constexpr char kUsage[] =
    "vmirror-hook is started by libvirtd, through the file that `vmirror hook install` writes:\n"
    "  vmirror-hook SETTINGS GUEST OPERATION SUBOPERATION EXTRA <DOMAIN.XML\n"
    "Exit codes: 0 go on; 1 the guest is refused, standard error says why; 64 wrong call;\n"
    "70 a fault of vmirror-hook, which refuses the guest, too\n\n"
    "Example: virsh dumpxml dc1 |\n"
    "  vmirror-hook /etc/libvirt/hooks/qemu.d/vmirror dc1 prepare begin -\n";

void print(int to, std::string_view text) {
  (void)!::write(to, text.data(), text.size());
}
void print_error(std::string_view text) {
  print(STDERR_FILENO, text);
}

int run(int argc, char** argv) {
  using namespace vmirror;
  const auto started = HookClock::now();
  if (argc == 2 && std::string_view(argv[1]) == "--help") {
    print(STDOUT_FILENO, kUsage);
    return 0;
  }
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    print(STDOUT_FILENO, "vmirror-hook " VMIRROR_VERSION "\n");
    return 0;
  }
  if (argc != 5 && argc != 6) {
    print_error(kUsage);
    return 64;
  }
  const HookInvocation call{argv[2], argv[3], argv[4]};
  if (!hook_matters(call.operation, call.suboperation)) return 0;
  std::signal(SIGPIPE, SIG_IGN);
  HookSettings settings;
  const auto text = read_file(argv[1], kMaxHookFile);
  const auto read = text ? parse_hook_file(*text) : tl::unexpected(text.error());
  if (read) settings = *read;
  const HookOutcome outcome = run_hook(call, settings, STDIN_FILENO, started, wall_clock());
  if (outcome.refused) {
    print_error("vmirror: " + outcome.message + "\n");
    return 1;
  }
  if (!read) log_warning(std::string(argv[1]) + ": " + read.error().text());
  if (!outcome.message.empty()) log_warning(outcome.message);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return vmirror::run_program("vmirror-hook", [&] { return run(argc, argv); });
}
