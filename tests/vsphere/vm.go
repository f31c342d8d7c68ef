package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// VM migrates, and its adapters have ports of the distributed switch; the embedded one gives them none.
type VM struct {
	simulator.VirtualMachine
	world *World
}

func (vm *VM) cards() []types.BaseVirtualEthernetCard {
	var out []types.BaseVirtualEthernetCard
	for _, device := range vm.Config.Hardware.Device {
		if card, ok := device.(types.BaseVirtualEthernetCard); ok {
			out = append(out, card)
		}
	}
	return out
}

// setDevices replaces the list: what waits for updates sees all of it.
func (vm *VM) setDevices(devices []types.BaseVirtualDevice) {
	simulator.Map.Update(vm, []types.PropertyChange{{Name: "config.hardware.device", Val: devices}})
}

// move to another host at once; what stays the same is the port.
func (vm *VM) move(to types.ManagedObjectReference) types.BaseMethodFault {
	target, ok := simulator.Map.Get(to).(*simulator.HostSystem)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: to}
	}
	from := *vm.Runtime.Host
	if from == to {
		return nil
	}
	source := simulator.Map.Get(from).(*simulator.HostSystem)
	for _, card := range vm.cards() {
		backing, ok := card.GetVirtualEthernetCard().Backing.(*types.VirtualEthernetCardNetworkBackingInfo)
		if ok && vm.world.hostNetworks[to].group(backing.DeviceName) < 0 {
			return &types.InvalidArgument{InvalidProperty: "host: it has no port group " + backing.DeviceName}
		}
	}
	simulator.Map.RemoveReference(source, &source.Vm, vm.Self)
	simulator.Map.AddReference(target, &target.Vm, vm.Self)
	simulator.Map.Update(vm, []types.PropertyChange{
		{Name: "runtime.host", Val: &to}, {Name: "summary.runtime.host", Val: &to},
	})
	vm.world.event(&types.VmMigratedEvent{
		VmEvent: types.VmEvent{Event: types.Event{
			CreatedTime: time.Now(),
			Vm:          &types.VmEventArgument{EntityEventArgument: types.EntityEventArgument{Name: vm.Name}, Vm: vm.Self},
			Host:        &types.HostEventArgument{EntityEventArgument: types.EntityEventArgument{Name: target.Name}, Host: to},
		}},
		SourceHost: types.HostEventArgument{EntityEventArgument: types.EntityEventArgument{Name: source.Name}, Host: from},
	})
	return nil
}

// MigrateVMTask is vMotion.
func (vm *VM) MigrateVMTask(req *types.MigrateVM_Task) soap.HasFault {
	run := func() types.BaseMethodFault {
		if req.Host == nil {
			return &types.InvalidArgument{InvalidProperty: "host"}
		}
		return vm.move(*req.Host)
	}
	return &methods.MigrateVM_TaskBody{
		Res: &types.MigrateVM_TaskResponse{Returnval: vm.world.task(vm, "migrateTask", run)},
	}
}

// RelocateVMTask moves to another host; what else it can do is the embedded one's.
func (vm *VM) RelocateVMTask(ctx *simulator.Context, req *types.RelocateVM_Task) soap.HasFault {
	if req.Spec.Host == nil {
		return vm.VirtualMachine.RelocateVMTask(ctx, req)
	}
	run := func() types.BaseMethodFault { return vm.move(*req.Spec.Host) }
	return &methods.RelocateVM_TaskBody{
		Res: &types.RelocateVM_TaskResponse{Returnval: vm.world.task(vm, "relocateTask", run)},
	}
}

// PowerOffVMTask takes the ports of ephemeral port groups away.
func (vm *VM) PowerOffVMTask(*simulator.Context, *types.PowerOffVM_Task) soap.HasFault {
	task := vm.power(types.VirtualMachinePowerStatePoweredOff, "powerOff",
		func(s *Switch, connection *types.DistributedVirtualSwitchPortConnection, _ string, _ int32) {
			delete(s.ports, connection.PortKey)
			connection.PortKey = ""
		})
	return &methods.PowerOffVM_TaskBody{Res: &types.PowerOffVM_TaskResponse{Returnval: task}}
}

// PowerOnVMTask gives adapters on ephemeral port groups ports anew: with other keys.
func (vm *VM) PowerOnVMTask(*simulator.Context, *types.PowerOnVM_Task) soap.HasFault {
	task := vm.power(types.VirtualMachinePowerStatePoweredOn, "powerOn",
		func(s *Switch, connection *types.DistributedVirtualSwitchPortConnection, mac string, key int32) {
			if connection.PortKey == "" {
				connection.PortKey = s.addPort(connection.PortgroupKey, vmVnic, strconv.Itoa(int(key)), mac, vm.Self).key
			}
		})
	return &methods.PowerOnVM_TaskBody{Res: &types.PowerOnVM_TaskResponse{Returnval: task}}
}

// power changes the state, and lets `change` set the connections on ephemeral port groups. The embedded machine's tasks
// post events, which look for the cluster's own type where Cluster is.
func (vm *VM) power(state types.VirtualMachinePowerState, name string,
	change func(s *Switch, connection *types.DistributedVirtualSwitchPortConnection, mac string, key int32)) types.ManagedObjectReference {
	return vm.world.task(vm, name, func() types.BaseMethodFault {
		if is := vm.Runtime.PowerState; is == state {
			return &types.InvalidPowerState{RequestedState: state, ExistingState: is}
		}
		simulator.Map.Update(vm, []types.PropertyChange{
			{Name: "runtime.powerState", Val: state}, {Name: "summary.runtime.powerState", Val: state}})
		vm.replug(true, change)
		return nil
	})
}

// replug lets `change` set the connection of each adapter on the distributed switch, or on its ephemeral port groups.
func (vm *VM) replug(ephemeral bool,
	change func(s *Switch, connection *types.DistributedVirtualSwitchPortConnection, mac string, key int32)) {
	devices := append([]types.BaseVirtualDevice{}, vm.Config.Hardware.Device...)
	for i, device := range devices {
		card, ok := device.(types.BaseVirtualEthernetCard)
		if !ok {
			continue
		}
		backing, ok := card.GetVirtualEthernetCard().Backing.(*types.VirtualEthernetCardDistributedVirtualPortBackingInfo)
		if !ok {
			continue
		}
		group := vm.world.groups[backing.Port.PortgroupKey]
		if group == nil || (ephemeral && group.Config.Type != string(types.DistributedVirtualPortgroupPortgroupTypeEphemeral)) {
			continue
		}
		copied := copyCard(card)
		own := copied.GetVirtualEthernetCard()
		plug := *backing
		change(vm.world.switchOf(backing.Port.SwitchUuid), &plug.Port, own.MacAddress, own.Key)
		own.Backing = &plug
		devices[i] = copied.(types.BaseVirtualDevice)
	}
	vm.setDevices(devices)
}

// copyCard makes an adapter of the same kind that can be changed.
func copyCard(card types.BaseVirtualEthernetCard) types.BaseVirtualEthernetCard {
	switch c := card.(type) {
	case *types.VirtualVmxnet3:
		out := *c
		return &out
	case *types.VirtualE1000:
		out := *c
		return &out
	case *types.VirtualE1000e:
		out := *c
		return &out
	}
	panic(fmt.Sprintf("no copy of a %T is made here", card))
}

// ReconfigVMTask changes adapters itself, because they need ports; the rest is the embedded one's.
func (vm *VM) ReconfigVMTask(ctx *simulator.Context, req *types.ReconfigVM_Task) soap.HasFault {
	var cards []*types.VirtualDeviceConfigSpec
	rest := *req
	rest.Spec.DeviceChange = nil
	for _, change := range req.Spec.DeviceChange {
		spec := change.GetVirtualDeviceConfigSpec()
		if _, ok := spec.Device.(types.BaseVirtualEthernetCard); ok {
			cards = append(cards, spec)
		} else {
			rest.Spec.DeviceChange = append(rest.Spec.DeviceChange, change)
		}
	}
	if len(cards) == 0 {
		return vm.VirtualMachine.ReconfigVMTask(ctx, req)
	}
	run := func() types.BaseMethodFault {
		for i, spec := range cards {
			if fault := vm.changeCard(i, spec); fault != nil {
				return fault
			}
		}
		if len(rest.Spec.DeviceChange) != 0 {
			return &types.NotSupported{} // Adapters and other devices in one call: nobody here needs it.
		}
		return nil
	}
	return &methods.ReconfigVM_TaskBody{
		Res: &types.ReconfigVM_TaskResponse{Returnval: vm.world.task(vm, "reconfigureTask", run)},
	}
}

func (vm *VM) changeCard(i int, spec *types.VirtualDeviceConfigSpec) types.BaseMethodFault {
	card := copyCard(spec.Device.(types.BaseVirtualEthernetCard))
	own := card.GetVirtualEthernetCard()
	devices := append([]types.BaseVirtualDevice{}, vm.Config.Hardware.Device...)
	at, highest := -1, int32(3999)
	for j, device := range devices {
		if other, ok := device.(types.BaseVirtualEthernetCard); ok {
			if other.GetVirtualEthernetCard().Key == own.Key {
				at = j
			}
			if key := other.GetVirtualEthernetCard().Key; key > highest {
				highest = key
			}
		}
	}
	switch spec.Operation {
	case types.VirtualDeviceConfigSpecOperationAdd:
		own.Key = highest + 1
		own.ControllerKey = 100
		if own.MacAddress == "" {
			own.MacAddress = vm.world.newMac()
		}
		own.DeviceInfo = &types.Description{Label: fmt.Sprintf("Network adapter %d", own.Key-3999)}
		if fault := vm.plug(own, ""); fault != nil {
			return fault
		}
		vm.setDevices(append(devices, card.(types.BaseVirtualDevice)))
	case types.VirtualDeviceConfigSpecOperationEdit, types.VirtualDeviceConfigSpecOperationRemove:
		if at < 0 {
			return &types.InvalidDeviceSpec{DeviceIndex: int32(i)}
		}
		old := devices[at].(types.BaseVirtualEthernetCard).GetVirtualEthernetCard()
		freed := portKeyOf(old.Backing)
		if spec.Operation == types.VirtualDeviceConfigSpecOperationEdit {
			own.MacAddress, own.ControllerKey = old.MacAddress, old.ControllerKey
			if fault := vm.plug(own, freed); fault != nil {
				return fault
			}
			devices[at] = card.(types.BaseVirtualDevice)
		} else {
			devices = append(devices[:at], devices[at+1:]...)
		}
		if freed != "" && freed != portKeyOf(own.Backing) {
			for _, s := range vm.world.switches {
				if p := s.ports[freed]; p != nil && p.entity != nil && *p.entity == vm.Self {
					p.kind = ""
				}
			}
		}
		vm.setDevices(devices)
	default:
		return &types.InvalidDeviceSpec{DeviceIndex: int32(i)}
	}
	return nil
}

func portKeyOf(backing types.BaseVirtualDeviceBackingInfo) string {
	if dvs, ok := backing.(*types.VirtualEthernetCardDistributedVirtualPortBackingInfo); ok {
		return dvs.Port.PortKey
	}
	return ""
}

// plug gives the adapter what its backing names: a port of the port group, or a port group of the host. A mirrored port
// (`was`) can't go to a promiscuous port group.
func (vm *VM) plug(card *types.VirtualEthernetCard, was string) types.BaseMethodFault {
	switch backing := card.Backing.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		if vm.world.hostNetworks[*vm.Runtime.Host].group(backing.DeviceName) < 0 {
			return &types.NotFound{}
		}
		return nil
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		s := vm.world.switchOf(backing.Port.SwitchUuid)
		group := vm.world.groups[backing.Port.PortgroupKey]
		if s == nil || group == nil {
			return &types.NotFound{}
		}
		if p := s.ports[was]; p != nil && p.group != group.Key && group.promiscuous() && s.mirrored(was) {
			return &types.VspanPortMoveFault{
				SrcPortgroupName: vm.world.groups[p.group].Name, DestPortgroupName: group.Name, PortKey: was,
			}
		}
		plug := *backing
		if p := s.ports[was]; p != nil && p.group == group.Key {
			plug.Port.PortKey = was
		} else {
			plug.Port.PortKey = s.addPort(group.Key, vmVnic, strconv.Itoa(int(card.Key)), card.MacAddress, vm.Self).key
		}
		card.Backing = &plug
		return nil
	}
	return &types.InvalidDeviceSpec{}
}
