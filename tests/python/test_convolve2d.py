"""convolve2d is SciPy's."""

import itertools
import unittest
import warnings

import numpy as np
import scipy.signal

import fullconv
from support import bound, random

MODES = ("full", "same", "valid")
BOUNDARIES = ("fill", "wrap", "symm")
SHAPES = (
    ((1, 1), (1, 1)),
    ((8, 8), (5, 5)),
    ((7, 10), (4, 3)),
    ((1, 9), (1, 4)),
    ((9, 1), (6, 1)),
    ((3, 4), (5, 7)),
    ((6, 2), (3, 5)),
    ((33, 40), (17, 18)),
)
INTEGERS = "bBhHiIlLqQ"
TYPES = INTEGERS + "fdgFDG"


class Convolve2d(unittest.TestCase):
    def assert_same(self, x, k, *arguments, **options):
        """As SciPy gives, or the same kind of error; exactly, where that is possible."""
        try:
            expected = scipy.signal.convolve2d(x, k, *arguments, **options)
        except Exception as error:
            with self.assertRaises(type(error)) as caught:
                fullconv.convolve2d(x, k, *arguments, **options)
            self.assertEqual(str(caught.exception), str(error))
            return
        given = fullconv.convolve2d(x, k, *arguments, **options)
        self.assertEqual(type(given), np.ndarray)
        self.assertEqual((given.dtype, given.shape), (expected.dtype, expected.shape))
        self.assertTrue(given.flags.c_contiguous and given.flags.writeable)
        if expected.dtype.kind in "iu":
            np.testing.assert_array_equal(given, expected)
        elif expected.size > 0:
            x, k = np.asarray(x), np.asarray(k)
            # What surrounds an image adds to its norm, at most so often.
            reach = np.prod([1 + 2 * -(-b // max(a, 1)) for a, b in zip(x.shape, k.shape)])
            fill = abs(options.get("fillvalue", 0))
            norm_of_one = np.maximum(np.abs(x), fill)
            limit = reach * bound(norm_of_one, k, expected.dtype)
            self.assertLessEqual(np.abs(given - expected).max(), limit)

    def test_every_type_mode_and_boundary(self):
        for dtype, mode, boundary, (image, kernel) in itertools.product(
            TYPES, MODES, BOUNDARIES, SHAPES
        ):
            with self.subTest(dtype=dtype, mode=mode, boundary=boundary, x=image, k=kernel):
                x = random(*image, dtype=dtype)
                k = random(*kernel, dtype=dtype, seed=1)
                self.assert_same(x, k, mode, boundary)

    def test_every_pair_of_types(self):
        for a, b in itertools.product(TYPES + "e?", repeat=2):
            if np.promote_types(a, b) in (bool, np.float16):
                continue  # SciPy refuses these
            with self.subTest(a=a, b=b):
                self.assert_same(random(6, 7, dtype=a), random(3, 2, dtype=b, seed=1))

    def test_fill_values(self):
        for dtype, mode, value in itertools.product("BifdFD", MODES, (1, 2.5, 7)):
            with self.subTest(dtype=dtype, mode=mode, value=value):
                x = random(7, 10, dtype=dtype)
                k = random(4, 3, dtype=dtype, seed=1)
                self.assert_same(x, k, mode, fillvalue=value)
        x = random(4, 5)
        for value in ([2], [[3]], np.float32(2.5), "1", np.array(1.5)):
            with self.subTest(value=value):
                expected = scipy.signal.convolve2d(x, x, fillvalue=value)
                given = fullconv.convolve2d(x, x, fillvalue=value)
                np.testing.assert_allclose(given, expected, rtol=0, atol=1e-12)

    def test_integers_wrap_around(self):
        for dtype in INTEGERS:
            with self.subTest(dtype=dtype):
                largest = int(np.iinfo(dtype).max)
                x = random(20, 30, dtype=dtype, largest=largest)
                k = random(5, 4, dtype=dtype, seed=1, largest=largest)
                self.assert_same(x, k)
                self.assert_same(x, k, "same", "symm")

    def test_integers_are_exact_up_to_the_last_bit(self):
        # Around the limits of float, of double, and of where transforms can be rounded.
        for bits in (7, 11, 12, 13, 20, 25, 26, 27, 28):
            for kernel in ((3, 3), (12, 11), (40, 40)):
                with self.subTest(bits=bits, kernel=kernel):
                    x = random(64, 70, dtype=np.int64, largest=2**bits)
                    k = random(*kernel, dtype=np.int64, largest=2**bits, seed=1)
                    self.assert_same(x, k)
                    self.assert_same(x + 2**bits, k + 2**bits)

    def test_integers_are_exact_by_every_algorithm(self):
        x = random(20, 30, dtype=np.int32)
        k = random(3, 3, dtype=np.int32, seed=1)
        expected = scipy.signal.convolve2d(x, k)
        exact = 0
        for algorithm in fullconv.algorithms():
            with self.subTest(algorithm=algorithm["name"]):
                try:
                    given = fullconv.convolve2d(x, k, algorithm=algorithm["name"])
                except ValueError as error:
                    self.assertIn("declined", str(error))
                    continue
                np.testing.assert_array_equal(given, expected)
                exact += 1
        self.assertGreater(exact, 5)

    def test_bools_are_added_as_numpy_does(self):
        x, k = random(6, 7, dtype=bool), random(3, 2, dtype=bool, seed=1)
        expected = np.zeros((8, 8), bool)
        for (p, q), tap in np.ndenumerate(k):
            expected[p : p + 6, q : q + 7] += x * tap
        given = fullconv.convolve2d(x, k)
        self.assertEqual(given.dtype, bool)
        np.testing.assert_array_equal(given, expected)
        # 256 times true is true.
        ones = np.ones((16, 16), bool)
        self.assertTrue(fullconv.convolve2d(ones, ones).all())

    def test_float16_is_rounded_once(self):
        x, k = random(20, 30, dtype=np.float16), random(5, 4, dtype=np.float16, seed=1)
        given = fullconv.convolve2d(x, k)
        self.assertEqual(given.dtype, np.float16)
        exact = scipy.signal.convolve2d(x.astype(float), k.astype(float))
        half_a_step = np.spacing(np.abs(exact).astype(np.float16)).astype(float) / 2
        limit = half_a_step + bound(x, k, np.float64)
        self.assertTrue((np.abs(given - exact) <= limit).all())

    def test_operands_without_elements(self):
        for shape, mode in itertools.product(((0, 3), (3, 0), (0, 0)), MODES):
            with self.subTest(shape=shape, mode=mode):
                self.assert_same(np.ones(shape), np.ones((2, 2)), mode)
                self.assert_same(np.ones((2, 2)), np.ones(shape), mode)
        self.assert_same(np.ones((0, 0)), np.ones((0, 0)))
        self.assert_same(np.ones((3, 3)), np.ones((2, 0)), "valid")
        for boundary in ("wrap", "symm"):  # nothing surrounds what is not there
            given = fullconv.convolve2d(np.ones((0, 0)), np.ones((1, 1)), "same", boundary)
            self.assertEqual((given.shape, given.dtype), ((0, 0), np.float64))

    def test_views_of_any_strides(self):
        for dtype in "fdiF":
            base = random(40, 50, dtype=dtype)
            k = random(6, 7, dtype=dtype, seed=1)
            packed = np.zeros(8 * 9, np.dtype([("gap", "b"), ("value", dtype)]))
            unaligned = packed["value"].reshape(8, 9)
            unaligned[...] = base[:8, :9]
            readonly = base.copy()
            readonly.flags.writeable = False
            for x in (
                base[::2, ::3],
                base[::-1, ::-1],
                base.T,
                base[3:20, 4:9],
                np.asfortranarray(base),
                base.astype(np.dtype(dtype).newbyteorder(">")),
                np.broadcast_to(base[:1], base.shape),
                unaligned,
                readonly,
            ):
                with self.subTest(dtype=dtype, strides=x.strides):
                    self.assert_same(x, k)
                    self.assert_same(k, x)
                    self.assert_same(x, k[::-1, ::2], "same")

    def test_lists_and_subclasses(self):
        self.assert_same([[1, 2, 3], [3, 4, 5]], [[2, 3, 4], [4, 5, 6]])
        self.assert_same([[1, 2.5]], ((1,), (2,)))
        masked = np.ma.masked_array(random(3, 4), mask=random(3, 4) > 0)
        self.assert_same(masked, random(2, 2))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.assert_same(np.matrix([[1.0, 2.0]]), np.matrix([[3.0, 4.0]]))

    def test_errors_are_scipys(self):
        x, k = random(4, 5), random(2, 3)
        whole = random(4, 5, dtype=int)
        for arguments, options in (
            ((3, 4), {}),
            (([3], [4]), {}),
            ((x[None], k[None]), {}),
            ((x, None), {}),
            ((random(2, 3), random(3, 2), "valid"), {}),
            ((random(2, 3), random(3, 2), "valid", "nonsense"), {}),
            ((x, k, "Full"), {}),
            ((x, k, 0), {}),
            ((x, k, None), {}),
            ((x, k, []), {}),
            ((x, k), {"boundary": "nonsense"}),
            ((x, k), {"boundary": None}),
            ((x, k), {"boundary": []}),
            ((whole, whole), {"fillvalue": 1j}),
            ((whole, whole), {"fillvalue": np.nan}),
            ((whole, whole), {"fillvalue": None}),
            ((whole, whole), {"fillvalue": 2**70}),
            ((x, k), {"fillvalue": 1j}),
            ((x, k), {"fillvalue": "x"}),
            ((x, k), {"fillvalue": []}),
            ((x, k), {"fillvalue": [1, 2]}),
            ((x, k), {"fillvalue": object()}),
            ((x.astype(object), k), {}),
            ((x.astype("M8[s]"), k.astype("M8[s]")), {}),
        ):
            with self.subTest(arguments=arguments, options=options):
                with self.assertRaises(Exception):
                    scipy.signal.convolve2d(*arguments, **options)
                self.assert_same(*arguments, **options)

    def test_own_arguments(self):
        x, k = random(64, 64), random(3, 3, seed=1)
        expected = scipy.signal.convolve2d(x, k)
        for algorithm in fullconv.algorithms():
            for threads in (None, 1, 2):
                if threads == 2 and not algorithm["threaded"]:
                    continue
                options = {"algorithm": algorithm["name"], "threads": threads}
                with self.subTest(**options):
                    try:
                        given = fullconv.convolve2d(x, k, **options)
                    except ValueError as error:
                        self.assertRegex(str(error), "declined .*: kernel is not 1×1")
                        continue
                    self.assertLessEqual(np.abs(given - expected).max(), bound(x, k, float))
        for options, word in (
            ({"algorithm": "nonsense"}, "nonsense"),
            ({"algorithm": "au\nto"}, r"unknown algorithm 'au\\nto'"),
            ({"algorithm": "\ud800"}, r"unknown algorithm '\\ud800'"),
            ({"algorithm": "zero_pad", "threads": 2}, "serial"),
            ({"threads": 0}, "threads is 0"),
        ):
            with self.subTest(options=options), self.assertRaisesRegex(ValueError, word):
                fullconv.convolve2d(x, k, **options)
        # By the shortest way, by the one for all types, and where nothing is planned.
        for operands in (
            (x, k),
            (x.astype("i4"), k.astype("i4")),
            (x.astype("g"), k.astype("g")),
            (x[:0], k),
            (x, k[:, :0]),
        ):
            for options, word in (({"algorithm": "nonsense"}, "nonsense"), ({"threads": 0}, "0")):
                with self.subTest(options=options), self.assertRaisesRegex(ValueError, word):
                    fullconv.convolve2d(*operands, **options)
            for options, text in (
                ({"threads": "2"}, "threads is '2': expected an int or None"),
                ({"threads": 1.5}, "threads is 1.5: expected an int or None"),
                ({"algorithm": None}, "algorithm is None: expected a str"),
            ):
                with self.subTest(options=options), self.assertRaises(TypeError) as caught:
                    fullconv.convolve2d(*operands, **options)
                self.assertEqual(str(caught.exception), text)
        np.testing.assert_array_equal(
            fullconv.convolve2d(x, k, threads=np.int64(1)), fullconv.convolve2d(x, k, threads=1)
        )

    def test_a_tap_outside_of_the_image_does_not_exist(self):
        x = random(5, 6) + 2
        k = random(3, 3, seed=1)
        k[0, 2] = np.inf
        given = fullconv.convolve2d(x, k)
        expected = np.zeros((7, 8))
        for (p, q), tap in np.ndenumerate(k):
            expected[p : p + 5, q : q + 6] += x * tap
        self.assertFalse(np.isnan(expected).any())
        np.testing.assert_allclose(given, expected, rtol=1e-13)


if __name__ == "__main__":
    unittest.main()
