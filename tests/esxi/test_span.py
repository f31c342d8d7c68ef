"""vmirror-esxi-span, run by busybox's shell against a stand-in for esxcli (standin.py) that keeps a host's state."""

import copy
import os
import subprocess
import unittest

from host import BUSYBOX, SCRIPT, SHELLS, SPAN, Host, configuration, group, world

ENABLE = ("enable", "--switch", "vSwitch0")
ODD = ("SPAN", "two  blanks", " blank first", "it's", 'say "so"', 'a "b, c" d', "a,b", "a\\b", "$(reboot)", "-p", "--apply", "*", "a;b|c&d",
       "%s %2f", "Überwachung", "監視", "=", "'", "name=x", "a\\nb", "1", "`id`", "[x]")


def set_group(name, **fields):
    return lambda state: state["groups"][name].update(fields)


def add_group(name, made):
    return lambda state: state["groups"].update({name: copy.deepcopy(made)})


@unittest.skipUnless(BUSYBOX, "no busybox (Debian: busybox-static)")
class Span(unittest.TestCase):
    maxDiff = None

    def assert_groups(self, host, changed):
        """The host's port groups are the first ones, but for `changed`: name -> port group, None: gone."""
        expected = {**world()["groups"], **changed}
        self.assertEqual(host.state["groups"], {name: made for name, made in expected.items() if made})

    def test_what_enable_makes(self):
        own = {"promiscuous": True}
        cases = (
            ("all VLANs", ENABLE, {SPAN: group(vlan=4095, **own)}),
            ("untagged", (*ENABLE, "--vlan", "0"), {SPAN: group(vlan=0, **own)}),
            ("one VLAN, another name", (*ENABLE, "--vlan=20", "--name=eyes"), {"eyes": group(vlan=20, **own)}),
            ("a list", (*ENABLE, "--vlan", "20,3"),
             {SPAN + " VLAN 20": group(vlan=20, **own), SPAN + " VLAN 3": group(vlan=3, **own)}),
            ("the switch is promiscuous", ("enable", "--switch", "open"), {SPAN: group("open", 4095, **own)}),
            ("a switch with a blank", ("enable", "--switch", "one uplink"), {SPAN: group("one uplink", 4095, **own)}),
        )
        for shell in ("busybox", "dash"):
            for what, words, groups in cases:
                with self.subTest(what, shell=shell), Host(shell=shell) as host:
                    code, out, _ = host.run(*words, "--check")
                    self.assertEqual(code, 2, out)
                    self.assertEqual(host.writes(), [])
                    self.assertEqual(host.records(), [])
                    code, out, err = host.run(*words, "--apply")
                    self.assertEqual((code, err), (0, ""), out)
                    self.assert_groups(host, groups)
                    self.assertEqual(host.run(*words, "--check")[0], 0)
                    self.assertEqual(host.run("verify")[0], 0)
                    writes = len(host.writes())
                    self.assertEqual(host.run(*words, "--apply")[0], 0)
                    self.assertEqual(len(host.writes()), writes, "a second run changes something")
                    self.assertEqual(host.run("disable")[0], 2)
                    self.assertEqual(host.run("disable", "--apply")[0], 0)
                    self.assertEqual(host.configuration(), configuration(world()))
                    self.assertEqual(host.records(), [])
                    self.assertEqual(host.run("disable", "--check")[0], 0)

    def test_adoption_and_its_undo_are_exact(self):
        before = (group(), group(vlan=5), group(promiscuous=True), group(promiscuous=False), group(mac=False),
                  group(vlan=9, promiscuous=False, mac=False, forged=True), group(forged=False), group(vlan=4095, promiscuous=True))
        for found in before:
            for vlan in (None, "4095", "8"):
                words = (*ENABLE, "--name", "found", "--adopt", *(["--vlan", vlan] if vlan else []))
                with self.subTest(found=found, vlan=vlan), Host(world(add_group("found", found))) as host:
                    first = host.configuration()
                    self.assertEqual(host.run(*words, "--check")[0], 2)
                    code, out, err = host.run(*words, "--apply")
                    self.assertEqual((code, err), (0, ""), out)
                    security = {**found["security"], "promiscuous": True}
                    self.assert_groups(host, {"found": group(vlan=int(vlan or found["vlan"]), **security)})
                    self.assertEqual(host.run("verify")[0], 0)
                    self.assertEqual(host.run(*ENABLE, "--name", "found", "--apply")[0], 0, "it is ours: no --adopt, its VLAN stays")
                    self.assertEqual(host.state["groups"]["found"]["vlan"], int(vlan or found["vlan"]))
                    self.assertEqual(host.run("disable", "--apply")[0], 0)
                    self.assertEqual(host.configuration(), first)

    def test_refusals_change_nothing(self):
        found = add_group(SPAN, group(vlan=5))
        cases = (
            ("a foreign port group", world(found), ENABLE, ("not ours", "--adopt")),
            ("on another switch", world(add_group(SPAN, group("open"))), (*ENABLE, "--adopt"), ("on open", "--name")),
            ("a VMkernel's", world(), (*ENABLE, "--name", "Management Network", "--adopt"), ("VMkernel", "--name")),
            ("no such switch", world(), ("enable", "--switch", "vSwitch9"), ("vSwitch9", "esxcli network vswitch standard list")),
            ("nobody tells what is inherited", world(found, lambda s: s["build"].update(no_override=True)), (*ENABLE, "--adopt"),
             ("inherits", "--name")),
            ("one of a list", world(add_group(SPAN + " VLAN 3", group())), (*ENABLE, "--vlan", "20,3"), ("VLAN 3", "not ours")),
            ("no such option", world(lambda s: s.update(option=None)), ("duplicates", "--switch", "vSwitch0"),
             ("Net.ReversePathFwdCheckPromisc", "hasn't got it")),
            ("a name that only csv can tell", world(lambda s: s["build"].update(no_csv=True)), (*ENABLE, "--name", "監視"),
             ("can't be read", "ASCII")),
        )
        for what, state, words, said in cases:
            for mode in ("--check", "--apply"):
                with self.subTest(what, mode=mode), Host(state) as host:
                    code, told, err = host.json(*words, mode)
                    self.assertEqual((code, told["result"], err), (1, "failed", ""))
                    for text in said:
                        self.assertIn(text, " ".join(told["error"].values()))
                    self.assertEqual(host.writes(), [])
                    code, _, err = host.run(*words, mode)
                    self.assertEqual((code, said[0] in err), (1, True), err)

    def test_odd_names(self):
        for name in ODD:
            with self.subTest(name), Host(world(add_group("a", group()), add_group(name + " 2", group()))) as host:
                first = host.configuration()
                words = (*ENABLE, f"--name={name}")
                code, told, err = host.json(*words, "--apply")
                self.assertEqual((code, err), (0, ""), told)
                self.assertIn(f"`{name}`", told["changes"][0]["object"])
                self.assertEqual(host.state["groups"][name], group(vlan=4095, promiscuous=True))
                self.assertEqual(host.json("verify", f"--name={name}")[0], 0)
                set_group(name, vlan=3)(host.state)
                self.assertEqual(host.run("verify")[0], 2)
                self.assertEqual(host.run("disable", f"--name={name}", "--apply")[0], 0)
                self.assertEqual(host.configuration(), first)

    def test_an_odd_switch(self):
        for name in ODD:
            state = world(lambda s, name=name: s["switches"].update({name: s["switches"]["vSwitch0"]}))
            with self.subTest(name), Host(state) as host:
                self.assertEqual(host.run("enable", f"--switch={name}", "--apply")[0], 0)
                self.assert_groups(host, {SPAN: group(name, 4095, promiscuous=True)})
                self.assertEqual(host.run("disable", "--apply")[0], 0)
                self.assert_groups(host, {})

    def test_esxcli_without_csv(self):
        build = world(lambda s: s["build"].update(no_csv=True), add_group("SPAN", group("open")), add_group("日本語", group()),
                      add_group("SPAN Network 2", group("one uplink", 4095, 12)))
        with Host(build) as host:
            code, told, _ = host.json(*ENABLE, "--apply")
            self.assertEqual(code, 0, told)
            self.assertTrue(any("no csv" in text for text in told["notes"]))
            self.assertEqual(host.state["groups"][SPAN], group(vlan=4095, promiscuous=True))
            self.assertEqual(host.run("verify")[0], 0)

    def test_a_list_that_was_cut_short(self):
        for times, code in ((1, 0), (9, 1)):
            state = world(add_group(SPAN, group(vlan=5)), lambda s, times=times: s["build"].update(cut_list=times))
            with self.subTest(times), Host(state) as host:
                got, told, _ = host.json(*ENABLE, "--adopt", "--vlan", "4095", "--apply")
                self.assertEqual(got, code, told)
                self.assertEqual(host.state["groups"][SPAN]["vlan"], 4095 if code == 0 else 5)

    def test_drift_is_told_and_mended(self):
        cases = (
            ("promiscuous mode", set_group(SPAN, security={"promiscuous": False})),
            ("promiscuous mode", set_group(SPAN, security={})),
            ("VLAN", set_group(SPAN, vlan=0)),
            ("absent", lambda state: state["groups"].pop(SPAN)),
        )
        for text, drift in cases:
            with self.subTest(text), Host() as host:
                host.run(*ENABLE, "--apply")
                drift(host.state)
                code, told, _ = host.json("verify")
                self.assertEqual((code, told["result"]), (2, "not as asked"))
                self.assertIn(text, told["changes"][0]["is"])
                self.assertEqual(host.run(*ENABLE, "--check")[0], 2)
                self.assertEqual(host.run(*ENABLE, "--apply")[0], 0)
                self.assertEqual(host.run("verify")[0], 0)

    def test_what_others_do_to_our_port_group(self):
        with Host() as host:
            host.run(*ENABLE, "--apply")
            set_group(SPAN, switch="open")(host.state)
            code, told, _ = host.json(*ENABLE, "--apply")
            self.assertEqual((code, "on open now" in told["error"]["what"]), (1, True), told)
            self.assertEqual(host.run("disable", "--apply")[0], 0)
            self.assertIn(SPAN, host.state["groups"], "it is not ours any more")
            self.assertEqual(host.records(), [])
        with Host(world(add_group("found", group(vlan=5)))) as host:
            host.run(*ENABLE, "--name", "found", "--adopt", "--apply")
            set_group("found", vlan=6, security={"promiscuous": True, "forged": False})(host.state)
            code, told, _ = host.json("disable", "--apply")
            self.assertEqual(code, 0, told)
            self.assertTrue(any("VLAN 6" in text for text in told["notes"]), told)
            self.assertEqual(host.state["groups"]["found"], group(vlan=5, forged=False), "forged transmits are not ours")

    def test_a_port_group_in_use_stays(self):
        with Host(world(lambda s: s["vms"].append({"name": "sensor 1", "networks": [SPAN, "VM Network"]}))) as host:
            host.run(*ENABLE, "--apply")
            set_group(SPAN, clients=1)(host.state)
            code, told, _ = host.json("disable", "--apply")
            self.assertEqual(code, 1, told)
            self.assertIn("sensor 1", told["error"]["what"])
            self.assertEqual(host.json("verify")[0], 0)
            set_group(SPAN, clients=0)(host.state)
            code, told, _ = host.json("verify")
            self.assertTrue(any("no sensor" in text for text in told["notes"]), told)
            self.assertEqual(host.run("disable", "--apply")[0], 0)

    def test_a_list_that_changes_and_a_name_that_stays(self):
        with Host() as host:
            host.run(*ENABLE, "--vlan", "20,3", "--apply")
            host.run(*ENABLE, "--name", "other", "--apply")
            self.assertEqual(host.run(*ENABLE, "--vlan", "3,4", "--apply")[0], 0)
            self.assertEqual(sorted(set(host.state["groups"]) - set(world()["groups"])), [SPAN + " VLAN 3", SPAN + " VLAN 4", "other"])
            self.assertEqual(host.run("disable", "--name", SPAN, "--apply")[0], 0)
            self.assertEqual(sorted(set(host.state["groups"]) - set(world()["groups"])), ["other"])
            self.assertEqual(host.run("enable", "--switch", "open", "--name", "other", "--apply")[0], 1, "it is on vSwitch0")

    def test_duplicates(self):
        words = ("duplicates", "--switch", "vSwitch0")
        with Host(world(add_group("foreign", group(promiscuous=True)), add_group("found", group(promiscuous=True)))) as host:
            first = host.configuration()
            host.run(*ENABLE, "--name", "found", "--adopt", "--apply")
            code, told, _ = host.json(*ENABLE, "--apply")
            self.assertTrue(any("2 uplinks" in text for text in told["notes"]), told)
            self.assertEqual(host.run(*words)[0], 2)
            self.assertEqual(host.state["option"], 0)
            toggles = len(host.state["toggles"])
            self.assertEqual(host.run(*words, "--apply")[0], 0)
            self.assertEqual((host.state["option"], host.run(*words)[0], host.run("verify")[0]), (1, 0, 0))
            self.assertCountEqual(host.state["toggles"][toggles:], [["found", False, 1], ["found", True, 1], [SPAN, False, 1], [SPAN, True, 1]])
            host.state.update(option=0)
            self.assertEqual((host.run("verify")[0], host.run(*words, "--apply")[0]), (2, 0))
            self.assertEqual(host.run("disable", "--name", SPAN, "--apply")[0], 0)
            self.assertEqual(host.state["option"], 1, "one of our port groups is left")
            toggles = len(host.state["toggles"])
            self.assertEqual(host.run("disable", "--apply")[0], 0)
            self.assertEqual(host.configuration(), first)
            self.assertEqual(host.state["toggles"][toggles:], [["found", False, 0], ["found", True, 0]])
            self.assertEqual(host.records(), [])

    def test_duplicates_that_need_nothing(self):
        for what, words, state in (("one uplink", ("duplicates", "--switch", "one uplink"), world()),
                                   ("set already", ("duplicates", "--switch", "vSwitch0"), world(lambda s: s.update(option=1)))):
            with self.subTest(what), Host(state) as host:
                self.assertEqual(host.run(*words, "--apply")[0], 0)
                self.assertEqual((host.writes(), host.records()), ([], []))

    def test_a_command_that_the_host_ignores_is_noticed(self):
        with Host() as host:
            host.run(*ENABLE, "--apply")
            calls = host.state["calls"]
        for number, call in enumerate(calls, 1):
            if not call["writes"]:
                continue
            with self.subTest(call["words"]), Host(world(lambda s, n=number: s["faults"].update({n: "ignore"}))) as host:
                code, told, _ = host.json(*ENABLE, "--apply")
                self.assertEqual(code, 1, told)
                self.assertEqual(host.run("verify")[0], 2)
                self.assertEqual(host.run(*ENABLE, "--apply")[0], 0)
                self.assertEqual(host.run("verify")[0], 0)

    def test_two_runs_and_two_hosts(self):
        with Host() as host:
            host.run(*ENABLE, "--apply")
            lock = os.path.join(host.store, host.state["uuid"], "lock")
            os.mkdir(lock)
            with open(os.path.join(lock, "pid"), "w", encoding="utf-8") as f:
                f.write(f"{os.getpid()}\n")
            code, told, _ = host.json("disable", "--apply")
            self.assertEqual((code, "another run" in told["error"]["what"]), (1, True), told)
            self.assertEqual(host.run("verify")[0], 0, "reading needs no lock")
            self.assertTrue(os.path.isdir(lock))
            os.remove(os.path.join(lock, "pid"))
            self.assertEqual(host.run(*ENABLE, "--apply")[0], 0, "nobody holds it")
            self.assertFalse(os.path.isdir(lock))
            host.state.update(uuid="another", groups=world()["groups"])
            self.assertEqual(host.run("verify")[0], 2, "the folder is shared, the records are not")
            self.assertEqual(host.run("disable", "--apply")[0], 0)
            self.assertEqual(host.writes()[-1][-2:], ["--portgroup-name=" + SPAN, "--allow-promiscuous=true"])

    def test_versions(self):
        for version, text in (("6.7.0", None), ("7.0.3", None), ("8.0.2", "execInstalledOnly"), ("6.0.0", "not one of"),
                              ("9.0.0", "not one of")):
            with self.subTest(version), Host(world(lambda s, v=version: s.update(version=v))) as host:
                code, told, _ = host.json(*ENABLE, "--check")
                self.assertEqual((code, told["version"]), (2, version))
                found = [note for note in told["notes"] if "ESXi" in note]
                self.assertTrue(text in found[0] if text else not found, told["notes"])

    def test_help_and_wrong_command_lines(self):
        with Host() as host:
            code, out, err = host.run("--help")
            self.assertEqual((code, err), (0, ""))
            self.assertIn("Example: ", out)
            for version in ("6.7", "7", "8"):
                self.assertIn(version, out)
            for words in ((), ("enbale",), ("enable",), (*ENABLE, "--vlan", "4096"), (*ENABLE, "--vlan", "1,1"), (*ENABLE, "--vlan", "1,"),
                          (*ENABLE, "--vlan", "0,5"), (*ENABLE, "--vlan", "5,4095"), (*ENABLE, "--vlan", "x"), (*ENABLE, "--name="),
                          (*ENABLE, "--name", "a\tb"), (*ENABLE, "--name", "a\nb"), (*ENABLE, "verify"), ("enable", "--switch")):
                with self.subTest(words):
                    # --state comes last: it is no value of what is before it.
                    code, out, err = host.run(*words)
                    self.assertEqual((code, out), (64, ""), err)
                    self.assertIn("vmirror-esxi-span", err)
            self.assertEqual(host.state["calls"], [])

    def test_the_first_line_makes_it_a_script_for_esxi_8(self):
        with open(SCRIPT, "rb") as f:
            self.assertEqual(f.readline(), b"#!/bin/sh\n")
        self.assertEqual(subprocess.run([*SHELLS["busybox"], "-n", SCRIPT], check=False).returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
