"""vmirror-wsman: Hyper-V hosts for tests, as WS-Management shows them over HTTPS.

    python3 tests/wsman/server.py [--hosts 2] [--vms 300] ...      # --help lists the options

Prints one line of JSON, {"hosts": [{"name", "url"}], "control", "certificate", "thumbprint"}, and serves until its standard
input ends. It listens on loopback alone. control.py says what the control endpoint takes.

What it is not: a host. It has the classes of schema.py, no shells, no encrypted messages over HTTP; of the methods
only those of schema.py. Where nobody outside of Microsoft knows what WinRM does, an option chooses (--larger-envelope).
"""

import argparse
import hashlib
import http.server
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import auth
import control
import soap
from service import Account, Limits, Service
from world import World

ACCOUNTS = [Account("vmirror", "Secret-1"), Account("nobody", "Secret-2", "none"), Account("narrow", "Secret-3", "no-cluster")]
PATH = "/wsman"
SOAP_TYPE = "application/soap+xml"
CERTIFICATE_DAYS = 30


class Hub:
    """What all connections of all hosts share."""

    def __init__(self, options, world):
        self.lock = threading.RLock()
        limits = Limits(options.envelope_kb * 1024, options.timeout_ms / 1000, options.enumeration_idle_ms / 1000,
                        options.batch_items, options.operations, options.larger_envelope)
        self.world, self.options = world, options
        self.services = {host.name: Service(world, host, self.lock, limits, options.job_ms / 1000, options.job_kept_ms / 1000,
                                            subscriptions=not options.no_subscriptions) for host in world.hosts}
        self.rules = control.Rules()
        self.orders = control.Orders(world, self.services, self.rules)
        self.log, self.file = [], open(options.log, "a", encoding="utf-8") if options.log else None
        self.certificate = b""

    def write(self, entry):
        with self.lock:
            self.log.append({"n": len(self.log) + 1, **entry})
            if self.file:
                print(json.dumps(self.log[-1]), file=self.file, flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection to one host; the class of each host has `hub` and `service`."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Microsoft-HTTPAPI/2.0", ""
    hub = service = None

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        schemes = [] if self.hub.options.no_negotiate else ["Negotiate"]
        schemes += [] if self.hub.options.no_basic else ["Basic"]
        self.auth = auth.Connection(ACCOUNTS, schemes, self.hub.certificate, self.hub.options.strict_binding,
                                    self.hub.options.keytab)
        self.restarts = self.service.restarts

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if body:
            self.send_header("Content-Type", SOAP_TYPE + ";charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(405 if self.path == PATH else 404)

    def do_POST(self):
        if self.restarts != self.service.restarts:
            self.close_connection = True
            return
        size = int(self.headers.get("Content-Length") or 0)
        # What a request may have over its limit is read, so that the answer arrives.
        data = self.rfile.read(min(size, 8 * self.hub.options.envelope_kb * 1024))
        entry = {"host": self.service.host.name, "time": round(time.time(), 3), "connection": self.client_address[1],
                 "bytes_in": size}
        began = time.monotonic()
        try:
            status, body, headers = self._judge(data, size, entry)
        except _Cut:
            entry["cut"] = True
            self.close_connection = True
        else:
            entry.update(status=status, bytes_out=len(body))
        entry["ms"] = round((time.monotonic() - began) * 1000, 1)
        self.hub.write(entry)  # Before the answer, so that who has the answer finds the line.
        if not entry.get("cut"):
            self.answer(status, body, headers)

    def _judge(self, data, size, entry):
        """(status, body, headers)"""
        if self.path != PATH:
            return 404, b"", ()
        if size > self.hub.options.envelope_kb * 1024:
            self.close_connection = True
            return 413, b"", ()
        before_logon = self.headers.get("WSMANIDENTIFY", "").lower() == "unauthenticated"
        account, token = self.auth.take(self.headers.get("Authorization"))
        if not account and not before_logon:
            entry["auth"] = "challenge" if token else "refused" if self.headers.get("Authorization") else "none"
            return 401, b"", [("WWW-Authenticate", one) for one in self.auth.challenges(token)]
        entry.update(account=account.name if account else "", auth=self.auth.scheme if account else "")
        if not (self.headers.get("Content-Type") or "").lower().startswith(SOAP_TYPE):
            return 415, b"", ()
        status, body = self._serve(data, account, entry)
        return status, body, ()

    def _serve(self, data, account, entry):
        message_id = ""
        try:
            request = soap.read(data)
            message_id = request.message_id
            operation = self.service.operation(request)
            entry.update(operation=operation, resource=request.resource,
                         selectors={name: str(value) for name, value in request.selectors.items()})
            if not account and operation != "Identify":
                return 401, b""
            with self.hub.lock:
                rule = self.hub.rules.match(self.service.host.name, operation)
                if rule:
                    entry["rule"] = rule["how"]
                    if rule["how"] == "order":
                        self.hub.orders.do(rule["order"])
            if rule and rule["how"] == "status":
                return rule["status"], b""
            self._obey_before(rule, request)
            root = self.service.run(request, operation, account, entry, rule if rule and rule["how"] in ("return", "job") else None)
            if rule and rule["how"] == "cut_after":
                raise _Cut
            return 200, soap.encode(root)
        except soap.Fault as fault:
            entry["fault"] = {"subcode": fault.subcode, "code": fault.code, "text": fault.text}
            status = 400 if fault.kind == "xml" else 500
            return status, soap.encode(soap.fault(fault, message_id, self.service.host.name))

    def _obey_before(self, rule, request):
        if not rule:
            return
        if rule["how"] == "fault":
            raise soap.Fault(rule["kind"], rule.get("text", ""), rule.get("provider", False))
        if rule["how"] == "cut_before":
            raise _Cut
        if rule["how"] == "slow":
            patience = min(request.timeout or self.hub.options.timeout_ms / 1000, self.hub.options.timeout_ms / 1000)
            time.sleep(min(rule["seconds"], patience))
            if rule["seconds"] > patience:
                raise soap.Fault("timed out")

    def log_message(self, *_):
        pass


class _Cut(Exception):
    """The connection is closed without an answer."""


class ControlHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub = None

    def _answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _handle(self):
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        hub, where = self.hub, (self.command, self.path)
        with hub.lock:
            try:
                if where == ("GET", "/state"):
                    return self._answer(control.told(hub.world))
                if where == ("GET", "/log"):
                    return self._answer(hub.log)
                if where == ("DELETE", "/log"):
                    hub.log = []
                elif where == ("GET", "/rules"):
                    return self._answer(hub.rules.rules)
                elif where == ("GET", "/fired"):
                    return self._answer(hub.rules.fired)
                elif where == ("DELETE", "/rules"):
                    hub.rules.rules = []
                elif where == ("POST", "/rules"):
                    hub.rules.add(json.loads(data))
                elif where == ("POST", "/orders"):
                    hub.orders.do(json.loads(data))
                else:
                    return self._answer({"error": f"no {self.command} {self.path}"}, 404)
            except (control.BadOrder, ValueError) as error:
                return self._answer({"error": str(error)}, 400)
        return self._answer({})

    do_GET = do_POST = do_DELETE = _handle

    def log_message(self, *_):
        pass


class Listener(http.server.ThreadingHTTPServer):
    """TLS is spoken in the thread of the connection, so that a silent client holds up nobody."""

    daemon_threads = True
    request_queue_size = 300  # MaxConnections
    context = None

    def finish_request(self, request, client_address):
        if self.context:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except OSError:
                return  # A client that refuses the certificate.
        super().finish_request(request, client_address)
        try:
            request.close()
        except OSError:
            pass

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def make_certificate(folder, days):
    """A self-signed one for localhost and 127.0.0.1; `days` under 0 makes one that has expired."""
    paths = os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
    # OpenSSL 3.5 makes none that ends before it begins: an expired one was made some days ago.
    made = ["faketime", "-f", f"-{1 - days}d"] if days < 0 else []
    for words in (["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", paths[1],
                   "-out", os.path.join(folder, "request"), "-subj", "/CN=localhost"],
                  ["x509", "-req", "-in", os.path.join(folder, "request"), "-signkey", paths[1], "-out", paths[0],
                   "-days", str(max(days, 1)), "-extfile", os.path.join(folder, "extensions")]):
        with open(os.path.join(folder, "extensions"), "w", encoding="ascii") as file:
            file.write("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=critical,CA:true\n")
        subprocess.run([*made, "openssl", *words], check=True, capture_output=True)
    return paths


def serve(handler, context=None, **attributes):
    listener = Listener(("127.0.0.1", 0), type("Bound", (handler,), attributes))
    listener.context = context
    threading.Thread(target=listener.serve_forever, daemon=True, kwargs={"poll_interval": 0.1}).start()
    return listener.server_address[1]


def read_options(words):
    parser = argparse.ArgumentParser(description="Hyper-V hosts for tests, by WS-Management over HTTPS.",
                                     epilog="Example: python3 tests/wsman/server.py --hosts 2 --vms 10 --log calls.jsonl")
    add = parser.add_argument
    add("--hosts", type=int, default=1, help="nodes; from 2 on they are a cluster (default 1)")
    add("--vms", type=int, default=2, help="guests over all hosts, beside a sensor on each (default 2)")
    add("--switch", default="vSwitch", help="name of the guests' switch on each host (default vSwitch)")
    add("--old", action="store_true", help="hosts before Windows Server 2016")
    add("--no-hyperv", action="store_true", help="no role Hyper-V: its namespace is missing")
    add("--log", metavar="FILE", help="append each call as a line of JSON")
    add("--job-ms", type=int, default=150, help="how long a change takes; 0: at once, without a job (default 150)")
    add("--job-kept-ms", type=int, default=300000, help="how long an ended job is known (default 300000)")
    add("--envelope-kb", type=int, default=500, help="MaxEnvelopeSizekb (default 500; 150 is Windows Server 2008 R2's)")
    add("--larger-envelope", choices=("cap", "refuse"), default="cap", help="for a MaxEnvelopeSize over it (default cap)")
    add("--timeout-ms", type=int, default=60000, help="MaxTimeoutms (default 60000)")
    add("--enumeration-idle-ms", type=int, default=60000, help="EnumerationTimeoutms (default 60000)")
    add("--batch-items", type=int, default=32000, help="MaxBatchItems (default 32000)")
    add("--operations", type=int, default=1500, help="open enumerations of a user (default 1500)")
    add("--no-basic", action="store_true", help="Basic is off, as on a host that nobody changed")
    add("--no-negotiate", action="store_true", help="Negotiate is off")
    add("--strict-binding", action="store_true", help="CbtHardeningLevel Strict: NTLM must be bound to this TLS channel")
    add("--keytab", metavar="FILE", help="keys of HTTP/localhost: Kerberos, too; the account is the principal's first part")
    add("--no-subscriptions", action="store_true", help="refuses subscriptions, so that a client must poll")
    add("--expired", action="store_true", help="a certificate that has expired")
    return parser.parse_args(words)


def main(words):
    options = read_options(words)
    if not options.no_negotiate and (why := auth.missing()):
        print(f"vmirror-wsman: {why}, which NTLM needs (install it, or give --no-negotiate)", file=sys.stderr)
        return 1
    world = World(options.hosts, options.vms, options.old, options.switch)
    for host in world.hosts:
        host.hyperv = not options.no_hyperv
    with tempfile.TemporaryDirectory(prefix="vmirror-wsman-") as folder:
        auth.write_accounts(os.path.join(folder, "accounts"), [one.name for one in world.hosts], ACCOUNTS)
        certificate, private_key = make_certificate(folder, -1 if options.expired else CERTIFICATE_DAYS)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, private_key)
        with open(certificate, encoding="ascii") as file:
            pem = file.read()
        hub = Hub(options, world)
        hub.certificate = ssl.PEM_cert_to_DER_cert(pem)
        hosts = [{"name": name, "url": f"https://localhost:{serve(Handler, context, hub=hub, service=service)}{PATH}"}
                 for name, service in hub.services.items()]
        print(json.dumps({"hosts": hosts, "control": f"http://127.0.0.1:{serve(ControlHandler, hub=hub)}", "certificate": pem,
                          "thumbprint": hashlib.sha256(hub.certificate).hexdigest()}), flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
