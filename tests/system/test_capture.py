"""`vmirror capture` and vmirror-extcap beside the daemon: real frames of one guest, off a real mirror, as tcpdump and
tshark read them."""

import collections
import json
import os
import signal
import struct
import subprocess

import system
import world as w

LOCAL = "policy: watch\nselect: [{vm: '*'}]\ntargets: [local]\n"


class Capture(system.SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = system.host_daemon(cls.world).start()
        cls.host.write_policy("watch", LOCAL)

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()
        super().tearDownClass()

    def setUp(self):
        self.talk_until("all sessions proven", lambda: set(self.host.sessions().values()) == {"active"})
        self.mac = {name: guest[1] for name, guest in w.GUESTS.items()}
        self.file = os.path.join(self.world.directory, "capture.pcapng")

    def capture(self, *words):
        """A capture that runs by itself, once its file has its first block."""
        if os.path.exists(self.file):
            os.remove(self.file)
        name = f"capture-{len(self.world.processes)}"
        self.world.spawn(name, os.path.join(w.BIN, "vmirror"), "capture", *words, "--write", self.file,
                         "--socket", self.host.socket)
        self.eventually("the capture's begin", lambda: os.path.exists(self.file) and os.path.getsize(self.file) > 0)
        return name

    def fields(self, *names, display=""):
        """Rows of a file's frames, as tshark reads them."""
        command = ["tshark", "-n", "-r", self.file, "-T", "fields", *(["-Y", display] if display else [])]
        for name in names:
            command += ["-e", name]
        return [line.split("\t") for line in self.world.run(*command).splitlines()]

    def test_only_the_guests_frames_with_their_direction(self):
        name = self.capture("plc")
        self.talk_until("frames of both directions", lambda: {
            row[0] for row in self.fields("frame.packet_flags_direction", display="!eth.dst.ig==1")
        } == {"0x00000001", "0x00000002"})
        self.assertEqual(self.world.kill(name, signal.SIGTERM), 0)
        rows = self.fields("eth.src", "eth.dst", "frame.packet_flags_direction", "frame.interface_name",
                           "frame.interface_description")
        self.assertGreater(len(rows), 4)
        for source, destination, direction, interface, description in rows:
            group = int(destination[:2], 16) & 1
            self.assertTrue(self.mac["plc"] in (source, destination) or group, rows)
            self.assertEqual(int(direction, 16), 2 if source == self.mac["plc"] else 1, rows)
            self.assertEqual(interface, f"br0/{w.guest_port('plc')}")
            self.assertIn(f"NIC {self.mac['plc']}, session ", description)

    def statistics(self):
        """Frames that the file's statistics blocks tell, by interface. tshark prints none of them."""
        with open(self.file, "rb") as file:
            data = file.read()
        out = {}
        while data:
            kind, length = struct.unpack("<II", data[:8])
            options = data[20:length - 4] if kind == 5 else b""
            while len(options) >= 4:
                code, size = struct.unpack("<HH", options[:4])
                if code == 4:
                    out[struct.unpack("<I", data[8:12])[0]] = struct.unpack("<Q", options[4:12])[0]
                options = options[4 + (size + 3) // 4 * 4:]
            data = data[length:]
        return out

    def test_each_device_tells_its_own_frames(self):
        mac, uuid = "52:54:00:00:00:77", w.GUESTS["plc"][2]
        self.world.vsctl("add-br", "br1", "--", "set", "bridge", "br1", f"datapath_type={w.DATAPATH}")
        self.addCleanup(self.world.vsctl, "del-br", "br1")
        self.world.add_machine("plc-dmz", "br1", "vnet-dmz", "10.0.1.11", mac)
        self.addCleanup(w.run, "ip", "netns", "delete", "plc-dmz")
        self.world.vsctl("set", "Interface", "vnet-dmz", f'external-ids:attached-mac="{mac}"',
                         "external-ids:iface-id=plc-dmz", f'external-ids:vm-id="{uuid}"', "external-ids:vm-name=plc",
                         "external-ids:iface-status=active")
        self.eventually("its session", lambda: "vnet-dmz@local" in self.host.sessions())
        name = self.capture("plc")

        def captured():
            return collections.Counter(int(row[0]) for row in self.fields("frame.interface_id"))

        def both():
            self.world.talk(1)
            self.world.traffic("plc-dmz", "frames", "ff:ff:ff:ff:ff:ff", "3")
            return len(captured()) == 2
        self.eventually("frames of both NICs", both)
        self.assertEqual(self.world.kill(name, signal.SIGTERM), 0)
        self.assertEqual(self.statistics(), captured())

    def test_count_filter_and_snaplen(self):
        name = self.capture("plc", "--count", "3", "--snaplen", "60", "--filter", "icmp", "--json")
        self.talk_until("its end", lambda: not self.world.alive(name))
        with open(self.world.log_of(name), encoding="utf-8") as log:
            told = json.loads(log.readlines()[-1])
        self.assertEqual((told["frames"], told["lost"]), (3, 0))
        rows = self.fields("frame.cap_len", "_ws.col.Protocol")
        self.assertEqual([row[1] for row in rows], ["ICMP"] * 3)
        self.assertTrue(all(int(row[0]) <= 60 for row in rows))

    def test_a_pipe_into_tcpdump_ends_with_its_reader(self):
        out = os.path.join(self.world.directory, "tcpdump.out")
        self.world.spawn("pipe", "sh", "-c", f"'{w.BIN}/vmirror' capture plc --socket '{self.host.socket}' -w - | "
                         f"tcpdump -n -c 2 -r - icmp > '{out}'")

        def lines():
            with open(out, encoding="utf-8") as file:
                return len(file.readlines())
        self.talk_until("two lines", lambda: lines() == 2)
        self.talk_until("the end of both", lambda: not self.world.alive("pipe"))

    def test_what_cannot_be_captured_is_said(self):
        for words, code, says in ((["nobody"], 1, "no session mirrors it here"),
                                  (["plc", "--filter", "no filter"], 64, "no filter"),
                                  (["plc", "--write", "/nowhere/x"], 1, "can't be written"),
                                  (["plc", "--interface", "vmr-br0"], 1, "named by its MAC")):
            done = self.host.run("capture", *words, check=False)
            self.assertEqual(done.returncode, code, words)
            self.assertIn(says, done.stderr)

    def test_tshark_lists_and_captures_a_nic(self):
        folders = dict(line.split(":", 1) for line in self.world.run("tshark", "-G", "folders").splitlines() if ":" in line)
        # Wireshark 4.0, and later.
        theirs = (folders.get("Extcap path") or folders["Global Extcap path"]).strip()
        ours = os.path.join(self.world.directory, "extcap")
        os.makedirs(ours)
        os.symlink(os.path.join(w.BIN, "vmirror-extcap"), os.path.join(ours, "vmirror-extcap"))
        self.world.run("mount", "--bind", ours, theirs)  # In the test's own mount namespace.
        self.addCleanup(self.world.run, "umount", theirs)
        environment = {**os.environ, "VMIRROR_SOCKET": self.host.socket, "HOME": self.world.directory}
        nic = f"vmirror-{w.guest_port('plc')}"
        listed = subprocess.run(["tshark", "-D"], capture_output=True, text=True, check=True, env=environment).stdout
        self.assertRegex(listed, rf"{nic} \(vmirror: .*{self.mac['plc']}\)")
        self.world.spawn("tshark", "env", f"VMIRROR_SOCKET={self.host.socket}", f"HOME={self.world.directory}", "tshark",
                         "-n", "-l", "-i", nic, "-f", "icmp", "-c", "4", "-T", "fields", "-e", "icmp.type")
        self.talk_until("four messages, and its end", lambda: not self.world.alive("tshark"))
        self.assertEqual(self.world.processes["tshark"].returncode, 0)
        with open(self.world.log_of("tshark"), encoding="utf-8") as log:
            types = [line.strip() for line in log if line.strip() in ("0", "8")]
        self.assertEqual(len(types), 4)


if __name__ == "__main__":
    system.main(__file__, lambda: system.lacking("tshark", "tcpdump"))
