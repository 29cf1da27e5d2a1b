"""Every algorithm against SciPy's convolve2d, before anything is timed.

The tolerance is what the program bounds an algorithm's errors by, and SciPy's own: sums of n products
in double are within n * 2^-53 * sum|x||k| (Jeannerod and Rump 2013).
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import signal

from fullconv_scripts.programs import Output, ProgramFailed, Programs, run

_DTYPE = {"f32": np.float32, "f64": np.float64}


def photograph() -> tuple[str, np.ndarray]:
    """A real picture that comes with SciPy or matplotlib, as grey values from 0 to 1."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its place in SciPy changes; its successor downloads
            from scipy.misc import ascent

            return "ascent", ascent() / 255.0
    except ImportError:
        import matplotlib.image
        from matplotlib import cbook

        with cbook.get_sample_data("grace_hopper.jpg") as file:
            colours = matplotlib.image.imread(file, format="jpg")
        return "grace_hopper", colours[:512, :512].mean(axis=2) / 255.0


def _gaussian() -> np.ndarray:
    bell = signal.windows.gaussian(9, std=1.7)
    return np.outer(bell, bell) / bell.sum() ** 2


def _motion_blur() -> np.ndarray:
    """A stroke from one corner to the other, fading, as of something that speeds up."""
    stroke = np.diag(np.linspace(1.0, 0.2, 15))
    return stroke / stroke.sum()


def kernels() -> dict[str, np.ndarray]:
    """Kernels that people put on photographs."""
    return {
        "sobel": np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]),
        "emboss": np.array([[-2.0, -1, 0], [-1, 1, 1], [0, 1, 2]]),
        "gauss": _gaussian(),
        "motion": _motion_blur(),
    }


def operands() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What is checked, by name: a small example without symmetry, and a photograph."""
    random = np.random.default_rng(20240229)
    small = random.uniform(-1, 1, (8, 8)), random.uniform(-1, 1, (5, 5))
    name, picture = photograph()
    return {"8x8_k5x5": small} | {f"{name} {key}": (picture, k) for key, k in kernels().items()}


@dataclass(frozen=True)
class Expected:
    """What SciPy says, and how far from the truth that may be."""

    y: np.ndarray
    error: np.ndarray


def expect(x: np.ndarray, k: np.ndarray) -> Expected:
    """SciPy's answer to operands that have been rounded to the scalar already."""
    x, k = x.astype(np.float64), k.astype(np.float64)
    magnitude = signal.convolve2d(np.abs(x), np.abs(k))
    products = signal.convolve2d(np.ones_like(x), np.ones_like(k))
    return Expected(signal.convolve2d(x, k), products * 2.0**-53 * magnitude)


def error_in_bounds(y: np.ndarray, expected: Expected, bounds: np.ndarray) -> float:
    """The largest error in units of its tolerance, given the algorithm's bounds: at most 1 where it
    is right; infinite for a wrong shape or what is not a number."""
    if y.shape != expected.y.shape:
        return float("inf")
    error = np.abs(y.astype(np.float64) - expected.y)
    tolerance = bounds + expected.error
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.where(error == 0, 0.0, error / tolerance)
    return float("inf") if np.isnan(ratios).any() else float(ratios.max())


def _run(programs: Programs, command: str, algorithm: str, folder: Path) -> tuple[Any, Output]:
    """What a command makes of x.npy and k.npy in a folder."""
    result = folder / "y.npy"
    result.unlink(missing_ok=True)
    files = [folder / "x.npy", folder / "k.npy", "-o", result]
    output = run([programs.cli, command, *files, "--algorithm", algorithm])
    return (np.load(result) if output.code == 0 else None), output


class _Bounds:
    """On the errors of algorithms with the operands in a folder; those of one model are asked for
    once."""

    def __init__(self, programs: Programs, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._of_model: dict[str, np.ndarray] = {}

    def of(self, algorithm: dict[str, Any]) -> np.ndarray:
        model = algorithm["error_model"]
        if model not in self._of_model:
            found, output = _run(self._programs, "bounds", algorithm["name"], self._folder)
            if found is None:
                raise ProgramFailed(f"bounds of {algorithm['name']}: {output.error_line}")
            self._of_model[model] = found
        return self._of_model[model]


def check(
    programs: Programs,
    algorithms: list[dict[str, Any]],
    scalars: list[str],
    tick: Callable[[str], None],
) -> Iterator[dict[str, Any]]:
    """One entry a picture, scalar and algorithm: its error in units of the bound, or why there is
    none (`declined: ...` is an answer, anything else is not)."""
    with tempfile.TemporaryDirectory(prefix="fullconv-") as name:
        folder = Path(name)
        for picture, (image, kernel) in operands().items():
            tick(picture)
            for scalar in scalars:
                x, k = image.astype(_DTYPE[scalar]), kernel.astype(_DTYPE[scalar])
                np.save(folder / "x.npy", x)
                np.save(folder / "k.npy", k)
                expected = expect(x, k)
                bounds = _Bounds(programs, folder)
                for algorithm in algorithms:
                    if scalar not in algorithm.get("scalars", [scalar]):
                        continue
                    entry = {"picture": picture, "scalar": scalar, "algorithm": algorithm["name"]}
                    y, output = _run(programs, "convolve", algorithm["name"], folder)
                    if y is None:
                        yield {**entry, "skipped": output.error_line}
                        continue
                    error = error_in_bounds(y, expected, bounds.of(algorithm))
                    yield {**entry, "error_in_bounds": error}


def is_wrong(entry: dict[str, Any]) -> bool:
    """Whether an algorithm gave another answer than SciPy, or none."""
    if "skipped" in entry:
        return not entry["skipped"].startswith("declined: ")
    return not entry["error_in_bounds"] <= 1
