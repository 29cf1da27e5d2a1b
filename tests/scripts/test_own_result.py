import json
import os
import subprocess
import sys
import unittest

import support
from support import FolderTest

from PIL import Image

DIAGNOSIS = {
    "right": False,
    "problem": "4x4_k2x2",
    "type": "float64",
    "shape": [5, 5],
    "expected_shape": [5, 5],
    "outputs": 25,
    "wrong": 5,
    "error_in_bounds": None,
    "bound": "componentwise",
    "explanations": [{"name": "rows_missing", "sentence": "Row 2 is 0: missing.", "outputs": 5}],
    "map": {
        "plane": [0, 0],
        "rows_per_cell": 1,
        "columns_per_cell": 1,
        "errors_in_bounds": [[0.1] * 5, [0.0] * 5, [None] * 5, [0.5] * 5, [1e9] * 5],
    },
}


class OwnResult(FolderTest):
    """scripts/check with a program that gives a diagnosis of ours."""

    def check(self, diagnosis, code, *arguments):
        program = self.folder / "fullconv"
        program.write_text(
            f"#!/bin/sh\necho \"$@\" > '{self.folder}/called'\ncat '{self.folder}/diagnosis'\n"
            f"exit {code}\n"
        )
        program.chmod(0o755)
        (self.folder / "diagnosis").write_text(json.dumps(diagnosis))
        return subprocess.run(
            [sys.executable, "-B", "-m", "fullconv_scripts.own_result", "x.npy", "k.npy"]
            + ["--result", "y.npy", "--programs", str(self.folder), *arguments],
            capture_output=True, text=True, cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(support.SCRIPTS)},
        )  # fmt: skip

    def test_says_and_draws(self):
        for name in ("wrong.png", "wrong.svg"):
            result = self.check(DIAGNOSIS, 1, "--plot", name, "--stride", "2")
            self.assertEqual((result.returncode, result.stderr), (1, ""))
            self.assertEqual(
                result.stdout, "WRONG: 5 of 25 outputs\nRow 2 is 0: missing. (rows_missing)\n"
            )
            called = (self.folder / "called").read_text().split()
            self.assertEqual(
                called, "check x.npy k.npy --result y.npy --json --stride 2".split()
            )
        with Image.open(self.folder / "wrong.png") as image:
            colours = len(image.convert("RGB").getcolors(1 << 24))
        self.assertGreater(colours, 10)
        self.assertIn("<svg", (self.folder / "wrong.svg").read_text())

    def test_right(self):
        right = {**DIAGNOSIS, "right": True, "wrong": 0, "explanations": []}
        result = self.check(right, 0)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout, "right to the precision of float64\n")

    def test_another_shape_is_not_drawn(self):
        result = self.check({**DIAGNOSIS, "shape": [4, 4], "map": None}, 1, "--plot", "wrong.png")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "not drawn: the result has shape (4, 4), expected (5, 5)\n")
        self.assertFalse((self.folder / "wrong.png").exists())

    def test_bad_questions(self):
        result = self.check(DIAGNOSIS, 1, "--plot", "wrong.gif")
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, r"\Ascripts/check: --plot is 'wrong.gif': .*\n\Z")
        result = self.check(DIAGNOSIS, 2)
        self.assertEqual((result.returncode, result.stderr.count("\n")), (2, 1))


if __name__ == "__main__":
    unittest.main()
