// Fuzzes the reading of a SOAP message, which comes from a server.
#include "plugin/net/soap.hpp"
#include "tests/fuzz/fuzz.hpp"

VMIRROR_FUZZ(bytes) {
  using namespace vmirror::net;
  const auto answer = SoapAnswer::parse(Message(vmirror::as_text(bytes)));
  if (answer && answer->fault()) (void)error_of(*answer->fault(), "fuzz").text();
}
VMIRROR_SEEDS() {
  const std::string_view fault_11 =
      R"(<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">
<s:Header/><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>a &amp; b &#65;</faultstring>
<detail><InvalidLoginFault xmlns="urn:vim25"/></detail></s:Fault></s:Body></s:Envelope>)";
  const std::string_view fault_12 =
      R"(<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code>
<s:Value>s:Sender</s:Value><s:Subcode><s:Value>w:TimedOut</s:Value></s:Subcode></s:Code><s:Reason>
<s:Text xml:lang="en"><![CDATA[late]]></s:Text></s:Reason></s:Fault></s:Body></s:Envelope>)";
  const std::string_view type = R"(<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>)";
  return {{fault_11.begin(), fault_11.end()},
          {fault_12.begin(), fault_12.end()},
          {type.begin(), type.end()}};
}
