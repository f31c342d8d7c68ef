// Changes of a distributed switch's mirror sessions, and the tasks that carry them out.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <vector>

#include "plugin/vsphere/client.hpp"

namespace vmirror::vsphere {

struct VspanChange {
  enum class Operation {
    add,   ///< vCenter makes the key. A second `add` of a name makes a second session.
    edit,  ///< By the key. The session is sent whole: whether what is left out stays is not known.
    remove
  };
  Operation operation = Operation::add;
  VspanSession session;
};

/// The arguments of ReconfigureDvs_Task, in `call`.
void encode_reconfigure(const std::string& config_version, const std::vector<VspanChange>& changes,
                        pugi::xml_node call);

/// Starts a change of the sessions of a distributed switch, all in one task, which this returns.
/// Whether the switch then shows the change is for the next observation to say: there are servers
/// that take it and do nothing. The answer's fault ConcurrentAccess: the switch has another
/// configVersion by now.
Result<VimAnswer> reconfigure(VimClient& client, const Ref& distributed_switch,
                              const std::string& config_version,
                              const std::vector<VspanChange>& changes, std::stop_token stop = {});
/// The task of such an answer.
Ref task_of(const VimAnswer& answer);

/// TaskInfo.
struct TaskInfo {
  enum class State { queued, running, success, error };
  State state = State::queued;
  std::string fault;  ///< In `error`: the fault's type.
  Error error{};      ///< In `error`: the fault in words.
};

/// `info` is the value of a task's property `info`.
TaskInfo read_task_info(pugi::xml_node info, const std::string& where);

/// Waits until a task has ended, at most `wait`; what it is in then. Error::Kind::missing: the
/// server knows no such task, or no longer (10 minutes after its end).
Result<TaskInfo> wait_for_task(VimClient& client, const Ref& task, std::chrono::seconds wait,
                               std::stop_token stop = {});

/// The same, for who can do nothing with a task that goes on: it is in `success` or in `error`.
/// Error::Kind::unreachable: it has not ended within `wait`; the error calls it `name`.
Result<TaskInfo> end_of_task(VimClient& client, const Ref& task, const std::string& name,
                             std::chrono::seconds wait, std::stop_token stop = {});

}  // namespace vmirror::vsphere
