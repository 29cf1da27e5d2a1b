import copy
import io
import json
import subprocess
import unittest
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

import support
from support import ALGORITHMS, PEERS, FolderTest, cell, contender, raw_file, skipped

import numpy as np

from fullconv_scripts import compare, results

CASE = "64x64_k5x5"


def run(seed, slower=None, blocks=30, names=(*ALGORITHMS, *PEERS, "empty_call"), drift=0.05):
    """A raw file of one cell. `slower`: by which factor, for some algorithms or, as `machine`, for
    all. Blocks drift, which hits all alike."""
    random = np.random.default_rng(seed)
    factors = slower or {}
    machine = np.exp(np.cumsum(random.normal(0, drift, blocks))) * factors.get("machine", 1.0)
    contenders = [
        contender(
            name,
            [float(t) for t in 1e-6 * (place + 1) * machine * factors.get(name, 1.0)
             * np.exp(random.normal(0, 0.003, blocks))],
        )
        for place, name in enumerate(names)
    ]  # fmt: skip
    return raw_file([cell(CASE, contenders)])


def changes(old, new, **options):
    found = compare.changes(results.tabulate(old), results.tabulate(new), **options)
    return {change.contender.algorithm: change for change in found}


class Changes(unittest.TestCase):
    def test_only_what_changed_against_peers_and_floors(self):
        found = changes(run(1), run(2, {"beta": 1.10, "alpha_one": 0.8}))
        self.assertEqual(set(found), set(ALGORITHMS))
        verdicts = {name: change.verdict for name, change in found.items()}
        self.assertEqual(
            verdicts,
            {
                "naive_branching": "equal",
                "alpha_one": "improvement",
                "alpha_two": "equal",
                "beta": "regression",
            },
        )
        self.assertLess(found["beta"].ratio.low, 1.10)
        self.assertGreater(found["beta"].ratio.high, 1.10)
        self.assertLess(found["beta"].ratio.half_width, 0.01)  # though the machine drifts
        self.assertEqual({change.against for change in found.values()}, {"peers and floors"})

    def test_all_of_ours_slower_is_a_regression_where_peers_stand_still(self):
        found = changes(run(1), run(2, dict.fromkeys(ALGORITHMS, 1.2)))
        self.assertEqual({change.verdict for change in found.values()}, {"regression"})

    def test_a_slower_machine_is_none(self):
        found = changes(run(1, drift=0), run(2, {"machine": 1.5}, drift=0))
        self.assertEqual({change.verdict for change in found.values()}, {"equal"})
        self.assertAlmostEqual(found["beta"].cell, 1.5, delta=0.01)
        self.assertAlmostEqual(found["beta"].absolute, 1.5, delta=0.01)

    def test_without_peers_against_the_other_algorithms(self):
        slower = {"machine": 1.5, "beta": 1.1}
        found = changes(run(1, names=ALGORITHMS), run(2, slower, names=ALGORITHMS))
        self.assertEqual({change.against for change in found.values()}, {"the others"})
        self.assertEqual(found["beta"].verdict, "regression")
        self.assertEqual(found["alpha_one"].verdict, "equal")

    def test_with_too_few_others_as_measured(self):
        names = ALGORITHMS[:3]
        found = changes(
            run(1, names=names, drift=0), run(2, {"machine": 1.5}, names=names, drift=0)
        )
        self.assertEqual({change.against for change in found.values()}, {"nothing"})
        self.assertEqual({change.verdict for change in found.values()}, {"regression"})

    def test_references_that_left_early_do_not_count(self):
        old, new = run(1), run(2, {"beta": 1.1})
        for raw in (old, new):
            for who in raw["cells"][0]["contenders"]:
                if who["algorithm"] in PEERS:
                    who["seconds"], who["blocks"] = who["seconds"][:5], who["blocks"][:5]
        found = changes(old, new)
        self.assertEqual(found["beta"].against, "the others")
        self.assertEqual((found["beta"].verdict, found["beta"].ratio.blocks), ("regression", 30))

    def test_layout(self):
        small = changes(run(1), run(2, {"beta": 1.03}))["beta"]
        self.assertEqual(small.verdict, "regression")
        widened = changes(run(1), run(2, {"beta": 1.03}), spread=0.05)["beta"]
        self.assertEqual(widened.verdict, "unresolved")
        self.assertEqual(widened.ratio.high, small.ratio.high)

    def test_two_runs_of_the_same_programs(self):
        false = 0
        for seed in range(100):
            found = changes(run(2 * seed), run(2 * seed + 1)).values()
            false += any(change.verdict in ("regression", "improvement") for change in found)
        self.assertLessEqual(false, 8)  # of 100 comparisons at 95 %

    def test_few_blocks(self):
        found = changes(run(1, blocks=2), run(2, blocks=2))
        self.assertEqual({change.verdict for change in found.values()}, {"unresolved"})

    def test_peers_where_asked_for_and_modes_apart(self):
        old, new = run(1), run(2, {"beta": 2.0})
        self.assertEqual(set(changes(old, new, kinds=("ours", "peer"))), {*ALGORITHMS, *PEERS})
        new["cells"][0]["cache"] = "cold"
        self.assertEqual(changes(old, new), {})


class Command(FolderTest):
    def save(self, name, raw):
        folder = self.folder / "machine" / name
        folder.mkdir(parents=True, exist_ok=True)
        results.save(raw, folder / "raw.json")
        return folder

    def compare(self, *arguments):
        """What the script would do, in this process."""
        out, err = io.StringIO(), io.StringIO()
        command = ["scripts/compare", *map(str, arguments)]
        with mock.patch("sys.argv", command), redirect_stdout(out), redirect_stderr(err):
            try:
                code = compare.main()
            except SystemExit as exit_:
                code = exit_.code
        return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())

    def refused(self, *arguments):
        """What is said in the one line of a refusal."""
        done = self.compare(*arguments)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        return done.stderr

    def test_script(self):
        folders = self.save("old", run(1)), self.save("new", run(2, {"beta": 1.1}))
        command = [str(support.SCRIPTS / "compare"), *map(str, folders)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        self.assertEqual((done.returncode, done.stdout), (1, self.compare(*folders).stdout))

    def test_regression(self):
        done = self.compare(
            self.save("old", run(1)), self.save("new", run(2, {"beta": 1.1})) / "raw.json"
        )
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        head, row, summary = done.stdout.splitlines()
        self.assertRegex(row, rf"^{CASE} f32 +beta +1 +1\.1\d× \(1\.\d+–1\.1\d\).* regression$")
        self.assertRegex(summary, r"^4 compared: 1 regression, 0 improvements, 3 equal, 0 unre")

    def test_improvement_and_nothing(self):
        old = self.save("old", run(1))
        done = self.compare(old, self.save("new", run(2, {"beta": 0.9})))
        self.assertEqual(done.returncode, 0)
        self.assertIn("improvement", done.stdout.splitlines()[1])
        done = self.compare(old, old)
        self.assertEqual((done.returncode, len(done.stdout.splitlines())), (0, 1))
        done = self.compare(old, old, "--every")
        self.assertEqual((done.returncode, len(done.stdout.splitlines())), (0, 6))

    def test_json(self):
        old, new = run(1, blocks=2), run(2, {"beta": 1.1}, blocks=2)
        done = self.compare(self.save("old", old), self.save("new", new), "--json", "--all")
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout)
        self.assertEqual(told["counts"]["unresolved"], 6)
        entry = next(each for each in told["changes"] if each["algorithm"] == "beta")
        self.assertEqual((entry["case"], entry["cache"], entry["threads"]), (CASE, "hot", 1))
        self.assertEqual((entry["low"], entry["high"]), (0, None))

    def test_what_is_gone_is_said(self):
        new = run(2)
        contenders = new["cells"][0]["contenders"]
        contenders[3] = skipped("beta", "wrong: y[0,0,0,0] is 1")
        done = self.compare(self.save("old", run(1)), self.save("new", new))
        self.assertEqual(done.returncode, 0)
        self.assertIn(
            f"no longer measured: {CASE} f32 beta, threads 1: wrong: y[0,0,0,0] is 1\n", done.stdout
        )

    def test_other_machine(self):
        old = run(1)
        for where, value in {"cpu": "Other", "cores": 64, "compiler_flags": "-O0"}.items():
            new = copy.deepcopy(run(2))
            if where == "compiler_flags":
                new["environment"]["build"] = {where: value}
            else:
                new["environment"][where] = value
            folders = self.save("old", old), self.save("new", new)
            with self.subTest(where):
                said = self.refused(*folders)
                self.assertIn(str(value), said)
                self.assertIn("--force", said)
                done = self.compare(*folders, "--force")
                self.assertEqual(done.returncode, 0)
                self.assertIn("different machines", done.stderr)

    def test_bad_files(self):
        good = self.save("old", run(1))
        text = (good / "raw.json").read_text()
        bad = {
            "cut off": text[: len(text) // 2],
            "foreign": '{"benchmarks": []}',
            "version": text.replace('"version": 2', '"version": 1'),
            "malformed": text.replace('"contenders": [{"phase"', '"who": [{"phase"'),
        }
        for name, content in bad.items():
            path = self.folder / f"{name}.json"
            path.write_text(content)
            for pair in ((good, path), (path, good)):
                with self.subTest(name):
                    self.assertIn(str(path), self.refused(*pair))
        self.assertIn("no such results file", self.refused(good, self.folder / "absent"))

    def test_nothing_in_common(self):
        other = run(2)
        other["cells"][0]["case"] = "9x9_k3x3"
        said = self.refused(self.save("old", run(1)), self.save("new", other))
        self.assertIn("no cell", said)

    def test_bad_question(self):
        old = self.save("old", run(1))
        self.assertIn("NEW", self.refused(old))
        self.assertIn("--layout-spread -1", self.refused(old, old, "--layout-spread", "-1"))
        self.assertIn("'x'", self.refused(old, old, "--layout-spread", "x"))

    def test_audit_of_layouts(self):
        folders = self.save("old", run(1)), self.save("new", run(2, {"beta": 1.03}))
        self.assertEqual(self.compare(*folders).returncode, 1)
        audit = self.folder / "machine" / "audit.json"
        audit.write_text('{"format": "fullconv-audit", "layout": {"spread": 0.05}}')
        done = self.compare(*folders)
        self.assertEqual(done.returncode, 0)
        self.assertIn("nothing within the 5 %", done.stdout)
        self.assertEqual(self.compare(*folders, "--layout-spread", "0").returncode, 1)
        for text in ("{", "[]", '{"layout": {"spread": "wide"}}', '{"layout": {"spread": -1}}'):
            audit.write_text(text)
            with self.subTest(text):
                self.assertIn("audit.json", self.refused(*folders))
        audit.write_text('{"format": "fullconv-audit"}')
        self.assertEqual(self.compare(*folders).returncode, 1)


if __name__ == "__main__":
    unittest.main()
