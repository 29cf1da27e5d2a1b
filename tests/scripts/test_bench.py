"""scripts/bench from end to end, with programs of our own in place of those of the build."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from support import SCRIPTS, FolderTest

from fullconv_scripts import results

STUB = Path(__file__).with_name("stub_program.py")


class Bench(FolderTest):
    def setUp(self):
        super().setUp()
        self.programs = self.folder / "programs"
        self.programs.mkdir()
        for name in ("fullconv", "fullconv_bench", "fullconv_floors"):
            path = self.programs / name
            command = shlex.join([sys.executable, "-B", str(STUB), name])
            path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            path.chmod(0o755)
        self.out = self.folder / "out"

    def start(self, *arguments, mischief=""):
        environment = {**os.environ, "FULLCONV_STUB": mischief, "FULLCONV_PYTHON": sys.executable}
        fixed = ["--programs", str(self.programs), "--out", str(self.out)]
        return subprocess.Popen(
            [str(SCRIPTS / "bench"), *arguments, *fixed],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=self.folder,
        )

    def bench(self, *arguments, mischief=""):
        process = self.start(*arguments, mischief=mischief)
        stdout, stderr = process.communicate(timeout=120)
        self.assertNotIn("Traceback", stderr)
        return process.returncode, stdout, stderr

    def raw(self):
        return results.load_raw(self.out)

    def test_all_goes_well(self):
        cases = ("--case", "8x8_k3x3", "--case", "16x16_k3x3")
        code, stdout, stderr = self.bench(*cases, "--threads", "1")
        self.assertEqual(code, 0, stderr)
        raw = self.raw()
        self.assertEqual(raw["status"], "complete")
        self.assertEqual(len(raw["cells"]), 6)  # two scalars, and planning
        self.assertEqual(raw["settings"]["cases"], ["8x8_k3x3", "16x16_k3x3"])
        self.assertEqual(raw["environment"]["build"], {"compiler": "stub"})
        self.assertNotIn("secret", json.dumps(raw))
        samples = [len(who["seconds"]) for cell in raw["cells"] for who in cell["contenders"]]
        self.assertEqual(set(samples), {5})
        self.assertIn(str(self.out / "charts"), stdout)
        self.assertIn("beta", stdout)
        self.assertTrue((self.out / "charts" / "time-k3x3.png").exists())

    def test_a_file_of_cases_relative_to_where_one_is(self):
        (self.folder / "my cases.txt").write_text("8x8_k3x3 # conv1\n")
        code, _, stderr = self.bench("--cases", "my cases.txt", "--scalar", "f32", "--threads", "1")
        self.assertEqual(code, 0, stderr)
        self.assertEqual(self.raw()["remarks"], {"8x8_k3x3": "conv1"})

    def test_a_wrong_algorithm_stops_it(self):
        question = ("--case", "8x8_k3x3", "--scalar", "f32")
        code, stdout, stderr = self.bench(*question, mischief="wrong")
        self.assertEqual(code, 1)
        self.assertIn("WRONG", stdout)
        self.assertIn("bench: beta on 8x8_k5x5 f32: ", stderr)
        self.assertNotIn("naive_branching on", stderr)
        self.assertFalse(self.out.exists())

    def test_an_output_outside_its_bound_is_no_time(self):
        code, _, stderr = self.bench(
            "--case", "8x8_k3x3", "--threads", "1", "--scalar", "f32", mischief="bound"
        )
        self.assertEqual(code, 1)
        self.assertIn("8x8_k3x3 f32: beta, threads 1: wrong: y[0,0,0,0] is 1", stderr)
        measured = {
            who["algorithm"]
            for cell in self.raw()["cells"]
            for who in cell["contenders"]
            if "seconds" in who
        }
        self.assertEqual(measured, {"naive_branching"})

    def test_a_program_that_crashes_costs_one_cell(self):
        code, _, stderr = self.bench(
            "--case", "8x8_k3x3", "--case", "9x9_k3x3", "--scalar", "f32", mischief="crash"
        )
        self.assertEqual(code, 1)
        self.assertIn("9x9_k3x3 f32: fullconv_bench: ", stderr)
        raw = self.raw()
        self.assertEqual(raw["status"], "complete")
        good = {cell["case"] for cell in raw["cells"] if cell["contenders"]}
        self.assertEqual(good, {"8x8_k3x3"})

    def test_a_budget_that_does_not_hold_all(self):
        cases = ("--case", "8x8_k3x3", "--case", "512x512_k63x63")
        limits = ("--budget", "2", "--cell-limit", "99")
        code, stdout, _ = self.bench(*cases, *limits, "--scalar", "f32", "--threads", "1")
        self.assertEqual(code, 0)
        self.assertEqual(self.raw()["left_out_cells"], ["512x512_k63x63 f32"])
        self.assertIn("512x512_k63x63 f32", stdout)

    def test_interruption_leaves_what_was_measured(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                self.out = self.folder / f"out {number}"
                cases = [word for n in range(3, 40) for word in ("--case", f"{n}x{n}_k3x3")]
                process = self.start(*cases, "--scalar", "f32", mischief="slow")
                deadline = time.monotonic() + 60
                while time.monotonic() < deadline:
                    path = self.out / results.FILE_NAME
                    if path.exists() and len(self.raw()["cells"]) >= 2:  # whole at any time
                        break
                    time.sleep(0.05)
                process.send_signal(number)
                stdout, stderr = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 130, stderr)
                self.assertNotIn("Traceback", stderr)
                self.assertIn("interrupted", stderr)
                raw = self.raw()
                self.assertEqual(raw["status"], "interrupted")
                self.assertGreaterEqual(len(raw["cells"]), 2)
                self.assertLess(len(raw["cells"]), 74)
                self.assertIn("load_at_end", raw["environment"])
                self.assertTrue((self.out / "charts" / "error-l2-f32.png").exists())
                self.assertEqual({path.name for path in self.out.iterdir()}, {"raw.json", "charts"})
                self.assertIn(str(self.out), stdout)

    def test_results_are_never_overwritten(self):
        self.out.mkdir()
        (self.out / results.FILE_NAME).write_text("mine")
        code, _, stderr = self.bench("--case", "8x8_k3x3")
        self.assertEqual(code, 2)
        self.assertIn("holds results already", stderr)
        self.assertEqual((self.out / results.FILE_NAME).read_text(), "mine")

    def test_bad_questions_in_one_line(self):
        (self.folder / "empty.txt").write_text("# nothing\n")
        (self.folder / "bad.txt").write_text("8x8_k5x5\n8x8\n")
        questions = {
            ("--case", "8x8"): "'8x8' is no case",
            ("--cases", "absent.txt"): "absent.txt: No such file",
            ("--cases", "empty.txt"): "empty.txt: expected at least one case",
            ("--cases", "bad.txt"): "bad.txt:2: '8x8' is no case",
            ("--threads", "0"): "'0': expected a whole number",
            ("--threads", "-1"): "",
            ("--budget", "nan"): "'nan': expected a number above 0",
            ("--scalar", "f16"): "invalid choice: 'f16'",
            ("--full", "--smoke"): "not allowed with",
            ("--ful",): "unrecognized",
        }
        for question, message in questions.items():
            with self.subTest(question):
                code, stdout, stderr = self.bench(*question)
                self.assertEqual((code, stdout), (2, ""), stderr)
                self.assertEqual(len(stderr.splitlines()), 1, stderr)
                self.assertIn(message, stderr)
                self.assertFalse(self.out.exists())

    def test_programs_that_are_not_there(self):
        for path in self.programs.iterdir():
            path.unlink()
        code, _, stderr = self.bench("--case", "8x8_k3x3")
        self.assertEqual(code, 2)
        self.assertIn("No such file", stderr)

    def test_help(self):
        code, stdout, _ = self.bench("--help")
        self.assertEqual(code, 0)
        for flag in "full smoke cases case threads scalar out budget".split():
            self.assertIn(f"--{flag}", stdout)


if __name__ == "__main__":
    unittest.main()
