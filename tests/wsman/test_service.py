"""WS-Management as WinRM does it: headers, pages, limits, queries, faults, logons."""

import base64
import ssl
import unittest
import urllib.error

import wsman
from served import SECURITY, VMS, Served

R = wsman.Client.R
SYSTEMS, TRANSFER = R + "/Msvm_ComputerSystem", "http://schemas.xmlsoap.org/ws/2004/09/transfer"
IDENTIFY = (b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body><i:Identify '
            b'xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"/></s:Body></s:Envelope>')
ENUMERATE = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate"


class Faults(Served):
    def fault(self, call, *words, **more):
        with self.assertRaises(wsman.FaultError) as caught:
            call(*words, **more)
        return caught.exception

    def test_headers(self):
        client = self.client()
        keys = {"CreationClassName": "Msvm_ComputerSystem", "Name": "HV1"}
        self.assertEqual(client.get("Msvm_ComputerSystem", keys)["ElementName"], "HV1")
        cases = (("To", "", "a:MessageInformationHeaderRequired"), ("ReplyTo", "", "a:MessageInformationHeaderRequired"),
                 ("MessageID", "", "a:MessageInformationHeaderRequired"), ("Action", "", "a:MessageInformationHeaderRequired"),
                 ("ReplyTo", "<a:ReplyTo><a:Address>http://elsewhere</a:Address></a:ReplyTo>",
                  "a:InvalidMessageInformationHeader"),
                 ("MaxEnvelopeSize", "<w:MaxEnvelopeSize>8191</w:MaxEnvelopeSize>", "w:EncodingLimit"),
                 ("MaxEnvelopeSize", "<w:MaxEnvelopeSize>much</w:MaxEnvelopeSize>", "a:InvalidMessageInformationHeader"),
                 ("OperationTimeout", "<w:OperationTimeout>60</w:OperationTimeout>", "a:InvalidMessageInformationHeader"),
                 ("Action", "<a:Action>urn:none</a:Action>", "a:ActionNotSupported"),
                 ("ResourceURI", "", "a:DestinationUnreachable"),
                 ("ResourceURI", f"<w:ResourceURI>{R}/Msvm_None</w:ResourceURI>", "a:DestinationUnreachable"),
                 ("ResourceURI", f"<w:ResourceURI>{R}x/Msvm_None</w:ResourceURI>", "a:DestinationUnreachable"),
                 ("Extra", '<x:Unknown s:mustUnderstand="true"/>', ""))
        for name, header, subcode in cases:
            with self.subTest(header or f"no {name}"):
                self.assertEqual(self.fault(client.get, "Msvm_ComputerSystem", keys, header={name: header}).subcode, subcode)

    def test_selectors(self):
        client = self.client()
        cases = (({"InstanceID": "x"}, "w:InvalidSelectors"), ({"Name": "HV1"}, "w:InvalidSelectors"),
                 ({"CreationClassName": "Msvm_ComputerSystem", "Name": "none"}, "a:DestinationUnreachable"))
        for selectors, subcode in cases:
            with self.subTest(selectors):
                self.assertEqual(self.fault(client.get, "Msvm_ComputerSystem", selectors).subcode, subcode)
        self.assertEqual(client.get("Msvm_ComputerSystem", {"NAME": "hv1", "creationclassname": "msvm_computersystem"})["Name"],
                         "HV1")

    def test_queries(self):
        client = self.client()
        cases = (("SELECT * FROM Msvm_ComputerSystem WHERE Name = 'HV1'", 1), ("select * from msvm_computersystem", 4),
                 ("SELECT * FROM Msvm_ComputerSystem WHERE ElementName LIKE 'vm_'", 2),
                 ("SELECT * FROM Msvm_ComputerSystem WHERE ElementName LIKE 'vm[2-9]'", 1),
                 ("SELECT * FROM Msvm_ComputerSystem WHERE NOT (ElementName LIKE 'VM%' OR Name = 'HV1')", 1),
                 ("SELECT * FROM Msvm_ComputerSystem WHERE ProcessID IS NULL AND EnabledState >= 2", 4),
                 ("SELECT * FROM CIM_ComputerSystem", 7),
                 (f"SELECT * FROM {SECURITY} WHERE InstanceID = 'Microsoft:Definition\\\\"
                  "776E0BA7-94A1-41C8-8F28-951F524251B5\\\\Default'", 1),
                 ("REFERENCES OF {Msvm_ComputerSystem.CreationClassName='Msvm_ComputerSystem',Name='HV1'}", 0))
        for query, count in cases:
            with self.subTest(query):
                self.assertEqual(len(client.query(query)), count)
        for query in ("SELECT", "SELECT * FROM Msvm_ComputerSystem WHERE", "DROP TABLE x", "SELECT * FROM X WHERE a = 1 1",
                      "SELECT * FROM Msvm_ComputerSystem WHERE None = 1", "SELECT None FROM Msvm_ComputerSystem",
                      "ASSOCIATORS OF {Msvm_ComputerSystem} WHERE AssocClass = X"):
            with self.subTest(query):
                fault = self.fault(client.query, query)
                self.assertIn(fault.subcode, ("n:CannotProcessFilter", "a:DestinationUnreachable"))
                self.assertTrue(fault.provider or "X" in query)

    def test_columns_have_no_namespace(self):
        found = self.client().query("SELECT Name, ElementName FROM Msvm_VirtualEthernetSwitch")
        self.assertEqual(list(found[0]), ["__class", "ElementName", "Name"])
        self.assertEqual(found[0]["__class"], "XmlFragment")

    def test_filters(self):
        client = self.client()
        wql = '<w:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL">SELECT * FROM Msvm_ComputerSystem</w:Filter>'
        for extra, resource, code in ((wql, SYSTEMS, 2150859003), ("", R + "/*", 2150858811),
                                      ('<w:Filter Dialect="urn:none"/>', SYSTEMS, 2150858777)):
            with self.subTest(extra):
                self.assertEqual(self.fault(client.enumerate, resource, extra=extra).code, code)

    def test_xml_that_is_none(self):
        client = self.client()
        bomb = b'<!DOCTYPE s [<!ENTITY a "aaaa">]><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">&a;</s:Envelope>'
        for data in (b"<", b"<a/>", bomb, b"\xff\xfe"):
            with self.subTest(data):
                self.assertEqual(self.fault(client.post, data).status, 400)

    def test_faults_on_order(self):
        client = self.client()
        self.server.control("/rules", [{"call": "Pull", "how": "fault", "kind": "context", "nth": 2},
                                       {"call": "Identify", "how": "status", "status": 503}])
        self.assertEqual(len(client.enumerate(SYSTEMS)), 4)
        self.assertEqual(self.fault(client.enumerate, SYSTEMS).subcode, "n:InvalidEnumerationContext")
        self.assertEqual(len(client.enumerate(SYSTEMS)), 4)
        with self.assertRaises(wsman.StatusError) as caught:
            client.post(IDENTIFY)
        self.assertEqual(caught.exception.status, 503)
        self.server.rule("Get", "slow", seconds=5)
        short = {"OperationTimeout": "<w:OperationTimeout>PT0.1S</w:OperationTimeout>"}
        fault = self.fault(client.get, "Msvm_ComputerSystem", {}, header=short)
        self.assertEqual((fault.subcode, fault.code), ("w:TimedOut", 2150858793))
        self.server.rule("*", "cut_after")
        with self.assertRaises((urllib.error.URLError, ConnectionError)):
            client.post(IDENTIFY)
        with self.assertRaises(urllib.error.HTTPError):
            self.server.rule("Get", "explode")


class Pages(Served):
    OPTIONS = ("--vms", "300", "--envelope-kb", "150", "--batch-items", "50")

    def test_an_envelope_holds_what_fits(self):
        client = self.client()
        small = {"MaxEnvelopeSize": "<w:MaxEnvelopeSize>30000</w:MaxEnvelopeSize>"}
        found = client.enumerate(SYSTEMS, most=1000, header=small)
        self.assertEqual(len(found), 302)
        pulls = self.server.calls("Pull")
        self.assertTrue(all(one["bytes_out"] <= 30000 for one in pulls))
        self.assertGreater(min(one["items"] for one in pulls[:-1]), 5)
        # And never more than MaxBatchItems, nor than the host's own limit.
        self.server.control("/log", method="DELETE")
        client.enumerate(SYSTEMS, most=1000)
        self.assertEqual([one["items"] for one in self.server.calls("Pull")], [50] * 6 + [2])
        self.assertTrue(all(one["bytes_out"] <= 150 * 1024 for one in self.server.calls("Pull")))

    def test_one_that_is_too_large_alone(self):
        self.server.order("start", vm="vm1")
        client = self.client()
        notes = ["x" * 200] * 100
        setting = "Microsoft:" + self.server.state()["vms"][1]["id"]
        client.change(VMS, "ModifySystemSettings", "<p:SystemSettings>" + wsman.embedded(
            "Msvm_VirtualSystemSettingData", InstanceID=setting, Notes=notes) + "</p:SystemSettings>")
        small = {"MaxEnvelopeSize": "<w:MaxEnvelopeSize>8192</w:MaxEnvelopeSize>"}
        for call in (lambda: client.get("Msvm_VirtualSystemSettingData", {"InstanceID": setting}, header=small),
                     lambda: client.enumerate(R + "/Msvm_VirtualSystemSettingData", header=small)):
            with self.assertRaises(wsman.FaultError) as caught:
                call()
            self.assertEqual((caught.exception.subcode, caught.exception.code), ("w:EncodingLimit", 2150858824))

    def test_a_request_over_the_limit(self):
        with self.assertRaises(wsman.StatusError) as caught:
            self.client().post(IDENTIFY + b" " * 150 * 1024)
        self.assertEqual(caught.exception.status, 413)

    def test_the_first_answer_can_hold_items(self):
        extra = "<w:OptimizeEnumeration/><w:MaxElements>40</w:MaxElements>"
        self.assertEqual(len(self.client().enumerate(SYSTEMS, extra=extra, most=50)), 302)
        self.assertEqual(len(self.server.calls()), 1 + 6)
        found = self.client().enumerate(R + "/Msvm_VirtualEthernetSwitch", extra=extra)
        self.assertEqual((len(found), len(self.server.calls("Pull"))), (3, 6))

    def test_references(self):
        for mode, tags in (("EnumerateEPR", ["EndpointReference"]), ("EnumerateObjectAndEPR", ["Item"])):
            found = self.client().enumerate(R + "/Msvm_VirtualEthernetSwitch",
                                            extra=f"<w:EnumerationMode>{mode}</w:EnumerationMode>")
            self.assertEqual([one["__class"] for one in found], tags * 3)


class Contexts(Served):
    OPTIONS = ("--enumeration-idle-ms", "1000", "--operations", "3")

    def test_contexts_end(self):
        client, now = self.client(), []

        def begin():
            root = client.call(ENUMERATE, SYSTEMS, "<n:Enumerate/>")
            return root.findtext(".//n:EnumerationContext", None, wsman.NAMES)

        def refused(context):
            with self.assertRaises(wsman.FaultError) as caught:
                client.pull(SYSTEMS, context)
            return caught.exception.subcode
        release = begin()
        client.call("http://schemas.xmlsoap.org/ws/2004/09/enumeration/Release", SYSTEMS,
                    f"<n:Release><n:EnumerationContext>{release}</n:EnumerationContext></n:Release>")
        now.append(refused(release))
        restarted = begin()
        self.server.order("restart", host="HV1")
        now.append(refused(restarted))
        held = [begin() for _ in range(3)]
        with self.assertRaises(wsman.FaultError) as caught:
            begin()
        self.assertEqual((caught.exception.subcode, caught.exception.code), ("w:InternalError", 2150859174))
        until = wsman.time.monotonic() + wsman.WAIT_S
        while wsman.time.monotonic() < until:  # Till those have idled out.
            try:
                begin()
                break
            except wsman.FaultError:
                wsman.time.sleep(0.1)
        now.append(refused(held[0]))
        self.assertEqual(now, ["n:InvalidEnumerationContext"] * 3)


class Logons(Served):
    OPTIONS = ("--larger-envelope", "refuse", "--no-hyperv")

    def test_identify_before_logon_tells_no_version(self):
        client = self.client()
        name = ".//{http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd}ProductVersion"
        self.assertEqual(client.post(IDENTIFY).findtext(name), "OS: 10.0.20348 SP: 0.0 Stack: 3.0")
        del client.headers["Authorization"]
        root = client.post(IDENTIFY, {"WSMANIDENTIFY": "unauthenticated"})
        self.assertEqual(root.findtext(name), "OS: 0.0.0 SP: 0.0 Stack: 3.0")
        with self.assertRaises(wsman.StatusError) as caught:
            client.post(client.envelope(ENUMERATE, SYSTEMS, "<n:Enumerate/>"), {"WSMANIDENTIFY": "unauthenticated"})
        self.assertEqual(caught.exception.status, 401)

    def test_who_is_let_in(self):
        for header in (None, "Basic " + base64.b64encode(b"vmirror:wrong").decode(), "Basic !", "Bearer x", "Negotiate TlRMTQ=="):
            with self.subTest(header):
                client = self.client()
                client.headers.pop("Authorization")
                with self.assertRaises(wsman.StatusError) as caught:
                    client.post(IDENTIFY, {"Authorization": header} if header else {})
                self.assertEqual(caught.exception.status, 401)
                self.assertEqual(caught.exception.headers.get_all("WWW-Authenticate"), ["Negotiate", 'Basic realm="WSMAN"'])
                self.assertEqual(caught.exception.headers["Content-Length"], "0")

    def test_what_http_refuses(self):
        client = self.client()
        for headers, path, status in (({"Content-Type": "text/plain"}, "", 415), ({}, "x", 404)):
            client.url = self.server.url + path
            with self.assertRaises(wsman.StatusError) as caught:
                client.post(IDENTIFY, headers)
            self.assertEqual(caught.exception.status, status)

    def test_no_role_and_an_envelope_that_is_too_large(self):
        with self.assertRaises(wsman.FaultError) as caught:
            self.client().call(ENUMERATE, SYSTEMS, "<n:Enumerate/>",
                               header={"MaxEnvelopeSize": "<w:MaxEnvelopeSize>153600</w:MaxEnvelopeSize>"})
        self.assertIn("namespace root/virtualization/v2 is invalid", caught.exception.text)
        with self.assertRaises(wsman.FaultError) as caught:
            self.client().call(ENUMERATE, SYSTEMS, "<n:Enumerate/>",
                               header={"MaxEnvelopeSize": "<w:MaxEnvelopeSize>512001</w:MaxEnvelopeSize>"})
        self.assertEqual((caught.exception.subcode, caught.exception.code), ("w:EncodingLimit", 2150858823))


@unittest.skipIf(wsman.missing(), wsman.missing())
class Certificates(unittest.TestCase):
    def test_an_expired_one_is_one(self):
        with wsman.Wsman("--expired", "--vms", "0") as server:
            with self.assertRaises(urllib.error.URLError) as caught:
                wsman.Client(server).post(IDENTIFY)
            self.assertIsInstance(caught.exception.reason, ssl.SSLCertVerificationError)
            self.assertIn("expired", str(caught.exception.reason))


if __name__ == "__main__":
    unittest.main(verbosity=2)
