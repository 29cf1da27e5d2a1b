"""Is my full convolution right?

The gradient of a convolution layer with respect to its input is a full convolution: an 8x8 gradient
and a 5x5 filter give 12x12. This is how it is written first, with three branches for each axis, and
how to find out whether it is right.
"""

import numpy as np

import fullconv


def branch(i, size, taps):
    """Which rows of the image meet which rows of the filter in output row i."""
    if i < taps - 1:  # head: the filter enters the image
        return slice(0, i + 1), slice(0, i + 1)
    elif i < size:  # middle
        return slice(i - taps + 1, i + 1), slice(0, taps)
    else:  # tail: it leaves
        return slice(i - taps + 1, size), slice(0, size + taps - 1 - i)


def mine(x, k, branch=branch):
    f = k[::-1, ::-1]  # a convolution flips the filter
    y = np.zeros((x.shape[0] + k.shape[0] - 1, x.shape[1] + k.shape[1] - 1))
    for i in range(y.shape[0]):
        rows, p = branch(i, x.shape[0], k.shape[0])
        for j in range(y.shape[1]):
            columns, q = branch(j, x.shape[1], k.shape[1])
            y[i, j] = (x[rows, columns] * f[p, q]).sum()
    return y


# A test with ones passes: each product is 1, whichever end of the filter it comes from.
ones = fullconv.check(mine, np.ones((8, 8)), np.ones((5, 5)))
print("ones:", ones)
assert ones

# With numbers that differ it does not. Rows and columns of the head are wrong.
generator = np.random.default_rng(1)
x, k = generator.normal(size=(8, 8)), generator.normal(size=(5, 5))
random = fullconv.check(mine, x, k)
print("random:", random)
assert not random


def corrected(i, size, taps):
    if i < taps - 1:  # the end of the filter enters first
        return slice(0, i + 1), slice(taps - 1 - i, taps)
    return branch(i, size, taps)


right = fullconv.check(lambda x, k: mine(x, k, corrected), x, k)
print("corrected:", right)
assert right

# The same by one call.
assert np.allclose(fullconv.convolve2d(x, k), mine(x, k, corrected))
