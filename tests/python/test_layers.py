"""conv_transpose2d and conv2d_input are PyTorch's."""

import importlib.util
import itertools
import unittest

import numpy as np

import fullconv
from support import random

if importlib.util.find_spec("torch") is None:
    raise unittest.SkipTest("no torch (python3-torch)")

import torch

# Shapes of x and of the weights, and what the layer is.
LAYERS = (
    ((2, 4, 5, 6), (4, 3, 3, 2), {}),
    ((1, 1, 8, 8), (1, 1, 5, 5), {}),
    ((2, 4, 5, 6), (4, 3, 3, 2), {"padding": 1}),
    ((2, 4, 5, 6), (4, 3, 3, 2), {"padding": (1, 0)}),
    ((2, 4, 5, 6), (4, 3, 3, 4), {"stride": 2}),
    ((2, 4, 5, 6), (4, 3, 3, 4), {"stride": (3, 2), "padding": (0, 1), "output_padding": (2, 1)}),
    ((2, 4, 5, 6), (4, 3, 3, 2), {"dilation": 2}),
    ((2, 4, 5, 6), (4, 3, 2, 3), {"dilation": (2, 3), "stride": (3, 2), "output_padding": (2, 2)}),
    ((2, 4, 5, 6), (4, 3, 3, 2), {"groups": 2}),
    ((2, 6, 5, 6), (6, 1, 3, 3), {"groups": 6, "stride": 2, "padding": 1, "output_padding": 1}),
    ((1, 16, 10, 9), (16, 8, 4, 4), {"stride": 2, "padding": 1}),
    ((4, 5, 6), (4, 2, 1, 3), {"stride": [2]}),
    ((0, 4, 5, 6), (4, 3, 3, 2), {"stride": 2}),
)


def absolute(x, weight, options):
    """Sums of absolute products, and with them what sums may err by: n * u each, twice."""
    return torch.nn.functional.conv_transpose2d(x.abs().double(), weight.abs().double(), **options)


class Layers(unittest.TestCase):
    def assert_close(self, given, expected, x, weight, options):
        self.assertEqual(type(given), type(expected))
        self.assertEqual((given.dtype, given.shape), (expected.dtype, expected.shape))
        if given.numel() == 0:
            return
        if not given.dtype.is_floating_point and not given.dtype.is_complex:
            self.assertTrue(torch.equal(given, expected))
            return
        # Normwise, since auto may take transforms: each output's bound is that of the largest.
        terms = 4 * weight.shape[-1] * weight.shape[-2] * weight.shape[0] + 64
        limit = terms * torch.finfo(given.dtype).eps * absolute(x, weight, options).max()
        self.assertLessEqual((given - expected).abs().max().item(), limit.item())

    def test_conv_transpose2d(self):
        for (shape, weight_shape, options), dtype in itertools.product(
            LAYERS, (torch.float32, torch.float64, torch.int64)
        ):
            with self.subTest(x=shape, weight=weight_shape, options=options, dtype=dtype):
                x = torch.from_numpy(10 * random(*shape)).to(dtype)
                weight = torch.from_numpy(10 * random(*weight_shape, seed=1)).to(dtype)
                bias = torch.arange(weight_shape[1] * options.get("groups", 1)).to(dtype)
                for add in (None, bias):
                    expected = torch.nn.functional.conv_transpose2d(x, weight, add, **options)
                    given = fullconv.conv_transpose2d(x, weight, add, **options)
                    self.assert_close(given, expected, x, weight, options)

    def test_every_algorithm(self):
        for (shape, weight_shape, options), algorithm in itertools.product(
            LAYERS, fullconv.algorithms()
        ):
            with self.subTest(x=shape, options=options, algorithm=algorithm["name"]):
                x, weight = (torch.from_numpy(random(*s)) for s in (shape, weight_shape))
                expected = torch.nn.functional.conv_transpose2d(x, weight, **options)
                try:
                    given = fullconv.conv_transpose2d(
                        x, weight, **options, algorithm=algorithm["name"]
                    )
                except ValueError as error:
                    self.assertIn("declined", str(error))
                    continue
                self.assert_close(given, expected, x, weight, options)

    def test_conv2d_input(self):
        for size, weight_shape, options in (
            ((2, 3, 7, 7), (4, 3, 3, 2), {}),
            ((2, 3, 12, 13), (4, 3, 3, 4), {"stride": 2}),
            ((2, 3, 11, 12), (4, 3, 3, 4), {"stride": 2, "padding": 1}),
            ((2, 3, 14, 16), (4, 3, 3, 3), {"stride": (3, 4), "padding": (2, 0)}),
            ((2, 3, 9, 10), (4, 3, 2, 3), {"dilation": (3, 2), "stride": 2}),
            ((2, 6, 9, 10), (4, 3, 3, 3), {"groups": 2, "padding": 1}),
            ((0, 3, 7, 7), (4, 3, 3, 2), {}),
        ):
            with self.subTest(size=size, options=options):
                weight = torch.from_numpy(random(*weight_shape, seed=1))
                layer = torch.nn.functional.conv2d(
                    torch.zeros(size, dtype=torch.float64), weight, **options
                )
                x = torch.from_numpy(random(*layer.shape))
                expected = torch.nn.grad.conv2d_input(size, weight, x, **options)
                for form in (size, list(size), torch.Size(size)):
                    given = fullconv.conv2d_input(form, weight, x, **options)
                    self.assertEqual(given.shape, expected.shape)
                    torch.testing.assert_close(given, expected, rtol=0, atol=1e-12)

    def test_numpy_arrays_give_numpy_arrays(self):
        for shape, weight_shape, options in LAYERS:
            with self.subTest(x=shape, options=options):
                x, weight = random(*shape), random(*weight_shape, seed=1)
                given = fullconv.conv_transpose2d(x, weight, **options)
                self.assertIs(type(given), np.ndarray)
                same = fullconv.conv_transpose2d(
                    torch.from_numpy(x), torch.from_numpy(weight), **options
                )
                np.testing.assert_array_equal(given, same.numpy())

    def test_other_types(self):
        """Those that PyTorch computes and those that it does not, by its double or complex."""
        x, weight = torch.from_numpy(random(2, 4, 5, 6)), torch.from_numpy(random(4, 3, 3, 2))
        exact = torch.nn.functional.conv_transpose2d(x, weight, stride=2)
        for dtype in (torch.float16, torch.bfloat16):
            given = fullconv.conv_transpose2d(x.to(dtype), weight.to(dtype), stride=2)
            self.assertEqual((given.dtype, given.shape), (dtype, exact.shape))
            of_rounded = torch.nn.functional.conv_transpose2d(
                x.to(dtype).double(), weight.to(dtype).double(), stride=2
            )
            # Rounded once, from double.
            limit = torch.finfo(dtype).eps * of_rounded.abs() / 2 + 1e-12
            self.assertTrue(((given.double() - of_rounded).abs() <= limit).all())
        for dtype in (torch.complex64, torch.complex128):
            z = torch.complex(x, x.flip(3)).to(dtype)
            v = torch.complex(weight, weight.flip(0)).to(dtype)
            given = fullconv.conv_transpose2d(z, v, stride=2)
            self.assertEqual(given.dtype, dtype)
            parts = [
                torch.nn.functional.conv_transpose2d(a, b, stride=2)
                for a, b in itertools.product((x, x.flip(3)), (weight, weight.flip(0)))
            ]
            expected = torch.complex(parts[0] - parts[3], parts[1] + parts[2])
            limit = 1000 * torch.finfo(dtype).eps
            self.assertLessEqual((given - expected).abs().max().item(), limit)
            conjugate = fullconv.conv_transpose2d(z.conj(), v.conj(), stride=2)
            self.assertLessEqual((conjugate - expected.conj()).abs().max().item(), limit)
        for dtype in (torch.int32, torch.int8, torch.uint8):
            z, v = (10 * x).to(dtype), (10 * weight).to(dtype)
            given = fullconv.conv_transpose2d(z, v, stride=2)
            expected = torch.nn.functional.conv_transpose2d(z.long(), v.long(), stride=2)
            self.assertTrue(torch.equal(given, expected.to(dtype)))

    def test_padding_of_each_side(self):
        x, weight = torch.from_numpy(random(2, 4, 5, 6)), torch.from_numpy(random(4, 3, 3, 2))
        whole = torch.nn.functional.conv_transpose2d(x, weight, stride=2)
        given = fullconv.conv_transpose2d(x, weight, stride=2, padding=(1, 2, 3, 0))
        torch.testing.assert_close(given, whole[:, :, 1:-3, 2:], rtol=0, atol=1e-12)

    def test_channels_last(self):
        x = torch.from_numpy(random(2, 4, 5, 6)).contiguous(memory_format=torch.channels_last)
        weight = torch.from_numpy(random(4, 3, 3, 2, seed=1))
        weight = weight.contiguous(memory_format=torch.channels_last)
        expected = torch.nn.functional.conv_transpose2d(x, weight, stride=2)
        given = fullconv.conv_transpose2d(x, weight, stride=2)
        torch.testing.assert_close(given, expected, rtol=0, atol=1e-12)
        self.assertTrue(given.is_contiguous(memory_format=torch.channels_last))

    def test_operands_are_not_copied(self):
        # What NumPy sees of a tensor is the tensor's own memory.
        for tensor in (torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4, 5).transpose(1, 3)):
            array = fullconv._layers._Kind.of(x=tensor).to_numpy(tensor)
            self.assertEqual(array.ctypes.data, tensor.data_ptr())

    def test_anything_with_dlpack(self):
        class Foreign:
            """An array of another library, that lends its memory."""

            def __init__(self, array):
                self.array = array

            def __dlpack__(self, **options):
                return self.array.__dlpack__(**options)

            def __dlpack_device__(self):
                return self.array.__dlpack_device__()

            def __array_namespace__(self):
                class Namespace:
                    @staticmethod
                    def from_dlpack(array):
                        return Foreign(np.from_dlpack(array))

                return Namespace

        x, weight = random(2, 4, 5, 6), random(4, 3, 3, 2)
        given = fullconv.conv_transpose2d(Foreign(x), Foreign(weight))
        self.assertIs(type(given), Foreign)
        np.testing.assert_array_equal(given.array, fullconv.conv_transpose2d(x, weight))

    def test_dlpack_of_a_library_without_from_dlpack(self):
        class Lent:
            """Lends its memory, and can't take any."""

            def __init__(self, array):
                self.array = array

            def __dlpack__(self, **options):
                raise AssertionError("used")

            def __dlpack_device__(self):
                return self.array.__dlpack_device__()

        x, weight = random(2, 4, 5, 6), random(4, 3, 3, 2)
        with self.assertRaisesRegex(TypeError, "^argument 'x' is of type Lent, .*from_dlpack"):
            fullconv.conv_transpose2d(Lent(x), Lent(weight))

    def test_other_devices(self):
        class Elsewhere:
            def __init__(self, device):
                self.device = device

            def __dlpack__(self, **options):
                raise AssertionError("used")

            def __dlpack_device__(self):
                return self.device

        for array, name in (
            (Elsewhere((2, 1)), "CUDA:1"),
            (Elsewhere((99, 0)), "99:0"),
            (torch.zeros(1, 1, 2, 2, device="meta"), "meta"),
        ):
            with self.subTest(device=name):
                expected = f"^argument 'x' is in the memory of device {name}: expected"
                with self.assertRaisesRegex(TypeError, expected):
                    fullconv.conv_transpose2d(array, array)

    def test_types_are_compared_as_they_are_given(self):
        x, weight = torch.zeros(1, 1, 3, 3), torch.zeros(1, 1, 2, 2)
        for arguments in (
            (x.bfloat16(), weight.double()),
            (x.double(), weight.bfloat16()),
            (x.bfloat16(), weight.bfloat16(), torch.zeros(1).double()),
        ):
            with self.assertRaises(RuntimeError):
                torch.nn.functional.conv_transpose2d(*arguments)
            with self.assertRaisesRegex(RuntimeError, "bfloat16 and .*float64|float64 and .*bf"):
                fullconv.conv_transpose2d(*arguments)
        with self.assertRaisesRegex(RuntimeError, "bfloat16"):
            fullconv.conv2d_input((1, 1, 4, 4), weight.double(), x.bfloat16())

    def test_sizes_that_no_memory_holds(self):
        for options in (
            *({name: value} for name in ("stride", "dilation") for value in (2**40, 2**62, 2**70)),
            {"padding": 2**70},
            {"stride": 2**61, "padding": 2**61},
            {"stride": (1, 2**43)},
        ):
            for x in (np.ones((1, 1, 4, 4)), np.ones((1, 1, 4, 4), np.longdouble)):
                with self.subTest(options=options, dtype=x.dtype):
                    with self.assertRaises(RuntimeError) as caught:
                        fullconv.conv_transpose2d(x, np.ones((1, 1, 2, 2), x.dtype), **options)
                    self.assertNotIn("\n", str(caught.exception))

    def test_empty_batches_are_checked_as_others(self):
        x, weight = np.zeros((0, 1, 2, 2)), np.ones((1, 1, 2, 2))
        for dtype in ("U1", object):
            with self.assertRaisesRegex(RuntimeError, "not available"):
                fullconv.conv_transpose2d(x.astype(dtype), weight.astype(dtype))
        for options, error in (
            ({"algorithm": "nonsense"}, ValueError),
            ({"algorithm": 3}, TypeError),
            ({"threads": 0}, ValueError),
            ({"threads": "1"}, TypeError),
        ):
            with self.subTest(options=options), self.assertRaisesRegex(error, *options):
                fullconv.conv_transpose2d(x, weight, **options)
        big_endian = fullconv.conv_transpose2d(x.astype(">f8"), weight.astype(">f8"))
        self.assertTrue(big_endian.dtype.isnative)

    def test_errors_are_pytorchs(self):
        x, weight = torch.zeros(2, 4, 5, 6), torch.zeros(4, 3, 3, 2)
        for arguments, options in (
            ((x[0, 0], weight), {}),
            ((x[None], weight), {}),
            ((x, weight[0]), {}),
            ((x[:, :3], weight), {}),
            ((x, weight, torch.zeros(2)), {}),
            ((x, weight, torch.zeros(3, 1)), {}),
            ((x, weight, torch.zeros(3).double()), {}),
            ((x, weight.double()), {}),
            ((x, weight), {"stride": 0}),
            ((x, weight), {"stride": -1}),
            ((x, weight), {"stride": (2, 1, 1)}),
            ((x, weight), {"stride": 1.5}),
            ((x, weight), {"stride": None}),
            ((x, weight), {"stride": "1"}),
            ((x, weight), {"padding": -1}),
            ((x, weight), {"padding": 4}),
            ((x, weight), {"padding": "same"}),
            ((x, weight), {"output_padding": 1}),
            ((x, weight), {"output_padding": 2, "stride": 2}),
            ((x, weight), {"output_padding": -1, "stride": 2}),
            ((x, weight), {"groups": 3}),
            ((x, weight), {"groups": 0}),
            ((x, weight), {"groups": 1.0}),
            ((x, weight), {"dilation": 0}),
            ((x[:, :0], weight[:0]), {}),
            ((x[:, :, :0], weight), {}),
            ((x, weight[:, :0]), {}),
            ((x, weight[:, :, :0]), {}),
            ((None, weight), {}),
            ((x, None), {}),
            ((x, [[1.0]]), {}),
        ):
            with self.subTest(arguments=arguments, options=options):
                with self.assertRaises(Exception) as expected:
                    torch.nn.functional.conv_transpose2d(*arguments, **options)
                with self.assertRaises(type(expected.exception)) as caught:
                    fullconv.conv_transpose2d(*arguments, **options)
                self.assertEqual(str(caught.exception).count("\n"), 0)
        for arguments, options in (
            (((2, 3, 9, 7), weight, x), {}),
            (((2, 4, 7, 7), weight, x), {}),
            (((3, 3, 7, 7), weight, x), {}),
            (((2, 3, 13, 13), weight, x), {"stride": 2}),
            (((7, 7), weight, x), {}),
            (((3, 7, 7), weight, x[0]), {}),
            ((None, weight, x), {}),
            (((2, 3, 7, 7), weight, x.double()), {}),
        ):
            with self.subTest(arguments=arguments, options=options):
                with self.assertRaises(Exception) as expected:
                    torch.nn.grad.conv2d_input(*arguments, **options)
                with self.assertRaises(type(expected.exception)):
                    fullconv.conv2d_input(*arguments, **options)

    def test_bad_kinds(self):
        x, weight = random(2, 4, 5, 6), random(4, 3, 3, 2)
        with self.assertRaisesRegex(TypeError, "different kinds"):
            fullconv.conv_transpose2d(torch.from_numpy(x), weight)
        with self.assertRaisesRegex(RuntimeError, "grad"):
            fullconv.conv_transpose2d(
                torch.from_numpy(x).requires_grad_(), torch.from_numpy(weight)
            )
        with self.assertRaisesRegex(RuntimeError, "object"):
            fullconv.conv_transpose2d(x.astype(object), weight.astype(object))
        with self.assertRaisesRegex(ValueError, "nonsense"):
            fullconv.conv_transpose2d(x, weight, algorithm="nonsense")


if __name__ == "__main__":
    unittest.main()
