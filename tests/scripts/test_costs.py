"""Models of time are fitted to measured times."""

import contextlib
import io
import json
import random
import re
import tempfile
import unittest
from pathlib import Path

import numpy as np
import support  # noqa: F401
from fullconv_scripts import costs, regret
from fullconv_scripts.arguments import ROOT

HEADER = {
    "format": "fullconv regret",
    "version": 1,
    "scalar": "f32",
    "candidate": ["name", "forecast", "lower_quartile", "median", "upper_quartile", "count"],
}


def problems(count, true):
    """Forecasts whose terms are wrong by the factors of `true`, and a candidate without terms."""
    draw = random.Random(7)
    for number in range(count):
        terms = {name: 10 ** draw.uniform(-6, -3) for name in true}
        seconds = sum(factor * terms[name] for name, factor in true.items())
        candidates = [
            [name, sum(terms.values()), seconds, seconds, seconds, 8] for name in ("fft", "auto")
        ]
        yield {
            "problem": f"{number + 3}x8_k3x3",
            "regret": 0.0,
            "candidates": candidates,
            "terms": {"fft": terms},
        }


class Costs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "some.jsonl"

    def write(self, *lines):
        self.path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def run_script(self, *options):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            with contextlib.redirect_stderr(io.StringIO()) as err:
                code = costs.main([str(self.path), *options])
        return code, out.getvalue(), err.getvalue()

    def test_factors_are_found(self):
        true = {"rows": 2.0, "memory": 0.5}
        self.write(HEADER, *problems(200, true))
        samples = costs.collect([regret.read(self.path)])
        self.assertEqual(list(samples), ["fft f32"])
        found = costs.fit(samples["fft f32"])
        for name, factor in true.items():
            self.assertAlmostEqual(found.factors[name] / factor, 1, delta=0.03)
        self.assertGreater(np.median(np.abs(found.before)), 0.2)
        self.assertLess(np.max(np.abs(found.after)), 0.05)

    def test_tables_name_terms_that_forecasts_have(self):
        table = (ROOT / "algorithms" / "costs" / "built_in_rates.cpp").read_text(encoding="utf-8")
        rows = set(re.findall(r'^ {4}\{"(\w+)", "(\w+)", [\d.]+, [\d.]+\},$', table, re.M))
        self.assertGreater(len(rows), 20)
        # Random layers are seldom depthwise.
        reference = ROOT / "results" / "reference"
        files = [
            *(reference / "regret-layers-zen4").glob("estimate-*.jsonl"),
            *(reference / "regret-layers-xeon").glob("estimate-*.jsonl"),
            *(reference / "regret-depthwise").glob("estimate-*.jsonl"),
        ]
        samples = costs.collect(regret.read(path) for path in files)
        known = {
            (name.split()[0], term)
            for name, of in samples.items()
            for terms in of.terms
            for term in terms
        }
        self.assertLessEqual(rows, known)

    def test_rows_of_a_table(self):
        self.write(HEADER, *problems(200, {"rows": 2.0, "memory": 0.5}))
        code, out, err = self.run_script("--table")
        self.assertEqual((code, err), (0, ""))
        rows = [re.fullmatch(r' {4}\{"fft", "(\w+)", (\S+), 1\.00\},', line) for line in out.splitlines()]
        self.assertEqual([row[1] for row in rows], ["memory", "rows"])
        self.assertAlmostEqual(float(rows[0][2]), 0.5, delta=0.02)
        self.assertAlmostEqual(float(rows[1][2]), 2.0, delta=0.02)

    def test_one_outlier_does_not_bend_them(self):
        lines = list(problems(200, {"rows": 1.0, "memory": 1.0}))
        lines[0]["candidates"][0][2:5] = [1.0, 1.0, 1.0]
        self.write(HEADER, *lines)
        found = costs.fit(costs.collect([regret.read(self.path)])["fft f32"])
        for factor in found.factors.values():
            self.assertAlmostEqual(factor, 1, delta=0.05)
        code, out, _ = self.run_script()
        self.assertEqual(code, 0)
        self.assertIn("fft f32: 200 problems, off by 0 % (0 %), fitted", out)
        self.assertIn("  factors: memory 1.0", out)
        self.assertRegex(out, r"\n  3x8_k3x3: \d+\.\d\d times the forecast")

    def test_bad_files(self):
        lines = list(problems(2, {"rows": 1.0}))
        without = [{**line, "terms": {}} for line in lines]
        broken = [{**line, "terms": {"fft": {"rows": "1"}}} for line in lines]
        for some, message in ((without, "made without --terms"), (broken, "no numbers")):
            self.write(HEADER, *some)
            code, out, err = self.run_script()
            self.assertEqual((code, out), (2, ""))
            self.assertIn(message, err)
            self.assertEqual(len(err.splitlines()), 1)


if __name__ == "__main__":
    unittest.main()
