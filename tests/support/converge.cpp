#include "tests/support/converge.hpp"

#include "plugin/api/diff.hpp"

namespace vmirror::test {
namespace {

std::string text_of(const Observed& observed, bool foreign_only) {
  std::string out;
  for (const auto& [name, sw] : observed.switches) {
    out += name + "\n";
    for (const auto& [port_name, port] : sw.ports) {
      if (foreign_only && port.owned) continue;
      out += "  port " + port_name + " " + port.type + (port.owned ? " ours" : "");
      for (const auto& [key, value] : port.options) out += " " + key + "=" + value;
      out += "\n";
    }
    for (const auto& [mirror_name, mirror] : sw.mirrors) {
      if (foreign_only && mirror.owned) continue;
      out += "  " + Step{PutMirror{mirror}, ""}.text() + (mirror.owned ? " ours" : "") + "\n";
    }
    for (const std::uint16_t vlan : sw.unlearned_vlans)
      if (!foreign_only || !sw.owned_unlearned_vlans.contains(vlan))
        out += "  unlearned " + std::to_string(vlan) + "\n";
  }
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
    const std::vector<Step> steps = diff(out.wanted, *out.observed);
    if (steps.empty()) return out;
    if (const auto applied = driver.apply(steps); !applied) return tl::unexpected(applied.error());
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
