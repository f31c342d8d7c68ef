// How often each number of a 16-bit field came: EtherTypes, IP and GRE protocols that nobody reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace vmirror {

/// The first kMost numbers are told apart; frames of later ones are in `others()`. Not for a hot
/// path: a scan for each.
class NumberCounts {
 public:
  static constexpr std::size_t kMost = 64;

  void count(std::uint16_t number, std::uint64_t frames = 1) {
    for (auto& [known, sum] : counts_)
      if (known == number) {
        sum += frames;
        return;
      }
    if (counts_.size() < kMost)
      counts_.emplace_back(number, frames);
    else
      others_ += frames;
  }
  /// In the order in which they came first.
  const std::vector<std::pair<std::uint16_t, std::uint64_t>>& counts() const { return counts_; }
  std::uint64_t others() const { return others_; }

 private:
  std::vector<std::pair<std::uint16_t, std::uint64_t>> counts_;
  std::uint64_t others_ = 0;
};

}  // namespace vmirror
