"""`vmirror check` where clocks are off and where the monitor interface is not as it should be: a KDC and an NTP server
that others wrote, whose time libfaketime shifts; the kernel's own offloads; capture files."""

import glob
import json
import os
import re
import subprocess
import tempfile
import unittest

import system
import world as w

PLC, HMI, WEB = (w.GUESTS[name][0] for name in ("plc", "hmi", "web"))
REALM = "PLANT.EXAMPLE"
PROTOCOLS = os.path.join(w.ROOT, "tests", "protocols")


def finding(answer, check):
    return next(f for f in answer["findings"] if f["id"] == check)


class Clocks(system.SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = system.host_daemon(cls.world).start()
        cls.host.write_policy("all", 'policy: all\nselect: [{vm: "*"}]\ntargets: [local]\n')
        cls.folder = os.path.join(cls.world.directory, "kdc")
        os.makedirs(cls.folder)
        cls.kerberos = {
            "KRB5_CONFIG": cls.file("krb5.conf", f"[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\n"
                                    f"kdc_timesync = 0\n[realms]\n{REALM} = {{\n kdc = {PLC}\n}}\n"),
            "KRB5_KDC_PROFILE": cls.file("kdc.conf", f"[realms]\n{REALM} = {{\n database_name = {cls.folder}/principal\n"
                                         f" key_stash_file = {cls.folder}/stash\n}}\n"),
            "KRB5CCNAME": f"FILE:{cls.folder}/tickets"}
        os.environ.update(cls.kerberos)
        w.run("kdb5_util", "create", "-s", "-r", REALM, "-P", "Master-1")
        w.run("kadmin.local", "-q", "addprinc -pw Secret-1 +requires_preauth operator")

    @classmethod
    def file(cls, name, text):
        path = os.path.join(cls.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def setUp(self):
        self.eventually("the mirrors", lambda: self.host.run("sessions", check=False).returncode == 0)

    def skew(self):
        done = self.host.run("check", "--json", check=False)
        return done.returncode, finding(json.loads(done.stdout), "clock-skew")

    def kinit(self):
        """Logs on from hmi; what kinit says."""
        done = subprocess.run(["ip", "netns", "exec", "hmi", "kinit", "operator"], input="Secret-1\n", text=True,
                              capture_output=True, check=False, timeout=60)
        return done.stdout + done.stderr

    def kdc(self, shift):
        [library] = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")  # `faketime` itself would stand between us and it.
        self.world.spawn("kdc", "env", f"LD_PRELOAD={library}", f"FAKETIME={shift}", "krb5kdc", "-n", netns="plc")
        self.addCleanup(self.world.kill, "kdc")
        self.eventually("the KDC", lambda: "Cannot contact" not in self.kinit())

    def test_1_a_time_server_that_is_right_passes(self):
        self.assertEqual(self.skew()[1]["verdict"], "not told")
        config = self.file("chrony.conf", f"local stratum 3\nallow\nuser root\ncmdport 0\nbindcmdaddress /\n"
                           f"pidfile {self.folder}/chrony.pid\n")
        self.world.spawn("ntp", "chronyd", "-x", "-d", "-f", config, netns="web")
        self.addCleanup(self.world.kill, "ntp")

        def told():
            self.world.in_machine("hmi", "chronyd", "-Q", "-t", "5", f"server {WEB} iburst maxsamples 1",
                                  "user root", f"pidfile {self.folder}/client.pid")
            return self.skew()[1]["verdict"] != "not told"
        self.eventually("an answer of NTP", told)
        _, told = self.skew()
        self.assertEqual(told["verdict"], "pass", told)
        self.assertIn(f"{WEB} (web)", told["evidence"])

    def test_2_a_kdc_that_is_half_a_minute_off_warns(self):
        self.kdc("+30s")
        self.eventually("the KDC's time", lambda: "krb5.stime" in self.skew()[1]["evidence"])
        _, told = self.skew()
        self.assertEqual(told["verdict"], "warn", told)
        self.assertRegex(told["evidence"], rf"{PLC} \(plc\) is (29|30)\.\d s ahead by krb5\.stime")
        self.assertIn("by NTP", told["remedy"])

    def test_3_a_kdc_that_is_further_off_than_kerberos_allows_fails(self):
        self.kdc("+400s")
        self.assertIn("Clock skew too great", self.kinit())
        self.eventually("the refusal", lambda: "is refused by" in self.skew()[1]["evidence"])
        status, told = self.skew()
        self.assertEqual((status, told["verdict"]), (2, "fail"), told)
        self.assertRegex(told["evidence"], rf"{PLC} \(plc\) is (399|400)\.\d s ahead by krb5\.stime")
        self.assertRegex(told["evidence"], rf"{HMI} \(hmi\) is refused by {PLC} \(plc\), as too far off for Kerberos, \d+ time")


class MonitorNic(system.SystemTest):
    with_collector = True

    def test_an_offload_that_merges_frames_is_named_with_its_command(self):
        collector = system.collector_daemon(self.world).start()

        def told(offload):
            self.world.in_machine("collector", "ethtool", "-K", "eth0", "gro", offload)
            return finding(collector.ask("check"), "monitor-nic")
        on = told("on")
        self.assertEqual(on["verdict"], "warn", on)
        self.assertEqual(on["evidence"], "eth0: merges frames by generic-receive-offload")
        self.assertIn("`ethtool -K eth0 generic-receive-offload off`", on["remedy"])
        off = told("off")
        self.assertEqual(off["verdict"], "not told", off)
        self.assertIn("ring not available: the driver veth has none to tell of", off["evidence"])
        self.assertIn("no offload merges frames", off["evidence"])
        self.assertIn("0 frames missed", off["evidence"])


class Files(unittest.TestCase):
    """The golden captures, with their times shifted so that they fit what the messages say, and not."""

    def skew(self, name, shift):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "shifted.pcap")
            w.run("editcap", "-t", f"{shift:.6f}", os.path.join(PROTOCOLS, name, f"{name}.pcap"), path)
            done = subprocess.run([os.path.join(w.BIN, "vmirror"), "check", "--json", path], capture_output=True,
                                  text=True, check=False)
        return done.returncode, finding(json.loads(done.stdout), "clock-skew")

    def test_a_file_that_fits_and_one_that_does_not(self):
        for name, source in (("ntp", "ntp.transmit_time"), ("krb5", "krb5.stime"), ("smb", "smb.system_time")):
            with self.subTest(name):
                off = 0.0  # Seconds from the capture's clock to that of the messages.
                if found := re.search(rf" is ([0-9.]+) s (ahead|behind) by {source}", self.skew(name, 0)[1]["evidence"]):
                    off = float(found[1]) * (1 if found[2] == "ahead" else -1)
                for shift, verdict in ((off, "pass"), (off - 30, "warn"), (off + 400, "fail")):
                    status, told = self.skew(name, shift)
                    self.assertEqual(told["verdict"], verdict, (shift, told))
                    if verdict != "pass":
                        self.assertRegex(told["evidence"], {"warn": rf" is (29|30)\.\d s ahead by {source}",
                                                            "fail": rf" is (399|400)\.\d s behind by {source}"}[verdict])
                    if verdict == "fail":
                        self.assertEqual(status, 2)


if __name__ == "__main__":
    system.main(__file__)
