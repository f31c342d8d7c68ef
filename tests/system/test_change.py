"""A change of a mirror reaches the flows that run already: two guests talk all the time, in two UDP flows
that never pause, and what is copied of them follows the policy."""

# versions: all
# datapaths: all
import os
import re
import signal
import socket
import time

import system
import traffic
import world as w
from daemon import Daemon

ETH_P_ALL = 3
SENT = 50  #: Frames in a window, so that none of them copied says something.


class Tap:
    """What passes a device, of the streams: who sends it, and how long it is there."""

    def __init__(self, device):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind((device, 0))
        self.socket.setblocking(False)

    def take(self):
        out = []
        while True:
            try:
                frame = self.socket.recv(65536)
            except BlockingIOError:
                return out
            except OSError:  # The device went.
                return out
            if found := re.search(traffic.STREAM + rb"(\w*)", frame):
                out.append((found[1].decode(), len(frame)))

    def close(self):
        self.socket.close()


def window(devices, seconds=0.6):
    """Frames that pass each of the devices in one stretch of time."""
    taps = [Tap(device) for device in devices]
    try:
        time.sleep(seconds)
        return [tap.take() for tap in taps]
    finally:
        for tap in taps:
            tap.close()


def policy(vms, targets="[local]", **more):
    """Its text; named `watch`."""
    selectors = ", ".join(f"{{vm: {vm}}}" for vm in vms)
    lines = [f"{key}: {value}" for key, value in more.items()]
    return "\n".join(["policy: watch", f"select: [{selectors}]", f"targets: {targets}", *lines, ""])


ERSPAN = f"[{{erspan: {{address: {w.COLLECTOR_ADDRESS}, session: 5}}}}]"


WEB = f"vnet-web@erspan-{w.COLLECTOR_ADDRESS}"


def senders(frames):
    return {name for name, _ in frames}


class Change(system.SystemTest):
    with_collector = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, peer in (("web", "plc"), ("plc", "web")):
            address = w.GUESTS[peer][0]
            cls.world.in_machine(name, "ip", "neigh", "replace", address, "lladdr", w.GUESTS[peer][1], "dev", "eth0")
            cls.world.spawn(f"{name}-stream", "python3", os.path.join(w.HERE, "traffic.py"), "stream", address,
                            name, netns=name)
        cls.host = system.host_daemon(cls.world).start()

    def tearDown(self):
        for name in os.listdir(self.host.policies):
            os.remove(os.path.join(self.host.policies, name))
        self.eventually("no mirrors", lambda: not self.world.mirrors())
        for port in ("vnet-web", "vnet-plc", "vnet-hmi"):
            self.world.vsctl("clear", "Port", port, "tag", "--", "clear", "Port", port, "trunks")

    def outputs(self):
        """Ports of the switch that mirrors copy to."""
        return sorted({port for rows in self.world.mirrors().values() for row in rows
                       for port in row["output_port"]})

    def copied(self, what, right, devices=None):
        """Waits until what is copied while both guests send is `right`."""
        seen = {}

        def look():
            names = devices or self.outputs()
            try:
                sent, *copies = window(["vnet-plc", *names])
            except OSError:  # A device went meanwhile.
                return False
            seen["last"] = (len(sent), names, [(name, len(c), sorted(set(c))) for name, c in zip(names, copies)])
            return len(sent) > SENT and right([frame for some in copies for frame in some])
        try:
            w.wait_for(what, look, 30)
        except w.Failed as error:
            self.fail(f"{error}; sent, copied: {seen.get('last')}")

    def in_place(self, text):
        """Puts the policy in force, and waits until the switch shows it."""
        self.host.write_policy("watch", text)
        self.eventually("the policy on the switch", lambda: self.world.mirrors() and self.host.in_sync())

    def both(self, copies):
        return senders(copies) == {"web", "plc"} and len(copies) > SENT

    def none(self, copies):
        return not copies

    def test_a_mirror_that_is_added(self):
        self.in_place(policy(["web"]))
        self.copied("copies of both directions", self.both)

    def test_a_source_that_is_added_to_a_mirror(self):
        self.in_place(policy(["hmi"]))
        self.copied("no copies", self.none)
        self.in_place(policy(["hmi", "web"]))
        self.copied("copies of both directions", self.both)

    def test_a_source_that_goes_from_a_mirror(self):
        self.in_place(policy(["hmi", "web"]))
        self.copied("copies of both directions", self.both)
        self.in_place(policy(["hmi"]))
        self.copied("no copies", self.none)

    def test_another_snaplen(self):
        self.in_place(policy(["web"], snaplen=128))
        self.copied("128 bytes", lambda copies: {size for _, size in copies} == {128})
        for snaplen in (100, 0):
            self.in_place(policy(["web"], snaplen=snaplen))
            size = snaplen or 342
            self.copied(f"{size} bytes", lambda copies, size=size: {n for _, n in copies} == {size})

    def test_another_direction(self):
        self.in_place(policy(["web"]))
        for direction, expected in (("in", {"plc"}), ("out", {"web"}), ("both", {"web", "plc"})):
            self.in_place(policy(["web"], direction=direction))
            self.copied(f"{expected} alone", lambda copies, them=expected: senders(copies) == them)

    def test_other_vlans(self):
        self.world.vsctl("set", "Port", "vnet-web", "tag=10", "--", "set", "Port", "vnet-plc", "tag=10")
        self.in_place(policy(["web"], vlans="[10]"))
        self.copied("copies of VLAN 10", self.both)
        self.in_place(policy(["web"], vlans="[20]"))
        self.copied("no copies", self.none)
        self.in_place(policy(["web"], vlans="[20, 10]"))
        self.copied("copies of VLAN 10", self.both)

    def test_two_changes_that_the_switch_takes_in_at_once(self):
        self.in_place(policy(["web"]))
        self.copied("copies of both directions", self.both)
        vswitchd = self.world.processes["ovs-vswitchd"]
        vswitchd.send_signal(signal.SIGSTOP)
        try:
            for direction in ("out", "in"):
                self.in_place(policy(["web"], direction=direction))
        finally:
            vswitchd.send_signal(signal.SIGCONT)
        self.copied("what plc sends", lambda copies: senders(copies) == {"plc"})

    def test_two_guests_that_talk_to_each_other_are_cut_differently(self):
        """Of mirrors with one output the switch makes one copy, cut as the sender's mirror says."""
        self.host.write_policy("plc", policy(["plc"], snaplen=150).replace("watch", "plc"))
        self.in_place(policy(["web"], snaplen=100))
        self.eventually("both mirrors", lambda: len(self.outputs()) == 2 and self.host.in_sync())

        def right(copies):
            sizes = {size: {name for name, n in copies if n == size} for size in (100, 150)}
            return (set(n for _, n in copies) == {100, 150} and
                    all(names == {"web", "plc"} for names in sizes.values()))
        self.copied("both flows twice, cut to 100 and to 150", right)
        self.eventually("each session proven", lambda: set(self.host.sessions().values()) == {"active"})
        self.assertNotIn("makes one copy", str([s["warnings"] for s in self.host.ask("sessions")["sessions"]]))

        # Where the output is given, it is said.
        self.host.write_policy("plc", policy(["plc"], ERSPAN, vlans="[0]").replace("watch", "plc"))
        self.in_place(policy(["web"], ERSPAN, vlans="[0, 10]"))
        self.eventually("the warnings", lambda: all(
            "makes one copy" in " ".join(s["warnings"]) for s in self.host.ask("sessions")["sessions"]))

    def test_the_frames_of_the_mirror_before_prove_nothing(self):
        """What flows that run had counted is added to the mirror that takes the place of theirs."""
        self.world.vsctl("set", "Port", "vnet-web", "tag=10", "--", "set", "Port", "vnet-plc", "tag=10")
        self.in_place(policy(["web"], ERSPAN, vlans="[10]"))
        self.eventually("an active session", lambda: self.host.sessions() == {WEB: "active"})
        self.in_place(policy(["web"], ERSPAN, vlans="[30]"))
        self.copied("no copies", self.none, ["wan-collector"])
        states = set()
        end = time.monotonic() + 16  # The counters are written every 5 s.
        while time.monotonic() < end:
            states.add(self.host.sessions()[WEB])
            time.sleep(0.2)
        self.assertNotIn("active", states)

    def test_the_last_policy_goes(self):
        for targets, devices in (("[local]", None), (ERSPAN, ["wan-collector"])):
            with self.subTest(targets):
                self.in_place(policy(["web"], targets))
                self.copied("copies of both directions", self.both, devices)
                self.host.remove_policy("watch")
                self.eventually("no mirror", lambda: not self.world.mirrors())
                self.copied("no copies", self.none, devices)

    def test_a_vlan_takes_the_copies(self):
        """No port of ours takes them: everything else on the bridge is somebody's."""
        self.world.vsctl("set", "Port", "vnet-web", "tag=10", "--", "set", "Port", "vnet-plc", "tag=10",
                         "--", "set", "Port", "vnet-hmi", "trunks=100")
        text = policy(["web"], "[{rspan: {vlan: 100}}]")
        for _ in range(2):
            self.in_place(text)
            self.copied("copies of both directions", self.both, ["vnet-hmi"])
            self.in_place(text + "direction: in\n")
            self.copied("what plc sends", lambda copies: senders(copies) == {"plc"}, ["vnet-hmi"])
            self.host.remove_policy("watch")
            self.eventually("no mirror", lambda: not self.world.mirrors())
            self.copied("no copies", self.none, ["vnet-hmi"])

    def test_an_appliances_nic_takes_the_copies(self):
        appliance = Daemon(self.world, "appliance", {
            "switch": {"driver": "ovs", "remote": w.OVSDB, "owner": "appliance"},
            "local": {"monitor_nic": w.GUESTS["hmi"][1]}}).start()
        try:
            for _ in range(2):
                appliance.write_policy("watch", policy(["web"]))
                self.copied("copies of both directions", self.both, ["vnet-hmi"])
                appliance.write_policy("watch", policy(["web"], direction="in"))
                self.copied("what plc sends", lambda copies: senders(copies) == {"plc"}, ["vnet-hmi"])
                appliance.remove_policy("watch")
                self.eventually("no mirror", lambda: not self.world.mirrors())
                self.copied("no copies", self.none, ["vnet-hmi"])
        finally:
            appliance.stop()


if __name__ == "__main__":
    system.main(__file__)
