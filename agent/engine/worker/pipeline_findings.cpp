// What a pipeline gives to findings beside messages, and what it tells of them.
#include "agent/engine/worker/pipeline_state.hpp"

namespace vmirror {

void Pipeline::State::tell_findings(const EventHead& head) {
  if (eve.findings())
    for (const Finding& finding : findings->told()) eve.write_finding(head, finding);
  findings->clear_told();
}

/// Of devices and ports; what messages tell is folded with them.
void Pipeline::State::look_for_findings(Time now) {
  const auto tell_of = [this](const Mac& mac, const Sighting& at) {
    if (findings->told().empty()) return;
    EventHead head;
    head.time = at.time;
    head.scope = at.scope;
    head.src_mac = mac;
    head.vlan_count = at.vlan != 0 ? 1 : 0;
    head.vlans[0] = at.vlan;
    guest_of(at.scope, mac, {}, at.vlan).into(head);
    tell_findings(head);
  };
  for (const NewSender& sender : inventory.take_senders()) {
    const Sighting at{sender.time, sender.scope, sender.vlan};
    findings->device(sender.mac, at);
    tell_of(sender.mac, at);
  }
  options.baseline->learns(now);  // Behind the first frames: it begins with them.
  for (const StrayMac& stray : coverage.take_strays()) {
    const Sighting at{stray.time, 0, stray.vlan};
    findings->stray(stray.mac, at);
    tell_of(stray.mac, at);
  }
  const bool told_of_late = twins_told != 0 && now - twins_told < Findings::kTwinsLast;
  if (twins.empty() || (told_of_late && now >= twins_told)) return;
  twins_told = now;
  for (auto& [port, twin] : twins) {
    if (twin.since == 0 || is_ahead(twin.since, now)) twin.since = now;
    const Sighting at{now, 0, twin.vlan};
    findings->twins(twin.mac, twin.since, at);
    tell_of(twin.mac, at);
  }
}

}  // namespace vmirror
