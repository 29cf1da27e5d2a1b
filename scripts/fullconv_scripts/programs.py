"""The programs that the build makes, and what they print."""

from __future__ import annotations

import json
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


class ProgramFailed(Exception):
    """A program that could not be started, failed, or printed what is no answer: in one line."""


@dataclass(frozen=True)
class Output:
    """What a program that ended said."""

    code: int
    stdout: str
    stderr: str

    @property
    def complaint(self) -> str:
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
        raise ProgramFailed(f"{name}: {output.complaint}")
    try:
        return json.loads(output.stdout)
    except ValueError:
        raise ProgramFailed(f"{name}: printed no JSON: {output.complaint}") from None


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

    def algorithms(self) -> list[dict[str, Any]]:
        """The registry, in its order."""
        return run_for_json([self.cli, "list", "--json"])


def _runs_by_name(report: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The repetitions of a report of Google Benchmark, by benchmark, without aggregates."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for run_ in report["benchmarks"]:
        if run_.get("run_type", "iteration") == "iteration":
            runs.setdefault(run_.get("run_name", run_["name"]), []).append(run_)
    for repetitions in runs.values():
        repetitions.sort(key=lambda run_: run_.get("repetition_index", 0))
    return runs


def _seconds(repetitions: list[dict[str, Any]]) -> list[float]:
    """Seconds of one call, one value a repetition, to the four digits that mean something."""
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


def read_contenders(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The contenders of a report of fullconv_bench, as in the raw file."""
    contenders = []
    for name, repetitions in _runs_by_name(report).items():
        fields = parse_benchmark_name(name)
        contender: dict[str, Any] = {
            "phase": fields.phase,
            "algorithm": fields.algorithm,
            "threads": fields.threads,
        }
        reason = next(filter(None, map(_reason, repetitions)), None)
        if reason is not None:
            contender["skipped"] = reason
        else:
            contender["seconds"] = _seconds(repetitions)
            contender["counters"] = _counters(repetitions)
        contenders.append(contender)
    return contenders


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


def merge_contenders(parts: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The contenders of a cell that was measured in several processes, one after the other; skipped
    in one means skipped."""
    merged: dict[tuple[str, str, int], dict[str, Any]] = {}
    for contender in (contender for part in parts for contender in part):
        key = (contender["phase"], contender["algorithm"], contender["threads"])
        known = merged.get(key)
        if known is None:
            merged[key] = dict(contender)
        elif "skipped" in contender:
            merged[key] = dict(contender)
        elif "skipped" not in known:
            known["counters"] = _merge_counters(known, contender)
            known["seconds"] = known["seconds"] + contender["seconds"]
    return list(merged.values())


def _merge_counters(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """Counters of two parts of a contender, as lists where they differ."""
    counters = {}
    for name in a["counters"].keys() & b["counters"].keys():
        mine, other = a["counters"][name], b["counters"][name]
        if mine == other and not isinstance(mine, list):
            counters[name] = mine
        else:
            counters[name] = _spread(mine, len(a["seconds"])) + _spread(other, len(b["seconds"]))
    return {name: counters[name] for name in a["counters"] if name in counters}


def _spread(value: Any, count: int) -> list[Any]:
    return value if isinstance(value, list) else [value] * count
