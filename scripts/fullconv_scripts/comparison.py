"""Medians, ratios with intervals, and who wins.

Repetitions of the contenders of one cell run in random order, so that a drift of the machine hits
all alike. The interval of a ratio is the exact, distribution-free one of Hodges and Lehmann for a
shift between two samples (Hollander and Wolfe, Nonparametric Statistical Methods, section 4.3),
applied to the logarithms of the times.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

CONFIDENCE = 0.95
EQUAL_WITHIN = 1.02  # two times whose ratio surely lies within this factor are equal


@dataclass(frozen=True)
class Ratio:
    """How many times longer one contender takes than another."""

    estimate: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """`equal`, `slower` (the ratio exceeds 1), `faster` or `unresolved`."""
        if 1 / EQUAL_WITHIN <= self.low and self.high <= EQUAL_WITHIN:
            return "equal"
        if self.low > 1:
            return "slower"
        if self.high < 1:
            return "faster"
        return "unresolved"


@lru_cache(maxsize=None)
def _rank_of_bound(m: int, n: int, confidence: float) -> int:
    """How far from either end of the m·n sorted differences the interval's bounds lie; 0: nowhere.

    The number of ways in which the Mann-Whitney statistic takes each value is the Gaussian
    binomial coefficient Π (1 − q^(n+i)) / (1 − q^i), i = 1 … m.
    """
    ways = [1] + [0] * (m * n)
    for i in range(1, m + 1):
        for power in range(m * n, n + i - 1, -1):
            ways[power] -= ways[power - n - i]
        for power in range(i, m * n + 1):
            ways[power] += ways[power - i]
    allowed = (1 - confidence) / 2 * math.comb(m + n, m)
    rank, seen = 0, 0
    while seen + ways[rank] <= allowed:
        seen += ways[rank]
        rank += 1
    return rank


def ratio(times: Sequence[float], to: Sequence[float], confidence: float = CONFIDENCE) -> Ratio:
    """How many times longer `times` are than those of `to`; the unit cancels.

    With fewer than four repetitions each there is no interval of that confidence: it is then
    (0, infinity).
    """
    logs = np.subtract.outer(np.log(np.asarray(times)), np.log(np.asarray(to)))
    differences = np.sort(logs, axis=None)
    rank = _rank_of_bound(len(times), len(to), confidence)
    estimate = math.exp(float(np.median(differences)))
    if rank == 0:
        return Ratio(estimate, 0.0, math.inf)
    bounds = differences[rank - 1], differences[len(differences) - rank]
    return Ratio(estimate, *(math.exp(float(bound)) for bound in bounds))


@dataclass(frozen=True)
class Win:
    """Who is fastest among contenders that ran side by side."""

    winner: str
    verdict: str  # `clear`, `tie` (equal to another) or `unresolved`
    runner_up: str | None  # the second fastest
    margin: Ratio | None  # how many times longer the runner-up takes
    level_with: tuple[str, ...]  # those that are equal or not told apart, fastest first


def find_winner(samples: Mapping[str, Sequence[float]]) -> Win:
    """The contender with the shortest median; a tie where another is equal, unresolved where more
    repetitions are needed to tell."""
    ranking = sorted(samples, key=lambda name: float(np.median(samples[name])))
    winner, rest = ranking[0], ranking[1:]
    ratios = {name: ratio(samples[name], to=samples[winner]) for name in rest}
    verdicts = {name: ratios[name].verdict for name in rest}
    level = tuple(name for name in rest if verdicts[name] != "slower")
    verdict = "clear"
    if level:
        told = all(verdicts[name] == "equal" for name in level)
        verdict = "tie" if told else "unresolved"
    runner_up = rest[0] if rest else None
    return Win(winner, verdict, runner_up, ratios.get(runner_up), level)
