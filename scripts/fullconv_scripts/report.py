"""Tables for the terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd

from fullconv_scripts import scipy_times
from fullconv_scripts.chart_style import seconds_text, times_text
from fullconv_scripts.charts import BASELINE, evenly, fastest_variants, main_kind, threads_text
from fullconv_scripts.comparison import Ratio, find_winner, ratio
from fullconv_scripts.crosscheck import is_wrong
from fullconv_scripts.names import short_names
from fullconv_scripts.results import Results, pick

_MOST_ROWS = 30


def table(rows: list[list[str]]) -> str:
    """Columns as wide as needed, the first left-aligned, the others right-aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [text.rjust(width) for text, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def crosscheck_table(entries: list[dict[str, Any]]) -> str:
    """Largest error in units of its bound: one row an algorithm, one column a picture."""
    pictures = list(dict.fromkeys(entry["picture"] for entry in entries))
    algorithms = list(dict.fromkeys(entry["algorithm"] for entry in entries))
    rows = [["error in units of its bound", *pictures]]
    for algorithm in algorithms:
        row = [algorithm]
        for picture in pictures:
            mine = [
                entry
                for entry in entries
                if entry["algorithm"] == algorithm and entry["picture"] == picture
            ]
            row.append(_crosscheck_text(mine))
        rows.append(row)
    return table(rows)


def _crosscheck_text(entries: list[dict[str, Any]]) -> str:
    """The worst over the scalars."""
    errors = [entry["error_in_bounds"] for entry in entries if "error_in_bounds" in entry]
    failed = [entry for entry in entries if "skipped" in entry and is_wrong(entry)]
    if failed:
        return "FAILED"
    if not errors:
        return "declined" if entries else "-"
    return f"{max(errors):.2g}" + (" WRONG" if any(map(is_wrong, entries)) else "")


def _ratio_text(value: Ratio) -> str:
    if value.low == 0:
        return times_text(value.estimate)
    low, high = (times_text(bound).removesuffix("×") for bound in (value.low, value.high))
    return f"{times_text(value.estimate)} ({low}–{high})"


def winner_table(results: Results) -> str:
    """The fastest on each case, or on a part of them where there are many: one row a case."""
    scalar, _ = main_kind(results)
    executed = results.select(phase="execute", scalar=scalar)
    order = executed.sort_values(["layer", "multiply_adds", "case"])
    cases = list(dict.fromkeys(order["case"]))
    shown = evenly(cases, _MOST_ROWS)
    counts = sorted({int(count) for count in executed["threads"]})
    few, many = counts[0], counts[-1]
    head = [f"fastest, {scalar}, {threads_text(few)}", "", "time", "next takes"]
    head.append(f"{short_names(results.algorithms).get(BASELINE, BASELINE)} takes")
    if many > few:
        head += [f"at most {many} threads", "time"]
    rows = [head]
    for case in shown:
        group = pick(executed, case=case)
        row = [case, *_winner_row(pick(group, threads=few))]
        if many > few:
            row += _winner_row(fastest_variants(group))[:2]
        rows.append(row)
    notes = "in brackets: 95 % interval; =: tie within 2 %; ?: not told apart"
    if len(shown) < len(cases):
        notes += f"; {len(shown)} of {len(cases)} cases"
    return f"{table(rows)}\n({notes})"


def _winner_row(group: pd.DataFrame) -> list[str]:
    """Who is fastest in a cell, in what time, ahead of the next and of the baseline by how much."""
    if group.empty:
        return ["-"] * 4
    samples = dict(zip(group["algorithm"], group["samples"]))
    win = find_winner(samples)
    alike = {"tie": " =", "unresolved": " ?"}.get(win.verdict, "")
    seconds = float(pick(group, algorithm=win.winner)["seconds"].iloc[0])
    baseline = "-"
    if BASELINE in samples and win.winner != BASELINE:
        baseline = times_text(ratio(samples[BASELINE], to=samples[win.winner]).estimate)
    ahead = _ratio_text(win.margin) if win.margin else "-"
    return [win.winner + alike, seconds_text(seconds), ahead, baseline]


def floor_table(results: Results) -> str:
    """The machine's own rates: one row a floor, one column a number of threads."""
    cells: dict[str, dict[int, str]] = {}
    for name, floor in results.floors.items():
        what, _, threads = name.partition("/threads:")
        rates = [f"{value:.3g} {unit}" for unit, value in floor.items() if unit.endswith("/s")]
        text = rates[0] if rates else seconds_text(floor["seconds"])
        cells.setdefault(what, {})[int(threads or 1)] = text
    counts = sorted({threads for row in cells.values() for threads in row})
    rows = [["what this machine can do", *map(threads_text, counts)]]
    for what in sorted(cells):
        rows.append([what, *(cells[what].get(count, "-") for count in counts)])
    return table(rows)


def scipy_lines(results: Results) -> list[str]:
    """The fastest of ours in one thread against SciPy, measured by turns in the same run."""
    scipy = results.raw.get("scipy", {})
    lines = []
    cell = results.select(
        phase="execute", case=scipy.get("case", ""), scalar=scipy.get("scalar", ""), threads=1
    )
    if cell.empty:
        return lines
    best = cell.sort_values("seconds").iloc[0]
    for function in ("fftconvolve", "convolve2d"):
        theirs = scipy_times.samples(scipy, function)
        if theirs:
            against = _ratio_text(ratio(theirs, to=best["samples"]))
            lines.append(
                f"context, {best['case']} {best['scalar']}, 1 thread: SciPy's {function} takes "
                f"{against} the time of {best['algorithm']}"
            )
    return lines
