"""Ratios with intervals, and who wins.

The contenders of a cell run in turn, once a block, so whatever the machine does in a block hits all
alike and cancels in the difference of two logarithms. What does not cancel is met in three ways:
trimming for bursts that hit one contender alone (Tukey and McLaughlin 1963), Student's t for few
blocks, and fewer effective blocks where neighbours resemble each other (Geyer 1992, initial
positive sequence). The benchmark program stops a cell by the same formula:

    d = log a − log b over the n blocks in which both ran, in their order; n ≥ 3
    g = max(0, ⌊n/5⌋ − 1) are cut off at either end of the sorted d, h = n − 2g stay
    m = mean of those that stay: the logarithm of the ratio
    w = d clamped to the range of those that stay, c = w − mean(w), S = Σ c²
    r(0) = 1, r(k) = 1/n + Σ c[i]·c[i+k] / S
    p(k) = r(2k) + r(2k+1), for k = 0, 1, … as long as 4k < n and p(k) > 0
    f = max(1, (1 + r(1)) / (1 − r(1)), 2·Σ p(k) − 1), with r(1) ≤ 0.99 in the second
    error = √(f·S / (h·(h − 1))), freedom = h − 1
    the interval is exp(m ± error·t), t = the (1 − α/2) quantile of Student's t with that freedom

and S = 0 means error = 0. The term 1/n corrects the bias of an autocorrelation about an estimated
mean. How often intervals miss, with normal, heavy-tailed and autocorrelated noise, is simulated in
tests/scripts/test_comparison.py.

Many comparisons: an interval at the confidence 1 − 0.05/m, m the number of all pairs in the report,
makes it 95 % likely that none of the report's verdicts is wrong (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95  # of a whole report, and of one comparison shown on its own
EQUAL_WITHIN = 1.02  # two times whose ratio surely lies within this factor are equal
FEWEST_BLOCKS = 3  # with fewer in common there is no interval: (0, infinity)

# Kinds that can win: a floor is no convolution; a binding runs ours, as a variant does.
WINNERS = ("ours", "peer")
Samples = Mapping[int, float]  # block -> seconds of one call
DELEGATION = ("never", "sometimes", "always")  # how often an algorithm runs another's code


class Contender(NamedTuple):
    """An algorithm, of ours or a peer's, with at most so many threads."""

    algorithm: str
    threads: int = 1


# --- intervals ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """A positive number and its interval, (0, infinity) where too few blocks tell nothing."""

    estimate: float
    low: float
    high: float
    blocks: int  # that it is from

    @property
    def half_width(self) -> float:
        """Relative: 0.01 for an interval from estimate/1.01 to estimate·1.01."""
        return math.sqrt(self.high / self.low) - 1 if self.low > 0 else math.inf


@dataclass(frozen=True)
class Ratio(Estimate):
    """How many times longer one contender takes than another."""

    spread: float = 0.0  # of this ratio between layouts of the same program: 0.01 is 1 %

    @property
    def verdict(self) -> str:
        """What the first contender is: `equal` where the interval lies within EQUAL_WITHIN of 1,
        else `faster` (it takes less than 1 times as long) or `slower` where the interval excludes
        1, else `unresolved`. The interval is wider here by the spread, since another order of
        linking would do as well: nothing smaller is claimed."""
        low, high = self.low / (1 + self.spread), self.high * (1 + self.spread)
        if 1 / EQUAL_WITHIN <= low and high <= EQUAL_WITHIN:
            return "equal"
        if low > 1:
            return "slower"
        if high < 1:
            return "faster"
        return "unresolved"


@dataclass(frozen=True)
class LogMean:
    """The trimmed mean of logarithms, from which intervals of any confidence follow."""

    mean: float
    error: float  # standard error; infinite where there are too few blocks
    freedom: float
    blocks: int

    def bounds(self, confidence: float) -> tuple[float, float, float]:
        """The number itself, no longer its logarithm, and its interval."""
        if math.isinf(self.error):
            return math.exp(self.mean), 0.0, math.inf
        reach = -float(stdtrit(self.freedom, (1 - confidence) / 2)) * self.error
        with np.errstate(over="ignore", under="ignore"):
            low, high = np.exp([self.mean - reach, self.mean + reach])
        return math.exp(self.mean), float(low), float(high)

    def ratio(self, confidence: float = CONFIDENCE, spread: float = 0.0) -> Ratio:
        """Of differences: a ratio, with its spread between layouts."""
        return Ratio(*self.bounds(confidence), self.blocks, spread)

    def estimate(self, confidence: float = CONFIDENCE) -> Estimate:
        """Of logarithms of seconds: a time in seconds."""
        return Estimate(*self.bounds(confidence), self.blocks)

    def minus(self, other: LogMean) -> LogMean:
        """The difference from another mean of independent blocks (Welch 1947, Satterthwaite)."""
        mean, blocks = self.mean - other.mean, min(self.blocks, other.blocks)
        mine, theirs = self.error**2, other.error**2
        if math.isinf(mine + theirs):
            return LogMean(mean, math.inf, 1.0, blocks)
        weight = mine**2 / self.freedom + theirs**2 / other.freedom
        freedom = (mine + theirs) ** 2 / weight if weight > 0 else self.freedom + other.freedom
        return LogMean(mean, math.sqrt(mine + theirs), freedom, blocks)


def log_mean(logs: Iterable[float]) -> LogMean:
    """The trimmed mean of logarithms in the order of their blocks, by the formula above."""
    d = np.fromiter(logs, dtype=float)
    n = len(d)
    if n < FEWEST_BLOCKS:
        return LogMean(float(d.mean()) if n else math.nan, math.inf, 1.0, n)
    g = max(0, n // 5 - 1)
    h = n - 2 * g
    kept = np.sort(d)[g : n - g]
    w = np.clip(d, kept[0], kept[-1])
    c = w - w.mean()
    s = float(c @ c)
    f = _inflation(c, s)
    return LogMean(float(kept.mean()), math.sqrt(f * s / (h * (h - 1))), h - 1, n)


def _inflation(c: np.ndarray, s: float) -> float:
    """How many blocks count as one because neighbours resemble each other: f of the formula."""
    n = len(c)
    if s == 0:
        return 1.0

    def r(k: int) -> float:
        return float(c[k:] @ c[: n - k]) / s + 1 / n if k else 1.0

    first = min(r(1), 0.99)
    pairs, k = 0.0, 0
    while 4 * k < n and (pair := r(2 * k) + r(2 * k + 1)) > 0:
        pairs, k = pairs + pair, k + 1
    return max(1.0, (1 + first) / (1 - first), 2 * pairs - 1)


def log_ratio(times: Samples, to: Samples) -> LogMean:
    """The mean logarithm of how many times longer `times` are, over the blocks of both."""
    blocks = sorted(times.keys() & to.keys())
    return log_mean(math.log(times[block] / to[block]) for block in blocks)


def ratio(times: Samples, to: Samples, confidence: float = CONFIDENCE) -> Ratio:
    """How many times longer `times` are than those of `to`, both block -> seconds; the unit
    cancels. Without a common block the estimate is NaN."""
    return log_ratio(times, to).ratio(confidence)


def log_time(times: Samples) -> LogMean:
    """The mean logarithm of the seconds."""
    return log_mean(math.log(times[block]) for block in sorted(times))


def typical_time(times: Samples, confidence: float = CONFIDENCE) -> Estimate:
    """Seconds of one call, as context: it holds what the machine did meanwhile, unlike a ratio."""
    return log_time(times).estimate(confidence)


def count_pairs(contenders: int) -> int:
    """Comparisons among so many contenders."""
    return contenders * (contenders - 1) // 2


def corrected_confidence(comparisons: int) -> float:
    """Of each of so many comparisons, so that CONFIDENCE is that of all together."""
    return 1 - (1 - CONFIDENCE) / max(1, comparisons)


# --- the field of a cell --------------------------------------------------------------------------


@dataclass(frozen=True)
class Win:
    """Which algorithm is fastest among contenders that ran side by side, each algorithm with the
    number of threads that suits it best. Whoever may run another's code stands back, unless told to
    be faster: the question is which way of computing is best."""

    winner: Contender
    verdict: str  # `clear`, `tie` (equal to another) or `unresolved`
    runner_up: Contender | None  # of the others the fastest, but for those that stand back
    margin: Ratio | None  # how many times longer the runner-up takes
    level_with: tuple[Contender, ...]  # those that are equal or not told apart, fastest first


@dataclass(frozen=True, eq=False)
class Field:
    """What was measured side by side in one cell.

    samples: by contender. kinds: `ours`, `variant`, `peer`, `binding` or `floor` of each algorithm.
    confidence: that of each interval, unless another is asked for: corrected for all comparisons of
    the report.
    layout_spread: of ratios between layouts of the same program, as the audit found it.
    delegates: of an algorithm how often it runs another's code, as DELEGATION has it; `never` of
    those that it does not name.
    """

    samples: Mapping[Contender, Samples]
    kinds: Mapping[str, str]
    confidence: float = CONFIDENCE
    layout_spread: float = 0.0
    delegates: Mapping[str, str] = dataclass_field(default_factory=dict)
    _means: dict[tuple[Contender, Contender], LogMean] = dataclass_field(
        default_factory=dict, repr=False
    )  # those that were asked for; shared with the fields that are parts of this one

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Contender]:
        return iter(self.samples)

    def __contains__(self, contender: object) -> bool:
        return contender in self.samples

    def among(
        self, kinds: Collection[str] = WINNERS, threads: int | None = None
    ) -> Field:
        """The contenders of these kinds, with at most so many threads."""
        most = math.inf if threads is None else threads
        kept = {
            who: times
            for who, times in self.samples.items()
            if self.kinds[who.algorithm] in kinds and who.threads <= most
        }
        return Field(
            kept, self.kinds, self.confidence, self.layout_spread, self.delegates, self._means
        )

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """Those that can win."""
        return tuple(who for who in self.samples if self.kinds[who.algorithm] in WINNERS)

    @property
    def comparisons(self) -> int:
        """Pairs of which a ratio is shown: of all but floors."""
        return count_pairs(sum(self.kinds[who.algorithm] != "floor" for who in self.samples))

    @cached_property
    def fastest(self) -> Contender | None:
        """The contender to which no other has a ratio below 1: from the one with the shortest
        typical time, step by step to the one with the smallest ratio. Contenders may leave the
        blocks early, so typical times alone are of different moments. None in an empty field."""
        if not self.contenders:
            return None
        best = min(self.contenders, key=lambda who: log_time(self.samples[who]).mean)
        seen = set()
        while best not in seen:
            seen.add(best)
            best = min((best, *self.contenders), key=lambda who: self._order(who, best))
        return best

    def _order(self, who: Contender, to: Contender) -> float:
        """The logarithm of a ratio; infinite where the two never ran in the same block."""
        mean = self._log_ratio(who, to).mean
        return math.inf if math.isnan(mean) else mean

    def _log_ratio(self, who: Contender, to: Contender) -> LogMean:
        if who == to:
            return LogMean(0.0, 0.0, 1.0, len(self.samples[who]))
        if (who, to) not in self._means:
            self._means[who, to] = log_ratio(self.samples[who], self.samples[to])
        return self._means[who, to]

    def ratio(
        self, who: Contender, to: Contender | None = None, confidence: float | None = None
    ) -> Ratio:
        """How many times longer `who` takes than `to`, or than the fastest; `who` need not be able
        to win. With `confidence` = CONFIDENCE: as if it were the only comparison."""
        reference = to or self.fastest
        if reference is None:
            raise ValueError("nobody here can be the fastest")
        mean = self._log_ratio(who, reference)
        return mean.ratio(confidence or self.confidence, self.layout_spread)

    def ratios(self, confidence: float | None = None) -> dict[Contender, Ratio]:
        """Of everybody but the fastest, to the fastest; those that cannot win included, shortest
        first."""
        others = (who for who in self.samples if who != self.fastest)
        found = {who: self.ratio(who, confidence=confidence) for who in others}
        return dict(sorted(found.items(), key=lambda item: _last_if_nan(item[1].estimate)))

    def time(self, who: Contender, confidence: float = CONFIDENCE) -> Estimate:
        """Seconds of one call, as context; the interval is of this comparison alone."""
        return typical_time(self.samples[who], confidence)

    @cached_property
    def best_variants(self) -> tuple[Contender, ...]:
        """Of each algorithm that can win the number of threads that suits it best, fastest
        first."""
        order = [self.fastest] if self.fastest else []
        order += [who for who in self.ratios() if who in self.contenders] if order else []
        best: dict[str, Contender] = {}
        for who in order:
            best.setdefault(who.algorithm, who)
        return tuple(best.values())

    def _delegation(self, who: Contender) -> int:
        return DELEGATION.index(self.delegates.get(who.algorithm, "never"))

    def win(self) -> Win | None:
        """Who wins; None in an empty field."""
        variants = self.best_variants
        if not variants:
            return None
        level_with_fastest = {who for who in variants[1:] if self.ratio(who).verdict != "slower"}
        level_with_fastest.add(variants[0])
        winner = min((who for who in variants if who in level_with_fastest), key=self._delegation)

        def stands_back(who: Contender) -> bool:
            return who in level_with_fastest and self._delegation(who) > self._delegation(winner)

        rivals = [who for who in variants if who != winner and not stands_back(who)]
        verdicts = {who: self.ratio(who, to=winner).verdict for who in rivals}
        level = tuple(who for who in rivals if verdicts[who] != "slower")
        verdict = "clear"
        if level:
            told = all(verdicts[who] == "equal" for who in level)
            verdict = "tie" if told else "unresolved"
        runner_up = rivals[0] if rivals else None
        margin = self.ratio(runner_up, to=winner) if runner_up else None
        return Win(winner, verdict, runner_up, margin, level)


def _last_if_nan(value: float) -> float:
    return math.inf if math.isnan(value) else value


# --- summaries of a report ------------------------------------------------------------------------


NEAR = 1.2  # contenders within this of the fastest are those that a decision is between


@dataclass(frozen=True)
class Precision:
    """How well ratios to the fastest are known: relative half-widths of their intervals."""

    median: float
    p95: float
    ratios: int


def precision(
    fields: Iterable[Field],
    confidence: float | None = None,
    above: float = 0.0,
    up_to: float = math.inf,
) -> Precision:
    """Over all ratios to the fastest within these limits, floors left out; NaN where there are
    none. Without `confidence` at that of the fields."""
    widths = []
    for field in fields:
        ratios = field.among().ratios(confidence).values()
        widths += [r.half_width for r in ratios if above < r.estimate <= up_to]
    if not widths:
        return Precision(math.nan, math.nan, 0)
    median, p95 = np.quantile(widths, (0.5, 0.95), method="inverted_cdf")  # may be infinite
    return Precision(float(median), float(p95), len(widths))


@dataclass(frozen=True)
class Duel:
    """Our fastest against the fastest peer in one cell."""

    ours: Contender
    peer: Contender
    ratio: Ratio  # how many times longer ours takes


def duel(field: Field, threads: int | None = None) -> Duel | None:
    """Ours against peers with at most so many threads; None where either is missing."""
    ours, peer = (field.among((kind,), threads).fastest for kind in ("ours", "peer"))
    return Duel(ours, peer, field.ratio(ours, to=peer)) if ours and peer else None


def geometric_mean(values: Iterable[float]) -> float:
    """NaN of none."""
    logs = [math.log(value) for value in values]
    return math.exp(math.fsum(logs) / len(logs)) if logs else math.nan
