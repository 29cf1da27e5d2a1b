"""torch.nn.functional.conv_transpose2d, whose weights are laid out [K,C,h,w], as ours. See
worker.py."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from math import prod

import torch
from torch.nn.functional import conv_transpose2d

SCALARS = {"f32": torch.float32, "f64": torch.float64}

OMP_PAUSE_HARD = 2


def _loaded(library: str) -> ctypes.CDLL | None:
    """A shared library that this process already uses."""
    try:
        return ctypes.CDLL(library, mode=os.RTLD_NOW | os.RTLD_NOLOAD)
    except OSError:
        return None


_OPENMP = _loaded("libgomp.so.1")
_OPENBLAS = _loaded("libopenblas.so.0")


def version() -> str:
    """With the BLAS behind it, on which its speed depends."""
    major, minor = map(int, re.match(r"(\d+)\.(\d+)", torch.__version__).groups())
    if (major, minor) < (1, 10):
        raise ImportError(f"PyTorch {torch.__version__} is too old: 1.10 or newer is wanted")
    if _OPENBLAS is None:
        return f"PyTorch {torch.__version__}"
    _OPENBLAS.openblas_get_config.restype = ctypes.c_char_p
    blas = " ".join(_OPENBLAS.openblas_get_config().decode().split()[:2])
    threading = ("serial", "pthreads", "OpenMP")[_OPENBLAS.openblas_get_parallel()]
    return f"PyTorch {torch.__version__} ({blas}, {threading})"


def view(memory: mmap.mmap, scalar: str, offset: int, shape: tuple[int, ...]) -> torch.Tensor:
    flat = torch.frombuffer(memory, dtype=SCALARS[scalar], count=prod(shape), offset=offset)
    return flat.view(shape)


copy = torch.clone


@lru_cache(maxsize=1)  # only where it changes
def _use_threads(count: int) -> None:
    """OpenBLAS may have threads of its own."""
    torch.set_num_threads(count)
    if _OPENBLAS is not None:
        _OPENBLAS.openblas_set_num_threads(count)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Threads are started before and ended after: idle ones spin for milliseconds, and would take
    the processor from whoever runs next."""
    _use_threads(count)
    with torch.inference_mode():
        if count > 1:
            torch.zeros(count * 32768)  # as many pieces as threads
        yield
    if count > 1 and _OPENMP is not None:
        _OPENMP.omp_pause_resource_all(OMP_PAUSE_HARD)


def call(
    function: str, x: torch.Tensor, k: torch.Tensor
) -> tuple[Callable[..., torch.Tensor], torch.Tensor, torch.Tensor]:
    return {"conv_transpose2d": conv_transpose2d}[function], x, k
