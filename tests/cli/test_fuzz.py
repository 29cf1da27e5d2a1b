import datetime
import os
import re
import shlex
import subprocess
import unittest

FUZZ = os.environ["FULLCONV_FUZZ"]
FAULTY = os.environ["FULLCONV_FUZZ_OF_FAULTY"]


def run(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True)


class Fuzz(unittest.TestCase):
    def test_ours_are_right(self):
        done = run(FUZZ, "--problems", "50", "--seed", "7")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "seed 7")
        self.assertRegex(lines[-1], r"^50 problems, \d+ answers, 0 algorithms wrong$")

    def test_another_seed_each_day(self):
        days = [datetime.datetime.now(datetime.timezone.utc).strftime("seed %Y%m%d")]
        done = run(FUZZ, "--problems", "1")
        days.append(datetime.datetime.now(datetime.timezone.utc).strftime("seed %Y%m%d"))
        self.assertIn(done.stdout.splitlines()[0], days)

    def test_time_ends_it(self):
        done = run(FUZZ, "--seconds", "0.2", "--algorithm", "clamp_bounds")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_wrong_answers_are_shrunk_and_reproduced(self):
        done = run(FAULTY, "--problems", "30", "--algorithm", "correct", "--algorithm", "forgets")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        (line,) = re.findall(r"^WRONG: fullconv_fuzz (.*)$", done.stdout, re.MULTILINE)
        self.assertIn("--algorithm forgets --case 1x1_k1x1 --scalar f32", line)
        again = run(FAULTY, *shlex.split(line))
        self.assertEqual(again.returncode, 1, again.stdout + again.stderr)
        self.assertRegex(again.stdout, r"^forgets: dense, into NaN: y\[0,0,0,0\] is nan instead")

    def test_what_throws_is_wrong(self):
        done = run(FAULTY, "--problems", "30", "--algorithm", "throws")
        self.assertEqual(done.returncode, 1)
        self.assertIn("planning threw", done.stdout)

    def test_one_attempt(self):
        layouts = ["--x-layout", "0132:1,1,-1,2:0,0,3,5:1", "--y-layout", "3210:1,1,1,1:0,0,0,0:0"]
        done = run(FUZZ, "--case", "n2_i3_o2_9x8_k3x4_ints", "--threads", "3", *layouts)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("clamp_bounds: right", done.stdout.splitlines())

    def test_bad_questions(self):
        for arguments, offender in [
            (["--algorithm", "nobody"], "nobody"),
            (["--case", "8x8"], "8x8"),
            (["--case", "8x8_k3x3", "--x-layout", "sideways"], "sideways"),
            (["--case", "8x8_k3x3", "--scalar", "f16"], "f16"),
            (["--threads", "0", "--case", "8x8_k3x3"], "--threads"),
            (["--problems", "0"], "--problems"),
            (["--seconds", "soon"], "--seconds"),
            (["--frobnicate"], "--frobnicate"),
        ]:
            with self.subTest(arguments):
                done = run(FUZZ, *arguments)
                self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertIn(offender, done.stderr)


if __name__ == "__main__":
    unittest.main()
