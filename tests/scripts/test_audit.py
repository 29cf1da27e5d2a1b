"""The audit of the measuring: what it makes of what it measures."""

import contextlib
import json
import math
import random
import signal
import subprocess
import time
import unittest
from unittest import mock

from support import FolderTest, ProgramsTest, audit_finding

from fullconv_scripts import audit, audit_checks, page_data
from fullconv_scripts.comparison import Contender, Field
from fullconv_scripts.programs import ProgramFailed, Programs

LOOP, TWIN, THREADS = Contender("loop"), Contender("loop+0"), Contender("tiled", 2)


def report(*blocks):
    """What the benchmark program says of blocks, each of (contender, seconds) in their order."""
    rows = []
    for block, order in enumerate(blocks):
        for position, (who, seconds) in enumerate(order):
            name = f"execute/{who.algorithm}/f32/8x8_k3x3/threads:{who.threads}/real_time"
            row = {"name": name, "real_time": seconds, "time_unit": "s", "iterations": 1}
            rows.append(row | {"block": float(block), "position": float(position)})
    return {"benchmarks": rows}


class ByPredecessor(unittest.TestCase):
    def found(self, *blocks):
        return [(which, round(value, 4)) for which, value in
                audit_checks._by_predecessor(report(*blocks), "loop", THREADS)]  # fmt: skip

    def test_after_the_threads(self):
        block = [(THREADS, 9.0), (LOOP, 1.1), (Contender("fft"), 5.0), (TWIN, 1.0)]
        self.assertEqual(self.found(block), [("threads", round(math.log(1.1), 4))])

    def test_either_twin(self):
        block = [(LOOP, 1.0), (THREADS, 9.0), (TWIN, 1.2)]
        self.assertEqual(self.found(block), [("threads", round(math.log(1.2), 4))])

    def test_after_the_other_twin(self):
        block = [(LOOP, 1.0), (TWIN, 1.3), (THREADS, 9.0)]
        self.assertEqual(self.found(block), [("itself", round(math.log(1.3), 4))])

    def test_no_control_where_the_other_is_disturbed(self):
        block = [(THREADS, 9.0), (LOOP, 1.1), (TWIN, 1.0)]
        self.assertEqual(self.found(block), [("threads", round(math.log(1.1), 4))])

    def test_others_tell_nothing(self):
        self.assertEqual(self.found([(LOOP, 1.0), (Contender("fft"), 5.0), (TWIN, 1.0)]), [])
        # One thread of the same leaves nobody spinning.
        self.assertEqual(self.found([(Contender("tiled"), 9.0), (LOOP, 1.0)]), [])

    def test_a_twin_that_has_left(self):
        self.assertEqual(self.found([(THREADS, 9.0), (LOOP, 1.0)]), [])

    def test_the_end_of_one_block_is_not_before_the_next(self):
        self.assertEqual(self.found([(THREADS, 9.0)], [(LOOP, 1.0), (Contender("fft"), 1.0),
                                                       (TWIN, 1.0)]), [])  # fmt: skip


class CarryOver(unittest.TestCase):
    def finding(self, effect, cores=2):
        """With the loop slower by so much after two threads."""
        draw = random.Random(4)

        def measured(command):
            blocks = []
            for _ in range(40):
                order = draw.sample([LOOP, TWIN, THREADS], 3)
                drift = math.exp(draw.gauss(0, 0.05))
                blocks.append([])
                for place, who in enumerate(order):
                    after = place > 0 and order[place - 1] == THREADS
                    seconds = drift * (1 + effect * after) * math.exp(draw.gauss(0, 0.002))
                    name = who.algorithm.replace("loop", "naive_branching")
                    name = name.replace("tiled", "openmp_tiled")
                    blocks[-1].append((Contender(name, who.threads), seconds))
            return report(*blocks)

        shared = audit_checks.Audit(Programs(None), 0.3, lambda text: None)
        with (
            mock.patch.object(audit_checks, "run_for_json", measured),
            mock.patch.object(Programs, "bench", "fullconv_bench"),
            mock.patch.object(audit_checks.environment, "core_count", lambda: cores),
        ):
            (found,) = audit_checks.carry_over(shared)
        return found

    def test_none(self):
        found = self.finding(0.0)
        self.assertTrue(found.met)
        self.assertLess(float(found.measured.removesuffix("%")), 0.2)

    def test_an_effect_is_found(self):
        found = self.finding(0.03)
        self.assertFalse(found.met)
        self.assertAlmostEqual(float(found.measured.removesuffix("%")), 3.0, delta=0.2)
        self.assertRegex(found.detail, r"95 % interval \+2\.\d+% to \+3\.\d+%, \d+ and \d+ blocks")

    def test_one_core(self):
        found = self.finding(0.0, cores=1)
        self.assertEqual((found.met, found.measured), (False, "not measured"))


class Shares(unittest.TestCase):
    def test_known_intervals(self):
        # At the ends by hand: (α/2)^(1/n); between them as in tables.
        self.assertEqual(audit_checks._share_interval(10, 10), "100% (69–100)")
        self.assertEqual(audit_checks._share_interval(0, 10), "0% (0–31)")
        self.assertEqual(audit_checks._share_interval(57, 60), "95% (86–99)")


def trial(verdict, percent=0, ratio=1.0, corrected=None):
    return {
        "algorithm": "fft", "case": "8x8_k3x3", "percent": percent, "ratio": ratio,
        "low": ratio / 1.01, "high": ratio * 1.01, "blocks": 9, "verdict": verdict,
        "corrected_verdict": corrected or verdict,
    }  # fmt: skip


class Pairs(unittest.TestCase):
    def findings(self, check, trials):
        shared = audit_checks.Audit(Programs(None), 1.0, lambda text: None)
        with mock.patch.object(audit_checks, "_pairs", lambda *_: trials):
            return check(shared)

    def test_false_verdicts(self):
        for false, met in ((10, True), (11, False)):
            trials = [trial("equal")] * (400 - false - 1) + [trial("unresolved")]
            trials += [trial("slower", ratio=1.05, corrected="equal")] * (false - 1)
            trials += [trial("faster", ratio=0.99)]
            (found,) = self.findings(audit_checks.twins, trials)
            self.assertEqual((found.met, found.measured), (met, f"{false} in 400"))
            self.assertIn(f"{399 - false} equal, 1 unresolved; largest difference 5.0%, ",
                          found.detail)  # fmt: skip
            self.assertIn("half-width 1.00% (median)", found.detail)
            self.assertTrue(found.detail.endswith(", as in a report: 1"), found.detail)

    def test_slow_downs(self):
        trials = [trial("slower", percent, 1 + percent / 100) for percent in (2, 5, 10)] * 8
        trials += [trial("equal", 2), trial("unresolved", 5), trial("slower", 10, 1.1)] * 2
        two, five, ten = self.findings(audit_checks.slow_downs, trials)
        self.assertEqual([found.met for found in (two, five, ten)], [True, False, True])
        self.assertEqual(five.measured, "80% (44–97)")
        self.assertIn("measured as 10.0% (median)", ten.detail)
        self.assertEqual(len(ten.trials), 10)

    def test_taken_for_faster(self):
        trials = [trial("slower", percent, 1.05) for percent in (2, 5, 10)] * 20
        found = self.findings(audit_checks.slow_downs, [*trials, trial("faster", 2, 0.9)])
        self.assertEqual([finding.met for finding in found], [False, True, True])
        self.assertIn("taken for faster: 1", found[0].detail)


class Measured(ProgramsTest):
    """What checks ask the program, and what they make of its answer."""

    def audit(self, scale=0.01):
        return audit_checks.Audit(Programs(self.programs), scale, lambda text: None)

    def test_a_cell(self):
        cell = self.audit().cell("8x8_k3x3", "--floors", time_=0.5, seed=3)
        expected = {Contender("naive_branching"), Contender("beta"), Contender("beta", 2)}
        expected |= {Contender("empty_call"), Contender("copy_operands")}
        self.assertEqual(set(cell), expected)
        self.assertEqual(list(cell[Contender("naive_branching")]), [0, 1, 2, 3])
        self.assertAlmostEqual(cell[Contender("beta", 2)][0], 1e-6, delta=3e-7)

    def test_one_that_is_wrong(self):
        self.set_fault("bound")
        with self.assertRaisesRegex(ProgramFailed, r"^8x8_k3x3: beta: wrong: y\[0,0,0,0\]"):
            self.audit().cell("8x8_k3x3", time_=0.5, seed=3)

    def test_slow_downs_that_are_there_are_found(self):
        self.keep_log()
        found = audit_checks.slow_downs(self.audit(0.1))
        self.assertEqual([finding.met for finding in found], [True] * 3)
        for finding, percent in zip(found, (2, 5, 10)):
            for one in finding.trials:
                self.assertAlmostEqual(one["ratio"], 1 + percent / 100, delta=0.005)
                self.assertEqual((one["percent"], one["verdict"]), (percent, "slower"))
        calls = self.calls("fullconv_bench")
        self.assertEqual(len(calls), 6)
        self.assertIn("--algorithm fft --threads 1", calls[3])
        self.assertIn("--handicap fft+2 fft+5 fft+10", calls[3])
        self.assertIn("--cell-time 2 --seed 4 ", calls[3])  # one second a pair
        self.assertEqual(len({call.partition("--seed ")[2].split()[0] for call in calls}), 6)

    def test_at_least_two_trials(self):
        self.assertEqual([self.audit(s).count(60) for s in (0.001, 0.1, 1)], [2, 6, 60])


def samples(*seconds):
    """Of contenders a and b."""
    return {
        Contender(name): {block: time_ * (1 + 0.0001 * block) for block in range(9)}
        for name, time_ in zip("ab", seconds)
    }


class Neighbour(unittest.TestCase):
    def finding(self, quiet, loud, warnings=()):
        shared = audit_checks.Audit(Programs(None), 0.1, lambda text: None)
        cells = [quiet, loud] * (2 * len(audit_checks._CASES))
        with (
            mock.patch.object(audit_checks.Audit, "cell", side_effect=cells),
            mock.patch.object(audit_checks, "_hog", contextlib.nullcontext),
            mock.patch.object(audit_checks.caveats.Watch, "warnings", lambda self: list(warnings)),
        ):
            (found,) = audit_checks.busy_neighbour(shared)
        return found

    def test_the_same_verdicts(self):
        found = self.finding(samples(1.0, 1.1), samples(1.0, 1.05))
        self.assertEqual((found.met, found.measured), (True, "0 in 8, 0 of them not flagged"))
        self.assertEqual({(t["quiet"], t["loud"]) for t in found.trials}, {("slower", "slower")})

    def test_reversed(self):
        found = self.finding(samples(1.0, 1.1), samples(1.1, 1.0))
        self.assertEqual((found.met, found.measured), (False, "8 in 8, 8 of them not flagged"))

    def test_reversed_and_flagged(self):
        found = self.finding(samples(1.0, 1.1), samples(1.1, 1.0), ["contaminated: others"])
        self.assertEqual((found.met, found.measured), (True, "8 in 8, 0 of them not flagged"))
        self.assertIn("8 of 8 comparisons are in cells flagged", found.detail)

    def test_a_verdict_that_is_lost_is_not_reversed(self):
        found = self.finding(samples(1.0, 1.1), samples(1.0, 1.001))
        self.assertEqual((found.met, found.measured), (True, "0 in 8, 0 of them not flagged"))

    def test_the_hog_is_seen_and_goes_away(self):
        hogs = []

        def start(*words, **options):
            hogs.append(subprocess.Popen(*words, **options))
            return hogs[-1]

        with mock.patch.object(audit_checks, "subprocess", mock.Mock(Popen=start)), audit_checks._hog():
            watch = audit_checks.caveats.Watch()
            time.sleep(1)
            self.assertNotEqual(watch.warnings(), [])
            self.assertIsNone(hogs[0].poll())
        self.assertEqual([hog.returncode for hog in hogs], [-signal.SIGKILL])


class FreshRuns(unittest.TestCase):
    A, B = Contender("a"), Contender("b", 2)

    def agreement(self, wins, verdicts=("faster",) * 4):
        return audit_checks._agreement({("8x8_k3x3", 1): wins}, {("8x8_k3x3", self.A, self.B): verdicts},
                                runs=4)  # fmt: skip

    def test_the_same_winner(self):
        winner, contradiction = self.agreement([("a", "clear")] * 4)
        self.assertEqual((winner.measured, winner.met), ("1 of 1", True))
        self.assertEqual((contradiction.measured, contradiction.met), ("0 of 1 pairs", True))
        self.assertTrue(contradiction.detail.startswith("4 verdicts of faster or slower in 4 runs"))

    def test_another_winner(self):
        winner, _ = self.agreement([("a", "clear")] * 3 + [("b", "clear")])
        self.assertEqual((winner.measured, winner.met), ("0 of 1", False))
        self.assertIn("differing: 8x8_k3x3, 1 threads", winner.detail)

    def test_ties_need_no_winner(self):
        winner, _ = self.agreement([("a", "clear")] * 2 + [("b", "tie")] * 2)
        self.assertEqual((winner.measured, winner.met), ("0 of 0", True))
        self.assertIn("1 of 1 cells are ties or unresolved in most runs", winner.detail)

    def test_contradictions(self):
        _, found = self.agreement([("a", "clear")] * 4, ["faster", "slower", "equal", "equal"])
        self.assertEqual((found.measured, found.met), ("1 of 1 pairs", False))
        self.assertIn("2 verdicts", found.detail)
        self.assertIn("; 8x8_k3x3: a@1 and b@2", found.detail)
        _, found = self.agreement([("a", "clear")] * 4, ["faster", "unresolved", "equal", "equal"])
        self.assertTrue(found.met)

    def findings(self, cell, spread=0.0):
        shared = audit_checks.Audit(Programs(None), 0.1, lambda text: None, spread)
        with mock.patch.object(audit_checks.Audit, "cell", lambda *_, **__: cell):
            return audit_checks.fresh_runs(shared)

    def test_from_cells(self):
        cell = samples(2.0, 3.0)
        cell[Contender("b", 2)] = {block: 1.5 * time_ / 3
                                   for block, time_ in cell[Contender("b")].items()}  # fmt: skip
        winner, contradiction = self.findings(cell)
        count = len(audit_checks._RUN_CASES)
        self.assertEqual(winner.measured, f"{2 * count} of {2 * count}")  # 1 thread, at most 2
        self.assertEqual(contradiction.measured, f"0 of {3 * count} pairs")
        of_threads = {t["threads"]: {w for w, _ in t["wins"]} for t in winner.trials}
        self.assertEqual(of_threads, {1: {"a"}, 2: {"b"}})

    def test_claims_nothing_smaller_than_the_spread_of_layouts(self):
        winner, _ = self.findings(samples(2.0, 2.1))
        self.assertIn("0 of 10 cells are ties or unresolved", winner.detail)
        winner, contradiction = self.findings(samples(2.0, 2.1), spread=0.06)
        self.assertIn("10 of 10 cells are ties or unresolved", winner.detail)
        self.assertIn("0 verdicts of faster or slower", contradiction.detail)

    def test_one_number_of_threads_counts_once(self):
        winner, _ = self.findings(samples(2.0, 3.0))
        self.assertEqual(winner.measured, f"{len(audit_checks._RUN_CASES)} of {len(audit_checks._RUN_CASES)}")
        self.assertEqual({len(t["wins"]) for t in winner.trials}, {3})  # runs

    def test_all_are_ours(self):
        field = Field(samples(1.0, 2.0), audit_checks._OURS)
        self.assertEqual(field.among(("ours",)).fastest, Contender("a"))


class File(FolderTest):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "audit.json"

    def merge(self, name, *findings):
        here = {"cpu": "Test", "commit": "0123abc"}
        merged = audit._merge(self.path, here, 0.5, name, list(findings))
        self.path.write_text(json.dumps(merged), encoding="utf-8")
        return merged

    def test_from_nothing(self):
        merged = self.merge("twins", audit_finding("t", trials=[{"ratio": 1.0}]))
        self.assertEqual((merged["format"], merged["version"]), ("fullconv-audit", 1))
        self.assertEqual(merged["environment"]["cpu"], "Test")
        self.assertEqual(merged["checks"]["twins"]["commit"], "0123abc")
        self.assertEqual(merged["checks"]["twins"]["scale"], 0.5)
        (found,) = merged["checks"]["twins"]["findings"]
        self.assertEqual((found["name"], found["trials"]), ("t", [{"ratio": 1.0}]))
        self.assertRegex(merged["checks"]["twins"]["when"], r"^\d{4}-")

    def test_others_stay_in_the_order_of_checks(self):
        self.merge("runs", audit_finding("r"))
        self.merge("twins", audit_finding("old"))
        self.merge("slow-downs", audit_finding("s"), audit_finding("s2"))
        merged = self.merge("twins", audit_finding("new"))
        self.assertEqual(list(merged["checks"]), ["twins", "slow-downs", "runs"])
        names = [f["name"] for check in merged["checks"].values() for f in check["findings"]]
        self.assertEqual(names, ["new", "s", "s2", "r"])

    def test_the_spread_of_layouts_is_kept(self):
        self.assertNotIn("layout", self.merge("twins", audit_finding("t")))
        merged = self.merge("layout", audit_finding("l", trials=[{"spread": 0.01}]))
        self.assertEqual(merged["layout"], {"spread": 0.01})
        self.assertEqual(self.merge("twins", audit_finding("t"))["layout"], {"spread": 0.01})

    def test_reports_show_each_finding_once(self):
        self.merge("twins", audit_finding("t"))
        merged = self.merge("runs", audit_finding("r", met=False), audit_finding("r2"))
        tables = list(page_data._audit_tables(merged))
        shown = [(part["title"], [row["name"] for row in part["rows"]]) for part in tables]
        self.assertEqual(shown, [("twins", ["t"]), ("runs", ["r", "r2"])])
        self.assertNotIn("trials", tables[0]["rows"][0])

    def test_table(self):
        rows = [vars(audit_finding("one")), vars(audit_finding("two", met=False))]
        self.assertEqual(
            audit.table(rows).splitlines(),
            ["met     one: 0.5% (target: ≤ 1 %)", "        in detail",
             "MISSED  two: 0.5% (target: ≤ 1 %)", "        in detail"],
        )  # fmt: skip


if __name__ == "__main__":
    unittest.main()
