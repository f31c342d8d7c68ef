// Fuzzes the reading of a vCenter's updates: the document, then its fold into an inventory.
#include "plugin/net/soap.hpp"
#include "plugin/vsphere/read.hpp"
#include "tests/fuzz/fuzz.hpp"

VMIRROR_FUZZ(bytes) {
  namespace vsphere = vmirror::vsphere;
  const auto document =
      vmirror::net::XmlDocument::parse(vmirror::net::Message(vmirror::as_text(bytes)));
  if (!document) return;
  vsphere::Inventory inventory;
  (void)vsphere::fold(document->root(), inventory);
  (void)vsphere::choose_version(document->root());
  (void)vsphere::error_of_fault("Fault", document->root(), "", "fuzz").text();
}
VMIRROR_SEEDS() {
  const std::string_view updates[] = {
      R"(<returnval xmlns:xsi="x"><version>1</version><filterSet><objectSet><kind>enter</kind>
<obj type="VirtualMachine">vm-1</obj><changeSet><name>config.hardware.device</name><op>assign</op><val>
<VirtualDevice xsi:type="VirtualVmxnet3"><key>4000</key><backing
xsi:type="VirtualEthernetCardDistributedVirtualPortBackingInfo"><port><portKey>1</portKey></port></backing>
<macAddress>00:50:56:00:00:01</macAddress></VirtualDevice></val></changeSet></objectSet></filterSet>
</returnval>)",
      R"(<returnval xmlns:xsi="x"><version>1</version><filterSet><objectSet><kind>modify</kind>
<obj type="VmwareDistributedVirtualSwitch">dvs-1</obj><changeSet><name>config</name><op>assign</op><val>
<configVersion>1</configVersion><vspanSession><key>1</key><enabled>true</enabled><sourcePortReceived>
<vlans>5</vlans></sourcePortReceived></vspanSession></val></changeSet><missingSet><path>name</path><fault>
<fault xsi:type="NoPermission"/></fault></missingSet></objectSet></filterSet></returnval>)",
      R"(<namespaces><namespace><name>urn:vim25</name><version>8.0.1.0</version></namespace></namespaces>)",
      R"(<f><hostFault><host type="HostSystem">h</host><fault><fault/></fault></hostFault></f>)"};
  std::vector<vmirror::test::Buffer> out;
  for (const std::string_view update : updates) out.emplace_back(update.begin(), update.end());
  return out;
}
