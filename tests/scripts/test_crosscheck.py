import unittest

import support  # noqa: F401
import numpy as np
from scipy import signal

from fullconv_scripts import crosscheck
from fullconv_scripts.programs import ProgramFailed


class Expectations(unittest.TestCase):
    def setUp(self):
        random = np.random.default_rng(3)
        self.x = random.uniform(-1, 1, (20, 17)).astype(np.float32)
        self.k = random.uniform(-1, 1, (4, 7)).astype(np.float32)
        self.expected = crosscheck.expect(self.x, self.k, "f32")

    def error(self, y, model="componentwise"):
        return crosscheck.error_in_bounds(y, self.expected, model)

    def test_single_precision_is_within_its_bound(self):
        y = signal.convolve2d(self.x, self.k)
        self.assertEqual(y.dtype, np.float32)
        self.assertLess(self.error(y), 1)
        self.assertGreater(self.error(y), 0)

    def test_an_unknown_error_model_is_an_error(self):
        with self.assertRaisesRegex(ProgramFailed, "^elementwise: unknown error model"):
            self.error(self.expected.y, "elementwise")

    def test_each_model_bounds_more_than_nothing_and_less_than_y(self):
        for model, tolerance in self.expected.tolerance.items():
            with self.subTest(model):
                self.assertEqual(self.error(self.expected.y, model), 0)
                self.assertTrue(np.all(tolerance > 0))
                self.assertGreater(self.error(self.expected.y * 1.01, model), 1)

    def test_transform_is_within_the_normwise_bound(self):
        y = signal.fftconvolve(self.x, self.k)
        self.assertLess(self.error(y, "normwise"), 1)

    def test_half_precision_is_not(self):
        y = signal.convolve2d(self.x, self.k).astype(np.float16)
        self.assertGreater(self.error(y), 1)
        self.assertGreater(self.error(y, "normwise"), 1)

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
            for model in ("componentwise", "normwise"):
                with self.subTest(name, model=model):
                    self.assertGreater(self.error(y, model), 1)

    def test_zeros_must_be_zeros(self):
        expected = crosscheck.expect(np.zeros((3, 3)), np.ones((2, 2)), "f64")
        y = np.zeros((4, 4))
        self.assertEqual(crosscheck.error_in_bounds(y, expected, "componentwise"), 0)
        y[0, 0] = 1e-300
        self.assertGreater(crosscheck.error_in_bounds(y, expected, "componentwise"), 1)

    def test_wrong_entries(self):
        self.assertFalse(crosscheck.is_wrong({"error_in_bounds": 1.0}))
        self.assertTrue(crosscheck.is_wrong({"error_in_bounds": 1.1}))
        self.assertTrue(crosscheck.is_wrong({"error_in_bounds": float("nan")}))
        self.assertFalse(crosscheck.is_wrong({"skipped": "declined: not 3x3"}))
        self.assertTrue(crosscheck.is_wrong({"skipped": "exit code -11"}))


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
