"""Cells, their order, their share of the time, progress.

A cell is a case and a scalar: all algorithms, with each number of threads, repeated in random order
by one process, so that what a machine does meanwhile hits all alike. Planning has cells of its
own, since FFTW remembers what it learnt for executing. It is timed in one thread and one scalar,
and only where executing is short: elsewhere planning is a small part of the first call.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fullconv_scripts import environment, results, scipy_times
from fullconv_scripts.names import Case
from fullconv_scripts.programs import (
    ProgramFailed,
    Programs,
    merge_contenders,
    read_contenders,
    read_floors,
    run_for_json,
)

# Of Google Benchmark's context: names of machine and folder, what changes from cell to cell, and
# what Debian's package says of itself, which is `debug` whatever it is.
_NOT_KEPT = {
    "date",
    "executable",
    "host_name",
    "json_schema_version",
    "library_build_type",
    "load_avg",
}

PLANNING_MATTERS_BELOW = 2**24  # multiply-adds: about a millisecond of executing
LONGEST_REPETITION = 0.05  # seconds to repeat a short call for: more adds little


@dataclass(frozen=True)
class Settings:
    """How cells are measured; times in seconds."""

    threads: tuple[int, ...]
    repetitions: int
    min_time: float  # of one repetition
    cell_limit: float  # a contender whose one call is predicted to take longer is left out
    budget: float  # for all cells


@dataclass(frozen=True)
class Cell:
    """What runs side by side in one process."""

    case: Case
    scalar: str
    phases: tuple[str, ...] = ("execute",)

    def __str__(self) -> str:
        phases = "" if self.phases == ("execute",) else f" {'+'.join(self.phases)}"
        return f"{self.case.text} {self.scalar}{phases}"

    @property
    def planning(self) -> bool:
        return "plan" in self.phases


def spread_out(cases: Iterable[Case]) -> list[Case]:
    """The cases so that any first part of them ranges over all sizes: in bit-reversed order of
    their place by multiply-adds."""
    ordered = sorted(dict.fromkeys(cases), key=lambda case: (case.multiply_adds, case.text))
    bits = max(1, (len(ordered) - 1).bit_length())
    places = sorted(range(len(ordered)), key=lambda i: int(f"{i:0{bits}b}"[::-1], 2))
    return [ordered[place] for place in places]


def plan_cells(cases: Sequence[Case], scalars: Sequence[str]) -> list[Cell]:
    """All cells, the most telling first: executing in the first scalar, in the others, planning."""
    order = spread_out(cases)
    cells = [Cell(case, scalar) for scalar in scalars for case in order]
    small = [case for case in order if case.multiply_adds < PLANNING_MATTERS_BELOW]
    return cells + [Cell(case, scalars[0], ("plan", "oneshot")) for case in small]


def choose_min_time(budget: float, cells: int, contenders: int, repetitions: int) -> float:
    """Seconds of one repetition such that cells of short calls take about a third of the budget."""
    runs = cells * contenders * (repetitions + 1.5)  # finding the number of iterations included
    return min(LONGEST_REPETITION, max(0.002, budget / 3 / max(1, runs)))


@dataclass
class Predictor:
    """Seconds that cells will take, from what earlier ones took."""

    settings: Settings
    algorithms: Sequence[str]
    _rates: dict[tuple, list[tuple[float, float]]] = field(default_factory=dict)
    _declined: set[tuple] = field(default_factory=set)
    _spent: float = 0.0
    _predicted: float = 0.0

    @staticmethod
    def _kind(cell: Cell, algorithm: str, threads: int) -> tuple:
        return algorithm, threads, cell.scalar, cell.case.layer

    def _call(self, cell: Cell, algorithm: str, threads: int) -> float:
        """Seconds of one call."""
        work = cell.case.multiply_adds
        known = self._rates.get(self._kind(cell, algorithm, threads))
        if not known:
            return work * 4e-10
        nearest = min(known, key=lambda entry: abs(entry[0] - math.log(work)))
        return work * nearest[1]

    def _unscaled(self, cell: Cell) -> float:
        settings = self.settings
        threads = (1,) if cell.planning else settings.threads
        total = 0.3 + 4e-9 * min(cell.case.multiply_adds, 10**9)  # start, oracle
        for algorithm in self.algorithms:
            for count in threads:
                call = self._call(cell, algorithm, count)
                if self._kind(cell, algorithm, count) in self._declined:
                    continue
                if call <= settings.cell_limit:
                    repetition = max(settings.min_time * 1.2, call)
                    total += len(cell.phases) * (settings.repetitions + 1.2) * repetition
        return total

    def seconds(self, cell: Cell) -> float:
        """How long a cell will take."""
        scale = self._spent / self._predicted if self._predicted > 0 else 1.0
        return self._unscaled(cell) * min(max(scale, 0.2), 5.0)

    def learn(self, cell: Cell, contenders: Sequence[dict[str, Any]], seconds: float) -> None:
        """Takes in what a cell took."""
        for contender in contenders:
            kind = self._kind(cell, contender["algorithm"], contender["threads"])
            if contender.get("skipped", "").startswith("declined"):
                self._declined.add(kind)
            elif "seconds" in contender and contender["phase"] == "execute":
                work = cell.case.multiply_adds
                entry = math.log(work), min(contender["seconds"]) / work
                self._rates.setdefault(kind, []).append(entry)
        self._predicted += self._unscaled(cell)  # with what is known now, so what stays is overhead
        self._spent += seconds


class Progress:
    """One line that is rewritten on a terminal, a line a cell elsewhere; on standard error."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._text = ""

    def show(self, text: str) -> None:
        """What is being done now."""
        if self._terminal:
            width = (os.get_terminal_size(sys.stderr.fileno()).columns or 80) - 1
            print(f"\r\x1b[K{text[:width]}", end="", file=sys.stderr, flush=True)
        elif text != self._text:
            print(text, file=sys.stderr, flush=True)
        self._text = text

    def refresh(self, text: str) -> None:
        """The same with the time left brought up to date; for terminals only."""
        if self._terminal:
            self.show(text)

    def clear(self) -> None:
        """Ends the line."""
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def duration_text(seconds: float) -> str:
    """`1:05` for 65 seconds."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Measurement:
    """Measures cells into a raw file that is whole after each."""

    def __init__(
        self, programs: Programs, settings: Settings, raw: dict[str, Any], path: Path
    ) -> None:
        self._programs = programs
        self._settings = settings
        self._raw = raw
        self._path = path
        self._progress = Progress()
        names = [algorithm["name"] for algorithm in raw["algorithms"]]
        self._predictor = Predictor(settings, names)
        self._failures: list[str] = []

    @property
    def failures(self) -> list[str]:
        """What went wrong, one line each: outputs outside their bounds, programs that failed."""
        return self._failures

    def run(self, cells: Sequence[Cell]) -> None:
        """Measures floors, cells, floors. The raw file is whole whenever this is interrupted."""
        self._save()
        try:
            self._floors("start")
            self._cells(cells)
            self._floors("end")
            self._raw["status"] = "complete"
        except KeyboardInterrupt:
            self._raw["status"] = "interrupted"
            raise
        finally:
            self._progress.clear()
            self._raw["environment"]["load_at_end"] = environment.load_average()
            self._raw["environment"]["ended"] = now()
            self._save()

    def _save(self) -> None:
        results.save(self._raw, self._path)

    def _cells(self, cells: Sequence[Cell]) -> None:
        began = time.monotonic()
        left_out = self._raw["left_out_cells"]
        for number, cell in enumerate(cells):
            spent = time.monotonic() - began
            if spent + self._predictor.seconds(cell) > self._settings.budget:
                left_out.append(str(cell))
                continue
            started = time.monotonic()
            left = self._time_left(cells[number:], self._settings.budget - spent)

            def text() -> str:
                remaining = duration_text(left - (time.monotonic() - started))
                return f"measuring [{number + 1}/{len(cells)}] {cell}, {remaining} left"

            self._progress.show(text())
            contenders = self._measure(cell, lambda: self._progress.refresh(text()))
            self._predictor.learn(cell, contenders, time.monotonic() - started)
            self._save()

    def _time_left(self, cells: Sequence[Cell], budget: float) -> float:
        """Seconds that the cells will take, as far as the budget lets them."""
        total = 0.0
        for cell in cells:
            seconds = self._predictor.seconds(cell)
            if total + seconds <= budget:
                total += seconds
        return total

    def _measure(self, cell: Cell, tick: Callable[[], None]) -> list[dict[str, Any]]:
        """Measures a cell into the raw file; a failure becomes a line in `failures`."""
        started = now()
        clock = time.monotonic()
        compare = cell.case.text == scipy_times.CASE and not cell.planning
        compare = compare and cell.scalar == scipy_times.SCALAR
        # SciPy's turns come before, between and after two halves.
        halves = math.ceil(self._settings.repetitions / 2), self._settings.repetitions // 2
        parts = []
        try:
            for repetitions in halves if compare else (self._settings.repetitions,):
                if compare:
                    self._scipy(len(parts))
                parts.append(self._contenders(cell, repetitions, tick))
            if compare:
                self._scipy(len(parts))
        except (ProgramFailed, ValueError, KeyError) as error:
            self._failures.append(f"{cell}: {error}")
            self._keep(cell, started, clock, [], failed=str(error))
            return []
        contenders = merge_contenders(parts)
        for contender in contenders:
            kind = contender.get("skipped", "").partition(": ")[0]
            if kind in ("wrong", "failed"):
                what = f"{contender['algorithm']}, threads {contender['threads']}"
                self._failures.append(f"{cell}: {what}: {contender['skipped']}")
        self._keep(cell, started, clock, contenders)
        return contenders

    def _keep(
        self, cell: Cell, started: str, clock: float, contenders: list[dict[str, Any]], **more: str
    ) -> None:
        entry = {"case": cell.case.text, "scalar": cell.scalar, "started": started}
        entry["wall_seconds"] = round(time.monotonic() - clock, 2)
        self._raw["cells"].append({**entry, **more, "contenders": contenders})

    def _contenders(
        self, cell: Cell, repetitions: int, tick: Callable[[], None]
    ) -> list[dict[str, Any]]:
        threads = (1,) if cell.planning else self._settings.threads
        report = run_for_json(
            [
                self._programs.bench,
                *("--case", cell.case.text),
                *("--scalar", cell.scalar),
                *("--phase", *cell.phases),
                *("--threads", *map(str, threads)),
                *("--cell-limit", f"{self._settings.cell_limit:g}"),
                "--benchmark_format=json",
                f"--benchmark_repetitions={max(1, repetitions)}",
                f"--benchmark_min_time={self._settings.min_time:.4f}",
                "--benchmark_enable_random_interleaving=true",
            ],
            tick,
        )
        self._take_context(report.get("context", {}))
        return read_contenders(report)

    def _take_context(self, context: dict[str, Any]) -> None:
        """Compiler and flags, once, without the names of machine and folder."""
        build = {name: value for name, value in context.items() if name not in _NOT_KEPT}
        self._raw["environment"].setdefault("build", {}).update(build)

    def _floors(self, when: str) -> None:
        self._progress.show(f"measuring what the machine can do at all, {when}")
        min_time = min(0.1, 2 * self._settings.min_time)
        command = [
            self._programs.floors,
            "--benchmark_format=json",
            "--benchmark_repetitions=3",
            f"--benchmark_min_time={min_time:.4f}",
            "--benchmark_enable_random_interleaving=true",
        ]
        try:
            report = run_for_json(command)
            floors = read_floors(report)
        except (ProgramFailed, KeyError) as error:
            self._failures.append(f"floors: {error}")
            return
        self._take_context(report.get("context", {}))
        self._raw["floors"] += [{"when": when, **floor} for floor in floors]
        self._save()

    def _scipy(self, turn: int) -> None:
        self._progress.show(f"measuring SciPy on {scipy_times.CASE}, as context")
        entries = self._raw["scipy"].setdefault("times", [])
        self._raw["scipy"] |= {"case": scipy_times.CASE, "scalar": scipy_times.SCALAR}
        entries += scipy_times.take_turn(turn)
