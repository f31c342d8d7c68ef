"""vmirror-wsman for tests: started, ordered about, spoken to."""

import base64
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from xml.sax.saxutils import escape, quoteattr

HERE = os.path.dirname(os.path.abspath(__file__))
WAIT_S = 120
try:
    from lxml import etree

    import auth
    import cim
    import schema
    import soap
    MISSING = auth.missing()
except ImportError as error:
    MISSING = f"no module {error.name} (Debian: python3-lxml, python3-gssapi, gss-ntlmssp)"
else:
    NAMES = {**soap.PREFIXES, "f": soap.MS_FAULT}


def missing():
    """Why this machine can't run the server, or an empty text."""
    return MISSING


def without_empty_lines(state):
    """The same state, without the empty lines that marks leave in notes."""
    for one in state["vms"] + [switch for host in state["hosts"] for switch in host["switches"]]:
        one["notes"] = [line for line in one["notes"] if line]
    return state


class Wsman:
    """A running one; use with `with`. `urls` is host name -> address; `certificate` is a file."""

    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix="vmirror-wsman-")
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8")
        # Its end is that of its standard input: none is left behind, however this process ends.
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "server.py"), *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise RuntimeError("vmirror-wsman does not start: " + self.log.read())
        told = json.loads(line)
        self.urls = {one["name"]: one["url"] for one in told["hosts"]}
        self.url, self.control_url, self.thumbprint = told["hosts"][0]["url"], told["control"], told["thumbprint"]
        self.certificate = os.path.join(self.folder, "certificate.pem")
        with open(self.certificate, "w", encoding="utf-8") as file:
            file.write(told["certificate"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(WAIT_S)
        self.process.stdout.close()
        self.log.seek(0)
        printed = self.log.read()
        self.log.close()
        shutil.rmtree(self.folder)
        if printed:
            raise RuntimeError("vmirror-wsman printed: " + printed)

    def control(self, path, value=None, method=None):
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(self.control_url + path, data, method=method or ("POST" if data else "GET"))
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return json.load(answer)

    def rule(self, call, how, **more):
        self.control("/rules", [{"call": call, "how": how, **more}])

    def order(self, do, **more):
        self.control("/orders", {"do": do, **more})

    def calls(self, operation=None):
        return [one for one in self.control("/log") if operation in (None, one.get("operation"))]

    def state(self):
        return self.control("/state")


class FaultError(Exception):
    """A fault, as the server told it: `subcode`, `code` of WSManFault, `text`."""

    def __init__(self, status, root):
        self.status = status
        self.subcode = root.findtext(".//s:Subcode/s:Value", "", NAMES)
        self.code = int(root.find(".//f:WSManFault", NAMES).get("Code"))
        self.text = root.findall(".//f:Message", NAMES)[-1].text
        self.detail = root.findtext(".//w:FaultDetail", "", NAMES)
        self.provider = root.find(".//f:ProviderFault", NAMES) is not None
        super().__init__(f"{self.subcode} {self.code}: {self.text}")


class StatusError(Exception):
    """An HTTP status without a fault."""

    def __init__(self, status, headers):
        super().__init__(str(status))
        self.status, self.headers = status, headers


class Client:
    """Sends envelopes written out by hand, with Basic. `R` is the namespace root/virtualization/v2."""

    R = cim.WMI + schema.V2 if not MISSING else ""

    def __init__(self, server, user="vmirror", password="Secret-1", host=None):
        self.url = server.urls[host] if host else server.url
        self.tls = ssl.create_default_context(cafile=server.certificate)
        self.headers = {"Content-Type": "application/soap+xml;charset=UTF-8",
                        "Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}

    def post(self, data, headers=None):
        request = urllib.request.Request(self.url, data, {**self.headers, **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S, context=self.tls) as answer:
                return etree.fromstring(answer.read())
        except urllib.error.HTTPError as error:
            body = error.read()
            if not body:
                raise StatusError(error.code, error.headers) from None
            raise FaultError(error.code, etree.fromstring(body)) from None

    def envelope(self, action, resource, body="", selectors=None, header=None):
        parts = {"To": f"<a:To>{self.url}</a:To>", "ReplyTo": f"<a:ReplyTo><a:Address>{cim.ANONYMOUS}</a:Address></a:ReplyTo>",
                 "MessageID": f"<a:MessageID>uuid:{uuid.uuid4()}</a:MessageID>",
                 "MaxEnvelopeSize": "<w:MaxEnvelopeSize>512000</w:MaxEnvelopeSize>",
                 "OperationTimeout": "<w:OperationTimeout>PT60.000S</w:OperationTimeout>",
                 "Action": f"<a:Action>{action}</a:Action>",
                 "ResourceURI": f"<w:ResourceURI>{resource}</w:ResourceURI>",
                 "SelectorSet": "<w:SelectorSet>" + "".join(
                     f"<w:Selector Name={quoteattr(name)}>{escape(value)}</w:Selector>"
                     for name, value in (selectors or {}).items()) + "</w:SelectorSet>", **(header or {})}
        spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in soap.PREFIXES.items())
        return f"<s:Envelope {spaces}><s:Header>{''.join(parts.values())}</s:Header><s:Body>{body}</s:Body></s:Envelope>".encode()

    def call(self, *words, **more):
        return self.post(self.envelope(*words, **more))

    def get(self, cls, selectors, space=None, **more):
        root = self.call(soap.TRANSFER + "/Get", f"{space or self.R}/{cls}", selectors=selectors, **more)
        return values(root.find("s:Body", NAMES)[0])

    def enumerate(self, resource, wql=None, most=100, extra="", **more):
        """All instances, pulled in pages, as dictionaries."""
        if wql:
            extra += f'<w:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL">{escape(wql)}</w:Filter>'
        root = self.call(soap.ENUMERATION + "/Enumerate", resource, f"<n:Enumerate>{extra}</n:Enumerate>", **more)
        found, context = [], root.findtext(".//n:EnumerationContext", None, NAMES)
        found += [values(one) for one in root.iterfind(".//w:Items/*", NAMES)]
        while context:
            root = self.pull(resource, context, most, **more)
            found += [values(one) for one in root.iterfind(".//n:Items/*", NAMES)]
            context = root.findtext(".//n:EnumerationContext", None, NAMES)
        return found

    def pull(self, resource, context, most=100, **more):
        body = f"<n:Pull><n:EnumerationContext>{context}</n:EnumerationContext><n:MaxElements>{most}</n:MaxElements></n:Pull>"
        return self.call(soap.ENUMERATION + "/Pull", resource, body, **more)

    def query(self, wql, **more):
        return self.enumerate(self.R + "/*", wql, **more)

    def invoke(self, cls, method, body, selectors=None):
        """(ReturnValue, InstanceID of the job or None)"""
        uri = f"{self.R}/{cls}"
        root = self.call(f"{uri}/{method}", uri, f'<p:{method}_INPUT xmlns:p="{uri}">{body}</p:{method}_INPUT>',
                         selectors=selectors or {"CreationClassName": cls})
        output = root.find("s:Body", NAMES)[0]
        job = output.find("{%s}Job/a:ReferenceParameters/w:SelectorSet/w:Selector[@Name='InstanceID']" % uri, NAMES)
        return int(output.findtext("{%s}ReturnValue" % uri)), job.text if job is not None else None

    def finish(self, job):
        """Polls a job until it has ended: its values."""
        deadline = time.monotonic() + WAIT_S
        while (held := self.get("Msvm_ConcreteJob", {"InstanceID": job}))["JobState"] in ("2", "3", "4"):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the job does not end: {held}")
            time.sleep(0.02)
        return held

    def change(self, service, method, body):
        """Like invoke, and waits for the job: (ReturnValue, the job's values or None)."""
        value, job = self.invoke(service, method, body)
        return value, self.finish(job) if job else None


def values(element):
    """name -> text, None for NULL, a list for what is there more than once, an element for a reference."""
    found = {"__class": etree.QName(element).localname}
    for one in element:
        name = etree.QName(one).localname
        nil = one.get("{%s}nil" % cim.XSI) == "true"
        value = None if nil else one if len(one) and one[0].tag == soap.A + "Address" else "".join(one.itertext())
        if name in found:
            found[name] = (found[name] if isinstance(found[name], list) else [found[name]]) + [value]
        else:
            found[name] = value
    return found


def reference(cls, instance_id, name, space=Client.R):
    """The element `p:NAME` with an endpoint reference."""
    return (f"<p:{name}><a:Address>{cim.ANONYMOUS}</a:Address><a:ReferenceParameters><w:ResourceURI>{space}/{cls}"
            f"</w:ResourceURI><w:SelectorSet><w:Selector Name=\"InstanceID\">{escape(instance_id)}</w:Selector></w:SelectorSet>"
            f"</a:ReferenceParameters></p:{name}>")


def embedded(cls, **properties):
    """An embedded instance in CDATA, as libvirt and os-win send it."""
    found = schema.find(schema.V2, cls)
    return "<![CDATA[" + cim.write_cimxml(cim.Instance(found, properties)) + "]]>"
