"""vmirror-appliance: which NIC is which, and what user data and OVF properties become."""

import base64
import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(ROOT, "appliance", "tree", "usr", "lib", "vmirror", "vmirror-appliance")


def load():
    loader = importlib.machinery.SourceFileLoader("vmirror_appliance", PROGRAM)
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module  # dataclasses looks its module up.
    loader.exec_module(module)
    return module


A = load()
PCI = "/sys/devices/pci0000:00/"
VMBUS = "/sys/devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0004:00/VMBUS:00/"
MONITOR = "52:54:00:00:00:02"


def nic(mac, path, index):
    return A.Nic(f"eth{index}", mac, path, index)


class Nics(unittest.TestCase):
    def test_their_roles(self):
        cases = (
            ("the slot decides, not the order of discovery",
             [nic("b", PCI + "0000:00:04.0/virtio1", 2), nic("a", PCI + "0000:00:03.0/virtio0", 3)], {}, {"management": "a", "monitor": "b"}),
            ("slots are hexadecimal numbers", [nic("b", PCI + "0000:00:10.0", 2), nic("a", PCI + "0000:00:0f.0", 3)], {},
             {"management": "a", "monitor": "b"}),
            ("VMware's bridges: 0b before 13", [nic("b", PCI + "0000:00:16.0/0000:13:00.0", 2), nic("a", PCI + "0000:00:15.0/0000:0b:00.0", 3)], {},
             {"management": "a", "monitor": "b"}),
            ("VMBus: the order of discovery", [nic("b", VMBUS + "0a-guid", 3), nic("a", VMBUS + "ff-guid", 2)], {},
             {"management": "a", "monitor": "b"}),
            ("an earlier choice holds", [nic("a", PCI + "0000:00:03.0", 2), nic("b", PCI + "0000:00:04.0", 3)],
             {"management": "b", "monitor": "a"}, {"management": "b", "monitor": "a"}),
            ("a clone has other MACs", [nic("c", PCI + "0000:00:03.0", 2), nic("d", PCI + "0000:00:04.0", 3)],
             {"management": "a", "monitor": "b"}, {"management": "c", "monitor": "d"}),
            ("one was replaced", [nic("a", PCI + "0000:00:03.0", 2), nic("d", PCI + "0000:00:04.0", 3)],
             {"management": "b", "monitor": "a"}, {"management": "d", "monitor": "a"}),
            ("a third one is nobody's", [nic(mac, PCI + f"0000:00:0{n}.0", n) for n, mac in enumerate("abc")], {},
             {"management": "a", "monitor": "b"}),
            ("one alone is for management", [nic("a", PCI + "0000:00:03.0", 2)], {}, {"management": "a"}),
            ("none", [], {}, {}),
        )
        for name, nics, kept, expected in cases:
            with self.subTest(name):
                self.assertEqual(A.roles(nics, kept), expected)

    def test_a_link_file_is_read_back(self):
        with tempfile.TemporaryDirectory() as folder:
            for role, mac in (("management", "52:54:00:00:00:01"), ("monitor", MONITOR)):
                with open(f"{folder}/10-vmirror-{role}.link", "w", encoding="utf-8") as out:
                    out.write(A.link_file(role, mac))
            self.assertEqual(A.kept_links(folder), {"management": "52:54:00:00:00:01", "monitor": MONITOR})


def written(files):
    """The configuration among them."""
    return yaml.safe_load(files["vmirrord.yaml"])


EVE = {"eve": [{"file": "/var/log/vmirror/eve.json"}]}
PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"


class Form(unittest.TestCase):
    def test_user_data(self):
        cases = (
            ("nothing said: what comes in", "{}", {"inputs": [{"interface": "monitor", "offloads_off": True}], "export": EVE}),
            ("a switch: the monitor NIC is told", "{configuration: {switch: {driver: ovs}}}",
             {"switch": {"driver": "ovs"}, "local": {"monitor_nic": MONITOR, "offloads_off": True}, "export": EVE}),
            ("what is said of the monitor NIC holds", "{configuration: {switch: {}, local: {workers: 2, monitor_nic: x}}}",
             {"switch": {}, "local": {"monitor_nic": "x", "offloads_off": True, "workers": 2}, "export": EVE}),
            ("inputs and outputs of its own", "{configuration: {inputs: [{interface: management, accept: encapsulated}], export: {}}}",
             {"inputs": [{"interface": "management", "accept": "encapsulated"}], "export": {}}),
        )
        for name, form, expected in cases:
            with self.subTest(name):
                text = f"#cloud-config\nhostname: x\nvmirror: {form}\n"
                self.assertEqual(written(A.files_of(A.form_of_user_data(text), MONITOR)), expected)

    def test_user_data_of_others_says_nothing(self):
        for text in ("", "#cloud-config\nhostname: x\n", "#!/bin/sh\necho\n", "- a\n"):
            self.assertIsNone(A.form_of_user_data(text), text)

    def test_files_and_policies(self):
        form = {"files": {"key.pem": PEM}, "policies": [{"policy": "dc", "select": [{"vm": "dc*"}], "targets": ["local"]}]}
        files = A.files_of(form, None)
        self.assertEqual(sorted(files), ["key.pem", "policies.d/dc.yaml", "vmirrord.yaml"])
        self.assertEqual(files["key.pem"], PEM)
        self.assertEqual(yaml.safe_load(files["policies.d/dc.yaml"]), form["policies"][0])

    def test_errors_name_the_place(self):
        cases = (
            ("text", "vmirror: a mapping"),
            ({"switch": {}}, "vmirror.switch: not a key"),
            ({"configuration": []}, "vmirror.configuration: a mapping"),
            ({"files": {"../x": ""}}, "vmirror.files: `../x`"),
            ({"files": {".x": ""}}, "vmirror.files: `.x`"),
            ({"files": {"vmirrord.yaml": ""}}, "vmirror.files: `vmirrord.yaml`"),
            ({"files": {"x": 5}}, "vmirror.files.x: a text"),
            ({"policies": [{"select": []}]}, "vmirror.policies: an entry"),
            ({"policies": [{"policy": "a/b"}]}, "vmirror.policies: an entry"),
        )
        for form, message in cases:
            with self.subTest(message), self.assertRaises(A.Wrong) as raised:
                A.files_of(form, None)
            self.assertIn(message, str(raised.exception))


def environment(**properties):
    """An OVF environment, as ESXi writes it."""
    rows = "".join(f'<Property oe:key="{key.replace("__", ".")}" oe:value="{value}"/>' for key, value in properties.items())
    return ('<?xml version="1.0" encoding="UTF-8"?><Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" '
            'xmlns:oe="http://schemas.dmtf.org/ovf/environment/1" xmlns:ve="http://www.vmware.com/schema/ovfenv" oe:id="">'
            f"<PlatformSection><Kind>VMware ESXi</Kind></PlatformSection><PropertySection>{rows}</PropertySection></Environment>")


PEM64 = base64.b64encode(PEM.encode()).decode()
TLS = {"vmirror__private_key": PEM64, "vmirror__certificate": PEM64, "vmirror__ca_certificate": PEM64}
ACCOUNT = {"vmirror__username": "agent@vsphere.local", "vmirror__password": "a&amp;b&quot;c", "vmirror__thumbprint": "AB:CD"}


class Properties(unittest.TestCase):
    def form(self, **properties):
        return A.form_of_properties(A.properties_of(environment(**properties)))

    def test_switches(self):
        cases = (
            ("none", {"vmirror__driver": "none"}, None),
            ("ovs", {"vmirror__driver": "ovs", "vmirror__address": "192.0.2.7"} | TLS,
             {"driver": "ovs", "remote": "ssl:192.0.2.7:6640", "private_key": "/etc/vmirror/key.pem",
              "certificate": "/etc/vmirror/cert.pem", "ca_certificate": "/etc/vmirror/ca.pem"}),
            ("vsphere", {"vmirror__driver": "vsphere", "vmirror__address": "vc.example"} | ACCOUNT,
             {"driver": "vsphere", "url": "https://vc.example", "credentials_file": "/etc/vmirror/credentials", "thumbprint": "AB:CD"}),
            ("hyperv", {"vmirror__driver": "hyperv", "vmirror__address": "hv1:5986 hv2:5986"} | ACCOUNT,
             {"driver": "hyperv", "url": "https://hv1:5986 https://hv2:5986", "credentials_file": "/etc/vmirror/credentials",
              "thumbprint": "AB:CD"}),
        )
        for name, properties, expected in cases:
            with self.subTest(name):
                self.assertEqual(written(A.files_of(self.form(**properties), MONITOR)).get("switch"), expected)

    def test_secrets_and_the_first_policy(self):
        files = A.files_of(self.form(vmirror__driver="vsphere", vmirror__address="vc", vmirror__select="dc-* plc",
                                     vmirror__collector="192.0.2.9", **ACCOUNT), MONITOR)
        self.assertEqual(files["credentials"], 'username=agent@vsphere.local\npassword=a&b"c\n')
        self.assertEqual(yaml.safe_load(files["policies.d/appliance.yaml"]), {
            "policy": "appliance", "select": [{"vm": "dc-*"}, {"vm": "plc"}],
            "targets": ["local", {"erspan": {"address": "192.0.2.9"}}]})

    def test_properties_of_others_say_nothing(self):
        self.assertIsNone(self.form(hostname="x", vmirror__driver=""))

    def test_errors_name_the_property(self):
        ovs = {"vmirror__driver": "ovs", "vmirror__address": "192.0.2.7"}
        cases = (
            ({"vmirror__driver": "xen"}, "vmirror.driver: `xen` is not known"),
            ({"vmirror__driver": "ovs"}, "vmirror.address is empty"),
            (ovs, "vmirror.private_key is empty"),
            (ovs | TLS | {"vmirror__certificate": "%"}, "vmirror.certificate: not base64"),
            ({"vmirror__driver": "vsphere", "vmirror__address": "vc"}, "vmirror.username is empty"),
            ({"vmirror__collector": "192.0.2.9"}, "vmirror.select is empty"),
            ({"vmirror__select": "dc"}, "vmirror.select: without a switch"),
            ({"vmirror__driver": "hyperv", "vmirror__address": "hv", "vmirror__select": "dc", "vmirror__collector": "192.0.2.9"} | ACCOUNT,
             "vmirror.collector: Hyper-V"),
        )
        for properties, message in cases:
            with self.subTest(message), self.assertRaises(A.Wrong) as raised:
                self.form(**properties)
            self.assertIn(message, str(raised.exception))

    def test_an_environment_that_is_no_xml(self):
        with self.assertRaises(A.Wrong):
            A.properties_of("<Environment")


DAEMON = os.path.join(os.environ.get("VMIRROR_BIN", os.path.join(ROOT, "build", "release", "bin")), "vmirrord")


@unittest.skipUnless(os.path.exists(DAEMON), f"no {DAEMON}")
class Daemon(unittest.TestCase):
    """What is written is what vmirrord reads."""

    def test_it_takes_the_configurations(self):
        account = {"vmirror__username": "a", "vmirror__password": "b", "vmirror__thumbprint": "AB:" * 31 + "AB"}
        address = {"vmirror__address": "192.0.2.7"}
        for driver, properties in (("none", {}), ("ovs", address | TLS), ("vsphere", address | account),
                                   ("hyperv", address | account)):
            with self.subTest(driver), tempfile.TemporaryDirectory() as folder:
                os.mkdir(folder + "/policies.d")
                form = A.form_of_properties(A.properties_of(environment(**{"vmirror__driver": driver}, **properties)))
                for name, text in A.files_of(form, MONITOR).items():
                    with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                        out.write(text.replace("/etc/vmirror", folder).replace("/var/log/vmirror", folder))
                        out.write(f"policies: {folder}/policies.d\nsocket: {folder}/s\nstate: {folder}/state\n"
                                  if name == "vmirrord.yaml" else "")
                told = subprocess.run([DAEMON, "--config", folder + "/vmirrord.yaml", "--check"], capture_output=True, text=True,
                                      timeout=60, check=False)
                # The machine has no such switch, NIC or certificate; the file itself is good.
                self.assertNotIn("vmirrord.yaml:", told.stdout + told.stderr)
                self.assertNotIn("unknown", told.stdout + told.stderr)

    def test_a_mistake_would_be_seen(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(folder + "/vmirrord.yaml", "w", encoding="utf-8") as out:
                out.write(A.files_of({"configuration": {"swich": {}}}, None)["vmirrord.yaml"])
            told = subprocess.run([DAEMON, "--config", folder + "/vmirrord.yaml", "--check"], capture_output=True, text=True,
                                  timeout=60, check=False)
            self.assertIn("vmirrord.yaml:", told.stdout + told.stderr)


class Program(unittest.TestCase):
    def test_check_prints_and_exits(self):
        with tempfile.TemporaryDirectory() as folder:
            for text, code, said in (("vmirror: {}", 0, "/etc/vmirror/vmirrord.yaml"), ("a: b", 1, "no key `vmirror`"),
                                     ("vmirror: [", 1, "user data")):
                with open(folder + "/user-data", "w", encoding="utf-8") as out:
                    out.write(text)
                done = subprocess.run([sys.executable, PROGRAM, "configure", "--check", folder + "/user-data"], capture_output=True,
                                      text=True, check=False)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn(said, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
