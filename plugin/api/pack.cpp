#include "plugin/api/pack.hpp"

#include <algorithm>
#include <utility>

namespace vmirror {
namespace {

constexpr std::uint32_t kSmallestSnaplen = 14;  ///< An Ethernet header.
constexpr std::uint32_t kLargestSnaplen = 65535;

tl::unexpected<Error> refuse(Error::Kind kind, const SessionRequest& s, std::string what,
                             std::string remedy = {}) {
  return fail(kind, std::move(what), s.switch_name + "/" + s.port, std::move(remedy));
}

Result<void> check_abilities(const SessionRequest& s, const Capabilities& can) {
  using enum Error::Kind;
  if (s.direction == Direction::none)
    return refuse(invalid, s, "no direction is asked for", "ask for in, out or both");
  if (s.snaplen != 0 && !can.snaplen)
    return refuse(unsupported, s, "snaplen is unknown to " + can.version, "leave snaplen out");
  if (s.snaplen != 0 && (s.snaplen < kSmallestSnaplen || s.snaplen > kLargestSnaplen))
    return refuse(invalid, s, "snaplen " + std::to_string(s.snaplen) + " is out of range",
                  "choose 14 to 65535");
  if (!s.filter.empty() && !can.filter)
    return refuse(unsupported, s,
                  "a filter needs Open vSwitch 3.4 or later; this is " + can.version,
                  "leave the filter out, or upgrade the switch");
  return {};
}

bool takes_copies(const Switch& sw, const std::string& port) {
  return std::ranges::any_of(sw.mirrors,
                             [&](const auto& m) { return m.second.output_port == port; });
}

/// The session's switch, when its source is one that can be mirrored.
Result<const Switch*> check_source(const SessionRequest& s, const Observed& observed) {
  using enum Error::Kind;
  const auto sw = observed.switches.find(s.switch_name);
  if (sw == observed.switches.end()) return refuse(missing, s, "there is no such switch");
  const auto port = sw->second.ports.find(s.port);
  if (port == sw->second.ports.end()) return refuse(missing, s, "there is no such port");
  if (port->second.owned)
    return refuse(refused, s,
                  "the port is one of our own outputs: its copies would be copied again");
  if (takes_copies(sw->second, s.port))
    return refuse(refused, s, "a mirror's copies go to this port: they would be copied again");
  return &sw->second;
}

/// The VLANs as a part of a name: themselves while they are few.
std::string vlan_text(const std::set<std::uint16_t>& vlans) {
  constexpr std::size_t kFew = 4;
  std::string out;
  for (const std::uint16_t vlan : vlans) out += (out.empty() ? "" : ".") + std::to_string(vlan);
  return vlans.size() <= kFew ? out : short_hash(out, 8);
}

std::string mirror_name(std::string_view owner, const std::string& key, const SessionRequest& s) {
  std::string name = std::string(owner) + "-" + key;
  if (s.snaplen != 0) name += "-s" + std::to_string(s.snaplen);
  if (!s.vlans.empty()) name += "-v" + vlan_text(s.vlans);
  if (!s.filter.empty()) name += "-f" + short_hash(s.filter, 8);
  return name;
}

/// One session on its way: refused, or with the output and the mirror that serve it.
struct Candidate {
  const SessionRequest* session = nullptr;
  const Switch* sw = nullptr;
  Output output;
  std::string mirror;
  std::optional<Error> refused;
};

Result<Candidate> consider(const SessionRequest& s, const Observed& observed,
                           std::string_view owner, const FindOutput& find_output) {
  const auto sw = check_source(s, observed);
  if (!sw) return tl::unexpected(sw.error());
  if (const auto able = check_abilities(s, observed.capabilities); !able)
    return tl::unexpected(able.error());
  auto output = find_output(s, **sw);
  if (!output) return tl::unexpected(output.error());
  if (output->port == s.port)
    return refuse(Error::Kind::refused, s, "the port is its own target: a loop");
  Candidate out{&s, *sw, std::move(*output), {}, {}};
  out.mirror = mirror_name(owner, out.output.key, s);
  out.refused = out.output.refused;
  if (const auto held = out.sw->mirrors.find(out.mirror);
      held != out.sw->mirrors.end() && !held->second.owned)
    return refuse(Error::Kind::refused, s,
                  "mirror `" + out.mirror + "` is there already and isn't ours", "rename that one");
  if (out.output.ours)
    for (const auto& [name, other] : observed.switches)
      if (const auto held = other.ports.find(out.output.port);
          held != other.ports.end() && !held->second.owned)
        return refuse(Error::Kind::refused, s,
                      "port `" + out.output.port + "` of " + name + " isn't ours",
                      "rename that one");
  return out;
}

/// The mirrors of one run, while sessions are added to them.
class Packing {
 public:
  explicit Packing(const Observed& observed) : limit_(observed.capabilities.mirrors_per_switch) {
    for (const auto& [name, sw] : observed.switches)
      foreign_[name] = static_cast<std::size_t>(
          std::ranges::count_if(sw.mirrors, [](const auto& m) { return !m.second.owned; }));
  }

  Result<void> add(const Candidate& c) {
    const SessionRequest& s = *c.session;
    const auto [it, fresh] = mirrors_.try_emplace({s.switch_name, c.mirror});
    Mirror& mirror = it->second;
    if (fresh) {
      if (foreign_[s.switch_name] + count_[s.switch_name] >= limit_) {
        mirrors_.erase(it);
        return refuse(Error::Kind::exhausted, s, full(s.switch_name),
                      "use fewer targets, snaplens, VLAN sets and filters on this switch");
      }
      count_[s.switch_name]++;
      mirror.name = c.mirror;
      mirror.switch_name = s.switch_name;
      mirror.output_port = c.output.port;
      mirror.output_vlan = c.output.vlan;
      mirror.vlans = s.vlans;
      mirror.snaplen = s.snaplen;
      mirror.filter = s.filter;
    }
    if (includes(s.direction, Direction::in)) mirror.in_ports.insert(s.port);
    if (includes(s.direction, Direction::out)) mirror.out_ports.insert(s.port);
    return {};
  }

  void move_to(Realisation& out) {
    for (auto& [key, mirror] : mirrors_) {
      if (mirror.output_vlan) out.unlearned_vlans[key.first].insert(*mirror.output_vlan);
      out.mirrors.push_back(std::move(mirror));
    }
  }

 private:
  std::string full(const std::string& name) {
    std::string out = "the switch holds " + std::to_string(limit_) + " mirrors at most";
    if (foreign_[name] != 0) out += ", and " + std::to_string(foreign_[name]) + " aren't ours";
    return out;
  }

  const std::size_t limit_;
  std::map<std::string, std::size_t> foreign_, count_;
  std::map<std::pair<std::string, std::string>, Mirror> mirrors_;
};

/// A port that one session's copies go to can't be the source of another.
void refuse_outputs(std::vector<Candidate>& candidates) {
  std::set<std::pair<std::string, std::string>> outputs;
  for (const Candidate& c : candidates)
    if (c.sw && !c.output.port.empty()) outputs.emplace(c.sw->name, c.output.port);
  for (Candidate& c : candidates)
    if (!c.refused && outputs.contains({c.sw->name, c.session->port}))
      c.refused = refuse(Error::Kind::refused, *c.session,
                         "another session's copies go to this port: they would be copied again")
                      .value();
}

}  // namespace

std::string short_hash(std::string_view text, std::size_t digits) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  std::string out;
  for (std::size_t i = 0; i < digits; i++) out += "0123456789abcdef"[hash >> (60 - 4 * i) & 15];
  return out;
}

Realisation pack(const Desired& desired, const Observed& observed, std::string_view owner,
                 const FindOutput& find_output) {
  std::vector<Candidate> candidates;
  candidates.reserve(desired.sessions.size());
  for (const SessionRequest& s : desired.sessions) {
    auto candidate = consider(s, observed, owner, find_output);
    candidates.push_back(candidate ? std::move(*candidate)
                                   : Candidate{&s, nullptr, {}, {}, candidate.error()});
  }
  refuse_outputs(candidates);

  Realisation out;
  Packing packing(observed);
  std::map<std::pair<std::string, std::string>, OutputPort> ports;
  for (const Candidate& c : candidates) {
    Verdict verdict{c.session->name, c.session->switch_name, {}, {}, {}, c.refused};
    if (!verdict.refused)
      if (const auto added = packing.add(c); !added) verdict.refused = added.error();
    if (!verdict.refused) {
      verdict.mirror = c.mirror;
      verdict.output = c.output.vlan ? "vlan " + std::to_string(*c.output.vlan) : c.output.port;
      verdict.session_id = c.output.session_id;
    }
    if (c.output.ours && (!verdict.refused || c.output.refused))
      ports.try_emplace({c.output.ours->switch_name, c.output.ours->name}, *c.output.ours);
    out.verdicts.push_back(std::move(verdict));
  }
  packing.move_to(out);
  for (auto& [key, port] : ports) out.ports.push_back(std::move(port));
  return out;
}

}  // namespace vmirror
