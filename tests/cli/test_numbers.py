"""Numbers of any size, whole ones, and signals that are columns, as people have reported them."""

import unittest

import numpy
from scipy import signal

from support import CliTest, algorithms


class Numbers(CliTest):
    def convolve(self, x, k, *arguments):
        self.save("x.npy", x)
        self.save("k.npy", k)
        self.assert_fine(self.run_cli("convolve", "x.npy", "k.npy", "-o", "y.npy", *arguments))
        return self.load("y.npy")

    def test_norms_do_not_overflow(self):
        x = numpy.random.default_rng(0).random((64, 64))
        self.save("k.npy", numpy.random.default_rng(1).random((9, 9)))
        for scale in (1e155, 1e-170):
            with self.subTest(scale):
                self.save("x.npy", x * scale)
                result = self.run_cli("check", "x.npy", "k.npy")
                text = result.stdout.decode()
                self.assertEqual(result.returncode, 0, text)
                rows = [line.split() for line in text.splitlines() if line.endswith("  ok")]
                self.assertGreater(len(rows), len(algorithms()) // 2)
                for name, _, in_bounds, l2, *_ in rows:
                    self.assertTrue(0 < float(in_bounds) <= 1, (name, in_bounds))
                    self.assertTrue(0 < float(l2) < 1e-14, (name, l2))

    def test_subnormal_weights_are_exact(self):
        generator = numpy.random.default_rng(1)
        x = generator.standard_normal((200, 200)).astype("f4")
        k = (generator.standard_normal((31, 31)).astype("f4") * 1e-41).astype("f4")
        wide = signal.fftconvolve(x.astype("f8") * 2.0**70, k.astype("f8") * 2.0**70) * 2.0**-140
        n = k.size
        smallest = float(numpy.finfo("f4").smallest_subnormal)
        numpy.testing.assert_allclose(self.convolve(x, k), wide, rtol=0, atol=n * smallest)

    def test_whole_numbers_stay_whole(self):
        image = (numpy.random.default_rng(9258).random((300, 300)) < 0.95).astype("f4")
        rows, columns = numpy.mgrid[-25:26, -25:26]
        disk = (rows**2 + columns**2 <= 25**2).astype("f4")
        wanted = numpy.rint(signal.fftconvolve(image.astype("f8"), disk.astype("f8")))
        for accuracy in ("normwise", "componentwise"):
            with self.subTest(accuracy):
                found = self.convolve(image, disk, "--accuracy", accuracy)
                numpy.testing.assert_array_equal(found, wanted)

    def test_a_column_is_a_row(self):
        generator = numpy.random.default_rng(2)
        x = generator.standard_normal((50000, 1)).astype("f4")
        k = generator.standard_normal((200, 1)).astype("f4")
        column, row = self.convolve(x, k), self.convolve(x.T.copy(), k.T.copy())
        numpy.testing.assert_array_equal(column, row.T)


if __name__ == "__main__":
    unittest.main()
