package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// Cluster tells of its rules who waits for updates, and moves machines as DRS does: those of a rule that keeps them
// together go to the host of the first, those of a rule with hosts to the first of these.
type Cluster struct {
	simulator.ClusterComputeResource
	world *World
}

func (c *Cluster) config() *types.ClusterConfigInfoEx {
	return c.ConfigurationEx.(*types.ClusterConfigInfoEx)
}

// ReconfigureComputeResourceTask changes rules itself; the rest is the embedded one's.
func (c *Cluster) ReconfigureComputeResourceTask(req *types.ReconfigureComputeResource_Task) soap.HasFault {
	spec, ok := req.Spec.(*types.ClusterConfigSpecEx)
	if !ok || len(spec.RulesSpec)+len(spec.GroupSpec) == 0 {
		return c.ClusterComputeResource.ReconfigureComputeResourceTask(req)
	}
	run := func() types.BaseMethodFault {
		groups := append([]types.BaseClusterGroupInfo{}, c.config().Group...)
		for _, each := range spec.GroupSpec {
			var fault types.BaseMethodFault
			if groups, fault = c.editGroup(groups, each); fault != nil {
				return fault
			}
		}
		rules := append([]types.BaseClusterRuleInfo{}, c.config().Rule...)
		for _, each := range spec.RulesSpec {
			var fault types.BaseMethodFault
			if rules, fault = c.edit(rules, each); fault != nil {
				return fault
			}
		}
		if name := missingGroup(rules, groups); name != "" {
			return &types.InvalidArgument{InvalidProperty: "a rule names the group " + name + ", which is not there"}
		}
		config := *c.config()
		config.Rule, config.Group = rules, groups
		simulator.Map.Update(c, []types.PropertyChange{{Name: "configurationEx", Val: &config}})
		c.keepTogether()
		return nil
	}
	return &methods.ReconfigureComputeResource_TaskBody{Res: &types.ReconfigureComputeResource_TaskResponse{
		Returnval: c.world.task(c, "reconfigureCluster", run),
	}}
}

// edit the rules: a name is that of one rule, and a key that of one that is there.
func (c *Cluster) edit(rules []types.BaseClusterRuleInfo, spec types.ClusterRuleSpec) ([]types.BaseClusterRuleInfo,
	types.BaseMethodFault) {
	var key int32
	if spec.Operation == types.ArrayUpdateOperationRemove {
		key, _ = spec.RemoveKey.(int32)
	} else if spec.Info == nil {
		return nil, &types.InvalidArgument{InvalidProperty: "spec.rulesSpec.info"}
	} else {
		key = spec.Info.GetClusterRuleInfo().Key
	}
	at, last := -1, int32(0)
	for i, rule := range rules {
		is := rule.GetClusterRuleInfo()
		if is.Key > last {
			last = is.Key
		}
		if is.Key == key {
			at = i
		} else if spec.Info != nil && is.Name == spec.Info.GetClusterRuleInfo().Name {
			return nil, &types.DuplicateName{Name: is.Name, Object: c.Self}
		}
	}
	switch spec.Operation {
	case types.ArrayUpdateOperationAdd:
		spec.Info.GetClusterRuleInfo().Key = last + 1
		return append(rules, spec.Info), nil
	case types.ArrayUpdateOperationEdit:
		if at < 0 {
			return nil, &types.InvalidArgument{InvalidProperty: "spec.rulesSpec.info.key"}
		}
		rules[at] = spec.Info
		return rules, nil
	case types.ArrayUpdateOperationRemove:
		if at < 0 {
			return nil, &types.InvalidArgument{InvalidProperty: "spec.rulesSpec.removeKey"}
		}
		return append(rules[:at], rules[at+1:]...), nil
	}
	return nil, &types.InvalidArgument{InvalidProperty: "spec.rulesSpec.operation"}
}

// editGroup is the same for a group, which its name tells.
func (c *Cluster) editGroup(groups []types.BaseClusterGroupInfo, spec types.ClusterGroupSpec) ([]types.BaseClusterGroupInfo,
	types.BaseMethodFault) {
	var name string
	if spec.Operation == types.ArrayUpdateOperationRemove {
		name, _ = spec.RemoveKey.(string)
	} else if spec.Info == nil || len(spec.Info.GetClusterGroupInfo().Name) == 0 {
		return nil, &types.InvalidArgument{InvalidProperty: "spec.groupSpec.info"}
	} else {
		name = spec.Info.GetClusterGroupInfo().Name
	}
	at := -1
	for i, group := range groups {
		if group.GetClusterGroupInfo().Name == name {
			at = i
		}
	}
	switch {
	case spec.Operation == types.ArrayUpdateOperationAdd && at >= 0:
		return nil, &types.DuplicateName{Name: name, Object: c.Self}
	case spec.Operation == types.ArrayUpdateOperationAdd:
		return append(groups, spec.Info), nil
	case at < 0:
		return nil, &types.InvalidArgument{InvalidProperty: "spec.groupSpec: no group " + name}
	case spec.Operation == types.ArrayUpdateOperationEdit:
		groups[at] = spec.Info
		return groups, nil
	}
	return append(groups[:at], groups[at+1:]...), nil
}

// missingGroup is one that a rule names and that is not there, of its kind; empty: all are.
func missingGroup(rules []types.BaseClusterRuleInfo, groups []types.BaseClusterGroupInfo) string {
	vms, hosts := map[string]bool{}, map[string]bool{}
	for _, group := range groups {
		if _, ok := group.(*types.ClusterHostGroup); ok {
			hosts[group.GetClusterGroupInfo().Name] = true
		} else {
			vms[group.GetClusterGroupInfo().Name] = true
		}
	}
	for _, rule := range rules {
		if on, ok := rule.(*types.ClusterVmHostRuleInfo); ok {
			if !vms[on.VmGroupName] {
				return on.VmGroupName
			}
			if on.AffineHostGroupName != "" && !hosts[on.AffineHostGroupName] {
				return on.AffineHostGroupName
			}
		}
	}
	return ""
}

// onHosts moves the machines of a rule to the first of its hosts, but for those that are on another of them.
func (c *Cluster) onHosts(rule *types.ClusterVmHostRuleInfo) {
	var machines, hosts []types.ManagedObjectReference
	for _, group := range c.config().Group {
		switch g := group.(type) {
		case *types.ClusterVmGroup:
			if g.Name == rule.VmGroupName {
				machines = g.Vm
			}
		case *types.ClusterHostGroup:
			if g.Name == rule.AffineHostGroupName {
				hosts = g.Host
			}
		}
	}
	for _, ref := range machines {
		vm, ok := simulator.Map.Get(ref).(*VM)
		if !ok || len(hosts) == 0 {
			continue
		}
		there := false
		for _, host := range hosts {
			there = there || host == *vm.Runtime.Host
		}
		if !there {
			_ = vm.move(hosts[0])
		}
	}
}

// keepTogether moves what the rules want on one host, or on some.
func (c *Cluster) keepTogether() {
	for _, rule := range c.config().Rule {
		if on, ok := rule.(*types.ClusterVmHostRuleInfo); ok && on.Enabled != nil && *on.Enabled {
			c.onHosts(on)
		}
		affinity, ok := rule.(*types.ClusterAffinityRuleSpec)
		if !ok || affinity.Enabled == nil || !*affinity.Enabled {
			continue
		}
		var to *types.ManagedObjectReference
		for _, ref := range affinity.Vm {
			vm, ok := simulator.Map.Get(ref).(*VM)
			if !ok {
				continue
			}
			if to == nil {
				to = vm.Runtime.Host
			} else {
				_ = vm.move(*to)
			}
		}
	}
}

// groupByHand adds a group of all hosts.
func (c *Cluster) groupByHand(name string) {
	config := *c.config()
	config.Group = append(append([]types.BaseClusterGroupInfo{}, config.Group...), &types.ClusterHostGroup{
		ClusterGroupInfo: types.ClusterGroupInfo{Name: name}, Host: c.Host})
	simulator.Map.Update(c, []types.PropertyChange{{Name: "configurationEx", Val: &config}})
}

// editByHand disables the rule of that name, or takes it away.
func (c *Cluster) editByHand(name string, gone bool) {
	var rules []types.BaseClusterRuleInfo
	for _, rule := range c.config().Rule {
		if rule.GetClusterRuleInfo().Name == name {
			if gone {
				continue
			}
			switch is := rule.(type) {
			case *types.ClusterAffinityRuleSpec:
				disabled := *is
				disabled.Enabled = types.NewBool(false)
				rule = &disabled
			case *types.ClusterVmHostRuleInfo:
				disabled := *is
				disabled.Enabled = types.NewBool(false)
				rule = &disabled
			}
		}
		rules = append(rules, rule)
	}
	config := *c.config()
	config.Rule = rules
	simulator.Map.Update(c, []types.PropertyChange{{Name: "configurationEx", Val: &config}})
}
