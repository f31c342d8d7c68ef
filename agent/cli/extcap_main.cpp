// vmirror-extcap, the program that Wireshark starts.
#include <iostream>

#include "agent/cli/capture.hpp"
#include "plugin/base/program.hpp"

int main(int argc, char** argv) {
  return vmirror::run_program("vmirror-extcap", [&] {
    vmirror::CommandContext context{.out = std::cout, .err = std::cerr};
    return vmirror::run_extcap({argv + 1, argv + argc}, context);
  });
}
