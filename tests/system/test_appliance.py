"""The agent in an appliance VM: its monitor NIC is found on the switch by its MAC, and the switch's
database is reached over TLS, with a certificate for each side."""

import os
import unittest

import system
import world as w
from daemon import Daemon

MONITOR_MAC = "52:54:00:00:00:99"
MANAGEMENT = ("198.51.100.1", "198.51.100.2")  # The host, the appliance.


def openssl(folder, *words):
    w.run("openssl", *words, "-days", "2", "-newkey", "rsa:2048", "-nodes", "-keyout",
          os.path.join(folder, "key.pem"), "-out", os.path.join(folder, "cert.pem"))


def make_certificates(folder):
    """One authority, and a certificate of it for the switch and one for the agent."""
    for name in ("ca", "switch", "agent"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    authority = [os.path.join(folder, "ca", name) for name in ("cert.pem", "key.pem")]
    openssl(os.path.join(folder, "ca"), "req", "-x509", "-subj", "/CN=test authority")
    for name in ("switch", "agent"):
        openssl(os.path.join(folder, name), "req", "-x509", "-subj", f"/CN={name}", "-CA", authority[0],
                "-CAkey", authority[1])
    return {name: (os.path.join(folder, name, "key.pem"), os.path.join(folder, name, "cert.pem"),
                   authority[0]) for name in ("switch", "agent")}


class Appliance(system.SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        certificates = make_certificates(os.path.join(cls.world.directory, "tls"))
        key, certificate, authority = certificates["switch"]
        cls.world.add_machine("appliance", "br0", "vnet-monitor", "10.0.0.99", MONITOR_MAC)
        cls.world.vsctl("set", "Interface", "vnet-monitor", f'external-ids:attached-mac="{MONITOR_MAC}"')
        w.run("ip", "link", "add", "mgmt", "type", "veth", "peer", "name", "eth1", "netns", "appliance")
        w.run("ip", "address", "add", MANAGEMENT[0] + "/24", "dev", "mgmt")
        w.run("ip", "-n", "appliance", "address", "add", MANAGEMENT[1] + "/24", "dev", "eth1")
        w.run("ip", "link", "set", "mgmt", "up")
        w.run("ip", "-n", "appliance", "link", "set", "eth1", "up")
        cls.world.kill("ovsdb-server")
        cls.world.start_database(f"--private-key={key}", f"--certificate={certificate}",
                                 f"--ca-cert={authority}", f"--remote=pssl:6640:{MANAGEMENT[0]}")
        cls.certificates = certificates

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        w.run("ip", "netns", "delete", "appliance", check=False)

    def agent(self, certificate_of, name):
        key, certificate, authority = certificate_of
        return Daemon(self.world, name, {
            "switch": {"driver": "ovs", "remote": f"ssl:{MANAGEMENT[0]}:6640", "private_key": key,
                       "certificate": certificate, "ca_certificate": authority, "timeout_ms": 3000},
            "local": {"monitor_nic": MONITOR_MAC}}, netns="appliance")

    def test_copies_go_to_the_monitor_nic(self):
        agent = self.host = self.agent(self.certificates["agent"], "appliance")
        agent.write_policy("watch", "policy: watch\nselect: [{vm: plc}]\ntargets: [local]\n")
        agent.start()
        self.talk_until("an active session", lambda: agent.sessions() == {"vnet-plc@local": "active"})
        [rows] = self.world.mirrors().values()
        self.assertEqual(rows[0]["output_port"], ["vnet-monitor"])
        # The port by which flows that run learn of a change: it stays down.
        self.assertEqual(self.owned_ports(), ["vmr-br0"])
        self.assertNotIn("UP", w.run("ip", "-o", "link", "show", "vmr-br0").split("<")[1].split(">")[0])
        self.assertGreater(agent.ask("status")["frames"]["analysed"], 0)
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(self.world.mirrors(), {})
        self.assertEqual(self.owned_ports(), [])

    def owned_ports(self):
        return [row["name"] for row in self.world.rows("Port", "name", "external_ids")
                if "vmirror-owner" in (row["external_ids"] or {})]

    def test_a_monitor_nic_does_not_mirror_itself(self):
        agent = self.agent(self.certificates["agent"], "appliance")
        agent.write_policy("watch", "policy: watch\nselect: [{port: vnet-monitor}]\ntargets: [local]\n")
        agent.start()
        [session] = self.eventually("the session", lambda: agent.ask("sessions")["sessions"])
        self.assertEqual(session["state"], "refused")
        self.assertEqual(self.world.mirrors(), {})
        agent.remove_policy("watch")
        agent.stop()

    def test_a_certificate_of_another_authority_gets_no_connection(self):
        strangers = make_certificates(os.path.join(self.world.directory, "strangers"))
        agent = self.agent(strangers["agent"], "stranger")
        agent.write_policy("watch", "policy: watch\nselect: [{vm: plc}]\ntargets: [local]\n")
        agent.start()
        error = self.eventually("the error", lambda: agent.ask("status")["switch"]["error"])
        self.assertEqual(error["kind"], "unreachable")
        self.assertEqual(self.world.mirrors(), {})
        agent.stop()


if __name__ == "__main__":
    system.main(__file__)
