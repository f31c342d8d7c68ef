#include "plugin/api/driver.hpp"

#include <thread>

namespace vmirror {

Result<bool> carry_out(Driver& driver, std::span<const Step> steps,
                       std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds kBetweenLooks{2};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  const auto ticket = driver.submit(steps);
  if (!ticket) return tl::unexpected(ticket.error());
  for (;;) {
    const auto world = driver.observe();
    if (!world) return tl::unexpected(world.error());
    const auto it = (*world)->submissions.find(*ticket);
    if (it == (*world)->submissions.end()) return false;
    switch (it->second.state) {
      case Submission::State::settled:
        return true;
      case Submission::State::conflict:
        return false;
      case Submission::State::failed:
        return tl::unexpected(it->second.error);
      case Submission::State::running:
        break;
    }
    if (std::chrono::steady_clock::now() >= deadline)
      return fail(Error::Kind::unreachable,
                  "the switch has not ended what was submitted within " +
                      std::to_string(patience.count()) + " ms",
                  std::string(driver.name()));
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

}  // namespace vmirror
