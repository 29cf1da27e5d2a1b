"""Results that nobody measured: times by cost models, with noise that blocks share.

`python3 synthetic.py DIR` writes DIR/raw.json and, beside DIR, an audit.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from fullconv_scripts.names import Case, parse_case

# Nanoseconds of one call in one thread for f32, and what two threads leave of them.
Cost = Callable[[Case], float]


def _transform(case: Case, constant: float, overhead: float) -> float:
    points = (case.H + case.h - 1) * (case.W + case.w - 1)
    planes = case.N * (case.K + case.C) + case.K * case.C
    return overhead + constant * planes * points * math.log2(points + 1)


def _direct(case: Case, per_product: float, per_output: float, overhead: float) -> float:
    outputs = case.N * case.C * (case.H + case.h - 1) * (case.W + case.w - 1)
    return overhead + per_product * case.multiply_adds + per_output * outputs


@dataclass(frozen=True)
class Model:
    """A contender and what it costs."""

    name: str
    kind: str
    summary: str
    cost: Cost
    workspace: Callable[[Case], float]
    error: float  # in units of its bound, about
    threaded: bool = False
    scalars: tuple[str, ...] = ("f32", "f64")
    declines: Callable[[Case], str] = lambda case: ""
    ledger: tuple[tuple[str, str], ...] = ()
    version: str = ""


def _layer_only_planes(case: Case) -> str:
    return "takes single planes only" if case.layer else ""


def _odd_kernels(case: Case) -> str:
    if case.layer:
        return "takes single planes only"
    return "kernel is larger than the image" if case.h > case.H else ""


MODELS = (
    Model(
        "naive_branching", "ours", "head, middle and tail told apart by if/else, one output a time",
        lambda c: _direct(c, 1.15, 2.0, 20), lambda c: 0, 0.5,
    ),
    Model(
        "zero_pad", "ours", "image padded with zeros, then a valid correlation",
        lambda c: _direct(c, 0.10, 0.6, 90), lambda c: 4 * (c.H + 2 * c.h) * (c.W + 2 * c.w), 0.5,
    ),
    Model(
        "clamp_bounds", "ours", "first and last tap of each sum by min and max",
        lambda c: _direct(c, 0.115, 0.5, 40), lambda c: 0, 0.5,
    ),
    Model(
        "im2col_gemm", "ours", "shifted images as rows of a matrix, times the weights by OpenBLAS",
        lambda c: _direct(c, 0.013 if c.layer else 0.058, 1.6, 400),
        lambda c: 4 * 96 * c.h * (c.W + c.w) * c.K, 0.3, threaded=True,
    ),
    Model(
        "fft", "ours", "product of FFTW's real transforms of the whole image",
        lambda c: _transform(c, 0.2, 700), lambda c: 12 * (c.H + c.h) * (c.W + c.w), 0.002,
    ),
    Model(
        "openmp_tiled", "ours", "output tiles of first-level-cache size, dealt out to threads",
        lambda c: _direct(c, 0.087, 0.5, 120), lambda c: 16384, 0.5, threaded=True,
    ),
    Model(
        "opencv_filter2d", "peer", "cv::filter2D on a padded copy",
        lambda c: min(_direct(c, 0.075, 1.2, 2000), _transform(c, 0.75, 9000)),
        lambda c: 4 * (c.H + 2 * c.h) * (c.W + 2 * c.w), 0.4, threaded=True,
        declines=_layer_only_planes, ledger=(("layout_change", "inside"),), version="OpenCV 4.6.0",
    ),
    Model(
        "onednn", "peer", "oneDNN's deconvolution primitive",
        lambda c: _direct(c, 0.008 if c.K * c.C > 64 else 0.3, 1.0, 1800),
        lambda c: 4 * c.values, 0.3, threaded=True, scalars=("f32",),
        ledger=(("layout_change", "inside"), ("note", "no f64 exists")), version="oneDNN 2.6.2",
    ),
    Model(
        "eigen_tensor", "peer", "Eigen's Tensor::convolve on a padded tensor",
        lambda c: _direct(c, 0.42, 2.0, 300), lambda c: 4 * (c.H + 2 * c.h) * (c.W + 2 * c.w), 0.5,
        ledger=(("layout_change", "inside"),), version="Eigen 3.4.0",
    ),
    Model(
        "armadillo_conv2", "peer", "arma::conv2",
        lambda c: _direct(c, 0.3, 1.5, 260), lambda c: 4 * (c.H + 2 * c.h) * (c.W + 2 * c.w), 0.5,
        declines=_layer_only_planes, version="Armadillo 11.4.2",
    ),
    Model(
        "scipy_convolve2d", "peer", "scipy.signal.convolve2d",
        lambda c: _direct(c, 0.9, 2.0, 9000), lambda c: 0, 0.5, declines=_layer_only_planes,
        ledger=(("language_call", "inside"), ("allocation", "inside")), version="SciPy 1.10.1",
    ),
    Model(
        "scipy_fftconvolve", "peer", "scipy.signal.fftconvolve",
        lambda c: _transform(c, 0.7, 52000), lambda c: 16 * (c.H + c.h) * (c.W + c.w), 0.003,
        declines=_layer_only_planes,
        ledger=(("language_call", "inside"), ("allocation", "inside")), version="SciPy 1.10.1",
    ),
    Model(
        "scipy_oaconvolve", "peer", "scipy.signal.oaconvolve",
        lambda c: _transform(c, 0.45 + 0.2 * c.h / c.H, 120000),
        lambda c: 24 * (c.H + c.h) * (c.W + c.w), 0.003, declines=_layer_only_planes,
        ledger=(("language_call", "inside"), ("allocation", "inside")), version="SciPy 1.10.1",
    ),
    Model(
        "torch_conv_transpose2d", "peer", "torch.nn.functional.conv_transpose2d",
        lambda c: _direct(c, 0.011 if c.layer else 0.13, 1.4, 11000), lambda c: 4 * c.values, 0.3,
        threaded=True, ledger=(("language_call", "inside"), ("allocation", "inside")),
        version="PyTorch 1.13.1",
    ),
    Model(
        "octave_conv2", "peer", "Octave's conv2",
        lambda c: _direct(c, 0.3, 1.5, 300), lambda c: 0, 0.5, declines=_odd_kernels,
        ledger=(("language_call", "inside"), ("allocation", "inside")), version="Octave 7.3.0",
    ),
)  # fmt: skip

SIZES = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
KERNELS = (1, 3, 5, 7, 15, 31, 63, 127)
LAYERS = (
    "n1_i6_o1_28x28_k5x5",
    "n1_i16_o6_10x10_k5x5",
    "n1_i120_o16_1x1_k5x5",
    "n1_i192_o64_27x27_k5x5",
    "n1_i256_o256_13x13_k3x3",
    "n1_i64_o64_224x224_k3x3",
    "n1_i256_o128_56x56_k3x3",
    "n1_i512_o512_14x14_k3x3",
    "n1_i64_o64_56x56_k3x3",
    "n8_i64_o64_56x56_k3x3",
    "n1_i1024_o256_14x14_k1x1",
)


def square_cases(sizes: Sequence[int] = SIZES, kernels: Sequence[int] = KERNELS) -> list[str]:
    """Square images with square kernels that are not larger, and as large up to 512."""
    cases = [f"{n}x{n}_k{k}x{k}" for n in sizes for k in kernels if k <= n]
    return cases + [f"{n}x{n}_k{n}x{n}" for n in sizes if n <= 512 and n not in kernels]


def _nanoseconds(model: Model, case: Case, scalar: str, threads: int) -> float:
    time = model.cost(case) * (2.0 if scalar == "f64" else 1.0)
    if threads > 1 and case.multiply_adds > 20000:
        time = time / (1 + 0.9 * (threads - 1)) + 2500
    return time


def _ledger(model: Model) -> dict[str, str]:
    ledger = {"plan": "outside", "allocation": "outside", "kernel_transform": "inside"}
    ledger |= {"layout_change": "none", "language_call": "none"}
    ledger |= {"precision": "as the operands", "note": ""}
    return {**ledger, **dict(model.ledger)}


def registry(models: Sequence[Model] = MODELS) -> list[dict[str, Any]]:
    """As `fullconv list --json --peers` prints it."""
    return [
        {
            "name": model.name,
            "kind": model.kind,
            "scalars": list(model.scalars),
            "summary": model.summary,
            "error_model": "normwise" if "fft" in model.name else "componentwise",
            "non_finite": "spreads" if "fft" in model.name else "as_defined",
            "threaded": model.threaded,
            "version": model.version,
            "ledger": _ledger(model),
        }
        for model in models
    ]


def _why_not(model: Model, case: Case, scalar: str, threads: int, limit: float) -> str:
    if scalar not in model.scalars:
        return f"declined: has no {scalar}"
    if threads > 1 and not model.threaded:
        return "declined: is serial: takes one thread only"
    if reason := model.declines(case):
        return f"declined: {reason}"
    seconds = 1e-9 * _nanoseconds(model, case, scalar, threads)
    return f"left out: predicted {seconds:.3g} s, limit {limit:g} s" if seconds > limit else ""


def _counters(model: Model, case: Case, scalar: str, threads: int) -> dict[str, Any]:
    unit = 6e-8 if scalar == "f32" else 1.1e-16
    return {
        "workspace_bytes": float(model.workspace(case)) * (2 if scalar == "f64" else 1),
        "error_in_bounds": model.error / (1 + math.log10(case.h * case.w + 1)),
        "relative_l2": unit * (2 if model.error < 0.1 else 0.4 * math.sqrt(case.h)),
        "sampled": float(case.multiply_adds > 1e9),
        "threads_used": float(threads),
        "multiply_adds": float(case.multiply_adds),
    }


@dataclass(frozen=True)
class Run:
    """What is in a run that nobody made."""

    cases: Sequence[str]
    models: Sequence[Model] = MODELS
    scalars: Sequence[str] = ("f32", "f64")
    threads: Sequence[int] = (1, 2)
    blocks: int = 20
    noise: float = 0.002
    limit: float = 0.4  # seconds of one call
    seed: int = 1


def _cell(run: Run, text: str, scalar: str, cache: str, output: str) -> dict[str, Any]:
    draw = random.Random(f"{run.seed} {text} {scalar} {cache} {output}")
    case = parse_case(text)
    drift = [draw.gauss(0, 0.02) for _ in range(run.blocks)]
    contenders = []
    for threads in run.threads:
        for model in run.models:
            who = {"phase": "execute", "algorithm": model.name, "threads": threads}
            if reason := _why_not(model, case, scalar, threads, run.limit):
                contenders.append({**who, "skipped": reason})
                continue
            time = 1e-9 * _nanoseconds(model, case, scalar, threads)
            time *= 1 + draw.uniform(-0.01, 0.01)
            if cache == "cold":
                time += 1e-10 * 4 * case.values
            if output == "fresh":
                time += 2.5e-10 * 4 * case.values
            count = run.blocks if time < 0.05 else max(4, run.blocks // 3)
            noise = run.noise * draw.choice((0.5, 1, 3))
            seconds = [
                float(f"{time * math.exp(drift[b] + draw.gauss(0, noise)):.5g}")
                for b in range(count)
            ]
            contenders.append(
                {
                    **who,
                    "seconds": seconds,
                    "blocks": list(range(count)),
                    "positions": [draw.randrange(len(run.models)) for _ in range(count)],
                    "iterations": max(1, round(0.002 / time)),
                    "counters": _counters(model, case, scalar, threads),
                }
            )
    warnings = ["another process took 12 % of a core"] if draw.random() < 0.03 else []
    return {
        "case": text,
        "scalar": scalar,
        "cache": cache,
        "output": output,
        "started": "2024-02-29T12:00:00Z",
        "wall_seconds": round(sum(sum(c.get("seconds", [])) for c in contenders) + 1, 2),
        "warnings": warnings,
        "contenders": contenders,
    }


_PARTS = {
    "zero_pad": (("padding", 0.15), ("products", 0.83)),
    "im2col_gemm": (("lowering", 0.3), ("gemm", 0.62), ("copies", 0.04)),
    "fft": (("copies", 0.08), ("transforms", 0.8), ("products", 0.1)),
}


def _steps(run: Run, cases: Sequence[str], scalar: str) -> list[dict[str, Any]]:
    found = []
    for text in cases:
        for model in run.models:
            if model.name not in _PARTS:
                continue
            total = 1e-9 * _nanoseconds(model, parse_case(text), scalar, 1)
            seconds = {"total": total, **{n: total * share for n, share in _PARTS[model.name]}}
            who = {"case": text, "scalar": scalar, "algorithm": model.name, "threads": 1}
            found.append({**who, "repetitions": 15, "seconds": seconds})
    return found


def _floors(run: Run) -> list[dict[str, Any]]:
    rates = {"fma_peak": ("GFLOP/s", 218.0), "gemm": ("GFLOP/s", 140.0)}
    rates |= {"copy": ("GB/s", 12.5), "copy_l2": ("GB/s", 92.0)}
    found = []
    for threads in run.threads:
        for name, (unit, rate) in rates.items():
            for scalar in run.scalars if unit == "GFLOP/s" else run.scalars[:1]:
                value = rate * (1.85 if threads > 1 else 1) / (2 if scalar == "f64" else 1)
                found.append(
                    {
                        "when": "start",
                        "name": f"{name}/{scalar}/threads:{threads}",
                        "seconds": [1e-3] * 3,
                        "counters": {unit: [value, value * 1.01, value * 0.99]},
                    }
                )
        found.append(
            {
                "when": "start",
                "name": f"empty_call/threads:{threads}",
                "seconds": [9.6e-10] * 3,
                "counters": {},
            }
        )
    return found


_ENVIRONMENT = {
    "cpu": "Test(R) Processor 9000",
    "cpu_name": "Test Processor 9000",
    "architecture": "x86_64",
    "cores": 2,
    "caches": [
        {"level": "1", "type": "Data", "size": "48K", "shared_cpu_list": "0"},
        {"level": "2", "type": "Unified", "size": "2048K", "shared_cpu_list": "0"},
        {"level": "3", "type": "Unified", "size": "32768K", "shared_cpu_list": "0-1"},
    ],
    "governor": "not readable",
    "memory_bytes": 25276063744,
    "kernel": "Linux 6.1.0",
    "os": "Debian GNU/Linux 12 (bookworm)",
    "python": "3.11.2",
    "libraries": {"numpy": "1.24.2", "fftw": "3.3.10-1", "openblas": "0.3.21+ds-4"},
    "variables": {},
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "dirty": False,
    "started": "2024-02-29T12:00:00Z",
    "ended": "2024-02-29T12:42:00Z",
    "load_at_start": [0.1, 0.1, 0.1],
    "load_at_end": [1.2, 1.0, 0.6],
    "warnings": [
        "the processor's clock is not readable: turbo may have changed it",
        "a virtual machine: other guests may take time",
    ],
    "build": {
        "compiler": "GNU 12.2.0",
        "compiler_flags": "-march=native -O3 -DNDEBUG",
        "build_type": "Release",
    },
}


def raw(run: Run, modes: Sequence[str] = (), steps: Sequence[str] = ()) -> dict[str, Any]:
    """A raw file of `run`; the cases of `modes` also cold and fresh, those of `steps` with the
    parts of their time."""
    cells = [
        _cell(run, text, scalar, "hot", "reused") for scalar in run.scalars for text in run.cases
    ]
    for text in modes:
        for cache, output in (("cold", "reused"), ("hot", "fresh"), ("cold", "fresh")):
            cells.append(_cell(run, text, run.scalars[0], cache, output))
    return {
        "format": "fullconv-results",
        "version": 2,
        "status": "complete",
        "environment": json.loads(json.dumps(_ENVIRONMENT)),
        "settings": {
            "command": "scripts/bench --full --peers",
            "threads": list(run.threads),
            "cell_limit": run.limit,
            "budget": 3600.0,
            "half_width": 0.01,
            "confidence": 0.95,
            "cases": list(run.cases),
        },
        "remarks": {"n1_i64_o64_56x56_k3x3": "ResNet conv2_x, 3×3: 64 → 64"},
        "contenders": registry(run.models)
        + [{"name": "empty_call", "kind": "floor", "summary": "a call that does nothing"}],
        "crosscheck": [],
        "floors": _floors(run),
        "left_out_cells": [],
        "failures": [{"job": "8x8_k3x3 cold", "reason": "fullconv_bench: exit code -9"}],
        "cells": cells,
        "steps": _steps(run, steps, run.scalars[0]) if steps else [],
    }


def full() -> dict[str, Any]:
    """All that a report can show."""
    run = Run([*square_cases(), "251x509_k7x13", "1x65536_k1x63", *LAYERS])
    some = ["64x64_k7x7", "512x512_k7x7", "2048x2048_k15x15", "n1_i64_o64_56x56_k3x3"]
    return raw(run, modes=some, steps=["64x64_k7x7", "512x512_k7x7", "512x512_k63x63"])


def small(**fields: Any) -> dict[str, Any]:
    """A few cells, for tests that need no more."""
    cases = square_cases((8, 64, 256), (3, 7, 15)) + list(LAYERS[:2])
    return raw(Run(cases, blocks=8, **fields))


def ours() -> tuple[Model, ...]:
    """The models without peers."""
    return tuple(model for model in MODELS if model.kind == "ours")


def audit() -> dict[str, Any]:
    """An audit with a target that was missed."""
    return {
        "format": "fullconv-audit",
        "version": 1,
        "started": "2024-02-29T10:00:00Z",
        "tables": [
            {
                "title": "Does it find what is there?",
                "rows": [
                    {
                        "name": "identical twins called equal",
                        "target": "at least 95 %",
                        "measured": "97.5 % (195 of 200)",
                        "met": True,
                        "detail": "NAME+0 against NAME",
                    },
                    {
                        "name": "a handicap of 3 % found",
                        "target": "at least 90 %",
                        "measured": "84 % (42 of 50)",
                        "met": False,
                        "detail": "missed where a call takes less than 1 µs",
                    },
                ],
            }
        ],
    }


def write(folder: Path, content: dict[str, Any], with_audit: bool = True) -> Path:
    """Writes raw.json into `folder` and an audit beside it; returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "raw.json").write_text(json.dumps(content), encoding="utf-8")
    if with_audit:
        (folder.parent / "audit.json").write_text(json.dumps(audit()), encoding="utf-8")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes results that nobody measured.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    print(write(parser.parse_args().folder, full()))


if __name__ == "__main__":
    main()
