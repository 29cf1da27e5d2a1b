"""What numbers and shapes cost is measured, written down and held to what it may be."""

import contextlib
import io
import json
import os
import unittest
from unittest import mock

from support import ProgramsTest

from fullconv_scripts import numbers
from fullconv_scripts.numbers import Pair


class Numbers(ProgramsTest):
    def run_script(self, *words, pairs=numbers.PAIRS):
        stdout, stderr = io.StringIO(), io.StringIO()
        with (
            mock.patch.object(numbers, "PAIRS", pairs),
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
        ):
            code = numbers.main(["--programs", str(self.programs), *words])
        return code, stdout.getvalue(), stderr.getvalue()

    def test_each_pair_has_a_line(self):
        path = self.folder / "numbers.jsonl"
        self.keep_log()
        code, stdout, _ = self.run_script("--out", str(path))
        self.assertEqual(code, 0, stdout)
        _, *table = stdout.splitlines()
        self.assertEqual(len(table), len(numbers.PAIRS))
        lines = numbers.read(path)
        self.assertEqual([Pair(*map(line.get, Pair._fields)) for line in lines], [*numbers.PAIRS])
        for line, call in zip(lines, self.calls("fullconv_bench"), strict=True):
            self.assertLess(line["low"], line["estimate"])
            self.assertLess(line["estimate"], line["high"])
            self.assertIn(f"--case {line['case']} {line['to']} --interleave-cases", call)

    def test_ratio_is_of_the_case_to_the_other(self):
        # The stub takes a nanosecond longer for each letter: 1.008 and 2.008 µs.
        long = "x".join(["9" * 500] * 2) + "_k3x3"
        code, stdout, _ = self.run_script(pairs=(Pair(long, "8x8_k3x3", 2.5),))
        self.assertEqual(code, 0)
        self.assertRegex(stdout.splitlines()[1], r" (1\.[89]|2\.[012])\d \(.* 2\.5$")

    def test_what_takes_longer_than_it_may_is_the_exit_code(self):
        code, *_ = self.run_script(pairs=(Pair("8x8_k3x3_dead", "8x8_k3x3", 0.5),))
        self.assertEqual(code, 1)
        code, *_ = self.run_script(pairs=(Pair("8x8_k3x3_dead", "8x8_k3x3", None),))
        self.assertEqual(code, 0)

    def test_failures_are_one_line_and_leave_no_file(self):
        path = self.folder / "numbers.jsonl"
        for fault, said in (("bound", "wrong: "), ("garbage", "fullconv_bench")):
            with self.subTest(fault):
                self.set_fault(fault)
                pair = Pair("9x9_k3x3", "8x8_k3x3", 2, "beta")
                code, stdout, stderr = self.run_script("--out", str(path), pairs=(pair,))
                self.assertEqual((code, stdout), (2, ""))
                self.assertIn(said, stderr.splitlines()[-1])
                self.assertNotIn("Traceback", stderr)
        self.assertEqual(os.listdir(self.folder), ["programs"])

    def test_a_file_of_something_else_is_refused(self):
        path = self.folder / "other.jsonl"
        path.write_text(json.dumps({"format": "other"}) + "\n")
        with self.assertRaisesRegex(ValueError, "other.jsonl: not a file of scripts/numbers"):
            numbers.read(path)


if __name__ == "__main__":
    unittest.main()
