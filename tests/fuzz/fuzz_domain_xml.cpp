// Fuzzes the reading of a guest from libvirt's XML, which the hook takes from a local socket.
#include "agent/control/libvirt/domain_xml.hpp"
#include "tests/fuzz/fuzz.hpp"

VMIRROR_FUZZ(bytes) {
  (void)vmirror::parse_domain({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}
VMIRROR_SEEDS() {
  const std::string_view xml = R"(<domain type='kvm' id='3'><name>g1</name>
<uuid>4dea22b3-1d52-4d8f-8516-782e98ab3fa0</uuid><title>One</title><metadata>
<v:guest xmlns:v="urn:vmirror:guest:1"><v:label key="role" value="dc"/></v:guest></metadata><devices>
<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/><virtualport
type='openvswitch'><parameters interfaceid='56f178a6-ab04-4d4e-a7ff-4dafb46bbde8'/></virtualport>
<target dev='vnet2'/><alias name='net0'/></interface></devices></domain>)";
  return {{xml.begin(), xml.end()}};
}
