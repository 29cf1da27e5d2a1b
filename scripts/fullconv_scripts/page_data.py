"""What the page shows, as plain JSON: every number that it draws is computed here.

A *row* is a contender of a cell that was measured. A *selection* is a choice that the reader makes:
scalar, at most so many threads, ours or peers or both; its *field* in a cell are those that may
take part, each algorithm with the number of threads that suits it best.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fullconv_scripts import caveats, comparison
from fullconv_scripts.chart_style import times_text
from fullconv_scripts.comparison import Contender
from fullconv_scripts.names import Case, parse_case, short_names
from fullconv_scripts.networks import read_networks
from fullconv_scripts.results import Key, Results, usual_time

KINDS = {"both": ("ours", "peer"), "ours": ("ours",), "peers": ("peer",)}
HALF_WIDTH_BINS = (0.005, 0.01, 0.02, 0.05, 0.1)  # the last bin holds what is wider
_DIGITS = 4  # of what is embedded; raw.json has them all


def collect(results: Results, audit: dict[str, Any] | None) -> dict[str, Any]:
    """All that the page shows of results and of the audit of their machine."""
    table = _Table(results)
    return {
        "run": _run(table),
        "contenders": _contenders(table),
        "cells": table.cells,
        "rows": {"fields": _ROW_FIELDS, "values": table.rows, "implementations": table.implementations},
        "skipped": {"fields": _SKIPPED_FIELDS, "values": table.skipped, "reasons": table.reasons},
        "selections": [_selection(table, *choice) for choice in _choices(table)],
        "scaling": _scaling(table),
        "modes": _modes(table),
        "steps": _steps(results),
        "floors": _floors(results),
        "audit": None if audit is None else list(_audit_tables(audit)),
        "environment": results.environment,
        "settings": results.raw.get("settings", {}),
        "halfWidthBins": HALF_WIDTH_BINS,
    }


def rounded(value: float) -> float | None:
    """To the digits that are embedded; None for what is no number."""
    if not math.isfinite(value):
        return None
    return float(f"{value:.{_DIGITS}g}")


def _run(table: _Table) -> dict[str, Any]:
    """What the run was, as a whole."""
    raw = table.results.raw
    return {
        "status": raw.get("status", "unknown"),
        "contamination": caveats.contamination(
            [cell.get("warnings", []) for cell in raw["cells"]]
        ),
        "leftOut": raw.get("left_out_cells", []),
        "failures": [f"{entry['job']}: {entry['reason']}" for entry in raw.get("failures", [])],
        "confidence": comparison.CONFIDENCE,
        "layoutSpread": table.results.layout_spread,
        "comparisons": table.results.comparisons,
        "mode": table.main_mode,
        "scalars": table.scalars,
        "threads": table.threads,
        "groups": [group for group in KINDS if table.has_group(group)],
    }


# --- who takes part -------------------------------------------------------------------------------


def _contenders(table: _Table) -> list[dict[str, Any]]:
    """The registry's entries of those that take part, with their labels."""
    short = short_names(table.names)
    codes = _codes(table.names)
    registry = table.results.contenders
    return [
        {
            "name": name,
            "short": short[name],
            "code": codes[name],
            "kind": table.results.kinds[name],
            **{
                field: registry[name].get(field)
                for field in ("summary", "version", "ledger", "scalars", "threaded", "error_model")
            },
        }
        for name in table.names
    ]


def _codes(names: Sequence[str]) -> dict[str, str]:
    """Two letters for each name, no two alike as far as letters go round."""
    codes: dict[str, str] = {}
    for name in names:
        first, *rest = name.replace("2", "").split("_")
        initials = "".join(part[0] for part in rest if part)
        candidates = [first[0] + letter for letter in initials + first[1:] + "abcdefghij"]
        fresh = (code for code in candidates if code not in codes.values())
        codes[name] = next(fresh, name[:2])
    return codes


# --- cells and rows -------------------------------------------------------------------------------

_ROW_FIELDS = (
    "cell", "place", "contender", "threads", "phase", "seconds", "low", "high", "repetitions",
    "workspace", "error", "l2", "sampled", "rate", "ofPeak", "ofBandwidth", "ofRoofline",
    "implementation",
)  # fmt: skip
_SKIPPED_FIELDS = ("cell", "place", "contender", "threads", "phase", "kind", "reason")


@dataclass(frozen=True)
class _Row:
    """A contender of a cell that was executed: its number, and what the pictures plot."""

    number: int
    seconds: float
    error: float  # in units of its bound
    l2: float


class _Table:
    """Cells, rows and what was skipped, by number, in the order of the raw file."""

    def __init__(self, results: Results) -> None:
        self.results = results
        seen = {*results.times["algorithm"], *results.skipped["algorithm"]}
        order = ("ours", "peer", "binding", "floor")
        self.names = [name for kind in order for name in results.of_kind(kind) if name in seen]
        self.cases: list[Case] = []
        self.cells: list[dict[str, Any]] = []
        self.fields: list[comparison.Field] = []  # by cell: who ran side by side
        self.executed: list[dict[Contender, _Row]] = []  # by cell
        self.rows: list[list[Any]] = []
        self.skipped: list[list[Any]] = []
        self.reasons: list[str] = []
        self.implementations: list[str] = []
        for index, entry in enumerate(results.raw["cells"]):
            self._add(index, entry)
        self.threads = sorted({who.threads for field in self.fields for who in field.contenders})
        ran = [cell for cell, field in zip(self.cells, self.fields) if field.contenders]
        self.scalars = list(dict.fromkeys(cell["scalar"] for cell in ran))
        modes = Counter((cell["cache"], cell["output"]) for cell in ran)
        self.main_mode = modes.most_common(1)[0][0] if modes else ("hot", "reused")
        for number, cell in enumerate(self.cells):
            cell["main"] = self.is_main(number)

    def has_group(self, group: str) -> bool:
        """Whether anything of the group ran in blocks; `both` only where both did."""
        kinds = self.results.kinds
        found = {kinds[who.algorithm] for field in self.fields for who in field.contenders}
        return set(KINDS[group]) <= found

    def is_main(self, number: int) -> bool:
        """Whether a cell is of the mode that most are of, and not one of planning alone: charts
        that mix no modes show these."""
        cell = self.cells[number]
        return not cell["planning"] and (cell["cache"], cell["output"]) == self.main_mode

    def _add(self, index: int, entry: dict[str, Any]) -> None:
        """Takes in a cell of the raw file, unless a later one of the same name replaced it."""
        times = self.results.times[self.results.times["cell"] == index]
        skipped = self.results.skipped[self.results.skipped["cell"] == index]
        if times.empty and skipped.empty and entry["contenders"]:
            return
        who = ((c["phase"], c["algorithm"], c["threads"]) for c in entry["contenders"])
        places = {contender: place for place, contender in enumerate(who)}
        number = len(self.cells)

        def head(row: Any) -> list[Any]:
            place = places[row.phase, row.algorithm, row.threads]
            return [number, place, self.names.index(row.algorithm), int(row.threads), row.phase]

        executed = {}
        for row in times.itertuples():
            measured = self._measured(head(row), row)
            if row.phase == "execute":
                executed[Contender(row.algorithm, int(row.threads))] = measured
        for row in skipped.itertuples():
            self._skip(head(row), row.outcome, row.reason)
        key = Key(entry["case"], entry["scalar"], entry["cache"], entry["output"])
        nobody = comparison.Field({}, self.results.kinds)
        field = self.results.fields.get(key, nobody) if executed else nobody
        self.cases.append(parse_case(entry["case"]))
        self.fields.append(field)
        self.executed.append(executed)
        blocks = max(map(len, field.samples.values()), default=0)
        placed = {} if times.empty else times.iloc[0]
        self.cells.append(self._cell(index, entry, blocks, placed))

    def _cell(
        self, index: int, entry: dict[str, Any], blocks: int, placed: Mapping[str, Any]
    ) -> dict[str, Any]:
        """`placed`: a row of its table, which says where the problem is below the roofline."""
        case = self.cases[-1]
        return {
            "case": case.text,
            "scalar": entry["scalar"],
            "cache": entry["cache"],
            "output": entry["output"],
            "raw": index,
            "remark": self.results.raw.get("remarks", {}).get(case.text, ""),
            **{name: getattr(case, name) for name in ("N", "K", "C", "H", "W", "h", "w")},
            "layer": case.layer,
            "square": _is_square(case),
            "multiplyAdds": case.multiply_adds,
            "bytes": rounded(placed.get("bytes", math.nan)),
            "intensity": rounded(placed.get("intensity", math.nan)),
            "blocks": blocks,
            "planning": "execute" not in {who["phase"] for who in entry["contenders"]},
            "started": entry.get("started", ""),
            "wall": entry.get("wall_seconds"),
            "warnings": entry.get("warnings", []),
        }

    def _implementation(self, text: str) -> int:
        """Its number, since many rows have the same."""
        if text not in self.implementations:
            self.implementations.append(text)
        return self.implementations.index(text)

    def _skip(self, head: list[Any], outcome: str, reason: str) -> None:
        if reason not in self.reasons:
            self.reasons.append(reason)
        self.skipped.append([*head, outcome, self.reasons.index(reason)])

    def _measured(self, head: list[Any], row: Any) -> _Row:
        time = usual_time(row)
        numbers = [time.estimate, time.low, time.high, len(row.samples)]
        numbers += [row.workspace_bytes, row.error_in_bounds, row.relative_l2]
        rates = [row.gflops, row.of_peak, row.of_bandwidth, row.of_roofline]
        sampled = int(row.sampled > 0)
        ran = self._implementation(row.implementation)
        self.rows.append([*head, *map(rounded, numbers), sampled, *map(rounded, rates), ran])
        return _Row(len(self.rows) - 1, time.estimate, row.error_in_bounds, row.relative_l2)


def _is_square(case: Case) -> bool:
    """Whether it has a place in the map: a square plane and kernel, random operands."""
    return not case.layer and (case.H, case.h) == (case.W, case.w) and not case.family


# --- selections -----------------------------------------------------------------------------------


def _choices(table: _Table) -> Iterable[tuple[str, int, str]]:
    groups = [group for group in KINDS if table.has_group(group)]
    return itertools.product(table.scalars, table.threads, groups)


@dataclass(frozen=True)
class _Answer:
    """A cell of a selection: who is fastest, and how far behind the others are."""

    cell: int
    field: comparison.Field
    verdict: str  # clear, tie, unresolved, or alone: nobody else was measured
    order: tuple[Contender, ...]  # each algorithm's best variant: who wins, then the fastest first
    ratios: dict[Contender, comparison.Ratio]  # of these to the first
    margin: comparison.Ratio | None  # of the next that counts
    level: tuple[Contender, ...]  # those that count and are not told to be slower than the first
    aside: tuple[Contender, ...]  # bindings, which are compared with the first, and cannot win

    @property
    def fastest(self) -> Contender:
        return self.order[0]


def _answer(table: _Table, number: int, threads: int, group: str) -> _Answer | None:
    field = table.fields[number].among(KINDS[group], threads)
    win = field.win()
    if not win:
        return None
    order = (win.winner, *(who for who in field.best_variants if who != win.winner))
    verdict = win.verdict if win.runner_up else "alone"
    ratios = {who: field.ratio(who, to=win.winner) for who in order}
    aside = tuple(table.fields[number].among(("binding",), threads))
    return _Answer(number, field, verdict, order, ratios, win.margin, win.level_with, aside)


def _selection(table: _Table, scalar: str, threads: int, group: str) -> dict[str, Any]:
    """All answers of a selection, and what follows from those in the main mode."""
    numbers = [i for i, cell in enumerate(table.cells) if cell["scalar"] == scalar]
    found = (_answer(table, number, threads, group) for number in numbers)
    answers = [answer for answer in found if answer]
    main = [answer for answer in answers if table.is_main(answer.cell)]
    planes = [answer for answer in main if not table.cases[answer.cell].layer]
    layers = [answer for answer in main if table.cases[answer.cell].layer]
    return {
        "scalar": scalar,
        "threads": threads,
        "group": group,
        "answers": [_answer_entry(table, answer) for answer in answers],
        "ranking": {
            family: _ranking(table, part)
            for family, part in (("planes", planes), ("layers", layers))
            if part
        },
        "networks": _networks(table, layers),
        "forms": _forms(table, layers),
        "headline": _headline(table, planes, layers),
        "precision": _precision(main),
    }


def _networks(table: _Table, layers: Sequence[_Answer]) -> list[dict[str, Any]]:
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


def _forms(table: _Table, layers: Sequence[_Answer]) -> list[dict[str, Any]]:
    """Who to take for layers of a kind, by kernel, stride, dilation and channels. Of those who ran
    on every layer of the kind the one that is fastest on average, with the next: {kernel, stride,
    dilation, planes: depthwise, channels: the least of its class, cells, best, next: [contender,
    times the best's time] or null}."""
    kinds: dict[tuple[Any, ...], list[_Answer]] = {}
    for answer in layers:
        case = table.cases[answer.cell]
        channels = min(case.K, case.C) // case.groups
        planes = case.groups > 1 and channels == 1
        least = max(bound for bound in _CHANNEL_CLASSES if bound <= channels)
        kind = ((case.h, case.w), case.stride, case.dilation, planes, least)
        kinds.setdefault(kind, []).append(answer)
    entries = []
    for (kernel, stride, dilation, planes, least), answers in sorted(kinds.items()):
        names, ratios = _ratio_matrix(answers)
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
                "cells": [answer.cell for answer in answers],
                "best": table.names.index(names[best]),
                "next": following,
            }
        )
    return entries


def _answer_entry(table: _Table, answer: _Answer) -> dict[str, Any]:
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


def _front(field: Iterable[_Row], what: str) -> list[int]:
    """The numbers of the rows, fastest first, that none beats in both time and error."""
    front: list[_Row] = []
    for row in sorted(field, key=lambda row: (row.seconds, getattr(row, what))):
        error = getattr(row, what)
        if math.isfinite(error) and (not front or error < getattr(front[-1], what)):
            front.append(row)
    return [row.number for row in front]


def _ranking(table: _Table, answers: Sequence[_Answer]) -> list[dict[str, Any]]:
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
    row: _Row


def _standing(table: _Table, answer: _Answer, name: str) -> _Standing | None:
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


def _precision(answers: Sequence[_Answer]) -> dict[str, Any]:
    """How well the ratios to the fastest are known: relative half-widths of their intervals, and
    counts of them by HALF_WIDTH_BINS."""
    counts = [0] * (len(HALF_WIDTH_BINS) + 1)
    for answer in answers:
        for ratio in answer.field.ratios().values():
            counts[sum(ratio.half_width > edge for edge in HALF_WIDTH_BINS)] += 1
    whole = comparison.precision(answer.field for answer in answers)
    return {"median": rounded(whole.median), "p95": rounded(whole.p95), "counts": counts}


# --- the headline ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rule:
    """Take `small` for kernels up to a side, `large` beyond."""

    small: str
    large: str
    side: int
    mean: float  # how many times the fastest's time, geometric mean
    worst: float


def _headline(
    table: _Table, planes: Sequence[_Answer], layers: Sequence[_Answer]
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


def _ratio_matrix(answers: Sequence[_Answer]) -> tuple[list[str], np.ndarray]:
    """Names, and ratios to the fastest: answers × names, NaN where not run."""
    names = list(dict.fromkeys(who.algorithm for answer in answers for who in answer.order))
    matrix = np.full((len(answers), len(names)), np.nan)
    for i, answer in enumerate(answers):
        for who in answer.order:
            matrix[i, names.index(who.algorithm)] = answer.ratios[who].estimate
    return names, matrix


def _rules(table: _Table, answers: Sequence[_Answer]) -> list[_Rule]:
    """All rules whose algorithms ran wherever the rule says to take them."""
    names, matrix = _ratio_matrix(answers)
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


def _rule_sentence(table: _Table, answers: Sequence[_Answer]) -> str:
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


def _cost_text(mean: float, worst: float, answers: Sequence[_Answer]) -> str:
    """What following a rule costs."""
    if worst >= _EVERYWHERE:
        on_average, at_worst = times_text(mean), times_text(worst)
        return f"on average {on_average} the time of the fastest, at worst {at_worst}"
    where = "everywhere" if len(answers) > 1 else "on the one problem here"
    unclear = any(answer.verdict in ("tie", "unresolved") for answer in answers)
    how = "" if not unclear else ", but not always clearly" if len(answers) > 1 else ", not clearly"
    return f"the fastest {where}{how}"


def _wins_sentence(answers: Sequence[_Answer], what: str) -> str:
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


def _single_sentence(table: _Table, layers: Sequence[_Answer]) -> str:
    """The one algorithm to take for layers."""
    names, matrix = _ratio_matrix(layers)
    best = _best_column(np.log(matrix))
    if best is None:
        return _wins_sentence(layers, "layer")
    column = matrix[:, best]
    mean, worst = math.exp(np.log(column).mean()), column.max()
    return f"For layers take `{names[best]}`: {_cost_text(mean, worst, layers)}."


# --- what else was measured -----------------------------------------------------------------------


def _scaling(table: _Table) -> list[list[Any]]:
    """[row with one thread, row with more, speed-up, low, high], for all that were timed so."""
    found = []
    for field, rows in zip(table.fields, table.executed):
        for who in field.contenders:
            alone = Contender(who.algorithm, 1)
            if who.threads > 1 and alone in field:
                ratio = field.ratio(alone, to=who)
                numbers = map(rounded, (ratio.estimate, ratio.low, ratio.high))
                found.append([rows[alone].number, rows[who].number, *numbers])
    return found


def _modes(table: _Table) -> list[list[Any]]:
    """[row in the main mode, row in another, ratio, low, high], for all that ran in both. The two
    ran in different cells: nothing is paired."""
    main = {
        (cell["case"], cell["scalar"]): number
        for number, cell in enumerate(table.cells)
        if table.is_main(number) and table.executed[number]
    }
    found = []
    for number, cell in enumerate(table.cells):
        base = main.get((cell["case"], cell["scalar"]))
        if base is None or table.is_main(number):
            continue
        for who in table.fields[number].contenders:
            if who in table.fields[base]:
                mine, other = table.fields[base].samples[who], table.fields[number].samples[who]
                difference = comparison.log_time(other).minus(comparison.log_time(mine))
                ratio = difference.ratio()
                rows = table.executed[base][who].number, table.executed[number][who].number
                found.append([*rows, *map(rounded, (ratio.estimate, ratio.low, ratio.high))])
    return found


def _steps(results: Results) -> list[dict[str, Any]]:
    """Steps of each algorithm in each cell, in the order measured: {..., total, parts: [[name,
    seconds]]}."""
    found = []
    keys = ["case", "scalar", "algorithm", "threads"]
    for values, rows in results.steps.groupby(keys, sort=False):
        parts = [[row.step, rounded(row.seconds)] for row in rows.itertuples() if row.seconds > 0]
        total = rounded(float(rows["seconds"].sum()))
        case, scalar, algorithm, threads = values
        who = {"case": case, "scalar": scalar, "algorithm": algorithm, "threads": int(threads)}
        found.append({**who, "total": total, "parts": parts})
    return found


def _floors(results: Results) -> list[dict[str, Any]]:
    """What the machine can do: {name, scalar, threads, seconds, rate, unit}."""
    found = []
    for text, floor in results.floors.items():
        name, *rest = text.split("/")
        threads = next((int(p.split(":")[1]) for p in rest if p.startswith("threads:")), 1)
        scalar = next((part for part in rest if part in ("f32", "f64")), None)
        unit = next((unit for unit in ("GFLOP/s", "GB/s") if unit in floor), "")
        rate = rounded(floor[unit]) if unit else None
        entry = {"name": name, "scalar": scalar, "threads": threads, "rate": rate, "unit": unit}
        found.append({**entry, "seconds": rounded(floor["seconds"])})
    return found


_FINDING = ("name", "target", "measured", "met", "detail")


def _audit_tables(node: Any, title: str = "") -> Iterable[dict[str, Any]]:
    """Every table of an audit, {title, rows}, wherever it is: a list of things with a target."""
    if isinstance(node, dict):
        title = node.get("title", title)
        for name, value in node.items():
            plain = name in ("rows", "tables", "checks", "findings")
            yield from _audit_tables(value, title if plain else name.replace("_", " "))
    elif isinstance(node, list):
        rows = [entry for entry in node if isinstance(entry, dict) and "target" in entry]
        if rows:
            findings = [{name: row.get(name) for name in _FINDING} for row in rows]
            yield {"title": title, "rows": findings}
        else:
            for entry in node:
                yield from _audit_tables(entry, title)
