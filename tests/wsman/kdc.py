"""A realm of Kerberos for tests: MIT's KDC on loopback, with its principals and their keytabs (Debian: krb5-kdc,
krb5-admin-server)."""

import os
import shutil
import socket
import subprocess
import tempfile
import time

PROGRAMS = {name: f"/usr/sbin/{name}" for name in ("krb5kdc", "kdb5_util", "kadmin.local")}
WAIT_S = 30


def missing():
    """Why there is no KDC to start, or an empty text."""
    return next((f"no {path}" for path in PROGRAMS.values() if not os.access(path, os.X_OK)), "")


class Kdc:
    """The realm TEST; use with `with`. `environment` is that of its clients and servers."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="vmirror-kdc-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            at = f"127.0.0.1:{probe.getsockname()[1]}"
        self._write("krb5.conf", f"""[libdefaults]
 default_realm = TEST
 dns_lookup_kdc = false
 rdns = false
 dns_canonicalize_hostname = false
[realms]
 TEST = {{
  kdc = {at}
 }}
[domain_realm]
 localhost = TEST
""")
        self._write("kdc.conf", f"""[kdcdefaults]
 kdc_listen = {at}
 kdc_tcp_listen = {at}
[realms]
 TEST = {{
  database_name = {self.path("principal")}
  key_stash_file = {self.path("stash")}
 }}
""")
        self.environment = {"KRB5_CONFIG": self.path("krb5.conf"), "KRB5_KDC_PROFILE": self.path("kdc.conf"),
                            "KRB5CCNAME": "FILE:" + self.path("none")}
        self._run("kdb5_util", "-r", "TEST", "create", "-s", "-P", "master")
        self.log = open(self.path("log"), "w", encoding="utf-8")
        self.process = subprocess.Popen([PROGRAMS["krb5kdc"], "-n"], env={**os.environ, **self.environment}, stdout=self.log,
                                        stderr=self.log)
        host, port = at.split(":")
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def path(self, name):
        return os.path.join(self.folder, name)

    def _write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)

    def _run(self, program, *words):
        subprocess.run([PROGRAMS[program], *words], env={**os.environ, **self.environment}, check=True, capture_output=True)

    def keytab(self, principal):
        """A new principal's: the file."""
        path = self.path(principal.replace("/", "-") + ".keytab")
        for query in (f"addprinc -randkey {principal}", f"ktadd -k {path} {principal}"):
            self._run("kadmin.local", "-r", "TEST", "-q", query)
        return path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(WAIT_S)
        self.log.close()
        shutil.rmtree(self.folder)
