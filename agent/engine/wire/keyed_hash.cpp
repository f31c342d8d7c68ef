#include "agent/engine/wire/keyed_hash.hpp"

#define XXH_INLINE_ALL
// Without optimisation GCC 14 can't inline all that the header insists on.
#ifndef NDEBUG
#define XXH_NO_INLINE_HINTS 1
#endif
#include <xxhash.h>

namespace vmirror {

std::uint64_t hash_words(std::uint64_t word, std::uint64_t secret) noexcept {
  return XXH3_64bits_withSeed(&word, sizeof word, secret);
}

std::uint64_t hash_words(std::uint64_t first, std::uint64_t second, std::uint64_t secret) noexcept {
  const std::uint64_t words[] = {first, second};
  return XXH3_64bits_withSeed(words, sizeof words, secret);
}

std::uint64_t hash_words(const std::uint64_t* words, std::size_t count,
                         std::uint64_t secret) noexcept {
  return XXH3_64bits_withSeed(words, count * sizeof *words, secret);
}

}  // namespace vmirror
