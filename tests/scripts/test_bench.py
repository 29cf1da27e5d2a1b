"""scripts/bench from end to end, with programs of our own in place of those of the build."""

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

from support import SCRIPTS, ProgramsTest

from fullconv_scripts import arguments, bench, caveats, charts, crosscheck, page, results

DRAW_ALL = charts.draw_all


class BenchTest(ProgramsTest):
    def setUp(self):
        super().setUp()
        self.out = self.folder / "out"

    def fixed(self):
        return ["--programs", str(self.programs), "--out", str(self.out)]

    def raw(self):
        return results.load_raw(self.out)

    def drawn(self):
        """What is in the folder of results."""
        return {path.name for path in self.out.iterdir()}


class Script(BenchTest):
    """As people run it."""

    def start(self, *words):
        return subprocess.Popen(
            [str(SCRIPTS / "bench"), *words, *self.fixed()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "FULLCONV_PYTHON": sys.executable},
            cwd=self.folder,
        )

    def bench(self, *words):
        process = self.start(*words)
        stdout, stderr = process.communicate(timeout=120)
        self.assertNotIn("Traceback", stderr)
        return process.returncode, stdout, stderr

    def test_all_goes_well(self):
        cases = ("--case", "8x8_k3x3", "--case", "16x16_k3x3")
        code, stdout, stderr = self.bench(*cases, "--threads", "2", "1", "--peers")
        self.assertEqual(code, 0, stderr)
        raw = self.raw()
        self.assertEqual(raw["status"], "complete")
        modes = [(cell["cache"], cell["output"]) for cell in raw["cells"]]
        # Two cases in two scalars and each mode, and planning of both.
        self.assertEqual(modes.count(("cold", "reused")), 4)
        self.assertEqual(modes.count(("hot", "fresh")), 4)
        self.assertEqual(modes.count(("hot", "reused")), 4 + 2)
        self.assertEqual(raw["settings"]["cases"], ["8x8_k3x3", "16x16_k3x3"])
        self.assertEqual(raw["settings"]["threads"], [1, 2])
        self.assertTrue(raw["settings"]["command"].startswith("scripts/bench --case 8x8_k3x3 "))
        # 5 that can win: two serial ones, of which one with two threads, and so the peer.
        pairs = 10 * 2 * 6
        self.assertAlmostEqual(raw["settings"]["confidence"], 1 - 0.05 / pairs)
        self.assertEqual(results.load(self.out).comparisons, pairs)
        self.assertEqual(raw["environment"]["build"]["compiler"], "stub")
        self.assertIsInstance(raw["environment"]["warnings"], list)
        self.assertNotIn("secret", json.dumps(raw))
        kinds = {entry["name"]: entry["kind"] for entry in raw["contenders"]}
        self.assertEqual((kinds["beta"], kinds["peer_one"], kinds["empty_call"]),
                         ("ours", "peer", "floor"))  # fmt: skip
        checked = {entry["algorithm"] for entry in raw["crosscheck"]}
        self.assertEqual(checked, {"naive_branching", "beta"})
        self.assertTrue(raw["steps"])
        self.assertEqual((raw["failures"], raw["left_out_cells"]), ([], []))
        self.assertEqual(self.drawn(), {"raw.json", "records.csv", "report.html", "charts"})
        self.assertTrue((self.out / "charts" / "time-k3x3.png").exists())
        for told in ("raw.json", "records.csv", "charts", "report.html"):
            self.assertIn(f": {self.out / told}\n", stdout)
        self.assertIn("fastest peer", stdout)
        self.assertIn("ours against peers", stdout)
        page = (self.out / "report.html").read_text(encoding="utf-8")
        self.assertIn("peer_one", page)

    def test_a_wrong_algorithm_stops_it(self):
        self.set_fault("wrong")
        code, stdout, stderr = self.bench("--case", "8x8_k3x3", "--scalar", "f32")
        self.assertEqual(code, 1)
        self.assertIn("WRONG", stdout)
        self.assertIn("bench: beta on 8x8_k5x5 f32: ", stderr)
        self.assertNotIn("naive_branching on", stderr)
        self.assertFalse(self.out.exists())

    def test_a_run_that_is_cut_off_leaves_whole_cells(self):
        self.set_fault("slow")
        cases = [word for n in range(3, 40) for word in ("--case", f"{n}x{n}_k3x3")]
        process = self.start(*cases, "--scalar", "f32")
        raw_file = self.out / results.FILE_NAME
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline:
            if raw_file.exists() and len(self.raw()["cells"]) > 1:
                break
            time.sleep(0.01)
        process.kill()
        process.communicate()
        self.assertEqual(process.returncode, -signal.SIGKILL)
        self.assertEqual(self.raw()["status"], "running")
        self.assertTrue(1 < len(self.raw()["cells"]) < 37)
        self.assertIn("8x8_k3x3", page.write(self.out).read_text(encoding="utf-8"))

    def test_interruption_leaves_what_was_measured(self):
        self.set_fault("slow")
        cases = [word for n in range(3, 40) for word in ("--case", f"{n}x{n}_k3x3")]
        running = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            self.out = self.folder / f"out {number}"
            running[number] = (self.out, self.start(*cases, "--scalar", "f32"))
        for number, (self.out, process) in running.items():
            with self.subTest(number):
                deadline = time.monotonic() + 60
                while time.monotonic() < deadline:
                    path = self.out / results.FILE_NAME
                    if path.exists() and len(self.raw()["cells"]) >= 2:  # whole at any time
                        break
                    time.sleep(0.05)
                process.send_signal(number)
        for number, (self.out, process) in running.items():
            with self.subTest(number):
                stdout, stderr = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 130, stderr)
                self.assertNotIn("Traceback", stderr)
                self.assertRegex(stderr, r"(?m)^bench: interrupted; \d+ cells are measured$")
                raw = self.raw()
                self.assertEqual(raw["status"], "interrupted")
                self.assertGreaterEqual(len(raw["cells"]), 2)
                self.assertLess(len(raw["cells"]), 37)
                self.assertIn("load_at_end", raw["environment"])
                self.assertTrue((self.out / "charts" / "error-l2-f32.png").exists())
                self.assertEqual(self.drawn(), {"raw.json", "records.csv", "report.html", "charts"})
                self.assertIn(f"report: {self.out / 'report.html'}\n", stdout)

    def test_bad_questions_in_one_line(self):
        (self.folder / "empty.txt").write_text("# nothing\n")
        (self.folder / "bad.txt").write_text("8x8_k5x5\n8x8\n")
        questions = {
            ("--case", "8x8"): "'8x8' is no case",
            ("--cases", "absent.txt"): "absent.txt: No such file",
            ("--cases", "empty.txt"): "empty.txt: expected at least one case",
            ("--cases", "bad.txt"): "bad.txt:2: '8x8' is no case",
            ("--threads", "0"): "'0': expected a whole number",
            ("--threads", "-1"): "'-1': expected a whole number",
            ("--budget", "nan"): "'nan': expected a number above 0",
            ("--half-width", "0"): "'0': expected a number above 0",
            ("--cell-limit", "soon"): "'soon': expected a number above 0",
            ("--scalar", "f16"): "invalid choice: 'f16'",
            ("--full", "--smoke"): "not allowed with",
            ("--ful",): "unrecognized",
        }
        for question, message in questions.items():
            with self.subTest(question):
                code, stdout, stderr = self.bench(*question)
                self.assertEqual((code, stdout), (2, ""), stderr)
                self.assertEqual(len(stderr.splitlines()), 1, stderr)
                self.assertTrue(stderr.startswith("scripts/bench: "), stderr)
                self.assertIn(message, stderr)
                self.assertFalse(self.out.exists())

    def test_help(self):
        code, stdout, _ = self.bench("--help")
        self.assertEqual(code, 0)
        flags = "full smoke cases case threads scalar budget cell-limit half-width"
        for flag in f"{flags} peers instruction-sets out programs".split():
            self.assertIn(f"--{flag} ", stdout)


class Inside(BenchTest):
    """What is behind the script, with the cross-check on its smallest picture alone."""

    def setUp(self):
        super().setUp()
        everything = crosscheck.operands()
        small = {"8x8_k5x5": everything["8x8_k5x5"]}
        for patch in (
            mock.patch.object(crosscheck, "operands", lambda: small),
            mock.patch.object(charts, "draw_all", lambda found, folder: charts.Drawn([], [])),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def bench(self, *words):
        stdout, stderr = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            code = bench._run([*words, *self.fixed()])
        return code, stdout.getvalue(), stderr.getvalue()

    def test_a_file_of_cases_relative_to_where_one_is(self):
        (self.folder / "my cases.txt").write_text("8x8_k3x3 # conv1\n")
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        code, _, stderr = self.bench("--cases", "my cases.txt", "--scalar", "f32", "--threads", "1")
        self.assertEqual(code, 0, stderr)
        self.assertEqual(self.raw()["remarks"], {"8x8_k3x3": "conv1"})

    def test_an_output_outside_its_bound_is_no_time(self):
        self.set_fault("bound")
        code, stdout, stderr = self.bench("--case", "8x8_k3x3", "--threads", "1", "--scalar", "f32")
        self.assertEqual(code, 1)
        line = "bench: 8x8_k3x3 f32: beta, threads 1: wrong: y[0,0,0,0] is 1, not 2"
        self.assertIn(line, stderr.splitlines())
        self.assertNotIn("beta", results.load(self.out).times["algorithm"].tolist())
        self.assertIn(f"report: {self.out / 'report.html'}\n", stdout)

    def test_a_program_that_crashes_costs_one_case(self):
        self.set_fault("crash")
        cases = ("--case", "8x8_k3x3", "--case", "9x9_k3x3")
        code, _, stderr = self.bench(*cases, "--scalar", "f32")
        self.assertEqual(code, 1)
        lines = [line for line in stderr.splitlines() if line.startswith("bench: 9x9_k3x3")]
        self.assertEqual(lines[0], "bench: 9x9_k3x3: fullconv_bench: exit code -6")
        raw = self.raw()
        self.assertEqual(raw["status"], "complete")
        self.assertEqual({cell["case"] for cell in raw["cells"]}, {"8x8_k3x3"})
        self.assertEqual(len(raw["failures"]), len(lines))

    def test_nothing_could_be_measured(self):
        for what in ("crash", "garbage"):
            with self.subTest(what):
                self.out = self.folder / what
                self.set_fault(what)
                with mock.patch.object(charts, "draw_all", DRAW_ALL):
                    code, stdout, stderr = self.bench("--case", "9x9_k3x3", "--scalar", "f32")
                self.assertEqual(code, 1)
                self.assertIn("bench: 9x9_k3x3: fullconv_bench: ", stderr)
                self.assertEqual(self.raw()["cells"], [])
                self.assertIn("nothing to rely on: nothing ran side by side", stdout)
                self.assertTrue((self.out / "report.html").exists())

    def test_times_that_are_none(self):
        self.set_fault("stopped clock")
        code, _, stderr = self.bench("--case", "8x8_k3x3", "--scalar", "f32")
        self.assertEqual(code, 2)
        self.assertRegex(stderr.splitlines()[-1], "^bench: .*/out: malformed: .* no times")

    def test_a_budget_that_does_not_hold_all(self):
        self.set_fault("slow")
        cases = ("--case", "8x8_k3x3", "--case", "16x16_k3x3")
        code, stdout, _ = self.bench(*cases, "--budget", "0.2", "--scalar", "f32", "--threads", "1")
        self.assertEqual(code, 0)
        left_out = self.raw()["left_out_cells"]
        self.assertEqual(left_out[:2], ["16x16_k3x3", "8x8_k3x3 cold cache"])
        self.assertIn(f"{len(left_out)} left out, over the budget: 16x16_k3x3, 8x8_k3x3", stdout)

    def test_the_summary_begins_with_contamination_and_ends_with_what_can_be_relied_on(self):
        busy = ["contaminated: others used 101% of a core meanwhile"]
        question = ("--case", "8x8_k3x3", "--scalar", "f32", "--threads", "1")
        with mock.patch.object(caveats.Watch, "warnings", lambda _: busy):
            code, stdout, stderr = self.bench(*question)
        self.assertEqual(code, 0)
        self.assertIn("bench: contaminated: others used 101% of a core meanwhile; on an", stderr)
        summary = stdout[stdout.index("*" * 78) :].splitlines()
        self.assertRegex(summary[1], "^CONTAMINATED: other processes used 101 % of a core during ")
        self.assertLess(stdout.index("CONTAMINATED"), stdout.index("fastest of ours"))
        self.assertRegex(summary[-1], "^what ratios can be relied on to, ")
        page = (self.out / "report.html").read_text(encoding="utf-8")
        self.assertIn('<p class="notice" role="alert">CONTAMINATED: other processes', page)

    def test_warnings_are_shown(self):
        self.set_fault("spinning")
        question = ("--case", "8x8_k3x3", "--scalar", "f32", "--threads", "1", "999")
        code, stdout, _ = self.bench(*question)
        self.assertEqual(code, 0)
        told = [line for line in stdout.splitlines() if line.startswith("beware: ")]
        self.assertEqual(told, [f"beware: {w}" for w in self.raw()["environment"]["warnings"]])
        self.assertTrue(any("up to 999 threads" in line for line in told), told)
        self.assertTrue(any("OMP_WAIT_POLICY=active" in line for line in told), told)

    def test_results_are_never_overwritten(self):
        self.out.mkdir()
        (self.out / results.FILE_NAME).write_text("mine")
        code, _, stderr = self.bench("--case", "8x8_k3x3")
        self.assertEqual((code, stderr), (2, f"bench: {self.out}: holds results already\n"))
        self.assertEqual((self.out / results.FILE_NAME).read_text(), "mine")

    def test_programs_that_are_not_there(self):
        (self.programs / "fullconv").unlink()
        code, _, stderr = self.bench("--case", "8x8_k3x3")
        self.assertEqual(code, 2)
        path = self.programs / "fullconv"
        self.assertEqual(stderr, f"bench: {path}: No such file or directory\n")
        self.assertFalse(self.out.exists())

    def test_only_those_asked_for_take_part(self):
        self.keep_log()
        code, _, stderr = self.bench(
            "--case", "8x8_k3x3", "--peers", "--algorithm", "beta", "peer_one", "--algorithm", "beta"
        )
        self.assertEqual(code, 0, stderr)
        raw = self.raw()
        timed = {who["algorithm"] for cell in raw["cells"] for who in cell["contenders"]}
        self.assertEqual(timed, {"beta", "peer_one", "empty_call", "copy_operands"})
        self.assertEqual({entry["algorithm"] for entry in raw["crosscheck"]}, {"beta"})
        self.assertIn("--algorithm beta", self.calls("fullconv_steps")[0])
        self.assertNotIn("peer_one", self.calls("fullconv_steps")[0])

    def test_steps_are_ours(self):
        self.keep_log()
        code, _, stderr = self.bench("--case", "8x8_k3x3", "--peers", "--algorithm", "peer_one")
        self.assertEqual(code, 0, stderr)
        self.assertEqual(self.calls("fullconv_steps"), [])

    def test_an_algorithm_that_nobody_is(self):
        code, _, stderr = self.bench("--case", "8x8_k3x3", "--algorithm", "peer_one")
        self.assertEqual(code, 2)
        who = "naive_branching, beta"
        self.assertEqual(stderr, f"bench: --algorithm: 'peer_one': expected one of {who}\n")

    def test_instruction_sets_are_contenders(self):
        code, _, stderr = self.bench("--case", "8x8_k3x3", "--instruction-sets")
        self.assertEqual(code, 0, stderr)
        raw = self.raw()
        timed = {who["algorithm"] for cell in raw["cells"] for who in cell["contenders"]}
        self.assertLessEqual({"beta", "beta@AVX2"}, timed)
        checked = {entry["algorithm"] for entry in raw["crosscheck"]}
        self.assertEqual(checked, {"naive_branching", "beta"})


class Questions(unittest.TestCase):
    def test_peers_take_as_long_again(self):
        alone, together = arguments.parse(["--smoke"]), arguments.parse(["--smoke", "--peers"])
        self.assertEqual((alone.peers, together.peers), (False, True))
        self.assertEqual(together.budget, 2 * alone.budget)
        self.assertEqual(arguments.parse(["--peers", "--budget", "7"]).budget, 7)

    def test_kinds_of_runs(self):
        smoke, usual, full = (arguments.parse(words) for words in (["--smoke"], [], ["--full"]))
        for less, more in ((smoke, usual), (usual, full)):
            self.assertLess(less.budget, more.budget)
            self.assertLess(len(less.cases), len(more.cases))
            self.assertGreater(less.half_width, more.half_width)

    def test_scalars_and_threads_once_each(self):
        asked = arguments.parse(["--scalar", "f64", "f64", "--threads", "4", "1", "4"])
        self.assertEqual((asked.scalars, asked.threads), (("f64",), (1, 4)))
        asked = arguments.parse([])
        self.assertEqual((asked.scalars, asked.threads), (("f32", "f64"), None))

    def test_named_cases_take_the_place_of_the_usual_ones(self):
        asked = arguments.parse(["--case", "8x8_k3x3", "--case", "8x8_k3x3"])
        self.assertEqual([case.text for case in asked.cases], ["8x8_k3x3"])


if __name__ == "__main__":
    unittest.main()
