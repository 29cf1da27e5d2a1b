import json
import unittest

from support import FolderTest, cell, contender, raw_file, skipped

from fullconv_scripts import environment, results


class RawFile(FolderTest):
    def test_what_is_saved_is_loaded(self):
        raw = raw_file([cell("8x8_k5x5", [contender("beta", [1e-6, 2e-6])])])
        results.save(raw, self.folder / "raw.json")
        self.assertEqual(results.load_raw(self.folder), raw)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["raw.json"])

    def test_one_line_a_cell(self):
        text = results.dump(raw_file([cell("8x8_k5x5", []), cell("9x9_k5x5", [])]))
        self.assertEqual(sum('"case"' in line for line in text.splitlines()), 2)

    def test_bad_files(self):
        good = results.dump(raw_file([cell("8x8_k5x5", [contender("beta", [1e-6])])]))
        bad = {
            "cut off": (good[: len(good) // 2], "not JSON, or cut off"),
            "empty": ("", "not JSON, or cut off"),
            "foreign": ('{"context": {}, "benchmarks": []}', "not a results file"),
            "no object": ("[1, 2]", "not a results file"),
            "other version": (good.replace('"version": 1', '"version": 99'), "version 99"),
            "no cells": ('{"format": "fullconv-results", "version": 1}', "malformed"),
            "bad case": (good.replace("8x8_k5x5", "8by8"), "malformed: ValueError: '8by8'"),
            "bad cell": (good.replace('"contenders"', '"x"'), "malformed"),
            "bad seconds": (good.replace("[1e-06]", '"fast"'), "malformed"),
        }
        for name, (text, message) in bad.items():
            path = self.folder / f"{name}.json"
            path.write_text(text)
            with self.subTest(name), self.assertRaisesRegex(results.BadResults, message) as caught:
                results.load(path)
            self.assertIn(str(path), str(caught.exception))
            self.assertNotIn("\n", str(caught.exception))

    def test_missing(self):
        with self.assertRaisesRegex(results.BadResults, "no such results file"):
            results.load(self.folder)


class Tables(unittest.TestCase):
    def test_medians_and_rates(self):
        found = results.tabulate(
            raw_file([cell("8x8_k5x5", [contender("beta", [4e-6, 1e-6, 2e-6])])])
        )
        (row,) = found.times.to_dict("records")
        self.assertEqual(row["seconds"], 2e-6)
        self.assertAlmostEqual(row["gflops"], 2 * 8 * 8 * 5 * 5 / 2e-6 / 1e9)
        self.assertEqual(row["values"], 64 + 25 + 144)
        self.assertEqual(row["samples"], (4e-6, 1e-6, 2e-6))

    def test_empty(self):
        found = results.tabulate(raw_file([]))
        self.assertTrue(found.times.empty)
        self.assertTrue(found.select(phase="execute", layer=True).empty)
        self.assertEqual(found.floors, {})

    def test_skipped_with_reasons(self):
        contenders = [
            skipped("alpha_one", "declined: kernel: not 3x3"),
            skipped("alpha_two", "left out: predicted 12 s, limit 1 s"),
            skipped("beta", "something else"),
        ]
        found = results.tabulate(raw_file([cell("8x8_k5x5", contenders)]))
        self.assertTrue(found.times.empty)
        self.assertEqual(
            list(zip(found.skipped["kind"], found.skipped["reason"])),
            [
                ("declined", "kernel: not 3x3"),
                ("left out", "predicted 12 s, limit 1 s"),
                ("failed", "something else"),
            ],
        )

    def test_the_later_of_two_counts(self):
        cells = [cell("8x8_k5x5", [contender("beta", [s])]) for s in (1.0, 3.0)]
        found = results.tabulate(raw_file(cells))
        self.assertEqual(list(found.times["seconds"]), [3.0])

    def test_registry_order_and_strangers_last(self):
        found = results.tabulate(raw_file([cell("8x8_k5x5", [contender("stranger", [1.0])])]))
        self.assertEqual(found.algorithms[0], "naive_branching")
        self.assertEqual(found.algorithms[-1], "stranger")

    def test_floors_are_medians_over_start_and_end(self):
        def floor(when, rate):
            name = "gemm/f32/threads:1"
            counters = {"GFLOP/s": [rate, rate]}
            return {"when": when, "name": name, "seconds": [1.0], "counters": counters}

        found = results.tabulate(raw_file([], floors=[floor("start", 100.0), floor("end", 90.0)]))
        self.assertEqual(found.floors["gemm/f32/threads:1"]["GFLOP/s"], 95.0)


class Environment(unittest.TestCase):
    def test_slug(self):
        slugs = {
            "Intel(R) Xeon(R) Processor": "intel-xeon-2-cores",
            "AMD Ryzen 9 5950X 16-Core Processor": "amd-ryzen-9-5950x-2-cores",
            "Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz": "intel-core-i7-8550u-2-cores",
            "AMD Ryzen 7 5800H with Radeon Graphics": "amd-ryzen-7-5800h-2-cores",
            "": "unknown-processor-2-cores",
            "../../x y" * 30: None,
        }
        for model, expected in slugs.items():
            slug = environment.machine_slug(model, 2)
            with self.subTest(model):
                self.assertRegex(slug, r"^[a-z0-9][a-z0-9-]*$")
                self.assertLess(len(slug), 60)
                if expected:
                    self.assertEqual(slug, expected)
        self.assertTrue(environment.machine_slug("x", 1).endswith("-1-core"))

    def test_description_is_json(self):
        from support import ROOT

        here = json.loads(json.dumps(environment.describe(ROOT)))
        self.assertGreaterEqual(here["cores"], 1)
        self.assertGreater(here["memory_bytes"], 2**20)
        self.assertIn("numpy", here["libraries"])


if __name__ == "__main__":
    unittest.main()
