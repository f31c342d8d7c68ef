// Fuzzes the reading of WinRM's answers: pages of instances, faults, references, and the notes.
#include "plugin/hyperv/host.hpp"
#include "plugin/hyperv/wsman.hpp"
#include "plugin/net/soap.hpp"
#include "tests/fuzz/fuzz.hpp"

VMIRROR_FUZZ(bytes) {
  namespace hyperv = vmirror::hyperv;
  const std::string text(vmirror::as_text(bytes));
  const auto notes = hyperv::parse_notes({text});
  if (notes.error.empty()) (void)hyperv::encode_notes(notes, {});
  const auto answer = vmirror::net::SoapAnswer::parse(vmirror::net::Message(text));
  if (!answer) return;
  if (answer->fault()) (void)hyperv::error_of_fault(*answer->fault(), "fuzz").text();
  hyperv::Tables tables;
  for (auto& table : tables) table = hyperv::read_page(answer->body()).items;
  (void)hyperv::read_host(tables);
  (void)hyperv::read_reference(answer->body().first_child());
}
VMIRROR_SEEDS() {
  const std::string_view messages[] = {
      R"(<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><n:PullResponse xmlns:n="n">
<n:EnumerationContext>c</n:EnumerationContext><n:Items><p:Msvm_VirtualSystemSettingData xmlns:p="p">
<p:InstanceID>Microsoft:A</p:InstanceID><p:Notes>[vmirror] {"v":1,"marks":[]}</p:Notes></p:Msvm_VirtualSystemSettingData>
<p:Msvm_SyntheticEthernetPortSettingData xmlns:p="p"><p:InstanceID>Microsoft:A\B</p:InstanceID><p:Address>00155D000001</p:Address>
</p:Msvm_SyntheticEthernetPortSettingData><p:X xmlns:p="p"><p:InstanceID>Microsoft:A\B\C</p:InstanceID><p:HostResource>
\\H\root:Msvm_VirtualEthernetSwitch.Name="S"</p:HostResource></p:X><p:Msvm_EthernetSwitchPortVlanSettingData xmlns:p="p">
<p:InstanceID>Microsoft:A\B\C\F\G</p:InstanceID><p:OperationMode>2</p:OperationMode><p:TrunkVlanIdArray>5</p:TrunkVlanIdArray>
</p:Msvm_EthernetSwitchPortVlanSettingData></n:Items></n:PullResponse></s:Body></s:Envelope>)",
      R"(<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value>
<s:Subcode><s:Value>w:AccessDenied</s:Value></s:Subcode></s:Code><s:Reason><s:Text>no</s:Text></s:Reason><s:Detail>
<f:WSManFault xmlns:f="f" Code="5"><f:Message><f:ProviderFault><f:WSManFault Code="2147749891"><f:Message>x</f:Message>
</f:WSManFault></f:ProviderFault></f:Message></f:WSManFault></s:Detail></s:Fault></s:Body></s:Envelope>)",
      R"(<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><n:EnumerateResponse xmlns:n="n"><w:Items xmlns:w="w">
<p:MSCluster_Cluster xmlns:p="p"><p:Name>c</p:Name></p:MSCluster_Cluster><p:MSCluster_AffinityRule xmlns:p="p"><p:Name>r</p:Name>
<p:RuleType>2</p:RuleType><p:Enabled>1</p:Enabled><p:Groups>a</p:Groups><p:Groups>b</p:Groups></p:MSCluster_AffinityRule>
<p:MSCluster_Resource xmlns:p="p"><p:Name>Virtual Machine a</p:Name><p:OwnerGroup>a</p:OwnerGroup></p:MSCluster_Resource>
<p:L xmlns:p="p"><p:GroupComponent><a:Address xmlns:a="a"/><a:ReferenceParameters xmlns:a="a"><w:SelectorSet><w:Selector Name="Name">a
</w:Selector></w:SelectorSet></a:ReferenceParameters></p:GroupComponent></p:L></w:Items></n:EnumerateResponse></s:Body></s:Envelope>)",
      "text\n[vmirror] "
      "{\"v\":1,\"marks\":[{\"kind\":\"mode\",\"on\":\"A\",\"was\":\"None\",\"now\":\"Source\","
      "\"for\":[\"a/b\"]}]}\nmore"};
  std::vector<vmirror::test::Buffer> out;
  for (const std::string_view message : messages) out.emplace_back(message.begin(), message.end());
  return out;
}
