"""One function a picture: results in, figures out.

No algorithm is named here but the baseline of the speed-up: who is drawn, and how, follows from the
registry's order. Peers are one curve or mark, the fastest of them; who that is, the maps with peers
show. All is in the usual mode: operands in the cache as the call before left them, output reused. A
function raises NothingToDraw, with one line that says why, where the results do not hold what its
picture shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fullconv_scripts import chart_style as style
from fullconv_scripts.chart_parts import (
    BASELINE,
    IMAGE_AXIS,
    KERNEL_AXIS,
    MOST_IMAGES,
    MOST_LAYERS,
    NothingToDraw,
    Picture,
    draw_curves,
    evenly,
    kernel_series,
    kernel_slug,
    kernel_text,
    looks_of,
    main_kind,
    planes,
    skips,
    threads_text,
    where,
    with_fastest_peer,
)
from fullconv_scripts.comparison import Contender
from fullconv_scripts.results import Results, pick
from fullconv_scripts.winner_maps import winners


def time_against_size(results: Results) -> Iterator[Picture]:
    """How long one convolution takes, for several kernels."""
    scalar, threads = main_kind(results)
    rows = planes(results, scalar, threads)
    skipped = planes(results, scalar, threads, "skipped")
    for series in kernel_series(rows):
        drawn = with_fastest_peer(pick(rows, series=series), "H")
        figure, ax = style.new_figure(
            f"Time of one convolution, {kernel_text(series)}",
            where(results, scalar, threads_text(threads)),
            skips(results, drawn, pick(skipped, series=series), "H"),
        )
        ends = draw_curves(ax, results, drawn, "H", "seconds")
        style.size_axis(ax, drawn["H"], IMAGE_AXIS)
        style.logarithmic(ax.yaxis, drawn["seconds"], style.seconds_text)
        style.fit_left(ax)
        style.end_labels(ax, ends)
        yield Picture(f"time-{kernel_slug(series)}", figure)


def rate_against_size(results: Results) -> Iterator[Picture]:
    """Nominal GFLOP/s, beside what the machine can do at all."""
    scalar, threads = main_kind(results)
    rows = planes(results, scalar, threads)
    skipped = planes(results, scalar, threads, "skipped")
    floors = _rate_floors(results, scalar, threads)
    for series in kernel_series(rows):
        drawn = with_fastest_peer(pick(rows, series=series), "H")
        notes = ["Nominal: two operations for each product of the definition, however it is done."]
        figure, ax = style.new_figure(
            f"Nominal GFLOP/s, {kernel_text(series)}",
            where(results, scalar, threads_text(threads)),
            notes + skips(results, drawn, pick(skipped, series=series), "H"),
        )
        ends = draw_curves(ax, results, drawn, "H", "gflops")
        style.size_axis(ax, drawn["H"], IMAGE_AXIS)
        style.logarithmic(ax.yaxis, [*drawn["gflops"], *floors.values()], style.plain_text)
        ax.set_ylabel("nominal GFLOP/s")
        ends += [style.level(ax, rate, f"{text}, {rate:.0f}") for text, rate in floors.items()]
        style.fit_left(ax)
        style.end_labels(ax, ends)
        yield Picture(f"rate-{kernel_slug(series)}", figure)


def _rate_floors(results: Results, scalar: str, threads: int) -> dict[str, float]:
    """The machine's own rates in GFLOP/s, by what they are called in pictures."""
    names = {"FMA peak": "fma_peak", "GEMM": "gemm"}
    rates = {}
    for text, name in names.items():
        floor = results.floors.get(f"{name}/{scalar}/threads:{threads}", {})
        if "GFLOP/s" in floor:
            rates[text] = floor["GFLOP/s"]
    return rates


def speedup_over_baseline(results: Results) -> Iterator[Picture]:
    """How many times faster than the baseline, against the kernel's size, for several images."""
    scalar, threads = main_kind(results)
    rows = planes(results, scalar, threads)
    rows = rows[rows["series"] != 0]
    skipped = planes(results, scalar, threads, "skipped")
    everybody = rows
    rows = rows[rows["algorithm"] != BASELINE]
    rows = rows.assign(speedup=_times_faster(results, rows, Contender(BASELINE, threads)))
    rows = rows[rows["speedup"].notna()]
    kernels = rows.groupby("H")["h"].nunique()
    images = [int(image) for image in kernels.index if kernels[image] >= 2]
    if not images:
        raise NothingToDraw(f"no image with {BASELINE} and others on two or more kernels")
    for image in evenly(images, MOST_IMAGES):
        drawn = with_fastest_peer(pick(rows, H=image), "h")
        not_drawn = pick(skipped, H=image)
        not_drawn = not_drawn[not_drawn["series"] != 0]
        notes = skips(results, pick(everybody, H=image), not_drawn, "h")
        figure, ax = style.new_figure(
            f"Speed-up over {BASELINE}, image {image}×{image}",
            where(results, scalar, threads_text(threads)),
            notes,
        )
        ends = draw_curves(ax, results, drawn, "h", "speedup")
        style.size_axis(ax, drawn["h"], KERNEL_AXIS)
        style.logarithmic(ax.yaxis, [*drawn["speedup"], 1.0], style.factor_text)
        ends.append(style.level(ax, 1.0, BASELINE))
        style.fit_left(ax)
        style.end_labels(ax, ends)
        yield Picture(f"speedup-{image}x{image}", figure)


def _times_faster(results: Results, rows: pd.DataFrame, than: Contender | None) -> list[float]:
    """How many times faster each row is than another contender of its cell, or, without one, than
    itself with one thread; NaN where the two were not measured side by side."""
    found = []
    for row in rows.itertuples():
        field = results.field(row.case, row.scalar, row.cache, row.output)
        who = Contender(row.algorithm, int(row.threads))
        other = than or Contender(row.algorithm, 1)
        both = field is not None and who in field and other in field
        found.append(field.ratio(other, to=who).estimate if both else np.nan)
    return found


def error_against_time(results: Results) -> Iterator[Picture]:
    """What accuracy costs: both measures of the error, for each scalar."""
    measures = {
        "error_in_bounds": ("bound", "Largest error", "largest error, in units of its bound"),
        "relative_l2": ("l2", "Relative error", "‖error‖₂ / ‖y‖₂"),
    }
    executed = results.select(phase="execute", kind="ours", threads=main_kind(results)[1])
    looks = style.looks(results.algorithms)
    drawn = False
    for scalar in sorted(set(executed["scalar"])):
        for column, (slug, title, label) in measures.items():
            rows = pick(executed, scalar=scalar)
            rows = rows[rows[column].notna()]
            positive = rows[rows[column] > 0]
            if positive.empty:
                continue
            drawn = True
            exact = len(rows) - len(positive)
            notes = ["Each mark is one case."]
            if exact:
                notes.append(f"{exact} results without any error have no place on this scale.")
            figure, ax = style.new_figure(
                f"{title} against time, {scalar}",
                where(results, scalar, threads_text(int(rows["threads"].iloc[0]))),
                [" ".join(notes)],
            )
            ends = []
            for name in results.algorithms:
                mine = positive[positive["algorithm"] == name].sort_values("seconds")
                if mine.empty:
                    continue
                ax.plot(mine["seconds"], mine[column], **looks[name].marks, alpha=0.85)
                ends.append((name, looks[name]))
            limits = [*positive[column], *([1.0] if slug == "bound" else [])]
            style.logarithmic(ax.xaxis, positive["seconds"], style.seconds_text)
            style.logarithmic(ax.yaxis, limits, style.plain_text)
            if slug == "bound":
                style.named_level(ax, 1.0, "the bound: nothing may lie above")
            ax.set_xlabel("time of one convolution")
            ax.set_ylabel(label)
            style.fit_left(ax)
            style.side_legend(ax, ends)
            yield Picture(f"error-{slug}-{scalar}", figure)
    if not drawn:
        raise NothingToDraw("no errors were reported")


def workspace_against_size(results: Results) -> Iterator[Picture]:
    """Memory beside the operands."""
    scalar, threads = main_kind(results)
    rows = pick(planes(results, scalar, threads), kind="ours")
    rows = rows[rows["workspace_bytes"].notna()]
    series = kernel_series(rows)
    for kernel in evenly(series, 2):
        drawn = pick(rows, series=kernel)
        positive = drawn[drawn["workspace_bytes"] > 0]
        without = [
            name
            for name in results.algorithms
            if name in set(drawn["algorithm"]) and name not in set(positive["algorithm"])
        ]
        notes = ["Workspace: memory beside image, kernel and output (grey)."]
        notes += [f"None: {style.names_text(without)}."] if without else []
        skipped = planes(results, scalar, threads, "skipped")
        notes += skips(results, drawn, pick(skipped, series=kernel), "H")
        figure, ax = style.new_figure(
            f"Workspace, {kernel_text(kernel)}",
            where(results, scalar, threads_text(threads)),
            notes,
        )
        ends = draw_curves(ax, results, positive, "H", "workspace_bytes")
        size = 4 if scalar == "f32" else 8
        operands = drawn.drop_duplicates("H").sort_values("H")
        operand_bytes = operands["values"] * size
        ax.fill_between(operands["H"], operand_bytes, 1, color=style.PALE, alpha=0.6, zorder=0.5)
        style.size_axis(ax, drawn["H"], IMAGE_AXIS)
        every = [*positive["workspace_bytes"], *operand_bytes]
        style.logarithmic(ax.yaxis, every, style.bytes_text, base=4)
        style.fit_left(ax)
        style.end_labels(ax, ends)
        yield Picture(f"workspace-{kernel_slug(kernel)}", figure)


def threads_speedup(results: Results) -> Iterator[Picture]:
    """What more threads bring, against the time that one thread takes."""
    executed = results.select(phase="execute")
    scalar = main_kind(results)[0]
    executed = pick(executed, scalar=scalar, kind="ours")
    counts = sorted(int(count) for count in set(executed["threads"]) if count > 1)
    one = pick(executed, threads=1).set_index(["cell", "algorithm"])["seconds"]
    looks = style.looks(results.algorithms)
    drawn = False
    for count in counts:
        rows = pick(executed, threads=count)
        keys = pd.MultiIndex.from_frame(rows[["cell", "algorithm"]])
        rows = rows.assign(one=one.reindex(keys).to_numpy())
        rows = rows.assign(speedup=_times_faster(results, rows, than=None))
        rows = rows[rows["speedup"].notna()]
        if rows.empty:
            continue
        drawn = True
        absent = [name for name in results.algorithms if name not in set(rows["algorithm"])]
        notes = ["Each mark is one case."]
        if absent:
            notes.append(f"One thread only: {style.names_text(absent)}.")
        figure, ax = style.new_figure(
            f"{count} threads against one", where(results, scalar), [" ".join(notes)]
        )
        ends = []
        for name in results.algorithms:
            mine = rows[rows["algorithm"] == name]
            if not mine.empty:
                ax.plot(mine["one"], mine["speedup"], **looks[name].marks, alpha=0.85)
                ends.append((name, looks[name]))
        style.logarithmic(ax.xaxis, rows["one"], style.seconds_text)
        low = min(0.0, float(rows["speedup"].min()))
        ax.set_ylim(low, max(float(count), float(rows["speedup"].max())) * 1.12)
        ax.set_xlabel("time with one thread")
        ax.set_ylabel(f"times faster with {count} threads")
        style.named_level(ax, float(count), f"{count}×: all that {count} threads can bring")
        style.named_level(ax, 1.0, "no gain")
        style.fit_left(ax)
        style.side_legend(ax, ends)
        yield Picture(f"threads-{count}", figure)
    if not drawn:
        raise NothingToDraw("nothing was run with one thread and with more")


def layers(results: Results) -> Iterator[Picture]:
    """Whole layers: a line a layer, a mark an algorithm."""
    executed = results.select(phase="execute", layer=True)
    if executed.empty:
        raise NothingToDraw("no layers were run")
    scalar = main_kind(results)[0]
    executed = pick(executed, scalar=scalar)
    for threads in sorted(int(count) for count in set(executed["threads"])):
        rows = with_fastest_peer(pick(executed, threads=threads), "case")
        names = [case for case in _case_order(results) if case in set(rows["case"])]
        parts = [names[i : i + MOST_LAYERS] for i in range(0, len(names), MOST_LAYERS)]
        for number, part in enumerate(parts, 1):
            suffix = f"-{number}" if len(parts) > 1 else ""
            slug = threads_text(threads).replace(" ", "-")
            figure = _layer_marks(results, rows[rows["case"].isin(part)], part, scalar, threads)
            yield Picture(f"layers-{slug}{suffix}", figure)


def _case_order(results: Results) -> list[str]:
    """The cases as they were asked for, then whatever else was measured."""
    asked = results.raw.get("settings", {}).get("cases", [])
    return list(dict.fromkeys([*asked, *results.times["case"]]))


def _layer_marks(
    results: Results, rows: pd.DataFrame, names: list[str], scalar: str, threads: int
) -> Figure:
    """The rates on the layers `names`, from the top down."""
    shown = set(rows["algorithm"])
    looks = {name: look for name, look in looks_of(results).items() if name in shown}
    absent = [name for name in results.algorithms if name not in looks]
    notes = [f"Not with {threads_text(threads)}: {style.names_text(absent)}."] if absent else []
    peak = _rate_floors(results, scalar, threads).get("FMA peak", 0)
    if peak:
        notes.append(f"Dashed: the machine's FMA peak, {peak:.0f} GFLOP/s.")
    figure, ax = style.new_figure(
        "Nominal GFLOP/s on whole layers",
        where(results, scalar, threads_text(threads)),
        [" ".join(["Nominal: two operations for each product of the definition.", *notes])],
        height=1.6 + 0.34 * max(len(names), 5),
        width=7.2,
    )
    for name, look in looks.items():
        mine = rows[rows["algorithm"] == name]
        ax.plot(mine["gflops"], [names.index(case) for case in mine["case"]], **look.marks)
    remarks = results.raw.get("remarks", {})
    labels = [f"{remarks[case]}\n{case}" if case in remarks else case for case in names]
    ax.set_yticks(range(len(names)), labels, size=7.5)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(names) - 0.5, -0.5)
    style.logarithmic(ax.xaxis, [*rows["gflops"], *([peak] if peak else [])], style.plain_text)
    if peak:
        ax.axvline(peak, color=style.INK, linewidth=1, linestyle=(0, (2, 2)), zorder=0.5)
    ax.set_xlabel("nominal GFLOP/s")
    style.fit_left(ax)
    style.side_legend(ax, list(looks.items()))
    return figure


def first_call(results: Results) -> Iterator[Picture]:
    """How much longer a call takes that plans first."""
    rows = results.select(phase="oneshot", kind="ours", threads=1)
    rows = rows[(rows["layer"] == False) & (rows["H"] == rows["W"])]  # noqa: E712
    rows = rows[(rows["h"] == rows["w"]) & (rows["family"] == "")].assign(series=rows["h"])
    if rows.empty:
        raise NothingToDraw("no call that plans first was timed")
    scalar = sorted(set(rows["scalar"]))[0]
    rows = pick(rows, scalar=scalar)
    executed = results.select(phase="execute", threads=1, scalar=scalar)
    planned = executed.set_index(["case", "algorithm"])["seconds"]
    keys = pd.MultiIndex.from_frame(rows[["case", "algorithm"]])
    rows = rows.assign(times=rows["seconds"].to_numpy() / planned.reindex(keys).to_numpy())
    rows = rows[rows["times"].notna()]
    series = kernel_series(rows, most=1)[0]
    drawn = pick(rows, series=series)
    figure, ax = style.new_figure(
        f"First call against a planned one, {kernel_text(series)}",
        where(results, scalar, "1 thread"),
        ["First call: plan by estimate, execute once, destroy. Planned: the plan exists already."],
    )
    ends = draw_curves(ax, results, drawn, "H", "times")
    style.size_axis(ax, drawn["H"], IMAGE_AXIS)
    style.logarithmic(ax.yaxis, [*drawn["times"], 1.0], style.factor_text)
    ax.set_ylabel("times as long")
    style.fit_left(ax)
    style.end_labels(ax, ends)
    yield Picture(f"first-call-{kernel_slug(series)}", figure)


CHARTS = (
    time_against_size,
    rate_against_size,
    speedup_over_baseline,
    winners,
    error_against_time,
    workspace_against_size,
    threads_speedup,
    layers,
    first_call,
)


@dataclass(frozen=True)
class Drawn:
    """What came of drawing: the files, and one line for each kind of picture that is not there."""

    files: list[Path]
    missing: list[str]


def draw_all(results: Results, folder: Path) -> Drawn:
    """Draws what the results hold into a folder, and removes older pictures there. Of algorithms
    by one instruction set there are too many to be told apart: they are in the report."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.png"), *folder.glob("*.svg")):
        old.unlink()
    files: list[Path] = []
    missing = []
    shown = results.without_variants()
    if len(shown.names) < len(results.names):
        missing.append("algorithms by one instruction set: too many; the report has them")
    for chart in CHARTS:
        try:
            for picture in chart(shown):
                files += style.save(picture.figure, folder, picture.name)
        except NothingToDraw as reason:
            missing.append(f"{chart.__name__.replace('_', ' ')}: {reason}")
    return Drawn(files, missing)
