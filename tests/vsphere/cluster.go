package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// Cluster tells of its rules who waits for updates, and moves machines as DRS does: those of a rule that keeps them
// together go to the host of the first.
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
	if !ok || len(spec.RulesSpec) == 0 {
		return c.ClusterComputeResource.ReconfigureComputeResourceTask(req)
	}
	run := func() types.BaseMethodFault {
		rules := append([]types.BaseClusterRuleInfo{}, c.config().Rule...)
		for _, each := range spec.RulesSpec {
			var fault types.BaseMethodFault
			if rules, fault = c.edit(rules, each); fault != nil {
				return fault
			}
		}
		config := *c.config()
		config.Rule = rules
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

// keepTogether moves what the rules want on one host.
func (c *Cluster) keepTogether() {
	for _, rule := range c.config().Rule {
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

// editByHand disables the rule of that name, or takes it away.
func (c *Cluster) editByHand(name string, gone bool) {
	var rules []types.BaseClusterRuleInfo
	for _, rule := range c.config().Rule {
		if affinity, ok := rule.(*types.ClusterAffinityRuleSpec); ok && affinity.Name == name {
			if gone {
				continue
			}
			disabled := *affinity
			disabled.Enabled = types.NewBool(false)
			rule = &disabled
		}
		rules = append(rules, rule)
	}
	config := *c.config()
	config.Rule = rules
	simulator.Map.Update(c, []types.PropertyChange{{Name: "configurationEx", Val: &config}})
}
