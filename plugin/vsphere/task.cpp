#include "plugin/vsphere/task.hpp"

namespace vmirror::vsphere {
namespace {

using net::child;
using net::local_name;
using net::text_of;
using pugi::xml_node;
using std::chrono::steady_clock;

const char* name_of(VspanChange::Operation operation) {
  switch (operation) {
    case VspanChange::Operation::add:
      return "add";
    case VspanChange::Operation::edit:
      return "edit";
    case VspanChange::Operation::remove:
      return "remove";
  }
  return "";
}

/// The value of `info` in an UpdateSet; null where it is in none.
xml_node info_in(xml_node update_set) {
  for (const xml_node filter : update_set.children()) {
    if (local_name(filter) != "filterSet") continue;
    const xml_node change = child(child(filter, "objectSet"), "changeSet");
    if (text_of(change, "name") == "info") return child(change, "val");
  }
  return {};
}

bool has_ended(const TaskInfo& task) {
  return task.state == TaskInfo::State::success || task.state == TaskInfo::State::error;
}

}  // namespace

void encode_reconfigure(const std::string& config_version, const std::vector<VspanChange>& changes,
                        xml_node call) {
  xml_node spec = call.append_child("spec");
  // The method's own type of parameter has no sessions.
  spec.append_attribute("xsi:type") = "VMwareDVSConfigSpec";
  spec.append_child("configVersion").text() = config_version.c_str();
  for (const VspanChange& change : changes) {
    xml_node each = spec.append_child("vspanConfigSpec");
    encode(change.session, each.append_child("vspanSession"));
    each.append_child("operation").text() = name_of(change.operation);
  }
}

Result<VimAnswer> reconfigure(VimClient& client, const Ref& distributed_switch,
                              const std::string& config_version,
                              const std::vector<VspanChange>& changes, std::stop_token stop) {
  return client.call(
      {.self = distributed_switch,
       .name = "ReconfigureDvs_Task",
       .arguments = [&](xml_node call) { encode_reconfigure(config_version, changes, call); }},
      std::move(stop));
}

Ref task_of(const VimAnswer& answer) {
  return read_ref(child(answer.result, "returnval"));
}

TaskInfo read_task_info(xml_node info, const std::string& where) {
  TaskInfo out;
  const std::string_view state = text_of(info, "state");
  if (state == "running") out.state = TaskInfo::State::running;
  if (state == "success") out.state = TaskInfo::State::success;
  if (state != "error") return out;
  out.state = TaskInfo::State::error;
  const xml_node localized = child(info, "error"), fault = child(localized, "fault");
  out.fault = xsi_type(fault);
  out.error = error_of_fault(out.fault, fault, text_of(localized, "localizedMessage"), where);
  return out;
}

Result<TaskInfo> wait_for_task(VimClient& client, const Ref& task, std::chrono::seconds wait,
                               std::stop_token stop) {
  const auto end = steady_clock::now() + wait;
  const auto session = client.session(stop);
  if (!session) return tl::unexpected(session.error());
  auto collector = Collector::make(
      client, **session,
      [&](xml_node spec) {
        xml_node set = spec.append_child("propSet");
        set.append_child("type").text() = "Task";
        set.append_child("pathSet").text() = "info";
        put_ref(spec.append_child("objectSet"), "obj", task);
      },
      stop);
  if (!collector) return tl::unexpected(collector.error());
  TaskInfo out;
  while (!has_ended(out) && steady_clock::now() < end) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(end - steady_clock::now());
    const auto updated = collector->wait(
        left,
        [&](xml_node set) -> Result<Folded> {
          if (const xml_node info = info_in(set))
            out = read_task_info(info, client.url() + ", task " + task.id);
          return Folded{.version = std::string(text_of(set, "version"))};
        },
        stop);
    if (!updated) return tl::unexpected(updated.error());
  }
  return out;
}

Result<TaskInfo> end_of_task(VimClient& client, const Ref& task, const std::string& name,
                             std::chrono::seconds wait, std::stop_token stop) {
  auto info = wait_for_task(client, task, wait, std::move(stop));
  if (info && !has_ended(*info))
    return fail(Error::Kind::unreachable,
                name + " has not ended within " + std::to_string(wait.count()) + " s", client.url(),
                "see vCenter's list of tasks");
  return info;
}

}  // namespace vmirror::vsphere
