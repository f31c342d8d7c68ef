package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// foreignSession adds a mirroring session as another administrator would, with no source that anybody has: it moves the
// configVersion. The name is of no use to anybody but a test.
func (w *World) foreignSession(name string) {
	for _, s := range w.switches {
		if name == "" {
			name = fmt.Sprintf("foreign-%d", s.nextSession)
		}
		session := types.VMwareVspanSession{
			Key: strconv.Itoa(s.nextSession), Name: name, SessionType: encapRemote, NormalTrafficAllowed: true,
			DestinationPort: &types.VMwareVspanPort{IpAddress: []string{"198.51.100.1"}},
		}
		s.nextSession++
		s.put(append(append([]types.VMwareVspanSession{}, s.info().VspanSession...), session))
	}
}

// Order to the world: what happens there without a client of the API.
type Order struct {
	// rule (of DRS, named Name: disabled, or gone where On), host_group (of DRS, named Name, of all hosts),
	// balance (DRS looks again whether the rules are kept),
	// adapter (of the VM, with the MAC Key, on the port group
	// Name of its host), port_group (Name on Host: On is its promiscuous mode, Vlan its VLAN), lose_group (Name on
	// Host, whoever uses it), foreign_session, put_session, guest_address (Name is it), remove_session, plug, unplug,
	// port_traffic, port_promiscuous, migrate, hold_tasks, fail_task, clear_rules, expire_sessions, restart, down
	Do   string `json:"do"`
	Name string `json:"name"` // Of the session; *: of each
	Key  string `json:"key"`  // Of the session, or the port
	VM   string `json:"vm"`   // Its name
	Host string `json:"host"` // Its name
	On   bool   `json:"on"`   // port_promiscuous, port_group, hold_tasks, down
	Vlan int32  `json:"vlan"` // port_group
	// put_session: in place of that of its name, where there is one.
	Session types.VMwareVspanSession `json:"session"`
	Packets int64                    `json:"packets"` // More of them
	DownMs  int                      `json:"down_ms"` // restart: so long no answer
}

func (f *Front) vm(name string) *VM {
	for _, obj := range simulator.Map.All("VirtualMachine") {
		if vm, ok := obj.(*VM); ok && vm.Name == name {
			return vm
		}
	}
	return nil
}

// putNamed as an administrator would: in place of the session of its name, or beside all others.
func (s *Switch) putNamed(session types.VMwareVspanSession) {
	sessions := append([]types.VMwareVspanSession{}, s.info().VspanSession...)
	for i := range sessions {
		if sessions[i].Name == session.Name {
			session.Key = sessions[i].Key
			sessions[i] = session
			s.put(sessions)
			return
		}
	}
	session.Key = strconv.Itoa(s.nextSession)
	s.nextSession++
	s.put(append(sessions, session))
}

// replug gives a VM an adapter at the port of that key, or takes it away.
func (f *Front) replug(order Order) error {
	w, vm := f.world, f.vm(order.VM)
	if vm == nil {
		return fmt.Errorf("no VM %q", order.VM)
	}
	s := w.switches[0]
	var devices []types.BaseVirtualDevice
	highest := int32(3999)
	for _, device := range vm.Config.Hardware.Device {
		card, ok := device.(types.BaseVirtualEthernetCard)
		if ok && portKeyOf(card.GetVirtualEthernetCard().Backing) == order.Key {
			continue
		}
		if ok && card.GetVirtualEthernetCard().Key > highest {
			highest = card.GetVirtualEthernetCard().Key
		}
		devices = append(devices, device)
	}
	if p := s.ports[order.Key]; p != nil {
		p.kind = ""
	}
	if order.Do == "plug" {
		card := &types.VirtualVmxnet3{}
		card.Key, card.ControllerKey = highest+1, 100
		card.MacAddress, card.AddressType = w.newMac(), "assigned"
		card.DeviceInfo = &types.Description{Label: fmt.Sprintf("Network adapter %d", card.Key-3999)}
		card.Connectable = &types.VirtualDeviceConnectInfo{Connected: true, StartConnected: true}
		p := s.addPort(w.groupNamed("DVPG0").Key, vmVnic, strconv.Itoa(int(card.Key)), card.MacAddress, vm.Self)
		delete(s.ports, p.key)
		p.key = order.Key
		s.ports[p.key] = p
		card.Backing = &types.VirtualEthernetCardDistributedVirtualPortBackingInfo{Port: w.connection(s, p)}
		devices = append(devices, card)
	}
	vm.setDevices(devices)
	return nil
}

// adapter on a port group of a standard switch.
func (f *Front) adapter(order Order) error {
	vm := f.vm(order.VM)
	if vm == nil {
		return fmt.Errorf("no VM %q", order.VM)
	}
	card := &types.VirtualVmxnet3{}
	card.MacAddress, card.AddressType = order.Key, "assigned"
	card.Connectable = &types.VirtualDeviceConnectInfo{Connected: true, StartConnected: true}
	card.Backing = &types.VirtualEthernetCardNetworkBackingInfo{
		VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: order.Name},
	}
	spec := &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: card}
	if fault := vm.changeCard(0, spec); fault != nil {
		return fmt.Errorf("%T", fault)
	}
	return nil
}

// obeyOrder is called with the world locked.
func (f *Front) obeyOrder(order Order) error {
	w := f.world
	switch order.Do {
	case "foreign_session":
		w.foreignSession(order.Name)
	case "put_session":
		for _, s := range w.switches {
			s.putNamed(order.Session)
		}
	case "remove_session":
		for _, s := range w.switches {
			var left []types.VMwareVspanSession
			for _, session := range s.info().VspanSession {
				if session.Key != order.Key && (order.Name == "" || (session.Name != order.Name && order.Name != "*")) {
					left = append(left, session)
				}
			}
			s.put(left)
		}
	case "rule":
		for _, obj := range simulator.Map.All("ClusterComputeResource") {
			obj.(*Cluster).editByHand(order.Name, order.On)
		}
	case "balance":
		for _, obj := range simulator.Map.All("ClusterComputeResource") {
			obj.(*Cluster).keepTogether()
		}
	case "host_group":
		for _, obj := range simulator.Map.All("ClusterComputeResource") {
			obj.(*Cluster).groupByHand(order.Name)
		}
	case "lose_group":
		for _, host := range sortedHosts() {
			network := w.hostNetworks[host.Self]
			if i := network.group(order.Name); host.Name == order.Host && i >= 0 {
				network.NetworkInfo.Portgroup = append(network.NetworkInfo.Portgroup[:i], network.NetworkInfo.Portgroup[i+1:]...)
				network.publish()
			}
		}
	case "adapter":
		return f.adapter(order)
	case "port_group":
		for _, host := range sortedHosts() {
			network := w.hostNetworks[host.Self]
			if i := network.group(order.Name); host.Name == order.Host && i >= 0 {
				network.NetworkInfo.Portgroup[i].Spec.VlanId = order.Vlan
				network.NetworkInfo.Portgroup[i].Spec.Policy.Security = &types.HostNetworkSecurityPolicy{
					AllowPromiscuous: types.NewBool(order.On), ForgedTransmits: types.NewBool(false),
				}
				network.publish()
				return nil
			}
		}
		return fmt.Errorf("no port group %q on %q", order.Name, order.Host)
	case "guest_address":
		vm := f.vm(order.VM)
		if vm == nil {
			return fmt.Errorf("no VM %q", order.VM)
		}
		var net []types.GuestNicInfo
		for _, card := range vm.cards() {
			net = append(net, types.GuestNicInfo{IpAddress: []string{order.Name}, Connected: true,
				DeviceConfigId: card.GetVirtualEthernetCard().Key})
		}
		simulator.Map.Update(vm, []types.PropertyChange{{Name: "guest.net", Val: net}})
	case "plug", "unplug":
		return f.replug(order)
	case "clear_rules":
		f.mu.Lock()
		f.rules = nil
		f.mu.Unlock()
	case "hold_tasks":
		w.held = order.On
	case "fail_task":
		w.failing = &types.ResourceInUse{Name: "a task that was to fail"}
	case "port_traffic", "port_promiscuous":
		for _, s := range w.switches {
			p, ok := s.ports[order.Key]
			if !ok {
				return fmt.Errorf("no port %q", order.Key)
			}
			if order.Do == "port_traffic" {
				p.counted += order.Packets
			} else {
				p.promiscuous = types.NewBool(order.On)
			}
		}
	case "migrate":
		vm := f.vm(order.VM)
		for _, host := range sortedHosts() {
			if vm != nil && host.Name == order.Host {
				if fault := vm.move(host.Self); fault != nil {
					return fmt.Errorf("%T", fault)
				}
				return nil
			}
		}
		return fmt.Errorf("no VM %q or no host %q", order.VM, order.Host)
	case "expire_sessions":
		f.dropSessions(nil)
	case "restart":
		f.dropSessions(nil)
		f.mu.Lock()
		f.down = time.Now().Add(time.Duration(order.DownMs) * time.Millisecond)
		f.mu.Unlock()
	case "down":
		f.dropSessions(nil)
		f.mu.Lock()
		f.down = time.Time{}
		if order.On {
			f.down = time.Now().Add(24 * time.Hour)
		}
		f.mu.Unlock()
	default:
		return fmt.Errorf("what is %q?", order.Do)
	}
	return nil
}

// State that a test compares with what a client made of it.
type State struct {
	Rules    []types.BaseClusterRuleInfo `json:"rules"` // Of all clusters, as the next.
	Groups   []GroupState                `json:"groups"`
	Switches []SwitchState               `json:"switches"`
	Hosts    []HostState                 `json:"hosts"`
	VMs      []VMState                   `json:"vms"`
}

// GroupState of a group of machines or of hosts, by their names.
type GroupState struct {
	Name    string   `json:"name"`
	Hosts   bool     `json:"hosts"`
	Members []string `json:"members"`
}

func groupState(group types.BaseClusterGroupInfo) GroupState {
	out := GroupState{Name: group.GetClusterGroupInfo().Name}
	var refs []types.ManagedObjectReference
	switch is := group.(type) {
	case *types.ClusterHostGroup:
		out.Hosts, refs = true, is.Host
	case *types.ClusterVmGroup:
		refs = is.Vm
	}
	for _, ref := range refs {
		out.Members = append(out.Members, simulator.Map.Get(ref).(mo.Entity).Entity().Name)
	}
	return out
}

// SwitchState of a distributed switch.
type SwitchState struct {
	Name          string                     `json:"name"`
	ConfigVersion string                     `json:"config_version"`
	Sessions      []types.VMwareVspanSession `json:"sessions"`
	Ports         []PortState                `json:"ports"`
}

// PortState of a port.
type PortState struct {
	Key         string `json:"key"`
	Group       string `json:"group"`
	Kind        string `json:"kind"`
	Promiscuous bool   `json:"promiscuous"`
}

// HostState of a host's standard switches.
type HostState struct {
	Name   string                    `json:"name"`
	Groups []types.HostPortGroupSpec `json:"port_groups"`
	RPF    interface{}               `json:"reverse_path_check"`
	Twice  []string                  `json:"twice"` // Port groups that get broadcasts from each uplink.
}

// VMState of a VM.
type VMState struct {
	Name  string   `json:"name"`
	Host  string   `json:"host"`
	On    bool     `json:"on"`
	Nets  []string `json:"nets"`  // Port groups of standard switches that its adapters are on; "" for others.
	Ports []string `json:"ports"` // Keys of its adapters' ports; "" where an adapter has none.
	Macs  []string `json:"macs"`  // Of its adapters.
}

func (f *Front) state() State {
	var out State
	hosts := make(map[types.ManagedObjectReference]string)
	for _, obj := range simulator.Map.All("ClusterComputeResource") {
		if cluster, ok := obj.(*Cluster); ok {
			out.Rules = append(out.Rules, cluster.config().Rule...)
			for _, group := range cluster.config().Group {
				out.Groups = append(out.Groups, groupState(group))
			}
		}
	}
	for _, s := range f.world.switches {
		one := SwitchState{Name: s.Name, ConfigVersion: s.info().ConfigVersion, Sessions: s.info().VspanSession}
		for _, p := range s.sortedPorts() {
			one.Ports = append(one.Ports, PortState{p.key, f.world.groups[p.group].Name, p.kind, s.isPromiscuous(p)})
		}
		out.Switches = append(out.Switches, one)
	}
	for _, host := range sortedHosts() {
		hosts[host.Self] = host.Name
		one := HostState{Name: host.Name}
		if network, ok := f.world.hostNetworks[host.Self]; ok {
			for _, group := range network.NetworkInfo.Portgroup {
				one.Groups = append(one.Groups, group.Spec)
			}
			one.RPF, one.Twice = network.option(), network.twice()
		}
		out.Hosts = append(out.Hosts, one)
	}
	for _, vm := range f.world.sortedVMs() {
		one := VMState{Name: vm.Name, Host: hosts[*vm.Runtime.Host],
			On: vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn}
		for _, card := range vm.cards() {
			one.Ports = append(one.Ports, portKeyOf(card.GetVirtualEthernetCard().Backing))
			one.Macs = append(one.Macs, card.GetVirtualEthernetCard().MacAddress)
			net := ""
			if backing, ok := card.GetVirtualEthernetCard().Backing.(*types.VirtualEthernetCardNetworkBackingInfo); ok {
				net = backing.DeviceName
			}
			one.Nets = append(one.Nets, net)
		}
		out.VMs = append(out.VMs, one)
	}
	return out
}

// control is the endpoint for tests, on loopback, without TLS:
//
//	GET /log            the calls; DELETE: empties it
//	GET /state          what is, apart from the API
//	POST /rules         a rule, or an array of them, to those that are there; DELETE: none
//	GET /fired          how many of the rules have made something of a call
//	POST /orders        an order: something happens
func (f *Front) control() http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, value interface{}) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value)
	}
	mux.HandleFunc("/log", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if r.Method == http.MethodDelete {
			f.calls = nil
		}
		answer(w, append([]Call{}, f.calls...))
	})
	mux.HandleFunc("/state", func(w http.ResponseWriter, r *http.Request) {
		f.world.mu.Lock()
		defer f.world.mu.Unlock()
		answer(w, f.state())
	})
	mux.HandleFunc("/rules", func(w http.ResponseWriter, r *http.Request) {
		var rules []*Rule
		if r.Method == http.MethodPost {
			if err := json.NewDecoder(r.Body).Decode(&rules); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		for _, rule := range rules {
			if err := rule.check(); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if r.Method == http.MethodDelete {
			f.rules = nil
		}
		f.rules = append(f.rules, rules...)
		answer(w, len(f.rules))
	})
	mux.HandleFunc("/fired", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		fired := 0
		for _, rule := range f.rules {
			if rule.seen >= rule.Nth {
				fired++
			}
		}
		answer(w, fired)
	})
	mux.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		var order Order
		err := json.NewDecoder(r.Body).Decode(&order)
		if err == nil {
			f.world.mu.Lock()
			defer f.world.mu.Unlock()
			err = f.obeyOrder(order)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer(w, "done")
	})
	return mux
}

func (rule *Rule) check() error {
	if rule.Nth == 0 {
		rule.Nth = 1
	}
	if rule.Times == 0 {
		rule.Times = 1
	}
	if rule.Method == "" {
		return fmt.Errorf("the rule has no method")
	}
	switch rule.How {
	case "fault", "task", "task_done":
		_, err := makeFault(rule.Fault, rule.Fields)
		return err
	case "status":
		if rule.Status < 100 || rule.Status > 599 {
			return fmt.Errorf("status %d", rule.Status)
		}
		return nil
	case "cut", "cut_after", "expire", "other_edit", "task_ignored":
		return nil
	}
	return fmt.Errorf("what is %q?", rule.How)
}
