"""The page of a run, without a browser."""

import json
import math
import re
import subprocess
import unittest
from html.parser import HTMLParser

import support
import synthetic
from support import FolderTest, cell, contender, raw_file, several_cells, skipped
from synthetic import Run

from fullconv_scripts import page, page_data, results

LARGEST = 2_000_000  # bytes of the largest page that these tests make

# Elements that never have an end tag.
VOID = {"br", "hr", "img", "input", "link", "meta"}


class Outline(HTMLParser):
    """Checks that elements nest, and collects what a browser would fetch."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.wrong, self.loads, self.links = [], [], [], [], []
        self.text = {}

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        for name in ("src", "srcset", "data", "poster", "action"):
            if name in attributes:
                self.loads.append(attributes[name])
        if tag == "link":
            self.loads.append(attributes["href"])
        if tag == "a":
            self.links.append(attributes["href"])
        if tag not in VOID:
            self.open.append((tag, attributes.get("id", tag)))

    def handle_endtag(self, tag):
        if not self.open or self.open[-1][0] != tag:
            self.wrong.append(f"</{tag}> within {self.open[-1:]}")
        else:
            self.open.pop()

    def handle_data(self, data):
        if self.open:
            name = self.open[-1][1]
            self.text[name] = self.text.get(name, "") + data


def outline(text):
    parser = Outline()
    parser.feed(text)
    parser.close()
    return parser


class PageTest(FolderTest):
    def write(self, raw, with_audit=False):
        """The text of the page, its outline and its data."""
        synthetic.write(self.folder / "run", raw, with_audit)
        path = page.write(self.folder / "run")
        self.assertEqual(path, self.folder / "run" / "report.html")
        text = path.read_text(encoding="utf-8")
        found = outline(text)
        return text, found, json.loads(found.text["data"])

    def assert_whole(self, text, found):
        """Valid, and needs nothing else."""
        self.assertEqual((found.open, found.wrong), ([], []))
        self.assertEqual(len(found.ids), len(set(found.ids)))
        self.assertEqual([load for load in found.loads if not load.startswith("data:,")], [])
        inner = [link[1:] for link in found.links if link.startswith("#")]
        self.assertEqual([link for link in inner if link not in found.ids], [])
        outside = {link for link in found.links if link[0] != "#"}
        self.assertEqual(outside, {"raw.json", "records.csv"})
        style = found.text["style"]
        self.assertNotRegex(style, r"@import|url\(")
        script = text.rsplit("<script>", 1)[1]
        self.assertNotRegex(script, r"https?://|fetch\(|XMLHttpRequest|import\s*\(|WebSocket")
        self.assertIn("default-src 'none'", text)


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


def selection(data, scalar="f32", threads=1, group="ours"):
    wanted = (scalar, threads, group)
    return next(
        entry
        for entry in data["selections"]
        if (entry["scalar"], entry["threads"], entry["group"]) == wanted
    )


def times(base):
    """Blocks that agree to within a thousandth, over which both of a pair drift."""
    return [base * drift for drift in (1, 1.01, 1.02, 1.03, 1.0, 0.99, 1.01, 1.02)]


class Answers(PageTest):
    def answer(self, contenders, **choice):
        _, _, data = self.write(raw_file([cell("8x8_k3x3", contenders)]))
        return selection(data, **choice)["answers"][0], data

    def test_clear(self):
        answer, data = self.answer([contender("beta", times(1.0)), contender("zeta", times(1.5))])
        self.assertEqual((answer["verdict"], answer["level"]), ("clear", []))
        self.assertEqual(answer["field"], [0, 1])
        self.assertEqual(answer["next"], answer["ratios"][0])
        estimate, low, high, verdict = answer["ratios"][0]
        self.assertEqual((estimate, verdict), (1.5, "slower"))
        self.assertTrue(low <= 1.5 <= high)
        self.assertEqual(data["run"]["comparisons"], 1)

    def test_next_is_of_those_that_count(self):
        who = [contender("beta", times(1.0)), contender("zeta", times(1.5))]
        raw = raw_file([cell("8x8_k3x3", [*who, contender("alpha_one", times(0.999))])])
        for entry in raw["contenders"]:
            if entry["name"] == "alpha_one":
                entry["delegates"] = "always"
        _, _, data = self.write(raw)
        answer = selection(data)["answers"][0]
        self.assertEqual((answer["verdict"], answer["level"]), ("clear", []))
        self.assertEqual(answer["field"], [0, 2, 1])
        self.assertEqual((answer["next"][0], answer["ratios"][0][0]), (1.5, 0.999))

    def test_tie(self):
        answer, _ = self.answer([contender("beta", times(1.0)), contender("zeta", times(1.001))])
        self.assertEqual((answer["verdict"], answer["level"]), ("tie", [1]))

    def test_unresolved(self):
        noisy = [1.0, 1.2, 0.8, 1.3, 0.7, 1.1, 0.9, 1.25]
        answer, _ = self.answer([contender("beta", times(1.0)), contender("zeta", noisy)])
        self.assertEqual(answer["verdict"], "unresolved")

    def test_alone(self):
        who = [contender("beta", times(1.0)), skipped("zeta", "left out: predicted 9 s")]
        answer, _ = self.answer(who)
        self.assertEqual((answer["verdict"], answer["ratios"]), ("alone", []))
        self.assertIsNone(answer["next"])

    def test_more_threads_take_part_only_where_allowed(self):
        who = [
            contender("beta", times(2.0)),
            contender("beta", times(1.0), threads=2),
            contender("alpha_one", times(1.5)),
        ]
        answer, data = self.answer(who, threads=2)
        self.assertEqual(answer["field"], [1, 2])
        self.assertEqual(answer["others"][0][0], 0)
        self.assertEqual(selection(data, threads=1)["answers"][0]["field"], [2, 0])
        self.assertEqual(data["scaling"][0][:3], [0, 1, 2.0])

    def test_peers_apart(self):
        who = [contender("beta", times(2.0)), contender("peer_one", times(1.0))]
        _, data = self.answer(who)
        fields = {
            entry["group"]: entry["answers"][0]["field"] for entry in data["selections"]
        }
        self.assertEqual(fields, {"both": [1, 0], "ours": [0], "peers": [1]})

    def test_precision_is_that_of_the_selection(self):
        noisy = [1.0, 1.2, 0.8, 1.3, 0.7, 1.1, 0.9, 1.25]
        who = [contender("beta", times(1.0)), contender("alpha_one", times(2.0))]
        who += [contender("beta", noisy, threads=2), contender("peer_one", noisy)]
        who += [contender("peer_two", [1.0] * 8)]
        _, data = self.answer(who)
        widths = {
            (entry["threads"], entry["group"]): entry["precision"] for entry in data["selections"]
        }
        self.assertEqual(len(widths), 2 * 3)
        counts = {choice: sum(found["counts"]) for choice, found in widths.items()}
        self.assertEqual(counts, {(1, "both"): 3, (1, "ours"): 1, (1, "peers"): 1,
                                  (2, "both"): 4, (2, "ours"): 2, (2, "peers"): 1})  # fmt: skip
        self.assertLess(widths[1, "ours"]["p95"], 1e-6)
        self.assertGreater(widths[1, "peers"]["p95"], 0.05)

    def test_front(self):
        exact = contender("alpha_one", times(3.0))
        exact["counters"]["error_in_bounds"] = 0.01
        between = contender("alpha_two", times(2.0))
        answer, _ = self.answer([exact, between, contender("beta", times(1.0))])
        self.assertEqual(answer["front"], [2, 0])

    def test_floors_do_not_win(self):
        who = [contender("beta", times(1.0)), contender("empty_call", times(1e-9))]
        answer, data = self.answer(who)
        self.assertEqual(answer["field"], [0])
        self.assertEqual(len(data["rows"]["values"]), 2)

    def test_bindings_are_compared_and_do_not_win(self):
        who = [contender("beta", times(2.0)), contender("bound", times(1.0))]
        answer, data = self.answer(who)
        self.assertEqual((answer["field"], answer["verdict"]), ([0], "alone"))
        [[row, ratio]] = answer["others"]
        self.assertEqual((row, ratio[0], ratio[3]), (1, 0.5, "faster"))
        self.assertEqual(data["run"]["comparisons"], 1)


class Forms(PageTest):
    def forms(self, cells):
        _, _, data = self.write(raw_file(cells))
        names = [entry["name"] for entry in data["contenders"]]
        return selection(data)["forms"], names

    def test_kinds_are_apart(self):
        who = [contender("beta", times(1.0)), contender("zeta", times(1.5))]
        cases = (
            "8x8_k3x3",  # a plane
            "n1_i64_o32_8x8_k3x3",
            "n1_i32_o127_9x9_k3x3_p1x1x1x1",
            "n1_i64_o4_8x8_k3x3",
            "n1_i64_o64_8x8_k3x3_s2x2",
            "n1_i64_o64_8x8_k3x3_g64",
            "n1_i64_o64_8x8_k3x3_g2",
        )
        forms, _ = self.forms([cell(case, who) for case in cases])
        kinds = [
            (*form["stride"], form["channels"], form["planes"], form["cells"]) for form in forms
        ]
        self.assertEqual(
            kinds,
            [
                (1, 1, 1, False, [3]),
                (1, 1, 32, False, [1, 2, 6]),
                (1, 1, 1, True, [5]),
                (2, 2, 32, False, [4]),
            ],
        )

    def test_best_on_average_of_those_that_ran_on_all(self):
        first = [contender("beta", times(1.0)), contender("zeta", times(2.0))]
        second = [contender("beta", times(1.5)), contender("zeta", times(1.0))]
        forms, names = self.forms(
            [
                cell("n1_i64_o64_8x8_k3x3", [*first, contender("alpha_one", times(0.5))]),
                cell("n1_i64_o64_9x9_k3x3", second),
            ]
        )
        (form,) = forms
        self.assertEqual((form["channels"], form["below"]), (32, 128))
        self.assertEqual(names[form["best"]], "beta")
        self.assertEqual(names[form["next"][0]], "zeta")
        self.assertAlmostEqual(form["next"][1], (2.0 / 1.5) ** 0.5, places=2)

    def test_nobody_ran_on_all(self):
        forms, _ = self.forms(
            [
                cell("n1_i64_o64_8x8_k3x3", [contender("beta", times(1.0))]),
                cell("n1_i64_o64_9x9_k3x3", [contender("zeta", times(1.0))]),
            ]
        )
        self.assertEqual(forms, [])


class Headline(PageTest):
    def headline(self, raw, **choice):
        _, found, data = self.write(raw)
        return selection(data, **choice)["headline"]

    def test_one_that_is_always_fastest(self):
        lines = self.headline(raw_file(several_cells()))
        self.assertEqual(lines[0], "Take `beta`: the fastest everywhere.")
        self.assertIn("Of 9 single-plane problems, `beta` is clearly fastest on 9.", lines)
        self.assertIn("For layers take `beta`: the fastest on the one problem here.", lines)

    def test_two_that_share(self):
        cells = []
        for side in (3, 5, 9, 15):
            small, large = (1.0, 3.0) if side < 9 else (3.0, 1.0)
            who = [contender("beta", times(small)), contender("alpha_one", times(large))]
            cells.append(cell(f"64x64_k{side}x{side}", who))
        first = self.headline(raw_file(cells))[0]
        self.assertEqual(
            first,
            "Take `beta` for kernels up to 5×5 and `alpha_one` for larger ones: "
            "the fastest everywhere.",
        )

    def test_it_is_in_the_page_without_scripts(self):
        text, _, _ = self.write(raw_file(several_cells()))
        self.assertIn("<p>Take <code>beta</code>: the fastest everywhere.</p>", text)


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
