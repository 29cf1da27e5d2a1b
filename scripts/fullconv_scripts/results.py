"""The raw file: written after each cell, read into tables.

A raw file holds what was measured and on what, and nothing derived; what is derived from it
is in records.csv beside it (module records):

    format, version      FORMAT, VERSION
    status               running, complete or interrupted
    environment          the machine, its software, the commit (module environment); `warnings`:
                         what may have disturbed the results, one line each
    settings             how it was measured, and the cases in the order asked for
    remarks              what case files say of their cases
    contenders           algorithms, peers and floors, in the order in which the command line lists
                         them: {name, kind: ours | peer | binding | floor, summary, version, ledger, ...}
    crosscheck           errors against SciPy, in units of the bound
    floors               [{when, name, seconds[], counters}]: what the machine can do at all
    left_out_cells       those that the budget did not hold
    failures             [{job, reason}]: programs that failed
    cells                [{case, scalar, cache: hot | cold, output: reused | fresh, started,
                         wall_seconds, warnings[], contenders[]}]: what ran side by side
    steps                [{case, scalar, algorithm, threads, repetitions, seconds: {total, ...}}]:
                         of one call, where total is the median, measured in runs of their own

A contender of a cell is {phase, algorithm, threads} with either `skipped`, a reason, or `seconds`
of one call, one value a repetition, and `counters`. `blocks` and `positions`, as long as
`seconds`, say in which block of the cell and at which place in it each repetition ran, and
`iterations` how many calls each was of; they are absent where there were no blocks. A counter that
changes between repetitions is a list of the same length.

A folder may hold the raw file compressed by gzip instead, as the reference runs do.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fullconv_scripts import raw_schema
from fullconv_scripts.comparison import (
    Contender,
    Estimate,
    Field,
    corrected_confidence,
    count_pairs,
    typical_time,
)
from fullconv_scripts.names import base_name, parse_case

FORMAT = "fullconv-results"
VERSION = 2
FILE_NAME = "raw.json"
COMPRESSED_FILE_NAME = "raw.json.gz"
AUDIT_FORMAT = "fullconv-audit"
AUDIT_FILE_NAME = "audit.json"
_LISTS = ("contenders", "crosscheck", "floors", "cells", "steps")  # written one entry a line


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
    """Writes the raw file."""
    save_text(dump(raw), path)


def save_text(text: str, path: Path) -> None:
    """Writes a file beside `path` and renames it, so that `path` is whole at any time."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


class Key(NamedTuple):
    """What names a cell."""

    case: str
    scalar: str
    cache: str = "hot"
    output: str = "reused"


@dataclass(frozen=True)
class Results:
    """What charts, tables and reports are made of.

    names: ours, peers, bindings, floors, in the registry's order, then whoever else was measured.
    kinds: `ours`, `variant` (ours by one instruction set, as `direct_simd@AVX2`), `peer`, `binding`
        (ours from another language) or `floor` of each of them.
    contenders: the registry's entry of each of them: ledger, version, summary, ...
    times: one row a contender that was measured: case and its sizes, scalar, cache, output, phase,
        algorithm, kind, threads, cell (the number of its cell), samples (seconds), blocks and
        positions (as long as samples, or empty where there were no blocks), seconds (the median),
        gflops (nominal, by the median; NaN for floors and for other phases than `execute`), values
        (elements of x, k and y), the counters, and its place below the roofline:
        bytes: what has to be moved at least: x and k read once, y written once;
        intensity: nominal operations a byte of that;
        peak: the FMA peak of this scalar and number of threads, in GFLOP/s;
        bandwidth: in GB/s, of copying within the second-level cache where x, k and y fill at most
            half of it and were not thrown out, else of copying large arrays;
        roofline: min(peak, bandwidth·intensity), in GFLOP/s;
        of_peak, of_bandwidth, of_roofline: shares. A nominal rate counts the definition's
            operations, so an algorithm that needs fewer can exceed 1. NaN without the floors, or
            without a rate.
    skipped: one row a contender that was not: the same names, and outcome (`declined`, `left out`,
        `out of memory`, `wrong`, `failed`) and reason.
    steps: one row a step of an algorithm in one cell: case, scalar, algorithm, threads, step
        (`other` last: what the named ones leave of the total), seconds, share (of the total).
    floors: seconds and counters of each, by name; medians over all of the run.
    layout_spread: of ratios between layouts of the programs, as this machine's audit found it; 0
        without an audit.
    """

    raw: dict[str, Any]
    names: list[str]
    kinds: dict[str, str]
    contenders: dict[str, dict[str, Any]]
    times: pd.DataFrame
    skipped: pd.DataFrame
    steps: pd.DataFrame
    floors: dict[str, dict[str, float]]
    layout_spread: float = 0.0

    @property
    def environment(self) -> dict[str, Any]:
        return self.raw.get("environment", {})

    def of_kind(self, *kinds: str) -> list[str]:
        """The names of these kinds."""
        return [name for name in self.names if self.kinds[name] in kinds]

    @property
    def algorithms(self) -> list[str]:
        """Our own names."""
        return self.of_kind("ours")

    def without_variants(self) -> Results:
        """The same without algorithms by one instruction set, as `direct_simd@AVX2`."""

        def kept(table: pd.DataFrame) -> pd.DataFrame:
            return table[table["kind"] != "variant"]

        names = [name for name in self.names if self.kinds[name] != "variant"]
        return replace(self, names=names, times=kept(self.times), skipped=kept(self.skipped))

    def select(
        self, cache: str | None = "hot", output: str | None = "reused", **fields: Any
    ) -> pd.DataFrame:
        """The rows of `times` with these values; None: any. Without `cache` and `output` those of
        the usual mode."""
        modes = {"cache": cache, "output": output}
        fields |= {name: value for name, value in modes.items() if value is not None}
        return pick(self.times, **fields)

    @cached_property
    def fields(self) -> dict[Key, Field]:
        """What ran side by side, by cell: who was executed in blocks. Their intervals are corrected
        for all comparisons of these results."""
        groups: dict[Key, dict[Contender, dict[int, float]]] = {}
        executed = pick(self.times, phase="execute")
        for row in executed[executed["blocks"].map(len) > 0].itertuples():
            cell = groups.setdefault(Key(row.case, row.scalar, row.cache, row.output), {})
            cell[Contender(row.algorithm, int(row.threads))] = dict(zip(row.blocks, row.samples))
        pairs = sum(count_pairs(self._compared(cell)) for cell in groups.values())
        confidence = corrected_confidence(pairs)
        delegates = {name: it.get("delegates", "never") for name, it in self.contenders.items()}
        return {
            key: Field(cell, self.kinds, confidence, self.layout_spread, delegates)
            for key, cell in groups.items()
        }

    def _compared(self, contenders: Iterable[Contender]) -> int:
        return sum(self.kinds[who.algorithm] != "floor" for who in contenders)

    @property
    def comparisons(self) -> int:
        """Pairs of contenders, floors left out, over all cells."""
        return sum(field.comparisons for field in self.fields.values())

    @property
    def confidence(self) -> float:
        """Of each interval, so that 95 % is that of all together."""
        return corrected_confidence(self.comparisons)

    def field(
        self, case: str, scalar: str, cache: str = "hot", output: str = "reused"
    ) -> Field | None:
        """Who ran side by side in a cell; None where nobody did."""
        return self.fields.get(Key(case, scalar, cache, output))


def pick(table: pd.DataFrame, **fields: Any) -> pd.DataFrame:
    """The rows of a table with these values."""
    keep = np.ones(len(table), dtype=bool)
    for name, value in fields.items():
        keep &= (table[name] == value).to_numpy(dtype=bool)
    return table[keep]


def find_raw_file(path: Path) -> Path:
    """The raw file that `path` is or holds."""
    if path.is_dir():
        names = (FILE_NAME, COMPRESSED_FILE_NAME)
        path = next((path / name for name in names if (path / name).is_file()), path / FILE_NAME)
    if not path.is_file():
        raise BadResults(f"{path}: no such results file")
    return path


def audit_path(path: Path) -> Path:
    """Where the audit of the machine is, if there is one: beside the folder of the raw file that
    `path` is or holds."""
    return find_raw_file(path).resolve().parent.parent / AUDIT_FILE_NAME


def layout_spread(path: Path) -> float:
    """What the audit of the machine of a raw file says of the spread between layouts; 0 where
    there is no audit, or none of layouts."""
    audit = audit_path(path)
    try:
        spread = json.loads(audit.read_text(encoding="utf-8")).get("layout", {}).get("spread", 0)
    except FileNotFoundError:
        return 0.0
    except OSError as error:
        raise BadResults(f"{audit}: {error.strerror}") from None
    except (ValueError, AttributeError, RecursionError):
        raise BadResults(f"{audit}: not an audit") from None
    if isinstance(spread, bool) or not isinstance(spread, (int, float)) or not 0 <= spread < 1:
        raise BadResults(f"{audit}: layout spread {spread!r}: expected a number from 0 to 1")
    return float(spread)


def _text(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")


def load_raw(path: Path) -> dict[str, Any]:
    """The raw file at `path`, or in the folder `path`."""
    path = find_raw_file(path)
    try:
        raw = json.loads(_text(path))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadResults(f"{path}: not a gzip file, or cut off: {error}") from None
    except OSError as error:
        raise BadResults(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise BadResults(f"{path}: not JSON, or cut off: {error}") from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise BadResults(f"{path}: not a results file of scripts/bench (format '{FORMAT}')")
    if raw.get("version") != VERSION:
        raise BadResults(f"{path}: version {raw.get('version')} where {VERSION} is expected")
    if what := raw_schema.error_line(raw):
        raise BadResults(f"{path}: malformed: {what}")
    return raw


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """What is made of a raw file of the right form may still fail over its values: those of a bad
    case, numbers too large to calculate with. Of such failures BadResults names the file."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise BadResults(f"{path}: malformed: {what}") from None


def load(path: Path) -> Results:
    """The raw file at `path`, or in the folder `path`, as tables."""
    raw = load_raw(path)
    with reading(path):
        return tabulate(raw, layout_spread(path))


def usual_time(row: Any) -> Estimate:
    """Seconds of one call with their interval, for a row of `times`."""
    return typical_time(dict(zip(row.blocks or itertools.count(), row.samples)))


def _split_reason(skipped: str) -> tuple[str, str]:
    """`declined: why` as its two halves; what has no such form is a failure."""
    outcome, colon, reason = skipped.partition(": ")
    if colon and outcome in ("declined", "left out", "out of memory", "wrong", "failed"):
        return outcome, reason
    return "failed", skipped


def _median(value: Any) -> float:
    """A counter, or the median of one that changes between repetitions."""
    return float(np.median(value)) if isinstance(value, list) else float(value)


_CASE_COLUMNS = ["case", "layer", "family", "N", "K", "C", "H", "W", "h", "w", "multiply_adds"]
_CELL_COLUMNS = ["scalar", "cache", "output", "cell"]
_CONTENDER_COLUMNS = ["phase", "algorithm", "kind", "threads"]
_TIME_COLUMNS = ["samples", "blocks", "positions", "seconds", "gflops", "values", "implementation"]
_COUNTERS = ["workspace_bytes", "error_in_bounds", "relative_l2", "sampled", "threads_used"]
_ROOFLINE = ["bytes", "intensity", "peak", "bandwidth", "roofline"]
_SHARES = ["of_peak", "of_bandwidth", "of_roofline"]
_STEP_COLUMNS = ["case", "scalar", "algorithm", "threads", "step", "seconds", "share"]
_SIZEOF = {"f32": 4, "f64": 8}


def tabulate(raw: dict[str, Any], spread: float = 0.0) -> Results:
    """The tables of a raw file; of two cells of the same name and phase the later counts. `spread`
    is that of ratios between layouts."""
    names = _names(raw)
    registry = {entry["name"]: entry for entry in raw.get("contenders", [])}
    contenders = {name: registry.get(name) or _stranger(name, registry) for name in names}
    kinds = {
        name: "variant" if "@" in name else entry.get("kind", "ours")
        for name, entry in contenders.items()
    }
    floors = _floors(raw)
    machine = _Machine(floors, _second_level_cache(raw.get("environment", {})))
    rows: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for number, cell in enumerate(raw["cells"]):
        of_phase: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for contender in cell["contenders"]:
            row = _row(number, cell, contender, kinds, machine)
            key = tuple(row[name] for name in ("case", "scalar", "cache", "output", "phase"))
            of_phase.setdefault(key, []).append(row)
        rows |= of_phase
    every = [row for cell in rows.values() for row in cell]
    common = _CASE_COLUMNS + _CELL_COLUMNS + _CONTENDER_COLUMNS
    measured = common + _TIME_COLUMNS + _COUNTERS + _ROOFLINE + _SHARES
    return Results(
        raw=raw,
        names=names,
        kinds=kinds,
        contenders=contenders,
        times=pd.DataFrame([row for row in every if "samples" in row], columns=measured),
        skipped=pd.DataFrame(
            [row for row in every if "samples" not in row], columns=[*common, "outcome", "reason"]
        ),
        steps=pd.DataFrame(_steps(raw), columns=_STEP_COLUMNS),
        floors=floors,
        layout_spread=spread,
    )


def _names(raw: dict[str, Any]) -> list[str]:
    """The registry's order, then whoever else was measured."""
    names = [entry["name"] for entry in raw.get("contenders", [])]
    for cell in raw["cells"]:
        names += [contender["algorithm"] for contender in cell["contenders"]]
    return list(dict.fromkeys(names))


def _stranger(name: str, registry: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The entry of one that the registry does not know: a variant of one that it knows."""
    return {**registry.get(base_name(name), {"kind": "ours"}), "name": name}


def _row(
    number: int,
    cell: dict[str, Any],
    contender: dict[str, Any],
    kinds: dict[str, str],
    machine: _Machine,
) -> dict[str, Any]:
    """One contender of the cell of that number, measured or skipped."""
    case = parse_case(cell["case"])
    row = {"case": case.text, **{name: getattr(case, name) for name in _CASE_COLUMNS[1:]}}
    row |= {name: cell[name] for name in ("scalar", "cache", "output")}
    row |= {"cell": number, "kind": kinds[contender["algorithm"]]}
    row |= {name: contender[name] for name in ("phase", "algorithm", "threads")}
    if "skipped" in contender:
        outcome, reason = _split_reason(contender["skipped"])
        return {**row, "outcome": outcome, "reason": reason}
    samples = tuple(map(float, contender["seconds"]))
    if not samples or not all(0 < value < np.inf for value in samples):
        raise ValueError(f"{case.text}: {contender['algorithm']}: no times, or not all positive")
    blocks, positions = (tuple(contender.get(name, ())) for name in ("blocks", "positions"))
    if len(blocks) not in (0, len(samples)) or len(set(blocks)) != len(blocks):
        raise ValueError(f"{case.text}: {contender['algorithm']}: not one block for each time")
    seconds = float(np.median(samples))
    counters = contender["counters"]
    row |= {"samples": samples, "blocks": blocks, "positions": positions, "seconds": seconds}
    convolves = row["phase"] == "execute" and row["kind"] != "floor"
    rate = 2 * case.multiply_adds / seconds / 1e9 if convolves else np.nan
    row |= {"gflops": rate, "values": case.values}
    row["implementation"] = contender.get("implementation", "")
    row |= {name: _median(counters.get(name, np.nan)) for name in _COUNTERS}
    return row | machine.place(row)


@dataclass(frozen=True)
class _Machine:
    """What bounds any algorithm."""

    floors: dict[str, dict[str, float]]
    second_level_bytes: float  # NaN where not known

    def place(self, row: dict[str, Any]) -> dict[str, float]:
        """A contender's columns of the roofline."""
        moved = row["values"] * _SIZEOF[row["scalar"]]
        intensity = 2 * row["multiply_adds"] / moved
        near = row["cache"] == "hot" and 2 * moved <= self.second_level_bytes
        copy = f"{'copy_l2' if near else 'copy'}/f32/threads:{row['threads']}"
        bandwidth = self.floors.get(copy, {}).get("GB/s", np.nan)
        fma = f"fma_peak/{row['scalar']}/threads:{row['threads']}"
        peak = self.floors.get(fma, {}).get("GFLOP/s", np.nan)
        roofline = float(np.minimum(peak, bandwidth * intensity))
        return {
            "bytes": moved,
            "intensity": intensity,
            "peak": peak,
            "bandwidth": bandwidth,
            "roofline": roofline,
            "of_peak": row["gflops"] / peak,
            "of_bandwidth": row["gflops"] / (bandwidth * intensity),
            "of_roofline": row["gflops"] / roofline,
        }


def _second_level_cache(environment: dict[str, Any]) -> float:
    """Bytes of one core's second-level cache, as Linux writes it: `2048K`; NaN where not known."""
    units = {"K": 2**10, "M": 2**20}
    for cache in environment.get("caches", []):
        size = cache.get("size", "")
        if cache.get("level") == "2" and size[-1:] in units:
            return float(size[:-1]) * units[size[-1]]
    return np.nan


def _steps(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a step; what the named ones leave of the total is `other`."""
    rows = []
    for entry in raw.get("steps", []):
        seconds = dict(entry["seconds"])
        total = seconds.pop("total")
        seconds["other"] = max(0.0, total - sum(seconds.values()))
        where = {name: entry[name] for name in ("case", "scalar", "algorithm", "threads")}
        rows += [
            {**where, "step": step, "seconds": value, "share": value / total}
            for step, value in seconds.items()
        ]
    return rows


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
