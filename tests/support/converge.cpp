#include "tests/support/converge.hpp"

#include "plugin/api/diff.hpp"

namespace vmirror::test {
namespace {

/// How long a switch may need for what it was asked.
constexpr std::chrono::seconds kPatience{30};

std::string text_of(const Observed& observed, bool foreign_only) {
  std::string out;
  for (const auto& [name, sw] : observed.switches) {
    out += name + "\n";
    for (const auto& [port_name, port] : sw.ports) {
      if (foreign_only && port.owned) continue;
      out += "  port " + port_name + " " + port.type + (port.owned ? " ours" : "");
      if (port.tunnel) out += " to " + port.tunnel->remote;
      out += "\n";
    }
  }
  for (const auto& [key, is] : observed.objects)
    if (!(foreign_only && is.owned))
      out += to_text(key) + " " + is.object.value->text() + (is.owned ? " ours" : "") + "\n";
  return out;
}

}  // namespace

Result<Converged> converge(Driver& driver, const Desired& desired, int rounds) {
  Converged out;
  for (int i = 0; i < rounds; i++) {
    const auto observed = driver.observe();
    if (!observed) return tl::unexpected(observed.error());
    out.observed = *observed;
    out.wanted = driver.realise(desired, *out.observed);
    const std::vector<Step> steps = diff(out.wanted.objects, *out.observed);
    if (steps.empty()) return out;
    const auto done = carry_out(driver, steps, kPatience);
    if (!done) return tl::unexpected(done.error());
    out.steps.insert(out.steps.end(), steps.begin(), steps.end());
  }
  return fail(Error::Kind::internal, "still steps after " + std::to_string(rounds) +
                                         " rounds: " + out.steps.back().text());
}

std::string to_text(const Observed& observed) {
  return text_of(observed, false);
}
std::string foreign_text(const Observed& observed) {
  return text_of(observed, true);
}

}  // namespace vmirror::test
