"""What the tests of the Python module share."""

import numpy as np


def random(*shape, dtype=np.float64, seed=0, largest=100):
    """Values without any symmetry; whole numbers up to `largest` for integers."""
    generator = np.random.default_rng((seed, *shape))
    dtype = np.dtype(dtype)
    if dtype == bool:
        return generator.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        largest = min(largest, np.iinfo(dtype).max)
        smallest = 0 if dtype.kind == "u" else -largest
        return generator.integers(smallest, largest, shape, endpoint=True, dtype=dtype)
    values = generator.uniform(-1, 1, shape)
    if dtype.kind == "c":
        values = values + 1j * generator.uniform(-1, 1, shape)
    return values.astype(dtype)


def bound(x, k, dtype):
    """What errors of floating point may come to: the library's bound on transforms, normwise.

    u * (16 * log2(P) + K) * ||x|| * ||k|| + 16 * u * log2(P) * ||y||, P the points of the
    transform, of which there may be twice as many as y has on each axis; ||y|| is at most
    ||x|| * sum|k|. Complex numbers are twice the channels, and what it is held against has an error
    of its own.
    """
    unit = np.finfo(dtype).eps / 2
    points = 4.0 * np.prod([a + b for a, b in zip(x.shape[-2:], k.shape[-2:])])
    channels = 2 * (k.shape[0] if k.ndim == 4 else 1)
    norms = np.linalg.norm(x.astype(complex)) * np.linalg.norm(k.astype(complex))
    y_norm = np.linalg.norm(x.astype(complex)) * np.abs(k.astype(complex)).sum()
    log_points = np.log2(points)
    return 2 * unit * ((16 * log_points + channels) * norms + 16 * log_points * y_norm)
