"""Checks that the tree is as docs/HACKING.md says: layers, sizes, clean text.

    python3 tests/lint/check.py [ROOT]

Prints `file:line: what (remedy)` for everything that is wrong and exits with 1; warnings alone exit
with 0. The rules are functions from a path and its lines to findings; check_test.py shows each catch
a bad example.
"""

import os
import re
import subprocess
import sys

MAX_FILE_LINES = 600
MAX_COMMENT_COLUMNS = 100
WARN_FUNCTION_LINES = 80
CODE = (".cpp", ".hpp", ".c", ".h")
POWERSHELL = (".ps1", ".psm1", ".psd1", ".ps1xml")
MAX_POWERSHELL_COLUMNS = 140
# Written apart, so that this file passes its own check.
MACHINE_PATHS = ("/" + "work/", "/" + "root/", "/" + "home/")


def read_ranks(text):
    """Folder -> rank, from ranks.txt."""
    ranks = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            rank, folder = line.split()
            ranks[folder] = int(rank)
    return ranks


def folder_of(path, ranks):
    """The listed folder that holds `path`: the longest one."""
    folder = os.path.dirname(path)
    while folder and folder not in ranks:
        folder = os.path.dirname(folder)
    return folder or None


def check_layers(path, lines, ranks):
    if not path.startswith(("plugin/", "agent/")) or not path.endswith(CODE):
        return
    own = folder_of(path, ranks)
    if own is None:
        yield 1, f"{os.path.dirname(path)} has no rank (add it to tests/lint/ranks.txt)"
        return
    for number, line in enumerate(lines, 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^">]+)[">]', line)
        if not match:
            continue
        if match[1] == "<":
            if match[2].startswith(("openvswitch/", "lib/")) and own != "plugin/ovsdb":
                yield number, f"{own} includes <{match[2]}> (only plugin/ovsdb sees libopenvswitch)"
            continue
        other = folder_of(match[2], ranks)
        if match[2].startswith("tests/"):
            yield number, f"{own} includes {match[2]} (what ships never includes a test)"
        elif match[2] == "agent/app/config.hpp" and own != "agent/app":
            yield number, f"{own} includes {match[2]} (only agent/app sees the configuration: take options)"
        elif other not in (None, own) and ranks[other] >= ranks[own]:
            yield number, (f"{own} (rank {ranks[own]}) includes {other} (rank {ranks[other]})"
                           " (include lower ranks only, see tests/lint/ranks.txt)")


# Where agent/ may name a kind of switch, and why. Everything else about one is in its driver.
SWITCH_WORDS = re.compile(r"\b(ovs|openvswitch|open vswitch|ovs-?\w+|ovsdb|vsphere|vcenter|esxi|hyper-?v)\b", re.I)
MAY_NAME_A_SWITCH = {
    "agent/control/libvirt/domain_xml.hpp": "libvirt's own words for a NIC",
    "agent/control/libvirt/domain_xml.cpp": "libvirt's own words for a NIC",
    "agent/control/hook/requirement.hpp": "what libvirt writes on a port that it plugs",
    "agent/model/guest.hpp": "what libvirt plugged a NIC into, with the remedy",
    "agent/model/guest.cpp": "what libvirt plugged a NIC into, with the remedy",
    "agent/control/policy/policy_file.cpp": "the key external_ids, as people know it",
    "agent/engine/capture/offloads.cpp": "the name of a Linux network driver",
    "agent/model/policy.hpp": "the key external_ids, as people know it",
    "agent/engine/health/coverage.hpp": "a bound that is the least of a switch's own setting",
    "agent/engine/decap/sender_sequence.hpp": "how a sender numbers its copies",
    "agent/cli/cluster.cpp": "the store of policies: a database, and the programs that serve it",
    "agent/app/store_direct.cpp": "the store of policies: a database, and the programs that serve it",
    "agent/cli/store_roles.cpp": "the store of policies: a database, and the programs that serve it",
    "agent/cli/store_tools.cpp": "the store of policies: a database, and the programs that serve it",
    "agent/cli/store_tools.hpp": "the store of policies: a database, and the programs that serve it",
    "agent/control/store/change.cpp": "the store of policies: a database, and the programs that serve it",
    "agent/control/store/change.hpp": "the store of policies: a database, and the programs that serve it",
    "agent/control/store/roles.hpp": "the store of policies: a database, and the programs that serve it",
    "agent/cli/store_server.hpp": "the store of policies: a database, and the programs that serve it",
    "agent/control/store/contents.cpp": "the store of policies: a database, and the programs that serve it",
    "agent/control/store/contents.hpp": "the store of policies: a database, and the programs that serve it",
    "agent/control/store/link.cpp": "the store of policies: a database, and the programs that serve it",
    "agent/control/store/link.hpp": "the store of policies: a database, and the programs that serve it",
    "agent/control/store/report.cpp": "the store of policies: a database, and the programs that serve it",
    "agent/control/store/report.hpp": "the store of policies: a database, and the programs that serve it",
    "agent/control/store/schema.cpp": "the store of policies: a database, and the programs that serve it",
    "agent/control/store/schema.hpp": "the store of policies: a database, and the programs that serve it",
}


def check_kinds_of_switch(path, lines):
    """A driver is one folder under plugin/: agent/ knows no kind of switch."""
    if not path.startswith("agent/") or not path.endswith(CODE) or path in MAY_NAME_A_SWITCH:
        return
    for number, line in enumerate(lines, 1):
        if match := SWITCH_WORDS.search(line):
            yield number, (f"agent/ names a kind of switch, `{match[0]}` (let the driver say it, by"
                           " plugin/api; or add the file to MAY_NAME_A_SWITCH with the reason)")


def check_size(path, lines):
    if path.endswith(CODE + POWERSHELL + (".py", ".sh", ".go")) and len(lines) > MAX_FILE_LINES:
        yield len(lines), f"{len(lines)} lines, {MAX_FILE_LINES} are allowed (split it)"


def check_comment_width(path, lines):
    """clang-format leaves comments as they are, for the sake of drawings; it breaks code by itself."""
    if not path.endswith(CODE):
        return
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_COMMENT_COLUMNS and re.search(r"^\s*//|\s///< ", line):
            yield number, f"a comment of {len(line)} columns, {MAX_COMMENT_COLUMNS} are allowed (break it)"


def check_text(path, lines):
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "white space at the line's end (remove it)"
        if "\t" in line and not path.endswith((".mk", "Makefile", "debian/rules", ".gitmodules", ".go")):
            yield number, "a tab (use spaces)"
        for machine in MACHINE_PATHS:
            if machine in line:
                yield number, f"a path of one machine, {machine} (use a relative path)"


def check_powershell(path, lines):
    """Windows PowerShell 5.1 reads a file without a byte order mark in the machine's own code page."""
    if not path.endswith(POWERSHELL + (".help.txt",)):
        return
    for number, line in enumerate(lines, 1):
        if not line.isascii():
            yield number, "a character that is not ASCII (Windows PowerShell 5.1 misreads it)"
        if len(line) > MAX_POWERSHELL_COLUMNS:
            yield number, f"{len(line)} columns, {MAX_POWERSHELL_COLUMNS} are allowed (break the line)"


def types_of(path, lines):
    """The types that a header defines, each as (line, "vmirror::ovsdb::Column")."""
    namespace = ""
    if not path.endswith(".hpp"):
        return
    for number, line in enumerate(lines, 1):
        if match := re.match(r"namespace ([\w:]+) \{", line):
            namespace = match[1]
        elif match := re.match(r"(?:class|struct|enum class) (?:alignas\(\w+\) )?(\w+)\b(?!::)[^;]*$", line):
            yield number, f"{namespace}::{match[1]}"


def check_types(headers):
    """Two types of one name in one program: the linker takes the functions of one for both, and nobody
    says so. `headers` is a list of (path, lines)."""
    places = {}
    for path, lines in headers:
        for number, name in types_of(path, lines):
            if name in places and not places[name].startswith(path + ":"):
                yield path, number, f"{name} is in {places[name]} too (give one of them another name)"
            places.setdefault(name, f"{path}:{number}")


def long_functions(path, lines):
    """A warning for each function that is long, as clang-format lays functions out: it opens in
    column 0 or 2 with a line that ends in `{`, and closes with `}` in the same column. PowerShell's, with its
    help left out, opens in column 0."""
    if path.endswith(POWERSHELL):
        yield from long_powershell_functions(lines)
    if not path.endswith(CODE):
        return
    for number, line in enumerate(lines, 1):
        match = re.match(r"( {0,2})(?!(?:namespace|struct|class|enum|union|extern)\b)\S.*[)\w] \{$", line)
        if not match or ("(" not in line and ")" not in line):
            continue
        end = next((i for i in range(number, len(lines)) if lines[i].startswith(match[1] + "}")), None)
        if end is not None and end - number > WARN_FUNCTION_LINES:
            yield number, f"a function of {end - number} lines (70 are meant to be enough)"


def long_powershell_functions(lines):
    for number, line in enumerate(lines, 1):
        if not re.match(r"function [\w-]+ \{$", line):
            continue
        body = lines[number:next((i for i in range(number, len(lines)) if lines[i] == "}"), number)]
        marks = [i for i, text in enumerate(body) if text.strip() in ("<#", "#>")]
        help_lines = marks[1] - marks[0] + 1 if len(marks) == 2 else 0
        if len(body) - help_lines > WARN_FUNCTION_LINES:
            yield number, f"a function of {len(body) - help_lines} lines (70 are meant to be enough)"


def check_walkthrough(page, text, read):
    """The first block under a heading that names a file is that file's text, or a part of it."""
    path, opened, block = None, None, []
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("```") and opened is None:
            opened, block = number, []
        elif line.startswith("```"):
            if path and "\n".join(block) + "\n" not in read(path):
                yield page, opened, f"the block is not what {path} has (copy it from there)"
            path = opened = None
        elif opened:
            block.append(line)
        elif line.startswith("#"):
            match = re.search(r"`([^`]+)`", line)
            path = match[1] if match and read(match[1]) is not None else None


def tracked_files(root):
    out = subprocess.run(["git", "-C", root, "ls-files", "-z"], check=True, capture_output=True)
    return [name for name in out.stdout.decode().split("\0") if name]


def check_tree(root, files):
    """All findings as (path, line, text), errors and warnings apart."""
    with open(os.path.join(root, "tests/lint/ranks.txt"), encoding="utf-8") as f:
        ranks = read_ranks(f.read())
    errors, warnings, headers = [], [], []
    for path in files:
        full = os.path.join(root, path)
        if not os.path.isfile(full) or os.path.islink(full):
            continue
        with open(full, "rb") as f:
            data = f.read()
        if b"\0" in data or path.startswith("tests/fuzz/corpus/"):
            continue  # A capture, or an input that is as it is.
        lines = data.decode(errors="replace").split("\n")
        if lines and lines[-1] == "":
            lines.pop()
        found = [*check_layers(path, lines, ranks), *check_size(path, lines), *check_text(path, lines),
                 *check_comment_width(path, lines),
                 *check_powershell(path, lines), *check_kinds_of_switch(path, lines)]
        errors += [(path, number, text) for number, text in found]
        warnings += [(path, number, text) for number, text in long_functions(path, lines)]
        if path.startswith(("plugin/", "agent/")):
            headers.append((path, lines))
    errors += check_types(headers)
    errors += check_pages(root, files)
    return errors, warnings


def check_pages(root, files):
    def read(name):
        if name not in files:
            return None
        with open(os.path.join(root, name), encoding="utf-8") as f:
            return f.read()
    page = "docs/adding-a-protocol.md"
    return list(check_walkthrough(page, read(page), read)) if page in files else []


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    errors, warnings = check_tree(root, tracked_files(root))
    for path, number, text in warnings:
        print(f"{path}:{number}: warning: {text}")
    for path, number, text in errors:
        print(f"{path}:{number}: {text}")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
