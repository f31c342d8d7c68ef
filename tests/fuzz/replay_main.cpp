// Replays a fuzz target without a fuzzer: `fuzz_NAME [CORPUS_DIR [ITERATIONS]]` runs the target on
// every seed, every file of the folder, and on mutations of these that are the same in every run.
// On a crash the last line of standard error names the input, so that it can be made again.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/fuzz/fuzz.hpp"

/// A sanitizer's run time has it; it tells its own crashes apart.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace vmirror::test {

__attribute__((weak)) std::vector<Buffer> fuzz_seeds() {
  return {};
}

namespace {

constexpr std::size_t kMaxInput = 1 << 17;
char current[256];  // What runs now, for the signal handler.

void say_current() {
  (void)!write(STDERR_FILENO, current, std::strlen(current));
}
void on_crash(int signal) {
  say_current();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// Shows the target an input that ends where readable memory ends.
class Guarded {
 public:
  Guarded() {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* all =
        mmap(nullptr, kMaxInput + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) std::abort();
    end_ = static_cast<std::uint8_t*>(all) + kMaxInput;
    if (mprotect(end_, page, PROT_NONE) != 0) std::abort();
  }
  void run(Bytes input) {
    input = input.first(std::min(input.size(), kMaxInput));
    std::uint8_t* begin = end_ - input.size();
    if (!input.empty()) std::memcpy(begin, input.data(), input.size());
    LLVMFuzzerTestOneInput(begin, input.size());
  }

 private:
  std::uint8_t* end_;
};

class Mutator {
 public:
  explicit Mutator(const std::vector<Buffer>& pool) : pool_(pool) {}

  Buffer next() {
    Buffer out = pool_[below(pool_.size())];
    for (std::size_t n = 1 + below(6); n > 0; --n) change(out);
    return out;
  }

 private:
  std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }

  void change(Buffer& b) {
    static constexpr std::uint8_t kEdges[] = {0, 1, 0x7f, 0x80, 0xff, 0x45, 0x60, 0x81};
    const std::size_t at = below(b.size());
    const auto here = b.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(8)) {
      case 0:
        if (!b.empty()) b[at] ^= static_cast<std::uint8_t>(1 << below(8));
        return;
      case 1:
        if (!b.empty()) b[at] = static_cast<std::uint8_t>(random_());
        return;
      case 2:
        if (!b.empty()) b[at] = kEdges[below(std::size(kEdges))];
        return;
      case 3:
        if (b.size() >= at + 2) store_be16(b.data() + at, static_cast<std::uint16_t>(random_()));
        return;
      case 4:
        b.resize(at);
        return;
      case 5:
        b.insert(here, below(9), static_cast<std::uint8_t>(random_()));
        return;
      case 6:
        b.erase(here, here + static_cast<std::ptrdiff_t>(below(
                                 std::min<std::size_t>(b.size() - at + (b.empty() ? 0 : 1), 9))));
        return;
      default:
        splice(b, at);
    }
  }
  void splice(Buffer& b, std::size_t at) {
    const Buffer& other = pool_[below(pool_.size())];
    const auto from = other.begin() + static_cast<std::ptrdiff_t>(below(other.size()));
    b.resize(at);
    b.insert(b.end(), from, other.end());
    if (b.size() > kMaxInput) b.resize(kMaxInput);
  }

  const std::vector<Buffer>& pool_;
  std::mt19937 random_{20261121};
};

std::vector<std::filesystem::path> files_in(const char* folder) {
  std::vector<std::filesystem::path> out;
  if (!std::filesystem::is_directory(folder)) return out;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

int replay(const char* folder, unsigned long iterations) {
  Guarded guarded;
  std::vector<Buffer> pool = fuzz_seeds();
  for (std::size_t i = 0; i < pool.size(); ++i) {
    std::snprintf(current, sizeof current, "crashed on seed %zu\n", i);
    guarded.run(pool[i]);
  }
  const auto files = files_in(folder);
  for (const auto& path : files) {
    std::ifstream in(path, std::ios::binary);
    pool.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    std::snprintf(current, sizeof current, "crashed on %s\n", path.c_str());
    guarded.run(pool.back());
  }
  if (pool.empty()) pool.emplace_back(64);
  Mutator mutator(pool);
  for (unsigned long i = 0; i < iterations; ++i) {
    std::snprintf(current, sizeof current, "crashed on mutation %lu\n", i);
    guarded.run(mutator.next());
  }
  std::printf("%zu seeds, %zu files, %lu mutations\n", pool.size() - files.size(), files.size(),
              iterations);
  return 0;
}

}  // namespace
}  // namespace vmirror::test

int main(int argc, char** argv) {
  if (__sanitizer_set_death_callback != nullptr)
    __sanitizer_set_death_callback(vmirror::test::say_current);
  else
    for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL})
      std::signal(signal, vmirror::test::on_crash);
  return vmirror::test::replay(argc > 1 ? argv[1] : "",
                               argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 0);
}
