"""records.csv: what follows from a raw file."""

import csv
import math
import unittest

import synthetic
from support import FolderTest, cell, contender, raw_file, skipped

from fullconv_scripts import records, results
from fullconv_scripts.comparison import Contender


class Records(FolderTest):
    def write(self, raw):
        """The lines, as texts by column."""
        self.found = results.tabulate(raw)
        path = records.write(self.found, self.folder)
        self.assertEqual(path, self.folder / "records.csv")
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def test_one_for_each_contender_of_each_cell(self):
        raw = synthetic.small()
        expected = [
            (entry["case"], entry["scalar"], who["algorithm"], who["threads"])
            for entry in raw["cells"]
            for who in entry["contenders"]
        ]
        lines = self.write(raw)
        seen = [(r["case"], r["scalar"], r["algorithm"], int(r["threads"])) for r in lines]
        self.assertEqual(sorted(seen), sorted(expected))
        self.assertEqual(list(dict.fromkeys(case for case, *_ in seen)),
                         list(dict.fromkeys(case for case, *_ in expected)))  # fmt: skip

    def test_times_and_ratios(self):
        drift = [1, 1.01, 1.02, 1.03, 1.0, 0.99, 1.01, 1.02]
        who = [
            contender("beta", [3e-6 * d for d in drift]),
            contender("peer_one", [2e-6 * d for d in drift[:7]], threads=2),
            contender("empty_call", [1e-9 * d for d in drift]),
        ]
        beta, peer, empty = self.write(raw_file([cell("8x8_k5x5", who)]))
        self.assertEqual((peer["kind"], peer["threads"], peer["blocks"]), ("peer", "2", "7"))
        self.assertEqual((peer["verdict"], peer["ratio"]), ("fastest", "1.0"))
        self.assertEqual((beta["verdict"], beta["skipped"]), ("slower", ""))
        ratio = self.found.field("8x8_k5x5", "f32").ratio(Contender("beta"))
        for name, value in (("ratio", ratio.estimate), ("ratio_low", ratio.low)):
            self.assertEqual(float(beta[name]), value)
        self.assertAlmostEqual(float(beta["ratio"]), 1.5)
        low, typical, high = (float(beta[f"seconds{n}"]) for n in ("_low", "", "_high"))
        self.assertTrue(2.9e-6 < low < typical < high < 3.1e-6)
        median = float(beta["seconds_median"])
        self.assertAlmostEqual(median, 3.03e-6)
        self.assertAlmostEqual(float(beta["gflops"]), 2 * 8 * 8 * 5 * 5 / median / 1e9)
        self.assertEqual((beta["bytes"], beta["workspace_bytes"]), ("932", "4096.0"))
        self.assertEqual((beta["error_in_bounds"], beta["relative_l2"]), ("0.25", "1e-07"))
        self.assertEqual((empty["gflops"], empty["verdict"]), ("", "faster"))

    def test_shares_of_what_the_machine_can_do(self):
        row = next(r for r in self.write(synthetic.small()) if r["algorithm"] == "zero_pad")
        shares = [float(row[name]) for name in ("of_peak", "of_bandwidth", "of_roofline")]
        self.assertTrue(math.isclose(shares[0], float(row["gflops"]) / 218, rel_tol=1e-6))
        self.assertEqual(shares[2], max(shares))

    def test_skipped_ones_say_why(self):
        who = [skipped("peer_one", "declined: no f32"), contender("beta", [1.0] * 4)]
        lines = self.write(raw_file([cell("8x8_k5x5", who), cell("9x9_k5x5", who[1:])]))
        self.assertEqual([row["skipped"] for row in lines], ["", "declined: no f32", ""])
        self.assertEqual((lines[1]["seconds"], lines[1]["blocks"]), ("", ""))

    def test_steps_are_columns_of_the_usual_mode(self):
        seconds = {"total": 4.0, "lowering": 1.0, "gemm": 2.0}
        where = {"case": "8x8_k5x5", "scalar": "f32", "algorithm": "beta", "threads": 1}
        steps = [{**where, "repetitions": 5, "seconds": seconds}]
        who = [contender("beta", [4.0] * 4), contender("alpha_one", [4.0] * 4)]
        cells = [cell("8x8_k5x5", who), cell("8x8_k5x5", who, cache="cold")]
        cells.append(cell("8x8_k5x5", [contender("beta", [1.0], phase="plan")]))
        lines = self.write(raw_file(cells, steps=steps))
        parts = [[row[f"step_{n}"] for n in ("lowering", "gemm", "other")] for row in lines]
        self.assertEqual(parts, [["1.0", "2.0", "1.0"]] + [["", "", ""]] * 4)
        self.assertEqual([row["verdict"] for row in lines if row["phase"] == "plan"], [""])

    def test_nothing_measured(self):
        self.assertEqual(self.write(raw_file([])), [])
        head = (self.folder / "records.csv").read_text().strip()
        self.assertTrue(head.startswith("case,scalar,cache,output,phase,algorithm,kind,threads,"))


if __name__ == "__main__":
    unittest.main()
