"""The commands of README do what it says."""

import re
import unittest
from pathlib import Path

import numpy

from support import CliTest, random

README = Path(__file__).parents[2] / "README.md"


class Readme(CliTest):
    def test_commands(self):
        section = README.read_text("utf-8").partition("## Command line\n")[2].partition("\n## ")[0]
        commands = re.findall(r"^    fullconv (.*)$", section, re.MULTILINE)
        self.assertGreater(len(commands), 3)
        self.save("image.npy", random(40, 50))
        self.save("kernel.npy", random(5, 7))
        self.save("dy.npy", random(2, 8, 28, 28))
        self.save("weight.npy", random(8, 4, 3, 3))
        for command in commands:
            with self.subTest(command):
                self.assert_fine(self.run_cli(*command.split()))
        self.assertEqual(numpy.load(self.folder / "y.npy").shape, (44, 56))
        self.assertEqual(numpy.load(self.folder / "dx.npy").shape, (2, 4, 56, 56))


if __name__ == "__main__":
    unittest.main()
