"""Jobs, their order, their share of the time, progress.

A job is one process on one case. That of executing times all contenders in all scalars and numbers
of threads; within a scalar they run in blocks, so that what the machine does meanwhile hits all
alike. Planning has jobs of its own, since FFTW remembers what it learnt for executing: in one
thread and one scalar, and only where executing is short, for elsewhere planning is a small part of
the first call. Phases are timed by a program of their own, whose clocks disturb.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fullconv_scripts import caveats, environment, results
from fullconv_scripts.comparison import corrected_confidence, count_pairs
from fullconv_scripts.names import Case
from fullconv_scripts.programs import (
    ProgramFailed,
    Programs,
    read_cells,
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
PLANNING_REPETITIONS = 3  # planning for the first time takes FFTW seconds
_LONGEST_CELL = 60.0  # seconds
# Seconds of a cell for each contender, at least: eight blocks of 8 ms, and as many again for four
# near ones as tell them apart. What the budget then does not hold is left out, and named.
_SHORTEST_SHARE = 0.08
# Seconds that a contender of a cell costs beyond its share, for planning, its check, and slow calls:
# a guess for the first cell, as it was on average of the default cases.
_OVERHEAD = 0.1


@dataclass(frozen=True)
class Settings:
    """How cells are measured; times in seconds."""

    threads: tuple[int, ...]
    scalars: tuple[str, ...]
    half_width: float  # of a ratio to the fastest: a cell stops where all are known to within it
    confidence: float  # of that
    cell_limit: float  # a contender whose one call is predicted to take longer is left out
    budget: float  # for all jobs
    extras: float  # of the budget, kept for what is measured besides executing
    peers: bool
    algorithms: tuple[str, ...]  # who takes part; none: all
    instruction_sets: bool


@dataclass(frozen=True)
class Job:
    """What one process measures."""

    case: Case
    kind: str = "execute"  # or `plan`, `steps`
    cache: str = "hot"
    output: str = "reused"

    def __str__(self) -> str:
        usual = {"execute", "hot", "reused"}
        names = {"cold": "cold cache", "fresh": "fresh output", "plan": "planning"}
        odd = [names.get(word, word) for word in (self.kind, self.cache, self.output)
               if word not in usual]  # fmt: skip
        return " ".join([self.case.text, *odd])

    @property
    def is_extra(self) -> bool:
        """Whether it is something else than executing a case in the usual mode."""
        return (self.kind, self.cache, self.output) != ("execute", "hot", "reused")


def spread_out(cases: Iterable[Case]) -> list[Case]:
    """The cases so that any first part of them ranges over all sizes: in bit-reversed order of
    their place by multiply-adds."""
    ordered = sorted(dict.fromkeys(cases), key=lambda case: (case.multiply_adds, case.text))
    bits = max(1, (len(ordered) - 1).bit_length())
    places = sorted(range(len(ordered)), key=lambda i: int(f"{i:0{bits}b}"[::-1], 2))
    return [ordered[place] for place in places]


def plan_jobs(cases: Iterable[Case], modes: int = 0) -> list[Job]:
    """All jobs: executing every case, which is what was asked for; then the extras, case by case:
    other modes of executing for the first few cases, steps, planning where it matters. Any first
    part of either ranges over all sizes."""
    ordered = spread_out(cases)
    jobs = [Job(case) for case in ordered]
    for number, case in enumerate(ordered):
        if number < modes:
            jobs += [Job(case, cache="cold"), Job(case, output="fresh")]
        jobs.append(Job(case, "steps"))
        if case.multiply_adds < PLANNING_MATTERS_BELOW:
            jobs.append(Job(case, "plan"))
    return jobs


def expected_confidence(
    contenders: Iterable[dict[str, Any]], threads: Sequence[int], cells: int
) -> float:
    """Of one interval, such that 95 % is that of all of a report of so many cells."""
    rivals = [contender for contender in contenders if contender["kind"] != "floor"]
    return corrected_confidence(cells * count_pairs(_count_series(rivals, threads)))


def _count_series(contenders: Iterable[dict[str, Any]], threads: Sequence[int]) -> int:
    """What runs in a cell: each with one thread, threaded ones with the other numbers, too."""
    return sum(len(threads) if contender["threaded"] else 1 for contender in contenders)


def _only(algorithms: Sequence[str]) -> list[str]:
    """What tells a program that only these take part; none: all do."""
    return ["--algorithm", *algorithms] if algorithms else []


class Clockwork:
    """Shares the budget between jobs. Extras come last and get what is left, at least the part that
    is kept for them. The other jobs share the rest; what such a job costs beyond its share is
    learnt, beginning with a guess."""

    def __init__(
        self, jobs: Sequence[Job], budget: float, extras: float = 0.0, overhead: float = 0.0
    ) -> None:
        self._began = time.monotonic()
        self._budget = budget
        self._left_to = {extra: sum(job.is_extra is extra for job in jobs) for extra in (False, True)}
        self._kept = budget * extras if self._left_to[True] else 0.0
        self._overheads = [overhead]

    @property
    def left(self) -> float:
        """Seconds of the budget."""
        return self._budget - (time.monotonic() - self._began)

    def share(self, job: Job) -> float:
        """Seconds for this job, apart from what it costs whatever it is given."""
        if job.is_extra:
            return max(0.0, self.left / self._left_to[True])
        overhead = sum(self._overheads) / len(self._overheads)
        return max(0.0, (self.left - self._kept) / self._left_to[False] - overhead)

    def finish(self, job: Job, share: float, seconds: float) -> None:
        """Notes that it is done, and how long it took."""
        self._left_to[job.is_extra] -= 1
        if not job.is_extra:
            self._overheads.append(max(0.0, seconds - share))


class Progress:
    """One line that is rewritten on a terminal, a line a job elsewhere; on standard error."""

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
    """Runs jobs into a raw file that is whole after each."""

    def __init__(
        self, programs: Programs, settings: Settings, raw: dict[str, Any], path: Path
    ) -> None:
        self._programs = programs
        self._settings = settings
        self._raw = raw
        self._path = path
        self._series = max(1, _count_series(raw["contenders"], settings.threads))
        ours = {who["name"] for who in raw["contenders"] if who["kind"] == "ours"}
        self._own = [name for name in settings.algorithms if name in ours]  # of those asked for
        self._progress = Progress()
        self._failures: list[str] = []

    @property
    def failures(self) -> list[str]:
        """What went wrong, one line each: outputs outside their bounds, programs that failed."""
        return self._failures

    def run(self, jobs: Sequence[Job]) -> None:
        """Measures floors, jobs, floors. The raw file is whole whenever this is interrupted."""
        self._save()
        try:
            self._floors("start")
            self._jobs(jobs)
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

    def _jobs(self, jobs: Sequence[Job]) -> None:
        settings = self._settings
        overhead = _OVERHEAD * self._series * len(settings.scalars)
        clockwork = Clockwork(jobs, settings.budget, settings.extras, overhead)
        for number, job in enumerate(jobs, 1):
            if clockwork.left <= 0:
                self._raw["left_out_cells"].append(str(job))
                continue

            def text() -> str:
                left = duration_text(clockwork.left)
                return f"measuring [{number}/{len(jobs)}] {job}, {left} left"

            self._progress.show(text())
            began, share = time.monotonic(), clockwork.share(job)
            self._run(job, share, lambda: self._progress.refresh(text()))
            clockwork.finish(job, share, time.monotonic() - began)
            self._save()

    def _run(self, job: Job, share: float, tick: Callable[[], None]) -> None:
        """Runs a job into the raw file; a failure becomes a line in `failures`."""
        if job.kind != "execute" and self._settings.algorithms and not self._own:
            return  # other people's are neither planned nor taken apart
        take = {"execute": self._execute, "plan": self._plan, "steps": self._steps}[job.kind]
        try:
            take(job, share, tick)
        except (ProgramFailed, ValueError, KeyError) as error:
            self._failures.append(f"{job}: {error}")
            self._raw["failures"].append({"job": str(job), "reason": str(error)})

    def _bench(self, job: Job, *more: str, tick: Callable[[], None]) -> None:
        """Runs fullconv_bench and keeps its cells."""
        settings = self._settings
        kept = {"started": now()}
        began, watch = time.monotonic(), caveats.Watch()
        report = run_for_json(
            [
                self._programs.bench,
                *("--case", job.case.text),
                *("--cell-limit", f"{settings.cell_limit:g}"),
                "--benchmark_format=json",
                *more,
            ],
            tick,
        )
        self._take_context(report.get("context", {}))
        kept |= {"wall_seconds": round(time.monotonic() - began, 2), "warnings": watch.warnings()}
        for cell in read_cells(report):
            self._note_failures(cell)
            contenders = cell.pop("contenders")
            self._raw["cells"].append({**cell, **kept, "contenders": contenders})

    def _execute(self, job: Job, share: float, tick: Callable[[], None]) -> None:
        settings = self._settings
        shortest = _SHORTEST_SHARE * self._series
        cell_time = min(max(share / len(settings.scalars), shortest), _LONGEST_CELL)
        self._bench(
            job,
            *("--scalar", *settings.scalars),
            *("--threads", *map(str, settings.threads)),
            *("--cache", job.cache, "--output", job.output),
            *("--cell-time", f"{cell_time:.3f}"),
            *("--half-width", f"{settings.half_width:g}"),
            *("--confidence", f"{settings.confidence:.12f}"),
            *("--seed", str(len(self._raw["cells"]) + 1)),
            *(["--peers"] if settings.peers else []),
            *_only(settings.algorithms),
            *(["--instruction-sets"] if settings.instruction_sets else []),
            "--floors",
            tick=tick,
        )

    def _plan(self, job: Job, share: float, tick: Callable[[], None]) -> None:
        self._bench(
            job,
            *("--scalar", self._settings.scalars[0]),
            *("--threads", "1"),
            *("--phase", "plan", "oneshot"),
            *_only(self._own),
            f"--benchmark_repetitions={PLANNING_REPETITIONS}",
            "--benchmark_min_time=0.002",
            "--benchmark_enable_random_interleaving=true",
            tick=tick,
        )

    def _steps(self, job: Job, share: float, tick: Callable[[], None]) -> None:
        settings = self._settings
        entries = run_for_json(
            [
                self._programs.steps,
                *("--case", job.case.text),
                *("--scalar", settings.scalars[0]),
                *("--threads", *map(str, settings.threads)),
                *("--cell-limit", f"{min(settings.cell_limit, 0.2):g}"),
                *_only(self._own),
            ],
            tick,
        )
        self._note_failures({**entries[0], "contenders": entries} if entries else {})
        self._raw["steps"] += [entry for entry in entries if "seconds" in entry]

    def _note_failures(self, cell: dict[str, Any]) -> None:
        for contender in cell.get("contenders", ()):
            kind = contender.get("skipped", "").partition(": ")[0]
            if kind in ("wrong", "failed"):
                who = f"{contender['algorithm']}, threads {contender['threads']}"
                where = f"{cell['case']} {cell['scalar']}"
                self._failures.append(f"{where}: {who}: {contender['skipped']}")

    def _take_context(self, context: dict[str, Any]) -> None:
        """Compiler and flags, once, without the names of machine and folder."""
        build = {name: value for name, value in context.items() if name not in _NOT_KEPT}
        here = self._raw["environment"]
        if "build" not in here:
            here["warnings"] += caveats.of_build(build)
        here.setdefault("build", {}).update(build)

    def _floors(self, when: str) -> None:
        self._progress.show(f"measuring what the machine can do at all, {when}")
        command = [
            self._programs.floors,
            "--benchmark_format=json",
            "--benchmark_repetitions=3",
            "--benchmark_min_time=0.02",
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
