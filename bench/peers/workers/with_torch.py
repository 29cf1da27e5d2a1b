"""PyTorch's ways to a full convolution: the transposed convolution, whose weights are laid out
[K,C,h,w], as ours; the gradient that training asks for; and conv2d of the padded image with the
flipped kernel. See worker.py."""

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
from torch.nn import functional

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
    if (major, minor) < (1, 11):
        raise ImportError(f"PyTorch {torch.__version__} is too old: 1.11 or newer is wanted")
    if _OPENBLAS is None:
        return f"PyTorch {torch.__version__}"
    _OPENBLAS.openblas_get_config.restype = ctypes.c_char_p
    blas = " ".join(_OPENBLAS.openblas_get_config().decode().split()[:2])
    threading = ("serial", "pthreads", "OpenMP")[_OPENBLAS.openblas_get_parallel()]
    return f"PyTorch {torch.__version__} ({blas}, {threading})"


def view(memory: mmap.mmap, scalar: str, offset: int, shape: tuple[int, ...]) -> torch.Tensor:
    flat = torch.frombuffer(memory, dtype=SCALARS[scalar], count=prod(shape), offset=offset)
    return flat.view(shape)


def _memory_format(function: str) -> torch.memory_format:
    return torch.channels_last if function.endswith("_nhwc") else torch.contiguous_format


def copy(function: str, array: torch.Tensor) -> torch.Tensor:
    """Laid out as it is where a program keeps all of its tensors so."""
    return array.clone(memory_format=_memory_format(function))


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


Function = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _conv2d_input(y: torch.Tensor) -> Function:
    """What autograd calls where the gradient with respect to the input is all that is asked for.
    Of that input, which a training step has kept, it sees shape and layout: those of y."""

    def conv2d_input(x: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return torch.ops.aten.convolution_backward(
            x, y, k, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1, (True, False, False)
        )[0]

    return conv2d_input


def _conv2d_flipped(x: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    h, w = k.shape[2:]
    return functional.conv2d(x, k.flip(2, 3).transpose(0, 1), padding=(h - 1, w - 1))


def call(
    function: str, x: torch.Tensor, k: torch.Tensor
) -> tuple[Function, torch.Tensor, torch.Tensor]:
    if function.startswith("conv2d_input"):
        (N, _, H, W), (_, C, h, w) = x.shape, k.shape
        y = torch.zeros((N, C, H + h - 1, W + w - 1), dtype=x.dtype)
        return _conv2d_input(y.to(memory_format=_memory_format(function))), x, k
    functions = {
        "conv_transpose2d": functional.conv_transpose2d,
        "conv2d_flipped": _conv2d_flipped,
        "conv2d_flipped_nhwc": _conv2d_flipped,
    }
    return functions[function], x, k
