#include "plugin/vsphere/span_realise.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "plugin/base/text.hpp"
#include "plugin/vsphere/observe.hpp"

namespace vmirror::vsphere {
namespace {

using enum Error::Kind;

tl::unexpected<Error> no_span(Error::Kind kind, const vmirror::Session& s, std::string what,
                              std::string remedy = {}) {
  return fail(kind, std::move(what), s.switch_name + ", adapter " + s.port, std::move(remedy));
}

/// One standard switch, with what is on it.
class OnVswitch {
 public:
  /// What a session gets; where it is refused, `objects` are still wanted.
  struct Choice {
    std::map<ObjectKey, Object> objects = {};
    std::optional<Error> refused = {};
    Mirror mirror = {};
    std::string output = {};
    std::vector<std::string> warnings = {};
  };

  OnVswitch(const SpanOptions& options, const std::vector<SpanGroup>& groups, const Observed& world,
            const Switch& sw, const std::map<Mac, PortKey>& monitors)
      : options_(options), groups_(groups), world_(world), sw_(sw), monitors_(monitors) {}

  Choice choose(const vmirror::Session& s, const std::string& served_switch) const {
    Choice out;
    const auto refuse = [&](tl::unexpected<Error> error) {
      out.refused = std::move(error.value());
      return out;
    };
    if (const auto good = check_source(s); !good) return refuse(tl::unexpected(good.error()));
    const Port& source = sw_.ports.at(s.port);
    const SpanGroup* group = group_for(source);
    if (!group)
      return refuse(no_span(refused, s,
                            "its port group " + label_of(source, kPortGroupLabel) +
                                " has the VLAN " + std::to_string(source.vlan.value_or(0)) +
                                ", which no SPAN port group of `" + options_.name + "` has",
                            "widen `span_vlans` in the section `switch`"));
    if (const auto good = want_group(s, *group, out); !good)
      return refuse(tl::unexpected(good.error()));
    if (const auto good = want_adapter(s, *group, served_switch, out); !good)
      return refuse(tl::unexpected(good.error()));
    out.mirror.name = group->name;
    out.mirror.switch_name = sw_.name;
    out.mirror.all = true;
    out.mirror.vlans = mirror_vlans(vlan_there(*group).value_or(group->vlan));
    if (const auto now = span_output(sw_, group->name, options_.adapter)) out.mirror.output = *now;
    // Once the adapter is there, it is this one.
    if (options_.adapter && !options_.park.empty()) out.mirror.output = MonitorOutput{out.output};
    add_warnings(s, *group, out.warnings);
    return out;
  }

 private:
  Result<void> check_source(const vmirror::Session& s) const {
    const Port* port = sw_.ports.get(s.port);
    if (!port) return no_span(missing, s, "there is no such adapter on the switch");
    const Capabilities& can = sw_.capabilities;
    if (!can.targets.contains(kind_of(s.target)))
      return no_span(unsupported, s, can.version + " can't copy to " + to_text(kind_of(s.target)),
                     can.targets.empty()
                         ? "name a SPAN port group: `span` in the section `switch`; or use the "
                           "scripts for ESXi's shell"
                         : "use `local`, with a sensor on the host");
    if (port->uplink)
      return no_span(refused, s, "it is an uplink of the host, no machine's adapter",
                     "select machines");
    if (s.direction != Direction::both)
      return no_span(unsupported, s, "promiscuous mode copies both directions or none",
                     "write `direction: both`");
    if (s.snaplen != 0)
      return no_span(unsupported, s, "promiscuous mode cuts no copies", "leave `snaplen` out");
    if (!s.vlans.empty())
      return no_span(unsupported, s, "promiscuous mode selects no VLANs of a source",
                     "write a `filter`, which the engine applies");
    return {};
  }

  const SpanGroup* group_for(const Port& source) const {
    const auto it = std::ranges::find_if(groups_, [&](const SpanGroup& group) {
      return carries(options_.adopt ? vlan_there(group).value_or(kAllVlans) : group.vlan,
                     source.vlan);
    });
    return it == groups_.end() ? nullptr : &*it;
  }

  /// None: the port group is not there.
  std::optional<int> vlan_there(const SpanGroup& group) const {
    const ObservedObject* is = world_.objects.get({sw_.name, kGroupKind, group.name});
    const auto* value = is ? value_as<GroupValue>(is->object.value.get()) : nullptr;
    return value ? std::optional(value->vlan) : std::nullopt;
  }

  bool has_uplinks_enough_for_duplicates() const {
    return std::ranges::count_if(sw_.ports, [](const auto& port) { return port.second.uplink; }) >
           1;
  }

  Result<void> want_group(const vmirror::Session& s, const SpanGroup& group, Choice& out) const {
    const ObjectKey group_key{sw_.name, kGroupKind, group.name};
    const ObjectKey promiscuous{sw_.name, kPromiscuousKind, group.name};
    const auto vlan = vlan_there(group);
    if (options_.adopt && !vlan)
      return no_span(missing, s,
                     "the switch has no port group `" + group.name + "` that could be adopted",
                     "make it, or set `span_adopt: false`");
    if (vlan && !options_.repair) {
      keep_all(out);
      if (!options_.adopt && *vlan != group.vlan)
        return no_span(refused, s,
                       "port group " + group.name + " has " + GroupValue(*vlan).text() + ", not " +
                           GroupValue(group.vlan).text() + ": somebody changed it",
                       "set it right by hand, or set `span_repair: true`");
      if (!world_.objects.contains(promiscuous))
        return no_span(refused, s,
                       "port group " + group.name +
                           " rejects promiscuous mode: somebody, or a tool that hardens hosts, "
                           "undid it",
                       "set it to Accept by hand, or set `span_repair: true`");
    }
    Object accept{std::make_shared<const PromiscuousValue>()};
    if (!options_.adopt) {
      out.objects[group_key] = {std::make_shared<const GroupValue>(group.vlan)};
      accept.needs.push_back(group_key);
    }
    if (options_.set_option && has_uplinks_enough_for_duplicates()) {
      const ObjectKey option{sw_.name, kOptionKind, kReversePathOption};
      out.objects[option] = {std::make_shared<const OptionValue>()};
      accept.needs.push_back(option);
    }
    out.objects[promiscuous] = std::move(accept);
    return {};
  }

  /// What is ours on the switch stays as it is.
  void keep_all(Choice& out) const {
    for (auto it = world_.objects.lower_bound({sw_.name, {}, {}});
         it != world_.objects.end() && it->first.switch_name == sw_.name; ++it)
      if (it->second.owned) out.objects[it->first] = it->second.object;
  }

  /// The appliance's adapter is on the port group, or is moved to it.
  Result<void> want_adapter(const vmirror::Session& s, const SpanGroup& group,
                            const std::string& served_switch, Choice& out) const {
    const auto& given = std::get<LocalTarget>(s.target).monitor_nic;
    const auto mac = given ? given : options_.adapter;
    if (!mac)
      return no_span(invalid, s, "nothing says which adapter takes the copies",
                     "set `local.monitor_nic` to the MAC of the appliance's second adapter");
    const auto at = monitors_.find(*mac);
    if (at == monitors_.end())
      return no_span(missing, s, "no machine has the monitor NIC's MAC " + mac->text(),
                     "give the appliance a second adapter");
    const Switch& there = switch_of(world_, at->second.switch_name);
    const Port& monitor = there.ports.at(at->second.port);
    if (at->second == PortKey{s.switch_name, s.port})
      return no_span(refused, s, "it is the monitor NIC's: its copies would be copied again",
                     "leave it out of the policy");
    out.output = monitor.name;
    const std::string who =
        "the monitor NIC " + mac->text() + " of " + label_of(monitor, "vm-name");
    if (const std::string host = label_of(monitor, kHostLabel); host != sw_.host)
      return no_span(
          missing, s,
          who + " is on " + host + ": promiscuous mode copies within one switch of one host",
          "have a sensor on " + sw_.host + ", or the machine on a distributed switch");
    const std::string now = label_of(monitor, kPortGroupLabel);
    const bool there_already = there.name == sw_.name && now == group.name;
    const bool may_move =
        options_.adapter == mac && !options_.park.empty() && there.kind == kStandardKind;
    // Of several SPAN port groups of one switch each needs an adapter; a person gives the others.
    if (!there_already && !(may_move && group.name == groups_.front().name))
      return no_span(
          refused, s, who + " is on port group " + now + ", not on " + group.name,
          "put an adapter of the sensor on " + group.name + " by hand" +
              (there.kind == kStandardKind ? ", or let the agent: `adapter` and `span_park`"
                                           : std::string()));
    if (served_switch != sw_.name)
      return no_span(refused, s, who + " takes the copies of " + served_switch + " already",
                     "give the host one sensor for each standard switch");
    if (options_.adapter != mac || options_.park.empty()) return {};
    const auto [machine, device] = device_of(monitor.id);
    out.objects[{sw_.name, kAdapterKind, monitor.name}] = {
        std::make_shared<const AdapterValue>(group.name, machine, device),
        {{sw_.name, kGroupKind, group.name}, {sw_.name, kPromiscuousKind, group.name}}};
    return {};
  }

  void add_warnings(const vmirror::Session& s, const SpanGroup& group,
                    std::vector<std::string>& out) const {
    const auto vlan = vlan_there(group).value_or(group.vlan);
    out.push_back("a VMware standard switch copies every frame of the switch on " + sw_.host +
                  (vlan == kAllVlans ? "" : ", of " + GroupValue(vlan).text()) +
                  ", in both directions: there is no way to copy one NIC's alone");
    if (has_uplinks_enough_for_duplicates() &&
        !world_.objects.contains({sw_.name, kOptionKind, kReversePathOption}) &&
        !options_.set_option)
      out.push_back(
          "the switch has several uplinks: broadcasts come twice unless the host's option " +
          std::string(kReversePathOption) + " is 1 (set `span_duplicates: set`)");
    std::string others;
    for (const auto& [name, port] : sw_.ports)
      if (name != s.port && label_of(port, kPortGroupLabel) == group.name && !is_monitor(name))
        others += (others.empty() ? "" : ", ") + name;
    if (!others.empty())
      out.push_back("on port group " + group.name +
                    " are other adapters, which get these copies, "
                    "too: " +
                    others);
  }

  bool is_monitor(const std::string& port) const {
    return std::ranges::any_of(monitors_, [&](const auto& monitor) {
      return monitor.second == PortKey{sw_.name, port};
    });
  }

  const SpanOptions& options_;
  const std::vector<SpanGroup>& groups_;
  const Observed& world_;
  const Switch& sw_;
  const std::map<Mac, PortKey>& monitors_;
};

class SpanRealiser final : public Realiser {
 public:
  SpanRealiser(const std::string& owner, SpanOptions options)
      : options_(std::move(options)), groups_(span_groups(options_, owner)) {
    if (options_.adapter) wanted_monitors_.insert(*options_.adapter);
  }

  void update(const SessionMap& sessions, std::shared_ptr<const Observed> world) override {
    std::set<std::string> touched;
    bool all = false;
    diff(sessions_, sessions,
         [&](const std::string& name, const vmirror::Session* was, const vmirror::Session* is) {
           if (was) {
             touched.insert(was->switch_name);
             on_[was->switch_name].erase(name);
             verdicts_.erase(name);
           }
           if (!is) return;
           touched.insert(is->switch_name);
           on_[is->switch_name].insert(name);
           if (const auto* local = std::get_if<LocalTarget>(&is->target);
               local && local->monitor_nic)
             all = wanted_monitors_.insert(*local->monitor_nic).second || all;
         });
    sessions_ = sessions;
    diff_ports(*world_, *world, [&](const PortKey& at, const Port* was, const Port* is) {
      for (const Port* port : {was, is})
        if (port && port->mac && wanted_monitors_.contains(*port->mac)) all = true;
      touched.insert(at.switch_name);
    });
    diff(world_->objects, world->objects,
         [&](const ObjectKey& key, const auto*, const auto*) { touched.insert(key.switch_name); });
    for (const Observed* each : {world_.get(), world.get()})
      for (const auto& [name, sw] : each->switches)
        if (switch_of(*world_, name).capabilities != switch_of(*world, name).capabilities)
          touched.insert(name);
    world_ = std::move(world);
    if (all) find_monitors();
    const auto served = served_switches();
    for (const auto& [name, names] : on_)
      if (all || served != served_) touched.insert(name);
    served_ = served;
    for (const std::string& name : touched)
      if (on_.contains(name)) serve(name);
    mirrors_.clear();
    for (const auto& [name, of_switch] : mirrors_of_)
      for (const auto& [mirror_name, mirror] : of_switch) mirrors_.push_back(mirror);
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
          monitors_[*port.mac] = {name, port_name};
  }

  /// By host: the first of its switches that has sessions. One adapter is on one switch.
  std::map<std::string, std::string> served_switches() const {
    std::map<std::string, std::string> out;
    for (const auto& [name, names] : on_)
      if (!names.empty()) out.try_emplace(switch_of(*world_, name).host, name);
    return out;
  }

  void serve(const std::string& switch_name) {
    for (const ObjectKey& key : std::exchange(wants_[switch_name], {})) objects_.erase(key);
    mirrors_of_.erase(switch_name);
    const Switch& sw = switch_of(*world_, switch_name);
    const OnVswitch on(options_, groups_, *world_, sw, monitors_);
    for (const std::string& name : on_[switch_name]) {
      const vmirror::Session& s = sessions_.at(name);
      const auto choice = on.choose(s, served_.at(sw.host));
      for (const auto& [key, object] : choice.objects) {
        objects_.set(key, object);
        wants_[switch_name].insert(key);
      }
      Verdict v{.session = name,
                .switch_name = switch_name,
                .mirror = {},
                .output = {},
                .session_id = {},
                .refused = choice.refused};
      if (!choice.refused) {
        v.mirror = choice.mirror.name;
        v.output = choice.output;
        v.warnings = choice.warnings;
        if (!s.filter.empty()) v.filtering = Filtering::by_receiver;
        mirrors_of_[switch_name][choice.mirror.name] = choice.mirror;
      }
      verdicts_.set(name, std::move(v));
    }
    if (on_[switch_name].empty()) on_.erase(switch_name);
  }

  const SpanOptions options_;
  const std::vector<SpanGroup> groups_;
  SessionMap sessions_;
  std::shared_ptr<const Observed> world_ = std::make_shared<const Observed>();
  std::set<Mac> wanted_monitors_;
  std::map<Mac, PortKey> monitors_;
  std::map<std::string, std::set<std::string>> on_;                  ///< Sessions, by switch.
  std::map<std::string, std::string> served_;                        ///< Switches, by host.
  std::map<std::string, std::set<ObjectKey>> wants_;                 ///< Objects, by switch.
  std::map<std::string, std::map<std::string, Mirror>> mirrors_of_;  ///< By switch.
  Objects objects_;
  std::vector<Mirror> mirrors_;
  PersistentMap<std::string, Verdict> verdicts_;
};

}  // namespace

std::unique_ptr<Realiser> make_span_realiser(std::string owner, SpanOptions options) {
  return std::make_unique<SpanRealiser>(owner, std::move(options));
}

}  // namespace vmirror::vsphere
