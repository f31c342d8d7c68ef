// vmirror, the command line.
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "agent/cli/command.hpp"
#include "plugin/base/program.hpp"

int main(int argc, char** argv) {
  return vmirror::run_program("vmirror", [&] {
    vmirror::CommandContext context{.out = std::cout, .err = std::cerr};
    context.terminal = isatty(STDOUT_FILENO) != 0;
    context.colour = context.terminal && std::getenv("NO_COLOR") == nullptr;
    context.progress = isatty(STDERR_FILENO) != 0;
    struct winsize size {};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) context.width = size.ws_col;
    return vmirror::run_command_line({argv + 1, argv + argc}, context);
  });
}
