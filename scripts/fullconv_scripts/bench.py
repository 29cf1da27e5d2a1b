"""The main job, once everything is built: check, measure, draw, tell."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fullconv_scripts import arguments, charts, crosscheck, environment, measure, report, results
from fullconv_scripts.arguments import ROOT, Arguments
from fullconv_scripts.programs import ProgramFailed, Programs

_FINE, _NO, _BAD_QUESTION, _INTERRUPTED = 0, 1, 2, 130


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _all_threads() -> tuple[int, ...]:
    return tuple(sorted({1, environment.core_count()}))


def _settings(asked: Arguments, cells: int, algorithms: int) -> measure.Settings:
    threads = asked.threads or _all_threads()
    contenders = algorithms * len(threads)
    return measure.Settings(
        threads=threads,
        repetitions=asked.repetitions,
        min_time=measure.choose_min_time(asked.budget, cells, contenders, asked.repetitions),
        cell_limit=asked.cell_limit,
        budget=asked.budget,
    )


def _new_raw(
    argv: Sequence[str],
    asked: Arguments,
    settings: measure.Settings,
    algorithms: list[dict[str, Any]],
) -> dict[str, Any]:
    """A raw file in which nothing has been measured yet."""
    here = environment.describe(ROOT)
    here["started"] = measure.now()
    here["load_at_start"] = environment.load_average()
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
        "algorithms": algorithms,
        "crosscheck": [],
        "floors": [],
        "scipy": {},
        "left_out_cells": [],
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
    """Whether every algorithm agrees with SciPy; prints the table."""
    progress = measure.Progress()
    found = crosscheck.check(
        programs,
        raw["algorithms"],
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


def _tell(folder: Path) -> None:
    """Draws and prints what was measured."""
    found = results.load(folder)
    drawn = charts.draw_all(found, folder / "charts")
    if not found.times.empty:
        print(f"\n{report.winner_table(found)}")
    if found.floors:
        print(f"\n{report.floor_table(found)}")
    print()
    for line in report.scipy_lines(found):
        print(line)
    for line in drawn.missing:
        print(f"not drawn: {line}")
    left_out = found.raw["left_out_cells"]
    if left_out:
        print(f"{len(left_out)} cells left out, over the budget: {', '.join(left_out)}")
    print(f"raw samples and environment: {folder / results.FILE_NAME}")
    pictures = len(drawn.files) // 2
    print(f"{pictures} charts, PNG and SVG: {folder / 'charts'}", flush=True)


def _run(argv: Sequence[str]) -> int:
    asked = arguments.parse(argv)
    programs = Programs(asked.programs.resolve())
    try:
        algorithms = programs.algorithms()
        cells = measure.plan_cells(list(asked.cases), asked.scalars)
        settings = _settings(asked, len(cells), len(algorithms))
        raw = _new_raw(argv, asked, settings, algorithms)
        folder = _make_folder(asked, raw)
    except (ProgramFailed, OSError) as error:
        _say(str(error))
        return _BAD_QUESTION
    try:
        _say("checking every algorithm against SciPy")
        if not _crosscheck(programs, raw, asked.scalars):
            _say("not measured, since an algorithm is wrong")
            return _NO
        return _measure(programs, settings, raw, cells, folder)
    except (ProgramFailed, OSError) as error:
        _say(str(error))
        return _BAD_QUESTION
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


def _measure(
    programs: Programs,
    settings: measure.Settings,
    raw: dict[str, Any],
    cells: list[measure.Cell],
    folder: Path,
) -> int:
    """Measures, draws and tells; the exit code."""
    _say(f"measuring {len(cells)} cells, at most {measure.duration_text(settings.budget)} min")
    measurement = measure.Measurement(programs, settings, raw, folder / results.FILE_NAME)
    code = _FINE
    try:
        measurement.run(cells)
    except KeyboardInterrupt:
        code = _INTERRUPTED
        _say(f"interrupted; {len(raw['cells'])} of {len(cells)} cells are measured")
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
