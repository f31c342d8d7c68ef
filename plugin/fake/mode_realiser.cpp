#include "plugin/fake/mode_realiser.hpp"

#include <set>

#include "plugin/fake/objects.hpp"

namespace vmirror::fake {
namespace {

using enum Error::Kind;

class ModeRealiser final : public Realiser {
 public:
  void update(const SessionMap& sessions, std::shared_ptr<const Observed> world) override {
    std::set<std::string> touched;
    bool all = false;
    diff_ports(*world_, *world, [&](const PortKey& at, const Port* was, const Port* is) {
      if (was && is && was->mac == is->mac && was->type == is->type) return;
      for (const Port* port : {was, is})
        if (port && port->mac && wanted_monitors_.contains(*port->mac)) all = true;
      if (const auto on = on_port_.find(at); on != on_port_.end())
        touched.insert(on->second.begin(), on->second.end());
    });
    for (const auto& [name, sw] : world->switches)
      all = all || switch_of(*world_, name).capabilities != sw.capabilities;
    all = all || world_->switches.size() != world->switches.size();
    diff(sessions_, sessions, [&](const std::string& name, const Session*, const Session* is) {
      touched.insert(name);
      if (is)
        if (const auto* local = std::get_if<LocalTarget>(&is->target); local && local->monitor_nic)
          all = wanted_monitors_.insert(*local->monitor_nic).second || all;
    });
    const SessionMap before = std::exchange(sessions_, sessions);
    world_ = std::move(world);
    if (all) {
      find_monitors();
      for (const auto& [name, session] : sessions_) touched.insert(name);
    }
    for (const std::string& name : touched) {
      if (const Session* was = before.get(name)) leave(name, *was);
      if (const Session* is = sessions_.get(name)) enter(name, *is);
    }
    collect();
  }

  const Objects& objects() const override { return objects_; }
  const std::vector<Mirror>& mirrors() const override { return mirrors_; }
  const PersistentMap<std::string, Verdict>& verdicts() const override { return verdicts_; }

 private:
  void find_monitors() {
    monitors_.clear();
    for (const auto& [name, sw] : world_->switches)
      for (const auto& [port_name, port] : sw.ports)
        if (port.mac && wanted_monitors_.contains(*port.mac))
          monitors_[{name, *port.mac}] = port_name;
  }

  tl::unexpected<Error> refuse(Error::Kind kind, const Session& s, std::string what) const {
    return fail(kind, std::move(what), s.switch_name + "/" + s.port);
  }

  /// The monitor NIC's port.
  Result<std::string> destination(const Session& s) const {
    const auto sw = world_->switches.find(s.switch_name);
    if (sw == world_->switches.end()) return refuse(missing, s, "there is no such switch");
    const Port* port = sw->second.ports.get(s.port);
    if (!port) return refuse(missing, s, "there is no such port");
    const Capabilities& can = sw->second.capabilities;
    if (!can.targets.contains(kind_of(s.target)))
      return refuse(unsupported, s, can.version + " can't copy to " + to_text(kind_of(s.target)));
    if (s.direction != Direction::both)
      return refuse(unsupported, s, can.version + " copies both directions or none");
    if (s.snaplen != 0) return refuse(unsupported, s, can.version + " cuts no copies");
    if (!s.vlans.empty()) return refuse(unsupported, s, can.version + " selects no VLANs");
    if (port->type == kPassedThrough)
      return refuse(unsupported, s,
                    "the NIC is passed through: the switch does not see its frames");
    const auto& nic = std::get<LocalTarget>(s.target).monitor_nic;
    const auto at = nic ? monitors_.find({s.switch_name, *nic}) : monitors_.end();
    if (at == monitors_.end()) return refuse(missing, s, "the switch has no monitor NIC of ours");
    if (at->second == s.port) return refuse(refused, s, "the port is its own target: a loop");
    return at->second;
  }

  void enter(const std::string& name, const Session& s) {
    on_port_[{s.switch_name, s.port}].insert(name);
    Verdict v;
    v.session = s.name;
    v.switch_name = s.switch_name;
    if (const auto to = destination(s)) {
      v.mirror = kModeMirror;
      v.output = *to;
      if (!s.filter.empty()) v.filtering = Filtering::by_receiver;
      served_[{s.switch_name, s.port}].insert(name);
      mirror_of_[s.switch_name].output = MonitorOutput{*to};
      select(s, true);
    } else {
      v.refused = to.error();
    }
    verdicts_.set(name, std::move(v));
  }

  void leave(const std::string& name, const Session& s) {
    const PortKey at{s.switch_name, s.port};
    if (const auto on = on_port_.find(at); on != on_port_.end() && on->second.erase(name) != 0)
      if (on->second.empty()) on_port_.erase(on);
    if (const auto it = served_.find(at); it != served_.end() && it->second.erase(name) != 0)
      if (it->second.empty()) {
        served_.erase(it);
        select(s, false);
      }
    verdicts_.erase(name);
  }

  void select(const Session& s, bool is_source) {
    const ObjectKey key{s.switch_name, kModeKind, s.port};
    Mirror& mirror = mirror_of_[s.switch_name];
    mirror.name = kModeMirror;
    mirror.switch_name = s.switch_name;
    for (auto* ports : {&mirror.in_ports, &mirror.out_ports}) {
      if (is_source)
        ports->insert(s.port);
      else
        ports->erase(s.port);
    }
    if (!is_source)
      objects_.erase(key);
    else if (!objects_.contains(key))
      objects_.set(key, {std::make_shared<const ModeValue>(NicMode::source)});
    if (mirror.in_ports.empty()) mirror_of_.erase(s.switch_name);
  }

  /// The destinations, one for each switch, and the mirrors.
  void collect() {
    for (const ObjectKey& key : std::exchange(destinations_, {})) objects_.erase(key);
    mirrors_.clear();
    for (const auto& [name, mirror] : mirror_of_) {
      const ObjectKey key{name, kModeKind, mirror.output_port()};
      objects_.set(key, {std::make_shared<const ModeValue>(NicMode::destination)});
      destinations_.push_back(key);
      mirrors_.push_back(mirror);
    }
  }

  SessionMap sessions_;
  std::shared_ptr<const Observed> world_ = std::make_shared<const Observed>();
  std::set<Mac> wanted_monitors_;
  std::map<std::pair<std::string, Mac>, std::string> monitors_;  ///< Ports, by switch and MAC.
  std::map<PortKey, std::set<std::string>> on_port_, served_;    ///< Sessions.
  std::map<std::string, Mirror> mirror_of_;                      ///< By switch.
  std::vector<ObjectKey> destinations_;
  Objects objects_;
  std::vector<Mirror> mirrors_;
  PersistentMap<std::string, Verdict> verdicts_;
};

}  // namespace

std::unique_ptr<Realiser> make_mode_realiser() {
  return std::make_unique<ModeRealiser>();
}

}  // namespace vmirror::fake
