package main

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// Shape of the inventory that is made, and what the switch is to be like.
type Shape struct {
	ESX        bool // One ESXi host without vCenter.
	Plain      bool // The simulator as Debian has it: it takes mirroring sessions and ignores them.
	Hosts, VMs int
	// Of the VMs, taken from the first one on: so many on a standard switch, on an NSX network, on an ephemeral port
	// group, without an adapter.
	Standard, Opaque, Ephemeral, Bare int
	TaskDelay                         time.Duration // How long a task takes.
	Switch                            string        // Another name for the distributed switch.
	Names                             []string      // Of the VMs.
	EditMerges                        bool          // An edit of a session leaves what it doesn't name.
	Teamed                            bool          // The standard switches have two uplinks.
	Deny                              []string      // Capabilities that the switch lacks: dvport, remoteSource, ...
}

// World is the simulated vCenter, or ESXi. `mu` is held by whoever changes it: a call, a task, the control endpoint.
type World struct {
	mu            sync.Mutex
	options       Shape
	service       *simulator.Service
	remove        func()
	switches      []*Switch
	groups        map[string]*Portgroup // By key.
	hostNetworks  map[types.ManagedObjectReference]*HostNetwork
	networkFolder *simulator.Folder
	lastValue     int
	lastMac       int
	late          *Late                 // What becomes of the next task: set by the call that makes it.
	held          bool                  // No task ends.
	failing       types.BaseMethodFault // Of the task that ends next.
	cookies       int
}

// Late is a task's fault: instead of what it should have done, or after it.
type Late struct {
	Fault types.BaseMethodFault
	Done  bool
}

// heldPause between looks whether tasks may end again.
const heldPause = 2 * time.Millisecond

// task runs later, as vCenter's do: the caller gets its reference at once.
func (w *World) task(obj mo.Reference, name string, run func() types.BaseMethodFault) types.ManagedObjectReference {
	late := w.late
	w.late = nil
	task := simulator.CreateTask(obj, name, func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		if late != nil && !late.Done {
			return nil, late.Fault
		}
		if fault := w.failing; fault != nil {
			w.failing = nil
			return nil, fault
		}
		if fault := run(); fault != nil {
			return nil, fault
		}
		if late != nil {
			return nil, late.Fault
		}
		return nil, nil
	})
	go func() {
		time.Sleep(w.options.TaskDelay)
		w.mu.Lock()
		for w.held {
			w.mu.Unlock()
			time.Sleep(heldPause)
			w.mu.Lock()
		}
		defer w.mu.Unlock()
		task.Run()
	}()
	return task.Self
}

func (w *World) newValue(kind string) string {
	w.lastValue++
	return fmt.Sprintf("%s-x%d", kind, w.lastValue)
}

func (w *World) newMac() string {
	w.lastMac++
	return fmt.Sprintf("00:50:56:%02x:%02x:%02x", w.lastMac>>16&0x3f, w.lastMac>>8&0xff, w.lastMac&0xff)
}

// event is posted as a client of the simulator in this process would.
func (w *World) event(e types.BaseEvent) {
	client, err := vim25.NewClient(context.Background(), w.service)
	if err == nil {
		_, _ = methods.PostEvent(context.Background(), client, &types.PostEvent{
			This: *client.ServiceContent.EventManager, EventToPost: e,
		})
	}
}

func (w *World) switchOf(uuid string) *Switch {
	for _, s := range w.switches {
		if s.Uuid == uuid {
			return s
		}
	}
	return nil
}

// number at the end of a name: DC0_C0_RP0_VM12 comes after DC0_C0_RP0_VM9.
func number(name string) int {
	i := len(name)
	for i > 0 && name[i-1] >= '0' && name[i-1] <= '9' {
		i--
	}
	n, _ := strconv.Atoi(name[i:])
	return n
}

func (w *World) sortedVMs() []*VM {
	var out []*VM
	for _, obj := range simulator.Map.All("VirtualMachine") {
		if vm, ok := obj.(*VM); ok {
			out = append(out, vm)
		}
	}
	sort.Slice(out, func(i, j int) bool { return number(out[i].Name) < number(out[j].Name) })
	return out
}

func sortedHosts() []*simulator.HostSystem {
	var out []*simulator.HostSystem
	for _, obj := range simulator.Map.All("HostSystem") {
		out = append(out, obj.(*simulator.HostSystem))
	}
	sort.Slice(out, func(i, j int) bool { return number(out[i].Name) < number(out[j].Name) })
	return out
}

// build makes the inventory. There is one at a time: the simulator's registry is a global.
func build(shape Shape) (*World, error) {
	model := simulator.VPX()
	if shape.ESX {
		model = simulator.ESX()
	} else {
		model.Host, model.Cluster, model.ClusterHost = 0, 1, shape.Hosts
		model.Portgroup, model.OpaqueNetwork = 2, 1
		if !shape.Plain {
			model.PortgroupNSX = 1
		}
	}
	model.Machine = shape.VMs
	if err := model.Create(); err != nil {
		model.Remove()
		return nil, err
	}
	w := &World{options: shape, service: model.Service, remove: model.Remove, groups: make(map[string]*Portgroup),
		hostNetworks: make(map[types.ManagedObjectReference]*HostNetwork)}
	if !shape.Plain {
		w.extend()
	}
	return w, nil
}

// extend replaces the simulator's objects by ours, which embed them.
func (w *World) extend() {
	for _, obj := range simulator.Map.All("Folder") {
		if folder, ok := obj.(*simulator.Folder); ok && folder.Name == "network" {
			w.networkFolder = folder
		}
	}
	repairEvents()
	for _, obj := range simulator.Map.All("ClusterComputeResource") {
		simulator.Map.Put(&Cluster{ClusterComputeResource: *obj.(*simulator.ClusterComputeResource), world: w})
	}
	hosts := sortedHosts()
	for _, host := range hosts {
		w.extendHost(host)
	}
	for _, obj := range simulator.Map.All("DistributedVirtualSwitch") {
		w.extendSwitch(obj.(*simulator.DistributedVirtualSwitch), hosts)
	}
	for _, obj := range simulator.Map.All("VirtualMachine") {
		simulator.Map.Put(&VM{VirtualMachine: *obj.(*simulator.VirtualMachine), world: w})
	}
	for _, host := range hosts {
		host.Vm = nil
	}
	for i, vm := range w.sortedVMs() {
		w.place(i, vm, hosts[i%len(hosts)])
	}
}

// repairEvents: the simulator's text for a migration is no template that Go reads, and it panics.
func repairEvents() {
	manager := simulator.Map.EventManager()
	manager.Description.EventInfo = append([]types.EventDescriptionEventDetail{}, manager.Description.EventInfo...)
	for i := range manager.Description.EventInfo {
		if info := &manager.Description.EventInfo[i]; info.Key == "VmMigratedEvent" {
			info.FullFormat = "Migration of virtual machine {{.Vm.Name}} from {{.SourceHost.Name}} to {{.Host.Name}} completed"
		}
	}
}

func (w *World) extendHost(host *simulator.HostSystem) {
	old := simulator.Map.Get(*host.ConfigManager.NetworkSystem).(*simulator.HostNetworkSystem)
	network := &HostNetwork{HostNetworkSystem: *old, world: w, host: host, promiscuous: make(map[string]bool)}
	// The embedded one has names where the API has keys, and no specification.
	network.NetworkInfo = &types.HostNetworkInfo{
		Vswitch:   append([]types.HostVirtualSwitch{}, host.Config.Network.Vswitch...),
		Portgroup: append([]types.HostPortGroup{}, host.Config.Network.Portgroup...),
		Vnic:      host.Config.Network.Vnic,
		Pnic:      host.Config.Network.Pnic,
	}
	if w.options.Teamed {
		network.NetworkInfo.Vswitch[0].Pnic = []string{"key-vim.host.PhysicalNic-vmnic0", "key-vim.host.PhysicalNic-vmnic2"}
	}
	w.hostNetworks[host.Self] = network
	simulator.Map.Put(network)
	settings := simulator.Map.Get(*host.ConfigManager.AdvancedOption).(*simulator.OptionManager)
	options := &Options{OptionManager: *settings}
	options.Setting = nil
	for _, setting := range esx.Setting { // One list for all hosts there.
		value := *setting.GetOptionValue()
		options.Setting = append(options.Setting, &value)
	}
	options.Setting = append(options.Setting, &types.OptionValue{Key: reversePath, Value: int64(0)})
	simulator.Map.Put(options)
	network.publish()
}

// extendSwitch makes it the kind that vCenter has, with ports for the hosts' adapters.
func (w *World) extendSwitch(old *simulator.DistributedVirtualSwitch, hosts []*simulator.HostSystem) {
	s := &Switch{world: w, ports: make(map[string]*port), nextSession: 1}
	s.DistributedVirtualSwitch = old.DistributedVirtualSwitch
	was := old.Self
	s.Self.Type = "VmwareDistributedVirtualSwitch"
	folder := w.networkFolder
	simulator.Map.Remove(was)
	simulator.Map.Put(s)
	children := append([]types.ManagedObjectReference{}, folder.ChildEntity...)
	for i := range children {
		if children[i] == was {
			children[i] = s.Self
		}
	}
	folder.ChildEntity = children

	info := *s.info()
	info.ConfigVersion = "1"
	info.UplinkPortPolicy = &types.DVSNameArrayUplinkPortPolicy{UplinkPortName: []string{"Uplink 1", "Uplink 2"}}
	info.MaxMtu = 1500
	for _, host := range hosts {
		info.Host = append(info.Host, types.DistributedVirtualSwitchHostMember{
			Config: types.DistributedVirtualSwitchHostMemberConfigInfo{Host: &host.Self}, Status: "up",
		})
	}
	s.Config = &info
	has := func(name string) bool { return !holds(w.options.Deny, name) }
	s.Capability = types.DVSCapability{
		DvsOperationSupported: types.NewBool(true),
		FeaturesSupported: &types.VMwareDVSFeatureCapability{
			VspanSupported: types.NewBool(true),
			VspanCapability: &types.VMwareDVSVspanCapability{
				MixedDestSupported: has("mixedDest"), DvportSupported: has("dvport"),
				RemoteSourceSupported: has("remoteSource"), RemoteDestSupported: has("remoteDest"),
				EncapRemoteSourceSupported: has("encapRemoteSource"),
			},
		},
	}
	if has("erspanProtocol") {
		s.vspan().ErspanProtocolSupported = types.NewBool(true)
	}
	if has("mirrorNetstack") {
		s.vspan().MirrorNetstackSupported = types.NewBool(true)
	}
	w.switches = append(w.switches, s)
	if w.options.Switch != "" {
		info.Name, s.Name = w.options.Switch, w.options.Switch
	}

	uplinks := ""
	for _, ref := range s.Portgroup {
		group := &Portgroup{DistributedVirtualPortgroup: *simulator.Map.Get(ref).(*simulator.DistributedVirtualPortgroup), world: w}
		group.Config.DistributedVirtualSwitch = &s.Self
		group.Config.Type = string(types.DistributedVirtualPortgroupPortgroupTypeEarlyBinding)
		switch {
		case strings.Contains(group.Name, "DVUplinks"):
			uplinks = group.Key
		case strings.HasSuffix(group.Name, "DVPG1"), group.Config.BackingType == "nsx":
			group.Config.Type = string(types.DistributedVirtualPortgroupPortgroupTypeEphemeral)
		}
		w.groups[group.Key] = group
		simulator.Map.Put(group)
	}
	info.UplinkPortgroup = []types.ManagedObjectReference{{Type: "DistributedVirtualPortgroup", Value: uplinks}}
	for _, host := range hosts {
		s.addPort(uplinks, pnic, "vmnic1", w.newMac(), host.Self)
		s.addPort(w.groupNamed("DVPG0").Key, hostVmkVnic, "vmk1", w.newMac(), host.Self)
	}
}

// groupNamed with that end of its name, which begins with the datacenter's.
func (w *World) groupNamed(end string) *Portgroup {
	for _, group := range w.groups {
		if strings.HasSuffix(group.Name, end) {
			return group
		}
	}
	return nil
}

// connection to the port, with a cookie of its own.
func (w *World) connection(s *Switch, p *port) types.DistributedVirtualSwitchPortConnection {
	w.cookies++
	return types.DistributedVirtualSwitchPortConnection{SwitchUuid: s.Uuid, PortgroupKey: p.group, PortKey: p.key,
		ConnectionCookie: int32(w.cookies)}
}

// place puts the VM on the host and gives it an adapter of its own: the model's VMs share one object.
func (w *World) place(i int, vm *VM, host *simulator.HostSystem) {
	host.Vm = append(host.Vm, vm.Self)
	if i < len(w.options.Names) {
		vm.Name, vm.Config.Name = w.options.Names[i], w.options.Names[i]
	}
	vm.Runtime.Host = &host.Self
	vm.Summary.Runtime.Host = &host.Self
	var devices []types.BaseVirtualDevice
	for _, device := range vm.Config.Hardware.Device {
		if _, ok := device.(types.BaseVirtualEthernetCard); !ok {
			devices = append(devices, device)
		}
	}
	o := w.options
	own := types.VirtualEthernetCard{MacAddress: w.newMac(), AddressType: "assigned"}
	own.Key = 4000
	own.ControllerKey = 100
	own.DeviceInfo = &types.Description{Label: "Network adapter 1"}
	own.Connectable = &types.VirtualDeviceConnectInfo{Connected: true, StartConnected: true}
	standard := types.VirtualEthernetCardNetworkBackingInfo{}
	standard.DeviceName = "VM Network"
	on := func(group *Portgroup) {
		s := w.switches[0]
		p := s.addPort(group.Key, vmVnic, "4000", own.MacAddress, vm.Self)
		own.Backing = &types.VirtualEthernetCardDistributedVirtualPortBackingInfo{
			Port: w.connection(s, p),
		}
	}
	switch {
	case len(w.switches) == 0 || i < o.Standard:
		own.Backing = &standard
	case i < o.Standard+o.Opaque:
		own.Backing = &types.VirtualEthernetCardOpaqueNetworkBackingInfo{OpaqueNetworkId: "opaque-1", OpaqueNetworkType: "nsx.LogicalSwitch"}
	case i < o.Standard+o.Opaque+o.Ephemeral:
		on(w.groupNamed("DVPG1"))
	case i < o.Standard+o.Opaque+o.Ephemeral+o.Bare:
		vm.Config.Hardware.Device = devices
		return
	default:
		on(w.groupNamed("DVPG0"))
	}
	var card types.BaseVirtualDevice
	if i%2 == 0 {
		nic := &types.VirtualVmxnet3{}
		nic.VirtualEthernetCard = own
		card = nic
	} else {
		nic := &types.VirtualE1000{}
		nic.VirtualEthernetCard = own
		card = nic
	}
	vm.Config.Hardware.Device = append(devices, card)
}
