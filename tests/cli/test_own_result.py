import json
import unittest

import numpy
import scipy.ndimage
import scipy.signal

from support import CLI, CliTest, algorithms, full_convolution, random


def circular(x, k):
    return numpy.fft.ifft2(numpy.fft.fft2(x) * numpy.fft.fft2(k, x.shape)).real


def rolled(x, k):
    return numpy.roll(full_convolution(x, k), (2, -3), (0, 1))


def shifted(x, k):
    y = full_convolution(x, k)
    return numpy.pad(y, ((2, 0), (1, 0)))[: y.shape[0], : y.shape[1]]


def flipped(k, rows=True, columns=True):
    return k[:: -1 if rows else 1, :: -1 if columns else 1]


def rounded(x, bits):
    mantissa, exponent = numpy.frexp(x)
    return numpy.ldexp(numpy.round(mantissa * 2**bits) / 2**bits, exponent)


def with_row(value, row=-1):
    def incomplete(x, k):
        y = full_convolution(x, k)
        y[row] = value
        return y

    return incomplete


def correlation_without_last_row(x, k):
    y = full_convolution(x, flipped(k))
    y[-1] = 0
    return y


# What somebody computes, and the names of what it is.
MISTAKES = [
    (lambda x, k: full_convolution(x, flipped(k)), ["kernel_flipped_in_both"]),
    (lambda x, k: full_convolution(x, flipped(k, rows=False)), ["kernel_flipped_in_columns"]),
    (lambda x, k: full_convolution(x, flipped(k, columns=False)), ["kernel_flipped_in_rows"]),
    (lambda x, k: scipy.signal.convolve2d(x, k, "same"), ["same_crop"]),
    (lambda x, k: scipy.signal.convolve2d(x, k, "valid"), ["valid_crop"]),
    (
        lambda x, k: scipy.signal.correlate2d(x, k, "valid"),
        ["kernel_flipped_in_both", "valid_crop"],
    ),
    (lambda x, k: full_convolution(x, k)[2:19, 3:23], ["even_centre_off_by_one"]),
    (circular, ["circular"]),
    (scipy.ndimage.convolve, ["border_reflected"]),
    (rolled, ["rolled"]),
    (shifted, ["shifted"]),
    (lambda x, k: full_convolution(x, k).T, ["transposed"]),
    (lambda x, k: full_convolution(x, k)[::-1], ["rows_reversed"]),
    (lambda x, k: 2 * full_convolution(x, k), ["factor"]),
    (lambda x, k: full_convolution(x, k) / k.size, ["mean"]),
    (lambda x, k: full_convolution(x, k) / k.sum(), ["normalised"]),
    (lambda x, k: full_convolution(x, k) + 0.5, ["constant_added"]),
    (lambda x, k: -full_convolution(x, flipped(k)), ["kernel_flipped_in_both", "factor"]),
    (with_row(0), ["last_row_missing"]),
    (with_row(7), ["last_row_stale"]),
    (with_row(0, row=3), ["rows_missing"]),
    (with_row(7, row=3), ["rows_stale"]),
    (correlation_without_last_row, ["kernel_flipped_in_both", "rows_missing"]),
    (
        lambda x, k: full_convolution(x.astype("f4"), k.astype("f4")).astype("f4").astype("f8"),
        ["precision_float32"],
    ),
    (
        lambda x, k: full_convolution(rounded(x, 11), rounded(k, 11)).astype("f4"),
        ["precision_tf32"],
    ),
    (
        lambda x, k: rounded(full_convolution(rounded(x, 8), rounded(k, 8)), 8).astype("f4"),
        ["precision_bfloat16"],
    ),
]


class OwnResult(CliTest):
    def diagnose(self, x, k, y, *flags):
        """Exit code, and the object that is printed."""
        for name, array in (("x.npy", x), ("k.npy", k), ("y.npy", y)):
            self.save(name, array)
        result = self.run_cli("check", "x.npy", "k.npy", "--result", "y.npy", "--json", *flags)
        self.assertEqual(result.stderr, b"")
        return result.returncode, json.loads(result.stdout)

    def names(self, diagnosis):
        return [explanation["name"] for explanation in diagnosis["explanations"]]

    def test_right(self):
        for dtype in ("f4", "f8"):
            x, k = random(31, 40, dtype=dtype), random(6, 5, dtype=dtype, seed=1)
            for mine in (full_convolution(x, k).astype(dtype), scipy.signal.fftconvolve(x, k)):
                code, diagnosis = self.diagnose(x, k, mine)
                self.assertEqual((code, diagnosis["right"]), (0, True), diagnosis)
                self.assertLessEqual(diagnosis["error_in_bounds"], 1)
                self.assertEqual((diagnosis["wrong"], diagnosis["explanations"]), (0, []))
        code, diagnosis = self.diagnose(x, k, full_convolution(x, k).astype("f2"))
        self.assertEqual((code, diagnosis["type"]), (0, "float16"))

    def test_every_algorithm_is_right(self):
        self.save("x.npy", random(33, 29))
        self.save("k.npy", random(3, 3))
        right = 0
        for algorithm in algorithms():
            with self.subTest(algorithm["name"]):
                name = ["--algorithm", algorithm["name"]]
                made = self.run_cli("convolve", "x.npy", "k.npy", "-o", "y.npy", *name)
                if made.stderr.startswith(b"declined: "):
                    continue
                self.assert_fine(made)
                right += 1
                result = self.run_cli("check", "x.npy", "k.npy", "--result", "y.npy")
                self.assert_fine(result)
                said = r"\Aright to the precision of float32: error .* outputs\n\Z"
                self.assertRegex(result.stdout.decode(), said)
        self.assertGreater(right, len(algorithms()) // 2)

    def test_mistakes(self):
        x, k = random(17, 20, dtype="f8"), random(4, 6, dtype="f8", seed=1)
        for mine, names in MISTAKES:
            with self.subTest(names):
                code, diagnosis = self.diagnose(x, k, mine(x, k))
                self.assertEqual((code, diagnosis["right"]), (1, False))
                self.assertEqual(self.names(diagnosis), names)
                if names[-1] != "rows_missing" or len(names) == 1:
                    for explanation in diagnosis["explanations"]:
                        self.assertEqual(explanation["outputs"], diagnosis["wrong"])
                for explanation in diagnosis["explanations"]:
                    self.assertRegex(explanation["sentence"], r"\A[A-Z].*\.\Z")

    def test_mistakes_together_share_the_outputs(self):
        x, k = random(17, 20, dtype="f8"), random(4, 6, dtype="f8", seed=1)
        _, diagnosis = self.diagnose(x, k, correlation_without_last_row(x, k))
        self.assertEqual([e["outputs"] for e in diagnosis["explanations"]], [19 * 25, 25])
        self.assertEqual(diagnosis["wrong"], 20 * 25)

    def test_layers(self):
        x, k = random(2, 3, 7, 6, dtype="f8"), random(3, 4, 3, 3, dtype="f8", seed=1)
        y = full_convolution(x, k)
        self.assertEqual(self.diagnose(x, k, y)[0], 0)
        self.assertEqual(self.diagnose(x, k, y[:, :, 1:-1, 1:-1], "--padding", "1")[0], 0)
        without = k.copy()
        without[1] = 0
        for mine, flags, names in (
            (y, ["--padding", "1"], ["padding_ignored"]),
            (y[:, :, :-2, 1:-1], ["--padding", "1"], ["padding_at_end_only"]),
            (full_convolution(x[:, ::-1], k), [], ["image_channels_reversed"]),
            (full_convolution(x, without), [], ["channel_ignored"]),
            (full_convolution(x[[0, 0]], k), [], ["first_image_for_all"]),
        ):
            with self.subTest(names):
                code, diagnosis = self.diagnose(x, k, mine, *flags)
                self.assertEqual((code, self.names(diagnosis)), (1, names))

    def test_channels_last(self):
        x, k = random(9, 8, 3, dtype="f8"), random(3, 2, dtype="f8", seed=1)
        y = numpy.stack([full_convolution(x[..., c], k) for c in range(3)], -1)
        self.assertEqual(self.diagnose(x, k, y, "--channels-last")[0], 0)
        y[2] = 0
        code, diagnosis = self.diagnose(x, k, y, "--channels-last")
        self.assertEqual((code, self.names(diagnosis)), (1, ["rows_missing"]))
        self.assertEqual(diagnosis["explanations"][0]["sentence"], "Row 2 is 0: missing.")

    def test_integers(self):
        x = numpy.arange(120, dtype="u1").reshape(10, 12)
        k = numpy.arange(1, 10, dtype="u1").reshape(3, 3)
        y = full_convolution(x, k)
        self.assertEqual(self.diagnose(x, k, y.astype("i8"))[0], 0)
        for mine, names in (
            (y.astype("i8").astype("u1"), ["wrapped"]),
            (numpy.clip(y, 0, 255).astype("u1"), ["saturated"]),
        ):
            code, diagnosis = self.diagnose(x, k, mine)
            self.assertEqual((code, self.names(diagnosis)), (1, names))
        x, k = random(10, 12) * 9, random(3, 3) * 9
        y = full_convolution(x, k)
        self.assertEqual(self.diagnose(x, k, numpy.rint(y).astype("i4"))[0], 0)
        self.assertEqual(self.names(self.diagnose(x, k, y.astype("i4"))[1]), ["truncated"])

    def test_not_a_number(self):
        x, k = random(12, 12), random(3, 3)
        x[4, 5] = numpy.nan
        y = full_convolution(x, k)
        self.assertEqual(self.diagnose(x, k, y)[0], 0)
        mine = y.copy()
        mine[[0, 3, 9], [2, 4, 13]] = numpy.inf
        code, diagnosis = self.diagnose(x, k, mine)
        self.assertEqual((code, self.names(diagnosis)), (1, ["not_finite"]))
        self.assertEqual(diagnosis["wrong"], 3)
        code, diagnosis = self.diagnose(x, k, numpy.full_like(y, numpy.nan))
        self.assertEqual((code, self.names(diagnosis)), (1, ["all_alike"]))
        self.assertEqual(diagnosis["wrong"], 14 * 14 - 9)

    def test_transforms_beside_a_dead_pixel_are_right(self):
        x, k = random(60, 61), random(9, 8)
        x[4, 5] = numpy.nan
        reached = numpy.isnan(full_convolution(x, k))
        mine = scipy.signal.fftconvolve(numpy.nan_to_num(x), k)
        mine[reached] = numpy.nan
        code, diagnosis = self.diagnose(x, k, mine)
        self.assertEqual((code, diagnosis["bound"]), (0, "normwise"))

    def test_picture(self):
        x, k = random(6, 7, dtype="f8"), random(3, 3, dtype="f8")
        self.save("x.npy", x)
        self.save("k.npy", k)
        self.save("y.npy", with_row(0, row=2)(x, k))
        result = self.run_cli("check", "x.npy", "k.npy", "--result", "y.npy")
        self.assertEqual(result.returncode, 1)
        lines = result.stdout.decode().splitlines()
        self.assertRegex(lines[0], r"\AWRONG: 9 of 72 outputs, error up to ")
        self.assertEqual(
            lines[1], "Row 2 is 0: missing. (rows_missing: accounts for 9 wrong outputs)"
        )
        self.assertEqual(lines[2:], [("#" if row == 2 else ".") * 9 for row in range(8)])

    def test_another_rank(self):
        """Right numbers in another shape are wrong, and no mistake of numbers is looked for."""
        x, k = random(10, 8, dtype="f8"), random(3, 3, dtype="f8")
        y = scipy.signal.convolve2d(x, k)
        for shape in ((120,), (2, 3, 4, 5, 1)):
            with self.subTest(shape):
                _, diagnosis = self.diagnose(x, k, y.reshape(shape))
                self.assertEqual((diagnosis["right"], diagnosis["wrong"]), (False, 120))
                self.assertEqual(diagnosis["shape"], list(shape))
                self.assertIsNone(diagnosis["map"])

    def test_map(self):
        x, k = random(300, 200, dtype="f8"), random(3, 3, dtype="f8")
        _, diagnosis = self.diagnose(x, k, with_row(0, row=7)(x, k))
        cells = diagnosis["map"]["errors_in_bounds"]
        rows, columns = diagnosis["map"]["rows_per_cell"], diagnosis["map"]["columns_per_cell"]
        self.assertEqual((len(cells), len(cells[0])), (-(-302 // rows), -(-202 // columns)))
        self.assertEqual(diagnosis["map"]["bound"], "widest")
        wrong = [i for i, line in enumerate(cells) if max(line) > 1]
        self.assertEqual(wrong, [7 // rows])

    def test_nothing_known(self):
        x, k = random(9, 9, dtype="f8"), random(3, 3, dtype="f8")
        code, diagnosis = self.diagnose(x, k, random(11, 11, dtype="f8", seed=5))
        self.assertEqual((code, diagnosis["explanations"]), (1, []))
        code, diagnosis = self.diagnose(x, k, random(5, 11, dtype="f8", seed=5))
        self.assertEqual((code, diagnosis["explanations"]), (1, []))
        self.assertEqual((diagnosis["shape"], diagnosis["expected_shape"]), ([5, 11], [11, 11]))
        code, diagnosis = self.diagnose(x, k, random(1, 1, 11, 11, dtype="f8", seed=5))
        self.assertEqual((code, diagnosis["explanations"]), (1, []))

    def test_bad_input(self):
        self.save("x.npy", random(5, 6))
        self.save("k.npy", random(3, 3))
        self.save("c.npy", random(7, 8).astype(complex))
        self.save("short.npy", b"\x93NUMPY")
        for arguments, mentions in (
            (["x.npy", "k.npy", "--result", "none.npy"], ["none.npy"]),
            (["x.npy", "k.npy", "--result", "c.npy"], ["c.npy", "complex"]),
            (["x.npy", "k.npy", "--result", "short.npy"], ["short.npy"]),
            (["--result", "c.npy"], ["--result", "IMAGE.npy"]),
            (["--case", "8x8_k5x5", "--result", "c.npy"], ["--result"]),
            (["x.npy", "k.npy", "--json"], ["--json", "--result"]),
            (["x.npy", "k.npy", "--result", "c.npy", "--algorithm", "auto"], ["--algorithm"]),
        ):
            with self.subTest(arguments):
                self.assert_rejected("check", *arguments, mentions=mentions)


if __name__ == "__main__":
    unittest.main()
