#include "plugin/api/pack.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "plugin/api/mirror_object.hpp"

namespace vmirror {
namespace {

tl::unexpected<Error> refuse(Error::Kind kind, const Session& s, std::string what,
                             std::string remedy = {}) {
  return fail(kind, std::move(what), s.switch_name + "/" + s.port, std::move(remedy));
}

Result<void> check_abilities(const Session& s, const Capabilities& can) {
  using enum Error::Kind;
  if (s.direction == Direction::none)
    return refuse(invalid, s, "no direction is asked for", "ask for in, out or both");
  if (s.direction != Direction::both && !can.one_direction)
    return refuse(unsupported, s, can.version + " copies both directions or none", "ask for both");
  if (!can.targets.contains(kind_of(s.target)))
    return refuse(unsupported, s,
                  can.version + " can't copy to " + to_text(kind_of(s.target)) + " here");
  if (s.snaplen != 0 && !can.snaplen)
    return refuse(unsupported, s, "snaplen is unknown to " + can.version, "leave snaplen out");
  if (s.snaplen != 0 && (s.snaplen < can.snaplen->least || s.snaplen > can.snaplen->most))
    return refuse(invalid, s, "snaplen " + std::to_string(s.snaplen) + " is out of range",
                  "choose " + std::to_string(can.snaplen->least) + " to " +
                      std::to_string(can.snaplen->most));
  return {};
}

bool takes_copies(const Switch& sw, const std::string& port) {
  return std::ranges::any_of(sw.mirrors,
                             [&](const auto& m) { return m.second.output_port() == port; });
}

/// The session's switch, when its source is one that can be mirrored.
Result<const Switch*> check_source(const Session& s, const Observed& observed) {
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

/// A part of a session has a mirror of its own beside its whole.
std::string cut_text(const Cut& cut) {
  return "-c" + short_hash(vlan_text(cut.vlans) + " " + cut.match, 8);
}

/// What the other parts of a switch say to all sessions: who copies where, under which names.
void add_basis(std::string& to, const Observed& observed) {
  for (const auto& [name, sw] : observed.switches) {
    const Capabilities& can = sw.capabilities;
    to += "\n" + name + ": " + can.version + " " + std::to_string(can.mirrors) + " ";
    for (const TargetKind kind : can.targets) to += std::string(to_text(kind)) + ",";
    to += std::to_string(static_cast<int>(can.granularity));
    for (const bool has : {can.one_direction, can.match, can.snaplen.has_value()})
      to += has ? '+' : '-';
    if (can.snaplen)
      to += std::to_string(can.snaplen->least) + "-" + std::to_string(can.snaplen->most);
    for (const auto& [mirror_name, mirror] : sw.mirrors)
      to += "\n" + mirror_name + (mirror.owned ? " ours " : " ") + mirror.output_port();
  }
}

/// What a session copies besides its NIC's frames; null: nothing.
const char* what_else(Granularity granularity) {
  switch (granularity) {
    case Granularity::port_group:
      return " copies all NICs of the port group: there is no way to copy one's alone";
    case Granularity::whole_switch:
      return " copies every frame of the switch: there is no way to copy one NIC's alone";
    case Granularity::nic:
      break;
  }
  return nullptr;
}

/// True where the two differ in nothing that a realisation looks at: of counters and link states it
/// takes no notice.
bool alike(const Port& a, const Port& b) {
  return a.owned == b.owned && a.type == b.type && a.mac == b.mac && a.vlan == b.vlan &&
         a.trunks == b.trunks && a.members == b.members && a.mtu == b.mtu && a.uplink == b.uplink &&
         a.maybe_uplink == b.maybe_uplink && a.egress == b.egress && a.tunnel == b.tunnel &&
         a.peer == b.peer && a.labels == b.labels && a.bond == b.bond;
}

}  // namespace

/// Names in it are the keys of `sessions`.
struct Packer::State {
  using Names = std::set<std::string>;

  /// What one session adds to the demand.
  struct Contribution {
    std::pair<std::string, Target> key;
    Direction direction = Direction::none;
    std::uint32_t mtu = 0;
    std::string manner;
  };
  struct Entry {
    Session session;
    std::optional<Contribution> contribution;
    std::optional<Error> refused;  ///< Else `output` and `mirrors` are what it could have.
    OutputChoice output;
    Filtering filtering = Filtering::none;
    std::map<PortKey, Cut> mirrors;  ///< What each copies of it.
    bool member = false;             ///< It is among their groups.
  };
  struct Count {
    std::array<std::size_t, 4> of_direction{};
    std::map<std::uint32_t, std::size_t> mtus;
    std::map<std::string, std::size_t> manners;
  };
  /// The sessions that one mirror serves, or would.
  struct Group {
    Mirror mirror;
    Names members;
    bool served = false;
  };

  State(std::string o, MakeRules m) : owner(std::move(o)), make_rules(std::move(m)) {}

  const std::string owner;
  const MakeRules make_rules;

  SessionMap sessions;
  std::shared_ptr<const Observed> world = std::make_shared<const Observed>();
  std::string basis;
  Landmarks landmarks;
  std::unordered_map<PortKey, Names, PortKeyHash> on_port;
  std::map<std::pair<std::string, Target>, Count> counts;
  std::unordered_map<std::string, Entry> entries;
  std::map<PortKey, std::size_t> outputs;  ///< Ports that copies go to, and for how many sessions.
  std::set<std::string> our_names;         ///< Of ports that we would make.
  std::map<PortKey, Group> groups;         ///< By switch and mirror.
  std::map<ObjectKey, Names> users;        ///< Of each object that outputs need: whose do.
  PersistentMap<std::string, Verdict> verdicts;
  Objects objects;
  std::vector<Mirror> mirrors;

  // ---- The world and the demand

  /// Takes note of a port that came, went or changed. True when that may concern any session.
  bool note_port(const PortKey& at, const Port* was, const Port* is) {
    if (was != nullptr) {
      landmarks.owned.erase(at);
      landmarks.tunnels.erase(at);
      landmarks.patches.erase(at);
      landmarks.uplinks.erase(at);
      landmarks.bonds.erase(at);
      if (was->mac) {
        const auto it = landmarks.by_mac.find(*was->mac);
        it->second.erase(at);
        if (it->second.empty()) landmarks.by_mac.erase(it);
      }
    }
    if (is != nullptr) {
      if (is->owned) landmarks.owned.insert(at);
      if (is->tunnel) landmarks.tunnels.insert(at);
      if (!is->peer.empty()) landmarks.patches.insert(at);
      if (is->uplink) landmarks.uplinks.insert(at);
      if (!is->bond.empty()) landmarks.bonds.insert(at);
      if (is->mac) landmarks.by_mac[*is->mac].insert(at);
    }
    return our_names.contains(at.port) && (!was || !is || was->owned != is->owned);
  }

  void count(const Contribution& c, bool add) {
    const auto it = counts.try_emplace(c.key).first;
    std::size_t& direction = it->second.of_direction[static_cast<std::size_t>(c.direction)];
    direction += add ? 1 : -1;
    const auto count_in = [add](auto& counts, const auto& key) {
      std::size_t& n = counts[key];
      n += add ? 1 : -1;
      if (n == 0) counts.erase(key);
    };
    count_in(it->second.mtus, c.mtu);
    count_in(it->second.manners, c.manner);
    if (it->second.mtus.empty()) counts.erase(it);
  }

  Demand demand() const {
    Demand out;
    for (const auto& [key, count] : counts) {
      Share& share = out[key];
      std::size_t ports = 0;
      for (const Direction d : {Direction::in, Direction::out, Direction::both}) {
        const std::size_t n = count.of_direction[static_cast<std::size_t>(d)];
        if (n != 0) share.direction = share.direction | d;
        ports += n;
      }
      share.both_ends = ports > 1 && share.direction == Direction::both;
      share.mtu = count.mtus.rbegin()->first;
      for (const auto& [manner, n] : count.manners) share.manners.insert(manner);
    }
    return out;
  }

  void enter(const std::string& name, const Session& s) {
    Entry& entry = entries[name];
    entry.session = s;
    on_port[{s.switch_name, s.port}].insert(name);
    if (const Port* port = switch_of(*world, s.switch_name).ports.get(s.port)) {
      entry.contribution = {
          {s.switch_name, s.target}, s.direction, port->mtu.value_or(0), manner_text(s)};
      count(*entry.contribution, true);
    }
  }

  /// Takes the session out of everything but the verdicts.
  void leave(const std::string& name, Names& affected) {
    const auto it = entries.find(name);
    if (it == entries.end()) return;
    Entry& entry = it->second;
    withdraw(name, entry, affected);
    if (entry.contribution) count(*entry.contribution, false);
    const auto on = on_port.find({entry.session.switch_name, entry.session.port});
    on->second.erase(name);
    if (on->second.empty()) on_port.erase(on);
    entries.erase(it);
  }

  // ---- One session

  /// Who does the session's filter, and what the mirrors copy then.
  Result<std::vector<Cut>> cut_up(Entry& entry, const OutputRules& rules) const {
    const Session& s = entry.session;
    entry.filtering = Filtering::none;
    const std::vector<Cut> whole = {{s.direction, s.vlans}};
    if (s.filter.empty()) return whole;
    Result<std::vector<Cut>> cuts =
        rules.cut ? rules.cut(s)
                  : fail(Error::Kind::unsupported,
                         switch_of(*world, s.switch_name).capabilities.version + " filters nothing",
                         "", "let the target `local` filter");
    entry.filtering = Filtering::by_switch;
    if (cuts) return cuts;
    entry.filtering = Filtering::by_receiver;
    if (cuts.error().kind == Error::Kind::unsupported &&
        std::holds_alternative<LocalTarget>(s.target))
      return whole;
    return refuse(cuts.error().kind, s, "its filter is not enforceable here: " + cuts.error().what,
                  cuts.error().remedy);
  }

  std::string mirror_name(const OutputChoice& output, const Entry& entry, const Cut& cut) const {
    return owner + "-" + output.key + manner_text(entry.session) +
           (entry.filtering == Filtering::by_switch ? cut_text(cut) : "");
  }

  Result<void> consider(Entry& entry, const OutputRules& rules) {
    const Session& s = entry.session;
    const auto sw = check_source(s, *world);
    if (!sw) return tl::unexpected(sw.error());
    if (const auto able = check_abilities(s, (*sw)->capabilities); !able) return able;
    auto output = rules.find(s, **sw);
    if (!output) return tl::unexpected(output.error());
    our_names.insert(output->own_ports.begin(), output->own_ports.end());
    if (port_of(output->to) == s.port)
      return refuse(Error::Kind::refused, s, "the port is its own target: a loop");
    const auto cuts = cut_up(entry, rules);
    if (!cuts) return tl::unexpected(cuts.error());
    entry.mirrors.clear();
    for (const Cut& cut : *cuts) {
      const std::string mirror = mirror_name(*output, entry, cut);
      if (const auto held = (*sw)->mirrors.find(mirror);
          held != (*sw)->mirrors.end() && !held->second.owned)
        return refuse(Error::Kind::refused, s,
                      "mirror `" + mirror + "` is there already and isn't ours", "rename that one");
      entry.mirrors.emplace(PortKey{s.switch_name, mirror}, cut);
    }
    for (const std::string& own : output->own_ports)
      for (const auto& [name, other] : world->switches)
        if (const Port* held = other.ports.get(own); held && !held->owned)
          return refuse(Error::Kind::refused, s, "port `" + own + "` of " + name + " isn't ours",
                        "rename that one");
    if (const char* more = what_else((*sw)->capabilities.granularity))
      output->warnings.push_back((*sw)->capabilities.version + more);
    entry.output = std::move(*output);
    return {};
  }

  /// A port that one session's copies go to can't be the source of another: who is on it is
  /// affected.
  void count_output(const Entry& entry, bool add, Names& affected) {
    if (entry.refused || port_of(entry.output.to).empty()) return;
    const PortKey key{entry.session.switch_name, port_of(entry.output.to)};
    const auto it = outputs.try_emplace(key).first;
    it->second += add ? 1 : -1;
    if (it->second != (add ? 1U : 0U)) return;
    if (!add) outputs.erase(it);
    if (const auto on = on_port.find(key); on != on_port.end())
      affected.insert(on->second.begin(), on->second.end());
  }

  void withdraw(const std::string& name, Entry& entry, Names& affected) {
    count_output(entry, false, affected);
    set_member(name, entry, false);
    use_needs(name, entry, false);
    entry.refused = Error{};
    entry.output = {};
  }

  void reconsider(const std::string& name, Entry& entry, const OutputRules& rules,
                  Names& affected) {
    withdraw(name, entry, affected);
    const auto possible = consider(entry, rules);
    entry.refused = possible ? std::nullopt : std::optional(possible.error());
    count_output(entry, true, affected);
  }

  // ---- Mirrors

  /// Does another member of the mirror's group on the same port want this direction?
  bool another_wants(const std::string& name, const PortKey& mirror, const Session& s,
                     Direction part) const {
    const auto& on = on_port.at({s.switch_name, s.port});
    return std::ranges::any_of(on, [&](const std::string& other) {
      const Entry& o = entries.at(other);
      const auto cut = o.mirrors.find(mirror);
      return other != name && o.member && cut != o.mirrors.end() &&
             includes(cut->second.direction, part);
    });
  }

  void set_member(const std::string& name, Entry& entry, bool member) {
    if (entry.member == member) return;
    entry.member = member;
    for (const auto& [mirror, cut] : entry.mirrors) set_member(name, entry, mirror, cut);
  }

  void set_member(const std::string& name, const Entry& entry, const PortKey& mirror,
                  const Cut& cut) {
    const Session& s = entry.session;
    Group& group = groups[mirror];
    if (entry.member && group.members.empty()) {
      Mirror& m = group.mirror;
      m.name = mirror.port;
      m.switch_name = s.switch_name;
      m.output = entry.output.to;
      m.all =
          switch_of(*world, s.switch_name).capabilities.granularity == Granularity::whole_switch;
      m.vlans = cut.vlans;
      m.snaplen = s.snaplen;
      m.match = cut.match;
    }
    const auto select = [&](Direction part, PersistentSet<std::string>& ports) {
      if (!includes(cut.direction, part)) return;
      if (entry.member)
        ports.insert(s.port);
      else if (!another_wants(name, mirror, s, part))
        ports.erase(s.port);
    };
    select(Direction::in, group.mirror.in_ports);
    select(Direction::out, group.mirror.out_ports);
    if (entry.member) {
      group.members.insert(name);
    } else {
      group.members.erase(name);
      if (group.members.empty()) groups.erase(mirror);
    }
  }

  void use_needs(const std::string& name, const Entry& entry, bool use) {
    for (const auto& [key, object] : entry.output.needs) {
      if (use) {
        users[key].insert(name);
      } else if (const auto it = users.find(key); it != users.end()) {
        it->second.erase(name);
        if (it->second.empty()) users.erase(it);
      }
    }
  }

  std::size_t foreign_mirrors(const std::string& switch_name) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        switch_of(*world, switch_name).mirrors, [](const auto& m) { return !m.second.owned; }));
  }

  /// The switch holds so many mirrors: those that it has stay, then the first sessions' are served,
  /// each with all of its own or none. Those of a mirror for which that changes are affected.
  void serve_first(Names& affected) {
    using Turn = std::pair<bool, std::string>;  // Is it new? Its first member.
    std::map<std::string, std::map<Turn, std::vector<Group*>>> by_first;  // By switch.
    for (auto& [key, group] : groups) {
      const bool is_new = !switch_of(*world, key.switch_name).mirrors.contains(key.port);
      by_first[key.switch_name][{is_new, *group.members.begin()}].push_back(&group);
    }
    for (auto& [switch_name, of_switch] : by_first) {
      std::size_t used = foreign_mirrors(switch_name);
      for (auto& [turn, of_session] : of_switch) {
        const bool served =
            used + of_session.size() <= switch_of(*world, switch_name).capabilities.mirrors;
        if (served) used += of_session.size();
        for (Group* group : of_session) {
          if (served != group->served)
            affected.insert(group->members.begin(), group->members.end());
          group->served = served;
        }
      }
    }
  }

  // ---- Verdicts

  std::optional<Error> refusal(const Entry& entry) const {
    const Session& s = entry.session;
    if (entry.refused) return entry.refused;
    if (entry.output.refused) return entry.output.refused;
    if (outputs.contains({s.switch_name, s.port}))
      return refuse(Error::Kind::refused, s,
                    "another session's copies go to this port: they would be copied again")
          .value();
    return std::nullopt;
  }

  void judge(const std::string& name, Entry& entry) {
    const Session& s = entry.session;
    Verdict v;
    v.session = s.name;
    v.switch_name = s.switch_name;
    v.refused = refusal(entry);
    const auto served = [&](const auto& mirror) { return groups.at(mirror.first).served; };
    if (!v.refused && !std::ranges::all_of(entry.mirrors, served)) {
      std::string full = "the switch holds " +
                         std::to_string(switch_of(*world, s.switch_name).capabilities.mirrors) +
                         " mirrors at most";
      if (const std::size_t foreign = foreign_mirrors(s.switch_name); foreign != 0)
        full += ", and " + std::to_string(foreign) + " aren't ours";
      v.refused = refuse(Error::Kind::exhausted, s, full,
                         "use fewer targets, snaplens, VLAN sets and filters on this switch")
                      .value();
    }
    if (!v.refused) {
      for (const auto& [mirror, cut] : entry.mirrors)
        if (v.mirror.empty())
          v.mirror = mirror.port;
        else
          v.more_mirrors.push_back(mirror.port);
      v.filtering = entry.filtering;
      v.warnings = entry.output.warnings;
      v.output = to_text(entry.output.to);
      v.session_id = entry.output.session_id;
    }
    use_needs(name, entry, !v.refused || entry.output.refused);
    verdicts.set(name, std::move(v));
  }

  void collect() {
    mirrors.clear();
    std::map<ObjectKey, Object> all;
    for (const auto& [key, names] : users)
      all.emplace(key, entries.at(*names.begin()).output.needs.at(key));
    for (auto& [key, group] : groups) {
      if (!group.served) continue;
      // Equal selections become one, so that comparing the next ones costs what changes until then.
      const auto& there = switch_of(*world, key.switch_name).mirrors;
      if (const auto is = there.find(key.port); is != there.end()) {
        Mirror& m = group.mirror;
        if (m.in_ports == is->second.in_ports) m.in_ports = is->second.in_ports;
        if (m.out_ports == is->second.out_ports) m.out_ports = is->second.out_ports;
      }
      mirrors.push_back(group.mirror);
      Object object{std::make_shared<const MirrorValue>(group.mirror)};
      for (const auto& [need, value] : entries.at(*group.members.begin()).output.needs)
        object.needs.push_back(need);
      all.emplace(mirror_key(key.switch_name, key.port), std::move(object));
    }
    for (const auto& [key, object] : Objects(objects))
      if (!all.contains(key)) objects.erase(key);
    for (auto& [key, object] : all) {
      // A mirror's is another one each time, of equal selections that the world shares: to compare
      // it is for who looks at what differs.
      const Object* is = objects.get(key);
      if (!is || is->value != object.value || is->needs != object.needs)
        objects.set(key, std::move(object));
    }
  }

  void update(const SessionMap& now, std::shared_ptr<const Observed> observed) {
    Names touched, affected;
    bool all = false;
    diff_ports(*world, *observed, [&](const PortKey& at, const Port* was, const Port* is) {
      if (was && is && alike(*was, *is)) return;
      all = note_port(at, was, is) || all;
      if (const auto on = on_port.find(at); on != on_port.end())
        touched.insert(on->second.begin(), on->second.end());
    });
    world = std::move(observed);
    diff(sessions, now,
         [&](const std::string& name, const Session*, const Session*) { touched.insert(name); });
    sessions = now;
    for (const std::string& name : touched) {
      leave(name, affected);
      if (const Session* s = sessions.get(name)) enter(name, *s);
    }

    OutputRules rules = make_rules(demand(), landmarks, *world);
    add_basis(rules.basis, *world);
    if (all || rules.basis != basis) {
      our_names.clear();
      for (auto& [name, entry] : entries) touched.insert(name);
    }
    basis = std::move(rules.basis);

    for (const std::string& name : touched)
      if (const auto it = entries.find(name); it != entries.end())
        reconsider(name, it->second, rules, affected);
    touched.merge(affected);
    for (const std::string& name : touched)
      if (const auto it = entries.find(name); it != entries.end())
        set_member(name, it->second, !refusal(it->second));
    serve_first(touched);
    for (const std::string& name : touched) {
      const auto it = entries.find(name);
      if (it != entries.end())
        judge(name, it->second);
      else
        verdicts.erase(name);
    }
    collect();
  }
};

std::string manner_text(const Session& s) {
  std::string out;
  if (s.snaplen != 0) out += "-s" + std::to_string(s.snaplen);
  if (!s.vlans.empty()) out += "-v" + vlan_text(s.vlans);
  return out;
}

std::string short_hash(std::string_view text, std::size_t digits) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  std::string out;
  for (std::size_t i = 0; i < digits; i++) out += "0123456789abcdef"[hash >> (60 - 4 * i) & 15];
  return out;
}

Packer::Packer(std::string owner, MakeRules make_rules)
    : state_(std::make_unique<State>(std::move(owner), std::move(make_rules))) {}
Packer::~Packer() = default;

void Packer::update(const SessionMap& sessions, std::shared_ptr<const Observed> world) {
  state_->update(sessions, std::move(world));
}
const Objects& Packer::objects() const {
  return state_->objects;
}
const std::vector<Mirror>& Packer::mirrors() const {
  return state_->mirrors;
}
const PersistentMap<std::string, Verdict>& Packer::verdicts() const {
  return state_->verdicts;
}

Realisation pack(const Desired& desired, const Observed& observed, std::string_view owner,
                 const FindOutput& find_output) {
  Packer fresh(std::string(owner), [&](const Demand&, const Landmarks&, const Observed&) {
    return OutputRules{find_output};
  });
  return realise(desired, observed, fresh);
}

}  // namespace vmirror
