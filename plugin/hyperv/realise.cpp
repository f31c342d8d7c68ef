#include "plugin/hyperv/realise.hpp"

#include <fnmatch.h>

#include <map>
#include <set>
#include <utility>

#include "plugin/base/text.hpp"
#include "plugin/hyperv/observe.hpp"

namespace vmirror::hyperv {
namespace {

using enum Error::Kind;

tl::unexpected<Error> refuse(Error::Kind kind, const vmirror::Session& s, std::string what,
                             std::string remedy = {}) {
  return fail(kind, std::move(what), s.switch_name + ", adapter " + s.port, std::move(remedy));
}

/// One switch, with what is on it.
class OnSwitch {
 public:
  OnSwitch(const RealiserOptions& options, const Observed& world, const Switch& sw)
      : options_(options), world_(world), sw_(sw) {}

  /// The monitor adapter's port.
  Result<std::string> destination(const vmirror::Session& s) const {
    if (const auto good = check_source(s); !good) return tl::unexpected(good.error());
    auto monitor = find_monitor(s);
    if (!monitor) return monitor;
    if (*monitor == s.port)
      return refuse(refused, s, "the adapter is the monitor adapter: its copies would be copied");
    if (const ModeValue* is = foreign_mode(*monitor);
        is && (is->mode != MonitorMode::destination || is->session != options_.session))
      return refuse(
          refused, s,
          "the monitor adapter " + *monitor + " is " + is->text() + ", set by somebody else",
          "undo it by hand: Set-VMNetworkAdapter -PortMirroring None");
    if (const auto good = check_vlans(s, *monitor); !good) return tl::unexpected(good.error());
    return monitor;
  }

  /// What the switch needs besides the sources' modes.
  std::map<ObjectKey, Object> needs(const std::string& monitor) const {
    std::map<ObjectKey, Object> out;
    out[{sw_.name, kModeKind, monitor}] = {
        std::make_shared<const ModeValue>(MonitorMode::destination, options_.session)};
    const ObjectKey vlans{sw_.name, kVlanKind, monitor};
    // Somebody else's VLANs that carry all serve: check_vlans().
    if (const ObservedObject* is = world_.objects.get(vlans); !is || is->owned)
      out[vlans] = {std::make_shared<const VlanValue>(options_.trunk)};
    return out;
  }

  std::vector<std::string> warnings(const std::string& monitor) const {
    std::vector<std::string> out;
    std::size_t others = 0;
    for (auto it = world_.objects.lower_bound({sw_.name, kModeKind, {}});
         it != world_.objects.end() && it->first.switch_name == sw_.name &&
         it->first.kind == kModeKind;
         ++it) {
      const auto* is = value_as<ModeValue>(it->second.object.value.get());
      if (!is || it->second.owned || is->session != options_.session) continue;
      others += is->mode == MonitorMode::source ? 1 : 0;
      if (is->mode == MonitorMode::destination && it->first.name != monitor)
        out.push_back("adapter " + it->first.name +
                      ", a destination of somebody else, gets these copies, too (another "
                      "`monitor_session` keeps them apart where the host has it)");
    }
    if (others != 0)
      out.push_back(count(others, "source") +
                    " of somebody else on this switch: copies of these come along");
    return out;
  }

 private:
  Result<void> check_source(const vmirror::Session& s) const {
    const Port* port = sw_.ports.get(s.port);
    if (!port) return refuse(missing, s, "there is no such adapter on the switch");
    const Capabilities& can = sw_.capabilities;
    if (!can.targets.contains(kind_of(s.target)))
      return refuse(unsupported, s, can.version + " can't copy to " + to_text(kind_of(s.target)),
                    can.targets.empty() ? "use a team of the switch itself (SET)" : "use `local`");
    if (s.direction != Direction::both)
      return refuse(unsupported, s, "Hyper-V copies both directions or none",
                    "write `direction: both`");
    if (s.snaplen != 0)
      return refuse(unsupported, s, "Hyper-V cuts no copies", "leave `snaplen` out");
    if (!s.vlans.empty()) return refuse(unsupported, s, "Hyper-V selects no VLANs of a source");
    if (port->type == kSrIovType)
      return refuse(unsupported, s, "the adapter uses SR-IOV: its frames pass by the switch",
                    "Set-VMNetworkAdapter -IovWeight 0");
    if (!port->uplink && !port->mac)
      return refuse(refused, s, "the adapter has no MAC address yet: the VM was never started",
                    "start the VM once");
    if (const ModeValue* is = foreign_mode(s.port);
        is && (is->mode != MonitorMode::source || is->session != options_.session))
      return refuse(refused, s, "the adapter is " + is->text() + ", set by somebody else",
                    "undo it by hand: Set-VMNetworkAdapter -PortMirroring None");
    return {};
  }

  Result<std::string> find_monitor(const vmirror::Session& s) const {
    const auto& nic = std::get<LocalTarget>(s.target).monitor_nic;
    if (options_.monitor.empty() && !nic)
      return refuse(invalid, s, "nothing says which adapter takes the copies",
                    "set `monitor` in the section `switch` to its name, \"VM/adapter\"");
    std::vector<std::string> found;
    for (const auto& [name, port] : sw_.ports) {
      if (port.uplink) continue;
      const bool fits = options_.monitor.empty()
                            ? port.mac == nic
                            : ::fnmatch(options_.monitor.c_str(), name.c_str(), 0) == 0;
      if (fits) found.push_back(name);
    }
    const std::string which =
        options_.monitor.empty() ? "with the MAC " + nic->text() : "`" + options_.monitor + "`";
    if (found.empty())
      return refuse(missing, s,
                    "the switch has no monitor adapter " + which +
                        ": Hyper-V copies within one virtual switch only",
                    "give the sensor an adapter on this switch");
    if (found.size() > 1)
      return refuse(invalid, s,
                    count(found.size(), "adapter") + " " + which + " on the switch: " + found[0] +
                        ", " + found[1],
                    "narrow `monitor` to one on each switch");
    return found.front();
  }

  /// A monitor adapter in untagged or access mode loses every tagged frame.
  Result<void> check_vlans(const vmirror::Session& s, const std::string& monitor) const {
    const ObservedObject* is = world_.objects.get({sw_.name, kVlanKind, monitor});
    const bool theirs = is && !is->owned;
    const VlanSetting& will_be =
        theirs ? value_as<VlanValue>(is->object.value.get())->setting : options_.trunk;
    VlanSet frames = VlanSetting{}.frames();
    if (const ObservedObject* own = world_.objects.get({sw_.name, kVlanKind, s.port}))
      frames = value_as<VlanValue>(own->object.value.get())->setting.frames();
    if (will_be.carries(frames)) return {};
    return refuse(refused, s,
                  "the monitor adapter " + monitor + " has the VLANs `" + will_be.text() + "`" +
                      (theirs ? ", set by somebody else," : "") +
                      " and loses frames of the VLANs " + to_text(frames & ~will_be.frames()),
                  theirs
                      ? "Set-VMNetworkAdapterVlan -Trunk -AllowedVlanIdList 0-4094 -NativeVlanId 0"
                      : "widen `vlans` in the section `switch`");
  }

  /// The mode of a port that is not ours; null: ours, or none.
  const ModeValue* foreign_mode(const std::string& port) const {
    const ObservedObject* is = world_.objects.get({sw_.name, kModeKind, port});
    return is && !is->owned ? value_as<ModeValue>(is->object.value.get()) : nullptr;
  }

  const RealiserOptions& options_;
  const Observed& world_;
  const Switch& sw_;
};

class ModeRealiser final : public Realiser {
 public:
  explicit ModeRealiser(RealiserOptions options) : options_(std::move(options)) {}

  /// What one switch needs is worked out anew when anything on it changed.
  void update(const SessionMap& sessions, std::shared_ptr<const Observed> world) override {
    std::set<std::string> touched;
    diff_ports(*world_, *world, [&](const PortKey& at, const Port* was, const Port* is) {
      if (was && is && was->mac == is->mac && was->type == is->type) return;
      touched.insert(at.switch_name);
    });
    diff(world_->objects, world->objects,
         [&](const ObjectKey& key, const auto*, const auto*) { touched.insert(key.switch_name); });
    for (const Observed* each : {world_.get(), world.get()})
      for (const auto& [name, sw] : each->switches)
        if (switch_of(*world_, name).capabilities != switch_of(*world, name).capabilities)
          touched.insert(name);
    diff(sessions_, sessions,
         [&](const std::string& name, const vmirror::Session* was, const vmirror::Session* is) {
           if (was) {
             touched.insert(was->switch_name);
             on_[was->switch_name].erase(name);
             verdicts_.erase(name);
             warnings_.erase(name);
           }
           if (is) {
             touched.insert(is->switch_name);
             on_[is->switch_name].insert(name);
           }
         });
    sessions_ = sessions;
    world_ = std::move(world);
    for (const std::string& name : touched) serve(name);
    if (options_.affinity.wanted) keep_together();
    mirrors_.clear();
    for (const auto& [name, mirror] : mirror_of_) mirrors_.push_back(mirror);
  }

  const Objects& objects() const override { return objects_; }
  const std::vector<Mirror>& mirrors() const override { return mirrors_; }
  const PersistentMap<std::string, Verdict>& verdicts() const override { return verdicts_; }

 private:
  void serve(const std::string& switch_name) {
    for (const ObjectKey& key : std::exchange(wants_[switch_name], {})) objects_.erase(key);
    mirror_of_.erase(switch_name);
    const auto sw = world_->switches.find(switch_name);
    static const Switch none;
    const OnSwitch on(options_, *world_, sw == world_->switches.end() ? none : sw->second);
    std::set<std::string> monitors;
    for (const std::string& name : on_[switch_name]) {
      const vmirror::Session& s = sessions_.at(name);
      Verdict v{.session = name,
                .switch_name = switch_name,
                .mirror = {},
                .output = {},
                .session_id = {},
                .refused = {}};
      const auto to = sw == world_->switches.end() ? refuse(missing, s, "there is no such switch")
                                                   : on.destination(s);
      if (!to) {
        v.refused = to.error();
      } else {
        v.mirror = mirror_name(options_.session);
        v.output = *to;
        warnings_[name] = v.warnings = on.warnings(*to);
        if (!s.filter.empty()) v.filtering = Filtering::by_receiver;
        monitors.insert(*to);
        select(s, *to);
      }
      verdicts_.set(name, std::move(v));
    }
    for (const std::string& monitor : monitors)
      for (const auto& [key, object] : on.needs(monitor)) want(key, object);
    if (!monitors.empty())
      want({switch_name, kExtensionKind, kCaptureName},
           {std::make_shared<const CaptureValue>(true)});
  }

  /// What the clusters are to do depends on all switches: the sensor may be on another host.
  void keep_together() {
    Affinity now = affinity_of(sessions_, *world_, options_.affinity);
    diff(together_, now.objects, [&](const ObjectKey& key, const Object*, const Object* is) {
      if (is)
        objects_.set(key, *is);
      else
        objects_.erase(key);
    });
    together_ = std::move(now.objects);
    for (const auto& [name, s] : sessions_) {
      Verdict v = *verdicts_.get(name);
      const auto own = warnings_.find(name);
      v.warnings = own == warnings_.end() ? std::vector<std::string>{} : own->second;
      if (const auto at = now.apart.find(name); at != now.apart.end())
        v.warnings.push_back("a move may part the sensor from its source: " + at->second);
      if (!(v == *verdicts_.get(name))) verdicts_.set(name, std::move(v));
    }
  }

  void want(const ObjectKey& key, const Object& object) {
    objects_.set(key, object);
    wants_[key.switch_name].insert(key);
  }

  void select(const vmirror::Session& s, const std::string& monitor) {
    want({s.switch_name, kModeKind, s.port},
         {std::make_shared<const ModeValue>(MonitorMode::source, options_.session),
          {{s.switch_name, kModeKind, monitor},
           {s.switch_name, kVlanKind, monitor},
           {s.switch_name, kExtensionKind, kCaptureName}}});
    Mirror& mirror = mirror_of_[s.switch_name];
    if (mirror.name.empty()) {
      mirror.name = mirror_name(options_.session);
      mirror.switch_name = s.switch_name;
      mirror.output = MonitorOutput{monitor};
      // Sources of somebody else are in it whether we want that or not.
      const auto& shown = switch_of(*world_, s.switch_name).mirrors;
      if (const auto is = shown.find(mirror.name); is != shown.end())
        for (const std::string& port : is->second.in_ports)
          if (const auto* held = world_->objects.get({s.switch_name, kModeKind, port});
              held && !held->owned) {
            mirror.in_ports.insert(port);
            mirror.out_ports.insert(port);
          }
    }
    mirror.in_ports.insert(s.port);
    mirror.out_ports.insert(s.port);
  }

  const RealiserOptions options_;
  SessionMap sessions_;
  std::shared_ptr<const Observed> world_ = std::make_shared<const Observed>();
  std::map<std::string, std::set<std::string>> on_;           ///< Sessions, by switch.
  std::map<std::string, std::set<ObjectKey>> wants_;          ///< Objects, by switch.
  std::map<std::string, Mirror> mirror_of_;                   ///< By switch.
  std::map<std::string, std::vector<std::string>> warnings_;  ///< Of the switches, by session.
  Objects together_;                                          ///< Of the clusters.
  Objects objects_;
  std::vector<Mirror> mirrors_;
  PersistentMap<std::string, Verdict> verdicts_;
};

}  // namespace

std::unique_ptr<Realiser> make_realiser(RealiserOptions options) {
  return std::make_unique<ModeRealiser>(std::move(options));
}

}  // namespace vmirror::hyperv
