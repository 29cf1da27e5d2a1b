"""What a reader should take, in a sentence or two."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fullconv_scripts.chart_style import times_text
from fullconv_scripts.page_answers import Answer, ratio_matrix
from fullconv_scripts.page_table import Table

@dataclass(frozen=True)
class _Rule:
    """Take `small` for kernels up to a side, `large` beyond."""

    small: str
    large: str
    side: int
    mean: float  # how many times the fastest's time, geometric mean
    worst: float


def headline(
    table: Table, planes: Sequence[Answer], layers: Sequence[Answer]
) -> list[str]:
    """Which one to use, in sentences with names in backquotes, the answer first."""
    squares = [answer for answer in planes if table.cells[answer.cell]["square"]]
    sentences = []
    if squares or planes:
        sentences.append(_rule_sentence(table, squares or planes))
    if len(planes) > 1:
        sentences.append(_wins_sentence(planes, "single-plane problem"))
    if layers:
        sentences.append(_single_sentence(table, layers))
    return sentences or ["Nothing was measured here."]


def _rules(table: Table, answers: Sequence[Answer]) -> list[_Rule]:
    """All rules whose algorithms ran wherever the rule says to take them."""
    names, matrix = ratio_matrix(answers)
    sides = np.array([max(table.cases[a.cell].h, table.cases[a.cell].w) for a in answers])
    logs = np.log(matrix)
    rules = []
    for side in sorted(set(sides.tolist())):
        below = sides <= side
        # Only the best on each side of the boundary can make the best rule.
        small = _best_column(logs[below])
        large = _best_column(logs[~below]) if not below.all() else small
        if small is None or large is None:
            continue
        taken = np.where(below, logs[:, small], logs[:, large])
        mean, worst = math.exp(taken.mean()), math.exp(taken.max())
        rules.append(_Rule(names[small], names[large], int(side), mean, worst))
    return rules


def _best_column(logs: np.ndarray) -> int | None:
    """The column with the smallest mean among those without gaps."""
    means = logs.mean(axis=0)
    return None if np.isnan(means).all() else int(np.nanargmin(means))


_WORTH_TWO = 1.05  # a rule of two must be better than a single choice by this factor


def _rule_sentence(table: Table, answers: Sequence[Answer]) -> str:
    rules = _rules(table, answers)
    singles = [rule for rule in rules if rule.small == rule.large]
    best = min(rules, key=lambda rule: rule.mean, default=None)
    single = min(singles, key=lambda rule: rule.mean, default=None)
    if best is None:
        return "No two algorithms cover all of these problems: see the map."
    if single and single.mean <= best.mean * _WORTH_TWO:
        return f"Take `{single.small}`: {_cost_text(single.mean, single.worst, answers)}."
    return (
        f"Take `{best.small}` for kernels up to {best.side}×{best.side} and `{best.large}` "
        f"for larger ones: {_cost_text(best.mean, best.worst, answers)}."
    )


_EVERYWHERE = 1.005  # at worst so many times the fastest's time reads as 1.00


def _cost_text(mean: float, worst: float, answers: Sequence[Answer]) -> str:
    """What following a rule costs."""
    if worst >= _EVERYWHERE:
        on_average, at_worst = times_text(mean), times_text(worst)
        return f"on average {on_average} the time of the fastest, at worst {at_worst}"
    where = "everywhere" if len(answers) > 1 else "on the one problem here"
    unclear = any(answer.verdict in ("tie", "unresolved") for answer in answers)
    how = "" if not unclear else ", but not always clearly" if len(answers) > 1 else ", not clearly"
    return f"the fastest {where}{how}"


def _wins_sentence(answers: Sequence[Answer], what: str) -> str:
    """Who is clearly fastest how often, and how often that cannot be said."""
    wins = Counter(a.fastest.algorithm for a in answers if a.verdict == "clear").most_common()
    verdicts = Counter(answer.verdict for answer in answers)
    parts = [f"`{name}` is clearly fastest on {count}" for name, count in wins[:1]]
    parts += [f"`{name}` on {count}" for name, count in wins[1:4]]
    if len(wins) > 4:
        parts.append(f"{len(wins) - 4} others on {sum(count for _, count in wins[4:])}")
    rest = [
        f"{verdicts[verdict]} {text}"
        for verdict, text in (("tie", "tied"), ("unresolved", "unresolved"), ("alone", "unopposed"))
        if verdicts[verdict]
    ]
    plural = "s" if len(answers) != 1 else ""
    return f"Of {len(answers)} {what}{plural}, {', '.join(parts + rest)}."


def _single_sentence(table: Table, layers: Sequence[Answer]) -> str:
    """The one algorithm to take for layers."""
    names, matrix = ratio_matrix(layers)
    best = _best_column(np.log(matrix))
    if best is None:
        return _wins_sentence(layers, "layer")
    column = matrix[:, best]
    mean, worst = math.exp(np.log(column).mean()), column.max()
    return f"For layers take `{names[best]}`: {_cost_text(mean, worst, layers)}."
