"""Full convolutions of tensors of any type of numbers, by those of float, double and integers.

x has the axes [N, K, H, W], k has [K, C / groups, h, w], y has [N, C, rows, columns].
"""

from typing import NamedTuple

import numpy as np

from . import _core


class Layer(NamedTuple):
    """What a layer is beside its shapes, as the compiled part takes it."""

    padding: tuple = (0, 0, 0, 0)  # top, left, bottom, right
    stride: tuple = (1, 1)
    dilation: tuple = (1, 1)
    output_padding: tuple = (0, 0)
    groups: int = 1

    def output_size(self, axis, size, taps):
        """Rows (axis 0) or columns (axis 1) of y."""
        padding = self.padding[axis] + self.padding[axis + 2]
        return self.full_size(axis, size, taps) - padding + self.output_padding[axis]

    def full_size(self, axis, size, taps):
        """The same before padding is left out."""
        return (size - 1) * self.stride[axis] + (taps - 1) * self.dilation[axis] + 1

    def output_shape(self, x_shape, k_shape):
        N, _, H, W = x_shape
        _, C, h, w = k_shape
        return (N, C * self.groups, self.output_size(0, H, h), self.output_size(1, W, w))


def convolve(x, k, layer=Layer(), algorithm="auto", threads=None, workspace_limit=None):
    """Both operands are of one type, and neither is empty. y lies in memory as x does: channels
    last, if x has them last. The limit is in bytes, of what a plan holds beside the operands."""
    dtype = x.dtype
    how = (layer, algorithm, threads, workspace_limit)
    if dtype in (np.complex64, np.complex128):
        return _convolve_complex(x, k, *how)
    if dtype == np.float16:
        return _convolve_as(np.float64, x, k, *how).astype(dtype)
    if dtype == bool:
        # NumPy's sum of bools says whether any is true.
        return _convolve_as(np.int64, x, k, *how) != 0
    if dtype in (np.float32, np.float64) or dtype.kind in "iu":
        y = _empty_like(x, layer.output_shape(x.shape, k.shape), dtype)
        _core.convolve_tensors(_addressable(x), _addressable(k), y, *how)
        return y
    return _scatter(x, k, layer)


def _convolve_as(dtype, x, k, *how):
    return convolve(x.astype(dtype), k.astype(dtype), *how)


def _empty_like(x, shape, dtype):
    N, C, R, S = shape
    if x.shape[1] > 1 and x.strides[1] == x.itemsize and not x.flags.c_contiguous:
        return np.empty((N, R, S, C), dtype).transpose(0, 3, 1, 2)
    return np.empty(shape, dtype)


def _addressable(array):
    """The array, or a copy where its elements do not lie as the compiled part can take them."""
    itemsize = array.itemsize
    whole = array.flags.aligned and all(stride % itemsize == 0 for stride in array.strides)
    return array if whole else array.copy()


def _convolve_complex(x, k, layer, *how):
    """A layer with twice the channels: re = re*re - im*im, im = re*im + im*re."""
    N, K, H, W = x.shape
    _, C, h, w = k.shape
    x_parts = np.stack([x.real, x.imag], axis=2).reshape(N, 2 * K, H, W)
    k_parts = np.empty((K, 2, C, 2, h, w), x.real.dtype)
    k_parts[:, 0, :, 0] = k.real
    k_parts[:, 1, :, 0] = -k.imag
    k_parts[:, 0, :, 1] = k.imag
    k_parts[:, 1, :, 1] = k.real
    y_parts = convolve(x_parts, k_parts.reshape(2 * K, 2 * C, h, w), layer, *how)
    y = _empty_like(x, layer.output_shape(x.shape, k.shape), x.dtype)
    y.real = y_parts[:, 0::2]
    y.imag = y_parts[:, 1::2]
    return y


def _scatter(x, k, layer):
    """The definition, for types that the library knows nothing of: each tap times the image."""
    N, K, H, W = x.shape
    _, C, h, w = k.shape
    (top, left, _, _), (s, t), (d, e), (extra_rows, extra_columns), groups = layer
    full = np.zeros(
        (
            N,
            C * groups,
            layer.full_size(0, H, h) + extra_rows,
            layer.full_size(1, W, w) + extra_columns,
        ),
        x.dtype,
    )
    for o, c, p, q in np.ndindex(k.shape):
        reached = full[:, o // (K // groups) * C + c, p * d :: s, q * e :: t]
        reached[:, :H, :W] += x[:, o] * k[o, c, p, q]
    _, _, rows, columns = layer.output_shape(x.shape, k.shape)
    return full[:, :, top : top + rows, left : left + columns].copy()
