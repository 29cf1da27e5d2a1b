"""What chance does: how far ratios differ between programs that differ in nothing but link order.

Where the linker puts a loop decides how it meets cache lines, branch predictors and the decoder, so
one program is one draw of many (Mytkowicz, Diwan, Hauswirth and Sweeney, Producing Wrong Data
Without Doing Anything Obviously Wrong, ASPLOS 2009). No number of repetitions averages that away.
Here the benchmark program is linked several times, its objects in random order, and these variants
run in turn, round by round. Each run has an environment of another size, which moves the stack, and
the system's address randomisation besides: what these do is part of the noise between runs of one
variant.

For each algorithm and case, v = log of its time over the reference's, for n variants × R rounds, is
a randomised block design:

    d = mean of a variant's v − mean of all, B = R·Σ d² / (n − 1)
    W = Σ (v − its variant's mean − its round's mean + mean of all)² / ((n − 1)·(R − 1))
    between = √max(0, (B − W)/R), within = √W, p = P(F(n − 1, (n − 1)·(R − 1)) ≥ B/W)
    e = d scaled so that √(Σ e² / (n − 1)) = between: a variant's deviation without the noise

The spread is the 95th percentile of |e| over all algorithms, cases and variants, as a part of the
ratio: so far a ratio of this program is likely to be from that of the average layout. By chance
alone, were all layouts alike, the same computation gives `chance`, the median over random exchanges
of variants within rounds: a spread that does not exceed it is not there.
"""

from __future__ import annotations

import math
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from fullconv_scripts.comparison import log_ratio
from fullconv_scripts.programs import ProgramFailed, Programs, read_cells, run, run_for_json

VARIANTS = 6
ROUNDS = 5
CELL_TIME = 1.0  # seconds for a case in one run
CASES = ("32x32_k5x5", "128x128_k7x7", "512x512_k3x3", "n1_i16_o16_14x14_k3x3")
REFERENCE = "clamp_bounds"
STATISTIC = (
    "95th percentile of the deviation of a ratio from its mean over link orders, without the noise "
    "between runs of one program"
)

_MOST_ENVIRONMENT = 4096  # bytes: a page, after which the stack's alignment repeats
_EXCHANGES = 200

Key = tuple[str, str]  # algorithm, case


# --- the computation ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Components:
    """What layouts and what runs do to the logarithm of one ratio: standard deviations."""

    between: float  # variants
    within: float  # runs of one variant
    p: float  # that chance makes variants differ as much
    deviations: np.ndarray  # of each variant, without noise


def components(logs: np.ndarray) -> Components:
    """Of logarithms of ratios, variants × rounds, at least 2 × 2."""
    variants, rounds = logs.shape
    mean = logs.mean()
    by_variant = logs.mean(axis=1) - mean
    by_round = logs.mean(axis=0) - mean
    residuals = logs - mean - by_variant[:, None] - by_round
    freedom = (variants - 1) * (rounds - 1)
    noise = float((residuals**2).sum()) / freedom
    effect = rounds * float(by_variant @ by_variant) / (variants - 1)
    excess = max(0.0, effect - noise)
    between = math.sqrt(excess / rounds)
    deviations = by_variant * (math.sqrt(excess / effect) if excess > 0 else 0.0)
    if noise > 0:
        p = float(stats.f.sf(effect / noise, variants - 1, freedom))
    else:
        p = float(effect == 0)
    return Components(between, math.sqrt(noise), p, deviations)


def _deviations(found: Sequence[np.ndarray]) -> np.ndarray:
    """|e| of all variants of all ratios."""
    return np.abs(np.concatenate([components(logs).deviations for logs in found]))


def spread(found: Sequence[np.ndarray]) -> float:
    """The 95th percentile of |e|, as a part of the ratio: 0.01 for 1 %. `found`: of each ratio its
    logarithms, variants × rounds."""
    return float(np.expm1(np.quantile(_deviations(found), 0.95)))


def spread_by_chance(found: Sequence[np.ndarray], seed: int = 1) -> float:
    """The spread that is left, in the median, where each round's variants change places."""
    random = np.random.default_rng(seed)
    exchanged = ([random.permuted(logs, axis=0) for logs in found] for _ in range(_EXCHANGES))
    return float(np.median([spread(logs) for logs in exchanged]))


def summarise(logs: Mapping[Key, np.ndarray]) -> dict[str, Any]:
    """What is published of logarithms of ratios to the reference, variants × rounds each."""
    found = list(logs.values())
    variants, rounds = found[0].shape
    cells = []
    for (algorithm, case), values in logs.items():
        parts = components(values)
        cells.append(
            {
                "case": case,
                "scalar": "f32",
                "threads": 1,
                "algorithm": algorithm,
                "reference": REFERENCE,
                "between": round(parts.between, 6),
                "within": round(parts.within, 6),
                "p": float(f"{parts.p:.3g}"),
                "ratios": [round(ratio, 5) for ratio in np.exp(values.mean(axis=1)).tolist()],
            }
        )
    return {
        "statistic": STATISTIC,
        "variants": variants,
        "rounds": rounds,
        "spread": round(spread(found), 6),
        "median": round(float(np.expm1(np.median(_deviations(found)))), 6),
        "chance": round(spread_by_chance(found), 6),
        "cells": cells,
    }


# --- linking --------------------------------------------------------------------------------------


def shuffled_link(
    commands: Sequence[str], target: str, out: Path, random: np.random.Generator
) -> list[str]:
    """The command that links `target` as `out`, its own objects and those of the archives that the
    build makes in random order. `commands`: what the build runs for it, in order."""
    archives: dict[str, list[str]] = {}
    link: list[str] = []
    for line in commands:
        for words in _split_at(shlex.split(line), "&&"):
            if "qc" in words[1:2]:  # ar qc ARCHIVE OBJECT...
                archives[words[2]] = words[3:]
            elif _names_output(words, target):
                link = words
    if not link:
        raise ProgramFailed(f"{target}: the build has no command that links it")
    objects, others = [], []
    for word in link:
        if word in archives:
            objects += archives[word]
        elif word.endswith(".o"):
            objects.append(word)
        else:
            others.append(word)
    place = others.index("-o")
    others[place + 1] = str(out)
    # An archive may stand on the line twice; its objects may not.
    unique = list(dict.fromkeys(objects))
    return [*others[:place], *random.permutation(unique).tolist(), *others[place:]]


def _split_at(words: Sequence[str], separator: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == separator:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _names_output(words: Sequence[str], target: str) -> bool:
    return "-o" in words[:-1] and words[words.index("-o") + 1] == target


def link_variants(build: Path, into: Path, count: int, seed: int) -> list[Path]:
    """Folders below `into`, each with the benchmark program of `build` in another link order.
    Raises ProgramFailed where Ninja does not build there or the linker fails."""
    target = Programs(build).bench.name
    asked = run(["ninja", "-C", build, "-t", "commands", target])
    if asked.code != 0:
        raise ProgramFailed(f"{build}: expected a folder in which Ninja builds: {asked.error_line}")
    random = np.random.default_rng(seed)
    folders = []
    for variant in range(1, count + 1):
        folder = into / str(variant)
        folder.mkdir()
        command = shuffled_link(asked.stdout.splitlines(), target, folder / target, random)
        linked = run(["env", "-C", build, *command])
        if linked.code != 0:
            raise ProgramFailed(f"{target}: cannot be linked anew: {linked.error_line}")
        folders.append(folder)
    return folders


# --- measuring ------------------------------------------------------------------------------------


def _log_ratios(
    programs: Programs, cell_time: float, seed: int, environment: int
) -> dict[Key, float]:
    """Logarithms of ratios to the reference in one run of a variant."""
    report = run_for_json(
        [
            *("env", f"FULLCONV_LAYOUT={'x' * environment}", programs.bench),
            *("--case", *CASES, "--scalar", "f32", "--threads", "1"),
            *("--cell-time", f"{cell_time:g}", "--half-width", "0.0001", "--seed", str(seed)),
            "--benchmark_format=json",
        ]
    )
    logs = {}
    for cell in read_cells(report):
        times = {
            who["algorithm"]: dict(zip(who["blocks"], who["seconds"]))
            for who in cell["contenders"]
            if "seconds" in who
        }
        reference = times.pop(REFERENCE)
        for algorithm, own in times.items():
            logs[algorithm, cell["case"]] = log_ratio(own, reference).mean
    return logs


def measure(
    build: Path,
    tick: Callable[[str], None],
    scale: float = 1.0,
    variants: int = VARIANTS,
    cell_time: float = CELL_TIME,
    seed: int = 1,
) -> dict[str, Any]:
    """The spread between link orders of the benchmark program in `build`: {statistic, variants,
    rounds, spread, median, chance, cells}, spreads relative to the ratio.

    tick is told now and then what is going on. scale: of the number of rounds, at least 3.
    Raises ProgramFailed.
    """
    rounds = max(3, round(ROUNDS * scale))
    random = np.random.default_rng(seed)
    logs: dict[Key, np.ndarray] = {}
    nothing = np.full((variants, rounds), np.nan)
    with tempfile.TemporaryDirectory(prefix="layouts-", dir=build) as folder:
        tick(f"linking {variants} times")
        programs = [Programs(path) for path in link_variants(build, Path(folder), variants, seed)]
        for round_ in range(rounds):
            for done, variant in enumerate(random.permutation(variants)):
                run_number = round_ * variants + done + 1
                tick(f"link orders, run {run_number} of {rounds * variants}")
                bytes_ = int(random.integers(_MOST_ENVIRONMENT))
                # One seed a round: all its variants have operands at the same places.
                found = _log_ratios(programs[variant], cell_time, seed + round_, bytes_)
                for key, value in found.items():
                    logs.setdefault(key, nothing.copy())[variant, round_] = value
    return summarise({key: values for key, values in logs.items() if not np.isnan(values).any()})
