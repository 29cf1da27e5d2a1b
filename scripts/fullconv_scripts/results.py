"""The raw file: written after each cell, read into tables.

A raw file holds what was measured and on what, and nothing derived:

    format, version      FORMAT, VERSION
    status               running, complete or interrupted
    environment          the machine, its software, the commit (module environment)
    settings             how it was measured, and the cases in the order asked for
    remarks              what case files say of their cases
    algorithms           the registry, in its order, as the command line lists it
    crosscheck           errors against SciPy, in units of the bound
    floors               [{when, name, seconds[], counters}]
    scipy                SciPy's own times, as context
    left_out_cells       those that the budget did not hold
    cells                [{case, scalar, started, wall_seconds, contenders[]}]: what ran side by side

A contender is {phase, algorithm, threads} with either `skipped`, a reason, or `seconds` of one
call, one value a repetition, and `counters`. A counter that changes between repetitions is a list
of the same length.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fullconv_scripts.names import parse_case

FORMAT = "fullconv-results"
VERSION = 1
FILE_NAME = "raw.json"
_LISTS = ("crosscheck", "floors", "cells")  # written one entry a line


class BadResults(Exception):
    """A raw file that cannot be read; the message is one line that names it."""


def dump(raw: dict[str, Any]) -> str:
    """The raw file's text: readable, and one line for each thing measured."""
    parts = []
    for name, value in raw.items():
        if name in _LISTS and value:
            lines = ",\n".join("  " + json.dumps(entry) for entry in value)
            text = f"[\n{lines}\n ]"
        elif name == "cells":
            text = "[]"
        else:
            text = json.dumps(value, indent=1).replace("\n", "\n ")
        parts.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def save(raw: dict[str, Any], path: Path) -> None:
    """Writes the raw file beside `path` and renames it, so that `path` is whole at any time."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(dump(raw), encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True)
class Results:
    """What charts and tables are made of.

    times: one row a contender that was measured: case and its sizes, scalar, phase, algorithm,
        threads, cell (those of one cell ran side by side), samples (seconds), seconds (their
        median), gflops (nominal), values (elements of x, k and y) and the counters.
    skipped: one row a contender that was not: the same names, and kind and reason.
    floors: one row a floor: name, seconds, counters; medians over all of the run.
    """

    raw: dict[str, Any]
    algorithms: list[str]
    times: pd.DataFrame
    skipped: pd.DataFrame
    floors: dict[str, dict[str, float]]

    @property
    def environment(self) -> dict[str, Any]:
        return self.raw.get("environment", {})

    def select(self, **fields: Any) -> pd.DataFrame:
        """The rows of `times` with these values."""
        return pick(self.times, **fields)


def pick(table: pd.DataFrame, **fields: Any) -> pd.DataFrame:
    """The rows of a table with these values."""
    keep = np.ones(len(table), dtype=bool)
    for name, value in fields.items():
        keep &= (table[name] == value).to_numpy(dtype=bool)
    return table[keep]


def find_raw_file(path: Path) -> Path:
    """The raw file that `path` is or holds."""
    if path.is_dir():
        path = path / FILE_NAME
    if not path.is_file():
        raise BadResults(f"{path}: no such results file")
    return path


def load_raw(path: Path) -> dict[str, Any]:
    """The raw file at `path`, or in the folder `path`."""
    path = find_raw_file(path)
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadResults(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise BadResults(f"{path}: not JSON, or cut off: {error}") from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise BadResults(f"{path}: not a results file of scripts/bench (format '{FORMAT}')")
    if raw.get("version") != VERSION:
        raise BadResults(f"{path}: version {raw.get('version')} where {VERSION} is expected")
    return raw


def load(path: Path) -> Results:
    """The raw file at `path`, or in the folder `path`, as tables."""
    raw = load_raw(path)
    try:
        return tabulate(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadResults(f"{path}: malformed: {type(error).__name__}: {error}") from None


def _split_reason(skipped: str) -> tuple[str, str]:
    """`declined: why` as its two halves; what has no such form is a failure."""
    kind, colon, reason = skipped.partition(": ")
    if colon and kind in ("declined", "left out", "out of memory", "wrong"):
        return kind, reason
    return "failed", skipped


def _median(value: Any) -> float:
    """A counter, or the median of one that changes between repetitions."""
    return float(np.median(value)) if isinstance(value, list) else float(value)


_CASE_COLUMNS = ["case", "layer", "rest", "N", "K", "C", "H", "W", "h", "w", "multiply_adds"]
_CONTENDER_COLUMNS = ["scalar", "phase", "algorithm", "threads", "cell"]
_KEY = ["case", "scalar", "phase", "algorithm", "threads"]
_TIME_COLUMNS = ["samples", "seconds", "gflops", "values"]
_COUNTERS = ["workspace_bytes", "error_in_bounds", "relative_l2", "sampled"]


def tabulate(raw: dict[str, Any]) -> Results:
    """The tables of a raw file; of two cells of the same name the later counts."""
    rows = {}
    for number, cell in enumerate(raw["cells"]):
        for contender in cell["contenders"]:
            row = _row(number, cell, contender)
            rows[tuple(row[name] for name in _KEY)] = row
    measured = [row for row in rows.values() if "samples" in row]
    skipped = [row for row in rows.values() if "samples" not in row]
    common = _CASE_COLUMNS + _CONTENDER_COLUMNS
    return Results(
        raw=raw,
        algorithms=_algorithm_order(raw),
        times=pd.DataFrame(measured, columns=common + _TIME_COLUMNS + _COUNTERS),
        skipped=pd.DataFrame(skipped, columns=common + ["kind", "reason"]),
        floors=_floors(raw),
    )


def _row(number: int, cell: dict[str, Any], contender: dict[str, Any]) -> dict[str, Any]:
    """One contender of the cell of that number, measured or skipped."""
    case = parse_case(cell["case"])
    row = {"case": case.text, **{name: getattr(case, name) for name in _CASE_COLUMNS[1:]}}
    row |= {"scalar": cell["scalar"], "cell": number}
    row |= {name: contender[name] for name in ("phase", "algorithm", "threads")}
    if "skipped" in contender:
        kind, reason = _split_reason(contender["skipped"])
        return {**row, "kind": kind, "reason": reason}
    seconds = float(np.median(contender["seconds"]))
    counters = contender["counters"]
    return {
        **row,
        "samples": tuple(contender["seconds"]),
        "seconds": seconds,
        "gflops": 2 * case.multiply_adds / seconds / 1e9,
        "values": case.values,
        **{name: _median(counters.get(name, np.nan)) for name in _COUNTERS},
    }


def _algorithm_order(raw: dict[str, Any]) -> list[str]:
    """The registry's order, then whoever else was measured."""
    names = [algorithm["name"] for algorithm in raw.get("algorithms", [])]
    for cell in raw["cells"]:
        names += [contender["algorithm"] for contender in cell["contenders"]]
    return list(dict.fromkeys(names))


def _floors(raw: dict[str, Any]) -> dict[str, dict[str, float]]:
    """By name: the median time of one call in seconds, and the medians of the counters."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for floor in raw.get("floors", []):
        entries.setdefault(floor["name"], []).append(floor)
    floors = {}
    for name, measured in entries.items():
        seconds = [value for floor in measured for value in floor["seconds"]]
        values: dict[str, list[float]] = {}
        for floor in measured:
            for counter, value in floor["counters"].items():
                values.setdefault(counter, []).append(_median(value))
        medians = {counter: float(np.median(list_)) for counter, list_ in values.items()}
        floors[name] = {"seconds": float(np.median(seconds)), **medians}
    return floors
