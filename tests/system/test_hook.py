"""libvirt's hook with a real libvirtd: who is told, who is refused, and what virsh shows of it."""

import os
import signal
import subprocess

import cluster as c
import system
import world as w

REQUIRE = "policy: must\nselect: [{vm: 'must-*'}]\nrequire: true\ntargets: [local]\n"


class Hook(c.ClusterTest):
    settings_of = staticmethod(lambda host: {"libvirt": {"uri": "qemu:///system"}})

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for host in (cls.a, cls.b):
            cls.install(host)
            host.kill("libvirtd", signal.SIGTERM)
            host.start_libvirtd()

    @staticmethod
    def vmirror_hook(host, *words):
        return host.run(os.path.join(w.BIN, "vmirror"), "hook", *words)

    @classmethod
    def install(cls, host):
        return cls.vmirror_hook(host, "install", "--socket", host.daemon.socket, "--requirements",
                                os.path.join(host.daemon.state, "requirements"))

    def setUp(self):
        self.must, self.other = c.Guest("must-1", 1), c.Guest("other", 2)
        for host in (self.a, self.b):
            host.daemon.apply(REQUIRE)
        self.addCleanup(self.clean)

    def clean(self):
        for host in (self.a, self.b):
            host.processes[host.name].send_signal(signal.SIGCONT)
            for guest in (self.must, self.other):
                if host.state(guest):
                    host.virsh("destroy", guest.uuid)
            host.daemon.run("apply", "--remove", "must", check=False)

    def refused(self, host, guest, change=lambda xml: xml):
        """What virsh says when the guest can't start; nothing of it must be left."""
        kernel, initramfs = self.cluster.image
        path = os.path.join(host.directory, guest.name + ".xml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(change(guest.xml(self.cluster.directory, kernel, initramfs, 5)))
        with self.assertRaises(w.Failed) as failed:
            host.virsh("create", path)
        self.assertEqual(host.state(guest), "")
        self.assertEqual(host.ports_of(guest), [])
        return str(failed.exception)

    # ---- A start ----

    def test_a_required_guest_is_mirrored_before_it_runs(self):
        self.a.define_and_start(self.must)
        self.assertTrue(self.a.mirrored(self.must))
        [session] = [s for s in self.a.daemon.ask("sessions")["sessions"] if s["vm"] == "must-1"]
        self.assertIn("must", session["policy"].split("+"))

    def test_a_guest_that_cant_be_mirrored_is_refused_and_virsh_says_why(self):
        said = self.refused(self.a, self.must, lambda xml: xml.replace('bridge="br0"', 'bridge="br7"'))
        self.assertIn("guest must-1, prepare: policy `must` requires its mirror", said)
        self.assertIn("is to be on br7, and there is no such switch here", said)

    def test_a_guest_whose_nic_no_switch_has_is_refused(self):
        for where, on in (
                ('<interface type="user">', "user-mode networking"),
                ('<interface type="mcast"><source address="230.0.0.1" port="5558"/>',
                 "multicast socket 230.0.0.1:5558"),
                ('<interface type="bridge"><source bridge="lbr1"/>', "Linux bridge lbr1"),
                ('<interface type="vdpa"><source dev="/dev/vhost-vdpa-0"/>', "vDPA device /dev/vhost-vdpa-0")):
            with self.subTest(on=on):
                said = self.refused(self.a, self.must, lambda xml, new=where: xml.replace(c.ON_BRIDGE, new))
                self.assertIn(f"prepare: policy `must` requires its mirror: NIC {self.must.mac} is on {on} (", said)

    def test_a_socket_that_is_no_port_is_refused_once_it_would_be_one(self):
        where = '<interface type="vhostuser"><source type="unix" path="/run/vhu9" mode="server"/>'
        # Which libvirt 11 asks for.
        shared = '<memoryBacking><source type="memfd"/><access mode="shared"/></memoryBacking>'
        said = self.refused(self.a, self.must, lambda xml: xml.replace(c.ON_BRIDGE, where).replace("<vcpu>", shared + "<vcpu>"))
        self.assertIn("start: policy `must` requires its mirror", said)

    def test_a_policy_that_selects_by_port_is_decided_once_the_port_has_a_name(self):
        self.a.daemon.apply("policy: before\nselect: [{port: 'vnet*'}]\nsnaplen: 100\ntargets: [local]\n")
        self.addCleanup(self.a.daemon.run, "apply", "--remove", "before")
        self.a.daemon.apply("policy: must\nselect: [{port: 'vnet*'}]\nrequire: true\ntargets: [local]\n")
        said = self.refused(self.a, self.other)
        self.assertIn("guest other, start: policy `must` requires its mirror", said)
        self.assertIn("contradicts policy `before`", said)

    def test_with_a_hung_agent_only_a_required_guest_is_refused(self):
        self.a.processes[self.a.name].send_signal(signal.SIGSTOP)
        self.a.define_and_start(self.other)
        said = self.refused(self.a, self.must)
        self.assertIn("policy `must` requires its mirror", said)
        self.assertIn("the agent does not answer", said)
        self.a.processes[self.a.name].send_signal(signal.SIGCONT)
        self.eventually("the mirror of the one that is not required", lambda: self.a.mirrored(self.other))
        self.a.define_and_start(self.must)

    # ---- Its words ----

    def call(self, host, guest, *words):
        """Runs the installed hook as libvirtd does; returns its exit status, standard output and error."""
        kernel, initramfs = self.cluster.image
        done = subprocess.run([*map(str, host.prefix), "/etc/libvirt/hooks/qemu.d/vmirror", guest.name, *words],
                              input=guest.xml(self.cluster.directory, kernel, initramfs, 5), text=True,
                              capture_output=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_it_prints_nothing_on_standard_output(self):
        """On `migrate` libvirt takes what is there for the guest's new description."""
        calls = self.b.daemon.ask("status")["hook"]["calls"]
        for words in (("migrate", "begin", "-"), ("prepare", "begin", "-"), ("release", "end", "-")):
            for guest in (self.must, self.other):
                with self.subTest(words=words, guest=guest.name):
                    self.assertEqual(self.call(self.b, guest, *words), (0, "", ""))
        self.eventually("the agent was told", lambda: self.b.daemon.ask("status")["hook"]["calls"] >= calls + 6)
        self.b.processes[self.b.name].send_signal(signal.SIGSTOP)
        self.assertEqual(self.call(self.b, self.must, "migrate", "begin", "-"), (0, "", ""))
        self.assertEqual(self.call(self.b, self.other, "prepare", "begin", "-"), (0, "", ""))
        status, out, error = self.call(self.b, self.must, "prepare", "begin", "-")
        self.assertEqual((status, out), (1, ""))
        self.assertRegex(error, "^vmirror: guest must-1, prepare: policy `must` requires its mirror")
        self.b.processes[self.b.name].send_signal(signal.SIGCONT)

    def test_with_a_dead_agent_only_a_required_guest_is_refused(self):
        self.a.daemon.kill()
        self.addCleanup(lambda: self.a.alive(self.a.name) or self.a.daemon.start())
        self.a.define_and_start(self.other)
        self.assertIn("is vmirrord running?", self.refused(self.a, self.must))
        self.a.daemon.start()
        self.a.define_and_start(self.must)

    def test_once_nothing_is_required_nothing_is_refused(self):
        self.a.daemon.run("apply", "--remove", "must")
        self.a.daemon.kill()
        self.addCleanup(self.a.daemon.start)
        self.a.define_and_start(self.must)

    # ---- A migration ----

    def test_an_incoming_migration_is_refused_where_it_cant_be_mirrored(self):
        self.cluster.start_guest(self.must, self.a)
        self.addCleanup(self.cluster.end_guest, self.must)
        self.b.daemon.kill()
        self.addCleanup(lambda: self.b.alive(self.b.name) or self.b.daemon.start())
        with self.assertRaises(w.Failed) as failed:
            self.cluster.migrate(self.must, self.a, self.b)
        self.assertIn("policy `must` requires its mirror", str(failed.exception))
        self.assertTrue(self.one_at_home(self.must))
        self.assertIs(self.cluster.where(self.must), self.a)
        self.b.daemon.start()
        self.cluster.migrate(self.must, self.a, self.b)
        self.eventually("the guest there", lambda: self.one_at_home(self.must))

    # ---- The file ----

    def test_a_reload_is_enough(self):
        self.vmirror_hook(self.b, "remove")
        self.b.kill("libvirtd", signal.SIGTERM)
        self.b.start_libvirtd()
        self.b.define_and_start(self.other)
        self.addCleanup(self.cluster.end_guest, self.other)
        self.eventually("the agent says that the hook was not called", lambda:
                        self.b.daemon.ask("status")["hook"]["error"] ==
                        "guest other began without it: see `vmirror hook status`")
        self.assertIn("systemctl reload libvirtd", self.install(self.b))
        self.b.processes["libvirtd"].send_signal(signal.SIGHUP)
        change = lambda xml: xml.replace('bridge="br0"', 'bridge="br7"')  # noqa: E731

        def refused_by_us():
            return "policy `must`" in self.refused(self.b, self.must, change)
        self.eventually("the hook is called", refused_by_us)
        self.assertIsNone(self.b.daemon.ask("status")["hook"]["error"])


if __name__ == "__main__":
    system.main(__file__, c.unavailable)
