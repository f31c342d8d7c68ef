#include "plugin/hyperv/change.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include "plugin/hyperv/affinity.hpp"
#include "plugin/hyperv/observe.hpp"
#include "plugin/hyperv/settings.hpp"

namespace vmirror::hyperv {
namespace {

constexpr const char* kMachines = "Msvm_VirtualSystemManagementService";
constexpr const char* kSwitches = "Msvm_VirtualEthernetSwitchManagementService";

Reference service(bool of_machines) {
  const char* name = of_machines ? kMachines : kSwitches;
  return {name, {{"CreationClassName", name}}};
}

Reference by_id(const char* cls, const std::string& id) {
  return {cls, {{"InstanceID", id}}};
}

/// The properties of a security setting that Add and Modify are given, with their types. Those that
/// the host does not show are left out (EnableFixSpeed10G and Reserved: before 2016).
constexpr std::pair<const char*, const char*> kSecurityProperties[] = {
    {"AllowIeeePriorityTag", "boolean"},
    {"AllowMacSpoofing", "boolean"},
    {"AllowTeaming", "boolean"},
    {"Caption", "string"},
    {"Description", "string"},
    {"DynamicIPAddressLimit", "uint32"},
    {"ElementName", "string"},
    {"EnableDhcpGuard", "boolean"},
    {"EnableFixSpeed10G", "boolean"},
    {"EnableRouterGuard", "boolean"},
    {"InstanceID", "string"},
    {"MonitorMode", "uint8"},
    {"MonitorSession", "uint8"},
    {"Reserved", "boolean"},
    {"StormLimit", "uint32"},
    {"TeamName", "string"},
    {"TeamNumber", "uint32"},
    {"VirtualSubnetId", "uint32"}};

std::string encode_security(Instance setting, MonitorMode mode, std::uint8_t session) {
  setting.values["MonitorMode"] = {std::to_string(static_cast<int>(mode))};
  setting.values["MonitorSession"] = {std::to_string(session)};
  std::vector<Property> properties;
  for (const auto& [name, type] : kSecurityProperties)
    if (!setting.all(name).empty()) properties.push_back({name, type, {setting.text(name)}});
  return encode_embedded(kSecurityClass, properties);
}

/// Whether nothing but mirroring is set: then the setting can go.
bool is_only_mirroring(const Instance& setting) {
  return std::ranges::none_of(kSecurityProperties, [&](const auto& property) {
    const std::string_view name = property.first, type = property.second;
    if (name == "MonitorMode" || name == "MonitorSession" || name == "Caption" ||
        name == "Description" || name == "ElementName" || name == "InstanceID")
      return false;
    const std::string& text = setting.text(property.first);
    return !text.empty() && text != (type == "boolean" ? "false" : "0");
  });
}

/// What a step changes, and where its mark is.
struct Place {
  bool of_machine = false;
  std::string holder_id;       ///< GUID of the VM or the switch that has the notes.
  std::string kind, on;        ///< Of the mark.
  Connection connection = {};  ///< Unused by the extension.
};

class Work {
 public:
  Work(const Changer& changer, const Step& step, Place place, const std::stop_token& stop)
      : client_(changer.client),
        whom_(mark_owner(changer.owner)),
        step_(step),
        place_(std::move(place)),
        stop_(stop) {}

  // ---- Mirroring

  Result<bool> mode() {
    const auto* wanted = value_as<ModeValue>(step_.value.get());
    const auto* seen = value_as<ModeValue>(step_.seen.get());
    const bool external = !place_.of_machine;
    const auto is = feature(kSecurityClass);
    if (!is && is.error().kind == Error::Kind::missing) return false;
    if (!is) return tl::unexpected(is.error());
    const Security now = *is ? read(**is) : Security{};
    if (now.mode != (seen ? seen->mode : MonitorMode::none)) return false;
    const std::string text = mark_text(now, external);
    if (!wanted) return put_mode_back(is->value_or(Instance{}), now, text, external);
    const auto base = *is ? Result<Instance>(**is) : security_template();
    if (!base) return tl::unexpected(base.error());
    const Security to{now.id, wanted->mode, wanted->session};
    const std::string now_text =
        external ? std::to_string(static_cast<int>(wanted->mode)) : mark_text(to, false);
    if (const auto marked = mark(text, now_text, now.id.empty()); !marked)
      return tl::unexpected(marked.error());
    return write_security(*base, now.id.empty(), wanted->mode, wanted->session);
  }

  // ---- VLANs

  Result<bool> vlans() {
    const auto* wanted = value_as<VlanValue>(step_.value.get());
    const auto* seen = value_as<VlanValue>(step_.seen.get());
    const auto is = feature(kVlanClass);
    if (!is && is.error().kind == Error::Kind::missing) return false;
    if (!is) return tl::unexpected(is.error());
    const VlanSetting now = *is ? read_vlans(**is) : VlanSetting{};
    if (!(now == (seen ? seen->setting : VlanSetting{}))) return false;
    if (wanted)
      if (const auto marked = mark(now.text(), wanted->setting.text(), false); !marked)
        return tl::unexpected(marked.error());
    const Mark* ours = find_mark(notes_, place_.kind, place_.on);
    if (!wanted) {
      if (const auto read = read_notes(); !read) return tl::unexpected(read.error());
      ours = find_mark(notes_, place_.kind, place_.on);
      if (!ours || others_need(*ours) || now.text() != ours->now) return unmark();
    }
    // A setting of VLANs can't be modified: it is taken away, and another added.
    if (*is)
      if (const auto done = client_.carry_out(
              service(true), "RemoveFeatureSettings",
              {{"FeatureSettings", by_id(kVlanClass, (*is)->text("InstanceID"))}}, stop_);
          !done)
        return tl::unexpected(done.error());
    if (!wanted) return unmark();
    return add(encode_embedded(kVlanClass, encode_vlans(wanted->setting)));
  }

  // ---- The NDIS capture extension

  Result<bool> capture(const std::optional<bool>& now) {
    const auto* wanted = value_as<CaptureValue>(step_.value.get());
    const auto* seen = value_as<CaptureValue>(step_.seen.get());
    if (now != (seen ? seen->enabled : std::optional(false))) return false;
    bool enable = true;
    if (wanted) {
      if (const auto marked = mark(*now ? "Enabled" : "Disabled", "Enabled", false); !marked)
        return tl::unexpected(marked.error());
    } else {
      if (const auto read = read_notes(); !read) return tl::unexpected(read.error());
      const Mark* ours = find_mark(notes_, place_.kind, place_.on);
      if (!ours || others_need(*ours) || ours->was != "Disabled" || now != true) return unmark();
      enable = false;
    }
    const Reference extension{"Msvm_EthernetSwitchExtension",
                              {{"CreationClassName", "Msvm_EthernetSwitchExtension"},
                               {"Name", kCaptureExtension},
                               {"SystemCreationClassName", "Msvm_VirtualEthernetSwitch"},
                               {"SystemName", place_.holder_id}}};
    if (const auto done = client_.carry_out(extension, "RequestStateChange",
                                            {{"RequestedState", enable ? "2" : "3"}}, stop_);
        !done)
      return tl::unexpected(done.error());
    return wanted ? Result<bool>(true) : unmark();
  }

  // ---- Preferred owners of the VM's group

  Result<bool> owners() {
    const auto* wanted = value_as<OwnersValue>(step_.value.get());
    const auto* seen = value_as<OwnersValue>(step_.seen.get());
    const std::string& group = step_.key.name;
    const auto is = read_owners(client_, group, stop_);
    if (!is) return tl::unexpected(is.error());
    if (std::set(is->begin(), is->end()) != (seen ? seen->nodes : std::set<std::string>{}))
      return false;
    const std::string now = join_names(*is);
    std::vector<std::string> to;
    if (wanted) {
      to.assign(wanted->nodes.begin(), wanted->nodes.end());
      if (const auto marked = mark(now, join_names(to), false); !marked)
        return tl::unexpected(marked.error());
    } else {
      if (const auto read = read_notes(); !read) return tl::unexpected(read.error());
      const Mark* ours = find_mark(notes_, place_.kind, place_.on);
      if (!ours || others_need(*ours) || now != ours->now) return unmark();
      to = split_names(ours->was);
    }
    if (const auto done = write_owners(client_, group, to, stop_); !done)
      return tl::unexpected(done.error());
    return wanted ? Result<bool>(true) : unmark();
  }

 private:
  // ---- Marks

  const char* settings_class() const {
    return place_.of_machine ? "Msvm_VirtualSystemSettingData"
                             : "Msvm_VirtualEthernetSwitchSettingData";
  }

  Result<void> read_notes() {
    const auto is = client_.get(kVirtualization,
                                by_id(settings_class(), "Microsoft:" + place_.holder_id), stop_);
    if (!is) return tl::unexpected(is.error());
    notes_ = parse_notes(is->all("Notes"));
    return {};
  }

  Result<void> write_notes(const std::vector<Mark>& marks) {
    auto text = encode_notes(notes_, marks);
    if (!text) {
      text.error().where =
          "notes of " + std::string(place_.of_machine ? "VM " : "switch ") + place_.holder_id;
      return tl::unexpected(text.error());
    }
    const std::string embedded = encode_embedded(
        settings_class(), {{"InstanceID", "string", {"Microsoft:" + place_.holder_id}},
                           {"Notes", "string", *text, true}});
    if (const auto done = client_.carry_out(service(place_.of_machine), "ModifySystemSettings",
                                            {{"SystemSettings", embedded}}, stop_);
        !done)
      return tl::unexpected(done.error());
    notes_ = parse_notes(std::move(*text));
    return {};
  }

  /// Marks the setting as ours. What it goes back to is what an older mark of it says.
  Result<void> mark(const std::string& was, const std::string& now, bool added) {
    if (const auto read = read_notes(); !read) return read;
    std::vector<Mark> marks = notes_.marks;
    const auto at = std::ranges::find_if(
        marks, [&](const Mark& each) { return each.kind == place_.kind && each.on == place_.on; });
    if (at == marks.end()) {
      marks.push_back({place_.kind, place_.on, was, now, {whom_}, added});
    } else {
      const Mark before = *at;
      at->now = now;
      if (!at->is_for(whom_)) at->for_whom.push_back(whom_);
      std::ranges::sort(at->for_whom);
      if (*at == before && notes_.error.empty()) return {};
    }
    return write_notes(marks);
  }

  bool others_need(const Mark& mark) const {
    return std::ranges::any_of(mark.for_whom, [&](const auto& each) { return each != whom_; });
  }

  /// Takes our name off the mark, and the mark with the last name.
  Result<bool> unmark() {
    std::vector<Mark> marks = notes_.marks;
    for (Mark& each : marks)
      if (each.kind == place_.kind && each.on == place_.on) std::erase(each.for_whom, whom_);
    std::erase_if(marks, [](const Mark& each) { return each.for_whom.empty(); });
    if (marks == notes_.marks) return true;
    if (const auto done = write_notes(marks); !done) return tl::unexpected(done.error());
    return true;
  }

  // ---- Features

  /// The port's setting of that class as it is now; nothing: it has none.
  Result<std::optional<Instance>> feature(const char* cls) {
    std::string id;
    for (const char c : place_.connection.id) id += c == '\\' ? "\\\\" : std::string(1, c);
    auto found =
        client_.query(kVirtualization,
                      std::string("ASSOCIATORS OF {") + kConnectionClass + ".InstanceID=\"" + id +
                          "\"} WHERE AssocClass = Msvm_EthernetPortSettingDataComponent "
                          "ResultClass = " +
                          cls,
                      stop_);
    if (!found) return tl::unexpected(found.error());
    if (found->empty()) return std::nullopt;
    return std::optional(std::move(found->front()));
  }

  /// What a port without a security setting begins with.
  Result<Instance> security_template() {
    const auto all = client_.query(kVirtualization,
                                   std::string("SELECT * FROM ") + kSecurityClass +
                                       " WHERE InstanceID LIKE 'Microsoft:Definition%'",
                                   stop_);
    if (!all) return tl::unexpected(all.error());
    for (const Instance& each : *all)
      if (each.text("InstanceID").ends_with("\\Default")) {
        Instance out = each;
        out.values.erase("InstanceID");
        return out;
      }
    return fail(Error::Kind::missing, "the host has no template of a port's security setting",
                client_.url());
  }

  static Security read(const Instance& setting) {
    const auto mode = setting.number("MonitorMode");
    return {setting.text("InstanceID"),
            mode <= 2 ? static_cast<MonitorMode>(mode) : MonitorMode::none,
            static_cast<std::uint8_t>(setting.number("MonitorSession"))};
  }

  Result<bool> put_mode_back(const Instance& setting, const Security& now, const std::string& text,
                             bool external) {
    if (const auto read = read_notes(); !read) return tl::unexpected(read.error());
    const Mark* ours = find_mark(notes_, place_.kind, place_.on);
    // Only what is still as we left it is ours to undo.
    if (!ours || others_need(*ours) || text != ours->now || now.id.empty()) return unmark();
    if (ours->added && is_only_mirroring(setting)) {
      if (const auto done =
              client_.carry_out(service(!external), "RemoveFeatureSettings",
                                {{"FeatureSettings", by_id(kSecurityClass, now.id)}}, stop_);
          !done)
        return tl::unexpected(done.error());
      return unmark();
    }
    MonitorMode was = MonitorMode::none;
    if (ours->was == "Destination" || ours->was == "1") was = MonitorMode::destination;
    if (ours->was == "Source" || ours->was == "2") was = MonitorMode::source;
    if (const auto done = write_security(setting, false, was, 0); !done) return done;
    return unmark();
  }

  Result<bool> write_security(const Instance& setting, bool anew, MonitorMode mode,
                              std::uint8_t session) {
    const std::string embedded = encode_security(setting, mode, session);
    if (anew) return add(embedded);
    const auto done = client_.carry_out(service(place_.of_machine), "ModifyFeatureSettings",
                                        {{"FeatureSettings", embedded}}, stop_);
    if (!done) return tl::unexpected(done.error());
    return true;
  }

  Result<bool> add(const std::string& embedded) {
    const auto done =
        client_.carry_out(service(place_.of_machine), "AddFeatureSettings",
                          {{"AffectedConfiguration", by_id(kConnectionClass, place_.connection.id)},
                           {"FeatureSettings", embedded}},
                          stop_);
    if (!done) return tl::unexpected(done.error());
    return true;
  }

  WsmanClient& client_;
  const std::string whom_;
  const Step& step_;
  const Place place_;
  const std::stop_token& stop_;
  Notes notes_;
};

/// The VM of a cluster's group.
std::optional<Place> place_of_group(const HostState& state, const std::string& group) {
  if (!state.cluster) return {};
  for (const auto& [id, machine] : state.machines) {
    const auto at = state.cluster->groups.find(machine.name);
    if (at != state.cluster->groups.end() && at->second == group)
      return Place{true, id, kOwnersMark, "", {}};
  }
  return {};
}

/// The adapter of that port on the switch.
std::optional<Place> place_of(const HostState& state, const std::string& switch_id,
                              const Step& step) {
  const bool vlans = step.key.kind == kVlanKind;
  for (const auto& [id, machine] : state.machines)
    for (const auto& [adapter_id, adapter] : machine.adapters)
      if (adapter.switch_id == switch_id && adapter.port_name == step.key.name)
        return Place{true, id, vlans ? "vlan" : mode_mark(false), adapter_id, adapter.connection};
  const VirtualSwitch& sw = state.switches.at(switch_id);
  if (step.key.name == kExternalPort && sw.external)
    return Place{false, switch_id, mode_mark(true), "", *sw.external};
  return {};
}

}  // namespace

Result<bool> Changer::carry_out(const Step& step, const HostState& state,
                                const std::string& switch_id, const std::stop_token& stop) const {
  if (step.key.kind == kRuleKind) return change_rule(client, step, stop);
  if (step.key.kind == kOwnersKind) {
    auto place = place_of_group(state, step.key.name);
    if (!place) return false;
    return Work(*this, step, std::move(*place), stop).owners();
  }
  const auto sw = state.switches.find(switch_id);
  if (sw == state.switches.end())
    return fail(Error::Kind::missing, "there is no such virtual switch", step.key.switch_name);
  if (step.key.kind == kExtensionKind)
    return Work(*this, step, {false, switch_id, "capture", "", {}}, stop)
        .capture(sw->second.capture);
  auto place = place_of(state, switch_id, step);
  if (!place) return false;
  Work work(*this, step, std::move(*place), stop);
  return step.key.kind == kVlanKind ? work.vlans() : work.mode();
}

}  // namespace vmirror::hyperv
