"""scripts/audit, as people run it."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import unittest
from unittest import mock

from support import SCRIPTS, ProgramsTest, audit_finding

from fullconv_scripts import audit, audit_checks


class Script(ProgramsTest):
    """As people run it."""

    def setUp(self):
        super().setUp()
        self.path = self.folder / "machine" / "audit.json"

    def start(self, *words):
        return subprocess.Popen(
            [str(SCRIPTS / "audit"), "--programs", str(self.programs), "--out", str(self.path),
             *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "FULLCONV_PYTHON": sys.executable},
        )  # fmt: skip

    def test_twins(self):
        process = self.start("--scale", "0.01", "--only", "twins")
        stdout, stderr = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, stderr)
        self.assertRegex(stdout, r"^met     false verdicts on identical contenders: 0 in 4 ")
        self.assertTrue(stdout.endswith(f"all of it: {self.path}\n"), stdout)
        found = json.loads(self.path.read_text(encoding="utf-8"))
        (twins,) = found["checks"]["twins"]["findings"]
        self.assertEqual([t["percent"] for t in twins["trials"]], [0] * 4)
        self.assertIn("cpu", found["environment"])
        self.assertEqual(os.listdir(self.path.parent), ["audit.json"])

    def test_interrupted(self):
        self.set_fault("slow")
        self.keep_log()
        process = self.start("--only", "twins")
        deadline = time.monotonic() + 60
        while not self.log.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, stderr)
        self.assertEqual(stderr.splitlines()[-1], "audit: interrupted")
        self.assertNotIn("Traceback", stderr)
        self.assertFalse(self.path.parent.exists())


class Inside(ProgramsTest):
    """What is behind the script."""

    def setUp(self):
        super().setUp()
        self.path = self.folder / "machine" / "audit.json"
        for number in (signal.SIGINT, signal.SIGTERM):
            self.addCleanup(signal.signal, number, signal.getsignal(number))

    def audit(self, *words):
        fixed = ["audit", "--programs", str(self.programs), "--out", str(self.path)]
        stdout, stderr = io.StringIO(), io.StringIO()
        with (
            mock.patch.object(sys, "argv", [*fixed, *words]),
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
        ):
            try:
                code = audit.main()
            except SystemExit as end:
                code = end.code
        return code, stdout.getvalue(), stderr.getvalue()

    def test_bad_questions_in_one_line(self):
        questions = {
            ("--only", "triplets"): "argument --only: invalid choice: 'triplets'",
            ("--scale", "0"): "--scale is 0: expected a number above 0",
            ("--scale", "nan"): "--scale is nan: expected a number above 0",
            ("--scale", "11"): "--scale is 11: expected a number above 0, at most 10",
            ("--scale", "much"): "argument --scale: invalid float value: 'much'",
            ("--prog", "x"): "unrecognized arguments: --prog x",
            ("twins",): "unrecognized arguments: twins",
        }
        for question, message in questions.items():
            with self.subTest(question):
                code, stdout, stderr = self.audit(*question)
                self.assertEqual((code, stdout), (2, ""))
                self.assertEqual(len(stderr.splitlines()), 1, stderr)
                self.assertTrue(stderr.startswith(f"scripts/audit: {message}"), stderr)
                self.assertFalse(self.path.parent.exists())

    def fails(self, message):
        """Whether twins end so, in one line after those of the progress, and nothing is written."""
        code, stdout, stderr = self.audit("--only", "twins", "--scale", "0.01")
        self.assertEqual((code, stdout), (2, ""))
        lines = [line for line in stderr.splitlines() if line != "audit: twins"]
        self.assertEqual(lines, [f"audit: {message}"])

    def test_a_program_that_is_not_there(self):
        (self.programs / "fullconv_bench").unlink()
        self.fails(f"{self.programs / 'fullconv_bench'}: No such file or directory")
        self.assertFalse(self.path.parent.exists())

    def test_a_program_that_fails(self):
        (self.programs / "fullconv_bench").write_text("#!/bin/sh\necho no such case >&2; exit 2\n")
        self.fails("fullconv_bench: no such case")

    def test_a_file_that_is_no_audit_is_left_alone(self):
        self.keep_log()
        self.path.parent.mkdir()
        for text in ("mine", "[]", '{"format": "fullconv-results"}'):
            self.path.write_text(text)
            self.fails(f"{self.path}: not an audit of scripts/audit")
            self.assertEqual(self.path.read_text(), text)
        self.assertFalse(self.log.exists())  # found before anything is measured

    def test_a_folder_that_cannot_be(self):
        self.path.parent.write_text("a file")
        self.fails(f"[Errno 20] Not a directory: '{self.path}'")

    def test_a_target_that_is_missed(self):
        missed = {"twins": lambda shared: [audit_finding("t", met=False)]}
        with mock.patch.dict(audit_checks.CHECKS, missed):
            code, stdout, _ = self.audit("--only", "twins")
        self.assertEqual(code, 1)
        self.assertTrue(stdout.startswith("MISSED  t: 0.5%"), stdout)

    def test_all_checks_unless_told(self):
        def check(name):
            return lambda shared: [audit_finding(name, trials=[{"spread": 0.01}])]

        with mock.patch.dict(audit_checks.CHECKS, {name: check(name) for name in audit_checks.CHECKS}):
            code, stdout, stderr = self.audit()
        self.assertEqual(code, 0)
        names = list(audit_checks.CHECKS)
        self.assertEqual(list(json.loads(self.path.read_text())["checks"]), names)
        self.assertEqual(stderr.splitlines(), [f"audit: {name}" for name in names])


if __name__ == "__main__":
    unittest.main()
