"""scripts/foreign-suites: what it refuses. What it runs is tested in tests/python."""

import subprocess
import unittest

from support import ROOT


class Command(unittest.TestCase):
    def run_script(self, *arguments):
        return subprocess.run(
            [ROOT / "scripts" / "foreign-suites", *arguments], capture_output=True, text=True
        )

    def test_help(self):
        result = self.run_script("--help")
        self.assertEqual(result.returncode, 0)
        self.assertTrue(result.stdout.startswith("usage: scripts/foreign-suites "))

    def test_bad_questions(self):
        for arguments, word in (
            (["--keep"], "--keep"),
            (["--keep", "folder"], "--keep"),
            (["no/suite"], "no suite"),
            (["--fast"], "--fast"),
        ):
            with self.subTest(arguments):
                result = self.run_script(*arguments)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(word, result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
