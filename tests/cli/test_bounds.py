import unittest

import numpy
import scipy.signal

from support import CliTest, algorithms, full_convolution, random

UNIT_ROUNDOFF = {"f32": 2.0**-24, "f64": 2.0**-53}
DTYPES = {"f32": numpy.float32, "f64": numpy.float64}


class Bounds(CliTest):
    def bounds(self, algorithm, *options):
        command = ("bounds", "x.npy", "k.npy", "-o", "b.npy", "--algorithm", algorithm)
        self.assert_fine(self.run_cli(*command, *options))
        return numpy.load(self.folder / "b.npy")

    def save_operands(self, image, kernel, scalar="f64"):
        x = random(*image, dtype=DTYPES[scalar])
        k = random(*kernel, dtype=DTYPES[scalar], seed=1)
        self.save("x.npy", x)
        self.save("k.npy", k)
        return x.astype(numpy.float64), k.astype(numpy.float64)

    def test_of_sums_is_the_formula(self):
        for scalar, u in UNIT_ROUNDOFF.items():
            x, k = self.save_operands((9, 14), (4, 3), scalar)
            products = scipy.signal.convolve2d(numpy.ones_like(x), numpy.ones_like(k))
            expected = products * u * scipy.signal.convolve2d(abs(x), abs(k))
            found = self.bounds("clamp_bounds")
            self.assertEqual((found.dtype, found.shape), (numpy.float64, expected.shape))
            # The definition's own error, in double or wider, adds less than a thousandth.
            self.assertTrue(numpy.all((expected <= found * (1 + 1e-12)) & (found < 1.001 * expected)))

    def test_every_algorithm_keeps_its_own(self):
        for image, kernel in [((20, 17), (5, 4)), ((2, 3, 9, 8), (3, 4, 3, 3))]:
            x, k = self.save_operands(image, kernel, "f32")
            right = full_convolution(x, k)
            for algorithm in algorithms():
                with self.subTest(algorithm["name"], image=image):
                    bounds = self.bounds(algorithm["name"])
                    files = ("x.npy", "k.npy", "-o", "y.npy")
                    ran = self.run_cli("convolve", *files, "--algorithm", algorithm["name"])
                    if ran.returncode == 1:
                        self.assertRegex(ran.stderr, rb"\Adeclined: .+\n\Z")
                        continue
                    self.assert_fine(ran)
                    y = numpy.load(self.folder / "y.npy")
                    self.assertTrue(numpy.all(abs(y - right) <= bounds))
                    self.assertGreater(abs(0.01 * right).max(), bounds.max())

    def test_of_a_layer(self):
        self.save_operands((1, 2, 9, 8), (2, 3, 3, 3))
        found = self.bounds("clamp_bounds", "--stride", 2, "--padding", 1)
        self.assertEqual(found.shape, (1, 3, 17, 15))

    def test_bad_input(self):
        self.save_operands((9, 8), (3, 3))
        files = ("bounds", "x.npy", "k.npy", "-o", "b.npy")
        self.assert_rejected(*files, "--algorithm", "no_such", mentions=["no_such"])
        self.assert_rejected(*files, mentions=["--algorithm"])
        self.save("x.npy", numpy.zeros((1000, 1000), numpy.float32))
        self.save("k.npy", numpy.zeros((50, 50), numpy.float32))
        mentions = ["1000x1000_k50x50", "expected at most 1000000000 multiply-adds"]
        self.assert_rejected(*files, "--algorithm", "clamp_bounds", mentions=mentions)


if __name__ == "__main__":
    unittest.main()
