"""What a person does before, while and after something is mirrored: preview, apply, exit codes, explain."""

import json
import os
import re
import subprocess
import unittest

import shells
import system
import world as w

PLC = "vnet-plc"
PLC_UUID = w.GUESTS["plc"][2]
PLC_MAC = w.GUESTS["plc"][1]


def policy(name, select, more=""):
    return f"policy: {name}\nselect: {select}\ntargets: [local]\n{more}"


class Operator(system.SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = system.host_daemon(cls.world).start()
        cls.folder = os.path.join(cls.world.directory, "mine")
        os.makedirs(cls.folder)

    def setUp(self):
        self.eventually("ovs-vswitchd's answer", lambda: self.code("sessions") == 0)

    def tearDown(self):
        for folder in (self.host.policies, self.folder):
            for name in os.listdir(folder):
                os.remove(os.path.join(folder, name))
        self.eventually("no mirrors", lambda: not self.world.mirrors())

    def code(self, *words):
        return self.host.run(*words, check=False).returncode

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    # ---- Before ----

    def test_a_preview_says_what_would_come_and_changes_nothing(self):
        path = self.write("plc.yaml", policy("plc", "[{vm: plc}]"))
        for words in (("plan", path), ("apply", "--dry-run", path)):
            with self.subTest(words[0]):
                done = self.host.run(*words, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertIn("policy plc: 1 NIC: new 1\n", done.stdout)
                self.assertRegex(done.stdout, rf"{PLC}@local +plc +new +vmirror-local +vmr-br0")
                self.assertIn("create mirror br0/vmirror-local", done.stdout)
        self.assertEqual((self.world.mirrors(), os.listdir(self.host.policies)), ({}, []))

    def test_a_preview_compares_with_what_is_in_force(self):
        self.host.apply(policy("plc", "[{vm: plc}]"))
        wider = self.host.run("plan", "-", "--json", input=policy("plc", "[{vm: plc}, {vm: web}]"))
        answer = json.loads(wider.stdout)
        self.assertEqual({s["name"]: s["change"] for s in answer["sessions"]},
                         {f"{PLC}@local": "unchanged", "vnet-web@local": "new"})
        self.assertTrue(answer["policies"][0]["replaces"])
        other = json.loads(self.host.run("plan", "-", "--json", input=policy("plc", "[{vm: web}]")).stdout)
        self.assertEqual(other["goes"], [f"{PLC}@local"])

    def test_what_would_be_refused_or_cannot_match_is_said_before(self):
        for select, more, why in (
                ("[{vm: plc}]", "snaplen: 64\n", "contradicts policy `watch`"),
                ("[{vm: plx}]", "", "no guest here matches `vm: plx`; the nearest here is `plc`"),
                ("[{mac: \"52:54:00:zz:*\"}]", "", "no MAC matches `mac: 52:54:00:zz:*`"),
                ("[{title: \"* controller\"}]", "", "`title` matches nothing here: write `libvirt: {}`"),
                ("[{vm: plc, port: vnet-web}]", "", "no NIC matches all of them")):
            with self.subTest(why):
                self.host.apply(policy("watch", "[{vm: plc}]"))
                done = self.host.run("plan", "-", input=policy("x", select, more), check=False)
                self.assertEqual(done.returncode, 2)
                self.assertIn(why, done.stdout)

    def test_the_remedy_of_a_filter_that_no_switch_enforces_is_said_before(self):
        remote = policy("x", "[{vm: plc}]", "filter: [{cidr: 10.0.0.0/24}]\n").replace(
            "targets: [local]", f"targets: [{{erspan: {{address: {w.COLLECTOR_ADDRESS}}}}}]")
        done = self.host.run("plan", "-", input=remote, check=False)
        self.assertEqual(done.returncode, 2, done.stdout)
        remedy = "let the target `local` filter, or ask for exact protocols, ports and addresses"
        name = f"{PLC}@erspan-{w.COLLECTOR_ADDRESS}"
        # On a line of its own: at the end of a table's line a terminal's width cuts it off.
        self.assertIn(f"\nremedy of {name}: {remedy}\n", done.stdout)
        self.assertRegex(done.stdout, rf"(?m)^{name} .*its filter is not enforceable here: [^`]*$")

    def test_errors_before_name_the_file_that_the_person_edits(self):
        bad = self.write("bad.yaml", policy("bad", "[{vm: plc}]", "snapln: 5\n"))
        empty = os.path.join(self.folder, "none.yaml")
        for words, text, why in ((("plan", bad), None, f"{bad}:4: unknown key `snapln` (write `snaplen`)"),
                                 (("apply", bad), None, f"{bad}:4: unknown key `snapln`"),
                                 (("plan", "-"), "policy: [", "standard input:1"),
                                 (("apply", empty), None, f"{empty}: can't be read")):
            with self.subTest(words=words):
                done = self.host.run(*words, input=text, check=False)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertIn(why, done.stderr)

    # ---- Apply ----

    def test_apply_answers_what_became_of_the_policy(self):
        done = self.host.run("apply", "-", input=policy("plc", "[{vm: plc}, {vm: absent}]"), check=False)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertRegex(done.stdout, r"policy plc applied, in \S+/plc\.yaml: 1 NIC: ")
        self.assertIn("no guest here is called `absent`", done.stdout)
        self.assertIn("entry 2 of `select`: no guest here matches `vm: absent`", done.stdout)

    def test_apply_waits_for_the_proof_where_it_is_asked_for(self):
        path = self.write("plc.yaml", policy("plc", "[{vm: plc}]"))
        said = self.host.run("apply", path).stdout
        self.assertIn(f"1 session is not proven yet: traffic of the guest proves a mirror. "
                      f"`vmirror apply --proven --wait 60 {path}` waits for the proof", said)
        early = self.host.run("apply", "--proven", "--wait", "0", path, check=False)
        self.assertEqual(early.returncode, 2, early.stdout)

        def proven():
            self.world.talk(1)
            return self.code("apply", "--proven", "--wait", "2", path) == 0
        self.eventually("the proof", proven, 40)
        self.assertEqual(self.code("sessions", "--proven"), 0)

    def test_apply_of_a_policy_that_is_refused_is_not_well(self):
        self.host.apply(policy("watch", "[{vm: plc}]"))
        done = self.host.run("apply", "-", input=policy("x", "[{vm: plc}]", "snaplen: 64\n"), check=False)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stdout, r"1 NIC: refused 1: .*contradicts policy `watch`")

    def test_apply_takes_a_folder_whole_or_not_at_all(self):
        for name in ("plc", "web"):
            self.write(name + ".yaml", policy(name, f"[{{vm: {name}}}]"))
        bad = self.write("z.yaml", policy("z", "[{vm: plc}]", "snapln: 5\n"))
        done = self.host.run("apply", self.folder, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(os.listdir(self.host.policies), [])
        os.remove(bad)
        answer = json.loads(self.host.run("apply", self.folder, "--json").stdout)
        self.assertEqual([p["policy"] for p in answer["policies"]], ["plc", "web"])
        self.assertEqual(set(self.host.sessions()), {f"{PLC}@local", "vnet-web@local"})
        os.remove(os.path.join(self.folder, "plc.yaml"))
        os.remove(os.path.join(self.folder, "web.yaml"))
        done = self.host.run("apply", self.folder, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the folder has no policies", done.stderr)

    # ---- Exit codes ----

    def codes(self, *more):
        return {command: self.code(command, *more) for command in ("sessions", "status", "policies", "plan")}

    def test_silent_guests_are_well_and_unproven_ones_as_asked(self):
        self.host.apply(policy("plc", "[{vm: plc}]"))
        self.eventually("all well", lambda: set(self.codes().values()) == {0})
        self.assertIn("all that is asked for is watched: 1 session: ", self.host.run("status").stdout)

    def test_a_port_that_is_gone_is_missing_and_its_history_is_kept(self):
        self.host.apply(policy("plc", f"[{{port: {PLC}}}]"))
        self.eventually("all well", lambda: set(self.codes().values()) == {0})
        self.world.vsctl("del-port", PLC)
        try:
            self.eventually("an alarm", lambda: set(self.codes().values()) == {2})
            self.assertIn(f"not watched: policy plc: no port here is called `{PLC}`",
                          self.host.run("sessions").stdout)
            self.assertIn("not all is watched: ", self.host.run("status").stdout)
            for name in (f"{PLC}@local", PLC, "plc", PLC_UUID, PLC_MAC):
                with self.subTest(name):
                    said = self.host.run("explain", name).stdout
                    self.assertIn(f"{PLC}@local is gone; what it was:", said)
                    self.assertIn(f"gone: port {PLC} was deleted", said)
        finally:
            self.world.plug("plc")
        self.eventually("all well again", lambda: set(self.codes().values()) == {0})

    def test_a_bad_file_is_not_well(self):
        self.host.write_policy("bad", "policy: bad\nselect: [{vm: plc}]\n")
        self.eventually("an alarm", lambda: {self.code(c) for c in ("sessions", "status", "policies")} == {2})
        self.assertIn("bad.yaml", self.host.run("sessions").stdout)

    def test_a_file_that_went_bad_is_said_beside_its_policy(self):
        self.host.write_policy("plc", policy("plc", "[{vm: plc}]"))
        self.eventually("all well", lambda: set(self.codes().values()) == {0})
        path = os.path.join(self.host.policies, "plc.yaml")
        os.chmod(path, 0o666)
        why = f"every user may write it (chmod o-w {path})"
        self.eventually("an alarm", lambda: why in self.host.run("policies").stdout)
        self.assertRegex(self.host.run("policies").stdout, r"plc +in force +1 NIC: \w+ 1; the file is bad, the policy stays as it was: ")
        self.assertEqual(self.code("policies"), 2)
        os.chmod(path, 0o644)  # The remedy, and nothing else.
        self.eventually("all well again", lambda: set(self.codes().values()) == {0})

    def test_explain_takes_a_vm_and_a_policy_and_says_what_was_meant(self):
        self.host.apply(policy("watch", "[{vm: plc}]"))
        for name in ("plc", "watch", PLC):
            with self.subTest(name):
                self.assertIn(f"policy   watch mirrors both directions of port br0/{PLC} (plc) to local",
                              self.host.run("explain", name).stdout)
        done = self.host.run("explain", "vnet-plx", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"did you mean `{PLC}`?", done.stderr)


    # ---- While ----

    def make_completions(self):
        if not hasattr(Operator, "completions"):
            Operator.completions = os.path.join(self.world.directory, "completions")
            w.run(os.path.join(w.ROOT, "debian", "completions"), w.BIN, self.completions)
        return {**os.environ, "PATH": os.path.abspath(w.BIN) + ":" + os.environ["PATH"], "VMIRROR_SOCKET": self.host.socket}

    def completed(self, typed):
        """What bash offers after `vmirror TYPED`, with what the shell splits words at."""
        environment = self.make_completions()
        line = "vmirror " + typed
        words = [word for word in re.split(r"\s+|(?<=[@=])|(?=[@=])", line) if word] + ([""] if line[-1] in " " else [])
        text = (". $1/bash/vmirror; COMP_LINE=$2 COMP_POINT=${#2}; shift 2; COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1));"
                " _vmirror; printf '%s\\n' \"${COMPREPLY[@]}\"")
        done = subprocess.run(["bash", "-c", text, "bash", self.completions, line, *words], capture_output=True, text=True,
                              env=environment, check=True)
        self.assertEqual(done.stderr, "", typed)
        return set(done.stdout.split())

    def test_a_shell_completes_values_and_the_names_that_the_daemon_knows(self):
        self.host.apply(policy("watch", "[{vm: plc}]"))
        self.eventually("the session", lambda: set(self.host.sessions()) == {f"{PLC}@local"})
        for typed, offered in (("explain ", {"watch", "plc", PLC, f"{PLC}@local"}), ("explain w", {"watch"}),
                               (f"explain {PLC}@", {"@local"}), (f"explain {PLC}@lo", {"@local"}),
                               ("capture pl", {"plc"}), ("delete ", {"watch"}), ("wait wa", {"watch"}),
                               ("apply --remove ", {"watch"}), ("migrations pl", {"plc"}),
                               ("sessions -o ", {"table", "wide", "json"}), ("sessions -o w", {"wide"}),
                               ("assets --output n", {"netbox"}), ("analyze --protocols modb", {"modbus"}),
                               ("wait --for p", {"proven"}), ("sessi", {"sessions"}), ("apply --dr", {"--dry-run"})):
            with self.subTest(typed):
                found = self.completed(typed)
                self.assertEqual({one for one in found if typed.split(" ")[-1] or not one.startswith("-")}, offered)
        socket, self.host.socket = self.host.socket, "/nonexistent/c.sock"
        try:
            self.assertEqual({one for one in self.completed("explain ") if not one.startswith("-")}, set())
        finally:
            self.host.socket = socket

    def test_who_may_not_read_is_told_so(self):
        path = self.write("plc.yaml", policy("plc", "[{vm: plc}]"))
        os.chmod(path, 0o600)
        for folder in (self.folder, self.world.directory, system.DIRECTORY, os.path.dirname(w.BIN)):
            if not os.stat(folder).st_mode & 0o001:
                self.skipTest(f"{folder} is closed to other users")
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", os.path.join(w.BIN, "vmirror"), "plan", path],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(f"{path}: can't be read: Permission denied (run as its owner or as root, or let this user read it)", done.stderr)

    def test_tab_completes_in_each_shell(self):
        self.host.apply(policy("watch", "[{vm: plc}]"))
        self.eventually("the session", lambda: set(self.host.sessions()) == {f"{PLC}@local"})
        environment = self.make_completions()
        for shell in shells.SHELLS:
            if why := system.lacking(shell):
                print(f"{shell} is skipped: {why}")
                continue
            for typed, line in (("vmirror sessi", "vmirror sessions "), ("vmirror hook inst", "vmirror hook install "),
                                ("vmirror apply --dr", "vmirror apply --dry-run "), ("vmirrord --che", "vmirrord --check "),
                                ("vmirror sessions -o w", "vmirror sessions -o wide "),
                                ("vmirror get pol", "vmirror get policies "),
                                # `vmirror status` has this option, `vmirror hook status` does not.
                                ("vmirror hook status --o", "vmirror hook status --o"),
                                ("vmirror explain wa", "vmirror explain watch "),
                                (f"vmirror explain {PLC}@lo", f"vmirror explain {PLC}@local "),
                                ("vmirror apply --remove wa", "vmirror apply --remove watch ")):
                with self.subTest(shell=shell, typed=typed):
                    self.assertEqual(shells.after_tab(shell, self.completions, typed, environment), line)

    def test_a_listing_is_chosen_and_sorted(self):
        self.host.apply(policy("all", "[{vm: \"*\"}]"))
        self.eventually("the sessions", lambda: len(self.host.sessions()) == len(w.GUESTS))
        names = [s["name"] for s in json.loads(self.host.run(
            "sessions", "-o", "json", "--filter", "vm!=hmi", "--sort=-name", "--limit", "1").stdout)["sessions"]]
        self.assertEqual(names, ["vnet-web@local"])
        self.assertNotIn("MIRROR", self.host.run("sessions").stdout)
        self.assertIn("MIRROR", self.host.run("sessions", "-o", "wide").stdout)
        done = self.host.run("sessions", "--filter", "stat=active", "--json", check=False)
        self.assertEqual((done.returncode, json.loads(done.stdout)["error"]["remedy"]), (1, "did you mean `state`?"))

    def test_drain_takes_all_away_and_undo_brings_it_back(self):
        self.host.apply(policy("plc", "[{vm: plc}]"))
        self.eventually("all well", lambda: set(self.codes().values()) == {0})
        self.addCleanup(self.host.run, "drain", "--undo")
        self.assertIn("drained: ", self.host.run("drain").stdout)
        self.assertEqual(self.world.mirrors(), {})
        self.host.write_policy("web", policy("web", "[{vm: web}]"))
        self.assertEqual(self.code("sessions"), 2)
        self.assertIn("all is drained: `vmirror drain --undo`", self.host.run("sessions").stdout)
        self.assertEqual(self.world.mirrors(), {})
        self.assertEqual(self.host.run("drain", "--undo").stdout, "the policies are in force again\n")
        self.eventually("both sessions", lambda: set(self.host.sessions()) == {f"{PLC}@local", "vnet-web@local"})

    def test_check_tells_what_the_sensor_gets(self):
        self.host.apply(policy("all", "[{vm: \"*\"}]"))

        def passes():
            findings = {f["id"]: f["verdict"] for f in self.host.ask("check")["findings"]}
            return all(findings[check] == "pass" for check in (
                "switch-readable", "all-watched", "coverage", "traffic", "unicast", "both-directions", "inputs",
                "devices", "protocols", "drops")) and findings
        findings = self.talk_until("checks that pass", passes)
        self.assertEqual(findings["clocks"], "not told")
        quiet = self.host.run("check", "--for", "0.5", check=False)
        self.assertRegex(quiet.stdout, r"traffic +(pass|fail) ")
        self.host.apply(policy("absent", "[{vm: absent}]"))
        done = self.host.run("check", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stdout, r"all-watched +fail +policy absent: no guest here is called `absent`")


    def test_json_has_the_keys_that_the_manual_lists(self):
        with open(os.path.join(w.ROOT, "docs", "OPERATING.md"), encoding="utf-8") as manual:
            text = manual.read().split("### What --json prints")[1].split("\n### ")[0]
        told = {row.replace("`", ""): set(re.findall(r"`(\w+)`", keys.split(";")[0]))
                for row, keys in re.findall(r"^\| (`[^|]+) \| (`.*) \|$", text, re.MULTILINE)}
        path = self.write("plc.yaml", policy("plc", "[{vm: plc}]"))
        said = {row: self.host.ask(*words) for row, words in {
            "apply FILE": ("apply", path), "plan FILE": ("plan", path), "explain NAME": ("explain", "plc"),
            **{name: (name,) for name in ("status", "plan", "locations", "migrations", "assets", "flows", "check")}}.items()}
        listed = {name: self.host.ask(name) for name in ("sessions", "policies")}
        for row, answer in said.items():
            self.assertEqual(told[row], set(answer), row)
        for name, answer in listed.items():
            self.assertEqual(set(answer), {name, "verdict"})
            self.assertEqual(told[name], set(answer[name][0]), f"a row of {name}")
        self.assertEqual(told["sessions of plan FILE"], set(said["plan FILE"]["sessions"][0]))
        self.assertEqual(told["findings of check"], set(said["check"]["findings"][0]))
        self.assertEqual(told["verdict (one object)"], set(said["status"]["verdict"]))
        self.assertEqual(told["steps"], {"step", "why"})


class Log(system.SystemTest):
    def test_what_is_not_as_it_should_be_is_a_warning(self):
        host = system.host_daemon(self.world).start()
        host.write_policy("plc", policy("plc", "[{vm: plc}]"))
        self.eventually("the session", lambda: list(host.sessions()) == [f"{PLC}@local"])
        self.world.kill("ovsdb-server")

        def log():
            with open(self.world.log_of("host"), encoding="utf-8") as text:
                return text.read()
        self.eventually("the news", lambda: "can't be read" in log())
        self.assertRegex(log(), r"\S+ warning switch: can't be read: ")
        self.assertRegex(log(), rf"\S+ warning {PLC}@local: \w+ -> unknown: ")
        self.assertRegex(log(), rf"\S+ info {PLC}@local: pending: ")

    def test_mirrors_stay_unless_it_is_said_otherwise(self):
        host = system.Daemon(self.world, "stays", {"switch": {"driver": "ovs", "remote": w.OVSDB}, "on_stop": "keep"})
        host.write_policy("plc", policy("plc", "[{vm: plc}]"))
        if not self.world.alive("ovsdb-server"):
            self.world.start_database()
        host.start()
        self.eventually("the mirror", lambda: len(self.world.mirrors()) == 1)
        for words in (("drain",), ("apply", "--prune")):
            beside = host.run(*words, "--config", host.config, check=False)
            self.assertEqual((beside.returncode, beside.stdout), (1, ""), words)
            self.assertIn("a daemon runs with this configuration", beside.stderr)
        self.assertEqual(host.stop(), 0)
        self.assertEqual(len(self.world.mirrors()), 1)
        done = host.run("drain", "--config", host.config)
        self.assertIn("remove mirror", done.stdout)
        self.assertEqual(self.world.mirrors(), {})


class Unreadable(system.SystemTest):
    def test_a_switch_that_cannot_be_read_is_not_well(self):
        host = system.host_daemon(self.world)
        host.write_policy("plc", policy("plc", "[{vm: plc}]"))
        host.start()
        self.eventually("all well", lambda: host.run("sessions").returncode == 0)
        self.world.kill("ovsdb-server")
        self.eventually("an alarm", lambda: {host.run(c, check=False).returncode for c in ("sessions", "status", "plan")} == {2})
        self.assertIn("the switch can't be read", host.run("sessions", check=False).stdout)


if __name__ == "__main__":
    system.main(__file__)
