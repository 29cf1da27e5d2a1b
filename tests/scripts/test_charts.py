import random
import subprocess
import unittest
from pathlib import Path

import support
from support import FolderTest, cell, contender, raw_file, several_cells, skipped

import numpy as np
from PIL import Image

from fullconv_scripts import chart_parts, chart_style, charts, results, winner_maps


def tabulated(cells, **fields):
    return results.tabulate(raw_file(cells, **fields))


class Drawing(FolderTest):
    def draw(self, cells, **fields):
        return charts.draw_all(tabulated(cells, **fields), self.folder)

    def names(self, drawn):
        return {path.stem for path in drawn.files}

    def test_everything(self):
        first = [
            cell(
                entry["case"],
                [{**who, "phase": "oneshot"} for who in entry["contenders"] if who["threads"] == 1],
            )
            for entry in several_cells()
        ]
        floors = [
            {
                "when": "start",
                "name": f"{name}/f32/threads:1",
                "seconds": [1.0],
                "counters": {"GFLOP/s": [100.0]},
            }
            for name in ("fma_peak", "gemm")
        ]
        drawn = self.draw(several_cells() + first, floors=floors)
        self.assertEqual(drawn.missing, [])
        self.assertEqual(
            self.names(drawn),
            {
                *(f"{kind}-{k}" for kind in ("time", "rate") for k in ("k3x3", "k9x9", "k15x15")),
                *("workspace-k3x3", "workspace-k15x15"),
                *("speedup-8x8", "speedup-64x64", "speedup-256x256"),
                *("winners-f32-1-thread", "winners-f32-2-threads"),
                *("error-bound-f32", "error-l2-f32"),
                *("threads-2", "layers-1-thread", "layers-2-threads", "first-call-k3x3"),
            },
        )
        again = [
            cell(
                entry["case"],
                entry["contenders"]
                + [{**who, "algorithm": f"{who['algorithm']}@AVX2"} for who in entry["contenders"]],
            )
            for entry in several_cells() + first
        ]
        files = {path.name for path in drawn.files}
        drawn = self.draw(again, floors=floors)
        self.assertEqual(len(drawn.missing), 1)
        self.assertIn("by one instruction set", drawn.missing[0])
        self.assertEqual(files, {path.name for path in drawn.files})
        for path in drawn.files:
            with self.subTest(path.name):
                self.assertLess(path.stat().st_size, 150_000 if path.suffix == ".png" else 200_000)
                if path.suffix == ".png":
                    with Image.open(path) as picture:
                        colours = len(np.unique(np.asarray(picture.convert("L"))))
                    self.assertGreater(colours, 5)
                else:
                    self.assertIn("</svg>", path.read_text()[-20:])

    def test_peers_are_one_curve_and_a_map_of_their_own(self):
        found = tabulated(several_cells((1,), names=(*support.ALGORITHMS, *support.PEERS)))
        maps = {picture.name for picture in charts.winners(found)}
        self.assertEqual(maps, {"winners-f32-1-thread", "winners-peers-f32-1-thread"})
        rows = chart_parts.planes(found, "f32", 1)
        shown = chart_parts.with_fastest_peer(results.pick(rows, series=3), "H")
        peers = results.pick(shown, algorithm=chart_parts.FASTEST_PEER)
        self.assertEqual(sorted(peers["H"]), [8, 64, 256])
        fastest = results.pick(rows, series=3, algorithm="peer_two")
        self.assertEqual(sorted(peers["seconds"]), sorted(fastest["seconds"]))
        self.assertFalse(set(support.PEERS) & set(shown["algorithm"]))

    def test_nothing(self):
        drawn = self.draw([])
        self.assertEqual(drawn.files, [])
        self.assertEqual(len(drawn.missing), len(charts.CHARTS))
        for line in drawn.missing:
            self.assertRegex(line, r"^[a-z ]+: .+$")

    def test_one_cell(self):
        drawn = self.draw([cell("8x8_k5x5", [contender("beta", [1e-6] * 4)])])
        self.assertEqual(self.names(drawn), {"error-bound-f32", "error-l2-f32"})
        self.assertTrue(any(line.startswith("time against size: ") for line in drawn.missing))

    def test_all_skipped(self):
        names = support.ALGORITHMS
        cells = [cell("8x8_k5x5", [skipped(name, "declined: no") for name in names])]
        self.assertEqual(self.draw(cells).files, [])

    def test_one_scalar_one_thread_count(self):
        cells = several_cells(threads=(2,))
        for entry in cells:
            entry["scalar"] = "f64"
        names = self.names(self.draw(cells))
        self.assertIn("winners-f64-2-threads", names)
        self.assertIn("time-k3x3", names)
        self.assertNotIn("threads-2", names)

    def test_more_algorithms_than_colours(self):
        many = [f"algorithm_{i}" for i in range(20)]
        cells = []
        for n in (8, 64):
            contenders = [contender(name, [1e-6 * n * i] * 4) for i, name in enumerate(many, 1)]
            cells.append(cell(f"{n}x{n}_k3x3", contenders))
        self.assertIn("time-k3x3", self.names(self.draw(cells)))

    def test_without_counters_and_environment(self):
        who = {**contender("beta", [1e-6] * 4), "counters": {}}
        drawn = self.draw([cell("8x8_k5x5", [who])], environment={}, settings={}, contenders=[])
        self.assertIn("error against time: no errors were reported", drawn.missing)

    def test_errors_of_zero(self):
        who = contender("beta", [1e-6] * 4)
        exact = contender("alpha_one", [1e-6] * 4)
        exact["counters"] = {**exact["counters"], "error_in_bounds": 0.0, "relative_l2": 0.0}
        drawn = self.draw([cell("8x8_k5x5", [who, exact])])
        self.assertIn("error-bound-f32", self.names(drawn))

    def test_redrawing_gives_the_same_files(self):
        cells = several_cells()
        first = {path: path.read_bytes() for path in self.draw(cells).files}
        (self.folder / "old.png").write_bytes(b"")
        again = {path: path.read_bytes() for path in self.draw(cells).files}
        self.assertEqual(first, again)
        self.assertFalse((self.folder / "old.png").exists())


class Notes(unittest.TestCase):
    def notes(self, cells):
        found = tabulated(cells)
        rows = chart_parts.planes(found, "f32", 1)
        return chart_parts.skips(found, rows, chart_parts.planes(found, "f32", 1, "skipped"), "H")

    def test_what_is_left_out_is_said(self):
        cells = [
            cell("8x8_k5x5", [contender("beta", [1.0]), contender("alpha_one", [1.0])]),
            cell("64x64_k5x5", [skipped("beta", "left out: slow"), contender("alpha_one", [1.0])]),
            cell(
                "256x256_k5x5",
                [skipped("beta", "left out: slow"), skipped("alpha_one", "wrong: y")],
            ),
        ]
        self.assertEqual(
            self.notes(cells),
            [
                "Left out (predicted to take more than 1 s): beta from image 64×64 up.",
                "Wrong: alpha_one from image 256×256 up.",
            ],
        )

    def test_gaps_are_listed(self):
        cells = [
            cell("8x8_k5x5", [skipped("beta", "declined: small")]),
            cell("64x64_k5x5", [contender("beta", [1.0])]),
        ]
        self.assertEqual(self.notes(cells), ["Declined: beta at image 8×8."])

    def test_never(self):
        cells = [cell("8x8_k5x5", [skipped("beta", "declined: no")])]
        self.assertEqual(self.notes(cells), ["Declined: beta."])


class Winners(unittest.TestCase):
    def test_only_what_ran_side_by_side_and_with_at_most_so_many_threads(self):
        contenders = [
            contender("alpha_one", [1.0] * 4),
            contender("beta", [3.0] * 4),
            contender("beta", [2.0] * 4, threads=2),
        ]
        found = tabulated([cell("8x8_k3x3", contenders), cell("8x8_k5x5", contenders)])
        win = winner_maps._wins(found, "f32", 2, ("ours",))[8, 3]
        self.assertEqual(win.winner, ("alpha_one", 1))
        self.assertAlmostEqual(win.margin.estimate, 2)
        win = winner_maps._wins(found, "f32", 1, ("ours",))[8, 3]
        self.assertAlmostEqual(win.margin.estimate, 3)
        self.assertEqual(winner_maps._wins(found, "f32", 4, ("ours",)), {})

    def test_peers_where_asked_for(self):
        contenders = [
            contender("alpha_one", [2.0] * 4),
            contender("beta", [3.0] * 4),
            contender("peer_two", [1.0] * 4),
            contender("empty_call", [1e-9] * 4),
        ]
        found = tabulated([cell("8x8_k3x3", contenders), cell("8x8_k5x5", contenders)])
        alone = winner_maps._wins(found, "f32", 1, ("ours",))[8, 3]
        self.assertEqual(alone.winner.algorithm, "alpha_one")
        both = winner_maps._wins(found, "f32", 1, ("ours", "peer"))[8, 3]
        self.assertEqual(both.winner.algorithm, "peer_two")
        self.assertEqual(both.runner_up.algorithm, "alpha_one")

    def test_one_alone_wins_where_the_others_were_left_out_as_too_slow(self):
        alone = contender("alpha_one", [1.0] * 4)
        found = tabulated([cell("8x8_k3x3", [alone, skipped("beta", "left out: predicted 9 s")])])
        win = winner_maps._wins(found, "f32", 1, ("ours",))[8, 3]
        self.assertEqual((win.winner.algorithm, win.margin), ("alpha_one", None))
        found = tabulated([cell("8x8_k3x3", [alone, skipped("beta", "declined: no")])])
        self.assertEqual(winner_maps._wins(found, "f32", 1, ("ours",)), {})

    def test_a_kernel_of_the_image_size_has_one_row(self):
        two = [contender("alpha_one", [1.0] * 4), contender("beta", [2.0] * 4)]
        found = tabulated([cell("8x8_k8x8", two), cell("8x8_k3x3", two)])
        self.assertEqual(set(winner_maps._wins(found, "f32", 1, ("ours",))), {(8, 0), (8, 3)})


class Style(unittest.TestCase):
    def test_numbers_for_people(self):
        self.assertEqual(chart_style.seconds_text(3.2e-5), "32 µs")
        self.assertEqual(chart_style.seconds_text(1e-3), "1 ms")
        self.assertEqual(chart_style.seconds_text(9.9999e-7), "1 µs")
        self.assertEqual(chart_style.seconds_text(2.5e-10), "0.25 ns")
        self.assertEqual(chart_style.bytes_text(32 * 2**20), "32 MiB")
        self.assertEqual(chart_style.bytes_text(100), "100 B")
        self.assertEqual(chart_style.times_text(1.234), "1.23×")
        self.assertEqual(chart_style.times_text(12.34), "12×")
        self.assertEqual(chart_style.plain_text(1e-8), "10⁻⁸")
        self.assertEqual(chart_style.plain_text(2e-8), "2·10⁻⁸")
        self.assertEqual(chart_style.plain_text(0.001), "0.001")

    def test_looks_differ(self):
        looks = chart_style.looks([f"a{i}" for i in range(60)]).values()
        self.assertEqual(len({(look.colour, look.marker) for look in looks}), 60)
        self.assertEqual(len({look.marker for look in list(looks)[:8]}), 8)

    def test_labels_do_not_overlap(self):
        generator = random.Random(1)
        for _ in range(50):
            count = generator.randint(1, 10)
            wanted = [generator.uniform(0, 400) for _ in range(count)]
            boxes = [(generator.choice((0, 50)), 100) for _ in range(count)]
            heights = chart_style.spread(wanted, boxes, gap=30, lowest=0, highest=400)
            ordered = sorted(heights)
            gaps = [b - a for a, b in zip(ordered, ordered[1:])]
            self.assertGreater(min(gaps, default=30), 26)
            self.assertGreaterEqual(ordered[0], 0)
            self.assertLessEqual(ordered[-1], 400)

    def test_labels_apart_stay_where_they_are(self):
        heights = chart_style.spread([10, 12], [(0, 40), (50, 90)], gap=30, lowest=0, highest=400)
        self.assertEqual(heights, [10, 12])


class Command(FolderTest):
    def charts(self, *arguments):
        command = [str(support.SCRIPTS / "charts"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")

    def test_draws_beside_the_raw_file(self):
        results.save(raw_file(several_cells()), self.folder / "raw.json")
        done = self.charts(self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        files = [Path(line) for line in done.stdout.splitlines()]
        self.assertGreater(len(files), 10)
        self.assertTrue(all(file.parent == self.folder / "charts" for file in files))
        self.assertEqual(done.stderr, "not drawn: first call: no call that plans first was timed\n")

    def test_bad_files_in_one_line(self):
        for text in ("{", '{"benchmarks": []}'):
            (self.folder / "raw.json").write_text(text)
            done = self.charts(self.folder)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertEqual(len(done.stderr.splitlines()), 1)
            self.assertIn("raw.json", done.stderr)

    def test_no_file(self):
        done = self.charts(self.folder / "absent")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no such results file", done.stderr)


if __name__ == "__main__":
    unittest.main()
