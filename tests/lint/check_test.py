"""The lint's own test: each rule passes a good example and catches a bad one."""

import os
import tempfile
import unittest

import check

RANKS = check.read_ranks("# a comment\n0 plugin/base\n2 agent/model\n3 agent/flow\n3 agent/decap\n1 plugin/ovsdb\n"
                         "8 agent/app\n9 agent/cli\n")


def found(rule, path, *lines, **arguments):
    return [text for _, text in rule(path, list(lines), **arguments)]


class Layers(unittest.TestCase):
    def layers(self, path, line):
        return found(check.check_layers, path, line, ranks=RANKS)

    def test_downwards_is_right(self):
        for line in ('#include "agent/model/flow.hpp"', '#include "agent/flow/table.hpp"', "#include <map>",
                     '#include "plugin/base/result.hpp"', "// #include of agent/decap"):
            self.assertEqual(self.layers("agent/flow/table.cpp", line), [], line)

    def test_a_sibling_is_caught(self):
        [text] = self.layers("agent/flow/table.cpp", '#include "agent/decap/decap.hpp"')
        self.assertIn("agent/flow (rank 3) includes agent/decap (rank 3)", text)

    def test_upwards_is_caught(self):
        [text] = self.layers("agent/model/flow.hpp", '#  include "agent/flow/table.hpp"')
        self.assertIn("agent/model (rank 2) includes agent/flow (rank 3)", text)

    def test_a_folder_without_rank_is_caught(self):
        [text] = self.layers("agent/new/a.cpp", "")
        self.assertIn("agent/new has no rank", text)

    def test_tests_are_not_part_of_what_ships(self):
        [text] = self.layers("agent/flow/table.cpp", '#include "tests/support/frames.hpp"')
        self.assertIn("never includes a test", text)

    def test_libopenvswitch_is_seen_in_one_place_only(self):
        self.assertEqual(self.layers("plugin/ovsdb/link.c", "#include <openvswitch/vlog.h>"), [])
        [text] = self.layers("agent/flow/table.cpp", "#include <openvswitch/vlog.h>")
        self.assertIn("only plugin/ovsdb", text)

    def test_the_configuration_is_seen_in_one_place_only(self):
        include = '#include "agent/app/config.hpp"'
        self.assertEqual(self.layers("agent/app/wiring.cpp", include), [])
        [text] = self.layers("agent/cli/apply.cpp", include)
        self.assertIn("only agent/app", text)


class CommentWidth(unittest.TestCase):
    def test_a_long_comment_is_found_and_long_code_is_not(self):
        for begin in ("// ", "  /// ", "  int a = 0;  ///< "):
            self.assertEqual(found(check.check_comment_width, "agent/a/x.hpp", begin.ljust(100, "x")), [], begin)
            [text] = found(check.check_comment_width, "agent/a/x.hpp", begin.ljust(101, "x"))
            self.assertIn("101 columns", text)
        self.assertEqual(found(check.check_comment_width, "tests/a.cpp", 'R"(https://' + "x" * 100), [])
        self.assertEqual(found(check.check_comment_width, "docs/a.md", "// ".ljust(200, "x")), [])


class KindsOfSwitch(unittest.TestCase):
    def words(self, path, *lines):
        return found(check.check_kinds_of_switch, path, *lines)

    def test_agent_names_none(self):
        for line in ("// as Open vSwitch does", 'if (name == "ovs")', "OvsOptions options;", "ask ovs-vswitchd",
                     '#include "plugin/ovs/driver.hpp"', "// a vCenter", "ESXi", "Hyper-V", "hyperv"):
            [text] = self.words("agent/app/config.cpp", line)
            self.assertIn("names a kind of switch", text, line)

    def test_other_words_are_none(self):
        self.assertEqual(self.words("agent/app/config.cpp", "the hypervisor", "removes", "a virtual switch", "vswitches"), [])

    def test_drivers_and_the_listed_places_may(self):
        for path in ("plugin/ovs/driver.cpp", "docs/OPERATING.md", "agent/model/guest.cpp"):
            self.assertEqual(self.words(path, "Open vSwitch"), [], path)

    def test_the_list_is_of_files_that_are_there_and_need_it(self):
        root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
        for path in check.MAY_NAME_A_SWITCH:
            with open(os.path.join(root, path), encoding="utf-8") as f:
                self.assertTrue(check.SWITCH_WORDS.search(f.read()), path)


class Texts(unittest.TestCase):
    def test_size(self):
        self.assertEqual(found(check.check_size, "a.cpp", *["x"] * 600), [])
        self.assertEqual(found(check.check_size, "a.md", *["x"] * 601), [])
        [text] = found(check.check_size, "a.cpp", *["x"] * 601)
        self.assertIn("601 lines", text)

    def test_white_space_and_tabs(self):
        self.assertEqual(found(check.check_text, "a.md", "  x", ""), [])
        self.assertEqual(len(found(check.check_text, "a.md", "x ", "x\ty", "\t")), 4)
        self.assertEqual(found(check.check_text, "a.go", "\tx"), [])  # gofmt's.

    def test_machine_paths(self):
        [text] = found(check.check_text, "a.md", "see " + "/" + "root/x")
        self.assertIn("a path of one machine", text)

    def test_powershell(self):
        self.assertEqual(found(check.check_powershell, "a.ps1", "x" * 140), [])
        self.assertEqual(found(check.check_powershell, "a.md", "\u00e9" + "x" * 140), [])
        self.assertEqual(len(found(check.check_powershell, "a.psm1", "x" * 141, "\u00e9")), 2)
        self.assertEqual(len(found(check.check_size, "a.ps1", *["x"] * 601)), 1)
        body, about = ["    x"] * 81, ["    <#", *["    x"] * 50, "    #>"]
        self.assertEqual(len(found(check.long_functions, "a.ps1", "function Get-A {", *about, *body, "}")), 1)
        self.assertEqual(found(check.long_functions, "a.ps1", "function Get-A {", *about, *body[:70], "}"), [])

    def test_long_functions(self):
        body = ["  x();"] * 81
        self.assertEqual(len(found(check.long_functions, "a.cpp", "int f(int a) {", *body, "}")), 1)
        self.assertEqual(found(check.long_functions, "a.cpp", "int f(int a) {", *body[:70], "}"), [])
        self.assertEqual(found(check.long_functions, "a.cpp", "struct S {", *body, "};"), [])


class Types(unittest.TestCase):
    def clashes(self, *headers):
        return [(path, line) for path, line, _ in check.check_types(headers)]

    def test_two_of_one_name_are_caught(self):
        a = ("a/link.hpp", ["namespace vmirror {", "class Link {", "};", "}"])
        b = ("b/link.hpp", ["namespace vmirror {", "", "struct Link final : X {", "};", "}"])
        self.assertEqual(self.clashes(a, b), [("b/link.hpp", 3)])

    def test_declarations_and_other_namespaces_are_right(self):
        a = ("a/link.hpp", ["namespace vmirror {", "class Link {", "};", "}"])
        b = ("b/link.hpp", ["namespace vmirror {", "class Link;", "}"])
        c = ("c/link.hpp", ["namespace vmirror::ovsdb {", "class Link {", "};", "}"])
        self.assertEqual(self.clashes(a, b, c), [])


class Walkthrough(unittest.TestCase):
    def found(self, block):
        page = f"# A page\n```\nany\n```\n## 1. The file: `a.cpp`\ntext\n```cpp\n{block}\n```\n```\nanother\n```\n"
        return [line for _, line, _ in check.check_walkthrough("page.md", page, {"a.cpp": "int a;\nint b;\n"}.get)]

    def test_a_block_is_its_file_or_a_part_of_it(self):
        self.assertEqual(self.found("int a;\nint b;"), [])
        self.assertEqual(self.found("int b;"), [])
        self.assertEqual(self.found("int c;"), [7])

    def test_a_directive_of_the_preprocessor_is_no_heading(self):
        self.assertEqual(self.found("#pragma once\nint c;"), [7])

    def test_each_heading_has_its_block(self):
        page = "## `a.cpp`\n```\nint a;\n```\n## `a.cpp`\n```\nint c;\n```\n"
        self.assertEqual([line for _, line, _ in check.check_walkthrough("page.md", page, {"a.cpp": "int a;\n"}.get)], [6])


class Tree(unittest.TestCase):
    def test_findings_have_their_place_and_captures_are_left_alone(self):
        with tempfile.TemporaryDirectory() as root:
            files = {"tests/lint/ranks.txt": b"0 agent/a\n0 agent/b\n",
                     "agent/a/x.cpp": b'\n#include "agent/b/y.hpp"\n',
                     "tests/golden/x.pcap": b"\0\t \n"}
            for name, data in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
                with open(os.path.join(root, name), "wb") as f:
                    f.write(data)
            errors, _ = check.check_tree(root, files)
        self.assertEqual([(path, line) for path, line, _ in errors], [("agent/a/x.cpp", 2)])


if __name__ == "__main__":
    unittest.main()
