"""A stand-in for the `esxcli` and `vim-cmd` of an ESXi host: it has a host's state and prints what the real ones print.

The state is a dict:
    switches: {name: {uplinks: [...], security: {promiscuous, mac, forged}}}
    groups:   {name: {switch, vlan, clients, security: {...}}}    a setting that isn't there is inherited
    vmkernel: {interface: port group}      option: the value of Net.ReversePathFwdCheckPromisc, or None: unknown
    vms:      [{name, networks}]           version, uuid
    build:    what this ESXi does otherwise: no_csv, no_override, cut_list (times that a list loses its last row)
    faults:   {number of the call, from 1: what becomes of it}
              fail         exit 1 and a message on standard error, nothing done
              fail_stdout  the same on standard output
              ignore       exit 0, nothing done
              done_fail    done, and exit 1
              die_before, die_after    the caller is killed, before or after it is done
              terminate    the caller is asked to end by SIGTERM, and it is done
    calls:    the log, each {words, writes}
    toggles:  each setting of a promiscuous mode: [port group, value, the option's value at that time]
"""

import collections
import signal


SETTINGS = {"allow-promiscuous": "promiscuous", "allow-mac-change": "mac", "allow-forged-transmits": "forged"}
SHORT = {"p": "portgroup-name", "v": "vswitch-name", "o": "option", "i": "int-value", "u": "use-vswitch"}
OPTION = "/Net/ReversePathFwdCheckPromisc"


class Refused(Exception):
    """What the command prints before it exits with 1."""


def options_of(words):
    """The words of the command, and its options by their long names."""
    command, options, words = [], {}, list(words)
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            options[name] = value if equals or name == "use-vswitch" else words.pop(0)
        elif word.startswith("-"):
            name = SHORT[word[1]]
            options[name] = word[2:] or ("" if name == "use-vswitch" else words.pop(0))
        else:
            command.append(word)
    return " ".join(command), options


def csv_of(rows):
    """As esxcli prints it: columns by the alphabet, without blanks in their names, a comma at the end."""
    keys = sorted(rows[0]) if rows else []

    def cell(value):
        value = str(value)
        return '"' + value.replace('"', '""') + '"' if any(c in value for c in ',"') else value

    lines = ["".join(key.replace(" ", "") + "," for key in keys)]
    lines += ["".join(cell(row[key]) + "," for key in keys) for row in rows]
    return "\n".join(lines) + "\n"


def table_of(rows, keys):
    widths = [max([len(key)] + [len(str(row[key])) for row in rows]) for key in keys]

    def line(cells):
        padded = [c.rjust(w) if c.isdigit() else c.ljust(w) for c, w in zip(cells, widths)]
        return "  ".join(padded).rstrip()

    out = [line(keys), "  ".join("-" * width for width in widths)]
    return "\n".join(out + [line([str(row[key]) for key in keys]) for row in rows]) + "\n"


class Host:
    def __init__(self, state):
        self.state = state

    def group(self, options):
        name = options["portgroup-name"]
        if name not in self.state["groups"]:
            raise Refused(f"Unable to find port group: {name}")
        return self.state["groups"][name]

    def listing(self, rows, keys, as_csv):
        if as_csv and self.state["build"].get("no_csv"):
            raise Refused("Invalid data constraint for parameter 'formatter'.")
        if self.state["build"].get("cut_list", 0) > 0:
            self.state["build"]["cut_list"] -= 1
            rows = rows[:-1]
        return csv_of(rows) if as_csv else table_of(rows, keys)

    def portgroup_list(self, _, as_csv):
        rows = [{"Name": name, "Virtual Switch": group["switch"], "Active Clients": group["clients"],
                 "VLAN ID": group["vlan"]} for name, group in self.state["groups"].items()]
        return self.listing(rows, ("Name", "Virtual Switch", "Active Clients", "VLAN ID"), as_csv)

    def portgroup_add(self, options, _):
        name, switch = options["portgroup-name"], options["vswitch-name"]
        if name in self.state["groups"]:
            raise Refused(f"A portgroup with the name {name} already exists")
        if switch not in self.state["switches"]:
            raise Refused(f"No such virtual switch: {switch}")
        self.state["groups"][name] = {"switch": switch, "vlan": 0, "clients": 0, "security": {}}

    def portgroup_remove(self, options, _):
        group = self.group(options)
        if group["switch"] != options["vswitch-name"] or group["clients"]:
            raise Refused("Unable to remove the port group: it is in use, or not on this switch")
        del self.state["groups"][options["portgroup-name"]]

    def portgroup_set(self, options, _):
        vlan = int(options["vlan-id"])
        if not 0 <= vlan <= 4095:
            raise Refused(f"Invalid VLAN id {vlan}")
        self.group(options)["vlan"] = vlan

    def security_get(self, options, _):
        group = self.group(options)
        above = self.state["switches"][group["switch"]]["security"]
        texts = (("promiscuous", "Promiscuous"), ("mac", "MAC Address Change"), ("forged", "Forged Transmits"))
        lines = [f"   Allow {text}: {str(group['security'].get(key, above[key])).lower()}" for key, text in texts]
        if not self.state["build"].get("no_override"):
            lines += [f"   Override Vswitch Allow {text}: {str(key in group['security']).lower()}" for key, text in texts]
        return "\n".join(lines) + "\n"

    def security_set(self, options, _):
        group = self.group(options)
        if "use-vswitch" in options:
            group["security"] = {}
        for name, key in SETTINGS.items():
            if name in options:
                group["security"][key] = options[name] in ("true", "1", "yes")
                if key == "promiscuous":
                    self.state["toggles"].append([options["portgroup-name"], group["security"][key], self.state["option"]])

    def switch_list(self, options, _):
        name = options["vswitch-name"]
        if name not in self.state["switches"]:
            raise Refused(f"No such virtual switch: {name}")
        groups = ", ".join(n for n, group in self.state["groups"].items() if group["switch"] == name)
        uplinks = ", ".join(self.state["switches"][name]["uplinks"])
        return (f"{name}\n   Name: {name}\n   Class: cswitch\n   Num Ports: 7680\n   Used Ports: 5\n   Configured Ports: 128\n"
                f"   MTU: 1500\n   CDP Status: listen\n   Beacon Enabled: false\n   Beacon Interval: 1\n   Beacon Threshold: 3\n"
                f"   Beacon Required By: \n   Uplinks: {uplinks}\n   Portgroups: {groups}\n")

    def interface_list(self, _options, _):
        return "\n".join(f"{name}\n   Name: {name}\n   MAC Address: 00:50:56:00:00:01\n   Enabled: true\n   Portset: vSwitch0\n"
                         f"   Portgroup: {group}\n   Netstack Instance: defaultTcpipStack\n   MTU: 1500\n"
                         for name, group in self.state["vmkernel"].items())

    def vm_list(self, _, as_csv):
        rows = [{"World ID": 2099000 + n, "Name": vm["name"], "Num Ports": len(vm["networks"]),
                 "Networks": ", ".join(vm["networks"])} for n, vm in enumerate(self.state["vms"])]
        return self.listing(rows, ("World ID", "Name", "Num Ports", "Networks"), as_csv)

    def advanced_list(self, options, _):
        if options["option"] != OPTION or self.state["option"] is None:
            raise Refused(f"Unable to find advanced option {options['option']}")
        return (f"   Path: {OPTION}\n   Type: integer\n   Int Value: {self.state['option']}\n   Default Int Value: 0\n   Min Value: 0\n"
                "   Max Value: 1\n   String Value: \n   Default String Value: \n   Valid Characters: \n   Description: Block "
                "duplicate packet in a teamed environment when the virtual switch is set to Promiscuous mode.\n")

    def advanced_set(self, options, _):
        if options["option"] != OPTION or options["int-value"] not in ("0", "1"):
            raise Refused("Unable to set the advanced option")
        self.state["option"] = int(options["int-value"])

    def version_get(self, _options, _):
        return f"   Product: VMware ESXi\n   Version: {self.state['version']}\n   Build: Releasebuild-1\n   Update: 0\n   Patch: 0\n"

    def uuid_get(self, _options, _):
        return self.state["uuid"] + "\n"


GROUPS = "network vswitch standard portgroup "
READS = {
    GROUPS + "list": Host.portgroup_list,
    GROUPS + "policy security get": Host.security_get,
    "network vswitch standard list": Host.switch_list,
    "network ip interface list": Host.interface_list,
    "network vm list": Host.vm_list,
    "system settings advanced list": Host.advanced_list,
    "system version get": Host.version_get,
    "system uuid get": Host.uuid_get,
}
WRITES = {
    GROUPS + "add": Host.portgroup_add,
    GROUPS + "remove": Host.portgroup_remove,
    GROUPS + "set": Host.portgroup_set,
    GROUPS + "policy security set": Host.security_set,
    "system settings advanced set": Host.advanced_set,
}


def esxcli(host, words):
    command, options = options_of(words)
    if command == GROUPS + "set" and "vswitch-name" in options:
        raise Refused("-v is the VLAN here")
    if command not in READS and command not in WRITES:
        raise Refused(f"Error: Unknown command or namespace {command}")
    return (READS.get(command) or WRITES[command])(host, options, options.get("formatter") == "csv")


def vim_cmd(_host, words):
    if words != ["hostsvc/net/refresh"]:
        raise Refused("Invalid command")


Answer = collections.namedtuple("Answer", "code text stream")  # The exit code, the lines, and 1 or 2: which output.


def call(state, words, kill):
    """Carries one command line out. `kill(signal)` sends it to the caller; there is no answer for one that was killed."""
    program = words[0]
    command = options_of(words[1:])[0] if program == "esxcli" else ""
    state["calls"].append({"words": words, "writes": command in WRITES})
    how = state["faults"].get(len(state["calls"]), "")
    if how == "die_before":
        return kill(signal.SIGKILL)
    if how == "terminate":
        kill(signal.SIGTERM)
    if how in ("fail", "fail_stdout"):
        return Answer(1, "Connection refused by hostd\n", 1 if how == "fail_stdout" else 2)
    text = ""
    try:
        if how != "ignore":
            text = {"esxcli": esxcli, "vim-cmd": vim_cmd}[program](Host(state), words[1:]) or ""
    except Refused as refused:
        return Answer(1, f"{refused}\n", 1)
    if how == "die_after":
        return kill(signal.SIGKILL)
    return Answer(1 if how == "done_fail" else 0, text, 1)
