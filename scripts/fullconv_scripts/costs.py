"""Fits the models of time in algorithms/costs/ to measured times.

A forecast is a sum of terms, each a count times a constant. From files of `fullconv_regret --terms`
each algorithm's terms get the factors with which the sums fit the measured medians best: least
squares of soft-clipped logarithms, as if each factor had been seen once to be 1. A factor far from
1 says that its constant is wrong; a forecast that stays far off says that the model lacks a term.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from fullconv_scripts import regret
from fullconv_scripts.command_line import Parser

_WORST = 5  # problems that are shown of each algorithm


@dataclass
class Samples:
    """What an algorithm was forecast to take, and took."""

    problems: list[str] = field(default_factory=list)
    terms: list[dict[str, float]] = field(default_factory=list)  # seconds
    seconds: list[float] = field(default_factory=list)

    def add(self, problem: str, terms: dict[str, float], seconds: float) -> None:
        self.problems.append(problem)
        self.terms.append(terms)
        self.seconds.append(seconds)


@dataclass(frozen=True)
class Fit:
    """Factors by term, and the logarithms of measured over forecast times."""

    factors: dict[str, float]
    before: np.ndarray
    after: np.ndarray


def collect(files: Iterable[regret.Regret]) -> dict[str, Samples]:
    """The samples of files, by algorithm and scalar, as `fft f32`."""
    samples: dict[str, Samples] = {}
    for file in files:
        for problem in file.problems:
            for name, _, _, median, _, _ in problem["candidates"]:
                terms = problem.get("terms", {}).get(name)
                if terms:
                    found = samples.setdefault(f"{name} {file.header['scalar']}", Samples())
                    found.add(problem["problem"], terms, median)
    return samples


def fit(samples: Samples) -> Fit:
    """The factors that fit best."""
    names = sorted({name for terms in samples.terms for name in terms})
    matrix = np.array([[terms.get(name, 0.0) for name in names] for terms in samples.terms])
    measured = np.log(samples.seconds)

    def errors(logs: np.ndarray) -> np.ndarray:
        return measured - np.log(matrix @ np.exp(logs))

    start = np.zeros(len(names))
    found = least_squares(
        lambda logs: np.concatenate([errors(logs), logs]), start, loss="soft_l1", f_scale=0.2
    )
    factors = {name: float(factor) for name, factor in zip(names, np.exp(found.x))}
    return Fit(factors, errors(start), errors(found.x))


def _off(errors: np.ndarray) -> str:
    """How far forecasts are off: half of them, and 95 of 100."""
    middle, most = np.quantile(np.expm1(np.abs(errors)), (0.5, 0.95))
    return f"{100 * middle:.0f} % ({100 * most:.0f} %)"


def lines(samples: dict[str, Samples]) -> list[str]:
    """The fits, some lines for each algorithm."""
    shown = []
    for name, of in samples.items():
        found = fit(of)
        factors = ", ".join(f"{term} {value:.2f}" for term, value in found.factors.items())
        before, after = _off(found.before), _off(found.after)
        shown.append(f"{name}: {len(of.problems)} problems, off by {before}, fitted {after}")
        shown.append(f"  factors: {factors}")
        for at in np.argsort(-np.abs(found.after))[:_WORST]:
            ratio, fitted = np.exp(found.before[at]), np.exp(found.after[at])
            shown.append(f"  {of.problems[at]}: {ratio:.2f} times the forecast, fitted {fitted:.2f}")
    return shown


def table(samples: dict[str, Samples]) -> list[str]:
    """Rows of algorithms/costs/built_in_rates.cpp: algorithm, term, factors in float and double."""
    factors = {name: fit(of).factors for name, of in samples.items()}
    rows = []
    for algorithm in sorted({name.rsplit(" ", 1)[0] for name in factors}):
        f32, f64 = (factors.get(f"{algorithm} {scalar}", {}) for scalar in ("f32", "f64"))
        for term in sorted({*f32, *f64}):
            single, double = f32.get(term, 1.0), f64.get(term, 1.0)
            rows.append(f'    {{"{algorithm}", "{term}", {single:.2f}, {double:.2f}}},')
    return rows


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="scripts/costs", description="Fits the models of time to measured times.")
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE",
        help="what fullconv_regret --terms printed",
    )  # fmt: skip
    parser.add_argument(
        "--table", action="store_true",
        help="print factors as rows of algorithms/costs/built_in_rates.cpp, for a machine that has"
        " no table there",
    )  # fmt: skip
    asked = parser.parse_args(argv)
    try:
        samples = collect([regret.read(path) for path in asked.files])
    except regret.BadRegret as error:
        print(f"scripts/costs: {error}", file=sys.stderr)
        return 2
    if not samples:
        print(f"scripts/costs: {asked.files[0]}: has no terms: made without --terms", file=sys.stderr)
        return 2
    print("\n".join(table(samples) if asked.table else lines(samples)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
