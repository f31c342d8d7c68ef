package main

import (
	"io"
	"log"
	"os"
	"reflect"
	"testing"

	"github.com/vmware/govmomi/vim25/types"
)

var (
	world *World
	sw    *Switch
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	var err error
	if world, err = build(Shape{Hosts: 2, VMs: 6, Standard: 1}); err != nil {
		panic(err)
	}
	sw = world.switches[0]
	code := m.Run()
	world.remove()
	os.Exit(code)
}

// vmPort is the key of the nth VM's port, from 0.
func vmPort(n int) string {
	for _, p := range sw.sortedPorts() {
		if p.kind == vmVnic {
			if n == 0 {
				return p.key
			}
			n--
		}
	}
	panic("no such port")
}

func keys(list ...string) *types.VMwareVspanPort { return &types.VMwareVspanPort{PortKey: list} }

func encap(change func(*types.VMwareVspanSession)) types.VMwareVspanSession {
	session := types.VMwareVspanSession{
		Name: "s", Enabled: true, NormalTrafficAllowed: true, SessionType: encapRemote,
		SourcePortTransmitted: keys(vmPort(0)), SourcePortReceived: keys(vmPort(0)),
		DestinationPort: &types.VMwareVspanPort{IpAddress: []string{"192.0.2.9"}},
	}
	if change != nil {
		change(&session)
	}
	return session
}

func span(out, in, to *types.VMwareVspanPort) types.VMwareVspanSession {
	return encap(func(s *types.VMwareVspanSession) {
		s.SessionType, s.SourcePortTransmitted, s.SourcePortReceived, s.DestinationPort = dvPort, out, in, to
	})
}

func add(sessions ...types.VMwareVspanSession) []types.VMwareDVSVspanConfigSpec {
	var out []types.VMwareDVSVspanConfigSpec
	for _, session := range sessions {
		out = append(out, types.VMwareDVSVspanConfigSpec{VspanSession: session, Operation: "add"})
	}
	return out
}

// faultName is "" for none.
func faultName(fault types.BaseMethodFault) string {
	if fault == nil {
		return ""
	}
	return reflect.TypeOf(fault).Elem().Name()
}

func TestWhatASessionMayBe(t *testing.T) {
	a, b, c, d := vmPort(0), vmPort(1), vmPort(2), vmPort(3)
	with := func(change func(*types.VMwareVspanSession)) []types.VMwareVspanSession {
		return []types.VMwareVspanSession{encap(change)}
	}
	type S = types.VMwareVspanSession
	for _, one := range []struct {
		what     string
		sessions []S
		fault    string
	}{
		{"GRE", with(nil), ""},
		{"the longest ID", with(func(s *S) { s.EncapType, s.ErspanId = "erspan2", 0x3ff }), ""},
		{"an ID too long", with(func(s *S) { s.EncapType, s.ErspanId = "erspan2", 0x400 }), "InvalidArgument"},
		{"a negative ID", with(func(s *S) { s.ErspanId = -1 }), "InvalidArgument"},
		{"the shortest copy", with(func(s *S) { s.MirroredPacketLength = 60 }), ""},
		{"a copy too short", with(func(s *S) { s.MirroredPacketLength = 59 }), "InvalidArgument"},
		{"the rarest sample", with(func(s *S) { s.SamplingRate = 65535 }), ""},
		{"a sample too rare", with(func(s *S) { s.SamplingRate = 65536 }), "InvalidArgument"},
		{"an uplink as well", with(func(s *S) { s.DestinationPort.UplinkPortName = []string{"Uplink 1"} }), "InvalidArgument"},
		{"no type: mixed", []S{encap(func(s *S) { s.SessionType = "" })}, ""},
		{"wildcard", with(func(s *S) { s.SourcePortReceived.WildcardPortConnecteeType = []string{"vmVnic"} }), "InvalidArgument"},
		{"VLANs from nowhere", []S{{SessionType: remoteDst, DestinationPort: keys(d)}}, "InvalidArgument"},
		{"no destination", []S{span(keys(a), nil, nil)}, "InvalidArgument"},
		{"two sessions, one source", []S{span(keys(a), keys(a), keys(c)), span(keys(a), keys(a), keys(d))}, ""},
		{"two sessions, one destination", []S{span(keys(a), nil, keys(d)), span(keys(b), nil, keys(d))}, "VspanDestPortConflict"},
		{"a destination is a received source elsewhere", []S{span(keys(a), nil, keys(d)), span(nil, keys(d), keys(c))}, ""},
		{"a destination is a transmitted source elsewhere", []S{span(keys(a), nil, keys(d)), span(keys(d), nil, keys(c))}, "VspanPortConflict"},
		{"in one session", []S{span(keys(a, d), nil, keys(d))}, "VspanSameSessionPortConflict"},
		{"received in one session", []S{span(nil, keys(d), keys(d))}, "VspanSameSessionPortConflict"},
		{"a port that is not there", []S{span(keys("999"), nil, keys(d))}, "NotFound"},
	} {
		sessions, fault := sw.edit(add(one.sessions...))
		if faultName(fault) != one.fault {
			t.Errorf("%s: %q, not %q", one.what, faultName(fault), one.fault)
		}
		if fault == nil && len(sessions) != len(one.sessions) {
			t.Errorf("%s: %d sessions", one.what, len(sessions))
		}
		if fault == nil && sessions[0].SessionType == "" {
			t.Errorf("%s: the type stays unset", one.what)
		}
		if len(sw.info().VspanSession) != 0 {
			t.Fatalf("%s: a look has changed the switch", one.what)
		}
	}
}

func TestPromiscuousPorts(t *testing.T) {
	a, d := vmPort(0), vmPort(3)
	on := true
	for _, one := range []struct {
		what, port string
		session    types.VMwareVspanSession
		fault      string
	}{
		{"transmitted source", a, span(keys(a), nil, keys(d)), "VspanPromiscuousPortNotSupported"},
		{"received source", a, span(nil, keys(a), keys(d)), ""},
		{"destination", d, span(keys(a), nil, keys(d)), "VspanPromiscuousPortNotSupported"},
	} {
		sw.ports[one.port].promiscuous = &on
		if _, fault := sw.edit(add(one.session)); faultName(fault) != one.fault {
			t.Errorf("%s: %q, not %q", one.what, faultName(fault), one.fault)
		}
		sw.ports[one.port].promiscuous = nil
	}
}

func TestWhoMayWhat(t *testing.T) {
	role := func(privileges ...string) *Account { return &Account{Privileges: privileges} }
	vspan := &types.ReconfigureDvs_Task{Spec: &types.VMwareDVSConfigSpec{VspanConfigSpec: add(encap(nil))}}
	for _, one := range []struct {
		method  string
		body    types.AnyType
		account *Account
		lacks   string
	}{
		{"ReconfigureDvs_Task", vspan, role("DVSwitch.Modify", "DVSwitch.Vspan"), ""},
		{"ReconfigureDvs_Task", vspan, role("DVSwitch.Modify"), "DVSwitch.Vspan"},
		{"ReconfigureDvs_Task", vspan, role("DVSwitch.Vspan"), "DVSwitch.Modify"},
		{"UpdatePortGroup", nil, role(readRole...), "Host.Config.Network"},
		{"PowerOffVM_Task", nil, role(leastRole...), "(an administrator's) PowerOffVM_Task"},
		{"PowerOffVM_Task", nil, &Account{Admin: true}, ""},
		{"Login", nil, nil, ""},
	} {
		fault := refusal(one.account, one.method, sw.Self, one.body)
		got := ""
		if fault != nil {
			got = fault.(*types.NoPermission).PrivilegeId
		}
		if got != one.lacks {
			t.Errorf("%s: lacks %q, not %q", one.method, got, one.lacks)
		}
	}
	for _, method := range []string{"FetchDVPorts", "WaitForUpdatesEx", "UpdateOptions", "ReconfigVM_Task", "ReconfigureComputeResource_Task"} {
		if refusal(role(leastRole...), method, sw.Self, nil) != nil {
			t.Errorf("the least role may not %s", method)
		}
	}
}

func TestMacsPortsAndHostsAreSpread(t *testing.T) {
	seen := make(map[string]bool)
	hosts := make(map[types.ManagedObjectReference]int)
	for _, vm := range world.sortedVMs() {
		hosts[*vm.Runtime.Host]++
		for _, card := range vm.cards() {
			seen[card.GetVirtualEthernetCard().MacAddress] = true
		}
	}
	if len(seen) != 6 || len(hosts) != 2 {
		t.Errorf("%d MACs, %d hosts", len(seen), len(hosts))
	}
	for _, count := range hosts {
		if count != 3 {
			t.Errorf("%d VMs on a host", count)
		}
	}
}
