"""SciPy's own times on one case, as context: it runs beside the cell, not among its contenders."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from scipy import signal

CASE = "1024x1024_k63x63"
SCALAR = "f32"
_CALLS = 5  # of the fast one, a turn


def _operands() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    x = random.uniform(-1, 1, (1024, 1024)).astype(np.float32)
    return x, random.uniform(-1, 1, (63, 63)).astype(np.float32)


def _seconds(function, *operands: np.ndarray) -> float:
    began = time.perf_counter()
    function(*operands)
    return float(f"{time.perf_counter() - began:.5g}")


def take_turn(turn: int) -> list[dict[str, Any]]:
    """Seconds of calls of fftconvolve, after one that is not counted; in the middle turn also of
    one call of convolve2d, which takes seconds."""
    x, k = _operands()
    signal.fftconvolve(x, k)
    seconds = [_seconds(signal.fftconvolve, x, k) for _ in range(_CALLS)]
    entries = [{"turn": turn, "function": "fftconvolve", "seconds": seconds}]
    if turn == 1:
        once = [_seconds(signal.convolve2d, x, k)]
        entries.append({"turn": turn, "function": "convolve2d", "seconds": once})
    return entries


def samples(scipy: dict[str, Any], function: str) -> list[float]:
    """All that was measured of a function, in seconds."""
    entries = scipy.get("times", [])
    return [s for entry in entries if entry["function"] == function for s in entry["seconds"]]
