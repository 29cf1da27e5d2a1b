import math
import unittest

import support  # noqa: F401
import numpy as np

from fullconv_scripts.comparison import Ratio, find_winner, ratio


class Ratios(unittest.TestCase):
    def test_estimate_and_interval(self):
        found = ratio([2.0, 2.0, 2.0, 2.0], to=[1.0, 1.0, 1.0, 1.0])
        self.assertAlmostEqual(found.estimate, 2)
        self.assertAlmostEqual(found.low, 2)
        self.assertAlmostEqual(found.high, 2)
        self.assertEqual(found.verdict, "slower")

    def test_table_of_hollander_and_wolfe(self):
        # With five and five at 95 %, the bounds are the third smallest and third largest of 25.
        a, b = np.exp([0.0, 0.1, 0.25, 0.45, 0.7]), np.exp([0.0, 0.02, 0.05, 0.09, 0.14])
        differences = sorted(np.subtract.outer(np.log(a), np.log(b)).ravel())
        found = ratio(a, to=b)
        self.assertAlmostEqual(math.log(found.low), differences[2])
        self.assertAlmostEqual(math.log(found.high), differences[-3])
        self.assertAlmostEqual(math.log(found.estimate), differences[12])

    def test_too_few_repetitions_say_nothing(self):
        found = ratio([5.0, 5.0, 5.0], to=[1.0, 1.0, 1.0])
        self.assertEqual((found.low, found.high), (0, math.inf))
        self.assertEqual(found.verdict, "unresolved")
        self.assertEqual(ratio([5.0], to=[1.0]).verdict, "unresolved")

    def test_coverage(self):
        random = np.random.default_rng(7)
        hits = 0
        for _ in range(1000):
            a = np.exp(random.normal(math.log(1.3), 0.1, 6))
            b = np.exp(random.normal(0, 0.1, 5))
            found = ratio(a, to=b)
            hits += found.low <= 1.3 <= found.high
        self.assertGreater(hits, 930)  # 95 % at least, less three standard deviations
        self.assertLess(hits, 995)

    def test_verdicts(self):
        self.assertEqual(Ratio(1.0, 0.99, 1.01).verdict, "equal")
        self.assertEqual(Ratio(1.01, 1.005, 1.015).verdict, "equal")
        self.assertEqual(Ratio(1.05, 1.01, 1.1).verdict, "slower")
        self.assertEqual(Ratio(0.9, 0.8, 0.97).verdict, "faster")
        self.assertEqual(Ratio(1.01, 0.9, 1.1).verdict, "unresolved")


class Winners(unittest.TestCase):
    def test_clear(self):
        win = find_winner({"a": [3.0] * 4, "b": [1.0] * 4, "c": [2.0] * 4})
        self.assertEqual((win.winner, win.verdict, win.runner_up), ("b", "clear", "c"))
        self.assertAlmostEqual(win.margin.estimate, 2)
        self.assertEqual(win.level_with, ())

    def test_tie(self):
        close = [1.0, 1.001, 1.002, 1.003]
        win = find_winner({"a": [1.001 * t for t in close], "b": close, "c": [9.0] * 4})
        self.assertEqual((win.winner, win.verdict, win.level_with), ("b", "tie", ("a",)))

    def test_a_tie_is_not_the_same_as_not_knowing(self):
        win = find_winner({"a": [0.8, 1.0, 1.2, 1.5], "b": [0.7, 1.0, 1.3, 1.6]})
        self.assertEqual(win.verdict, "unresolved")

    def test_alone(self):
        win = find_winner({"a": [1.0]})
        self.assertEqual((win.winner, win.verdict), ("a", "clear"))
        self.assertEqual((win.runner_up, win.margin, win.level_with), (None, None, ()))


if __name__ == "__main__":
    unittest.main()
