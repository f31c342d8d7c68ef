"""Debian's python3-winrm against vmirror-wsman: what it can send, it sends; what came back, as one JSON object.

    python3 tests/wsman/pywinrm_client.py URL CERTIFICATE ntlm|basic USER PASSWORD SERVICE PORT

Its library has calls for shells alone. Its headers and its transport carry the rest; it has no Identify, no selectors but
ShellId, and no faults in words beyond its own exception.
"""

import json
import sys
import xml.etree.ElementTree as ElementTree

import auth
import xmltodict
from winrm.exceptions import InvalidCredentialsError, WinRMError, WinRMOperationTimeoutError
from winrm.protocol import Protocol

R = "http://schemas.microsoft.com/wbem/wsman/1/wmi/" + "root/virtualization/v2"
N = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
IDENTITY = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
FEATURE = ('<INSTANCE CLASSNAME="Msvm_EthernetSwitchPortSecuritySettingData"><PROPERTY NAME="MonitorMode" TYPE="uint8">'
           "<VALUE>2</VALUE></PROPERTY></INSTANCE>")


def send(protocol, resource, action, body, selectors=None):
    envelope = {"env:Envelope": {**protocol._get_soap_header(resource_uri=resource, action=action), "env:Body": body}}
    if selectors:
        envelope["env:Envelope"]["env:Header"]["w:SelectorSet"] = {
            "w:Selector": [{"@Name": name, "#text": text} for name, text in selectors.items()]}
    return ElementTree.fromstring(protocol.send_message(xmltodict.unparse(envelope)))


def local(element):
    return element.tag.rpartition("}")[2]


def enumerate_class(protocol, name):
    root = send(protocol, f"{R}/{name}", N + "/Enumerate", {"n:Enumerate": None})
    found = []
    while (context := root.findtext(f".//{{{N}}}EnumerationContext")) is not None:
        root = send(protocol, f"{R}/{name}", N + "/Pull",
                    {"n:Pull": {"n:EnumerationContext": context, "n:MaxElements": "2"}})
        found += [{local(one): one.text for one in item} for item in root.find(f".//{{{N}}}Items")]
    return found


def add_feature(protocol, service, port):
    uri = f"{R}/{service}"
    reference = {"a:Address": ANONYMOUS, "a:ReferenceParameters": {
        "w:ResourceURI": f"{R}/Msvm_EthernetPortAllocationSettingData",
        "w:SelectorSet": {"w:Selector": {"@Name": "InstanceID", "#text": port}}}}
    root = send(protocol, uri, uri + "/AddFeatureSettings", {"p:AddFeatureSettings_INPUT": {
        "@xmlns:p": uri, "p:AffectedConfiguration": reference, "p:FeatureSettings": FEATURE}}, {"CreationClassName": service})
    return {local(one): one.text for one in root.iter() if local(one) in ("ReturnValue", "Selector")}


def main(url, certificate, transport, user, password, service, port):
    # Its default, `auto`, takes no part in HTTPS: that is encrypted already.
    protocol = Protocol(url, transport=transport, username=user, password=password, ca_trust_path=certificate,
                        server_cert_validation="validate", read_timeout_sec=130, operation_timeout_sec=60)
    told = {}
    try:
        identify = {"env:Envelope": {"@xmlns:env": "http://www.w3.org/2003/05/soap-envelope", "env:Header": None,
                                     "env:Body": {"i:Identify": {"@xmlns:i": IDENTITY}}}}
        root = ElementTree.fromstring(protocol.send_message(xmltodict.unparse(identify)))
        told["vendor"] = root.findtext(f".//{{{IDENTITY}}}ProductVendor")
        told["switches"] = sorted(one["ElementName"] for one in enumerate_class(protocol, "Msvm_VirtualEthernetSwitch"))
        told["added"] = add_feature(protocol, service, port)
    except InvalidCredentialsError as error:
        told["refused"] = str(error)
        return told
    for name, call in (("fault", lambda: enumerate_class(protocol, "Msvm_None")), ("shell", protocol.open_shell),
                       ("timeout", lambda: enumerate_class(protocol, "Msvm_EthernetSwitchPort"))):
        try:
            call()
        except WinRMOperationTimeoutError:
            told[name] = "WinRMOperationTimeoutError"
        except WinRMError as error:
            told[name] = str(error)
    return told


if __name__ == "__main__":
    auth.load_legacy()  # python3-ntlm-auth takes MD4 from OpenSSL.
    print(json.dumps(main(*sys.argv[1:])))
