"""The oracle against PyTorch's autograd of conv2d in double precision, on layers with every field.
Operands are integers, so that both are exact."""

import os
import subprocess
import unittest

import numpy

LAYERS = 10_000


def random_layer(draw):
    """Fields of a layer that PyTorch has, too: padding is the same on both sides of an axis."""
    groups = int(draw.integers(1, 4))
    layer = {
        "groups": groups,
        "batch": int(draw.integers(1, 4)),
        "outputs": groups * int(draw.integers(1, 4)),
        "inputs": groups * int(draw.integers(1, 4)),
        "kernel": tuple(map(int, draw.integers(1, 5, 2))),
        "stride": tuple(map(int, draw.integers(1, 5, 2))),
        "dilation": tuple(map(int, draw.integers(1, 5, 2))),
        "padding": tuple(map(int, draw.integers(0, 4, 2))),
        "size": tuple(map(int, draw.integers(1, 20, 2))),
    }
    reach = [d * (k - 1) + 1 for d, k in zip(layer["dilation"], layer["kernel"])]
    spaces = [s + 2 * p - r for s, p, r in zip(layer["size"], layer["padding"], reach)]
    layer["rest"] = [space % s for space, s in zip(spaces, layer["stride"])]
    layer["image"] = [space // s + 1 for space, s in zip(spaces, layer["stride"])]
    return layer if min(spaces) >= 0 else random_layer(draw)


def name_of(layer):
    (H, W), (h, w) = layer["image"], layer["kernel"]
    top, left = layer["padding"]
    name = f"n{layer['batch']}_i{layer['outputs']}_o{layer['inputs']}_{H}x{W}_k{h}x{w}"
    name += f"_p{top}x{left}x{top}x{left}"
    for tag, field in (("s", "stride"), ("d", "dilation")):
        name += f"_{tag}{layer[field][0]}x{layer[field][1]}"
    return name + f"_g{layer['groups']}_op{layer['rest'][0]}x{layer['rest'][1]}"


class AgainstPyTorch(unittest.TestCase):
    def test_random_layers(self):
        try:
            import torch
        except ImportError:
            self.skipTest("PyTorch is not installed")
        torch.set_num_threads(1)
        draw = numpy.random.default_rng(22)
        oracle = subprocess.Popen(
            [os.environ["FULLCONV_ORACLE"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.addCleanup(oracle.stdout.close)
        for _ in range(LAYERS):
            layer = random_layer(draw)
            x = draw.integers(-9, 10, (layer["batch"], layer["outputs"], *layer["image"]))
            group_inputs = layer["inputs"] // layer["groups"]
            k = draw.integers(-9, 10, (layer["outputs"], group_inputs, *layer["kernel"]))
            x, k = x.astype(float), k.astype(float)
            u = torch.zeros(layer["batch"], layer["inputs"], *layer["size"], dtype=torch.float64)
            u.requires_grad_()
            z = torch.nn.functional.conv2d(
                u, torch.from_numpy(k), None, layer["stride"], layer["padding"],
                layer["dilation"], layer["groups"],
            )  # fmt: skip
            z.backward(torch.from_numpy(x))
            oracle.stdin.write(f"{name_of(layer)}\n".encode() + x.tobytes() + k.tobytes())
            oracle.stdin.flush()
            expected = u.grad.numpy()
            answer = oracle.stdout.read(expected.nbytes)
            y = numpy.frombuffer(answer).reshape(expected.shape)
            numpy.testing.assert_array_equal(y, expected, err_msg=name_of(layer))
        oracle.stdin.close()
        self.assertEqual(oracle.wait(timeout=60), 0)


if __name__ == "__main__":
    unittest.main()
