"""The cells of a page and their rows, by number.

A *row* is a contender of a cell that was measured.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fullconv_scripts import comparison
from fullconv_scripts.comparison import Contender
from fullconv_scripts.names import Case, parse_case
from fullconv_scripts.results import Key, Results, usual_time

KINDS = {"both": ("ours", "peer"), "ours": ("ours",), "peers": ("peer",)}
_DIGITS = 4  # of what is embedded; raw.json has them all


def rounded(value: float) -> float | None:
    """To the digits that are embedded; None for what is no number."""
    if not math.isfinite(value):
        return None
    return float(f"{value:.{_DIGITS}g}")

ROW_FIELDS = (
    "cell", "place", "contender", "threads", "phase", "seconds", "low", "high", "repetitions",
    "workspace", "error", "l2", "sampled", "rate", "ofPeak", "ofBandwidth", "ofRoofline",
    "implementation",
)  # fmt: skip
SKIPPED_FIELDS = ("cell", "place", "contender", "threads", "phase", "kind", "reason")


@dataclass(frozen=True)
class Row:
    """A contender of a cell that was executed: its number, and what the pictures plot."""

    number: int
    seconds: float
    error: float  # in units of its bound
    l2: float


class Table:
    """Cells, rows and what was skipped, by number, in the order of the raw file."""

    def __init__(self, results: Results) -> None:
        self.results = results
        seen = {*results.times["algorithm"], *results.skipped["algorithm"]}
        order = ("ours", "peer", "variant", "binding", "floor")
        self.names = [name for kind in order for name in results.of_kind(kind) if name in seen]
        self.cases: list[Case] = []
        self.cells: list[dict[str, Any]] = []
        self.fields: list[comparison.Field] = []  # by cell: who ran side by side
        self.executed: list[dict[Contender, Row]] = []  # by cell
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

    def _measured(self, head: list[Any], row: Any) -> Row:
        time = usual_time(row)
        numbers = [time.estimate, time.low, time.high, len(row.samples)]
        numbers += [row.workspace_bytes, row.error_in_bounds, row.relative_l2]
        rates = [row.gflops, row.of_peak, row.of_bandwidth, row.of_roofline]
        sampled = int(row.sampled > 0)
        ran = self._implementation(row.implementation)
        self.rows.append([*head, *map(rounded, numbers), sampled, *map(rounded, rates), ran])
        return Row(len(self.rows) - 1, time.estimate, row.error_in_bounds, row.relative_l2)


def _is_square(case: Case) -> bool:
    """Whether it has a place in the map: a square plane and kernel, random operands."""
    return not case.layer and (case.H, case.h) == (case.W, case.w) and not case.family
