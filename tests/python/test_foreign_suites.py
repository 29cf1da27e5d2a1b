"""The tests that other projects wrote for their functions pass with ours in their place."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import unittest

SCRIPT = pathlib.Path(__file__).with_name("foreign_suites")


class ForeignSuites(unittest.TestCase):
    @unittest.skipUnless(importlib.util.find_spec("pytest"), "no pytest (python3-pytest)")
    def test_scipys(self):
        # test_large_array takes 4 GB.
        result = subprocess.run(
            [SCRIPT, "--deselect", "TestConvolve2d::test_large_array", "-k",
             "TestConvolve2d and not large_array"],
            env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True,
        )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        count = re.search(r"(\d+) of (\d+) passed, (\d+) calls", result.stdout)
        print(count.string[count.start() :].strip())
        passed, run, calls = map(int, count.groups())
        self.assertEqual(passed, run)
        self.assertGreaterEqual(run, 18)
        self.assertGreaterEqual(calls, run)


if __name__ == "__main__":
    unittest.main()
