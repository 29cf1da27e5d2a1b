"""check says whether a result is right, and otherwise what it is."""

import unittest

import numpy as np
import scipy.signal

import fullconv
from support import random


def full(x, k):
    return scipy.signal.convolve2d(x, k)


def circular(x, k):
    return np.fft.ifft2(np.fft.fft2(x) * np.fft.fft2(k, x.shape)).real


def rounded_to(bits):
    def rounded(values):
        mantissa, exponent = np.frexp(values)
        return np.ldexp(np.round(mantissa * 2**bits) / 2**bits, exponent)

    return lambda x, k: rounded(full(rounded(x), rounded(k)))


def without(rows=(), columns=(), value=0.0):
    def incomplete(x, k):
        y = full(x, k)
        y[list(rows)] = value
        y[:, list(columns)] = value
        return y

    return incomplete


def changes_its_operands(x, k):
    y = full(x, k)
    x[0, 0] = 1
    return y


MISTAKES = (
    (lambda x, k: full(x, k[::-1, ::-1]), "a correlation"),
    (lambda x, k: full(x, k[::-1]), "its rows are not"),
    (lambda x, k: full(x, k[:, ::-1]), "its columns are not"),
    (lambda x, k: full(x, k).T, "transposed"),
    (lambda x, k: scipy.signal.convolve2d(x, k, "same"), "crop of mode 'same'"),
    (lambda x, k: scipy.signal.convolve2d(x, k, "valid"), "crop of mode 'valid'."),
    (lambda x, k: scipy.signal.correlate2d(x, k, "valid"), "correlation: .* mode 'valid'"),
    (circular, "circular convolution"),
    (lambda x, k: full(x, k) / k.size, "the mean of the products"),
    (lambda x, k: full(x, k) / k.sum(), "divided by the sum"),
    (lambda x, k: 2 * full(x, k), "twice what"),
    (lambda x, k: np.roll(full(x, k), (1, -2), (0, 1)), r"rolled by \(1, -2\)"),
    (lambda x, k: np.pad(full(x, k), ((2, 0), (1, 0)))[:-2, :-1], r"shifted by \(2, 1\)"),
    (lambda x, k: full(x, k.T), "kernel is transposed"),
    (rounded_to(24), "precision of float32 only"),
    (rounded_to(11), "precision of TF32 or float16 only"),
    (rounded_to(8), "precision of bfloat16 only"),
    (without(rows=[3, 7]), "Rows 3, 7 are 0"),
    (without(columns=[2], value=np.nan), "Column 2 is NaN"),
    (lambda x, k: full(x, k) + 1, "A constant is added, 1"),
    (lambda x, k: full(x, k) ** 2, "nothing known"),
    (lambda x, k: full(x, k)[:-1], "where .* is due"),
    (lambda x, k: full(x, k) * 1j, "complex128"),
    (lambda x, k: np.array("no"), "not real numbers"),
    (changes_its_operands, "changes its operands"),
)


class Check(unittest.TestCase):
    def test_right_ones(self):
        for dtype in (np.float64, np.float32, np.int64, np.uint8):
            x, k = random(20, 17, dtype=dtype, largest=9), random(5, 5, dtype=dtype, largest=9)
            for mine in (full, scipy.signal.fftconvolve, fullconv.convolve2d, full(x, k)):
                if dtype in (np.int64, np.uint8) and mine is scipy.signal.fftconvolve:
                    continue
                with self.subTest(dtype=dtype, mine=mine):
                    finding = fullconv.check(mine, x, k) if dtype != np.uint8 else fullconv.check(
                        lambda x, k: full(x.astype(int), k.astype(int)), x, k
                    )
                    self.assertTrue(finding, str(finding))
                    self.assertLessEqual(finding.error, 1)
                    self.assertFalse(finding.wrong.any())

    def test_mistakes(self):
        for shape in ((17, 20), (8, 9)):
            x, k = random(*shape), random(5, 5, seed=1)
            for mine, words in MISTAKES:
                with self.subTest(words=words, shape=shape):
                    finding = fullconv.check(mine, x, k)
                    self.assertFalse(finding, str(finding))
                    self.assertRegex(finding.explanation, words)
                    self.assertNotIn("\n", finding.explanation)

    def test_says_where(self):
        x, k = random(6, 7), random(3, 3, seed=1)
        finding = fullconv.check(without(rows=[2]), x, k)
        picture = str(finding).splitlines()[1:]
        self.assertEqual(picture, [("#" if row == 2 else ".") * 9 for row in range(8)])
        np.testing.assert_array_equal(finding.wrong.any(1).nonzero()[0], [2])

    def test_large_ones_are_drawn_small(self):
        x, k = random(300, 400), random(3, 3, seed=1)
        lines = str(fullconv.check(without(rows=[0]), x, k)).splitlines()[1:]
        self.assertLessEqual(len(lines), 24)
        self.assertLessEqual(max(map(len, lines)), 72)
        self.assertEqual(set(lines[0]), {"#"})
        self.assertEqual(set("".join(lines[1:])), {"."})

    def test_bad_input(self):
        x = random(4, 5)
        for operands, words in (
            ((x[0], x), "x is"),
            ((x, x[:0]), "k is"),
            ((x.astype(complex), x), "x holds complex"),
            ((x, x * np.nan), "k holds NaN"),
        ):
            with self.subTest(words=words), self.assertRaisesRegex(ValueError, words):
                fullconv.check(full, *operands)


if __name__ == "__main__":
    unittest.main()
