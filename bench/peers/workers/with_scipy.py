"""scipy.signal's three ways to a full convolution. See worker.py."""

from __future__ import annotations

import inspect
import platform
from collections.abc import Callable
from contextlib import AbstractContextManager
from math import prod
from typing import Any

import numpy as np
import scipy
from numpy_arrays import Function, copy, view  # noqa: F401, the worker calls them
from scipy import fft, signal


def version() -> str:
    """fft.set_workers and signal.oaconvolve came with SciPy 1.4."""
    if not hasattr(fft, "set_workers"):
        raise ImportError(f"SciPy {scipy.__version__} is too old: 1.4 or newer is wanted")
    return f"SciPy {scipy.__version__} (NumPy {np.__version__}, Python {platform.python_version()})"


class _Listener:
    """A backend of scipy.fft that computes nothing: it notes what is asked for and passes it on."""

    __ua_domain__ = "numpy.scipy.fft"

    def __init__(self) -> None:
        self.transforms: list[str] = []

    def __ua_function__(self, method: Callable, args: tuple, kwargs: dict) -> Any:
        bound = inspect.signature(method).bind(*args, **kwargs).arguments
        lengths, axes = list(bound["s"]), [axis % bound["x"].ndim for axis in bound["axes"]]
        count = prod(n for axis, n in enumerate(bound["x"].shape) if axis not in axes)
        several = f"{count} of " if count > 1 else ""
        self.transforms.append(f"{method.__name__} {several}{'x'.join(map(str, lengths))}")
        return NotImplemented


def describe(call: Callable[[], np.ndarray]) -> str:
    """The transforms that it runs, with how many of which size: "rfftn 4 of 288x288, ...". SciPy
    does not tell of instruction sets."""
    listener = _Listener()
    with fft.set_backend(listener):
        call()
    return ", ".join(listener.transforms) or "no transforms"


threads: Callable[[int], AbstractContextManager] = fft.set_workers


def _sum_of_planes(x: np.ndarray, k: np.ndarray) -> np.ndarray:
    """convolve2d takes planes: y[n,c] = Σ_o x[n,o] ∗ k[o,c], one by one."""
    (N, K, H, W), (_, C, h, w) = x.shape, k.shape
    y = np.zeros((N, C, H + h - 1, W + w - 1), x.dtype)
    for n in range(N):
        for c in range(C):
            for o in range(K):
                y[n, c] += signal.convolve2d(x[n, o], k[o, c])
    return y


def _sum_of_all(convolve: Function) -> Function:
    """The others broadcast over all axes but those they convolve: [N,K,1,H,W] ∗ [1,K,C,h,w]."""

    def convolve_layer(x: np.ndarray, k: np.ndarray) -> np.ndarray:
        return convolve(x[:, :, None], k[None], axes=(3, 4)).sum(axis=1)

    return convolve_layer


FUNCTIONS: dict[str, tuple[Function, Function]] = {
    "convolve2d": (signal.convolve2d, _sum_of_planes),
    "fftconvolve": (signal.fftconvolve, _sum_of_all(signal.fftconvolve)),
    "oaconvolve": (signal.oaconvolve, _sum_of_all(signal.oaconvolve)),
}


def call(
    function: str, problem: Any, x: np.ndarray, k: np.ndarray
) -> tuple[Function, np.ndarray, np.ndarray]:
    """A single plane is given to the library as it is."""
    on_planes, on_layers = FUNCTIONS[function]
    if x.shape[:2] == k.shape[:2] == (1, 1):
        return on_planes, x[0, 0], k[0, 0]
    return on_layers, x, k
