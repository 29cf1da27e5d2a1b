"""Gradients, and gradients of gradients, of the layers for PyTorch."""

import importlib.util
import unittest

if importlib.util.find_spec("torch") is None:
    raise unittest.SkipTest("no torch (python3-torch)")

import torch
from torch.autograd import gradcheck, gradgradcheck

import fullconv.torch
from support import random

LAYERS = (
    {},
    {"padding": 1},
    {"stride": 2},
    {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2)},
    {"dilation": 2, "stride": 2, "output_padding": 1},
    {"dilation": 3, "output_padding": 2},
    {"groups": 2},
)


def tensor(*shape, seed=0):
    return torch.from_numpy(random(*shape, seed=seed)).requires_grad_()


class Gradients(unittest.TestCase):
    def test_of_conv_transpose2d(self):
        for options in LAYERS:
            with self.subTest(options=options):
                x, weight, bias = tensor(2, 4, 3, 4), tensor(4, 2, 2, 3), tensor(2, seed=2)
                if "groups" in options:
                    bias = tensor(4)

                def ours(*operands):
                    return fullconv.torch.conv_transpose2d(*operands, **options)

                theirs = torch.nn.functional.conv_transpose2d(x, weight, bias, **options)
                torch.testing.assert_close(ours(x, weight, bias), theirs, rtol=0, atol=1e-12)
                self.assertTrue(gradcheck(ours, (x, weight, bias)))
                self.assertTrue(gradgradcheck(ours, (x, weight, bias)))

    def test_of_conv2d(self):
        for options in LAYERS:
            options = {key: value for key, value in options.items() if key != "output_padding"}
            with self.subTest(options=options):
                channels = 2 * options.get("groups", 1)
                x, weight, bias = tensor(2, channels, 6, 8), tensor(4, 2, 2, 3), tensor(4, seed=2)

                def ours(*operands):
                    return fullconv.torch.conv2d(*operands, **options)

                theirs = torch.nn.functional.conv2d(x, weight, bias, **options)
                torch.testing.assert_close(ours(x, weight, bias), theirs, rtol=0, atol=1e-12)
                self.assertTrue(gradcheck(ours, (x, weight, bias)))
                self.assertTrue(gradgradcheck(ours, (x, weight, bias)))

    def test_train_as_pytorchs_do(self):
        x, weight = tensor(2, 3, 9, 10), tensor(4, 3, 3, 3)
        gradients = []
        for layer in (fullconv.torch.conv2d, torch.nn.functional.conv2d):
            loss = layer(x, weight, stride=2, padding=1).tanh().square().sum()
            gradients.append(torch.autograd.grad(loss, (x, weight)))
        for ours, theirs in zip(*gradients):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


if __name__ == "__main__":
    unittest.main()
