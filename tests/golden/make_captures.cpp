// Writes every capture to its place in the source tree:
//
//   cmake --build build/dev --target make_golden && build/dev/bin/make_golden
#include <cstdio>
#include <fstream>

#include "tests/golden/captures.hpp"

int main() {
  for (const vmirror::test::Capture& capture : vmirror::test::golden_captures()) {
    const std::string path = vmirror::test::place_of(capture.name).string() + ".pcap";
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(capture.file.data()),
               static_cast<std::streamsize>(capture.file.size()));
    if (!file.flush()) {
      std::fprintf(stderr, "can't write %s\n", path.c_str());
      return 1;
    }
  }
  return 0;
}
