"""`go test`: the rules of vmirror-vcsim, by tables."""

import subprocess
import unittest

import vcsim


class Rules(unittest.TestCase):
    @unittest.skipIf(vcsim.missing(), vcsim.missing())
    def test_go(self):
        for words in (("vet", "."), ("test", "-v", ".")):
            done = vcsim.go(*words)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @unittest.skipIf(vcsim.missing(), vcsim.missing())
    def test_the_code_is_formatted(self):
        done = subprocess.run(["gofmt", "-l", vcsim.HERE], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "", "gofmt -w has something to do")


if __name__ == "__main__":
    unittest.main(verbosity=2)
