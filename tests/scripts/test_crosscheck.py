import unittest
from unittest import mock

import support
import numpy as np
from scipy import signal

from fullconv_scripts import crosscheck
from fullconv_scripts.programs import ProgramFailed, Programs

SMALL = np.arange(12.0).reshape(3, 4), np.arange(6.0).reshape(2, 3)


class Expectations(unittest.TestCase):
    def setUp(self):
        random = np.random.default_rng(3)
        self.x = random.uniform(-1, 1, (20, 17)).astype(np.float32)
        self.k = random.uniform(-1, 1, (4, 7)).astype(np.float32)
        self.expected = crosscheck.expect(self.x, self.k)
        # SciPy's own error, if it summed in single precision.
        self.bounds = 2.0**29 * self.expected.error

    def error(self, y):
        return crosscheck.error_in_bounds(y, self.expected, self.bounds)

    def test_single_precision_is_within_its_bound(self):
        y = signal.convolve2d(self.x, self.k)
        self.assertEqual(y.dtype, np.float32)
        self.assertLess(self.error(y), 1)
        self.assertGreater(self.error(y), 0)

    def test_a_hundredth_is_beyond_it(self):
        self.assertEqual(self.error(self.expected.y), 0)
        self.assertGreater(self.error(self.expected.y * 1.01), 1)

    def test_half_precision_is_not(self):
        self.assertGreater(self.error(signal.convolve2d(self.x, self.k).astype(np.float16)), 1)

    def test_wrong_ones(self):
        right = signal.convolve2d(self.x, self.k)
        hole = right.copy()
        hole[3, 3] = np.nan
        for name, y in {
            "correlation": signal.convolve2d(self.x, self.k[::-1, ::-1]),
            "shifted": np.roll(right, 1, axis=1),
            "shape": right[:-1],
            "not a number": hole,
        }.items():
            with self.subTest(name):
                self.assertGreater(self.error(y), 1)

    def test_zeros_must_be_zeros(self):
        expected = crosscheck.expect(np.zeros((3, 3)), np.ones((2, 2)))
        y, bounds = np.zeros((4, 4)), np.zeros((4, 4))
        self.assertEqual(crosscheck.error_in_bounds(y, expected, bounds), 0)
        y[0, 0] = 1e-300
        self.assertGreater(crosscheck.error_in_bounds(y, expected, bounds), 1)

    def test_wrong_entries(self):
        self.assertFalse(crosscheck.is_wrong({"error_in_bounds": 1.0}))
        self.assertTrue(crosscheck.is_wrong({"error_in_bounds": 1.1}))
        self.assertTrue(crosscheck.is_wrong({"error_in_bounds": float("nan")}))
        self.assertFalse(crosscheck.is_wrong({"skipped": "declined: not 3x3"}))
        self.assertTrue(crosscheck.is_wrong({"skipped": "exit code -11"}))


class Check(support.ProgramsTest):
    def check(self):
        programs = Programs(self.programs)
        with mock.patch.object(crosscheck, "operands", lambda: {"small": SMALL}):
            ours = [entry for entry in programs.contenders(False) if entry["kind"] == "ours"]
            return list(crosscheck.check(programs, ours, ["f32", "f64"], lambda picture: None))

    def test_bounds_are_asked_for_once_a_model(self):
        self.keep_log()
        entries = self.check()
        self.assertEqual(len(entries), 4)
        self.assertFalse(any(map(crosscheck.is_wrong, entries)))
        asked = [call for call in self.calls("fullconv") if call.startswith("bounds ")]
        self.assertEqual(len(asked), 2)  # of each scalar

    def test_one_without_bounds_is_an_error(self):
        self.set_fault("no bounds")
        with self.assertRaisesRegex(ProgramFailed, "bounds of naive_branching: .*out of memory"):
            self.check()


class Operands(unittest.TestCase):
    def test_photograph(self):
        name, picture = crosscheck.photograph()
        self.assertEqual(picture.shape, (512, 512), name)
        self.assertGreaterEqual(picture.min(), 0)
        self.assertLessEqual(picture.max(), 1)
        self.assertGreater(picture.std(), 0.1)

    def test_kernels_tell_convolution_from_correlation(self):
        kernels = crosscheck.kernels()
        self.assertEqual(set(kernels), {"sobel", "emboss", "gauss", "motion"})
        for name in ("sobel", "emboss", "motion"):
            self.assertFalse(np.array_equal(kernels[name], kernels[name][::-1, ::-1]), name)


if __name__ == "__main__":
    unittest.main()
