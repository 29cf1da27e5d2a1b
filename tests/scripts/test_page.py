"""The page of a run, without a browser."""

import json
import math
import re
import subprocess
import unittest

import support
import synthetic
from page_case import PageTest, outline, selection, times
from support import FolderTest, cell, contender, raw_file, skipped

from fullconv_scripts import page, page_data, results

LARGEST = 2_000_000  # bytes of the largest page that these tests make


class Whole(PageTest):
    def test_everything(self):
        text, found, data = self.write(synthetic.full(), with_audit=True)
        self.assert_whole(text, found)
        self.assertLess(len(text.encode()), LARGEST)
        self.assertEqual(data["run"]["groups"], ["both", "ours", "peers"])
        self.assertEqual(len(data["selections"]), 2 * 2 * 3)
        for part in ("scaling", "modes", "steps", "floors", "audit", "skipped"):
            self.assertTrue(data[part], part)

    def test_licence_is_kept(self):
        text, _, _ = self.write(synthetic.small())
        self.assertRegex(text, r"// https://d3js\.org v5\S* Copyright \d+ Mike Bostock")
        self.assertIn("Redistributions in binary form must reproduce", text)

    def test_nothing_in_the_results_becomes_markup(self):
        evil = "</script><script>alert(1)</script><!-- <b>&amp;"
        raw = synthetic.small()
        raw["environment"]["cpu_name"] = evil
        raw["cells"][0]["warnings"] = [evil]
        text, found, data = self.write(raw)
        self.assert_whole(text, found)
        self.assertEqual(data["environment"]["cpu_name"], evil)
        self.assertEqual(text.count("alert(1)"), 2)
        self.assertNotIn("<script>alert", text)

    def test_a_place_within_a_part_is_no_place(self):
        raw = synthetic.small()
        raw["environment"]["cpu_name"] = "{{script}}"
        _, _, data = self.write(raw)
        self.assertEqual(data["environment"]["cpu_name"], "{{script}}")

    def test_the_same_results_give_the_same_page(self):
        first, _, _ = self.write(synthetic.small())
        again, _, _ = self.write(synthetic.small())
        self.assertEqual(first, again)


class Traces(PageTest):
    def test_every_row_is_in_the_raw_file(self):
        raw = synthetic.full()
        _, _, data = self.write(raw)
        seen = set()
        for part in ("rows", "skipped"):
            for values in data[part]["values"]:
                row = dict(zip(data[part]["fields"], values))
                shown = data["cells"][row["cell"]]
                entry = raw["cells"][shown["raw"]]
                source = entry["contenders"][row["place"]]
                seen.add((shown["raw"], row["place"]))
                self.assertEqual((shown["case"], shown["scalar"]), (entry["case"], entry["scalar"]))
                name = data["contenders"][row["contender"]]["name"]
                expected = (source["algorithm"], source["threads"], source["phase"])
                self.assertEqual((name, row["threads"], row["phase"]), expected)
                if part == "rows":
                    low, high = min(source["seconds"]), max(source["seconds"])
                    self.assertTrue(low * 0.999 <= row["seconds"] <= high * 1.001)
                    self.assertEqual(row["repetitions"], len(source["seconds"]))
                    error = source["counters"]["error_in_bounds"]
                    self.assertTrue(math.isclose(row["error"], error, rel_tol=1e-3))
                else:
                    reason = data["skipped"]["reasons"][row["reason"]]
                    self.assertEqual(f"{row['kind']}: {reason}", source["skipped"])
        self.assertEqual(len(seen), sum(len(entry["contenders"]) for entry in raw["cells"]))

    def test_places_below_the_roofline(self):
        raw = synthetic.small()
        _, _, data = self.write(raw)
        fields = data["rows"]["fields"]
        found = results.tabulate(raw).times.to_dict("records")
        self.assertEqual(len(found), len(data["rows"]["values"]))
        shares = [("rate", "gflops"), ("ofPeak", "of_peak"), ("ofBandwidth", "of_bandwidth"),
                  ("ofRoofline", "of_roofline")]  # fmt: skip
        for values, row in zip(data["rows"]["values"], found):
            shown = dict(zip(fields, values))
            for mine, theirs in shares:
                self.assertTrue(math.isclose(shown[mine], row[theirs], rel_tol=1e-3), mine)
            problem = data["cells"][shown["cell"]]
            for name in ("bytes", "intensity"):
                self.assertTrue(math.isclose(problem[name], row[name], rel_tol=1e-3), name)

    def test_what_has_no_rate(self):
        floor = contender("empty_call", times(1e-9))
        _, _, data = self.write(raw_file([cell("8x8_k3x3", [contender("beta", times(1)), floor])]))
        fields = data["rows"]["fields"]
        beta, empty = (dict(zip(fields, values)) for values in data["rows"]["values"])
        self.assertEqual((beta["rate"], beta["ofPeak"]), (1.141e-06, None))
        self.assertEqual((empty["rate"], empty["ofRoofline"]), (None, None))

    def test_of_two_cells_of_one_name_the_later_counts(self):
        first = cell("8x8_k3x3", [contender("beta", [1.0] * 4)])
        later = cell("8x8_k3x3", [contender("beta", [2.0] * 4)])
        _, _, data = self.write(raw_file([first, later]))
        self.assertEqual([entry["raw"] for entry in data["cells"]], [1])
        self.assertEqual([values[5] for values in data["rows"]["values"]], [2.0])


class Little(PageTest):
    """Runs that lack most of what a page can show."""

    def test_no_cells(self):
        for status in ("running", "interrupted"):
            raw = raw_file([], status=status, environment={}, settings={}, contenders=[])
            text, found, data = self.write(raw)
            self.assert_whole(text, found)
            self.assertEqual((data["selections"], data["run"]["status"]), ([], status))
            self.assertIn("<p>Nothing was measured.</p>", text)

    def test_one_cell(self):
        raw = raw_file([cell("8x8_k5x5", [contender("beta", times(1.0))])])
        text, found, data = self.write(raw)
        self.assert_whole(text, found)
        self.assertEqual((data["run"]["groups"], data["run"]["threads"]), (["ours"], [1]))
        self.assertIsNone(data["audit"])

    def test_all_skipped(self):
        raw = raw_file([cell("8x8_k5x5", [skipped("beta", "declined: no")])])
        text, found, data = self.write(raw)
        self.assert_whole(text, found)
        self.assertEqual(data["selections"], [])
        self.assertEqual(len(data["skipped"]["values"]), 1)

    def test_failures_are_told_in_a_line_each(self):
        _, _, data = self.write(synthetic.small())
        told = ["8x8_k3x3 cold: fullconv_bench: exit code -9"]
        self.assertEqual(data["run"]["failures"], told)

    def test_few_blocks_and_no_counters(self):
        who = [
            {**contender("beta", [1.0, 1.1]), "counters": {}},
            {**contender("alpha_one", [2.0, 2.1]), "counters": {}},
        ]
        text, found, data = self.write(raw_file([cell("8x8_k5x5", who)]))
        self.assert_whole(text, found)
        answer = selection(data)["answers"][0]
        self.assertEqual(answer["ratios"][0][1:], [0.0, None, "unresolved"])

    def test_plans_have_rows_but_no_answer(self):
        who = contender("beta", times(1.0), phase="plan")
        del who["blocks"], who["positions"]
        _, _, data = self.write(raw_file([cell("8x8_k5x5", [who])]))
        self.assertEqual(data["selections"], [])
        self.assertEqual(data["rows"]["values"][0][4], "plan")

    def test_plans_do_not_take_the_place_of_what_was_executed(self):
        plan = contender("beta", times(1.0), phase="plan")
        del plan["blocks"], plan["positions"]
        executed = [contender("beta", times(1.0)), contender("alpha_one", times(2.0))]
        cells = [cell("8x8_k5x5", executed), cell("8x8_k5x5", [plan])]
        _, _, data = self.write(raw_file(cells))
        self.assertEqual([each["main"] for each in data["cells"]], [True, False])


class Audits(PageTest):
    def test_a_miss_is_kept(self):
        _, _, data = self.write(synthetic.small(), with_audit=True)
        rows = data["audit"][0]["rows"]
        self.assertEqual([row["met"] for row in rows], [True, False])

    def test_tables_are_found_wherever_they_are(self):
        finding = {"name": "a", "target": "b", "measured": "c", "met": False, "detail": "d"}
        long = {**finding, "trials": [{"target": 1}] * 1000}
        for audit in ({"findings": [long]}, {"tables": [{"title": "t", "rows": [long]}]}):
            found = list(page_data._audit_tables(audit))
            self.assertEqual([table["rows"] for table in found], [[finding]])

    def test_one_that_cannot_be_read(self):
        synthetic.write(self.folder / "run", synthetic.small(), with_audit=False)
        for text in ("{", "[]", '{"format": "other"}'):
            (self.folder / "audit.json").write_text(text)
            with self.assertRaisesRegex(results.BadResults, "audit.json"):
                page.write(self.folder / "run")


class Command(FolderTest):
    def report(self, *arguments, cwd="/"):
        command = [str(support.SCRIPTS / "report"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)

    def test_writes_beside_the_raw_file(self):
        synthetic.write(self.folder / "run", synthetic.small(), with_audit=False)
        done = self.report(self.folder / "run")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, f"{self.folder / 'run' / 'report.html'}\n")
        names = {path.name for path in (self.folder / "run").iterdir()}
        self.assertEqual(names, {"raw.json", "records.csv", "report.html"})

    def test_finds_the_audit_from_within_the_folder(self):
        synthetic.write(self.folder / "run", synthetic.small(), with_audit=True)
        done = self.report(".", cwd=self.folder / "run")
        self.assertEqual((done.returncode, done.stderr, done.stdout), (0, "", "report.html\n"))
        text = (self.folder / "run" / "report.html").read_text(encoding="utf-8")
        self.assertIsNotNone(json.loads(outline(text).text["data"])["audit"])

    def test_bad_questions_in_one_line(self):
        (self.folder / "raw.json").write_text("{")
        for arguments in ([self.folder], [self.folder / "absent"], []):
            done = self.report(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertFalse((self.folder / "report.html").exists())


class Codes(unittest.TestCase):
    def test_differ(self):
        names = [model.name for model in synthetic.MODELS]
        names += ["direct_simd", "fft_overlap_save", "low_rank", "winograd", "implicit_gemm", "fftw"]
        codes = page_data._codes(names)
        self.assertEqual(len(set(codes.values())), len(names))
        self.assertTrue(all(re.fullmatch(r"[a-z]{2}", code) for code in codes.values()))


if __name__ == "__main__":
    unittest.main()
