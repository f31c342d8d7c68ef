#include "plugin/vsphere/realise.hpp"

#include <map>
#include <utility>

#include "plugin/api/mirror_object.hpp"
#include "plugin/api/pack.hpp"
#include "plugin/vsphere/drs.hpp"
#include "plugin/vsphere/observe.hpp"
#include "plugin/vsphere/rspan.hpp"
#include "plugin/vsphere/session_object.hpp"
#include "plugin/vsphere/span_realise.hpp"

namespace vmirror::vsphere {
namespace {

using enum Error::Kind;

constexpr std::uint32_t kLargestSessionId = 1023;

tl::unexpected<Error> refuse(Error::Kind kind, const vmirror::Session& s, std::string what,
                             std::string remedy = {}) {
  return fail(kind, std::move(what), s.switch_name + ", dvPort " + s.port, std::move(remedy));
}

/// A monitor NIC's port, and the host that it is on.
struct Monitor {
  std::string port, host;
};

/// For one state of the world.
class Rules {
 public:
  Rules(const RealiserOptions& options, const Demand& demand, const Landmarks& landmarks,
        const Observed& world)
      : options_(options) {
    for (const PortKey& at : landmarks.uplinks)
      if (options.uplink.empty() || options.uplink == at.port)
        uplinks_.try_emplace(at.switch_name, at.port);
    for (const auto& [key, share] : demand) {
      const auto* local = std::get_if<LocalTarget>(&key.second);
      if (!local || !local->monitor_nic) continue;
      const auto found = landmarks.by_mac.find(*local->monitor_nic);
      if (found == landmarks.by_mac.end()) continue;
      for (const PortKey& at : found->second)
        if (const Port* port = switch_of(world, at.switch_name).ports.get(at.port))
          monitors_[{at.switch_name, local->monitor_nic->text()}] = {port->name,
                                                                     label_of(*port, kHostLabel)};
    }
    for (const auto& [name, sw] : world.switches)
      for (const auto& [mirror_name, mirror] : sw.mirrors)
        if (const auto* to = mirror.output && !mirror.owned
                                 ? std::get_if<AddressOutput>(&*mirror.output)
                                 : nullptr)
          foreign_[{name, text_of(*to)}] = mirror_name;
  }

  const std::map<std::string, std::string>& uplinks() const { return uplinks_; }

  /// All that find() reads besides the session, its port and the switch's name.
  std::string basis() const {
    std::string out;
    for (const auto& [name, uplink] : uplinks_) out += name + " by " + uplink + "\n";
    for (const auto& [key, at] : monitors_)
      out += key.first + " " + key.second + " " + at.port + "@" + at.host + "\n";
    for (const auto& [key, mirror] : foreign_)
      out += key.first + " " + key.second + " " + mirror + "\n";
    return out;
  }

  Result<OutputChoice> find(const vmirror::Session& s, const Switch& sw) const {
    const Port& port = sw.ports.at(s.port);
    if (const auto good = check_source(s, port); !good) return tl::unexpected(good.error());
    if (const auto* erspan = std::get_if<ErspanTarget>(&s.target))
      return encapsulated(s, *erspan, to_text(s.target), port);
    if (const auto* gre = std::get_if<GreTarget>(&s.target)) {
      if (gre->key)
        return refuse(unsupported, s, "a distributed switch sends GRE without a key",
                      "leave the key out, or use ERSPAN with a session ID");
      if (const auto good = check_loop(s, port, gre->address); !good)
        return tl::unexpected(good.error());
      OutputChoice out{.key = to_text(s.target), .to = AddressOutput{*gre}};
      note_foreign(s, out);
      return out;
    }
    if (const auto* rspan = std::get_if<RspanTarget>(&s.target)) return to_uplink(s, *rspan);
    return to_engine(s, std::get<LocalTarget>(s.target), port);
  }

 private:
  /// "erspan-192.0.2.9 ID 5"
  static std::string text_of(const AddressOutput& to) {
    const auto* erspan = std::get_if<ErspanTarget>(&to.to);
    return to_text(Output(to)) +
           (erspan ? " ID " + std::to_string(erspan->session.value_or(0)) : "");
  }

  static Result<void> check_source(const vmirror::Session& s, const Port& port) {
    if (port.type == kUplinkType)
      return refuse(refused, s,
                    "the port is an uplink of the hosts: the copies would be copied again",
                    "select machines");
    if (port.type == kNsxType)
      return refuse(unsupported, s,
                    "the port group " + label_of(port, kPortGroupLabel) + " is managed by NSX",
                    "mirror it by NSX's own means");
    if (includes(s.direction, Direction::out) && !label_of(port, kPromiscuousLabel).empty())
      return refuse(refused, s,
                    "promiscuous mode is accepted on the port, in port group " +
                        label_of(port, kPortGroupLabel) + ": what it sends can't be mirrored",
                    "set its policy `promiscuous mode` to Reject, or mirror `in` alone");
    return {};
  }

  /// A port whose frames are copied to an address that is its own gets each copy as a frame, which
  /// is copied again, until the uplink is full.
  static Result<void> check_loop(const vmirror::Session& s, const Port& port, const IpAddress& to) {
    const std::string addresses = " " + label_of(port, kAddressLabel) + " ";
    if (addresses.find(" " + to.text() + " ") == addresses.npos) return {};
    return refuse(refused, s,
                  "the machine " + label_of(port, "vm-name") + " has the address " + to.text() +
                      ", where the copies go: they would be copied again",
                  "leave it out of the policy");
  }

  void note_foreign(const vmirror::Session& s, OutputChoice& out) const {
    const auto it = foreign_.find({s.switch_name, text_of(std::get<AddressOutput>(out.to))});
    if (it != foreign_.end())
      out.warnings.push_back("session `" + it->second +
                             "`, which is not ours, sends to the same address with the same ID: "
                             "who receives both can't tell them apart; choose a session ID");
  }

  Result<OutputChoice> encapsulated(const vmirror::Session& s, ErspanTarget to,
                                    const std::string& key, const Port& port) const {
    if (const auto good = check_loop(s, port, to.address); !good)
      return tl::unexpected(good.error());
    if (!to.session)
      to.session = static_cast<std::uint16_t>(
          std::stoul(
              short_hash(options_.owner + "\n" + s.switch_name + "\n" + to.address.text(), 7),
              nullptr, 16) %
              kLargestSessionId +
          1);
    OutputChoice out{.key = key, .to = AddressOutput{to}};
    if (to.version == 3) out.key += "-iii";
    out.key += "-" + std::to_string(*to.session);
    out.session_id = to.session;
    note_foreign(s, out);
    return out;
  }

  Result<OutputChoice> to_uplink(const vmirror::Session& s, const RspanTarget& to) const {
    if (to.restrict)
      return refuse(unsupported, s, "a distributed switch keeps an RSPAN VLAN off no trunk",
                    "leave `restrict` out, and keep the VLAN off the port groups by hand");
    const auto uplink = uplinks_.find(s.switch_name);
    if (uplink == uplinks_.end())
      return refuse(missing, s,
                    options_.uplink.empty() ? "the switch has no uplink"
                                            : "the switch has no uplink `" + options_.uplink + "`",
                    "set `uplink` in the section `switch` to one that it has");
    return OutputChoice{.key = to_text(s.target), .to = VlanOutput{to.vlan}};
  }

  Result<OutputChoice> to_engine(const vmirror::Session& s, const LocalTarget& to,
                                 const Port& port) const {
    if (to.monitor_nic && port.mac == to.monitor_nic)
      return refuse(refused, s, "the port is the monitor NIC's: its copies would be copied again");
    if (options_.receiver && port.mac && options_.own_macs.contains(*port.mac))
      return refuse(refused, s, "the port is this agent's own: its copies would be copied again",
                    "leave the agent out of the policy");
    if (options_.receiver) {
      ErspanTarget receiver;
      receiver.address = *options_.receiver;
      return encapsulated(s, receiver, "local", port);
    }
    if (!to.monitor_nic)
      return refuse(invalid, s, "nothing says where the engine takes copies in",
                    "set `receiver` in the section `switch` to this agent's address, or "
                    "`local.monitor_nic`");
    const auto at = monitors_.find({s.switch_name, to.monitor_nic->text()});
    if (at == monitors_.end())
      return refuse(missing, s, "no dvPort has the monitor NIC's MAC " + to.monitor_nic->text(),
                    "give the appliance an adapter on this switch, or set `receiver`");
    const Monitor& monitor = at->second;
    OutputChoice out{.key = "local", .to = PortOutput{monitor.port}};
    if (const std::string host = label_of(port, kHostLabel); monitor.host != host)
      out.warnings.push_back("a session between dvPorts copies only while both are on one host: " +
                             s.port + " is on " + host + ", the monitor NIC's " + monitor.port +
                             " is on " + monitor.host + "; set `receiver`");
    return out;
  }

  const RealiserOptions options_;
  std::map<std::string, std::string> uplinks_;  ///< By switch: the one that is used.
  std::map<std::pair<std::string, std::string>, Monitor> monitors_;  ///< By switch and MAC.
  /// By switch and text_of(): a session of somebody else's.
  std::map<std::pair<std::string, std::string>, std::string> foreign_;
};

class SessionRealiser final : public Realiser {
 public:
  explicit SessionRealiser(RealiserOptions options)
      : options_(options),
        packer_(options.owner, [this](const Demand& demand, const Landmarks& landmarks,
                                      const Observed& world) {
          const auto rules = std::make_shared<const Rules>(options_, demand, landmarks, world);
          uplinks_ = rules->uplinks();
          return OutputRules{.find = [rules](const vmirror::Session& s,
                                             const Switch& sw) { return rules->find(s, sw); },
                             .basis = rules->basis()};
        }) {}

  void update(const SessionMap& sessions, std::shared_ptr<const Observed> world) override {
    const auto uplinks = uplinks_;
    packer_.update(sessions, std::move(world));
    if (uplinks != uplinks_) packed_ = objects_ = {};
    diff(packed_, packer_.objects(), [&](const ObjectKey& key, const Object*, const Object* is) {
      const auto* mirror = is ? value_as<MirrorValue>(is->value.get()) : nullptr;
      if (!mirror) {
        objects_.erase(key);
        return;
      }
      objects_.set(key, {std::make_shared<const SessionValue>(session_of(
                            mirror->mirror, options_.owner, uplinks_[key.switch_name]))});
    });
    packed_ = packer_.objects();
  }
  const Objects& objects() const override { return objects_; }
  const std::vector<Mirror>& mirrors() const override { return packer_.mirrors(); }
  const PersistentMap<std::string, Verdict>& verdicts() const override {
    return packer_.verdicts();
  }

 private:
  const RealiserOptions options_;
  Packer packer_;
  std::map<std::string, std::string> uplinks_;  ///< By switch.
  Objects packed_;                              ///< The packer's, as they were converted.
  Objects objects_;
};

/// Each session by the realiser of its kind of switch.
class BothRealiser final : public Realiser {
 public:
  explicit BothRealiser(const RealiserOptions& options)
      : distributed_(std::make_unique<SessionRealiser>(options)),
        standard_(make_span_realiser(options.owner, options.span)),
        rules_{options.owner, options.drs_rules, options.span.adapter, options.receiver.has_value(),
               options.drs_hosts},
        rspan_adapter_(options.rspan_adapter) {}

  void update(const SessionMap& sessions, std::shared_ptr<const Observed> world) override {
    std::set<std::string> standard;
    for (const auto& [name, sw] : world->switches)
      if (sw.kind == kStandardKind) standard.insert(name);
    if (standard != standard_names_) {
      standard_names_ = std::move(standard);
      sessions_ = of_distributed_ = of_standard_ = {};
    }
    diff(sessions_, sessions,
         [&](const std::string& name, const vmirror::Session* was, const vmirror::Session* is) {
           if (was) of(*was).erase(name);
           if (is) of(*is).set(name, *is);
         });
    sessions_ = sessions;
    distributed_->update(of_distributed_, world);
    standard_->update(of_standard_, world);
    join(seen_distributed_, *distributed_);
    join(seen_standard_, *standard_);
    Objects rules = affinity_rules(sessions_, *world, rules_);
    join(std::exchange(seen_rules_, rules), rules);
    receive(rspan_receiver(sessions_, *world, rules_.owner, rspan_adapter_));
    mirrors_ = distributed_->mirrors();
    mirrors_.insert(mirrors_.end(), standard_->mirrors().begin(), standard_->mirrors().end());
  }
  const Objects& objects() const override { return objects_; }
  const std::vector<Mirror>& mirrors() const override { return mirrors_; }
  const PersistentMap<std::string, Verdict>& verdicts() const override { return verdicts_; }

 private:
  /// What one of the two said the last time.
  struct Seen {
    Objects objects;
    PersistentMap<std::string, Verdict> verdicts;
  };

  SessionMap& of(const vmirror::Session& s) {
    return standard_names_.contains(s.switch_name) ? of_standard_ : of_distributed_;
  }

  /// Folds what differs from before. A session that changed sides is in both: what comes counts.
  void join(Seen& seen, const Realiser& now) {
    join(seen.objects, now.objects());
    diff(seen.verdicts, now.verdicts(),
         [&](const std::string& name, const Verdict*, const Verdict* is) {
           if (is)
             verdicts_.set(name, *is);
           else if (!seen_elsewhere(now, name))
             verdicts_.erase(name);
         });
    seen = {now.objects(), now.verdicts()};
  }
  /// A session to RSPAN is served whether or not the VLAN is received: that it isn't is a warning.
  void receive(RspanReceiver now) {
    join(receiver_.objects, now.objects);
    std::set<std::string> named = now.sessions;
    if (receiver_.unreceived.empty() && now.unreceived.empty()) named.clear();
    for (const std::string& name : named) {
      const Verdict* own = distributed_->verdicts().get(name);
      if (!own) continue;
      Verdict v = *own;
      if (!now.unreceived.empty())
        v.warnings.push_back("nothing of ours receives the VLAN: " + now.unreceived);
      if (!(v == *verdicts_.get(name))) verdicts_.set(name, std::move(v));
    }
    receiver_ = std::move(now);
  }
  void join(const Objects& before, const Objects& now) {
    diff(before, now, [&](const ObjectKey& key, const Object*, const Object* is) {
      if (is)
        objects_.set(key, *is);
      else
        objects_.erase(key);
    });
  }
  bool seen_elsewhere(const Realiser& but, const std::string& name) const {
    const Realiser& other = &but == standard_.get() ? *distributed_ : *standard_;
    return other.verdicts().contains(name);
  }

  const std::unique_ptr<Realiser> distributed_, standard_;
  const RuleOptions rules_;
  const std::optional<Mac> rspan_adapter_;
  std::set<std::string> standard_names_;
  SessionMap sessions_, of_distributed_, of_standard_;
  Seen seen_distributed_, seen_standard_;
  Objects seen_rules_;
  RspanReceiver receiver_;
  Objects objects_;
  std::vector<Mirror> mirrors_;
  PersistentMap<std::string, Verdict> verdicts_;
};

}  // namespace

std::unique_ptr<Realiser> make_realiser(RealiserOptions options) {
  return std::make_unique<BothRealiser>(options);
}

}  // namespace vmirror::vsphere
