// Changes of a standard switch's port groups, of a machine's adapter, and of a host's option. Most
// take effect at once, without a task; nothing has a version.
//
// Source: Broadcom, "vSphere Web Services API": HostNetworkSystem, HostPortGroupSpec,
// OptionManager.UpdateOptions, VirtualMachine.ReconfigVM_Task.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "plugin/vsphere/client.hpp"
#include "plugin/vsphere/span.hpp"

namespace vmirror::vsphere {

struct SpanStep {
  enum class Kind {
    add_group,     ///< `group` with `vlan`, in promiscuous mode where `accept`.
    set_vlan,      ///< of `group`
    remove_group,  ///< `group`, which nobody may use
    accept,        ///< promiscuous mode of `group`
    reject,        ///< the same
    move_adapter,  ///< `device` of `machine` to the port group `group`
    set_option,    ///< kReversePathOption to 1, between reject and accept of `toggled`
  };
  Kind kind = Kind::accept;
  std::string group = {};
  int vlan = 0;
  bool accept = false;
  Ref machine = {};
  int device = 0;
  std::vector<std::string> toggled = {};  ///< Port groups of the host.
};

/// For one standard switch, in order.
struct SpanChange {
  StandardSwitch at;
  std::vector<SpanStep> steps;
};

/// Carries one step out. A port group's specification, and an adapter, are read just before and
/// sent whole, with nothing else changed. Error::Kind::missing: what the step is about is no longer
/// there (or, for add_group, already there): another look helps.
Result<void> carry_out(VimClient& client, const StandardSwitch& at, const SpanStep& step,
                       std::stop_token stop = {});

/// True where the inventory shows the step's effect; of an option it tells nothing.
bool shows(const Inventory& inventory, const StandardSwitch& at, const SpanStep& step);

/// The value of kReversePathOption.
Result<int> query_option(VimClient& client, const Ref& option_manager, std::stop_token stop = {});

}  // namespace vmirror::vsphere
