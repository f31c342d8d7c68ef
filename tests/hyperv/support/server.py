"""HTTPS servers on loopback for the tests of Sync-VMirror and of the hook: one for each certificate of a folder.

    python3 server.py FOLDER      # prints one line of JSON, certificate -> port; ends when its input does

Paths: /sessions (the document that was last PUT there), /token (wants the bearer token `secret`), /client (wants
a client certificate), /status/N, /moved, /slow, /big, /html, /seen (what was sent: the last query and bodies).
"""

import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import time

NAMES = ("good", "other", "expired", "self")
STATE = {"document": '{"vmirror": 1, "sessions": []}', "queries": [], "bodies": [], "tokens": []}


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def make_certificates(folder):
    """A CA, what it signed (good, other, expired, client), and one that signed itself."""
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
            "-days", "30", "-subj", "/CN=vmirror test CA")
    names = {"good": "DNS:localhost", "other": "DNS:other.example", "expired": "DNS:localhost", "client": "DNS:client"}
    for name, alternative in names.items():
        openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", f"/CN={alternative[4:]}")
        with open(os.path.join(folder, "extensions"), "w", encoding="ascii") as out:
            out.write(f"subjectAltName={alternative}\n")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{name}.pem", "-days", "-1" if name == "expired" else "30", "-extfile", "extensions")
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "self.key", "-out", "self.pem",
            "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    openssl(folder, "pkcs12", "-export", "-inkey", "client.key", "-in", "client.pem", "-out", "client.pfx",
            "-passout", "pass:test")


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body="", kind="application/json", **headers):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(data)
        except OSError:
            pass  # The client had enough of it.

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()

    def do_PUT(self):
        STATE["document"] = self.body()
        self.answer(204)

    def do_POST(self):
        STATE["bodies"].append(self.body())
        STATE["tokens"].append(self.headers.get("Authorization", ""))
        self.answer(404 if self.path.startswith("/none") else 200, "{}")

    def do_GET(self):
        path, _, query = self.path.partition("?")
        STATE["queries"].append(query)
        if path == "/sessions":
            self.answer(200, STATE["document"])
        elif path == "/token":
            right = self.headers.get("Authorization") == "Bearer secret"
            self.answer(200 if right else 401, STATE["document"])
        elif path == "/client":
            self.answer(200 if self.connection.getpeercert() else 403, STATE["document"])
        elif path.startswith("/status/"):
            self.answer(int(path[8:]))
        elif path == "/moved":
            self.answer(302, Location="/sessions")
        elif path == "/slow":
            time.sleep(30)
        elif path == "/big":
            self.answer(200, "x" * (5 << 20))
        elif path == "/html":
            self.answer(200, "<html>", "text/html")
        elif path == "/seen":
            self.answer(200, json.dumps(STATE))
        else:
            self.answer(404)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # Clients that refuse the certificate are what is tested.


def main(folder):
    ports = {}
    for name in NAMES:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(folder, f"{name}.pem"), os.path.join(folder, f"{name}.key"))
        context.load_verify_locations(os.path.join(folder, "ca.pem"))
        context.verify_mode = ssl.CERT_OPTIONAL
        server = Server(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ports[name] = server.server_address[1]
    plain = Server(("127.0.0.1", 0), Handler)  # No TLS at all.
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    ports["plain"] = plain.server_address[1]
    print(json.dumps(ports), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
