"""Files as people have them: any real type, order of bytes and axes, standard input and output."""

import io
import unittest

import numpy
import scipy.signal

from support import CliTest, full_convolution, random, to_bytes, with_header

INTEGERS = [
    "?",
    *(f"{order}{kind}{size}" for order in "<>" for kind in "iu" for size in (1, 2, 4, 8)),
]
FLOATS = [f"{order}f{size}" for order in "<>" for size in (2, 4, 8)]


def values(shape, descr, seed=0):
    """Without symmetry, and exact in each type."""
    drawn = numpy.random.default_rng(seed).integers(0, 2 if descr == "?" else 100, shape)
    if numpy.dtype(descr).kind in "if":
        drawn -= 40
    return drawn.astype(descr)


class Files(CliTest):
    def convolve(self, x, k, *options):
        self.save("x.npy", x)
        self.save("k.npy", k)
        self.assert_fine(self.run_cli("convolve", "x.npy", "k.npy", "-o", "y.npy", *options))
        return self.load("y.npy")

    def test_types(self):
        for image in (*INTEGERS, *FLOATS):
            for kernel in ("?", "<i2", ">i4", "<u8", "<f2", ">f4", "<f8"):
                with self.subTest(image=image, kernel=kernel):
                    x, k = values((9, 8), image), values((3, 4), kernel, 1)
                    y = self.convolve(x, k)
                    rule = numpy.result_type(x, k)
                    expected = numpy.float32 if rule in ("f2", "f4") else numpy.float64
                    self.assertEqual(y.dtype, expected)
                    # Integers below 2**24, which every sum of products has exactly.
                    numpy.testing.assert_array_equal(y, full_convolution(x, k))

    def test_integers_are_exact_where_a_transform_would_be_taken(self):
        x = numpy.random.default_rng(3).random((300, 280)) < 0.9
        k = numpy.random.default_rng(4).integers(0, 255, (60, 61)).astype("u1")
        y = self.convolve(x, k)
        expected = numpy.rint(scipy.signal.fftconvolve(x.astype(float), k.astype(float)))
        numpy.testing.assert_array_equal(y, expected)

    def test_integers_that_float64_does_not_hold_are_rounded_as_numpy_does(self):
        x = numpy.array([[2**63 - 1, -(2**63), 2**53 + 1, -(2**62) - 1]])
        numpy.testing.assert_array_equal(self.convolve(x, numpy.ones((1, 1), "i8")), x.astype("f8"))

    def test_every_half(self):
        x = numpy.arange(2**16, dtype="u2").view("f2").reshape(256, 256)
        y = self.convolve(x, numpy.ones((1, 1), "f2"))
        self.assertEqual(y.dtype, numpy.float32)
        numpy.testing.assert_array_equal(y, x.astype("f4"))

    def test_order_of_axes_in_memory(self):
        for shape, kernel in (((7, 11), (4, 2)), ((2, 3, 7, 6), (3, 4, 2, 3))):
            x, k = random(*shape), random(*kernel, seed=1)
            expected = self.convolve(x, k)
            for x_order in ("C", "F"):
                for k_order in ("C", "F"):
                    y = self.convolve(x.copy(x_order), k.copy(k_order))
                    numpy.testing.assert_array_equal(y, expected)
            self.assertIn(b"'fortran_order': True", to_bytes(x.T.copy().T))
            numpy.testing.assert_array_equal(self.convolve(x.T.copy().T, k), expected)

    def test_large_ones_in_pieces(self):
        x = random(1200, 700)
        k = random(1, 1, seed=1)
        for unusual in (x.copy("F"), x.astype(">f4")):
            numpy.testing.assert_array_equal(self.convolve(unusual, k), x * k)

    def test_spellings_of_a_header(self):
        x = random(2, 3)
        for descr in ("=f4", "|f4", "f4"):
            for shape in ("(2, 3)", "(2L, 3L)", "(2L,3L,)"):
                header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}"
                self.save("x.npy", with_header(header, x.tobytes()))
                self.save("k.npy", numpy.ones((1, 1), "f4"))
                self.assert_fine(self.run_cli("convolve", "x.npy", "k.npy", "-o", "y.npy"))
                numpy.testing.assert_array_equal(self.load("y.npy"), x)

    def test_a_kernel_of_two_axes_is_for_each_plane(self):
        k = random(3, 2, seed=1)
        for shape in ((1, 1, 6, 7), (3, 1, 6, 7), (2, 3, 6, 7)):
            x = random(*shape)
            y = self.convolve(x, k)
            self.assertEqual(y.shape, (*shape[:2], 8, 8))
            for n, o in numpy.ndindex(shape[:2]):
                numpy.testing.assert_allclose(y[n, o], full_convolution(x[n, o], k), 1e-5, 1e-6)

    def test_photographs(self):
        x = numpy.random.default_rng(5).integers(0, 256, (12, 15, 3)).astype("u1")
        k = random(4, 3, seed=1)
        for mode in ("full", "same", "valid"):
            y = self.convolve(x, k, "--channels-last", "--mode", mode)
            self.assertEqual(y.dtype, numpy.float32)
            expected = [scipy.signal.convolve2d(x[..., c], k, mode) for c in range(3)]
            numpy.testing.assert_allclose(y, numpy.stack(expected, -1), 1e-4, 1e-3)

    def test_channels_last_of_layers(self):
        x, k = random(2, 3, 6, 5), random(3, 4, 2, 3, seed=1)
        expected = self.convolve(x, k, "--padding", "1")
        last = numpy.moveaxis(x, 1, -1).copy()
        y = self.convolve(last, k, "--padding", "1", "--channels-last")
        numpy.testing.assert_array_equal(numpy.moveaxis(y, -1, 1), expected)
        y = self.convolve(last[0], k, "--padding", "1", "--channels-last")
        numpy.testing.assert_array_equal(numpy.moveaxis(y, -1, 0), expected[0])

    def test_standard_input_and_output(self):
        x, k = random(30, 20), random(3, 2, seed=1)
        expected = self.convolve(x, k)
        for files, given in ((("-", "k.npy"), x), (("x.npy", "-"), k)):
            result = self.run_cli("convolve", *files, "-o", "-", input=to_bytes(given))
            self.assert_fine(result)
            numpy.testing.assert_array_equal(numpy.load(io.BytesIO(result.stdout)), expected)
        with open(self.folder / "x.npy", "rb") as redirected:
            result = self.run_cli("convolve", "-", "k.npy", "-o", "-", stdin=redirected)
        self.assertEqual(numpy.load(io.BytesIO(result.stdout)).shape, expected.shape)
        self.assertNotIn("-", [path.name for path in self.folder.iterdir()])
        result = self.run_cli("convolve", "-", "k.npy", "-o", "-", input=to_bytes(x)[:-1])
        self.assert_error_line(result, "standard input", "truncated")

    def test_verbose(self):
        self.save("x.npy", random(300, 300))
        self.save("k.npy", random(40, 40))
        k = numpy.outer(numpy.hanning(17)[1:-1], numpy.hanning(19)[1:-1]).astype("f4")
        self.save("bell.npy", k)
        cost = r"f32, 1 thread, plan [0-9.e+-]+ ms, execute [0-9.e+-]+ ms, workspace [0-9.e+-]+ MiB\n"
        for kernel, options, said in (
            ("k.npy", ["--algorithm", "clamp_bounds"], "300x300_k40x40: clamp_bounds, "),
            ("k.npy", [], "300x300_k40x40: auto ran (?!auto|low_rank)[a-z0-9_]+, "),
            ("bell.npy", ["--algorithm", "low_rank"], "300x300_k15x17: low_rank, "),
            ("k.npy", ["--algorithm", "low_rank"], "300x300_k40x40: low_rank ran direct_simd, "),
        ):
            with self.subTest(kernel, options=options):
                files = ("x.npy", kernel, "-o", "-")
                result = self.run_cli("convolve", *files, "--verbose", *options)
                self.assertEqual(result.returncode, 0)
                self.assertRegex(result.stderr.decode(), rf"\A{said}{cost}\Z")
                self.assertEqual(numpy.load(io.BytesIO(result.stdout)).ndim, 2)


if __name__ == "__main__":
    unittest.main()
