#include "agent/engine/findings/findings.hpp"

#include <algorithm>
#include <functional>
#include <string_view>

namespace vmirror {
namespace {

constexpr auto give_back = [](auto&) {};
/// Rows that one frame can tell of: its acts, and a little more.
constexpr std::size_t kMaxTold = Facts::kMaxActs + 64;

bool is_empty(const Subject& subject) {
  return subject.mac.is_zero() && subject.ip.empty();
}

/// The address where there is one, else the MAC: behind a router the MAC is the router's.
Subject identity_of(const Subject& subject) {
  return subject.ip.empty() ? Subject{subject.mac, {}, {}} : Subject{{}, subject.ip, {}};
}

}  // namespace

Findings::Findings(FindingOptions options, std::shared_ptr<Baseline> baseline,
                   const KeyedHash& hash, const FindingLimits& limits)
    : options_(std::move(options)),
      baseline_(std::move(baseline)),
      hash_(hash),
      second_(hash.of(0x66696e64696e6773)),
      rows_(limits.rows),
      claims_(limits.claims),
      contenders_(limits.contenders),
      logons_(limits.logons),
      controllers_(limits.controllers),
      strays_(limits.strays) {
  told_.reserve(kMaxTold);
}

void Findings::fold(const Facts& facts, const Sighting& at) {
  for (const Fact& fact : facts.facts()) {
    if (fact.attribute != Attribute::role && fact.attribute != Attribute::service) continue;
    if (fact.value.kind != Value::Kind::text) continue;
    const std::string_view said = fact.value.text;
    if (fact.attribute == Attribute::role ? said == "domain_controller" : said == "kerberos")
      learn_controller(fact.subject.ip, at.scope);
  }
  for (const Act& each : facts.acts())
    if (each.kind != Act::Kind::read && each.kind != Act::Kind::start) act(each, at);
}

void Findings::act(const Act& act, const Sighting& at) {
  const auto found = [&](FindingKind kind) {
    if (is_on(kind)) add({kind, at.scope, act.on, act.by, act.source}, at);
  };
  switch (act.kind) {
    case Act::Kind::write:
      return by_newcomer(FindingKind::new_master, act, at);
    case Act::Kind::set_time:
      return by_newcomer(FindingKind::time_change, act, at);
    case Act::Kind::serve_addresses:
      return by_newcomer(FindingKind::rogue_dhcp_server, act, at);
    case Act::Kind::stop:
      return found(FindingKind::controller_stop);
    case Act::Kind::download:
      return found(FindingKind::program_download);
    case Act::Kind::firmware:
      return found(FindingKind::firmware_write);
    case Act::Kind::weak_authentication:
      if (is_controller(act.on.ip, at.scope)) found(FindingKind::weak_dc_authentication);
      return;
    case Act::Kind::refused_authentication:
      return refused(act, at);
    case Act::Kind::claim_address:
      return claim(act, at);
    case Act::Kind::read:
    case Act::Kind::start:
    case Act::Kind::count_:
      return;
  }
}

// ---- Who was not seen before

/// Of a pair, or of `by` alone where `on` is empty.
std::uint64_t Findings::pair_of(FindingKind kind, Scope scope, const Subject& on,
                                const Subject& by) const {
  const Subject whom = identity_of(on), who = identity_of(by);
  const auto [on_first, on_second] = whom.ip.halves();
  const auto [by_first, by_second] = who.ip.halves();
  return hash_.of(std::uint64_t{scope} << 8 | static_cast<std::uint8_t>(kind), whom.mac.number(),
                  on_first, on_second, who.mac.number(), by_first, by_second);
}

/// A server of addresses serves many: it is known by itself.
void Findings::by_newcomer(FindingKind kind, const Act& act, const Sighting& at) {
  if (!is_on(kind)) return;
  const bool serves = kind == FindingKind::rogue_dhcp_server;
  const Subject on = serves ? Subject{} : identity_of(act.on);
  const Subject by = serves ? act.by : identity_of(act.by);
  const bool learning = baseline_->learns(at.time);
  const Baseline::Seen seen = baseline_->add(pair_of(kind, at.scope, on, by));
  const FindingKey key{kind, at.scope, on, by, act.source};
  if (seen == Baseline::Seen::now_first ? !learning : is_known(key)) add(key, at);
}

void Findings::device(const Mac& mac, const Sighting& at) {
  if (!is_on(FindingKind::new_device)) return;
  const bool learning = baseline_->learns(at.time);
  const FindingKey key{FindingKind::new_device, at.scope, {mac, {}, {}}, {}, "frame.source_mac"};
  const auto seen = baseline_->add(pair_of(key.kind, at.scope, key.on, {}));
  if (seen == Baseline::Seen::now_first && !learning) add(key, at);
}

void Findings::know_device(const Mac& mac, Scope scope) {
  baseline_->add(pair_of(FindingKind::new_device, scope, {mac, {}, {}}, {}));
}

void Findings::know_master(const IpAddress& master, const IpAddress& device, Scope scope) {
  for (const FindingKind kind : {FindingKind::new_master, FindingKind::time_change})
    baseline_->add(pair_of(kind, scope, {{}, device, {}}, {{}, master, {}}));
}

// ---- Whose is an address?

/// Addresses move: a cluster fails over, a lease ends. Where two claim one in turn, both hold it.
void Findings::claim(const Act& act, const Sighting& at) {
  const bool wanted = is_on(FindingKind::ip_conflict) || is_on(FindingKind::arp_spoofing);
  if (!wanted || act.on.mac.is_zero() || act.on.mac.is_group() || act.on.ip.empty()) return;
  const auto [first, second] = act.on.ip.halves();
  const Hashes place = hashes(std::uint64_t{at.scope} << 16 | at.vlan, first, second);
  Claim& claim = *claims_.take(place.first, place.second, give_back);
  if (claim.holder.is_zero()) claim.holder = act.on.mac;
  if (claim.holder == act.on.mac) return;
  const bool fresh =
      claim.since == 0 || is_ahead(claim.since, at.time) || at.time - claim.since > kClaimWindow;
  if (fresh) {
    claim.since = at.time;
    claim.changes = 0;
    claim.forger = {};
  }
  ++claim.changes;
  claim.other = claim.holder;
  claim.holder = act.on.mac;
  if (!act.by.mac.is_zero() && act.by.mac != act.on.mac) claim.forger = act.by.mac;
  if (claim.changes < kClaimChanges) return;
  claim.since = at.time;  // As long as it goes on.
  const Mac by = spoofer(claim, act.on.ip, at);
  FindingKey key{FindingKind::ip_conflict,
                 at.scope,
                 {claim.holder, act.on.ip, {}},
                 {claim.other, act.on.ip, {}},
                 act.source};
  if (key.by.mac < key.on.mac) std::swap(key.by, key.on);
  if (!by.is_zero())
    key = {FindingKind::arp_spoofing, at.scope, {{}, act.on.ip, {}}, {by, {}, {}}, act.source};
  if (is_on(key.kind)) add(key, at);
}

/// Who takes the address: who claims two that two others hold, or sent a claim in another's name;
/// zero: nobody can tell the two apart. Two NICs of one machine that both answer for its addresses
/// contend with each other only.
Mac Findings::spoofer(const Claim& claim, const IpAddress& ip, const Sighting& at) {
  if (!claim.forger.is_zero()) return claim.forger;
  Mac out;
  for (const auto& [mac, against] :
       {std::pair(claim.holder, claim.other), std::pair(claim.other, claim.holder)}) {
    const Hashes place = hashes(at.scope, mac.number());
    Contender& contender = *contenders_.take(place.first, place.second, give_back);
    if (contender.ip.empty()) {
      contender.ip = ip;
      contender.against = against;
    }
    if (contender.ip != ip && contender.against != against) contender.several = true;
    if (contender.several) out = mac;
  }
  return out;
}

// ---- Logons

void Findings::learn_controller(const IpAddress& ip, Scope scope) {
  if (ip.empty()) return;
  const auto [first, second] = ip.halves();
  const Hashes place = hashes(scope, first, second);
  controllers_.take(place.first, place.second, give_back);
}

bool Findings::is_controller(const IpAddress& ip, Scope scope) {
  if (ip.empty()) return false;
  const auto [first, second] = ip.halves();
  const Hashes place = hashes(scope, first, second);
  return controllers_.find(place.first, place.second) != nullptr;
}

void Findings::refused(const Act& act, const Sighting& at) {
  if (!is_on(FindingKind::refused_logons)) return;
  const FindingKey key{FindingKind::refused_logons, at.scope, act.on, act.by, act.source};
  const Hashes place = hashes_of(key);
  Logons& logons = *logons_.take(place.first, place.second, give_back);
  if (logons.since == 0 || is_ahead(logons.since, at.time) || at.time - logons.since > kLogonWindow)
    logons = {at.time, 0};
  if (++logons.refused < kRefusals) return;
  add(key, at, logons.refused == kRefusals ? kRefusals : 1);
}

// ---- Mirrored ports

void Findings::stray(const Mac& mac, const Sighting& at) {
  if (!is_on(FindingKind::spoofed_mac)) return;
  const Hashes place = hashes(at.scope, mac.number(), at.vlan);
  Stray& stray = *strays_.take(place.first, place.second, give_back);
  if (stray.first == 0 || is_ahead(stray.first, at.time)) stray.first = at.time;
  if (at.time - stray.first < kStrayLasts) return;
  add({FindingKind::spoofed_mac, at.scope, {}, {mac, {}, {}}, "frame.source_mac"}, at);
}

void Findings::twins(const Mac& mac, Time since, const Sighting& at) {
  if (!is_on(FindingKind::mac_conflict) || at.time - since < kTwinsLast) return;
  add({FindingKind::mac_conflict, at.scope, {mac, {}, {}}, {}, "port.mac"}, at);
}

// ---- Rows

Findings::Hashes Findings::hashes_of(const FindingKey& key) const {
  const auto [on_first, on_second] = key.on.ip.halves();
  const auto [by_first, by_second] = key.by.ip.halves();
  const auto station = [](const Station& s) {
    return std::uint64_t{s.number} << 8 | static_cast<std::uint8_t>(s.kind);
  };
  return hashes(std::uint64_t{key.scope} << 8 | static_cast<std::uint8_t>(key.kind),
                key.on.mac.number(), on_first, on_second, station(key.on.station),
                key.by.mac.number(), by_first, by_second, station(key.by.station),
                std::hash<std::string_view>{}(key.source));
}

bool Findings::is_known(const FindingKey& key) {
  if (counts_[static_cast<std::size_t>(key.kind)] == 0) return false;
  const Hashes place = hashes_of(key);
  return rows_.find(place.first, place.second) != nullptr;
}

void Findings::add(const FindingKey& key, const Sighting& at, std::uint64_t times) {
  if (is_empty(key.on) && is_empty(key.by)) return;
  for (const Suppression& each : options_.suppressed)
    if (each.takes(key)) return;
  const Hashes place = hashes_of(key);
  Finding& row = *rows_.take(place.first, place.second, give_back);
  const bool begins = row.count == 0;
  const bool again = !begins && at.time - as_of(row.last, at.time) > kToldAgain;
  if (begins) {
    row.key = key;
    row.first = at.time;
    ++counts_[static_cast<std::size_t>(key.kind)];
  }
  row.vlan = at.vlan;
  row.last = std::max(as_of(row.last, at.time), at.time);
  row.count += times;
  if ((begins || again) && told_.size() < kMaxTold) told_.push_back(row);
}

void Findings::all(std::vector<Finding>& to) const {
  to.reserve(to.size() + rows_.use().used);
  rows_.each([&](std::uint64_t, std::uint64_t, const Finding& row) { to.push_back(row); });
}

std::array<Findings::Use, 6> Findings::uses() const {
  return {{{"findings", "findings", rows_.use()},
           {"address_claims", "addresses that are claimed", claims_.use()},
           {"address_contenders", "MACs that claim an address against another", contenders_.use()},
           {"refused_logons", "pairs of client and server with refused logons", logons_.use()},
           {"domain_controllers", "domain controllers", controllers_.use()},
           {"stray_macs", "MACs that no mirrored port has", strays_.use()}}};
}

}  // namespace vmirror
