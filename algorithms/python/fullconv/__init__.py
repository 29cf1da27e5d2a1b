"""Full 2-D convolutions, the gradient of a convolution layer with respect to its input.

>>> import fullconv
>>> fullconv.convolve2d([[1, 2], [3, 4]], [[1, 10]])
array([[ 1, 12, 20],
       [ 3, 34, 40]])

Nothing is loaded, NumPy included, before it is used.
"""

import importlib

_HOMES = {
    "Finding": "_check",
    "Plan": "_plans",
    "algorithms": "_plans",
    "check": "_check",
    "conv2d_input": "_layers",
    "conv_transpose2d": "_layers",
    "convolve2d": "_planes",
    "plan": "_plans",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    home = "_core" if name == "__version__" else _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'fullconv' has no attribute '{name}'")
    value = getattr(importlib.import_module("." + home, __name__), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})
