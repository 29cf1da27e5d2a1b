"""Who is fastest in each cell of a selection, and what follows for its cells together.

A *selection* is a choice that the reader makes: scalar, at most so many threads, ours or peers or
both; its *field* in a cell are those that may take part, each algorithm with the number of threads
that suits it best.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fullconv_scripts import comparison
from fullconv_scripts.comparison import Contender
from fullconv_scripts.networks import read_networks
from fullconv_scripts.page_table import KINDS, Row, Table, rounded

HALF_WIDTH_BINS = (0.005, 0.01, 0.02, 0.05, 0.1)  # the last bin holds what is wider


@dataclass(frozen=True)
class Answer:
    """A cell of a selection: who is fastest, and how far behind the others are."""

    cell: int
    field: comparison.Field
    verdict: str  # clear, tie, unresolved, or alone: nobody else was measured
    order: tuple[Contender, ...]  # each algorithm's best variant: who wins, then the fastest first
    ratios: dict[Contender, comparison.Ratio]  # of these to the first
    margin: comparison.Ratio | None  # of the next that counts
    level: tuple[Contender, ...]  # those that count and are not told to be slower than the first
    aside: tuple[Contender, ...]  # variants and bindings: compared with the first, cannot win

    @property
    def fastest(self) -> Contender:
        return self.order[0]


def find_answer(table: Table, number: int, threads: int, group: str) -> Answer | None:
    field = table.fields[number].among(KINDS[group], threads)
    win = field.win()
    if not win:
        return None
    order = (win.winner, *(who for who in field.best_variants if who != win.winner))
    verdict = win.verdict if win.runner_up else "alone"
    ratios = {who: field.ratio(who, to=win.winner) for who in order}
    aside = tuple(table.fields[number].among(("variant", "binding"), threads))
    return Answer(number, field, verdict, order, ratios, win.margin, win.level_with, aside)


def networks(table: Table, layers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Of each network of which some contender ran on every layer: their times, the fastest first,
    and the layers that decide the first one's."""
    cells = {table.cases[answer.cell].text: answer.cell for answer in layers}
    seconds: dict[str, dict[str, float]] = {}  # by algorithm, by case
    for answer in layers:
        case = table.cases[answer.cell].text
        for who in answer.order:
            row = table.executed[answer.cell][who]
            seconds.setdefault(who.algorithm, {})[case] = row.seconds
    entries = []
    for network in read_networks():
        totals = {name: network.total(found) for name, found in seconds.items()}
        ranked = sorted((total, name) for name, total in totals.items() if total is not None)
        if not ranked:
            continue
        deciding = network.shares(seconds[ranked[0][1]])[:_MOST_DECIDING]
        entries.append(
            {
                "name": network.name,
                "batch": network.batch,
                "layers": sum(network.times.values()),
                "totals": [[table.names.index(name), rounded(total)] for total, name in ranked],
                "deciding": [
                    [cells[case], network.times[case], rounded(share)] for case, share in deciding
                ],
            }
        )
    return entries


_MOST_DECIDING = 4  # layers of a network that are named

# The least channels of a class of layers: few fill no vector, many make kernels outweigh images.
_CHANNEL_CLASSES = (1, 5, 32, 128, 512)


def forms(table: Table, layers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Who to take for layers of a kind, by kernel, stride, dilation and channels. Of those who ran
    on every layer of the kind the one that is fastest on average, with the next: {kernel, stride,
    dilation, planes: depthwise, channels: the least of its class, below: that of the next class or
    None, cells, best, next: [contender, times the best's time] or None}."""
    kinds: dict[tuple[Any, ...], list[Answer]] = {}
    for answer in layers:
        case = table.cases[answer.cell]
        channels = min(case.K, case.C) // case.groups
        planes = case.groups > 1 and channels == 1
        least = max(bound for bound in _CHANNEL_CLASSES if bound <= channels)
        kind = ((case.h, case.w), case.stride, case.dilation, planes, least)
        kinds.setdefault(kind, []).append(answer)
    entries = []
    for (kernel, stride, dilation, planes, least), answers in sorted(kinds.items()):
        names, ratios = ratio_matrix(answers)
        logs = np.log(ratios)
        everywhere = np.flatnonzero(np.isfinite(logs).all(axis=0))
        if not everywhere.size:
            continue
        best, *rest = sorted(everywhere, key=lambda column: logs[:, column].mean())
        following = None
        if rest:
            times = math.exp((logs[:, rest[0]] - logs[:, best]).mean())
            following = [table.names.index(names[rest[0]]), rounded(times)]
        entries.append(
            {
                "kernel": kernel,
                "stride": stride,
                "dilation": dilation,
                "planes": planes,
                "channels": least,
                "below": next((bound for bound in _CHANNEL_CLASSES if bound > least), None),
                "cells": [answer.cell for answer in answers],
                "best": table.names.index(names[best]),
                "next": following,
            }
        )
    return entries


def answer_entry(table: Table, answer: Answer) -> dict[str, Any]:
    rows = table.executed[answer.cell]
    field = [rows[who] for who in answer.order]
    others = [who for who in answer.field.contenders if who not in answer.order]
    others += answer.aside
    whole = table.fields[answer.cell]
    return {
        "cell": answer.cell,
        "verdict": answer.verdict,
        "field": [row.number for row in field],
        "level": [rows[who].number for who in answer.level],
        "ratios": [_ratio_entry(answer.ratios[who]) for who in answer.order[1:]],
        "next": _ratio_entry(answer.margin) if answer.margin else None,
        "others": [
            [rows[who].number, _ratio_entry(whole.ratio(who, to=answer.fastest))] for who in others
        ],
        "front": _front(field, "error"),
        "frontL2": _front(field, "l2"),
    }


def _ratio_entry(ratio: comparison.Ratio) -> list[Any]:
    return [*map(rounded, (ratio.estimate, ratio.low, ratio.high)), ratio.verdict]


def _front(field: Iterable[Row], what: str) -> list[int]:
    """The numbers of the rows, fastest first, that none beats in both time and error."""
    front: list[Row] = []
    for row in sorted(field, key=lambda row: (row.seconds, getattr(row, what))):
        error = getattr(row, what)
        if math.isfinite(error) and (not front or error < getattr(front[-1], what)):
            front.append(row)
    return [row.number for row in front]


def ranking(table: Table, answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """One entry an algorithm: how often it wins, how far behind it is elsewhere, its worst error;
    `front` where none beats it in both mean and error."""
    entries = []
    for number, name in enumerate(table.names):
        mine = [_standing(table, answer, name) for answer in answers]
        ran = [standing for standing in mine if standing]
        if not ran:
            continue
        ratios = [standing.ratio for standing in ran]
        outcomes = Counter(standing.outcome for standing in ran)
        entries.append(
            {
                "contender": number,
                "mean": rounded(_geometric_mean([ratio.estimate for ratio in ratios])),
                "worst": rounded(max(ratio.estimate for ratio in ratios)),
                "error": rounded(max(standing.row.error for standing in ran)),
                "l2": rounded(max(standing.row.l2 for standing in ran)),
                "ran": len(ran),
                "of": len(answers),
                **{name: outcomes[name] for name in ("clear", "tie", "unresolved", "alone")},
            }
        )
    entries.sort(key=lambda entry: (entry["mean"] or math.inf, -entry["ran"]))
    for front, what in (("front", "error"), ("frontL2", "l2")):
        best = math.inf
        for entry in entries:
            entry[front] = entry[what] is not None and entry[what] < best
            best = entry[what] if entry[front] else best
    return entries


@dataclass(frozen=True)
class _Standing:
    """How an algorithm did in a cell."""

    ratio: comparison.Ratio  # to the fastest
    outcome: str  # the verdict of what it won, or `lost`
    row: Row


def _standing(table: Table, answer: Answer, name: str) -> _Standing | None:
    for who in answer.order:
        if who.algorithm == name:
            won = who == answer.fastest or who in answer.level
            outcome = answer.verdict if won else "lost"
            return _Standing(answer.ratios[who], outcome, table.executed[answer.cell][who])
    return None


def _geometric_mean(values: Sequence[float]) -> float:
    """NaN where one is not known."""
    if not values or not all(0 < value < math.inf for value in values):
        return math.nan
    return math.exp(float(np.mean(np.log(values))))


def precision(answers: Sequence[Answer]) -> dict[str, Any]:
    """How well the ratios to the fastest are known: relative half-widths of their intervals, and
    counts of them by HALF_WIDTH_BINS."""
    counts = [0] * (len(HALF_WIDTH_BINS) + 1)
    for answer in answers:
        for ratio in answer.field.ratios().values():
            counts[sum(ratio.half_width > edge for edge in HALF_WIDTH_BINS)] += 1
    whole = comparison.precision(answer.field for answer in answers)
    return {"median": rounded(whole.median), "p95": rounded(whole.p95), "counts": counts}


def ratio_matrix(answers: Sequence[Answer]) -> tuple[list[str], np.ndarray]:
    """Names, and ratios to the fastest: answers × names, NaN where not run."""
    names = list(dict.fromkeys(who.algorithm for answer in answers for who in answer.order))
    matrix = np.full((len(answers), len(names)), np.nan)
    for i, answer in enumerate(answers):
        for who in answer.order:
            matrix[i, names.index(who.algorithm)] = answer.ratios[who].estimate
    return names, matrix
