"""The library without each of its algorithms links, and the command line over it works: any line of
algorithms/CMakeLists.txt can be deleted."""

import json
import re
import subprocess
import unittest

from copy_of_tree import CopyTest, run

LIST = "algorithms/CMakeLists.txt"
LINE = re.compile(r"^fullconv_algorithm\(\S+/(\w+)\.cpp[^)]*\)\n", re.MULTILINE)
NAMES = {"automatic": "auto"}  # where `auto` is no name in C++


class Remove(CopyTest):
    def test_any_line(self):
        copy = self.copy(*(f"-DFULLCONV_BUILD_{it}=OFF" for it in ("TESTS", "BENCH", "PYTHON")))
        whole = (copy.tree / LIST).read_text("utf-8")
        lines = list(LINE.finditer(whole))
        self.assertGreater(len(lines), 10)
        everything = self.listed(self.program(copy))
        for line in lines:
            name = NAMES.get(line[1], line[1])
            if name not in everything:
                print(f"skipped: {name}, which this build is without")
                continue
            with self.subTest(name):
                (copy.tree / LIST).write_text(whole.replace(line[0], ""), "utf-8")
                program = self.program(copy)
                left = self.listed(program)
                self.assertEqual(left, [other for other in everything if other != name])
                checked = self.check(program)
                print(f"without {name}: links; check of the {len(left)} others: {checked}")

    def program(self, copy):
        copy.configure()
        copy.make("fullconv")
        return copy.link("fullconv_cli")

    def listed(self, program):
        entries = json.loads(run(program, "list", "--json"))
        return [entry["name"] for entry in entries]

    def check(self, program):
        cases = ("--case", "8x8_k5x5", "--case", "n1_i2_o3_12x9_k3x3_s2x2")
        done = subprocess.run(
            [program, "check", *cases], capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout.splitlines()[-1]


if __name__ == "__main__":
    unittest.main()
