package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// HostNetwork is a host's network system with standard switches that can be changed. A port group's name is one
// Network of the datacenter, however many hosts have it; the embedded type refuses the second host.
type HostNetwork struct {
	simulator.HostNetworkSystem
	world *World
	host  *simulator.HostSystem
	// Port groups in promiscuous mode, and the value that the option against frames that come twice had when they were
	// put into it: a later value has no effect on them.
	promiscuous map[string]bool
}

func (n *HostNetwork) vswitch(name string) *types.HostVirtualSwitch {
	for i := range n.NetworkInfo.Vswitch {
		if n.NetworkInfo.Vswitch[i].Name == name {
			return &n.NetworkInfo.Vswitch[i]
		}
	}
	return nil
}

func (n *HostNetwork) group(name string) int {
	for i := range n.NetworkInfo.Portgroup {
		if n.NetworkInfo.Portgroup[i].Spec.Name == name {
			return i
		}
	}
	return -1
}

func security(policy *types.HostNetworkPolicy) types.HostNetworkSecurityPolicy {
	if policy == nil || policy.Security == nil {
		return types.HostNetworkSecurityPolicy{}
	}
	return *policy.Security
}

func first(values ...*bool) *bool {
	for _, value := range values {
		if value != nil {
			return types.NewBool(*value)
		}
	}
	return nil
}

// publish works out what is inherited, and tells those that wait for updates.
func (n *HostNetwork) publish() {
	info := *n.NetworkInfo
	info.Portgroup = append([]types.HostPortGroup{}, info.Portgroup...)
	info.Vswitch = append([]types.HostVirtualSwitch{}, info.Vswitch...)
	for i := range info.Vswitch {
		info.Vswitch[i].Portgroup = nil
	}
	for i := range info.Portgroup {
		group := &info.Portgroup[i]
		for j := range info.Vswitch {
			above := &info.Vswitch[j]
			if above.Name != group.Spec.VswitchName {
				continue
			}
			own, from := security(&group.Spec.Policy), security(above.Spec.Policy)
			group.Vswitch = above.Key
			group.ComputedPolicy.Security = &types.HostNetworkSecurityPolicy{
				AllowPromiscuous: first(own.AllowPromiscuous, from.AllowPromiscuous, types.NewBool(false)),
				MacChanges:       first(own.MacChanges, from.MacChanges, types.NewBool(false)),
				ForgedTransmits:  first(own.ForgedTransmits, from.ForgedTransmits, types.NewBool(false)),
			}
			above.Portgroup = append(above.Portgroup, group.Key)
		}
		n.note(group)
	}
	simulator.Map.Update(n, []types.PropertyChange{{Name: "networkInfo", Val: &info}})
	simulator.Map.Update(n.host, []types.PropertyChange{
		{Name: "config.network.portgroup", Val: info.Portgroup}, {Name: "config.network.vswitch", Val: info.Vswitch},
	})
}

// note whether the group is in promiscuous mode, and what the option was when that began.
func (n *HostNetwork) note(group *types.HostPortGroup) {
	name := group.Spec.Name
	if group.ComputedPolicy.Security == nil || !*group.ComputedPolicy.Security.AllowPromiscuous {
		delete(n.promiscuous, name)
		return
	}
	if _, known := n.promiscuous[name]; !known {
		n.promiscuous[name] = n.option() == int64(1)
	}
}

// option is the value of reversePath.
func (n *HostNetwork) option() interface{} {
	options, ok := simulator.Map.Get(*n.host.ConfigManager.AdvancedOption).(*Options)
	if !ok {
		return nil
	}
	for _, setting := range options.Setting {
		if setting.GetOptionValue().Key == reversePath {
			return setting.GetOptionValue().Value
		}
	}
	return nil
}

// twice are the port groups in promiscuous mode that get broadcasts from each uplink.
func (n *HostNetwork) twice() []string {
	var out []string
	for _, group := range n.NetworkInfo.Portgroup {
		checked, promiscuous := n.promiscuous[group.Spec.Name]
		vswitch := n.vswitch(group.Spec.VswitchName)
		if promiscuous && !checked && vswitch != nil && len(vswitch.Pnic) > 1 {
			out = append(out, group.Spec.Name)
		}
	}
	return out
}

// network finds the Network of that name, or makes it, and puts it on the host or takes it off.
func (n *HostNetwork) network(name string, on bool) {
	folder := n.world.networkFolder
	found, _ := simulator.Map.FindByName(name, folder.ChildEntity).(*mo.Network)
	if found == nil {
		found = &mo.Network{}
		found.Name = name
		found.Entity().Name = name
		found.Self = types.ManagedObjectReference{Type: "Network", Value: n.world.newValue("network")}
		found.Summary = &types.NetworkSummary{Network: &found.Self, Name: name, Accessible: true}
		simulator.Map.PutEntity(folder, found)
		simulator.Map.AppendReference(folder, &folder.ChildEntity, found.Self)
	}
	if on {
		simulator.Map.AddReference(found, &found.Host, n.host.Self)
		simulator.Map.AddReference(n.host, &n.host.Network, found.Self)
		return
	}
	simulator.Map.RemoveReference(found, &found.Host, n.host.Self)
	simulator.Map.RemoveReference(n.host, &n.host.Network, found.Self)
	if len(found.Host) == 0 {
		simulator.Map.Remove(found.Self)
		simulator.Map.RemoveReference(folder, &folder.ChildEntity, found.Self)
	}
}

// users of the port group on this host: VMs with an adapter on it.
func (n *HostNetwork) users(name string) []string {
	var out []string
	for _, vm := range n.world.sortedVMs() {
		if vm.Runtime.Host == nil || *vm.Runtime.Host != n.host.Self {
			continue
		}
		for _, card := range vm.cards() {
			backing, ok := card.GetVirtualEthernetCard().Backing.(*types.VirtualEthernetCardNetworkBackingInfo)
			if ok && backing.DeviceName == name {
				out = append(out, vm.Name)
			}
		}
	}
	return out
}

func judgeGroup(spec types.HostPortGroupSpec) types.BaseMethodFault {
	if spec.Name == "" {
		return &types.InvalidArgument{InvalidProperty: "portgrp.name"}
	}
	if spec.VlanId < 0 || spec.VlanId > 4095 {
		return &types.InvalidArgument{InvalidProperty: "portgrp.vlanId"}
	}
	return nil
}

// AddPortGroup makes a port group on a standard switch of this host.
func (n *HostNetwork) AddPortGroup(req *types.AddPortGroup) soap.HasFault {
	body := new(methods.AddPortGroupBody)
	spec := req.Portgrp
	fault := judgeGroup(spec)
	switch {
	case fault != nil:
	case n.vswitch(spec.VswitchName) == nil:
		fault = &types.NotFound{}
	case n.group(spec.Name) >= 0:
		fault = &types.AlreadyExists{Name: spec.Name}
	}
	if fault != nil {
		body.Fault_ = simulator.Fault("", fault)
		return body
	}
	n.NetworkInfo.Portgroup = append(n.NetworkInfo.Portgroup, types.HostPortGroup{
		Key: "key-vim.host.PortGroup-" + spec.Name, Spec: spec,
	})
	n.network(spec.Name, true)
	n.publish()
	body.Res = new(types.AddPortGroupResponse)
	return body
}

// UpdatePortGroup replaces the whole specification; the name may be another one.
func (n *HostNetwork) UpdatePortGroup(req *types.UpdatePortGroup) soap.HasFault {
	body := new(methods.UpdatePortGroupBody)
	spec := req.Portgrp
	i := n.group(req.PgName)
	fault := judgeGroup(spec)
	switch {
	case fault != nil:
	case i < 0 || n.vswitch(spec.VswitchName) == nil:
		fault = &types.NotFound{}
	case spec.Name != req.PgName && n.group(spec.Name) >= 0:
		fault = &types.AlreadyExists{Name: spec.Name}
	case spec.Name != req.PgName && len(n.users(req.PgName)) != 0:
		fault = &types.ResourceInUse{Type: "Network", Name: req.PgName}
	}
	if fault != nil {
		body.Fault_ = simulator.Fault("", fault)
		return body
	}
	n.NetworkInfo.Portgroup[i].Spec = spec
	n.NetworkInfo.Portgroup[i].Key = "key-vim.host.PortGroup-" + spec.Name
	if spec.Name != req.PgName {
		n.network(req.PgName, false)
		n.network(spec.Name, true)
	}
	n.publish()
	body.Res = new(types.UpdatePortGroupResponse)
	return body
}

// RemovePortGroup refuses one that a VM of this host uses.
func (n *HostNetwork) RemovePortGroup(req *types.RemovePortGroup) soap.HasFault {
	body := new(methods.RemovePortGroupBody)
	i := n.group(req.PgName)
	if i < 0 {
		body.Fault_ = simulator.Fault("", &types.NotFound{})
		return body
	}
	if len(n.users(req.PgName)) != 0 {
		body.Fault_ = simulator.Fault("", &types.ResourceInUse{Type: "Network", Name: req.PgName})
		return body
	}
	n.NetworkInfo.Portgroup = append(n.NetworkInfo.Portgroup[:i], n.NetworkInfo.Portgroup[i+1:]...)
	n.network(req.PgName, false)
	n.publish()
	body.Res = new(types.RemovePortGroupResponse)
	return body
}

// UpdateVirtualSwitch replaces the whole specification of a standard switch.
func (n *HostNetwork) UpdateVirtualSwitch(req *types.UpdateVirtualSwitch) soap.HasFault {
	body := new(methods.UpdateVirtualSwitchBody)
	vswitch := n.vswitch(req.VswitchName)
	if vswitch == nil {
		body.Fault_ = simulator.Fault("", &types.NotFound{})
		return body
	}
	vswitch.Spec = req.Spec
	n.publish()
	body.Res = new(types.UpdateVirtualSwitchResponse)
	return body
}

// Options of a host. The value must have the type of the option: another one is refused.
type Options struct {
	simulator.OptionManager
}

// reversePath is the option against frames that come twice where a switch has two uplinks.
const reversePath = "Net.ReversePathFwdCheckPromisc"

// UpdateOptions refuses unknown options and values of another type or out of range, all or none.
func (m *Options) UpdateOptions(req *types.UpdateOptions) soap.HasFault {
	body := new(methods.UpdateOptionsBody)
	known := make(map[string]*types.OptionValue)
	for _, setting := range m.Setting {
		known[setting.GetOptionValue().Key] = setting.GetOptionValue()
	}
	for _, change := range req.ChangedValue {
		value := change.GetOptionValue()
		if known[value.Key] == nil {
			body.Fault_ = simulator.Fault("", &types.InvalidName{Name: value.Key})
			return body
		}
		if number, ok := value.Value.(int64); value.Key == reversePath && (!ok || number < 0 || number > 1) {
			body.Fault_ = simulator.Fault("", &types.InvalidArgument{InvalidProperty: value.Key})
			return body
		}
	}
	for _, change := range req.ChangedValue {
		known[change.GetOptionValue().Key].Value = change.GetOptionValue().Value
	}
	body.Res = new(types.UpdateOptionsResponse)
	return body
}
