"""Who gets the copies of an RSPAN VLAN, and what the switch makes of patch ports and bonds as sources. Two
guests talk all the time; the third has nothing to do with it, and its port neither a tag nor trunks."""
# versions: all

import json
import os

import system
import world as w
from test_change import SENT, policy, senders, window

GUESTS = ["vnet-hmi", "vnet-plc", "vnet-web"]
RSPAN = "[{rspan: {vlan: 100}}]"
RESTRICTED = "[{rspan: {vlan: 100, restrict: true}}]"


class Rspan(system.SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, peer in (("web", "plc"), ("plc", "web")):
            address = w.GUESTS[peer][0]
            cls.world.in_machine(name, "ip", "neigh", "replace", address, "lladdr", w.GUESTS[peer][1], "dev", "eth0")
            cls.world.spawn(f"{name}-stream", "python3", os.path.join(w.HERE, "traffic.py"), "stream", address,
                            name, netns=name)
        cls.world.run("ip", "link", "add", "sensor", "type", "veth", "peer", "name", "sensor-nic")
        for link in ("sensor", "sensor-nic"):
            cls.world.run("ip", "link", "set", link, "up")
        cls.world.vsctl("add-port", "br0", "sensor", "trunks=100")

    @classmethod
    def tearDownClass(cls):
        cls.world.run("ip", "link", "delete", "sensor", check=False)
        super().tearDownClass()

    def setUp(self):
        self.host = system.host_daemon(self.world).start()

    def tearDown(self):
        if self.world.alive("host"):
            self.host.stop()
        for name in os.listdir(self.host.policies):
            os.remove(os.path.join(self.host.policies, name))

    def session(self):
        sessions = self.host.ask("sessions")["sessions"]
        return sessions[0] if len(sessions) == 1 else None

    def ports(self):
        """Name -> (how many trunks, VLAN 100 among them, what external_ids say) of the guests' ports."""
        rows = json.loads(self.world.vsctl("--format=json", "--columns=name,trunks,external_ids", "list", "Port"))
        out = {}
        for name, trunks, ids in rows["data"]:
            trunks = trunks[1] if isinstance(trunks, list) else [trunks]
            if name in GUESTS:
                out[name] = (len(trunks), 100 in trunks, dict(ids[1]))
        return out

    def free(self):
        return all(port == (0, False, {}) for port in self.ports().values())

    def kept_off(self):
        return all(port == (4095, False, {"vmirror-kept-off-vmirror": "100"}) for port in self.ports().values())

    def at(self, device):
        """What passes a device while plc sends; None: it sent too little to say."""
        sent, copies = window(["vnet-plc", device], 1.0)
        return copies if len(sent) > SENT else None

    def test_guests_that_did_not_ask_are_named_and_get_nothing(self):
        self.host.write_policy("watch", policy(["web"], RSPAN))
        session = self.eventually("a session", self.session)
        self.assertEqual(session["state"], "refused")
        for word in (*GUESTS, "VLAN 100", "restrict: true"):
            self.assertIn(word, session["reason"])
        self.assertEqual(self.world.mirrors(), {})
        self.eventually("nothing at the third guest", lambda: self.at("vnet-hmi") == [])
        self.assertTrue(self.free())

    def test_restrict_keeps_the_vlan_off_them_and_gives_it_back(self):
        self.host.write_policy("watch", policy(["web"], RESTRICTED))

        def watched():
            return (self.kept_off() and senders(self.at("sensor-nic") or []) == {"web", "plc"} and
                    self.at("vnet-hmi") == [])
        self.eventually("copies at the sensor alone", watched)
        warnings = " ".join(self.session()["warnings"])
        self.assertIn("kept off vnet-hmi, vnet-plc, vnet-web", warnings)
        self.assertIn("sensor", warnings)

        with self.subTest("somebody clears the trunks"):
            self.world.vsctl("clear", "Port", "vnet-hmi", "trunks")
            self.eventually("as before", watched)
        with self.subTest("a guest is plugged again"):
            self.world.plug("hmi")
            self.eventually("as before", watched)
        with self.subTest("somebody gives it VLANs of his own, which stay"):
            self.world.vsctl("set", "Port", "vnet-hmi", "trunks=[0,5]")
            self.eventually("the record gone", lambda: self.ports()["vnet-hmi"] == (2, False, {}))
            self.world.vsctl("clear", "Port", "vnet-hmi", "trunks")
            self.eventually("as before", watched)
        with self.subTest("the daemon is killed, and its mirrors pruned"):
            self.world.kill("host")
            self.assertTrue(self.kept_off())
            self.host.remove_policy("watch")
            self.world.run(os.path.join(w.BIN, "vmirror"), "apply", "--prune", "--config", self.host.config)
            self.assertTrue(self.free())
            self.assertEqual(self.world.mirrors(), {})
        with self.subTest("the policy goes"):
            self.host.start()
            self.host.write_policy("watch", policy(["web"], RESTRICTED))
            self.eventually("as before", watched)
            self.host.remove_policy("watch")
            self.eventually("as it was", lambda: self.free() and not self.world.mirrors())


class BehindAPatchPort(Rspan):
    """The sensor is on another bridge, which a patch port leads to: as br-ex behind br-int. A stranger is there, too."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.world.vsctl("del-port", "sensor")
        cls.world.run("ip", "link", "add", "stranger", "type", "veth", "peer", "name", "stranger-nic")
        for link in ("stranger", "stranger-nic"):
            cls.world.run("ip", "link", "set", link, "up")
        cls.world.vsctl("add-br", "br9", "--", "set", "bridge", "br9", "datapath_type=netdev", "--",
                        "add-port", "br0", "to-br9", "--", "set", "Interface", "to-br9", "type=patch",
                        "options:peer=to-br0", "--", "add-port", "br9", "to-br0", "--", "set", "Interface",
                        "to-br0", "type=patch", "options:peer=to-br9", "--",
                        "add-port", "br9", "sensor", "trunks=100", "--", "add-port", "br9", "stranger")

    @classmethod
    def tearDownClass(cls):
        cls.world.vsctl("del-br", "br9", "--", "del-port", "br0", "to-br9")
        cls.world.run("ip", "link", "delete", "stranger", check=False)
        super().tearDownClass()

    def stranger(self):
        """How many trunks its port has."""
        trunks = json.loads(self.world.vsctl("--format=json", "--columns=trunks", "list", "Port", "stranger"))["data"][0][0]
        return len(trunks[1]) if isinstance(trunks, list) else 1

    def test_guests_that_did_not_ask_are_named_and_get_nothing(self):
        self.host.write_policy("watch", policy(["web"], RSPAN))
        session = self.eventually("a session", self.session)
        self.assertEqual(session["state"], "refused")
        self.assertIn("stranger on br9", session["reason"])
        self.assertEqual(self.world.mirrors(), {})

    def test_restrict_keeps_the_vlan_off_them_and_gives_it_back(self):
        self.host.write_policy("watch", policy(["web"], RESTRICTED))
        self.eventually("both directions at the sensor alone", lambda: (
            self.kept_off() and self.stranger() == 4095 and
            senders(self.at("sensor-nic") or []) == {"web", "plc"} and self.at("stranger-nic") == []))
        self.host.remove_policy("watch")
        self.eventually("as it was", lambda: self.free() and self.stranger() == 0 and not self.world.mirrors())


class Sources(system.SystemTest):
    def setUp(self):
        self.host = system.host_daemon(self.world).start()

    def tearDown(self):
        self.host.stop()

    def test_what_the_switch_makes_of_a_patch_port_and_a_bond(self):
        self.world.vsctl("add-br", "br9", "--", "set", "bridge", "br9", "datapath_type=netdev", "--",
                         "add-port", "br0", "to-br9", "--", "set", "Interface", "to-br9", "type=patch",
                         "options:peer=to-br0", "--", "add-port", "br9", "to-br0", "--", "set", "Interface",
                         "to-br0", "type=patch", "options:peer=to-br9")
        for link in ("slave1", "slave2"):
            self.world.run("ip", "link", "add", link, "type", "veth", "peer", "name", link + "-far")
            self.world.run("ip", "link", "set", link, "up")
        self.world.vsctl("add-bond", "br9", "bond9", "slave1", "slave2")
        try:
            self.host.write_policy("watch", "policy: watch\nselect: [{port: to-br9}, {port: bond9}]\n"
                                   "targets: [local]\n")
            sessions = self.eventually("both sessions", lambda: {
                s["port"]: s for s in self.host.ask("sessions")["sessions"]} if len(
                    self.host.ask("sessions")["sessions"]) == 2 else None)
            self.assertEqual(sessions["to-br9"]["state"], "refused")
            self.assertIn("patch port, of whose frames the switch copies none", sessions["to-br9"]["reason"])
            self.assertNotEqual(sessions["bond9"]["state"], "refused")
            self.assertIn("all its members (slave1, slave2)", " ".join(sessions["bond9"]["warnings"]))
        finally:
            self.host.remove_policy("watch")
            self.eventually("no mirror", lambda: not self.world.mirrors())
            self.world.vsctl("del-br", "br9", "--", "del-port", "br0", "to-br9")
            for link in ("slave1", "slave2"):
                self.world.run("ip", "link", "delete", link, check=False)


if __name__ == "__main__":
    system.main(__file__)
