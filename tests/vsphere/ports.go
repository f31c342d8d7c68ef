package main

import (
	"sort"
	"strconv"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// What is connected to a port, as DistributedVirtualSwitchPortConnectee.type has it.
const (
	vmVnic      = "vmVnic"
	hostVmkVnic = "hostVmkVnic"
	pnic        = "pnic"
)

// A port of the distributed switch. `counted` moves by itself; FetchDVPorts shows `shown`, which RefreshDVPortState
// brings up to date, as on the real one.
type port struct {
	key, group  string // Port key, and the port group's.
	kind        string // vmVnic, hostVmkVnic, pnic, or "": nothing is connected.
	entity      *types.ManagedObjectReference
	nic         string // Device key of the adapter, or vmk0, vmnic0.
	mac         string
	promiscuous *bool // The port's own setting; nil: its port group's.
	counted     int64
	shown       int64
}

func (s *Switch) addPort(group, kind, nic, mac string, entity types.ManagedObjectReference) *port {
	p := &port{key: strconv.Itoa(s.nextPort), group: group, kind: kind, entity: &entity, nic: nic, mac: mac}
	s.nextPort++
	s.ports[p.key] = p
	return p
}

// host that the port is on: the VM's, or the one whose adapter is connected; nil where nothing is.
func (p *port) host() *types.ManagedObjectReference {
	switch {
	case p.kind == vmVnic:
		if vm, ok := simulator.Map.Get(*p.entity).(*VM); ok {
			return vm.Runtime.Host
		}
		return nil
	case p.kind != "":
		return p.entity
	}
	return nil
}

func (p *port) linkUp() bool {
	if p.kind == vmVnic {
		vm, ok := simulator.Map.Get(*p.entity).(*VM)
		return ok && vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn
	}
	return p.kind != ""
}

func (s *Switch) isPromiscuous(p *port) bool {
	if p.promiscuous != nil {
		return *p.promiscuous
	}
	group, ok := s.world.groups[p.group]
	return ok && group.promiscuous()
}

// view of the port as the API shows it.
func (s *Switch) view(p *port) types.DistributedVirtualPort {
	security := &types.DVSSecurityPolicy{
		InheritablePolicy: types.InheritablePolicy{Inherited: p.promiscuous == nil},
		AllowPromiscuous: &types.BoolPolicy{
			InheritablePolicy: types.InheritablePolicy{Inherited: p.promiscuous == nil},
			Value:             types.NewBool(s.isPromiscuous(p)),
		},
	}
	out := types.DistributedVirtualPort{
		Key:          p.key,
		DvsUuid:      s.Uuid,
		PortgroupKey: p.group,
		ProxyHost:    p.host(),
		Config: types.DVPortConfigInfo{
			ConfigVersion: "0",
			Setting:       &types.VMwareDVSPortSetting{SecurityPolicy: security},
		},
		State: &types.DVPortState{
			RuntimeInfo: &types.DVPortStatus{LinkUp: p.linkUp(), MacAddress: p.mac},
			Stats:       types.DistributedVirtualSwitchPortStatistics{PacketsInUnicast: p.shown, PacketsOutUnicast: p.shown},
		},
	}
	if p.kind != "" {
		out.Connectee = &types.DistributedVirtualSwitchPortConnectee{ConnectedEntity: p.entity, NicKey: p.nic, Type: p.kind}
	}
	return out
}

func holds(list []string, one string) bool {
	for _, each := range list {
		if each == one {
			return true
		}
	}
	return false
}

func differs(wanted *bool, is bool) bool { return wanted != nil && *wanted != is }

// meets says whether the port is what the criteria ask for; a criterion that isn't given asks nothing.
func (s *Switch) meets(p *port, c *types.DistributedVirtualSwitchPortCriteria) bool {
	if c == nil {
		return true
	}
	group := s.world.groups[p.group]
	if differs(c.Connected, p.kind != "") || differs(c.Active, p.linkUp()) || differs(c.UplinkPort, p.kind == pnic) ||
		differs(c.NsxPort, group != nil && group.Config.BackingType == "nsx") {
		return false
	}
	if len(c.PortgroupKey) != 0 && holds(c.PortgroupKey, p.group) != (c.Inside == nil || *c.Inside) {
		return false
	}
	if len(c.PortKey) != 0 && !holds(c.PortKey, p.key) {
		return false
	}
	if len(c.Host) == 0 {
		return true
	}
	for _, host := range c.Host {
		if on := p.host(); on != nil && *on == host {
			return true
		}
	}
	return false
}

func (s *Switch) sortedPorts() []*port {
	var out []*port
	for _, p := range s.ports {
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool {
		a, _ := strconv.Atoi(out[i].key)
		b, _ := strconv.Atoi(out[j].key)
		return a < b
	})
	return out
}

// FetchDVPorts filters by its criteria, which the embedded one does not.
func (s *Switch) FetchDVPorts(req *types.FetchDVPorts) soap.HasFault {
	res := new(types.FetchDVPortsResponse)
	for _, p := range s.sortedPorts() {
		if s.meets(p, req.Criteria) {
			res.Returnval = append(res.Returnval, s.view(p))
		}
	}
	return &methods.FetchDVPortsBody{Res: res}
}

// RefreshDVPortState makes the counters of the ports those of now.
func (s *Switch) RefreshDVPortState(req *types.RefreshDVPortState) soap.HasFault {
	body := new(methods.RefreshDVPortStateBody)
	for _, key := range req.PortKeys {
		p, ok := s.ports[key]
		if !ok {
			body.Fault_ = simulator.Fault("no port "+key, &types.NotFound{})
			return body
		}
		p.shown = p.counted
	}
	if len(req.PortKeys) == 0 {
		for _, p := range s.ports {
			p.shown = p.counted
		}
	}
	body.Res = new(types.RefreshDVPortStateResponse)
	return body
}

// ReconfigureDVPortTask sets a port's own promiscuous mode: a mirrored port can't get it.
func (s *Switch) ReconfigureDVPortTask(req *types.ReconfigureDVPort_Task) soap.HasFault {
	run := func() types.BaseMethodFault {
		for _, spec := range req.Port {
			p, ok := s.ports[spec.Key]
			if !ok {
				return &types.NotFound{}
			}
			if spec.Operation != string(types.ConfigSpecOperationEdit) {
				return &types.InvalidArgument{InvalidProperty: "port.operation"}
			}
			setting, ok := spec.Setting.(*types.VMwareDVSPortSetting)
			if !ok || setting.SecurityPolicy == nil || setting.SecurityPolicy.AllowPromiscuous == nil {
				continue
			}
			wanted := setting.SecurityPolicy.AllowPromiscuous
			if wanted.Inherited {
				p.promiscuous = nil
				continue
			}
			if wanted.Value != nil && *wanted.Value && s.mirrored(p.key) {
				return &types.VspanPortPromiscChangeFault{PortKey: p.key}
			}
			p.promiscuous = wanted.Value
		}
		return nil
	}
	return &methods.ReconfigureDVPort_TaskBody{
		Res: &types.ReconfigureDVPort_TaskResponse{Returnval: s.world.task(s, "reconfigureDvPortTask", run)},
	}
}

// Portgroup of the distributed switch: what is mirrored keeps it from promiscuous mode and from another binding.
type Portgroup struct {
	simulator.DistributedVirtualPortgroup
	world *World
}

func (g *Portgroup) promiscuous() bool {
	setting, ok := g.Config.DefaultPortConfig.(*types.VMwareDVSPortSetting)
	if !ok || setting.SecurityPolicy == nil || setting.SecurityPolicy.AllowPromiscuous == nil {
		return false
	}
	value := setting.SecurityPolicy.AllowPromiscuous.Value
	return value != nil && *value
}

// mirrored says whether a port of the group is a transmitted source or a destination of a session.
func (g *Portgroup) mirrored() bool {
	for _, s := range g.world.switches {
		for _, p := range s.ports {
			if p.group == g.Key && s.mirrored(p.key) {
				return true
			}
		}
	}
	return false
}

// ReconfigureDVPortgroupTask changes what the specification names, and leaves the rest, unlike the embedded one.
func (g *Portgroup) ReconfigureDVPortgroupTask(req *types.ReconfigureDVPortgroup_Task) soap.HasFault {
	run := func() types.BaseMethodFault {
		config := g.Config
		if req.Spec.Type != "" && req.Spec.Type != config.Type {
			if req.Spec.Type == string(types.DistributedVirtualPortgroupPortgroupTypeEphemeral) && g.mirrored() {
				return &types.VspanPortgroupTypeChangeFault{PortgroupName: g.Name}
			}
			config.Type = req.Spec.Type
		}
		if req.Spec.DefaultPortConfig != nil {
			old := g.Config.DefaultPortConfig
			g.Config.DefaultPortConfig = req.Spec.DefaultPortConfig
			if g.promiscuous() && g.mirrored() {
				g.Config.DefaultPortConfig = old
				return &types.VspanPortgroupPromiscChangeFault{PortgroupName: g.Name}
			}
			config.DefaultPortConfig = req.Spec.DefaultPortConfig
		}
		simulator.Map.Update(g, []types.PropertyChange{{Name: "config", Val: config}})
		return nil
	}
	return &methods.ReconfigureDVPortgroup_TaskBody{
		Res: &types.ReconfigureDVPortgroup_TaskResponse{Returnval: g.world.task(g, "reconfigureDvPortgroupTask", run)},
	}
}
