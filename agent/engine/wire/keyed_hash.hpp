// The hash of all tables whose keys a guest can choose: XXH3 with a secret, so that nobody outside
// can choose keys that collide. The flow table has a hash of its own, by the same secret.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "plugin/base/address.hpp"

namespace vmirror {

/// XXH3 of one, two and `count` numbers. The short ones cost half as many instructions.
std::uint64_t hash_words(std::uint64_t word, std::uint64_t secret) noexcept;
std::uint64_t hash_words(std::uint64_t first, std::uint64_t second, std::uint64_t secret) noexcept;
std::uint64_t hash_words(const std::uint64_t* words, std::size_t count,
                         std::uint64_t secret) noexcept;

/// A value that each table has its own copy of.
class KeyedHash {
 public:
  /// `secret`: a daemon draws it at random, once for each process. The default gives tests and the
  /// analysis of files the same order each time.
  explicit KeyedHash(std::uint64_t secret = 0x2545f4914f6cdd1d) : secret_(secret) {}

  template <typename... Words>
  std::uint64_t of(Words... words) const noexcept {
    const std::array<std::uint64_t, sizeof...(Words)> all{static_cast<std::uint64_t>(words)...};
    return hash_words(all.data(), all.size(), secret_);
  }
  std::uint64_t of(std::uint64_t first, std::uint64_t second) const noexcept {
    return hash_words(first, second, secret_);
  }
  /// Of a MAC in a scope.
  std::uint64_t operator()(const Mac& mac, std::uint64_t scope = 0) const noexcept {
    return scope == 0 ? hash_words(mac.number(), secret_) : of(mac.number(), scope);
  }
  /// Of an address in a scope, or with another number.
  std::uint64_t operator()(const IpAddress& ip, std::uint64_t with = 0) const noexcept {
    const auto [first, second] = ip.halves();
    if (ip.version == 4) return of(first, with);  // Whose second half is 0.
    return with == 0 ? of(first, second) : of(first, second, with);
  }

 private:
  std::uint64_t secret_;
};

}  // namespace vmirror
