#include "plugin/vsphere/span_change.hpp"

#include <algorithm>

#include "plugin/vsphere/task.hpp"

namespace vmirror::vsphere {
namespace {

using net::child;
using net::local_name;
using net::text_of;
using pugi::xml_node;
using StepKind = SpanStep::Kind;

constexpr std::chrono::seconds kMovePatience{60};  ///< Of a machine's reconfiguration.

/// A call whose fault of the type `other_look` is Error::Kind::missing.
Result<void> change(VimClient& client, const Method& method, std::string_view other_look,
                    const std::stop_token& stop) {
  const auto answer = client.call(method, stop);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->fault.empty()) return {};
  Error error = answer->error;
  if (answer->fault == other_look) error.kind = Error::Kind::missing;
  return tl::unexpected(std::move(error));
}

/// The value of one property, as the server has it now.
Result<VimAnswer> read_property(VimClient& client, const Ref& object, const char* path,
                                const std::stop_token& stop) {
  const auto session = client.session(stop);
  if (!session) return tl::unexpected(session.error());
  return client.must({.self = (*session)->property_collector,
                      .name = "RetrievePropertiesEx",
                      .arguments =
                          [&](xml_node call) {
                            xml_node spec = call.append_child("specSet");
                            xml_node set = spec.append_child("propSet");
                            set.append_child("type").text() = object.type.c_str();
                            set.append_child("pathSet").text() = path;
                            put_ref(spec.append_child("objectSet"), "obj", object);
                            call.append_child("options");
                          },
                      .repeatable = true},
                     stop);
}
xml_node value_in(const VimAnswer& answer) {
  return child(child(child(child(answer.result, "returnval"), "objects"), "propSet"), "val");
}

/// Copies an element under our own prefix for types.
void copy_typed(xml_node from, xml_node parent, const char* name) {
  xml_node to = parent.append_child(name);
  for (const pugi::xml_attribute attribute : from.attributes()) {
    const std::string_view as = attribute.name();
    if (as.starts_with("xmlns")) continue;
    to.append_attribute(as.ends_with(":type") ? "xsi:type" : attribute.name()) = attribute.value();
  }
  for (const xml_node item : from.children()) {
    if (item.type() == pugi::node_element)
      copy_typed(item, to, std::string(local_name(item)).c_str());
    else if (item.type() == pugi::node_pcdata)
      to.text() = item.value();
  }
}

void put_promiscuous(xml_node policy, bool value) {
  xml_node security = policy.child("security");
  if (!security) security = policy.prepend_child("security");  // The first of the schema.
  xml_node allow = security.child("allowPromiscuous");
  if (!allow) allow = security.prepend_child("allowPromiscuous");
  allow.text() = value;
}

/// UpdatePortGroup replaces the whole specification.
Result<void> update_group(VimClient& client, const StandardSwitch& at, const std::string& name,
                          const std::function<void(xml_node)>& edit, const std::stop_token& stop) {
  const auto read = read_property(client, at.network_system, "networkInfo.portgroup", stop);
  if (!read) return tl::unexpected(read.error());
  xml_node spec;
  for (const xml_node group : value_in(*read).children())
    if (const xml_node each = child(group, "spec"); text_of(each, "name") == name) spec = each;
  if (!spec || text_of(spec, "vswitchName") != at.vswitch)
    return fail(Error::Kind::missing, "there is no port group `" + name + "` on " + at.vswitch,
                client.url());
  return change(client,
                {.self = at.network_system,
                 .name = "UpdatePortGroup",
                 .arguments =
                     [&](xml_node call) {
                       call.append_child("pgName").text() = name.c_str();
                       copy_typed(spec, call, "portgrp");
                       edit(call.child("portgrp"));
                     }},
                "NotFound", stop);
}

Result<void> set_promiscuous(VimClient& client, const StandardSwitch& at, const std::string& name,
                             bool value, const std::stop_token& stop) {
  return update_group(
      client, at, name,
      [&](xml_node spec) {
        xml_node policy = spec.child("policy");
        put_promiscuous(policy ? policy : spec.append_child("policy"), value);
      },
      stop);
}

Result<void> add_group(VimClient& client, const StandardSwitch& at, const SpanStep& step,
                       const std::stop_token& stop) {
  return change(client,
                {.self = at.network_system,
                 .name = "AddPortGroup",
                 .arguments =
                     [&](xml_node call) {
                       xml_node spec = call.append_child("portgrp");
                       spec.append_child("name").text() = step.group.c_str();
                       spec.append_child("vlanId").text() = step.vlan;
                       spec.append_child("vswitchName").text() = at.vswitch.c_str();
                       xml_node policy = spec.append_child("policy");
                       if (step.accept) put_promiscuous(policy, true);
                     }},
                "AlreadyExists", stop);
}

Result<void> move_adapter(VimClient& client, const SpanStep& step, const std::stop_token& stop) {
  const auto read = read_property(client, step.machine, "config.hardware.device", stop);
  if (!read) return tl::unexpected(read.error());
  xml_node device;
  for (const xml_node each : value_in(*read).children())
    if (text_of(each, "key") == std::to_string(step.device)) device = each;
  if (!device)
    return fail(Error::Kind::missing, "the adapter is gone", client.url() + ", " + step.machine.id);
  auto begun = client.must(
      {.self = step.machine,
       .name = "ReconfigVM_Task",
       .arguments =
           [&](xml_node call) {
             xml_node edit = call.append_child("spec").append_child("deviceChange");
             edit.append_child("operation").text() = "edit";
             copy_typed(device, edit, "device");
             xml_node copy = edit.child("device"), old = copy.child("backing");
             xml_node backing =
                 old ? copy.insert_child_before("backing", old) : copy.append_child("backing");
             copy.remove_child(old);
             backing.append_attribute("xsi:type") = "VirtualEthernetCardNetworkBackingInfo";
             backing.append_child("deviceName").text() = step.group.c_str();
           }},
      stop);
  if (!begun) return tl::unexpected(begun.error());
  auto task = end_of_task(client, task_of(*begun), "the adapter's move to port group " + step.group,
                          kMovePatience, stop);
  if (!task) return tl::unexpected(task.error());
  if (task->state == TaskInfo::State::success) return {};
  task->error.what = "the adapter can't go to port group " + step.group + ": " + task->error.what;
  return tl::unexpected(std::move(task->error));
}

/// The option takes effect for a port group when promiscuous mode is accepted again. A change that
/// is cut short leaves it rejected, which the next round mends.
Result<void> set_option(VimClient& client, const StandardSwitch& at, const SpanStep& step,
                        const std::stop_token& stop) {
  for (const std::string& group : step.toggled)
    if (auto done = set_promiscuous(client, at, group, false, stop); !done) return done;
  auto done = change(client,
                     {.self = at.option_manager,
                      .name = "UpdateOptions",
                      .arguments =
                          [&](xml_node call) {
                            xml_node value = call.append_child("changedValue");
                            value.append_attribute("xsi:type") = "OptionValue";
                            value.append_child("key").text() = kReversePathOption;
                            xml_node number = value.append_child("value");
                            // Another integer type is refused.
                            number.append_attribute("xsi:type") = "xsd:long";
                            number.text() = 1;
                          }},
                     {}, stop);
  for (const std::string& group : step.toggled)
    if (auto again = set_promiscuous(client, at, group, true, stop); !again && done) done = again;
  return done;
}

}  // namespace

Result<void> carry_out(VimClient& client, const StandardSwitch& at, const SpanStep& step,
                       std::stop_token stop) {
  switch (step.kind) {
    case StepKind::add_group:
      return add_group(client, at, step, stop);
    case StepKind::set_vlan:
      return update_group(
          client, at, step.group, [&](xml_node spec) { spec.child("vlanId").text() = step.vlan; },
          stop);
    case StepKind::remove_group:
      return change(
          client,
          {.self = at.network_system,
           .name = "RemovePortGroup",
           .arguments =
               [&](xml_node call) { call.append_child("pgName").text() = step.group.c_str(); }},
          "NotFound", stop);
    case StepKind::accept:
    case StepKind::reject:
      return set_promiscuous(client, at, step.group, step.kind == StepKind::accept, stop);
    case StepKind::move_adapter:
      return move_adapter(client, step, stop);
    case StepKind::set_option:
      return set_option(client, at, step, stop);
  }
  return {};
}

bool shows(const Inventory& inventory, const StandardSwitch& at, const SpanStep& step) {
  if (step.kind == StepKind::set_option) return true;
  if (step.kind == StepKind::move_adapter) {
    const Machine* machine = inventory.machines.get(step.machine);
    if (!machine) return true;
    const auto nic = std::ranges::find(machine->nics, step.device, &Nic::key);
    return nic == machine->nics.end() || nic->backing.network == step.group;
  }
  const Host* host = inventory.hosts.get(at.host);
  if (!host) return true;
  const auto group = std::ranges::find(host->port_groups, step.group, &PortGroup::name);
  if (step.kind == StepKind::remove_group) return group == host->port_groups.end();
  if (group == host->port_groups.end()) return false;
  if (step.kind == StepKind::set_vlan) return group->vlan == step.vlan;
  return step.kind == StepKind::add_group || group->promiscuous == (step.kind == StepKind::accept);
}

Result<int> query_option(VimClient& client, const Ref& option_manager, std::stop_token stop) {
  const auto answer = client.must(
      {.self = option_manager,
       .name = "QueryOptions",
       .arguments = [](xml_node call) { call.append_child("name").text() = kReversePathOption; },
       .repeatable = true},
      std::move(stop));
  if (!answer) return tl::unexpected(answer.error());
  return child(child(answer->result, "returnval"), "value").text().as_int();
}

}  // namespace vmirror::vsphere
