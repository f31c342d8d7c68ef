// Writes every capture as DIRECTORY/NAME.pcap:
//
//   cmake --build build/dev --target make_golden && build/dev/bin/make_golden tests/golden/cases
#include <cstdio>
#include <fstream>

#include "tests/golden/captures.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_golden DIRECTORY\n");
    return 2;
  }
  for (const vmirror::test::Capture& capture : vmirror::test::golden_captures()) {
    const std::string path = std::string(argv[1]) + "/" + capture.name + ".pcap";
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(capture.file.data()),
               static_cast<std::streamsize>(capture.file.size()));
    if (!file.flush()) {
      std::fprintf(stderr, "can't write %s (does the directory exist?)\n", path.c_str());
      return 1;
    }
  }
  return 0;
}
