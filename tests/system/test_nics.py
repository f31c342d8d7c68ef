"""NICs that can't be mirrored say so, on a real libvirtd: of every type that runs here, also when they are
plugged in later; and what changes on a NIC without an event.
"""

import os
import re
import time

import cluster as c
import system
import world as w
from daemon import host_daemon

#: What is in a NIC's description, and what its location says.
ELSEWHERE = {
    "52:54:00:00:0b:01": ('<interface type="bridge"><source bridge="lbr1"/>', "Linux bridge lbr1"),
    "52:54:00:00:0b:02": ('<interface type="network"><source network="plain"/>', "Linux bridge lbr1 (network plain)"),
    "52:54:00:00:0b:03": ('<interface type="user">', "user-mode networking"),
    "52:54:00:00:0b:04": ('<interface type="mcast"><source address="230.0.0.1" port="5558"/>',
                          "multicast socket 230.0.0.1:5558"),
    "52:54:00:00:0b:05": ('<interface type="server"><source address="127.0.0.1" port="5559"/>',
                          "TCP socket 127.0.0.1:5559"),
    "52:54:00:00:0b:06": ('<interface type="udp"><source address="127.0.0.1" port="5560">'
                          '<local address="127.0.0.1" port="5561"/></source>', "UDP socket 127.0.0.1:5560"),
    "52:54:00:00:0b:07": ('<interface type="ethernet"><target dev="tap-own" managed="no"/>',
                          "device tap-own, which is no port of a switch here"),
}
PLAIN = '<network><name>plain</name><forward mode="bridge"/><bridge name="lbr1"/></network>'


def nic(mac, where):
    return f'{where}<mac address="{mac}"/><model type="virtio"/><rom enabled="no"/></interface>'


class Nics(c.ClusterTest):
    hosts = ("hosta",)
    policy = ("policy: watch\nselect: [{vm: resident}, {uuid: 'bbbbbbbb-*'}]\ntargets: [local]\n")
    number = 0

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.a.run("ip", "link", "add", "lbr1", "type", "bridge")
        cls.a.run("ip", "link", "set", "lbr1", "up")
        cls.a.run("ip", "route", "add", "224.0.0.0/4", "dev", "mgmt")  # For the multicast socket.
        cls.a.run("ip", "tuntap", "add", "tap-own", "mode", "tap", "vnet_hdr")
        path = os.path.join(cls.a.directory, "plain.xml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(PLAIN)
        cls.a.virsh("net-create", path)

    def setUp(self):
        type(self).number += 1
        self.guest = c.Guest(f"nics{self.number}", self.number)
        self.addCleanup(self.cluster.end_guest, self.guest)

    def sessions(self):
        return {s["mac"]: s for s in self.a.daemon.ask("sessions")["sessions"] if s["vm"] == self.guest.name}

    def locations(self):
        return {one["mac"]: one for one in self.a.daemon.ask("locations")["locations"]
                if one["vm_uuid"] == self.guest.uuid and one["presence"] != "gone"}

    def policy_status(self):
        [policy] = [p for p in self.a.daemon.ask("status")["policies"] if p["name"] == "watch"]
        return policy

    def plug(self, word, text):
        path = os.path.join(self.a.directory, "device.xml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        self.a.virsh(word, self.guest.uuid, path, "--live")

    # ---- NICs of every type ----

    def test_each_says_what_it_is_on(self):
        self.a.start_silent(self.guest, nics=self.guest.nic_xml() + "".join(
            nic(mac, where) for mac, (where, _) in ELSEWHERE.items()))
        self.eventually("its mirror", lambda: self.a.mirrored(self.guest))
        self.eventually("all of its NICs", lambda: sorted(self.locations()) == sorted([self.guest.mac, *ELSEWHERE]))
        at, sessions = self.locations(), self.sessions()
        self.assertEqual({mac: at[mac]["not_mirrored"] for mac in ELSEWHERE},
                         {mac: "not mirrored: its NIC is on " + on for mac, (_, on) in ELSEWHERE.items()})
        self.assertIsNone(at[self.guest.mac]["not_mirrored"])
        self.assertEqual({mac: s["state"] == "refused" for mac, s in sessions.items()},
                         {self.guest.mac: False, **{mac: True for mac in ELSEWHERE}})
        for mac, (_, on) in ELSEWHERE.items():
            self.assertIn(f"not mirrored: its NIC is on {on} (", sessions[mac]["reason"])
        status = self.policy_status()
        self.assertEqual(status["state"], "refused", status)
        self.assertIn(f"and {len(ELSEWHERE) - 1} more", status["reason"])
        self.assertEqual(self.a.daemon.run("sessions", check=False).returncode, 2)

    def test_one_that_is_plugged_in_later_and_out(self):
        mac = "52:54:00:00:0b:03"
        xml = self.guest.silent_xml().replace("<devices>", "<features><acpi/></features><devices>")  # To plug into.
        self.a.virsh("create", self.a.keep_xml(self.guest, xml))
        self.eventually("its mirror", lambda: self.a.mirrored(self.guest) and list(self.sessions()) == [self.guest.mac])
        self.eventually("nothing to say", lambda: self.policy_status()["state"] == "in force")
        self.plug("attach-device", nic(mac, ELSEWHERE[mac][0]))
        self.eventually("it is told", lambda: self.sessions().get(mac, {}).get("state") == "refused")
        self.assertEqual(self.policy_status()["state"], "refused")
        self.a.virsh("destroy", self.guest.uuid)
        self.eventually("nothing of it", lambda: not self.sessions() and not self.locations())
        self.assertEqual(self.policy_status()["state"], "in force")

    def test_a_guest_that_did_not_start_is_forgotten(self):
        """libvirt tells no event of it, and lets its description be read while it starts."""
        with self.assertRaises(w.Failed):  # That is no group's address.
            self.a.start_silent(self.guest, nics=self.guest.nic_xml() + nic(
                "52:54:00:00:0b:08", '<interface type="mcast"><source address="10.1.1.1" port="5558"/>'))
        time.sleep(2)  # For what was read of it to be kept.
        self.eventually("nothing of it", lambda: not self.locations() and not self.sessions())
        self.assertEqual(self.policy_status()["state"], "in force")

    # ---- What changes without an event ----

    def test_a_link_that_is_down_is_said(self):
        self.a.start_silent(self.guest)
        self.eventually("its mirror", lambda: self.a.mirrored(self.guest) and self.sessions())
        [port] = self.a.ports_of(self.guest)
        for state, count in (("down", 1), ("up", 0)):
            self.a.virsh("domif-setlink", self.guest.uuid, port, state)
            self.eventually(f"link {state}", lambda n=count: len(self.sessions()[self.guest.mac]["warnings"]) == n)
            self.assertEqual(self.locations()[self.guest.mac]["link_down"], state == "down")

    def test_a_vlan_that_is_changed_is_followed_by_the_ports_tag(self):
        """What the other VLAN's guests are sent is none of its frames any more."""
        self.a.start_silent(self.guest)
        self.eventually("its mirror", lambda: self.a.mirrored(self.guest) and self.sessions())
        [port] = self.a.ports_of(self.guest)
        described = re.search("<interface.*?</interface>", self.a.virsh("dumpxml", self.guest.uuid), re.S)[0]
        self.plug("update-device", described.replace("</interface>", '<vlan><tag id="20"/></vlan></interface>'))
        self.eventually("its tag", lambda: self.a.vsctl("get", "Port", port, "tag") == "20")
        self.eventually("the agent's VLAN", lambda: self.locations()[self.guest.mac]["vlan"] == 20)
        self.assertTrue(self.a.mirrored(self.guest))


class WithoutMarks(system.SystemTest):
    """Ports on which nobody wrote external_ids, as Proxmox's taps: who is behind one its frames show."""

    mac = "52:54:00:00:0c:01"
    policy = "policy: by-mac\nselect: [{mac: '52:54:00:00:0c:*'}]\ntargets: [local]\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = host_daemon(cls.world)
        cls.host.write_policy("by-mac", cls.policy)
        cls.host.start()
        cls.world.add_machine("bare", "br0", "tap100i0", "10.0.0.30", cls.mac)
        cls.addClassCleanup(w.run, "ip", "netns", "delete", "bare", check=False)

    def status(self):
        [policy] = [p for p in self.host.ask("status")["policies"] if p["name"] == "by-mac"]
        return policy

    def test_a_port_is_selected_by_the_address_that_its_frames_show(self):
        self.eventually("it says what it can't compare", lambda:
                        "port tap100i0: its external_ids have none, and it has sent nothing yet" in
                        self.status()["reason"])
        self.assertEqual(self.status()["state"], "selects nothing")

        def counted():
            self.world.traffic("bare", "ping", "10.0.0.11", 3)
            rows = [row for row in self.host.ask("status")["coverage"] if row["mac"] == self.mac]
            return rows and rows[0]["received"] > 0 and rows[0]["port"] == "br0/tap100i0"
        self.eventually("its coverage", counted, 40)
        self.assertEqual(list(self.host.sessions()), ["tap100i0@local"])
        self.assertEqual(self.status()["state"], "in force")
        self.world.vsctl("del-port", "tap100i0")
        self.eventually("no session", lambda: not self.host.sessions())

    def test_what_cannot_be_read_is_said(self):
        os.rename("/run/openvswitch/ovs-vswitchd.ctl", "/run/openvswitch/aside")
        self.addCleanup(os.rename, "/run/openvswitch/aside", "/run/openvswitch/ovs-vswitchd.ctl")
        self.world.add_machine("other", "br0", "tap101i0", "10.0.0.31", "52:54:00:00:0c:02")
        self.addCleanup(w.run, "ip", "netns", "delete", "other", check=False)
        self.eventually("why not", lambda: "port tap101i0: its external_ids have none, and what the switch has "
                        "learned can't be read: /run/openvswitch: no control socket of ovs-vswitchd" in
                        self.status()["reason"])


if __name__ == "__main__":
    system.main(__file__, c.unavailable)
