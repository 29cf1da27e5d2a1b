"""Jobs, their order, their share of the time; what they leave in the raw file."""

import contextlib
import io
import json
import unittest
from unittest import mock

import synthetic
from support import ProgramsTest

from fullconv_scripts import measure, results
from fullconv_scripts.names import parse_case
from fullconv_scripts.programs import Programs, run_for_json


def cases(count):
    return [parse_case(f"{n}x{n}_k3x3") for n in range(3, 3 + count)]


def settings(**fields):
    usual = {"threads": (1, 2), "scalars": ("f32", "f64"), "half_width": 0.02}
    usual |= {"confidence": 0.9995, "cell_limit": 1.5, "budget": 60.0}
    usual |= {"extras": 0.0, "peers": False, "algorithms": (), "instruction_sets": False}
    return measure.Settings(**(usual | fields))


class Order(unittest.TestCase):
    def test_all_are_there_once(self):
        for count in (1, 2, 3, 7, 8, 20):
            order = measure.spread_out(cases(count) * 2)
            self.assertEqual(sorted(c.text for c in order), sorted(c.text for c in cases(count)))

    def test_any_first_part_ranges_over_all_sizes(self):
        order = [case.H for case in measure.spread_out(cases(16))]
        for part in range(2, 17):
            self.assertLess(min(order[:part]), 4)
            self.assertGreater(max(order[:part]), 3 + 16 * (1 - 2 / part))
        gaps = sorted(order[:8])
        self.assertEqual({b - a for a, b in zip(gaps, gaps[1:])}, {2})

    def test_what_was_asked_for_comes_before_extras_of_all_kinds(self):
        few = [parse_case("1024x1024_k63x63"), parse_case("8x8_k5x5"), parse_case("64x64_k5x5")]
        self.assertEqual(
            [str(job) for job in measure.plan_jobs(few, modes=2)],
            [
                "8x8_k5x5",
                "1024x1024_k63x63",
                "64x64_k5x5",
                "8x8_k5x5 cold cache",
                "8x8_k5x5 fresh output",
                "8x8_k5x5 steps",
                "8x8_k5x5 planning",  # matters only where executing is short
                "1024x1024_k63x63 cold cache",
                "1024x1024_k63x63 fresh output",
                "1024x1024_k63x63 steps",
                "64x64_k5x5 steps",
                "64x64_k5x5 planning",
            ],
        )

    def test_modes_are_asked_for(self):
        jobs = measure.plan_jobs(cases(4))
        self.assertEqual({(job.cache, job.output) for job in jobs}, {("hot", "reused")})


class Confidence(unittest.TestCase):
    CONTENDERS = [
        {"kind": "ours", "threaded": False},
        {"kind": "ours", "threaded": True},
        {"kind": "peer", "threaded": True},
        {"kind": "floor", "threaded": False},
    ]

    def test_all_comparisons_of_a_report_together(self):
        # One serial and two threaded ones are 5 with two numbers of threads: 10 pairs a cell.
        found = measure.expected_confidence(self.CONTENDERS, (1, 2), 7)
        self.assertAlmostEqual(found, 1 - 0.05 / 70, places=12)
        found = measure.expected_confidence(self.CONTENDERS, (1,), 7)
        self.assertAlmostEqual(found, 1 - 0.05 / 21, places=12)

    def test_nothing_to_compare(self):
        found = measure.expected_confidence(self.CONTENDERS[:1], (1,), 7)
        self.assertAlmostEqual(found, 0.95)


class Sharing(unittest.TestCase):
    def setUp(self):
        self.now = 1000.0
        clock = mock.patch.object(measure.time, "monotonic", lambda: self.now)
        clock.start()
        self.addCleanup(clock.stop)
        self.usual = measure.Job(parse_case("8x8_k3x3"))
        self.cold = measure.Job(parse_case("8x8_k3x3"), cache="cold")
        self.plan = measure.Job(parse_case("8x8_k3x3"), "plan")

    def take(self, clockwork, job, seconds):
        """Runs a job; its share."""
        share = clockwork.share(job)
        self.now += seconds
        clockwork.finish(job, share, seconds)
        return share

    def test_extras_have_their_part(self):
        jobs = [self.usual, self.usual, self.cold, self.plan]
        clockwork = measure.Clockwork(jobs, 28.0, extras=0.25)
        shares = [self.take(clockwork, job, seconds) for job, seconds in zip(jobs, (9, 12, 3, 4))]
        for share, expected in zip(shares, (10.5, 12, 3.5, 4)):
            self.assertAlmostEqual(share, expected)
        self.assertAlmostEqual(clockwork.left, 0)

    def test_nothing_is_kept_for_no_extras(self):
        clockwork = measure.Clockwork([self.usual], 28.0, extras=0.25)
        self.assertAlmostEqual(clockwork.share(self.usual), 28)

    def test_what_one_leaves_the_others_get(self):
        clockwork = measure.Clockwork([self.usual] * 3, 30.0)
        self.assertAlmostEqual(self.take(clockwork, self.usual, 2), 10)
        self.assertAlmostEqual(clockwork.share(self.usual), 14)

    def test_what_a_job_costs_beyond_its_share_is_kept_back(self):
        clockwork = measure.Clockwork([self.usual] * 3, 30.0, overhead=4)
        self.assertAlmostEqual(self.take(clockwork, self.usual, 8), 6)  # 2 more than its share
        self.assertAlmostEqual(clockwork.share(self.usual), 11 - 3)  # 4 and 2: 3 on average
        self.take(clockwork, self.usual, 7)  # none more
        self.assertAlmostEqual(clockwork.share(self.usual), 15 - 2)

    def test_never_less_than_nothing(self):
        clockwork = measure.Clockwork([self.usual] * 3, 30.0)
        self.take(clockwork, self.usual, 29)
        self.assertEqual(clockwork.share(self.usual), 0)
        self.take(clockwork, self.usual, 29)
        self.assertLess(clockwork.left, 0)


class Texts(unittest.TestCase):
    def test_durations(self):
        self.assertEqual(measure.duration_text(65), "1:05")
        self.assertEqual(measure.duration_text(-3), "0:00")
        self.assertEqual(measure.duration_text(59.7), "1:00")


class Measuring(ProgramsTest):
    """Measurement, into a raw file, by the stub of the programs."""

    def setUp(self):
        super().setUp()
        self.path = self.folder / results.FILE_NAME
        self.raw = {"format": results.FORMAT, "version": results.VERSION, "status": "running"}
        self.raw |= {"environment": {"warnings": []}, "settings": {}, "contenders": []}
        self.raw |= {"floors": [], "left_out_cells": [], "failures": [], "steps": [], "cells": []}

    def measurement(self, **fields):
        programs = Programs(self.programs)
        return measure.Measurement(programs, settings(**fields), self.raw, self.path)

    def measure(self, *jobs, **fields):
        """The failures, one line each; the raw file goes into `self.raw`."""
        measurement = self.measurement(**fields)
        with contextlib.redirect_stderr(io.StringIO()) as self.stderr:
            measurement.run(jobs)
        self.raw = results.load_raw(self.path)
        for failure in measurement.failures:
            self.assertEqual(len(failure.splitlines()), 1)
        return measurement.failures

    def job(self, case="8x8_k3x3", *more, **fields):
        return measure.Job(parse_case(case), *more, **fields)

    def test_a_cell_for_each_scalar(self):
        self.assertEqual(self.measure(self.job()), [])
        self.assertEqual(self.raw["status"], "complete")
        modes = [[cell[name] for name in ("case", "scalar", "cache", "output")]
                 for cell in self.raw["cells"]]  # fmt: skip
        usual = ["hot", "reused"]
        self.assertEqual(modes, [["8x8_k3x3", "f32", *usual], ["8x8_k3x3", "f64", *usual]])
        for cell in self.raw["cells"]:
            self.assertRegex(cell["started"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
            self.assertGreaterEqual(cell["wall_seconds"], 0)
            self.assertIsInstance(cell["warnings"], list)

    def test_blocks_positions_iterations(self):
        self.measure(self.job(), scalars=("f32",))
        (cell,) = self.raw["cells"]
        found = {(who["algorithm"], who["threads"]): who for who in cell["contenders"]}
        for (name, _), who in found.items():
            if "skipped" in who:
                continue
            blocks = 4 if name == "naive_branching" else 8  # it left early
            self.assertEqual(who["blocks"], list(range(blocks)))
            self.assertEqual(len(who["seconds"]), blocks)
            self.assertEqual(who["iterations"], 100 + len(name))
            self.assertEqual(who["phase"], "execute")
            self.assertNotIn("block", who["counters"])
        # Nobody runs at another's place.
        places = [(block, position) for who in found.values() if "blocks" in who
                  for block, position in zip(who["blocks"], who["positions"])]  # fmt: skip
        self.assertEqual(len(places), len(set(places)))
        self.assertAlmostEqual(found["beta", 2]["seconds"][0], 1e-6, delta=3e-7)
        reason = "declined: is serial: takes one thread only"
        self.assertEqual(found["naive_branching", 2]["skipped"], reason)

    def test_modes(self):
        self.measure(self.job(cache="cold"), self.job(output="fresh"), scalars=("f64",))
        modes = [(cell["cache"], cell["output"]) for cell in self.raw["cells"]]
        self.assertEqual(modes, [("cold", "reused"), ("hot", "fresh")])

    def test_planning_is_of_one_thread_and_scalar_and_without_blocks(self):
        self.measure(self.job("8x8_k3x3", "plan"))
        (cell,) = self.raw["cells"]
        who = {(entry["phase"], entry["algorithm"]) for entry in cell["contenders"]}
        names = ("naive_branching", "beta")
        self.assertEqual(who, {(phase, n) for phase in ("plan", "oneshot") for n in names})
        self.assertEqual({entry["threads"] for entry in cell["contenders"]}, {1})
        samples = cell["contenders"][0]
        self.assertEqual(len(samples["seconds"]), measure.PLANNING_REPETITIONS)
        self.assertNotIn("blocks", samples)

    def test_steps(self):
        self.measure(self.job("8x8_k3x3", "steps"))
        found = [(e["algorithm"], e["threads"]) for e in self.raw["steps"]]
        self.assertEqual(found, [("naive_branching", 1), ("beta", 1), ("beta", 2)])
        self.assertEqual(set(self.raw["steps"][0]["seconds"]), {"total", "direct"})
        self.assertEqual(self.raw["cells"], [])

    def test_floors_before_and_after(self):
        self.measure()
        self.assertEqual([floor["when"] for floor in self.raw["floors"]], ["start", "end"])
        self.assertEqual(self.raw["floors"][0]["name"], "fma_peak/f32/threads:1")
        self.assertEqual(self.raw["floors"][0]["counters"], {"GFLOP/s": [100.0] * 3})

    def test_the_question_is_passed_on(self):
        self.keep_log()
        self.measure(self.job(cache="cold"), self.job("16x16_k3x3"), peers=True, cell_limit=0.5)
        first, second = self.calls("fullconv_bench")
        for words in (
            "--case 8x8_k3x3",
            "--scalar f32 f64",
            "--threads 1 2",
            "--cache cold --output reused",
            "--half-width 0.02",
            "--confidence 0.999500000000",
            "--cell-limit 0.5",
            "--peers",
            "--floors",
            "--benchmark_format=json",
        ):
            self.assertIn(f"{words} ", f"{first} ")
        self.assertIn("--cache hot --output reused", second)
        # All of the 60 s are for the one extra, of two scalars.
        self.assertRegex(first, r"--cell-time (29\.9\d+|30\.000) ")
        seeds = {call.partition("--seed ")[2].partition(" ")[0] for call in (first, second)}
        self.assertEqual(len(seeds), 2)
        contenders = {who["algorithm"] for who in self.raw["cells"][0]["contenders"]}
        self.assertLessEqual({"peer_one", "empty_call", "copy_operands"}, contenders)

    def test_peers_only_where_asked_for(self):
        self.keep_log()
        self.measure(self.job(), scalars=("f32",))
        (call,) = self.calls("fullconv_bench")
        self.assertNotIn("--peers", call)
        self.assertNotIn("peer_one", json.dumps(self.raw["cells"]))

    def test_a_cell_gets_neither_too_little_nor_too_much(self):
        self.raw["contenders"] = synthetic.registry()
        runs = sum(2 if who["threaded"] else 1 for who in self.raw["contenders"])
        for budget, text in ((0.1, f"{0.08 * runs:.3f}"), (1e6, "60.000")):
            self.keep_log()
            self.measure(self.job(), budget=budget)
            self.assertIn(f"--cell-time {text} ", self.calls("fullconv_bench")[-1])

    def test_what_the_budget_does_not_hold_is_named(self):
        now = [0.0]

        def slow(command, tick=None):
            now[0] += 25.0 if "fullconv_bench" in str(command[0]) else 0.0
            return run_for_json(command, tick)

        jobs = [self.job(f"{n}x{n}_k3x3") for n in (8, 10, 9, 11)]
        jobs.append(self.job("8x8_k3x3", "steps"))
        with (
            mock.patch.object(measure, "run_for_json", slow),
            mock.patch.object(measure.time, "monotonic", lambda: now[0]),
        ):
            self.assertEqual(self.measure(*jobs, scalars=("f32",)), [])
        self.assertEqual([cell["case"] for cell in self.raw["cells"]],
                         ["8x8_k3x3", "10x10_k3x3", "9x9_k3x3"])  # fmt: skip
        self.assertEqual(self.raw["left_out_cells"], [str(job) for job in jobs[3:]])
        self.assertEqual(self.raw["left_out_cells"], ["11x11_k3x3", "8x8_k3x3 steps"])

    def test_the_raw_file_is_whole_after_each_job(self):
        seen = []

        def look(command, tick=None):
            raw = results.load_raw(self.path)
            seen.append((raw["status"], len(raw["cells"])))
            return run_for_json(command, tick)

        with mock.patch.object(measure, "run_for_json", look):
            self.measure(self.job(), self.job("16x16_k3x3"))
        self.assertEqual(seen, [("running", count) for count in (0, 0, 2, 4)])

    def test_interruption_keeps_what_there_is(self):
        calls = []

        def interrupted(command, tick=None):
            calls.append(command)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return run_for_json(command, tick)

        with (
            mock.patch.object(measure, "run_for_json", interrupted),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.measure(self.job(), self.job("16x16_k3x3"))
        raw = results.load_raw(self.path)
        self.assertEqual(raw["status"], "interrupted")
        self.assertEqual({cell["case"] for cell in raw["cells"]}, {"8x8_k3x3"})
        self.assertIn("ended", raw["environment"])
        self.assertEqual(len(raw["environment"]["load_at_end"]), 3)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()),
                         ["programs", "raw.json"])  # fmt: skip

    def test_a_program_that_fails_costs_one_job(self):
        reasons = {"crash": "fullconv_bench: exit code -6", "garbage": "printed no JSON"}
        for what, reason in reasons.items():
            with self.subTest(what):
                self.setUp()
                self.set_fault(what)
                jobs = [self.job(case) for case in ("8x8_k3x3", "9x9_k3x3", "16x16_k3x3")]
                (failure,) = self.measure(*jobs)
                self.assertTrue(failure.startswith("9x9_k3x3: fullconv_bench: "), failure)
                self.assertIn(reason, failure)
                (noted,) = self.raw["failures"]
                self.assertEqual(noted["job"], "9x9_k3x3")
                self.assertIn(reason, noted["reason"])
                measured = {cell["case"] for cell in self.raw["cells"]}
                self.assertEqual(measured, {"8x8_k3x3", "16x16_k3x3"})
                self.assertEqual(self.raw["status"], "complete")

    def test_floors_that_cannot_be_measured(self):
        self.set_fault("no floors")
        failures = self.measure(self.job())
        self.assertEqual(failures, ["floors: fullconv_floors: exit code -6"] * 2)
        self.assertEqual((self.raw["floors"], len(self.raw["cells"])), ([], 2))

    def test_an_output_outside_its_bound_is_no_time(self):
        self.set_fault("bound")
        failures = self.measure(self.job(), self.job("8x8_k3x3", "steps"), scalars=("f32",))
        line = "8x8_k3x3 f32: beta, threads {}: wrong: y[0,0,0,0] is 1, not 2"
        self.assertEqual(failures, [line.format(1), line.format(2)] * 2)
        contenders = self.raw["cells"][0]["contenders"]
        measured = {who["algorithm"] for who in contenders if "seconds" in who}
        self.assertEqual(measured, {"naive_branching", "empty_call", "copy_operands"})
        self.assertEqual({e["algorithm"] for e in self.raw["steps"]}, {"naive_branching"})

    def test_what_the_build_says_of_itself_once(self):
        self.set_fault("spinning")
        self.measure(self.job(), self.job("16x16_k3x3"))
        build = {"compiler": "stub", "build_type": "Release", "assertions": "off"}
        build |= {"omp_wait_policy": "ACTIVE"}
        self.assertEqual(self.raw["environment"]["build"], build)
        (warning,) = self.raw["environment"]["warnings"]
        self.assertTrue(warning.startswith("OMP_WAIT_POLICY=active: "), warning)

    def test_cells_say_what_was_seen_meanwhile(self):
        busy = ["contaminated: others used 50% of a core meanwhile"]
        with mock.patch.object(measure.caveats.Watch, "warnings", lambda self: busy):
            self.measure(self.job())
        self.assertEqual([cell["warnings"] for cell in self.raw["cells"]], [busy] * 2)

    def test_a_line_a_job_where_there_is_no_terminal(self):
        self.measure(self.job(), self.job("16x16_k3x3", cache="cold"))
        lines = self.stderr.getvalue().splitlines()
        self.assertEqual(len(lines), 4)  # floors, jobs, floors
        self.assertRegex(lines[1], r"^measuring \[1/2\] 8x8_k3x3, 1:00 left$")
        self.assertRegex(lines[2], r"^measuring \[2/2\] 16x16_k3x3 cold cache, \d:\d\d left$")


if __name__ == "__main__":
    unittest.main()
