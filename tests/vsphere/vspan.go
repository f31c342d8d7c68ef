package main

import (
	"net"
	"strconv"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// Session types of VMwareVspanSession.
const (
	mixedDest   = "mixedDestMirror"
	dvPort      = "dvPortMirror"
	remoteSrc   = "remoteMirrorSource"
	remoteDst   = "remoteMirrorDest"
	encapRemote = "encapsulatedRemoteMirrorSource"
)

// Switch is the distributed switch with port-mirroring sessions, in place of the simulator's, which takes and ignores
// them and is no VmwareDistributedVirtualSwitch.
type Switch struct {
	mo.VmwareDistributedVirtualSwitch
	world       *World
	ports       map[string]*port
	nextPort    int
	nextSession int
}

func (s *Switch) info() *types.VMwareDVSConfigInfo { return s.Config.(*types.VMwareDVSConfigInfo) }

func (s *Switch) vspan() *types.VMwareDVSVspanCapability {
	return s.Capability.FeaturesSupported.(*types.VMwareDVSFeatureCapability).VspanCapability
}

// put makes the sessions the switch's, with a new configVersion.
func (s *Switch) put(sessions []types.VMwareVspanSession) {
	info := *s.info()
	version, _ := strconv.Atoi(info.ConfigVersion)
	info.ConfigVersion = strconv.Itoa(version + 1)
	info.VspanSession = sessions
	simulator.Map.Update(s, []types.PropertyChange{{Name: "config", Val: &info}})
}

// ReconfigureDvsTask changes mirroring sessions, all of the specification's or none. It changes nothing else of a switch.
func (s *Switch) ReconfigureDvsTask(req *types.ReconfigureDvs_Task) soap.HasFault {
	spec, ok := req.Spec.(*types.VMwareDVSConfigSpec)
	run := func() types.BaseMethodFault {
		if !ok || len(spec.VspanConfigSpec) == 0 {
			return &types.NotSupported{}
		}
		// Which specification is meant is said by its version: an old one is refused, and so is none.
		switch spec.ConfigVersion {
		case "":
			return &types.InvalidArgument{InvalidProperty: "spec.configVersion"}
		case s.info().ConfigVersion:
		default:
			return &types.ConcurrentAccess{}
		}
		sessions, fault := s.edit(spec.VspanConfigSpec)
		if fault == nil {
			s.put(sessions)
		}
		return fault
	}
	return &methods.ReconfigureDvs_TaskBody{
		Res: &types.ReconfigureDvs_TaskResponse{Returnval: s.world.task(s, "reconfigureDvsTask", run)},
	}
}

// edit gives the sessions as they would be.
func (s *Switch) edit(specs []types.VMwareDVSVspanConfigSpec) ([]types.VMwareVspanSession, types.BaseMethodFault) {
	sessions := append([]types.VMwareVspanSession{}, s.info().VspanSession...)
	at := func(key string) int {
		for i := range sessions {
			if sessions[i].Key == key {
				return i
			}
		}
		return -1
	}
	next := s.nextSession
	for _, spec := range specs {
		session := spec.VspanSession
		i := at(session.Key)
		switch types.ConfigSpecOperation(spec.Operation) {
		case types.ConfigSpecOperationAdd:
			session.Key = strconv.Itoa(next) // vCenter's, whatever was asked.
			next++
			sessions = append(sessions, session)
		case types.ConfigSpecOperationEdit:
			if i < 0 {
				return nil, &types.InvalidArgument{InvalidProperty: "spec.vspanConfigSpec.vspanSession.key"}
			}
			if s.world.options.EditMerges {
				session = merged(sessions[i], session)
			}
			sessions[i] = session
		case types.ConfigSpecOperationRemove:
			if i < 0 {
				return nil, &types.InvalidArgument{InvalidProperty: "spec.vspanConfigSpec.vspanSession.key"}
			}
			sessions = append(sessions[:i], sessions[i+1:]...)
			continue
		default:
			return nil, &types.InvalidArgument{InvalidProperty: "spec.vspanConfigSpec.operation"}
		}
		if fault := s.judge(&session); fault != nil {
			return nil, fault
		}
		if session.SessionType == "" {
			sessions[at(session.Key)].SessionType = mixedDest
		}
	}
	if fault := conflicts(sessions); fault != nil {
		return nil, fault
	}
	s.nextSession = next
	return sessions, nil
}

// merged is an edit that leaves what it doesn't name: whether vCenter does so is not known.
func merged(old, edit types.VMwareVspanSession) types.VMwareVspanSession {
	text := func(value *string, was string) {
		if *value == "" {
			*value = was
		}
	}
	number := func(value *int32, was int32) {
		if *value == 0 {
			*value = was
		}
	}
	ports := func(value **types.VMwareVspanPort, was *types.VMwareVspanPort) {
		if *value == nil {
			*value = was
		}
	}
	text(&edit.Name, old.Name)
	text(&edit.Description, old.Description)
	text(&edit.SessionType, old.SessionType)
	text(&edit.EncapType, old.EncapType)
	text(&edit.Netstack, old.Netstack)
	ports(&edit.SourcePortTransmitted, old.SourcePortTransmitted)
	ports(&edit.SourcePortReceived, old.SourcePortReceived)
	ports(&edit.DestinationPort, old.DestinationPort)
	number(&edit.EncapsulationVlanId, old.EncapsulationVlanId)
	number(&edit.MirroredPacketLength, old.MirroredPacketLength)
	number(&edit.SamplingRate, old.SamplingRate)
	number(&edit.ErspanId, old.ErspanId)
	number(&edit.ErspanCOS, old.ErspanCOS)
	if edit.ErspanGraNanosec == nil {
		edit.ErspanGraNanosec = old.ErspanGraNanosec
	}
	return edit
}

func invalid(field string) types.BaseMethodFault {
	return &types.InvalidArgument{InvalidProperty: "spec.vspanConfigSpec.vspanSession." + field}
}

func of(p *types.VMwareVspanPort) types.VMwareVspanPort {
	if p == nil {
		return types.VMwareVspanPort{}
	}
	return *p
}

// judge one session by itself: its type, ranges, ports.
func (s *Switch) judge(session *types.VMwareVspanSession) types.BaseMethodFault {
	if fault := s.judgeType(session); fault != nil {
		return fault
	}
	length, rate := session.MirroredPacketLength, session.SamplingRate
	switch {
	case length != 0 && length < 60:
		return invalid("mirroredPacketLength")
	case rate < 0 || rate > 65535:
		return invalid("samplingRate")
	case session.ErspanId < 0 || session.ErspanId > 0x3ff:
		return invalid("erspanId")
	case session.ErspanCOS < 0 || session.ErspanCOS > 7:
		return invalid("erspanCOS")
	case session.EncapsulationVlanId < 0 || session.EncapsulationVlanId > 4094:
		return invalid("encapsulationVlanId")
	}
	return s.judgePorts(session)
}

// judgeType: the switch must be able to do it, and source and destination must be of the type's kind.
func (s *Switch) judgeType(session *types.VMwareVspanSession) types.BaseMethodFault {
	can := s.vspan()
	out, in, to := of(session.SourcePortTransmitted), of(session.SourcePortReceived), of(session.DestinationPort)
	sources := len(out.PortKey) + len(in.PortKey)
	var able bool
	wrong := ""
	switch session.SessionType {
	case "", mixedDest:
		able = can.MixedDestSupported
	case dvPort:
		able = can.DvportSupported
		if len(to.PortKey) == 0 || len(to.UplinkPortName)+len(to.IpAddress) != 0 {
			wrong = "destinationPort"
		}
	case remoteSrc:
		able = can.RemoteSourceSupported
		if len(to.UplinkPortName) == 0 || len(to.PortKey)+len(to.IpAddress) != 0 {
			wrong = "destinationPort"
		}
	case remoteDst:
		able = can.RemoteDestSupported
		if len(in.Vlans) == 0 || sources != 0 {
			wrong = "sourcePortReceived"
		} else if len(to.PortKey) == 0 {
			wrong = "destinationPort"
		}
	case encapRemote:
		able = can.EncapRemoteSourceSupported
		if len(to.IpAddress) == 0 || len(to.PortKey)+len(to.UplinkPortName) != 0 {
			wrong = "destinationPort"
		}
	default:
		return invalid("sessionType")
	}
	if !able {
		return &types.NotSupported{}
	}
	if session.SessionType != remoteDst && sources == 0 && wrong == "" {
		wrong = "sourcePortReceived"
	}
	if wrong != "" {
		return invalid(wrong)
	}
	switch session.EncapType {
	case "", "gre":
	case "erspan2", "erspan3":
		if can.ErspanProtocolSupported == nil || !*can.ErspanProtocolSupported {
			return &types.NotSupported{}
		}
	default:
		return invalid("encapType")
	}
	if session.Netstack != "" && (can.MirrorNetstackSupported == nil || !*can.MirrorNetstackSupported) {
		return &types.NotSupported{}
	}
	return nil
}

// judgePorts: they must be there; a transmitted source and a destination must not be promiscuous, nor may a port be
// source and destination of one session.
func (s *Switch) judgePorts(session *types.VMwareVspanSession) types.BaseMethodFault {
	out, in, to := of(session.SourcePortTransmitted), of(session.SourcePortReceived), of(session.DestinationPort)
	for _, list := range [][]string{out.WildcardPortConnecteeType, in.WildcardPortConnecteeType, to.WildcardPortConnecteeType} {
		if len(list) != 0 {
			return invalid("wildcardPortConnecteeType")
		}
	}
	for _, address := range to.IpAddress {
		if net.ParseIP(address) == nil {
			return invalid("destinationPort.ipAddress")
		}
	}
	for _, name := range to.UplinkPortName {
		if !holds(s.uplinkNames(), name) {
			return invalid("destinationPort.uplinkPortName")
		}
	}
	for _, keys := range [][]string{out.PortKey, in.PortKey, to.PortKey} {
		for _, key := range keys {
			p, ok := s.ports[key]
			if !ok {
				return &types.NotFound{}
			}
			if group := s.world.groups[p.group]; group != nil && group.Config.BackingType == "nsx" {
				return &types.NotSupported{} // NSX's own. What vCenter says there is not known.
			}
		}
	}
	for _, keys := range [][]string{out.PortKey, to.PortKey} {
		for _, key := range keys {
			if s.isPromiscuous(s.ports[key]) {
				return &types.VspanPromiscuousPortNotSupported{VspanSessionKey: session.Key, PortKey: key}
			}
		}
	}
	for _, key := range to.PortKey {
		if holds(out.PortKey, key) || holds(in.PortKey, key) {
			return &types.VspanSameSessionPortConflict{VspanSessionKey: session.Key, PortKey: key}
		}
	}
	return nil
}

// conflicts between sessions: a port is the destination of one at most, and no transmitted source of another then.
func conflicts(sessions []types.VMwareVspanSession) types.BaseMethodFault {
	destination := make(map[string]string)
	for _, session := range sessions {
		for _, key := range of(session.DestinationPort).PortKey {
			if other, ok := destination[key]; ok && other != session.Key {
				return &types.VspanDestPortConflict{VspanSessionKey1: other, VspanSessionKey2: session.Key, PortKey: key}
			}
			destination[key] = session.Key
		}
	}
	for _, session := range sessions {
		for _, key := range of(session.SourcePortTransmitted).PortKey {
			if other, ok := destination[key]; ok {
				return &types.VspanPortConflict{VspanSessionKey1: session.Key, VspanSessionKey2: other, PortKey: key}
			}
		}
	}
	return nil
}

// mirrored says whether the port is a transmitted source or a destination.
func (s *Switch) mirrored(key string) bool {
	for _, session := range s.info().VspanSession {
		if holds(of(session.SourcePortTransmitted).PortKey, key) || holds(of(session.DestinationPort).PortKey, key) {
			return true
		}
	}
	return false
}

func (s *Switch) uplinkNames() []string {
	policy, ok := s.info().UplinkPortPolicy.(*types.DVSNameArrayUplinkPortPolicy)
	if !ok {
		return nil
	}
	return policy.UplinkPortName
}
