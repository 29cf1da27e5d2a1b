import itertools
import unittest

import numpy
import scipy.signal

from support import CliTest, random


def input_gradient(x, k, size, stride, padding, dilation, groups):
    """The definition, as a scatter: what each x times each k adds where it lands."""
    y = numpy.zeros((x.shape[0], k.shape[1] * groups, *size))
    outputs, inputs = x.shape[1] // groups, k.shape[1]
    for o, i, j, p, q in itertools.product(
        range(x.shape[1]), range(x.shape[2]), range(x.shape[3]), range(k.shape[2]), range(k.shape[3])
    ):
        row = i * stride[0] + p * dilation[0] - padding[0]
        column = j * stride[1] + q * dilation[1] - padding[1]
        if 0 <= row < size[0] and 0 <= column < size[1]:
            first = o // outputs * inputs
            y[:, first : first + inputs, row, column] += numpy.outer(x[:, o, i, j], k[o, :, p, q])
    return y


class Layers(CliTest):
    def convolve(self, x, k, *flags):
        self.save("x.npy", x)
        self.save("k.npy", k)
        self.assert_fine(self.run_cli("convolve", "x.npy", "k.npy", "-o", "y.npy", *flags))
        return self.load("y.npy")

    def test_fields_are_those_of_the_layer(self):
        x, k = random(2, 4, 5, 6, dtype=float), random(4, 3, 3, 2, dtype=float, seed=1)
        for flags, size, stride, padding, dilation, groups in [
            ("--stride 2", (11, 12), (2, 2), (0, 0), (1, 1), 1),
            ("--stride 2x3 --padding 1", (9, 15), (2, 3), (1, 1), (1, 1), 1),
            ("--padding 1x0", (5, 7), (1, 1), (1, 0), (1, 1), 1),
            ("--padding 2x1x0x0", (5, 6), (1, 1), (2, 1), (1, 1), 1),
            ("--dilation 2x1 --groups 2", (9, 7), (1, 1), (0, 0), (2, 1), 2),
            ("--stride 2 --padding 1 --output-padding 1", (10, 11), (2, 2), (1, 1), (1, 1), 1),
            ("--stride 3x2 --output-padding 2x0", (17, 12), (3, 2), (0, 0), (1, 1), 1),
            ("--stride 3x2 --output-size 17x12", (17, 12), (3, 2), (0, 0), (1, 1), 1),
        ]:
            with self.subTest(flags):
                y = self.convolve(x, k, *flags.split())
                expected = input_gradient(x, k, size, stride, padding, dilation, groups)
                numpy.testing.assert_allclose(y, expected, rtol=0, atol=1e-13)

    def test_planes_take_them_too(self):
        x, k = random(5, 6, dtype=float), random(3, 3, dtype=float, seed=1)
        y = self.convolve(x, k, "--stride", 2, "--padding", 1)
        expected = input_gradient(
            x[None, None], k[None, None], (9, 11), (2, 2), (1, 1), (1, 1), 1
        )
        numpy.testing.assert_allclose(y, expected[0, 0], rtol=0, atol=1e-14)

    def test_modes_are_those_of_scipy(self):
        shapes = [((8, 9), (5, 4)), ((5, 4), (8, 9)), ((7, 7), (7, 7)), ((6, 1), (2, 1))]
        for (image, kernel), mode in itertools.product(shapes, ("full", "same", "valid")):
            with self.subTest(image=image, kernel=kernel, mode=mode):
                x, k = random(*image, dtype=float), random(*kernel, dtype=float, seed=1)
                y = self.convolve(x, k, "--mode", mode)
                expected = scipy.signal.convolve2d(x, k, mode)
                self.assertEqual(y.shape, expected.shape)
                numpy.testing.assert_allclose(y, expected, rtol=0, atol=1e-13)

    def test_check_takes_layers(self):
        self.save("x.npy", random(1, 2, 5, 6))
        self.save("k.npy", random(2, 3, 3, 2, seed=1))
        result = self.run_cli("check", "x.npy", "k.npy", "--stride", 2, "--padding", "1x0")
        self.assert_fine(result)
        self.assertIn(b"n1_i2_o3_5x6_k3x2_p1x0x1x0_s2x2", result.stdout)
        self.assertIn(b" 0 WRONG", result.stdout)
        self.assert_fine(self.run_cli("check", "--case", "n1_i4_o4_5x5_k3x3_p1x1x1x1_s2x2_g4_op1x1"))

    def test_choose_takes_layers(self):
        case = "n1_i16_o16_14x14_k3x3_p1x1x1x1_s2x2_op1x1"
        result = self.assert_fine(self.run_cli("choose", "--case", case))
        self.assertIn(b"chosen", result.stdout)


class BadLayers(CliTest):
    def test_every_field_is_named(self):
        self.save("x.npy", random(1, 2, 5, 6))
        self.save("k.npy", random(2, 3, 3, 2))
        for flags, mentions in [
            ("--stride 0", ["stride of 0", "at least 1"]),
            ("--stride -1", ["stride of -1"]),
            ("--stride two", ["--stride is 'two'", "YxX"]),
            ("--stride 2x2x2", ["--stride is '2x2x2'"]),
            ("--stride 9223372036854775807", ["overflow"]),
            ("--stride 9223372036854775808", ["--stride is '9223372036854775808'"]),
            ("--padding -1", ["padding of -1", "at least 0"]),
            ("--padding 1x2x3", ["--padding is '1x2x3'", "TxLxBxR"]),
            ("--padding 4", ["no output rows"]),
            ("--dilation 0x1", ["dilation of 0"]),
            ("--dilation x", ["--dilation is 'x'"]),
            ("--groups 0", ["0 groups"]),
            ("--groups 3", ["3 groups", "2 channels of x"]),
            ("--groups 1x1", ["--groups is '1x1'"]),
            ("--output-padding 1", ["output padding of 1 rows", "less than stride or dilation"]),
            ("--output-padding -1", ["output padding of -1"]),
            ("--output-size 9", ["--output-size is '9'", "HxW"]),
            ("--output-size 99x7", ["--output-size is '99x7'", "from 7 to 7"]),
            ("--output-size 7x7 --output-padding 0", ["--output-size and --output-padding"]),
            ("--mode same", ["--mode is 'same'", "2-D"]),
            ("--mode wrap", ["--mode", "wrap"]),
            ("--mode full --stride 2", ["both --mode and --stride"]),
        ]:
            with self.subTest(flags):
                arguments = ["x.npy", "k.npy", *flags.split()]
                self.assert_rejected("convolve", *arguments, "-o", "y.npy", mentions=mentions)
                self.assert_rejected("check", *arguments, mentions=mentions)

    def test_valid_wants_one_to_be_the_larger(self):
        self.save("x.npy", random(5, 2))
        self.save("k.npy", random(3, 3))
        self.assert_rejected(
            "convolve", "x.npy", "k.npy", "-o", "y.npy", "--mode", "valid", mentions=["--mode"]
        )

    def test_fields_of_a_case_stand_in_its_name(self):
        self.assert_rejected("check", "--case", "8x8_k5x5", "--stride", 2, mentions=["case's name"])


if __name__ == "__main__":
    unittest.main()
