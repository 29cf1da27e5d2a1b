"""Runs one library for the program that started it.

    worker.py scipy|torch

bench/peers/remote.h has the protocol: requests come on standard input, answers go to standard
output, a line each. At the end of the input the worker ends.

A library is a module with_<name>.py of this folder, which has

    version()                       name and version, as a reader wants them; ImportError where the
                                    library cannot be used
    view(memory, scalar, offset, shape)
                                    an array over shared memory, from a byte on; "f32" or "f64"
    copy(function, array)           an array of the library's own, laid out as for the function
    call(function, problem, x, k)   a function f and operands a, b so that f(a, b) = y, given
                                    x[N,K,H,W] and k[K,C/groups,h,w]; LookupError for unknown
                                    functions
    describe(call)                  what call(), a call of the function on its operands, runs: one
                                    line, "" where nothing is known
    threads(count)                  a context in which the library uses at most so many
"""

from __future__ import annotations

import gc
import importlib
import mmap
import os
import sys
from itertools import repeat
from math import prod
from time import perf_counter_ns
from types import ModuleType
from typing import NamedTuple

BYTES = {"f32": 4, "f64": 8}


class Problem(NamedTuple):
    """Of each pair the number for rows is first."""

    N: int
    K: int
    C: int
    H: int
    W: int
    h: int
    w: int
    top: int
    left: int
    bottom: int
    right: int
    stride: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    output_padding: tuple[int, int]

    @classmethod
    def parse(cls, words: list[str]) -> Problem:
        sy, sx, dy, dx, groups, oy, ox = map(int, words[11:])
        return cls(*map(int, words[:11]), (sy, sx), (dy, dx), groups, (oy, ox))

    @property
    def is_dense(self) -> bool:
        """Whether stride, padding and all else that a layer may have are neutral."""
        return self[7:] == (0, 0, 0, 0, (1, 1), (1, 1), 1, (0, 0))

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of x, k and y."""
        (sy, sx), (dy, dx), (oy, ox) = self.stride, self.dilation, self.output_padding
        rows = (self.H - 1) * sy + (self.h - 1) * dy + 1 - self.top - self.bottom + oy
        columns = (self.W - 1) * sx + (self.w - 1) * dx + 1 - self.left - self.right + ox
        return (
            (self.N, self.K, self.H, self.W),
            (self.K, self.C // self.groups, self.h, self.w),
            (self.N, self.C, rows, columns),
        )


class Plan:
    """One function on one problem, and its operands."""

    def __init__(
        self,
        library: ModuleType,
        function: str,
        scalar: str,
        threads: int,
        problem: Problem,
        path: str,
    ) -> None:
        with open(path, "r+b") as file:
            memory = mmap.mmap(file.fileno(), 0)
        shared = []
        offset = 0
        for shape in problem.shapes:
            shared.append(library.view(memory, scalar, offset, shape))
            offset += prod(shape) * BYTES[scalar]
        self._library = library
        self._threads = threads
        self._shared_x, self._shared_k, self._shared_y = shared
        # The operands lie where the library puts arrays, as they do for its users.
        self._x = library.copy(function, self._shared_x)
        self._k = library.copy(function, self._shared_k)
        self._call, self._a, self._b = library.call(function, problem, self._x, self._k)

    def execute(self) -> None:
        """Reads x and k, writes y."""
        self._x[...] = self._shared_x
        self._k[...] = self._shared_k
        with self._library.threads(self._threads):
            y = self._call(self._a, self._b)
        # An assignment would spread another shape over y, and convert another type: libraries have
        # given a smaller convolution without a word, and float64 of single precision.
        given, due = (
            (str(it.dtype), (1,) * (4 - len(it.shape)) + tuple(it.shape))
            for it in (y, self._shared_y)
        )
        if given != due:
            raise TypeError(f"gave {given[0]} of shape {given[1]} instead of {due[0]} of {due[1]}")
        self._shared_y[...] = y

    def describe(self) -> str:
        """What a call runs, as far as the library says."""
        with self._library.threads(self._threads):
            return self._library.describe(lambda: self._call(self._a, self._b))

    def time(self, iterations: int) -> float:
        """Seconds of so many calls on the operands of the last execute()."""
        call, a, b = self._call, self._a, self._b
        with self._library.threads(self._threads):
            gc.disable()
            try:
                began = perf_counter_ns()
                for _ in repeat(None, iterations):
                    call(a, b)
                return (perf_counter_ns() - began) * 1e-9
            finally:
                gc.enable()


class Worker:
    """Answers requests."""

    def __init__(self, library: ModuleType) -> None:
        self._library = library
        self._plans: dict[str, Plan] = {}

    def answer(self, request: str) -> str:
        """What the request came to; anything that goes wrong is an exception."""
        word, plan, *rest = request.split()
        if word == "plan":
            function, scalar, threads, *numbers, path = rest
            problem = Problem.parse(numbers)
            self._plans[plan] = Plan(self._library, function, scalar, int(threads), problem, path)
            return "ok"
        if word == "execute":
            self._plans[plan].execute()
            return "ok"
        if word == "time":
            return f"ok {self._plans[plan].time(int(rest[0])):.9f}"
        if word == "describe":
            return f"ok {self._plans[plan].describe()}"
        if word == "drop":
            del self._plans[plan]
            return "ok"
        raise ValueError(f"unknown request: {word}")


def is_out_of_memory(error: Exception) -> bool:
    """PyTorch has no exception of its own for that."""
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error)


def error_line(error: Exception) -> str:
    """The last line of its traceback."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def main() -> int:
    name = sys.argv[1]
    # Whatever a library prints goes to standard error.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        library = importlib.import_module(f"with_{name}")
        answers.write(f"ready {library.version()}\n")
    except ModuleNotFoundError as error:
        missing = error.name == name
        answers.write("missing\n" if missing else f"failed {error_line(error)}\n")
        return 1
    except Exception as error:
        answers.write(f"failed {error_line(error)}\n")
        return 1

    worker = Worker(library)
    for request in iter(sys.stdin.readline, ""):
        try:
            answer = worker.answer(request)
        except Exception as error:
            word = "memory" if is_out_of_memory(error) else "failed"
            answer = f"{word} {error_line(error)}"
        answers.write(answer + "\n")
    return 0


if __name__ == "__main__":
    # Without clearing up: there is nothing to save, and libraries take their time for it.
    os._exit(main())
