#include "agent/model/budget.hpp"

#include <charconv>

namespace vmirror {

Result<std::uint64_t> parse_rate(std::string_view text) {
  const auto wrong = [&] {
    return fail(Error::Kind::invalid, "`" + std::string(text) + "` is no rate");
  };
  std::uint64_t value = 0, unit = 1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error != std::errc() || value == 0) return wrong();
  if (rest == "k")
    unit = 1'000;
  else if (rest == "M")
    unit = 1'000'000;
  else if (rest == "G")
    unit = 1'000'000'000;
  else if (!rest.empty())
    return wrong();
  constexpr std::uint64_t kMost = 1'000'000'000'000'000;
  if (value > kMost / unit) return wrong();
  return value * unit;
}

Rate& Rate::operator+=(const Rate& other) {
  bits += other.bits;
  frames += other.frames;
  return *this;
}

}  // namespace vmirror
