"""The main job, once everything is built: check, measure, draw, tell."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fullconv_scripts import (
    arguments,
    caveats,
    charts,
    crosscheck,
    environment,
    measure,
    page,
    records,
    report,
    results,
)
from fullconv_scripts.arguments import ROOT, Arguments
from fullconv_scripts.programs import ProgramFailed, Programs

_FINE, _NO, _BAD_QUESTION, _INTERRUPTED = 0, 1, 2, 130


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _all_threads() -> tuple[int, ...]:
    return tuple(sorted({1, environment.core_count()}))


def _settings(
    asked: Arguments, jobs: Sequence[measure.Job], contenders: list[dict[str, Any]]
) -> measure.Settings:
    threads = asked.threads or _all_threads()
    cells = len(asked.scalars) * sum(job.kind == "execute" for job in jobs)
    return measure.Settings(
        threads=threads,
        scalars=asked.scalars,
        half_width=asked.half_width,
        confidence=measure.expected_confidence(contenders, threads, cells),
        cell_limit=asked.cell_limit,
        budget=asked.budget,
        extras=asked.extras,
        peers=asked.peers,
        algorithms=asked.algorithms,
        instruction_sets=asked.instruction_sets,
    )


def _chosen(contenders: list[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """The contenders of these names, all of them where there are none, and floors. ValueError where
    nobody has a name."""
    rivals = [contender["name"] for contender in contenders if contender["kind"] != "floor"]
    for name in names:
        if name not in rivals:
            raise ValueError(f"--algorithm: '{name}': expected one of {', '.join(rivals)}")
    return [
        contender for contender in contenders
        if not names or contender["kind"] == "floor" or contender["name"] in names
    ]  # fmt: skip


def _new_raw(
    argv: Sequence[str],
    asked: Arguments,
    settings: measure.Settings,
    contenders: list[dict[str, Any]],
) -> dict[str, Any]:
    """A raw file in which nothing has been measured yet."""
    here = environment.describe(ROOT)
    here["started"] = measure.now()
    here["load_at_start"] = environment.load_average()
    here["warnings"] = caveats.of_machine(here, settings.threads)
    return {
        "format": results.FORMAT,
        "version": results.VERSION,
        "status": "running",
        "environment": here,
        "settings": {
            "command": shlex.join(["scripts/bench", *argv]),
            **vars(settings),
            "cases": [case.text for case in asked.cases],
        },
        "remarks": {case.text: remark for case, remark in asked.cases.items() if remark},
        "contenders": contenders,
        "crosscheck": [],
        "floors": [],
        "left_out_cells": [],
        "failures": [],
        "steps": [],
        "cells": [],
    }


def _make_folder(asked: Arguments, raw: dict[str, Any]) -> Path:
    """The folder that results go to, new or without results."""
    where = asked.out
    if where is None:
        here = raw["environment"]
        slug = environment.machine_slug(here["cpu"], here["cores"])
        stamp = here["started"].replace("-", "").replace(":", "")
        where = ROOT / "results" / slug / stamp
    if (where / results.FILE_NAME).exists():
        raise OSError(f"{where}: holds results already")
    where.mkdir(parents=True, exist_ok=True)
    return where


def _crosscheck(programs: Programs, raw: dict[str, Any], scalars: Sequence[str]) -> bool:
    """Whether every algorithm agrees with SciPy, as it is chosen without naming an instruction set;
    prints the table."""
    progress = measure.Progress()
    ours = [entry for entry in raw["contenders"] if entry["kind"] == "ours"]
    found = crosscheck.check(
        programs,
        [entry for entry in ours if "@" not in entry["name"]],
        list(scalars),
        lambda picture: progress.refresh(f"checking {picture}"),
    )
    raw["crosscheck"] = list(found)
    progress.clear()
    print(report.crosscheck_table(raw["crosscheck"]), flush=True)
    wrong = [entry for entry in raw["crosscheck"] if crosscheck.is_wrong(entry)]
    for entry in wrong:
        said = entry.get("skipped") or f"{entry['error_in_bounds']:.3g} times the bound"
        _say(f"{entry['algorithm']} on {entry['picture']} {entry['scalar']}: {said}")
    return not wrong


def _loud(text: str) -> str:
    """Bold and red on a terminal."""
    return f"\x1b[1;31m{text}\x1b[0m" if sys.stdout.isatty() else text


def _tell(folder: Path) -> None:
    """Draws and prints what was measured."""
    found = results.load(folder)
    drawn = charts.draw_all(found, folder / "charts")
    banner = report.contamination_banner(found)
    if banner:
        print("\n" + _loud(banner))
    if not found.times.empty:
        print(f"\n{report.winner_table(found)}")
    if found.floors:
        print(f"\n{report.floor_table(found)}")
    print()
    for line in report.peer_lines(found):
        print(line)
    for line in drawn.missing:
        print(f"not drawn: {line}")
    left_out = found.raw["left_out_cells"]
    if left_out:
        print(f"{len(left_out)} left out, over the budget: {', '.join(left_out)}")
    for warning in found.environment.get("warnings", []):
        print(f"beware: {warning}")
    print(f"raw samples and environment: {folder / results.FILE_NAME}")
    pictures = len(drawn.files) // 2
    print(f"{pictures} charts, PNG and SVG: {folder / 'charts'}")
    told = page.write(folder)
    print(f"records, one line a contender and cell: {folder / records.FILE_NAME}")
    print(f"report: {told}")
    print(report.reliance_line(found), flush=True)


def _run(argv: Sequence[str]) -> int:
    asked = arguments.parse(argv)
    programs = Programs(asked.programs.resolve())
    try:
        contenders = _chosen(
            programs.contenders(asked.peers, asked.instruction_sets), asked.algorithms
        )
        jobs = measure.plan_jobs(asked.cases, asked.modes)
        settings = _settings(asked, jobs, contenders)
        raw = _new_raw(argv, asked, settings, contenders)
        folder = _make_folder(asked, raw)
    except (ProgramFailed, ValueError, OSError) as error:
        _say(str(error))
        return _BAD_QUESTION
    try:
        _say("checking every algorithm against SciPy")
        watch = caveats.Watch()
        if not _crosscheck(programs, raw, asked.scalars):
            _say("not measured, since an algorithm is wrong")
            return _NO
        for warning in watch.warnings():
            _say(f"{warning}; on an idle machine times are shorter and verdicts surer")
        return _measure(programs, settings, raw, jobs, folder)
    except (ProgramFailed, results.BadResults, OSError) as error:
        _say(str(error))
        return _BAD_QUESTION
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


def _measure(
    programs: Programs,
    settings: measure.Settings,
    raw: dict[str, Any],
    jobs: list[measure.Job],
    folder: Path,
) -> int:
    """Measures, draws and tells; the exit code."""
    _say(f"measuring, {measure.duration_text(settings.budget)} min")
    measurement = measure.Measurement(programs, settings, raw, folder / results.FILE_NAME)
    code = _FINE
    try:
        measurement.run(jobs)
    except KeyboardInterrupt:
        code = _INTERRUPTED
        _say(f"interrupted; {len(raw['cells'])} cells are measured")
    for failure in measurement.failures:
        _say(failure)
        code = code or _NO
    _say("drawing")
    _tell(folder)
    return code


def main() -> int:
    # Also where a parent had set them to be ignored.
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(sys.argv[1:])
    except KeyboardInterrupt:
        _say("interrupted")
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
