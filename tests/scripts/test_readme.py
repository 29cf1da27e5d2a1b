"""README and docs/ say what the reference results say, and point to what is there."""

import os
import re
import subprocess
import unittest
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import support  # noqa: F401
from scipy import signal

from fullconv_scripts import readme
from fullconv_scripts.arguments import ROOT

PAGES = {page.relative_to(ROOT).as_posix(): page.read_text("utf-8") for page in readme.PAGES}
PAGES["CONTRIBUTING.md"] = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def prose(page):
    return " ".join(PAGES[page].split())


def anchor(title):
    """What a heading is linked to by."""
    words = re.sub(r"[^\w\- ]", "", title.strip().lower())
    return words.replace(" ", "-")


class Figures(unittest.TestCase):
    def test_tables_are_those_of_the_run(self):
        for page, least in {"README.md": 8, "docs/results.md": 16}.items():
            cases = readme.cases(PAGES[page])
            self.assertGreater(len(cases), least)
            for row in readme.table(readme.REFERENCE / readme.RUNS.get(page, "run"), cases):
                with self.subTest(page, row=row.split("|")[1]):
                    self.assertIn(row, PAGES[page])

    def test_how_far_auto_is_ahead_of_peers(self):
        for run in ("run", "run-avx2"):
            with self.subTest(run):
                said = f"faster than the fastest peer in every cell: {readme.advantage(readme.REFERENCE / run)}."
                self.assertIn(said, prose("docs/results.md"))

    def test_layers(self):
        for runs in ([readme.REFERENCE / "unstable"], readme.NETWORK_RUNS):
            rows = readme.layers(runs)
            self.assertGreater(len(rows), 4)
            for row in rows:
                self.assertIn(row, PAGES["docs/results.md"])

    def test_whole_networks(self):
        rows = readme.whole_networks(readme.NETWORK_RUNS)
        self.assertGreater(len(rows), 6)
        for row in rows:
            self.assertIn(row, PAGES["docs/results.md"])

    def test_how_well_ratios_are_known(self):
        for run in ("default", "full", "full-debian12"):
            with self.subTest(run):
                said = readme.reliance(readme.REFERENCE / run)
                self.assertIn(said, prose("docs/measuring.md"))

    def test_what_a_large_image_takes(self):
        said = readme.large_image(readme.REFERENCE / "large_image.jsonl")
        self.assertIn(said, prose("docs/large_images.md"))

    def test_what_numbers_cost(self):
        rows = readme.operand_costs(readme.REFERENCE / "numbers.jsonl")
        self.assertGreater(len(rows), 8)
        for row in rows:
            self.assertIn(row, PAGES["docs/results.md"])

    def test_instruction_sets(self):
        times, *rows = readme.instruction_sets(readme.REFERENCE / "instruction-sets")
        self.assertEqual(len(rows), 6)
        self.assertIn(times, prose("CONTRIBUTING.md"))
        for row in rows:
            self.assertIn(row, PAGES["CONTRIBUTING.md"])

    def test_what_a_choice_costs(self):
        folders = ("regret", "regret-avx2")
        lines = [line for name in folders for line in readme.regrets(readme.REFERENCE / name)]
        self.assertEqual(len(lines), 10)
        said = re.search(r"What a choice costs.*?calibrate`", prose("docs/results.md"))[0]
        for line in readme.regrets(readme.REFERENCE / "regret"):
            name, figures = line.split(": ")
            _, p95, most = figures.removesuffix(" %").split(" %, ")
            with self.subTest(name):
                self.assertIn(p95, said)
                self.assertRegex(said, rf"\b{most}\b")

    def test_what_a_choice_costs_for_layers(self):
        [line] = readme.regrets(readme.REFERENCE / "regret-layers")
        median, p95, most = line.partition(": ")[2].split(", ")
        said = f"loses {median} in the median, {p95} at most in 95 of 100, {most} in the worst case"
        self.assertIn(said, prose("docs/results.md"))

    def test_what_a_choice_costs_on_other_kinds_of_processors(self):
        for folder, files in (("regret-layers-zen4", 10), ("regret-layers-xeon", 9)):
            lines = readme.regrets(readme.REFERENCE / folder)
            self.assertEqual(len(lines), files)
            for line in lines:
                name, figures = line.split(": ")
                row = f"| {name} | {figures.replace(', ', ' | ')} |"
                self.assertIn(row, PAGES["docs/results.md"])

    def test_what_the_audit_found(self):
        page = "docs/measuring.md"
        for row in readme.audit(readme.REFERENCE / "audit.json"):
            with self.subTest(row.split("|")[1]):
                self.assertIn(row, PAGES[page])


class Code(unittest.TestCase):
    def test_the_three_forms_are_convolutions(self):
        names = {"np": np}
        for block in re.findall(r"^```python\n(.*?)^```", PAGES["docs/algorithms.md"], re.M | re.S):
            exec(block, names)
        draw = np.random.default_rng(4)
        for image, kernel in [((8, 8), (5, 5)), ((3, 9), (7, 2)), ((1, 1), (4, 1)), ((6, 1), (1, 6))]:
            x, k = draw.uniform(-1, 1, image), draw.uniform(-1, 1, kernel)
            expected = signal.convolve2d(x, k)
            with self.subTest(image=image, kernel=kernel):
                for taps in (names["branches"], names["clamped"]):
                    np.testing.assert_allclose(names["full"](x, k, taps), expected, atol=1e-12)
                np.testing.assert_allclose(names["padded"](x, k), expected, atol=1e-12)

    def test_the_table_of_taps(self):
        rows = re.findall(r"^\| (?:first|last) tap p \| (.*) \|$", PAGES["docs/algorithms.md"], re.M)
        first, last = ([int(tap) for tap in row.split(" | ")] for row in rows)
        self.assertEqual(first, [max(0, i - 7) for i in range(12)])
        self.assertEqual(last, [min(i, 4) for i in range(12)])


class Algorithms(unittest.TestCase):
    def test_each_has_a_row(self):
        lines = (ROOT / "algorithms/CMakeLists.txt").read_text("utf-8")
        names = re.findall(r"^fullconv_algorithm\(\w+/(\w+)\.cpp", lines, re.MULTILINE)
        table = PAGES["docs/algorithms.md"].partition("## All of them\n")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
        self.assertEqual(rows, [{"automatic": "auto"}.get(name, name) for name in names])


    def test_each_peer_has_a_row(self):
        lines = (ROOT / "bench/peers/CMakeLists.txt").read_text("utf-8")
        found = re.findall(r"^fullconv_peer\((\w+)\.cpp([^)]*)\)", lines, re.MULTILINE)
        for stem, rest in found:
            more = re.search(r"PEERS ([^A-Z]*)", rest)
            for name in more[1].split() if more else [stem]:
                with self.subTest(name):
                    self.assertIn(f"`{name.removesuffix('_nhwc')}`", PAGES["docs/peers.md"])


class Links(unittest.TestCase):
    def test_each_leads_somewhere(self):
        for page, text in PAGES.items():
            links = re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", text))
            for link in links:
                path, _, part = link.partition("#")
                if "://" in link:
                    continue
                with self.subTest(page, link=link):
                    target = (ROOT / page).parent / unquote(path) if path else ROOT / page
                    self.assertTrue(target.exists())
                    if part:
                        titles = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
                        self.assertIn(part, map(anchor, titles))

    def test_readme_leads_to_every_page(self):
        for page in readme.PAGES[1:]:
            self.assertIn(f"(docs/{page.name})", PAGES["README.md"])

    def test_readme_is_two_screens(self):
        self.assertLessEqual(PAGES["README.md"].count("\n"), 100)


def folders(cell):
    return re.findall(r"`([^`]+/)`", cell)


class Map(unittest.TestCase):
    """CONTRIBUTING's table of folders."""

    @classmethod
    def setUpClass(cls):
        section = PAGES["CONTRIBUTING.md"].partition("## Where things belong\n")[2].partition("\n## ")[0]
        rows = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
        cls.holds = {name: row[2] for row in rows for name in folders(row[1])}
        cls.may_include = {name: row[4].strip() for row in rows for name in folders(row[1])}
        listed = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        cls.files = [Path(name) for name in listed.stdout.splitlines()]

    def test_each_folder_is_there(self):
        for name in self.holds:
            self.assertTrue((ROOT / name).is_dir(), name)

    def test_no_folder_is_missing(self):
        for folder in {file.parent for file in self.files if file.parent.name}:
            home = next((p for p in (folder, *folder.parents) if f"{p}/" in self.holds), None)
            with self.subTest(str(folder)):
                if f"{folder}/" in ("algorithms/", "algorithms/include/"):
                    continue  # of a list each
                self.assertIsNotNone(home)
                # What is below is either a row, or named in that of its home.
                below = folder.relative_to(home).parts[:1]
                for part in below:
                    named = home.parts[0] == "results" or f"`{part}/`" in self.holds[f"{home}/"]
                    self.assertTrue(named, f"{part} in the row of {home}")

    def test_each_includes_what_it_may(self):
        checked = 0
        for file in self.files:
            if file.suffix not in (".h", ".cpp"):
                continue
            home = next(p for p in file.parents if f"{p}/" in self.holds)
            allowed = self.may_include[f"{home}/"]
            if allowed == "all of it":
                continue
            for name in re.findall(r'^#include "(.*)"', (ROOT / file).read_text("utf-8"), re.M):
                with self.subTest(str(file), include=name):
                    target = self.resolve(file, name)
                    theirs = {f"{p}/" for p in target.parents}
                    self.assertTrue(theirs & {f"{home}/", *folders(allowed)}, target)
                    checked += 1
        self.assertGreater(checked, 100)

    def resolve(self, file, name):
        """The file that an include means; a generated one stands for its template, or its user."""
        for folder in (file.parent, *map(Path, ("algorithms/include", "algorithms", "bench", "tests"))):
            for suffix in ("", ".in"):
                if (ROOT / folder / (name + suffix)).is_file():
                    return Path(os.path.normpath(folder / name))
        self.assertNotIn("/", name)
        return file


if __name__ == "__main__":
    unittest.main()
