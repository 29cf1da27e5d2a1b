"""Every algorithm against SciPy's convolve2d, before anything is timed.

The tolerance is the sum of two bounds from theory, with u = 2^-24 (f32) or 2^-53 (f64), n products
in the sum and P points in the output:

  SciPy sums in double:         n * 2^-53 * sum|x||k|
  sums of products:             n * u * sum|x||k|             (Jeannerod and Rump 2013)
  algorithms that transform:    u * (16 log2 P + 1) * |x|_2 |k|_2 + 16 u log2 P * |y|_2
                                (Higham, Accuracy and Stability, 2nd ed., theorem 24.2)
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

_UNIT_ROUNDOFF = {"f32": 2.0**-24, "f64": 2.0**-53}
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
    """What SciPy says, and how far from it an algorithm may be."""

    y: np.ndarray
    tolerance: dict[str, np.ndarray]  # by error model


def expect(x: np.ndarray, k: np.ndarray, scalar: str) -> Expected:
    """SciPy's answer to operands that have been rounded to the scalar already. The tolerances are
    tests/support/accuracy.h's bounds of one plane."""
    x, k = x.astype(np.float64), k.astype(np.float64)
    y = signal.convolve2d(x, k)
    magnitude = signal.convolve2d(np.abs(x), np.abs(k))
    products = signal.convolve2d(np.ones_like(x), np.ones_like(k))
    scipy_error = products * _UNIT_ROUNDOFF["f64"] * magnitude
    u = _UNIT_ROUNDOFF[scalar]
    stages = max(1.0, np.log2(y.size))
    norms = np.linalg.norm(x) * np.linalg.norm(k)
    normwise = u * (16 * stages + 1) * norms + 16 * u * stages * np.linalg.norm(y)
    bounds = {"componentwise": products * u * magnitude, "normwise": normwise}
    local_norms = np.sqrt(signal.convolve2d(x * x, np.ones_like(k))) * np.linalg.norm(k)
    tile_norm = np.sqrt(signal.convolve2d(x * x, np.ones((6, 6))).max()) * np.linalg.norm(k)
    rows, columns = np.minimum(x.shape, k.shape)
    low_rank = u * (3 * (rows + 4 * columns) + 20) * local_norms
    bounds["low_rank"] = np.maximum(bounds["componentwise"], low_rank)
    bounds["winograd"] = 94 * u * (1 + 36) * tile_norm
    winograd = bounds["winograd"] if min(k.shape) >= 3 else 0
    bounds["of_choice"] = np.maximum(np.maximum(normwise, bounds["low_rank"]), winograd)
    return Expected(y, {model: bound + scipy_error for model, bound in bounds.items()})


def error_in_bounds(y: np.ndarray, expected: Expected, model: str) -> float:
    """The largest error in units of its tolerance: at most 1 where the algorithm is right; infinite
    for a wrong shape or what is not a number."""
    if y.shape != expected.y.shape:
        return float("inf")
    error = np.abs(y.astype(np.float64) - expected.y)
    if model not in expected.tolerance:
        known = ', '.join(expected.tolerance)
        raise ProgramFailed(f"{model}: unknown error model: expected {known}")
    tolerance = expected.tolerance[model]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.where(error == 0, 0.0, error / tolerance)
    return float("inf") if np.isnan(ratios).any() else float(ratios.max())


def _convolve(programs: Programs, algorithm: str, folder: Path) -> tuple[np.ndarray | None, Output]:
    """What an algorithm makes of x.npy and k.npy in a folder."""
    result = folder / "y.npy"
    result.unlink(missing_ok=True)
    files = [folder / "x.npy", folder / "k.npy", "-o", result]
    output = run([programs.cli, "convolve", *files, "--algorithm", algorithm])
    return (np.load(result) if output.code == 0 else None), output


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
                expected = expect(x, k, scalar)
                for algorithm in algorithms:
                    if scalar not in algorithm.get("scalars", [scalar]):
                        continue
                    entry = {"picture": picture, "scalar": scalar, "algorithm": algorithm["name"]}
                    y, output = _convolve(programs, algorithm["name"], folder)
                    if y is None:
                        yield {**entry, "skipped": output.error_line}
                        continue
                    model = algorithm["error_model"]
                    yield {**entry, "error_in_bounds": error_in_bounds(y, expected, model)}


def is_wrong(entry: dict[str, Any]) -> bool:
    """Whether an algorithm gave another answer than SciPy, or none."""
    if "skipped" in entry:
        return not entry["skipped"].startswith("declined: ")
    return not entry["error_in_bounds"] <= 1
