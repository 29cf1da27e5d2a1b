"""Tables for the terminal."""

from __future__ import annotations

import math
from typing import Any

from fullconv_scripts import caveats
from fullconv_scripts.chart_style import seconds_text, times_text
from fullconv_scripts.chart_parts import BASELINE, at_most_text, evenly, main_kind, threads_text
from fullconv_scripts.comparison import (
    CONFIDENCE,
    NEAR,
    Contender,
    Field,
    Ratio,
    duel,
    geometric_mean,
    precision,
)
from fullconv_scripts.crosscheck import is_wrong
from fullconv_scripts.names import short_names
from fullconv_scripts.results import Results

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


def percent_text(value: float) -> str:
    """0.0123 as `1.2 %`, 0.99999 as `99.999 %`, 1.9787 as `198 %`."""
    if not math.isfinite(value):
        return "unknown"
    hundred = 100 * value
    if hundred >= 100:
        return f"{float(f'{hundred:.3g}'):.0f} %"
    digits = 2 if hundred < 90 else 3 - math.floor(math.log10(max(100 - hundred, 1e-9)))
    return f"{hundred:.{digits}g} %"


def ratio_text(value: Ratio) -> str:
    """`1.23× (1.21–1.25)`; without bounds that are off by more than a factor of ten, which few
    blocks give."""
    if value.half_width > 9:
        return f"{times_text(value.estimate)} (?)"
    low, high = (times_text(bound).removesuffix("×") for bound in (value.low, value.high))
    return f"{times_text(value.estimate)} ({low}–{high})"


def _thread_counts(results: Results) -> list[int]:
    return sorted({int(count) for count in results.select(phase="execute")["threads"]})


def _usual_fields(results: Results, scalar: str) -> dict[str, Field]:
    """The cells of a scalar in the usual mode, by case: planes, then layers, by their work."""
    executed = results.select(phase="execute", scalar=scalar)
    order = executed.sort_values(["layer", "multiply_adds", "case"])["case"]
    fields = {case: results.field(case, scalar) for case in dict.fromkeys(order)}
    return {case: field for case, field in fields.items() if field is not None}


def winner_table(results: Results) -> str:
    """Our fastest on each case, or on a part of them where there are many: one row a case."""
    scalar, _ = main_kind(results)
    fields = _usual_fields(results, scalar)
    shown = evenly(list(fields), _MOST_ROWS)
    few, *_, many = [*_thread_counts(results)[:1], *_thread_counts(results)]
    with_peers = any(duel(fields[case], few) for case in shown)
    head = [f"fastest of ours, {scalar}, {threads_text(few)}", "", "time", "next takes"]
    head.append(f"{short_names(results.algorithms).get(BASELINE, BASELINE)} takes")
    if with_peers:
        head += ["fastest peer", "ours takes"]
    if many > few:
        head += [f"at most {many} threads", "time"]
    rows = [head]
    for case in shown:
        row = [case, *_winner_row(fields[case].among(("ours",), few))]
        if with_peers:
            against = duel(fields[case], few)
            row += [against.peer.algorithm, ratio_text(against.ratio)] if against else ["-", "-"]
        if many > few:
            row += _winner_row(fields[case].among(("ours",), many))[:2]
        rows.append(row)
    notes = f"in brackets: interval at {percent_text(results.confidence)}, so that all "
    notes += f"{results.comparisons} comparisons together hold at {percent_text(CONFIDENCE)}; "
    notes += "=: tie within 2 %; ?: not told apart"
    if results.layout_spread:
        spread = percent_text(results.layout_spread)
        notes += f"; verdicts leave {spread} to chance, by which link orders differ"
    if len(shown) < len(fields):
        notes += f"; {len(shown)} of {len(fields)} cases"
    return f"{table(rows)}\n({notes})"


def _winner_row(field: Field) -> list[str]:
    """Who is fastest in a cell, in what time, ahead of the next and of the baseline by how much."""
    win = field.win()
    if win is None:
        return ["-"] * 4
    alike = {"tie": " =", "unresolved": " ?"}.get(win.verdict, "")
    time = seconds_text(field.time(win.winner).estimate)
    ahead = ratio_text(win.margin) if win.margin else "-"
    baseline = Contender(BASELINE)
    behind = "-"
    if baseline in field and win.winner.algorithm != BASELINE:
        behind = times_text(field.ratio(baseline).estimate)
    return [win.winner.algorithm + alike, time, ahead, behind]


def contamination_banner(results: Results) -> str:
    """That others used the machine, where they did; else empty."""
    said = caveats.contamination([cell.get("warnings", []) for cell in results.raw["cells"]])
    if not said:
        return ""
    line = "*" * 78
    return f"{line}\n{said}\n{line}"


def reliance_line(results: Results) -> str:
    """How well ratios to the fastest with at most so many threads are known: of those that a
    decision is between, and of the others."""
    fields = [
        field.among(threads=threads)
        for field in results.fields.values()
        for threads in sorted({who.threads for who in field.contenders})
    ]
    near = precision(fields, CONFIDENCE, up_to=NEAR)
    others = precision(fields, CONFIDENCE, above=NEAR)
    if not near.ratios + others.ratios:
        return "nothing to rely on: nothing ran side by side"
    parts = [
        f"{who}: {_reach_text(known.p95)} ({_reach_text(known.median)} half of them)"
        for who, known in (
            (f"between contenders within {percent_text(NEAR - 1)} of the fastest", near),
            ("for others", others),
        )
        if known.ratios
    ]
    return (
        f"what ratios can be relied on to, 95 of 100 of them: {', '.join(parts)}; each interval by "
        f"itself at {percent_text(CONFIDENCE)}, those of the verdicts all together"
    )


def _reach_text(half_width: float) -> str:
    """`±1.2 %`; from 100 % on, where per cents mislead, a factor."""
    if not math.isfinite(half_width):
        return "not known"
    return f"±{percent_text(half_width)}" if half_width < 1 else f"a factor of {1 + half_width:.2g}"


def peer_lines(results: Results) -> list[str]:
    """Our fastest against the fastest peer: a line for each scalar and number of threads."""
    lines = []
    for scalar in sorted(set(results.times["scalar"])):
        fields = _usual_fields(results, scalar)
        for threads in _thread_counts(results):
            duels = {case: found for case in fields if (found := duel(fields[case], threads))}
            duels = {case: found for case, found in duels.items() if found.ratio.blocks}
            if not duels:
                continue
            mean = geometric_mean(found.ratio.estimate for found in duels.values())
            case, worst = max(duels.items(), key=lambda item: item[1].ratio.estimate)
            faster = sum(found.ratio.verdict == "faster" for found in duels.values())
            lines.append(
                f"ours against peers, {scalar}, {at_most_text(threads)}: takes "
                f"{times_text(mean)} as long as the fastest peer (geometric mean of "
                f"{len(duels)} cases), faster on {faster}; worst: {case}, "
                f"{worst.ours.algorithm} takes {ratio_text(worst.ratio)} as long as "
                f"{worst.peer.algorithm}"
            )
    return lines


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
