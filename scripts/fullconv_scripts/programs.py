"""The programs that the build makes, and what they print."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fullconv_scripts.names import parse_benchmark_name

_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}

# What Google Benchmark itself says of a repetition; every other number is a counter of ours.
_OWN_FIELDS = {
    "cpu_time",
    "error_message",
    "error_occurred",
    "family_index",
    "iterations",
    "label",
    "name",
    "block",
    "position",
    "per_family_instance_index",
    "real_time",
    "repetition_index",
    "repetitions",
    "run_name",
    "run_type",
    "skip_message",
    "skipped",
    "threads",
    "time_unit",
}


# What Google Benchmark appends to a name where it is told how often to run.
_ITERATIONS = re.compile(r"/(?:iterations|repeats):\d+")


class ProgramFailed(Exception):
    """A program that could not be started, failed, or printed what is no answer: in one line."""


@dataclass(frozen=True)
class Output:
    """What a program that ended said."""

    code: int
    stdout: str
    stderr: str

    @property
    def error_line(self) -> str:
        """The last line on standard error."""
        lines = self.stderr.strip().splitlines()
        return lines[-1] if lines else f"exit code {self.code}"


def run(command: Sequence[str | Path], tick: Callable[[], None] | None = None) -> Output:
    """Runs a program to its end, calling `tick` now and then; it ends with us if interrupted."""
    command = [str(part) for part in command]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
    except OSError as error:
        raise ProgramFailed(f"{command[0]}: {error.strerror}") from None
    try:
        while True:
            try:
                stdout, stderr = process.communicate(timeout=0.5)
                return Output(process.returncode, stdout, stderr)
            except subprocess.TimeoutExpired:
                if tick:
                    tick()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def run_for_json(command: Sequence[str | Path], tick: Callable[[], None] | None = None) -> Any:
    """What a program prints as JSON; exit code 1 is an answer, too."""
    output = run(command, tick)
    name = Path(command[0]).name
    if output.code not in (0, 1):
        raise ProgramFailed(f"{name}: {output.error_line}")
    try:
        return json.loads(output.stdout)
    except ValueError:
        raise ProgramFailed(f"{name}: printed no JSON: {output.error_line}") from None


@dataclass(frozen=True)
class Programs:
    """Where the programs are."""

    folder: Path

    @property
    def cli(self) -> Path:
        return self.folder / "fullconv"

    @property
    def bench(self) -> Path:
        return self.folder / "fullconv_bench"

    @property
    def floors(self) -> Path:
        return self.folder / "fullconv_floors"

    @property
    def steps(self) -> Path:
        return self.folder / "fullconv_steps"

    def contenders(self, peers: bool, instruction_sets: bool = False) -> list[dict[str, Any]]:
        """Who takes part, in the registry's order: our own, each by each instruction set if asked
        for, as `direct_simd@AVX2`, peers if asked for, floors. A peer that is our own library,
        called from another language, is of the kind `binding`."""
        more = ["--peers"] * peers + ["--instruction-sets"] * instruction_sets
        listed = run_for_json([self.cli, "list", "--json", "--floors", *more])
        return [
            {**entry, "kind": "binding"} if entry.pop("binding", False) else entry
            for entry in listed
        ]


def _runs_by_name(report: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The repetitions of a report of Google Benchmark, by benchmark, without aggregates."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for run_ in report["benchmarks"]:
        if run_.get("run_type", "iteration") == "iteration":
            name = _ITERATIONS.sub("", run_.get("run_name", run_["name"]))
            runs.setdefault(name, []).append(run_)
    for repetitions in runs.values():
        repetitions.sort(key=lambda run_: run_.get("block", run_.get("repetition_index", 0)))
    return runs


def _seconds(repetitions: list[dict[str, Any]]) -> list[float]:
    """Seconds of one call, one value a repetition, to five digits: more mean nothing."""
    times = (run_["real_time"] * _SECONDS[run_["time_unit"]] for run_ in repetitions)
    return [float(f"{time:.5g}") for time in times]


def _counters(repetitions: list[dict[str, Any]]) -> dict[str, Any]:
    """Our counters: one value where all repetitions agree, else a list. Rates are left out, for
    they follow from the times."""
    counters: dict[str, Any] = {}
    for name, value in repetitions[0].items():
        if name in _OWN_FIELDS or not isinstance(value, (int, float)) or "/s" in name:
            continue
        values = [run_.get(name, value) for run_ in repetitions]
        counters[name] = value if all(other == value for other in values) else values
    return counters


def _reason(run_: dict[str, Any]) -> str | None:
    """Why a benchmark was skipped, or None if it was not."""
    if run_.get("error_occurred"):
        return run_.get("error_message", "failed")
    if run_.get("skipped"):  # what newer versions say
        return run_.get("skip_message") or run_.get("error_message", "failed")
    return None


def read_cells(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells of a report of fullconv_bench, as in the raw file: of each scalar and mode, its
    contenders."""
    cells: dict[tuple[str, ...], dict[str, Any]] = {}
    for name, repetitions in _runs_by_name(report).items():
        fields = parse_benchmark_name(name)
        key = {"case": fields.case, "scalar": fields.scalar}
        key |= {"cache": fields.cache, "output": fields.output}
        cell = cells.setdefault(tuple(key.values()), {**key, "contenders": []})
        who = {"phase": fields.phase, "algorithm": fields.algorithm, "threads": fields.threads}
        cell["contenders"].append({**who, **_measured(repetitions)})
    return list(cells.values())


def _measured(repetitions: list[dict[str, Any]]) -> dict[str, Any]:
    """What was measured of a contender, or why it was not."""
    reason = next(filter(None, map(_reason, repetitions)), None)
    if reason is not None:
        return {"skipped": reason}
    measured: dict[str, Any] = {"seconds": _seconds(repetitions)}
    if "block" in repetitions[0]:
        measured["blocks"] = [int(run_["block"]) for run_ in repetitions]
        measured["positions"] = [int(run_["position"]) for run_ in repetitions]
        measured["iterations"] = repetitions[0]["iterations"]
    if label := repetitions[0].get("label"):
        measured["implementation"] = label
    return measured | {"counters": _counters(repetitions)}


def read_floors(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The floors of a report of fullconv_floors, as in the raw file but for `when`."""
    floors = []
    for name, repetitions in _runs_by_name(report).items():
        if any(map(_reason, repetitions)):
            continue
        rates = {}
        for counter, value in repetitions[0].items():
            if counter not in _OWN_FIELDS and isinstance(value, (int, float)):
                rates[counter] = [run_[counter] for run_ in repetitions]
        name = name.removesuffix("/real_time")
        floors.append({"name": name, "seconds": _seconds(repetitions), "counters": rates})
    return floors
