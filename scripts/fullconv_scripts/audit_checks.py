"""The checks of the audit, each a question to which the answer is known.

A twin is the same algorithm planned a second time, a handicapped one really does so many per cent
more work.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from fullconv_scripts import caveats, environment, layout
from fullconv_scripts.comparison import (
    EQUAL_WITHIN,
    Contender,
    Field,
    Samples,
    corrected_confidence,
    count_pairs,
    log_mean,
    ratio,
)
from fullconv_scripts.programs import ProgramFailed, Programs, read_cells, run_for_json

PAIR_TIME = 1.0  # seconds for both of a pair

# Loops, a matrix product, transforms, threads; in each level of cache.
_ALGORITHMS = ("clamp_bounds", "zero_pad", "im2col_gemm", "fft", "openmp_tiled")
_CASES = ("32x32_k5x5", "64x64_k7x7", "128x128_k5x5", "256x256_k3x3")
_SLOW_DOWNS = (2, 5, 10)  # per cent


@dataclass
class Finding:
    """One line of the audit's table."""

    name: str
    target: str
    measured: str
    met: bool
    detail: str
    trials: list[dict[str, Any]] = field(default_factory=list)  # what it is made of


@dataclass(frozen=True)
class Audit:
    """What the checks share."""

    programs: Programs
    scale: float  # of the number of trials
    tick: Callable[[str], None]
    layout_spread: float = 0.0  # where it has been measured

    def count(self, trials: int) -> int:
        return max(2, round(trials * self.scale))

    def cell(self, case: str, *more: str, time_: float, seed: int) -> dict[Contender, Samples]:
        """Who was timed side by side on a case, in f32. ProgramFailed where one is wrong."""
        report = run_for_json(
            [
                self.programs.bench,
                *("--case", case, "--scalar", "f32", "--cell-time", f"{time_:g}"),
                *("--seed", str(seed), "--benchmark_format=json"),
                *more,
            ]
        )
        samples = {}
        for cell in read_cells(report):
            for who in cell["contenders"]:
                if who.get("skipped", "").startswith(("wrong: ", "failed: ")):
                    raise ProgramFailed(f"{case}: {who['algorithm']}: {who['skipped']}")
                if "seconds" in who:
                    name = Contender(who["algorithm"], who["threads"])
                    samples[name] = dict(zip(who["blocks"], who["seconds"]))
        return samples


# --- twins and handicaps --------------------------------------------------------------------------


def _pairs(audit: Audit, percents: tuple[int, ...], trials: int) -> list[dict[str, Any]]:
    """Ratios of handicapped contenders to their originals, in fresh processes."""
    found = []
    for trial in range(trials):
        algorithm = _ALGORITHMS[trial % len(_ALGORITHMS)]
        case = _CASES[trial // len(_ALGORITHMS) % len(_CASES)]
        who = [f"{algorithm}+{percent}" for percent in percents]
        audit.tick(f"{' '.join(who)} on {case}, {trial + 1} of {trials}")
        cell = audit.cell(
            case,
            *("--algorithm", algorithm, "--threads", "1", "--half-width", "0.0001"),
            *("--handicap", *who),
            time_=PAIR_TIME / 2 * (1 + len(percents)),
            seed=trial + 1,
        )
        for name, percent in zip(who, percents):
            found.append(
                {"algorithm": algorithm, "case": case, "percent": percent}
                | _as_trial(cell[Contender(name)], cell[Contender(algorithm)], trials)
            )
    return found


def _as_trial(times: Samples, to: Samples, trials: int) -> dict[str, Any]:
    own = ratio(times, to)
    corrected = ratio(times, to, corrected_confidence(trials))
    return {
        "ratio": round(own.estimate, 5),
        "low": round(own.low, 5),
        "high": round(own.high, 5),
        "blocks": own.blocks,
        "verdict": own.verdict,
        "corrected_verdict": corrected.verdict,
    }


def _share_interval(hits: int, of: int) -> str:
    """`97% (92–99)`, by Clopper and Pearson."""
    found = stats.binomtest(hits, of).proportion_ci(0.95)
    return f"{hits / of:.0%} ({100 * found.low:.0f}–{100 * found.high:.0f})"


def _median_half_width(trials: list[dict[str, Any]]) -> str:
    widths = [math.sqrt(t["high"] / t["low"]) - 1 for t in trials if t["low"] > 0]
    return f"{np.median(widths):.2%}"


def twins(audit: Audit) -> list[Finding]:
    """The same algorithm under two names."""
    trials = _pairs(audit, (0,), audit.count(400))
    false = sum(t["verdict"] in ("faster", "slower") for t in trials)
    corrected = sum(t["corrected_verdict"] in ("faster", "slower") for t in trials)
    verdicts = Counter(t["verdict"] for t in trials)
    allowed = 10 / 400
    worst = max((abs(math.log(t["ratio"])) for t in trials), default=0.0)
    return [
        Finding(
            "false verdicts on identical contenders",
            f"≤ 10 in 400, {PAIR_TIME:g} s a pair",
            f"{false} in {len(trials)}",
            false <= allowed * len(trials),
            f"{verdicts['equal']} equal, {verdicts['unresolved']} unresolved; largest difference "
            f"{math.expm1(worst):.1%}, half-width {_median_half_width(trials)} (median); "
            f"corrected for {len(trials)} comparisons, as in a report: {corrected}",
            trials,
        )
    ]


def slow_downs(audit: Audit) -> list[Finding]:
    """A contender that really does so much more work."""
    trials = _pairs(audit, _SLOW_DOWNS, audit.count(60))
    findings = []
    for percent in _SLOW_DOWNS:
        mine = [trial for trial in trials if trial["percent"] == percent]
        hits = sum(trial["verdict"] == "slower" for trial in mine)
        reversed_ = sum(trial["verdict"] == "faster" for trial in mine)
        median = float(np.median([trial["ratio"] for trial in mine])) - 1
        wanted = 0.9 if percent >= 5 else 0.0
        findings.append(
            Finding(
                f"a slow-down of {percent} % is found",
                f"≥ {wanted:.0%}" if wanted else "no target: 2 % may count as equal",
                _share_interval(hits, len(mine)),
                hits >= wanted * len(mine) and reversed_ == 0,
                f"{len(mine)} pairs of {PAIR_TIME:g} s; measured as {median:.1%} (median); "
                f"taken for faster: {reversed_}",
                mine,
            )
        )
    return findings


# --- who ran before -------------------------------------------------------------------------------


def carry_over(audit: Audit) -> list[Finding]:
    """The if/else loop after two threads of OpenMP, against the same after its twin."""
    case, loop, threaded = "64x64_k7x7", "naive_branching", Contender("openmp_tiled", 2)
    after: dict[str, list[float]] = {"threads": [], "itself": []}
    if environment.core_count() < 2:
        return [Finding("carry-over", "≤ 1 %", "not measured", False, "there is only one core")]
    for trial in range(audit.count(10)):
        audit.tick(f"{loop} after two threads, {trial + 1} of {audit.count(10)}")
        report = run_for_json(
            [
                audit.programs.bench,
                *("--case", case, "--scalar", "f32", "--cell-time", "4", "--half-width", "0.0001"),
                *("--algorithm", loop, threaded.algorithm, "--handicap", f"{loop}+0"),
                *("--threads", "1", "2", "--seed", str(trial + 1), "--benchmark_format=json"),
            ]
        )
        for which, value in _by_predecessor(report, loop, threaded):
            after[which].append(value)
    # Each value is log(one twin) − log(the other) within a block: of the one after two threads,
    # and, as a control, of the one right after the other.
    threads, itself = (log_mean(after[which]) for which in ("threads", "itself"))
    effect = threads.minus(itself).ratio()
    if math.isnan(effect.estimate):
        raise ProgramFailed(f"carry-over: {threaded.algorithm} did not run with two threads")
    return [
        Finding(
            "carry-over of two threads to the next",
            "≤ 1 %",
            f"{abs(effect.estimate - 1):.2%}",
            abs(effect.estimate - 1) <= 0.01,
            f"{loop} right after {threaded.algorithm} with two threads, against right after its "
            f"twin, in the same blocks of {case}; 95 % interval {effect.low - 1:+.2%} to "
            f"{effect.high - 1:+.2%}, {threads.blocks} and {itself.blocks} blocks",
        )
    ]


def _by_predecessor(
    report: dict[str, Any], loop: str, threaded: Contender
) -> Iterator[tuple[str, float]]:
    """Of each twin that ran right after the threads, or right after the other twin where that did
    not run after the threads: the logarithm of its time over the other's."""
    order: dict[int, dict[int, tuple[Contender, float]]] = {}
    for cell in read_cells(report):
        for who in cell["contenders"]:
            for block, place, seconds in zip(
                who.get("blocks", ()), who.get("positions", ()), who.get("seconds", ())
            ):
                name = Contender(who["algorithm"], who["threads"])
                order.setdefault(block, {})[place] = (name, math.log(seconds))
    twins_ = (Contender(loop), Contender(f"{loop}+0"))
    for block in order.values():
        places = {who: place for place, (who, _) in block.items()}
        if not all(twin in places for twin in twins_):
            continue
        before = [block.get(places[twin] - 1, (None, 0.0))[0] for twin in twins_]
        for i in (0, 1):
            own, other = (block[places[twins_[j]]][1] for j in (i, 1 - i))
            if before[i] == threaded:
                yield "threads", own - other
            elif before[i] == twins_[1 - i] and before[1 - i] != threaded:
                yield "itself", own - other


# --- a busy neighbour -----------------------------------------------------------------------------


@contextmanager
def _hog() -> Iterator[None]:
    """Keeps the first core that this process may use busy."""
    core = min(os.sched_getaffinity(0))
    process = subprocess.Popen(
        [sys.executable, "-c", "while True: pass"],
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    try:
        time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


def busy_neighbour(audit: Audit) -> list[Finding]:
    """Verdicts with another process on one core, against those without."""
    trials = []
    cases = _CASES * audit.count(3)
    for number, case in enumerate(cases):
        audit.tick(f"a busy neighbour, {number + 1} of {len(cases)}")
        options = ("--algorithm", *_ALGORITHMS, "--threads", "1", "2")
        quiet = Field(audit.cell(case, *options, time_=3, seed=number + 1), _OURS)
        with _hog():
            watch = caveats.Watch()
            loud = Field(audit.cell(case, *options, time_=3, seed=number + 1), _OURS)
            flagged = bool(watch.warnings())
        for who in set(quiet) & set(loud) - {quiet.fastest}:
            pair = [cell.ratio(who, quiet.fastest).verdict for cell in (quiet, loud)]
            trials.append({"case": case, "who": f"{who.algorithm}, {who.threads} threads",
                           "quiet": pair[0], "loud": pair[1], "flagged": flagged})  # fmt: skip
    reversed_ = [t for t in trials if {t["quiet"], t["loud"]} == {"faster", "slower"}]
    unflagged = [t for t in reversed_ if not t["flagged"]]
    flagged = sum(t["flagged"] for t in trials)
    return [
        Finding(
            "verdicts reversed by a busy neighbour",
            "0, or the cell is flagged as contaminated",
            f"{len(reversed_)} in {len(trials)}, {len(unflagged)} of them not flagged",
            not unflagged,
            f"one of {environment.core_count()} cores kept busy; {flagged} of {len(trials)} "
            "comparisons are in cells flagged as contaminated",
            trials,
        )
    ]


class _AllOurs(dict):
    def __missing__(self, name: str) -> str:
        return "ours"


_OURS = _AllOurs()


# --- fresh runs -----------------------------------------------------------------------------------

_RUN_CASES = (
    "8x8_k5x5", "32x32_k7x7", "64x64_k3x3", "64x64_k15x15", "128x128_k7x7", "256x256_k3x3",
    "256x256_k15x15", "512x512_k31x31", "n8_i16_o6_10x10_k5x5", "n1_i64_o64_28x28_k3x3",
)  # fmt: skip


def fresh_runs(audit: Audit) -> list[Finding]:
    """The same cells in runs that know nothing of each other, compared as in a report."""
    runs = max(3, round(10 * min(1.0, audit.scale)))
    confidence = corrected_confidence(len(_RUN_CASES) * count_pairs(8))
    wins: dict[tuple[str, int], list[tuple[str, str]]] = {}
    verdicts: dict[tuple[str, Contender, Contender], list[str]] = {}
    for run in range(runs):
        for case in _RUN_CASES:
            audit.tick(f"fresh runs, {run + 1} of {runs}, {case}")
            samples = audit.cell(
                case, "--cell-limit", "0.2", "--half-width", "0.01",
                "--confidence", f"{confidence:.9f}", time_=2, seed=100 * run + 1,
            )  # fmt: skip
            cell = Field(samples, _OURS, confidence, audit.layout_spread)
            for threads in {1, max(who.threads for who in cell)}:
                part = cell.among(("ours",), threads)
                win = part.win()
                wins.setdefault((case, threads), []).append((win.winner.algorithm, win.verdict))
            names = sorted(cell)
            for i, who in enumerate(names):
                for to in names[i + 1 :]:
                    verdicts.setdefault((case, who, to), []).append(cell.ratio(who, to).verdict)
    return _agreement(wins, verdicts, runs)


def _agreement(
    wins: dict[tuple[str, int], list[tuple[str, str]]],
    verdicts: dict[tuple[str, Contender, Contender], list[str]],
    runs: int,
) -> list[Finding]:
    decided = {key: found for key, found in wins.items()
               if sum(verdict == "clear" for _, verdict in found) > runs / 2}  # fmt: skip
    same = {key: len({winner for winner, _ in found}) == 1 for key, found in decided.items()}
    both = [key for key, found in verdicts.items() if {"faster", "slower"} <= set(found)]
    claims = sum(verdict in ("faster", "slower") for found in verdicts.values()
                 for verdict in found)  # fmt: skip
    differing = [f"{case}, {threads} threads" for (case, threads), ok in same.items() if not ok]
    trials = [{"case": case, "threads": threads, "wins": found}
              for (case, threads), found in wins.items()]  # fmt: skip
    return [
        Finding(
            "fresh runs name the same winner",
            f"≥ 95 % of cells that are no ties, {runs} runs",
            f"{sum(same.values())} of {len(same)}",
            sum(same.values()) >= 0.95 * len(same),
            f"{len(wins) - len(decided)} of {len(wins)} cells are ties or unresolved in most runs"
            + (f"; differing: {', '.join(differing)}" if differing else ""),
            trials,
        ),
        Finding(
            "fresh runs contradict each other",
            "never",
            f"{len(both)} of {len(verdicts)} pairs",
            not both,
            f"{claims} verdicts of faster or slower in {runs} runs"
            + "".join(f"; {case}: {who.algorithm}@{who.threads} and {to.algorithm}@{to.threads}"
                      for case, who, to in both[:5]),  # fmt: skip
        ),
    ]


# --- layout ---------------------------------------------------------------------------------------


def layouts(audit: Audit) -> list[Finding]:
    """Programs linked in other orders; see module layout."""
    found = layout.measure(audit.programs.folder, audit.tick, scale=audit.scale)
    return [
        Finding(
            "spread between link orders",
            f"< {EQUAL_WITHIN - 1:.0%}, or nothing can be called equal",
            f"{found['spread']:.2%}",
            1 + found["spread"] < EQUAL_WITHIN,
            f"nothing smaller is claimed; 95th percentile over {len(found['cells'])} ratios, {found['variants']} link orders, "
            f"{found['rounds']} rounds; median {found['median']:.2%}; were all alike, chance alone "
            f"would give {found['chance']:.2%}",
            [found],
        )
    ]


CHECKS: dict[str, Callable[[Audit], list[Finding]]] = {
    "twins": twins,
    "slow-downs": slow_downs,
    "carry-over": carry_over,
    "neighbour": busy_neighbour,
    "layout": layouts,
    "runs": fresh_runs,  # with what layout was found to do
}
