"""This library's own Python module, on NumPy arrays. See worker.py."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import fullconv
import numpy as np
from numpy_arrays import Function, copy, view  # noqa: F401, the worker calls them

OMP_PAUSE_HARD = 2


def version() -> str:
    fullconv.algorithms()  # it loads nothing before it is used
    python = platform.python_version()
    return f"fullconv {fullconv.__version__} (NumPy {np.__version__}, Python {python})"


def describe(call: Callable[[], np.ndarray]) -> str:
    """Plans do not say what they run."""
    return ""


_threads = 1  # of each call


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Threads are started before and ended after: idle ones spin for milliseconds, and would take
    the processor from whoever runs next."""
    global _threads
    _threads = count
    if count == 1:
        yield
        return
    image = np.ones((256, 256), np.float32)
    fullconv.convolve2d(image, image[:15, :15], threads=count)
    yield
    openmp = ctypes.CDLL("libgomp.so.1", mode=os.RTLD_NOW | os.RTLD_NOLOAD)
    openmp.omp_pause_resource_all(OMP_PAUSE_HARD)


def _convolve2d(x: np.ndarray, k: np.ndarray) -> np.ndarray:
    return fullconv.convolve2d(x, k, threads=_threads)


def call(
    function: str, problem: Any, x: np.ndarray, k: np.ndarray
) -> tuple[Function, np.ndarray, np.ndarray]:
    """A plane without anything that a layer has is convolve2d's; all else is conv_transpose2d's."""
    if function != "convolve":
        raise LookupError(function)
    if x.shape[:2] == k.shape[:2] == (1, 1) and problem.is_dense:
        return _convolve2d, x[0, 0], k[0, 0]
    options = {
        "stride": problem.stride,
        "padding": (problem.top, problem.left, problem.bottom, problem.right),
        "output_padding": problem.output_padding,
        "groups": problem.groups,
        "dilation": problem.dilation,
    }

    def conv_transpose2d(x: np.ndarray, k: np.ndarray) -> np.ndarray:
        return fullconv.conv_transpose2d(x, k, threads=_threads, **options)

    return conv_transpose2d, x, k
