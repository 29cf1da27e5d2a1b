import gzip
import json
import unittest

from support import (
    ALGORITHMS,
    BINDINGS,
    FLOORS,
    PEERS,
    ROOT,
    FolderTest,
    cell,
    contender,
    raw_file,
    skipped,
)

from fullconv_scripts import environment, results
from fullconv_scripts.comparison import Contender


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
            "older version": (good.replace('"version": 2', '"version": 1'), "version 1 where 2"),
            "later version": (good.replace('"version": 2', '"version": 99'), "version 99"),
            "no version": ('{"format": "fullconv-results"}', "version None"),
            "no cells": (good.replace('"cells"', '"cell"'), "malformed: 'cells' is a required"),
            "cells no list": (
                results.dump(raw_file([])).replace('"cells": []', '"cells": {"a": 1}'),
                "malformed: cells: {'a': 1} is not of type 'array'",
            ),
            "deep": ("[" * 100_000, "not JSON, or cut off"),
            "bad case": (good.replace("8x8_k5x5", "8by8"), "malformed: ValueError: '8by8'"),
            "bad cell": (good.replace('"contenders"', '"x"'), "malformed"),
            "bad seconds": (good.replace("[1e-06]", '"fast"'), "malformed"),
            "no seconds": (good.replace("[1e-06]", "[]"), "beta: no times"),
            "negative": (good.replace("[1e-06]", "[-1e-06]"), "not all positive"),
            "endless": (good.replace("[1e-06]", "[Infinity]"), "not all positive"),
            "bad blocks": (good.replace('"blocks": [0]', '"blocks": [0, 1]'), "not one block"),
            "no mode": (good.replace('"cache"', '"cash"'), r"cells\[0\]: 'cache' is a required"),
            "list for a name": (
                good.replace('"algorithm": "beta"', '"algorithm": ["beta"]'),
                r"cells\[0\].contenders\[0\].algorithm: \['beta'\] is not of type 'string'",
            ),
        }
        for name, (text, message) in bad.items():
            path = self.folder / f"{name}.json"
            path.write_text(text)
            with self.subTest(name), self.assertRaisesRegex(results.BadResults, message) as caught:
                results.load(path)
            self.assertIn(str(path), str(caught.exception))
            self.assertNotIn("\n", str(caught.exception))

    def test_compressed(self):
        raw = raw_file([cell("8x8_k5x5", [contender("beta", [1e-6, 2e-6])])])
        data = gzip.compress(results.dump(raw).encode())
        path = self.folder / "raw.json.gz"
        path.write_bytes(data)
        self.assertEqual(results.load_raw(self.folder), raw)
        self.assertEqual(results.load_raw(path), raw)
        for bad in (data[: len(data) // 2], data[10:], data[:-4] + b"....", b""):
            path.write_bytes(bad)
            with self.assertRaisesRegex(results.BadResults, "^[^\n]*, or cut off: [^\n]*$") as caught:
                results.load_raw(self.folder)
            self.assertIn(str(path), str(caught.exception))

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
            list(zip(found.skipped["outcome"], found.skipped["reason"])),
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

    def test_planning_does_not_replace_executing(self):
        cells = [cell("8x8_k5x5", [contender("beta", [1.0], phase=p)]) for p in ("execute", "plan")]
        found = results.tabulate(raw_file(cells))
        self.assertEqual(sorted(found.times["phase"]), ["execute", "plan"])

    def test_registry_order_and_strangers_last(self):
        contenders = [contender("stranger", [1.0]), contender("peer_one+5", [1.0])]
        found = results.tabulate(raw_file([cell("8x8_k5x5", contenders)]))
        known = [*ALGORITHMS, *PEERS, *BINDINGS, *FLOORS]
        self.assertEqual(found.names, [*known, "stranger", "peer_one+5"])
        self.assertEqual(found.algorithms, [*ALGORITHMS, "stranger"])
        self.assertEqual(found.of_kind("peer"), [*PEERS, "peer_one+5"])
        self.assertEqual(found.contenders["peer_one"]["version"], "peer_one 1.0")
        self.assertEqual(found.contenders["peer_one+5"]["name"], "peer_one+5")

    def test_modes_are_apart(self):
        modes = [("hot", "reused", 1.0), ("cold", "reused", 2.0), ("hot", "fresh", 3.0)]
        cells = [
            cell("8x8_k5x5", [contender("beta", [seconds])], cache=cache, output=output)
            for cache, output, seconds in modes
        ]
        found = results.tabulate(raw_file(cells))
        self.assertEqual(list(found.select(phase="execute")["seconds"]), [1.0])
        self.assertEqual(list(found.select(cache="cold")["seconds"]), [2.0])
        self.assertEqual(list(found.select(output="fresh")["seconds"]), [3.0])
        self.assertEqual(len(found.select(cache=None, output=None)), 3)
        self.assertIn(Contender("beta"), found.field("8x8_k5x5", "f32", cache="cold"))
        self.assertIsNone(found.field("8x8_k5x5", "f32", "cold", "fresh"))

    def test_floors_are_medians_over_start_and_end(self):
        def floor(when, rate):
            name = "gemm/f32/threads:1"
            counters = {"GFLOP/s": [rate, rate]}
            return {"when": when, "name": name, "seconds": [1.0], "counters": counters}

        found = results.tabulate(raw_file([], floors=[floor("start", 100.0), floor("end", 90.0)]))
        self.assertEqual(found.floors["gemm/f32/threads:1"]["GFLOP/s"], 95.0)


class Fields(unittest.TestCase):
    def test_pairs_by_block(self):
        early = contender("alpha_one", [2.0, 4.0, 6.0], blocks=[5, 6, 7])
        found = results.tabulate(
            raw_file([cell("8x8_k5x5", [early, contender("beta", [1.0] * 5 + [1.0, 2.0, 3.0])])])
        ).field("8x8_k5x5", "f32")
        ratio = found.ratio(Contender("alpha_one"), to=Contender("beta"))
        self.assertAlmostEqual(ratio.low, 2)
        self.assertAlmostEqual(ratio.high, 2)

    def test_confidence_is_that_of_all_comparisons(self):
        four = [contender(name, [1.0] * 4) for name in ("alpha_one", "beta", *PEERS)]
        floor = contender("empty_call", [1e-9] * 4)
        cells = [cell("8x8_k5x5", [*four, floor]), cell("9x9_k5x5", four[:2])]
        found = results.tabulate(raw_file(cells))
        self.assertEqual(found.comparisons, 6 + 1)
        self.assertAlmostEqual(found.confidence, 1 - 0.05 / 7)
        for field in found.fields.values():
            self.assertEqual(field.confidence, found.confidence)

    def test_what_ran_outside_blocks_is_in_none(self):
        alone = contender("beta", [1.0])
        del alone["blocks"], alone["positions"]
        planned = contender("alpha_one", [1.0], phase="plan")
        found = results.tabulate(raw_file([cell("8x8_k5x5", [alone, planned])]))
        self.assertEqual((len(found.times), found.fields), (2, {}))


class Roofline(unittest.TestCase):
    def place(self, case, cache="hot", caches=({"level": "2", "size": "2048K"},), scalar="f32"):
        rates = {
            "fma_peak/f32/threads:1": ("GFLOP/s", 200.0),
            "copy/f32/threads:1": ("GB/s", 10.0),
            "copy_l2/f32/threads:1": ("GB/s", 100.0),
        }
        floors = [
            {"when": "start", "name": name, "seconds": [1.0], "counters": {unit: [rate]}}
            for name, (unit, rate) in rates.items()
        ]
        cells = [cell(case, [contender("beta", [1e-3])], cache=cache, scalar=scalar)]
        raw = raw_file(cells, floors=floors, environment={"caches": list(caches)})
        return results.tabulate(raw).times.iloc[0]

    def test_in_cache(self):
        row = self.place("100x100_k1x1")
        self.assertEqual(row["bytes"], 4 * (10_000 + 1 + 10_000))
        self.assertAlmostEqual(row["intensity"], 2 * 10_000 / row["bytes"])
        self.assertEqual((row["peak"], row["bandwidth"]), (200, 100))
        self.assertAlmostEqual(row["roofline"], 100 * row["intensity"])
        self.assertAlmostEqual(row["of_bandwidth"], row["bytes"] / 1e-3 / 100e9)
        self.assertAlmostEqual(row["of_roofline"], row["of_bandwidth"])

    def test_compute_bound(self):
        row = self.place("100x100_k99x99")
        self.assertEqual(row["roofline"], 200)
        self.assertAlmostEqual(row["of_peak"], 2 * 100**2 * 99**2 / 1e-3 / 200e9)

    def test_memory(self):
        self.assertEqual(self.place("400x400_k3x3")["bandwidth"], 10)  # more than half of 2 MiB
        self.assertEqual(self.place("100x100_k1x1", cache="cold")["bandwidth"], 10)
        self.assertEqual(self.place("100x100_k1x1", caches=())["bandwidth"], 10)
        self.assertEqual(self.place("100x100_k1x1", caches=[{"level": "2"}])["bandwidth"], 10)

    def test_without_floors(self):
        row = self.place("100x100_k1x1", scalar="f64")
        self.assertNotEqual(row["of_peak"], row["of_peak"])  # NaN
        self.assertNotEqual(row["roofline"], row["roofline"])


class Steps(unittest.TestCase):
    def test_what_is_left_is_other(self):
        seconds = {"total": 4.0, "lowering": 1.0, "gemm": 2.0}
        where = {"case": "8x8_k5x5", "scalar": "f32", "algorithm": "beta", "threads": 1}
        raw = raw_file([], steps=[{**where, "repetitions": 5, "seconds": seconds}])
        found = results.tabulate(raw).steps
        self.assertEqual(list(found["step"]), ["lowering", "gemm", "other"])
        self.assertEqual(list(found["share"]), [0.25, 0.5, 0.25])


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
        here = json.loads(json.dumps(environment.describe(ROOT)))
        self.assertGreaterEqual(here["cores"], 1)
        self.assertGreater(here["memory_bytes"], 2**20)
        self.assertIn("numpy", here["libraries"])


if __name__ == "__main__":
    unittest.main()
