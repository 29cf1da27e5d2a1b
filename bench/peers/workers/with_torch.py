"""PyTorch's ways to a full convolution: the transposed convolution, whose weights are laid out
[K,C,h,w], as ours; the gradient that training asks for; and conv2d of the padded image with the
flipped kernel. See worker.py."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from math import prod
from typing import Any

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


@contextmanager
def _standard_output() -> Iterator[list[str]]:
    """Takes what is written to it meanwhile; the lines are there in the end."""
    lines: list[str] = []
    usual = os.dup(1)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        try:
            yield lines
        finally:
            os.dup2(usual, 1)
            os.close(usual)
            file.seek(0)
            lines += file.read().decode(errors="replace").splitlines()


def describe(call: Callable[[], torch.Tensor]) -> str:
    """The primitives of oneDNN that it runs, with their implementations, as oneDNN's log has them:
    "convolution jit:avx512_core, 3 reorders". Else the innermost of PyTorch's own functions."""
    mkldnn = torch.backends.mkldnn
    logged = mkldnn.verbose(mkldnn.VERBOSE_ON) if hasattr(mkldnn, "verbose") else nullcontext()
    with _standard_output() as lines, logged, torch.autograd.profiler.profile() as profile:
        call()
    primitives = []
    reorders = 0
    for line in lines:
        if found := re.search(r"_verbose,.*\bexec,cpu,(\w+),([^,]+),", line):
            primitive, implementation = found.groups()
            if primitive == "reorder":
                reorders += 1
            else:
                primitives.append(f"{primitive} {implementation}")
    if primitives:
        count = f"{reorders} reorder{'s' * (reorders > 1)}"
        return f"oneDNN {', '.join(primitives + [count] * (reorders > 0))}"
    functions = [event.name for event in profile.function_events if "conv" in event.name]
    return functions[-1] if functions else ""


Function = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _conv_transpose2d(problem: Any) -> Function:
    def transposed(x: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return functional.conv_transpose2d(
            x,
            k,
            stride=problem.stride,
            padding=(problem.top, problem.left),
            output_padding=problem.output_padding,
            groups=problem.groups,
            dilation=problem.dilation,
        )

    return transposed


def _conv2d_input(problem: Any, y: torch.Tensor) -> Function:
    """What autograd calls where the gradient with respect to the input is all that is asked for.
    Of that input, which a training step has kept, it sees shape and layout: those of y."""

    def conv2d_input(x: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return torch.ops.aten.convolution_backward(
            x,
            y,
            k,
            None,
            problem.stride,
            (problem.top, problem.left),
            problem.dilation,
            False,
            (0, 0),
            problem.groups,
            (True, False, False),
        )[0]

    return conv2d_input


def _conv2d_flipped(problem: Any) -> Function:
    """The channels of x and y change places in the weights of each group."""
    K, C, h, w = problem.shapes[1]
    groups = problem.groups
    reach = [(taps - 1) * step for taps, step in zip((h, w), problem.dilation)]
    padding = (reach[0] - problem.top, reach[1] - problem.left)

    def flipped(x: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        weights = k.flip(2, 3).view(groups, K // groups, C, h, w).transpose(1, 2)
        return functional.conv2d(
            x,
            weights.reshape(groups * C, K // groups, h, w),
            padding=padding,
            dilation=problem.dilation,
            groups=groups,
        )

    def flipped_of_one(x: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        weights = k.flip(2, 3).transpose(0, 1)
        return functional.conv2d(x, weights, padding=padding, dilation=problem.dilation)

    return flipped if groups > 1 else flipped_of_one


def call(
    function: str, problem: Any, x: torch.Tensor, k: torch.Tensor
) -> tuple[Function, torch.Tensor, torch.Tensor]:
    if function == "conv_transpose2d":
        return _conv_transpose2d(problem), x, k
    if function.startswith("conv2d_input"):
        y = torch.zeros(problem.shapes[2], dtype=x.dtype)
        y = y.contiguous(memory_format=_memory_format(function))
        return _conv2d_input(problem, y), x, k
    if function.startswith("conv2d_flipped"):
        return _conv2d_flipped(problem), x, k
    raise LookupError(function)
