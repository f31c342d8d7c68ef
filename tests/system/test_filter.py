"""Filters: by the switch where its version can, else by the receiver, else refused with the reason."""
# versions: all

import os

import system
import world as w

MODBUS = "[{protocol: tcp, port: 502}]"
LOCAL = "policy: watch\nselect: [{{vm: {vm}}}]\nfilter: {filter}\ntargets: [local]\n"
REMOTE = ("policy: remote\nselect: [{{vm: plc}}]\nfilter: {filter}\n"
          "targets: [{{erspan: {{address: " + w.COLLECTOR_ADDRESS + ", session: 7}}}}]\n")


class Filter(system.SystemTest):
    with_collector = True

    def setUp(self):
        self.host = system.host_daemon(self.world)

    def tearDown(self):
        for name in os.listdir(self.host.policies):
            self.host.remove_policy(name.removesuffix(".yaml"))
        self.host.stop()
        self.eventually("no mirrors", lambda: not self.world.mirrors())

    def switch_filters(self):
        """True for Open vSwitch 3.4 and later."""
        return "filter" in self.world.run("ovsdb-client", "list-columns", w.OVSDB, "Open_vSwitch", "Mirror")

    def expressions(self):
        """What the switch's mirrors match."""
        if not self.switch_filters():
            return set()
        return {row["filter"] or "" for row in self.world.rows("Mirror", "filter")}

    def session(self, name):
        return next((s for s in self.host.ask("sessions")["sessions"] if s["name"] == name), None)

    def active(self, name):
        """Talks until the session is active; returns it."""
        def is_active():
            self.world.talk(1)
            session = self.session(name)
            return session and session["state"] == "active" and session
        return self.eventually(f"{name} active", is_active, 40)

    def drops(self):
        return self.host.ask("status")["frames"]["dropped"].get("filtered", 0)

    def seen(self, daemon):
        """Talks until a daemon saw flows; returns their ports."""
        return self.eventually("flows", lambda: self.world.talk(1) or self.ports(daemon))

    @staticmethod
    def ports(daemon):
        """The well-known ports of the flows that go on; 0: of one that has none."""
        return {min(flow["src_port"], flow["dest_port"]) if flow["src_port"] is not None else 0
                for flow in daemon.ask("flows")["flows"]}

    def test_exact_values_are_the_switchs_where_it_has_filters(self):
        self.host.write_policy("watch", LOCAL.format(vm="plc", filter=MODBUS))
        self.host.start()
        session = self.active("vnet-plc@local")
        self.assertEqual(self.seen(self.host), {502})
        self.assertEqual(session["filter"], MODBUS)
        frames = self.host.ask("status")["frames"]
        self.assertEqual(frames["received"],
                         frames["analysed"] + frames["held"] + sum(frames["dropped"].values()))
        if self.switch_filters():
            self.assertEqual(session["filtered"], "by the switch")
            self.assertEqual(self.expressions(), {"tcp,tcp_src=502", "tcp,tcp_dst=502",
                                                  "tcp6,tcp_src=502", "tcp6,tcp_dst=502"})
            self.assertEqual(len(session["more_mirrors"]), 3)
            self.assertEqual(self.drops(), 0)
            self.assertEqual(self.host.ask("status")["coverage"], [], "it is not known")
        else:
            self.assertEqual(session["filtered"], "by the receiver")
            self.assertGreater(self.drops(), 0)

    def test_what_no_mirror_matches_is_the_receivers_and_coverage_is_of_all_frames(self):
        wanted = "[{protocol: tcp, cidr: 10.0.0.8/29}, {not: {port: 502}}]"
        self.host.write_policy("watch", LOCAL.format(vm="plc", filter=wanted))
        self.host.start()
        session = self.active("vnet-plc@local")
        self.assertEqual(session["filtered"], "by the receiver")
        self.assertEqual(self.expressions() - {""}, set())

        def complete():
            rows = self.host.ask("status")["coverage"]
            return [row["ratio"] for row in rows] == [1.0] and rows[0]["counted"] > 50
        self.talk_until("full coverage", complete)
        self.assertEqual(self.seen(self.host), {80})
        self.assertGreater(self.drops(), 0)

    def test_a_guest_without_a_filter_keeps_all_of_its_frames(self):
        self.host.write_policy("watch", LOCAL.format(vm="plc", filter="[{protocol: udp, port: 9}]"))
        self.host.write_policy("all", "policy: all\nselect: [{vm: hmi}]\ntargets: [local]\n")
        self.host.start()
        self.active("vnet-hmi@local")
        # plc's filter wants none of it; its HTTP and DNS with web nobody else does, either.
        ports = self.seen(self.host)
        self.assertIn(502, ports)
        self.assertTrue({80, 53}.isdisjoint(ports), ports)

    def test_a_remote_target_needs_a_switch_that_filters(self):
        collector = system.collector_daemon(self.world).start()
        try:
            self.host.write_policy("remote", REMOTE.format(filter=MODBUS))
            self.host.start()
            name = "vnet-plc@erspan-" + w.COLLECTOR_ADDRESS
            if self.switch_filters():
                self.active(name)
                self.assertEqual(self.seen(collector), {502})
            else:
                session = self.eventually("the refusal", lambda: (s := self.session(name)) and
                                          s["state"] == "refused" and s)
                self.assertIn("not enforceable here", session["reason"])
                self.assertIn("3.4", session["reason"])
            self.host.write_policy("remote", REMOTE.format(filter="[{cidr: 10.0.0.0/24}]"))
            session = self.eventually("the refusal of a prefix", lambda: (s := self.session(name)) and
                                      "10.0.0.0/24" in s["reason"] and s)
            self.assertEqual(session["state"], "refused")
            self.eventually("no mirror", lambda: not self.world.mirrors())
        finally:
            collector.stop()

    def test_directions_and_vlans_are_every_versions(self):
        self.host.write_policy("watch", LOCAL.format(vm="plc", filter="[{direction: in, vlan: [0, 5]}]"))
        self.host.start()
        session = self.active("vnet-plc@local")
        self.assertEqual(session["filtered"], "by the switch")
        [mirror] = [rows[0] for rows in self.world.mirrors().values()]
        self.assertEqual((mirror["select_src_port"], mirror["select_dst_port"]), ([], ["vnet-plc"]))
        [row] = self.world.rows("Mirror", "select_vlan")
        self.assertEqual(row["select_vlan"], [0, 5])

    def test_a_frame_that_is_changed_on_its_way_is_copied_again_by_some_versions(self):
        self.host.write_policy("watch", "policy: watch\nselect: [{vm: \"*\"}]\ntargets: [local]\n")
        self.host.start()
        self.active("vnet-plc@local")
        version = tuple(int(n) for n in self.world.run("ovs-vswitchd", "--version").split()[3].split("."))
        again = version >= (3, 1, 3)

        def warned():
            return any("before and after" in text for text in self.session("vnet-plc@local")["warnings"])
        self.assertFalse(warned(), "no controller's rules forward on br0")

        self.world.run("ovs-vsctl", "set-fail-mode", "br0", "secure")
        self.world.run("ovs-ofctl", "add-flow", "br0", "priority=0,actions=NORMAL")
        self.world.run("ovs-ofctl", "add-flow", "br0", "ip,priority=9,actions=dec_ttl,NORMAL")
        try:
            if again:
                self.eventually("the warning", warned)

            def pings():
                """Copies of a ping and its answer."""
                before = self.host.ask("status")["frames"]["analysed"]
                self.world.traffic("hmi", "ping", w.GUESTS["plc"][0], 1)
                self.eventually("the copies", lambda:
                                self.host.ask("status")["frames"]["analysed"] - before >= (4 if again else 2))
                return self.host.ask("status")["frames"]["analysed"] - before
            # The first may wait for an ARP answer, whose copies come with it.
            pings()
            self.assertEqual(min(pings() for _ in range(5)), 4 if again else 2)
            self.assertEqual(warned(), again)
        finally:
            self.world.run("ovs-vsctl", "del-fail-mode", "br0")
            self.world.run("ovs-ofctl", "del-flows", "br0", "ip")


if __name__ == "__main__":
    system.main(__file__)
