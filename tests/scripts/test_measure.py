import unittest

import support  # noqa: F401

from fullconv_scripts import measure
from fullconv_scripts.names import parse_case


def cases(count):
    return [parse_case(f"{n}x{n}_k3x3") for n in range(3, 3 + count)]


class Order(unittest.TestCase):
    def test_all_are_there_once(self):
        for count in (1, 2, 3, 7, 8, 20):
            order = measure.spread_out(cases(count) * 2)
            self.assertEqual(sorted(c.text for c in order), sorted(c.text for c in cases(count)))

    def test_any_first_part_ranges_over_all_sizes(self):
        order = [case.H for case in measure.spread_out(cases(16))]
        self.assertLess(min(order[:4]), 7)
        self.assertGreater(max(order[:4]), 12)

    def test_the_most_telling_first(self):
        few = [parse_case("8x8_k5x5"), parse_case("1024x1024_k63x63")]
        cells = measure.plan_cells(few, ["f32", "f64"])
        self.assertEqual(
            [str(cell) for cell in cells],
            [
                "8x8_k5x5 f32",
                "1024x1024_k63x63 f32",
                "8x8_k5x5 f64",
                "1024x1024_k63x63 f64",
                "8x8_k5x5 f32 plan+oneshot",
            ],
        )


class Prediction(unittest.TestCase):
    def setUp(self):
        self.settings = measure.Settings((1, 2), 5, 0.01, 1.0, 100.0)
        self.predictor = measure.Predictor(self.settings, ["alpha", "beta"])

    def cell(self, text):
        return measure.Cell(parse_case(text), "f32")

    def test_grows_with_work_and_stops_at_the_limit(self):
        seconds = [
            self.predictor.seconds(self.cell(f"{n}x{n}_k15x15")) for n in (8, 512, 1024, 65536)
        ]
        self.assertLess(seconds[0], seconds[1])
        self.assertLess(seconds[1], seconds[2])
        self.assertLess(seconds[3], 10)  # left out, but for the oracle

    def test_learns(self):
        cell = self.cell("1024x1024_k15x15")
        before = self.predictor.seconds(cell)
        contenders = [
            {"phase": "execute", "algorithm": name, "threads": 1, "seconds": [0.9]}
            for name in ("alpha", "beta")
        ] + [
            {"phase": "execute", "algorithm": name, "threads": 2, "skipped": "declined: serial"}
            for name in ("alpha", "beta")
        ]
        self.predictor.learn(cell, contenders, 12.0)
        self.assertGreater(self.predictor.seconds(cell), before)
        self.assertAlmostEqual(self.predictor.seconds(cell), 12)

    def test_repetitions_share_the_budget(self):
        short = measure.choose_min_time(10, 100, 12, 5)
        long = measure.choose_min_time(10000, 10, 12, 5)
        self.assertEqual(short, 0.002)
        self.assertEqual(long, measure.LONGEST_REPETITION)

    def test_durations(self):
        self.assertEqual(measure.duration_text(65), "1:05")
        self.assertEqual(measure.duration_text(-3), "0:00")
        self.assertEqual(measure.duration_text(59.7), "1:00")


if __name__ == "__main__":
    unittest.main()
