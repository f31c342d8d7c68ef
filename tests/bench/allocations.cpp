// Counts allocations: this program's own malloc and its kin come before glibc's for every library
// in the process, operator new included, and pass on to it. free() stays glibc's.
#include <atomic>
#include <cerrno>
#include <cstddef>

#include "tests/bench/harness.hpp"

namespace {
std::atomic<std::uint64_t> calls{0};
void count() {
  calls.fetch_add(1, std::memory_order_relaxed);
}
}  // namespace

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* at, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  count();
  return __libc_malloc(size);
}
void* calloc(std::size_t n, std::size_t size) {
  count();
  return __libc_calloc(n, size);
}
void* realloc(void* at, std::size_t size) {
  count();
  return __libc_realloc(at, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  void* const at = memalign(alignment, size);
  if (at == nullptr) return ENOMEM;
  *out = at;
  return 0;
}
}

namespace vmirror::bench {
std::uint64_t allocations() {
  return calls.load(std::memory_order_relaxed);
}
}  // namespace vmirror::bench
