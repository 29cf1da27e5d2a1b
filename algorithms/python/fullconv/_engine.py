"""Full convolutions of tensors of any type of numbers, by those of float and double.

x has the axes [N, K, H, W], k has [K, C, h, w], y has [N, C, H + h - 1, W + w - 1].
"""

import numpy as np

from . import _core


def convolve(x, k, algorithm="auto", threads=None):
    """Both operands are of one type, and none is empty."""
    dtype = x.dtype
    if dtype in (np.float32, np.float64):
        return _core.convolve_tensors(_addressable(x), _addressable(k), algorithm, threads)
    if dtype in (np.complex64, np.complex128):
        return _convolve_complex(x, k, algorithm, threads)
    if dtype == np.float16:
        wide = np.float32
        return convolve(x.astype(wide), k.astype(wide), algorithm, threads).astype(dtype)
    if dtype == bool:
        # NumPy's sum of bools says whether any is true.
        wide = np.int64
        return convolve(x.astype(wide), k.astype(wide), algorithm, threads) != 0
    if dtype.kind in "iu":
        # Sums wrap around as NumPy's do, and are exact otherwise.
        return _core.convolve_integers(_addressable(x), _addressable(k), algorithm, threads)
    return _scatter(x, k)


def _addressable(array):
    """The array, or a copy where its elements do not lie as the compiled part can take them."""
    itemsize = array.itemsize
    whole = array.flags.aligned and all(stride % itemsize == 0 for stride in array.strides)
    return array if whole else array.copy()


def _convolve_complex(x, k, algorithm, threads):
    """A layer with twice the channels: re = re*re - im*im, im = re*im + im*re."""
    N, K, H, W = x.shape
    _, C, h, w = k.shape
    real = x.real.dtype
    # [N, K, H, W, 2] -> [N, 2K, H, W]
    x_parts = np.stack([x.real, x.imag], axis=2).reshape(N, 2 * K, H, W)
    k_parts = np.empty((K, 2, C, 2, h, w), real)
    k_parts[:, 0, :, 0] = k.real
    k_parts[:, 1, :, 0] = -k.imag
    k_parts[:, 0, :, 1] = k.imag
    k_parts[:, 1, :, 1] = k.real
    y_parts = convolve(x_parts, k_parts.reshape(2 * K, 2 * C, h, w), algorithm, threads)
    y = np.empty((N, C, *y_parts.shape[2:]), x.dtype)
    y.real = y_parts[:, 0::2]
    y.imag = y_parts[:, 1::2]
    return y


def _scatter(x, k):
    """The definition, for types that the library knows nothing of: each tap times the image."""
    N, K, H, W = x.shape
    _, C, h, w = k.shape
    y = np.zeros((N, C, H + h - 1, W + w - 1), x.dtype)
    for o, c, p, q in np.ndindex(k.shape):
        y[:, c, p : p + H, q : q + W] += x[:, o] * k[o, c, p, q]
    return y
