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
    @unittest.skipUnless(
        importlib.util.find_spec("hypothesis"), "no hypothesis (python3-hypothesis)"
    )
    def test_pass(self):
        result = subprocess.run(
            # test_large_array takes 4 GB.
            [SCRIPT, "-k", "TestConvolve2d and not large_array"],
            env={**os.environ, "PYTHON": sys.executable},
            capture_output=True,
            text=True,
        )
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        counts = re.findall(r"^(\w+) \S+ .*: (\d+) of (\d+) passed.*", result.stdout, re.MULTILINE)
        for line in result.stdout.splitlines():
            if "passed" in line or "skipped" in line:
                print(line)
        least = {"SciPy": 19}
        if importlib.util.find_spec("torch"):
            least["PyTorch"] = 20
        self.assertEqual({name for name, _, _ in counts}, set(least))
        for name, passed, run in counts:
            self.assertEqual(passed, run)
            self.assertGreaterEqual(int(run), least[name])
        self.assertGreaterEqual(int(re.search(r"(\d+) calls", result.stdout)[1]), least["SciPy"])


if __name__ == "__main__":
    unittest.main()
