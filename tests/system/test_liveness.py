"""ovs-vswitchd that is gone or hangs while a guest sends and nobody asks it for anything: told by its control
socket on the host, and by the database alone where that is all the agent has."""
# versions: Liveness.test_told_by_its_control_socket Liveness.test_told_by_the_database_alone

import signal
import time
import unittest

import system
import world as w

POLICY = "policy: all\nselect: [{vm: web}, {vm: plc}]\ntargets: [local]\n"
ADDRESS = "127.0.0.1:6640"


class Liveness(system.SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.world.run("ip", "link", "set", "lo", "up")
        cls.world.vsctl("set-manager", "ptcp:" + ADDRESS.split(":")[1] + ":127.0.0.1")

    def tearDown(self):
        self.host.kill()

    def start(self, name, remote):
        self.host = system.Daemon(self.world, name, {"switch": {"driver": "ovs", "remote": remote, "insecure": True},
                                                     "local": {"offloads_off": True}})
        self.host.write_policy("all", POLICY)
        self.host.start()
        self.talk_until("active sessions", lambda: set(self.host.sessions().values()) == {"active"})

    def switch(self):
        return self.host.ask("status")["switch"]

    def told_of(self, what, seconds):
        """That the switch is stalled, and that nothing is called active any more. A guest goes on sending."""
        ping = self.world.spawn("ping", "ping", "-i", "0.2", w.GUESTS["plc"][0], netns="web")
        begun = time.monotonic()
        try:
            self.eventually(f"a stall ({what})", lambda: self.switch()["state"] == "stalled", seconds)
            stalled = time.monotonic() - begun
            self.eventually("sessions that nobody believes",
                            lambda: set(self.host.sessions().values()) == {"unknown"}, seconds)
            print(f"{what}: stalled after {stalled:.1f} s, sessions after {time.monotonic() - begun:.1f} s",
                  flush=True)
            self.assertIn("ovs-vswitchd", self.switch()["error"]["what"])
            self.assertEqual(self.host.run("sessions", check=False).returncode, 2)
        finally:
            ping.kill()
            ping.wait()

    def hangs_and_dies(self, seconds):
        vswitchd = self.world.processes["ovs-vswitchd"]
        vswitchd.send_signal(signal.SIGSTOP)
        try:
            self.told_of("it hangs", seconds)
        finally:
            vswitchd.send_signal(signal.SIGCONT)
        self.eventually("a switch that works again", lambda: self.switch()["state"] == "connected", seconds)
        self.world.kill("ovs-vswitchd")
        try:
            self.told_of("it is gone", seconds)
        finally:
            self.world.start_vswitchd()
        self.eventually("a switch that is there again", lambda: self.switch()["state"] == "connected", 60)
        self.talk_until("active sessions", lambda: set(self.host.sessions().values()) == {"active"})

    def test_told_by_its_control_socket(self):
        self.start("beside", w.OVSDB)
        self.hangs_and_dies(30)

    def test_told_by_the_database_alone(self):
        self.start("elsewhere", f"tcp:{ADDRESS}")
        self.hangs_and_dies(40)

    def test_a_switch_where_nothing_moves_is_no_stall(self):
        self.start("quiet", f"tcp:{ADDRESS}")
        before = int(self.world.vsctl("get", "Open_vSwitch", ".", "next_cfg"))
        self.eventually("a sign that was asked for", lambda: int(
            self.world.vsctl("--no-wait", "get", "Open_vSwitch", ".", "cur_cfg")) > before + 1, 60)
        self.assertEqual(self.switch()["state"], "connected")
        self.assertNotIn("unknown", self.host.sessions().values())


if __name__ == "__main__":
    system.main(__file__)
