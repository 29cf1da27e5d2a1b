import os
import threading
import unittest

import numpy

from support import (
    FAULTY,
    CliTest,
    algorithms,
    full_convolution,
    names,
    random,
    to_bytes,
    with_header,
)

DTYPES = {"f32": numpy.float32, "f64": numpy.float64}

# Image, kernel: single planes and layers.
SHAPES = [
    ((1, 1), (1, 1)),
    ((1, 23), (1, 4)),
    ((1, 9), (11, 1)),
    ((19, 1), (2, 3)),
    ((3, 5), (7, 4)),
    ((5, 31), (6, 2)),
    ((37, 41), (8, 5)),
    ((65, 129), (3, 17)),
    ((1, 1, 6, 7), (1, 1, 2, 3)),
    ((2, 3, 11, 13), (3, 4, 3, 5)),
    ((3, 1, 5, 4), (1, 17, 6, 2)),
    ((1, 17, 8, 9), (17, 2, 3, 3)),
]


class Convolve(CliTest):
    def convolve(self, *options, **more):
        return self.run_cli("convolve", "x.npy", "k.npy", "-o", "y.npy", *options, **more)

    def assert_convolution(self, y, x, k):
        self.assertEqual(y.dtype, x.dtype)
        expected = full_convolution(x, k)
        self.assertEqual(y.shape, expected.shape)
        scale = numpy.abs(full_convolution(numpy.abs(x), numpy.abs(k))).max()
        error = numpy.abs(y - expected).max()
        self.assertLessEqual(error, 100 * numpy.finfo(x.dtype).eps * scale)

    def test_every_algorithm_agrees_with_scipy(self):
        for algorithm in algorithms():
            for scalar in algorithm["scalars"]:
                for image, kernel in SHAPES:
                    with self.subTest(algorithm["name"], scalar=scalar, image=image, kernel=kernel):
                        x = random(*image, dtype=DTYPES[scalar])
                        k = random(*kernel, dtype=DTYPES[scalar], seed=1)
                        self.save("x.npy", x)
                        self.save("k.npy", k)
                        result = self.convolve("--algorithm", algorithm["name"])
                        if result.returncode == 1:
                            self.assertRegex(result.stderr, rb"\Adeclined: .+\n\Z")
                            continue
                        self.assert_fine(result)
                        self.assertEqual(result.stdout, b"")
                        self.assert_convolution(self.load("y.npy"), x, k)

    def test_file_is_as_numpy_writes_it(self):
        for dtype in DTYPES.values():
            for image, kernel in SHAPES:
                self.save("x.npy", random(*image, dtype=dtype))
                self.save("k.npy", random(*kernel, dtype=dtype))
                self.assert_fine(self.convolve())
                written = (self.folder / "y.npy").read_bytes()
                y = self.load("y.npy")
                self.assertEqual(written[:8], b"\x93NUMPY\x01\x00")
                self.assertEqual((len(written) - y.nbytes) % 64, 0)
                self.assertEqual(written[len(written) - y.nbytes - 1 :][:1], b"\n")
                self.assertEqual(written, to_bytes(y))

    def test_default_algorithm(self):
        expected = next(name for name in ("auto", "fft", "clamp_bounds") if name in names())
        self.save("x.npy", random(20, 30))
        self.save("k.npy", random(5, 4))
        self.assert_fine(self.convolve())
        default = self.load("y.npy")
        self.assert_fine(self.convolve("--algorithm", expected))
        numpy.testing.assert_array_equal(default, self.load("y.npy"))

    def test_default_algorithm_where_none_of_those_is(self):
        self.save("x.npy", x := random(4, 5))
        self.save("k.npy", k := random(2, 3))
        self.assert_fine(self.convolve(program=FAULTY))
        self.assert_convolution(self.load("y.npy"), x, k)

    def test_format_versions(self):
        x, k = random(9, 8), random(2, 5)
        for version in ((1, 0), (2, 0), (3, 0)):
            with self.subTest(version):
                self.save("x.npy", to_bytes(x, version))
                self.save("k.npy", to_bytes(k, version))
                self.assert_fine(self.convolve())
                self.assert_convolution(self.load("y.npy"), x, k)

    def test_unusual_spelling_of_a_header(self):
        x, k = random(2, 3), random(1, 2)
        header = ' { "shape":(2,3) ,"descr" : "<f4","fortran_order":False} '
        self.save("x.npy", with_header(header, x.tobytes()))
        self.save("k.npy", k)
        self.assert_fine(self.convolve())
        self.assert_convolution(self.load("y.npy"), x, k)

    def convolve_taken(self, algorithm, *more):
        """The result with a kernel of 3×3 or, where that is declined, of 1×1; and the kernel."""
        for size in (3, 1):
            self.save("k.npy", k := random(size, size))
            result = self.convolve("--algorithm", algorithm["name"], *more)
            if not result.stderr.startswith(b"declined: kernel"):
                break
        return result, k

    def test_threads(self):
        self.save("x.npy", x := random(150, 140))
        for algorithm in algorithms():
            with self.subTest(algorithm["name"]):
                result, k = self.convolve_taken(algorithm, "--threads", 2)
                if algorithm["threaded"]:
                    self.assert_fine(result)
                    self.assert_convolution(self.load("y.npy"), x, k)
                    (self.folder / "y.npy").unlink()
                else:
                    self.assertEqual((result.returncode, result.stdout), (1, b""))
                    self.assertRegex(result.stderr, rb"\Adeclined: .+\n\Z")
                    self.assertFalse((self.folder / "y.npy").exists())

    def test_declined(self):
        self.save("x.npy", random(4, 4))
        self.save("k.npy", random(2, 2))
        self.save("y.npy", b"precious")
        with self.no_file_changes():
            result = self.convolve("--algorithm", "declines", program=FAULTY)
        self.assertEqual(
            (result.returncode, result.stdout, result.stderr),
            (1, b"", b"declined: kernel is not to my taste\n"),
        )

    def test_non_finite_values_reach_the_output_where_defined(self):
        x = random(6, 7)
        x[2, 3] = numpy.nan
        self.save("x.npy", x)
        for algorithm in algorithms():
            with self.subTest(algorithm["name"]):
                result, k = self.convolve_taken(algorithm)
                self.assert_fine(result)
                rows, columns = k.shape
                touched = numpy.zeros((6 + rows - 1, 7 + columns - 1), bool)
                touched[2 : 2 + rows, 3 : 3 + columns] = True
                lost = ~numpy.isfinite(self.load("y.npy"))
                self.assertTrue(lost[touched].all())
                # A NaN in the image meets no padding.
                if algorithm["non_finite"] != "spreads":
                    numpy.testing.assert_array_equal(lost, touched)

    def test_operands_from_pipes(self):
        x, k = random(300, 200), random(3, 2)
        self.save("k.npy", k)
        self.assert_fine(
            self.run_cli("convolve", "/dev/stdin", "k.npy", "-o", "y.npy", input=to_bytes(x))
        )
        self.assert_convolution(self.load("y.npy"), x, k)

        os.mkfifo(self.folder / "kernel")
        writer = threading.Thread(target=(self.folder / "kernel").write_bytes, args=[to_bytes(k)])
        writer.start()
        self.save("x.npy", x)
        self.assert_fine(self.run_cli("convolve", "x.npy", "kernel", "-o", "y.npy"))
        writer.join()
        self.assert_convolution(self.load("y.npy"), x, k)

    def test_image_and_kernel_may_be_one_file(self):
        self.save("x.npy", x := random(6, 5))
        self.assert_fine(self.run_cli("convolve", "x.npy", "x.npy", "-o", "y.npy"))
        self.assert_convolution(self.load("y.npy"), x, x)


if __name__ == "__main__":
    unittest.main()
