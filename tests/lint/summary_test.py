"""The sum of test reports, by example."""

import contextlib
import io
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import summary  # pylint: disable=wrong-import-position

GTEST = """[==========] Running 4 tests from 1 test suite.
[ RUN      ] Sink.Writes
[       OK ] Sink.Writes (0 ms)
[ RUN      ] Sink.Fails
x.cpp:1: Failure
[  FAILED  ] Sink.Fails (2 ms)
[ RUN      ] All/Sink.Skips/0
x.cpp:9: Skipped
no namespace: run as root
[  SKIPPED ] All/Sink.Skips/0 (0 ms)
[  FAILED  ] Sink.Fails
[ RUN      ] Sink.Crashes
"""
UNITTEST = """test_a (__main__.Mirror.test_a) ... ok
test_b (__main__.Mirror.test_b)
What it is about. ... skipped 'run as root'
FAIL: test_c (__main__.Mirror.test_c)
Ran 3 tests in 1.0s
"""
SKIPPED_CLASS = """setUpClass (__main__.Mirror) ... skipped 'no namespaces'

----------------------------------------------------------------------
Ran 0 tests in 0.000s

OK (skipped=1)
"""


def outcome(status, output):
    counts = summary.count_case(status, output)
    return counts.passed, counts.failed, counts.skipped


class Summary(unittest.TestCase):
    def test_programs(self):
        for name, status, output, expected in (
                ("GoogleTest", "fail", GTEST,
                 (1, ["Sink.Fails", "Sink.Crashes"], [("All/Sink.Skips/0", "no namespace: run as root")])),
                ("unittest", "fail", UNITTEST,
                 (1, ["test_c"], [("test_b (__main__.Mirror.test_b)", "run as root")])),
                ("a class skipped", "run", SKIPPED_CLASS,
                 (0, [], [("setUpClass (__main__.Mirror)", "no namespaces")])),
                ("any program", "run", "20000 mutations", (1, [], [])),
                ("any program that fails", "fail", "crash", (0, [""], [])),
                ("one that could not run", "notrun", "Unable to find executable: x",
                 (0, [], [("", "Unable to find executable: x")])),
                ("a crash after all passed", "fail", "[ RUN      ] A.B\n[       OK ] A.B (0 ms)\n",
                 (1, [""], []))):
            with self.subTest(name):
                self.assertEqual(outcome(status, output), expected)

    def test_the_line_and_the_exit_status(self):
        with tempfile.TemporaryDirectory() as folder:
            report = os.path.join(folder, "report.xml")
            with open(report, "w", encoding="utf-8") as out:
                out.write('<testsuite><testcase name="a" status="run"><system-out>ok</system-out>'
                          '</testcase></testsuite>')
            self.assertEqual(summary.main([f"release={report}"]), 0)
            self.assertEqual(summary.main(["--failed", "lint", f"release={report}"]), 1)
            self.assertEqual(summary.main([f"release={report}", f"asan={folder}/none.xml"]), 1)
            self.assertEqual(summary.main([]), 1)

    def test_a_second_run(self):
        def report(folder, name, status, output):
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as out:
                out.write(f'<testsuite><testcase name="system/a" status="{status}"><system-out>{output}</system-out>'
                          '</testcase></testsuite>')
            return f"release={path}"
        fails, passes = "FAIL: test_c (A.test_c)\nRan 2 tests in 1s\n", "Ran 2 tests in 1s\n"
        with tempfile.TemporaryDirectory() as folder:
            first = report(folder, "report.xml", "fail", fails)
            for name, again, code, line in (
                    ("passes", report(folder, "passes.xml", "run", passes), 0,
                     "2 passed, 0 failed, 0 skipped; 1 of them passed only in a second run"),
                    ("fails again", report(folder, "fails.xml", "fail", fails), 1, "1 passed, 1 failed, 0 skipped"),
                    ("has no report", f"release={folder}/none.xml", 1, "1 passed, 2 failed, 0 skipped")):
                with self.subTest(name), contextlib.redirect_stdout(io.StringIO()) as out:
                    self.assertEqual(summary.main(["--again", again, first]), code)
                    self.assertEqual(out.getvalue().splitlines()[-1], line)


if __name__ == "__main__":
    unittest.main()
