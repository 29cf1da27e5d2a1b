"""One function a picture: results in, figures out.

No algorithm is named here but the baseline of the speed-up: who is drawn, and how, follows from the
registry's order. Peers are one curve or mark, the fastest of them; who that is, the maps with peers
show. All is in the usual mode: operands in the cache as the call before left them, output reused. A
function raises NothingToDraw, with one line that says why, where the results do not hold what its
picture shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fullconv_scripts import chart_style as style
from fullconv_scripts.comparison import EQUAL_WITHIN, Contender, Field, Win
from fullconv_scripts.names import short_names
from fullconv_scripts.results import Results, pick

T = TypeVar("T")

BASELINE = "naive_branching"
FASTEST_PEER = "fastest peer"
MOST_KERNELS = 4  # pictures of one kind, each for another kernel
MOST_IMAGES = 3  # the same, each for another image
MOST_LAYERS = 30  # in one picture


class NothingToDraw(Exception):
    """Why there is no such picture, in one line."""


@dataclass(frozen=True)
class Picture:
    """A figure and the name of its files."""

    name: str
    figure: Figure


# --- what all pictures share ----------------------------------------------------------------------


def threads_text(threads: int) -> str:
    """`1 thread`, `2 threads`."""
    return "1 thread" if threads == 1 else f"{threads} threads"


def at_most_text(threads: int) -> str:
    """`1 thread`, `at most 2 threads`."""
    return threads_text(threads) if threads == 1 else f"at most {threads_text(threads)}"


def _where(results: Results, *details: str) -> str:
    """The line below the title: what was measured where and when."""
    environment = results.environment
    cores = environment.get("cores")
    machine = environment.get("cpu_name", "unknown processor")
    parts = [f"{machine}, {cores} core{'s' if cores != 1 else ''}" if cores else machine]
    parts += [detail for detail in details if detail]
    parts += [str(environment.get("started", ""))[:10]]
    return "  ·  ".join(filter(None, parts))


_USUAL = {"cache": "hot", "output": "reused"}


def _planes(results: Results, scalar: str, threads: int, table: str = "times") -> pd.DataFrame:
    """Executions on square single planes with random operands, with a column `series`: the kernel's
    side, or 0 for a kernel as large as the image."""
    rows = pick(
        getattr(results, table), phase="execute", scalar=scalar, threads=threads, **_USUAL
    )
    rows = rows[(rows["layer"] == False) & (rows["family"] == "")]  # noqa: E712
    rows = rows[(rows["H"] == rows["W"]) & (rows["h"] == rows["w"])]
    as_image = rows[rows["H"] == rows["h"]]
    return pd.concat([rows.assign(series=rows["h"]), as_image.assign(series=0)])


def main_kind(results: Results) -> tuple[str, int]:
    """The scalar and threads with most executions: what pictures of one kind alone show."""
    executed = results.select(phase="execute")
    if executed.empty:
        raise NothingToDraw("nothing was executed")
    counts = executed.groupby(["scalar", "threads"]).size()
    best = max(counts.items(), key=lambda item: (item[1], item[0][0] == "f32", -item[0][1]))
    return best[0][0], int(best[0][1])


def evenly(items: Sequence[T], most: int) -> list[T]:
    """At most so many of the items, first and last among them, evenly spread."""
    if len(items) <= most:
        return list(items)
    places = np.linspace(0, len(items) - 1, most).round().astype(int)
    return [items[place] for place in places]


def _kernel_series(rows: pd.DataFrame, most: int = MOST_KERNELS) -> list[int]:
    """The series with at least two image sizes, small kernels first; at most so many, those with
    most sizes."""
    sizes = rows.groupby("series")["H"].nunique()
    sizes = sizes[sizes >= 2]
    if sizes.empty:
        raise NothingToDraw("no kernel was run on two or more square images")
    enough = [int(series) for series in sizes.index if 2 * sizes[series] > sizes.max()]
    if len(enough) > most:
        enough = [series for series in enough if series != 1]  # a mere scaling
    return evenly(sorted(enough, key=lambda series: series or np.inf), most)


def _kernel_text(series: int) -> str:
    return f"{series}×{series} kernel" if series else "kernel as large as the image"


def _kernel_slug(series: int) -> str:
    return f"k{series}x{series}" if series else "kernel-as-image"


def _ranges_text(skipped: list[int], measured: list[int], what: str) -> str:
    """`from image 64×64 up` where all larger ones are skipped, else each; empty for all."""
    first = min(skipped)
    if not any(size > first for size in measured):
        return f"from {what} {first}×{first} up" if measured else ""
    return f"at {what} " + style.names_text([f"{size}×{size}" for size in sorted(skipped)])


def _skips(results: Results, rows: pd.DataFrame, skipped: pd.DataFrame, size: str) -> list[str]:
    """What is not drawn, and why, in few lines; `size` is the column along the axis."""
    limit = results.raw.get("settings", {}).get("cell_limit")
    rule = f" (predicted to take more than {limit:g} s)" if limit else ""
    words = {"left out": f"Left out{rule}", "declined": "Declined", "failed": "Failed"}
    what = {"H": "image", "h": "kernel"}[size]
    lines = []
    for outcome, of_outcome in skipped.groupby("outcome", sort=False):
        who: dict[str, list[str]] = {}
        for name in results.algorithms:
            sizes = sorted(set(of_outcome[of_outcome["algorithm"] == name][size]))
            if sizes:
                others = list(rows[rows["algorithm"] == name][size])
                who.setdefault(_ranges_text(sizes, others, what), []).append(name)
        parts = [f"{style.names_text(names)} {range_}".strip() for range_, names in who.items()]
        if parts:
            lines.append(f"{words.get(outcome, outcome.capitalize())}: {'; '.join(parts)}.")
    return lines


def _with_fastest_peer(rows: pd.DataFrame, place: str) -> pd.DataFrame:
    """Our rows, and of the peers' the fastest at each value of the column `place`, under one
    name."""
    peers = pick(rows, kind="peer").sort_values("seconds").drop_duplicates(place)
    return pd.concat([pick(rows, kind="ours"), peers.assign(algorithm=FASTEST_PEER)])


def _looks(results: Results) -> dict[str, style.Look]:
    """Who can be drawn, and how."""
    return {**style.looks(results.algorithms), FASTEST_PEER: style.PEERS}


def _draw_curves(ax, results: Results, rows: pd.DataFrame, x: str, y: str) -> list[tuple]:
    """A curve for each algorithm; what end_labels() asks for."""
    ends = []
    for name, look in _looks(results).items():
        curve = rows[rows["algorithm"] == name].sort_values(x)
        if curve.empty:
            continue
        ax.plot(curve[x], curve[y], **look.curve)
        ends.append((name, look, curve[x].iloc[-1], curve[y].iloc[-1]))
    return ends


_IMAGE_AXIS = "image: rows and columns"
_KERNEL_AXIS = "kernel: rows and columns"


# --- the pictures ---------------------------------------------------------------------------------


def time_against_size(results: Results) -> Iterator[Picture]:
    """How long one convolution takes, for several kernels."""
    scalar, threads = main_kind(results)
    rows = _planes(results, scalar, threads)
    skipped = _planes(results, scalar, threads, "skipped")
    for series in _kernel_series(rows):
        drawn = _with_fastest_peer(pick(rows, series=series), "H")
        figure, ax = style.new_figure(
            f"Time of one convolution, {_kernel_text(series)}",
            _where(results, scalar, threads_text(threads)),
            _skips(results, drawn, pick(skipped, series=series), "H"),
        )
        ends = _draw_curves(ax, results, drawn, "H", "seconds")
        style.size_axis(ax, drawn["H"], _IMAGE_AXIS)
        style.logarithmic(ax.yaxis, drawn["seconds"], style.seconds_text)
        style.fit_left(ax)
        style.end_labels(ax, ends)
        yield Picture(f"time-{_kernel_slug(series)}", figure)


def rate_against_size(results: Results) -> Iterator[Picture]:
    """Nominal GFLOP/s, beside what the machine can do at all."""
    scalar, threads = main_kind(results)
    rows = _planes(results, scalar, threads)
    skipped = _planes(results, scalar, threads, "skipped")
    floors = _rate_floors(results, scalar, threads)
    for series in _kernel_series(rows):
        drawn = _with_fastest_peer(pick(rows, series=series), "H")
        notes = ["Nominal: two operations for each product of the definition, however it is done."]
        figure, ax = style.new_figure(
            f"Nominal GFLOP/s, {_kernel_text(series)}",
            _where(results, scalar, threads_text(threads)),
            notes + _skips(results, drawn, pick(skipped, series=series), "H"),
        )
        ends = _draw_curves(ax, results, drawn, "H", "gflops")
        style.size_axis(ax, drawn["H"], _IMAGE_AXIS)
        style.logarithmic(ax.yaxis, [*drawn["gflops"], *floors.values()], style.plain_text)
        ax.set_ylabel("nominal GFLOP/s")
        ends += [style.level(ax, rate, f"{text}, {rate:.0f}") for text, rate in floors.items()]
        style.fit_left(ax)
        style.end_labels(ax, ends)
        yield Picture(f"rate-{_kernel_slug(series)}", figure)


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
    rows = _planes(results, scalar, threads)
    rows = rows[rows["series"] != 0]
    skipped = _planes(results, scalar, threads, "skipped")
    everybody = rows
    rows = rows[rows["algorithm"] != BASELINE]
    rows = rows.assign(speedup=_times_faster(results, rows, Contender(BASELINE, threads)))
    rows = rows[rows["speedup"].notna()]
    kernels = rows.groupby("H")["h"].nunique()
    images = [int(image) for image in kernels.index if kernels[image] >= 2]
    if not images:
        raise NothingToDraw(f"no image with {BASELINE} and others on two or more kernels")
    for image in evenly(images, MOST_IMAGES):
        drawn = _with_fastest_peer(pick(rows, H=image), "h")
        not_drawn = pick(skipped, H=image)
        not_drawn = not_drawn[not_drawn["series"] != 0]
        notes = _skips(results, pick(everybody, H=image), not_drawn, "h")
        figure, ax = style.new_figure(
            f"Speed-up over {BASELINE}, image {image}×{image}",
            _where(results, scalar, threads_text(threads)),
            notes,
        )
        ends = _draw_curves(ax, results, drawn, "h", "speedup")
        style.size_axis(ax, drawn["h"], _KERNEL_AXIS)
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


def winners(results: Results) -> Iterator[Picture]:
    """Who is fastest for each image and kernel: one map for each scalar and number of threads, and
    where there are peers one with them for the main scalar."""
    executed = results.select(phase="execute")
    peers = set(pick(executed, kind="peer")["scalar"])
    drawn = False
    for scalar in sorted(set(executed["scalar"])):
        with_peers = scalar in peers and scalar == main_kind(results)[0]
        maps = {"winners": ("ours",)} | ({"winners-peers": ("ours", "peer")} if with_peers else {})
        for threads in sorted(set(executed["threads"])):
            slug = f"{scalar}-{threads_text(threads).replace(' ', '-')}"
            for name, kinds in maps.items():
                wins = _wins(results, scalar, threads, kinds)
                if wins:
                    drawn = True
                    figure = _winner_map(results, wins, scalar, threads, kinds)
                    yield Picture(f"{name}-{slug}", figure)
    if not drawn:
        raise NothingToDraw("no square image and kernel with two or more contenders")


Wins = dict[tuple[int, int], Win]  # by image and series


def _wins(results: Results, scalar: str, threads: int, kinds: Sequence[str]) -> Wins:
    """Who wins with at most so many threads. Empty where nobody used that many."""
    rows = pd.concat([_planes(results, scalar, t) for t in range(1, threads + 1)])
    if rows.empty or rows["threads"].max() < threads:
        return {}
    wins = {}
    others = rows[(rows["series"] != 0) & (rows["H"] != rows["h"])]
    rows = rows[rows["series"].isin({0, *others["series"]})]  # not those that only 0 stands for
    too_slow = set(pick(results.skipped, outcome="left out")["cell"])
    for row in rows.drop_duplicates(["H", "series"]).itertuples():
        field = results.field(row.case, scalar)
        part = field.among(kinds, threads) if field is not None else Field({}, {})
        win = part.win()
        if win and (win.runner_up or row.cell in too_slow):
            wins[int(row.H), int(row.series)] = win
    return wins


def _superscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _winner_map(
    results: Results, wins: Wins, scalar: str, threads: int, kinds: Sequence[str]
) -> Figure:
    images = sorted({image for image, _ in wins})
    kernels = sorted({series for _, series in wins}, key=lambda series: series or np.inf)
    names = results.of_kind("ours", *kinds)
    short = short_names(names)
    looks = style.looks(names)
    notes = ["Number: how many times longer the second fastest takes. Blank: not measured."]
    if any(win.margin is None for win in wins.values()):
        notes.append("Alone: the others were left out, predicted to take too long.")
    verdicts = {win.verdict for win in wins.values()}
    if "tie" in verdicts:
        notes.append(f"Hatched, =: tie, surely within {100 * (EQUAL_WITHIN - 1):.0f} %.")
    if "unresolved" in verdicts:
        notes.append("?: not told apart from another by these blocks.")
    aside = [name for name in names if results.contenders[name].get("delegates", "never") != "never"]
    if aside:
        text = " and ".join(aside)
        notes.append(f"Named only where faster than all others, whose code they run: {text}.")
    used = {win.winner.threads for win in wins.values()}
    fewer = sorted(count for count in used if count < threads)
    notes += [f"{_superscript(count)}: with {threads_text(count)}." for count in fewer]
    cell_width = 0.62  # inches
    width = max(style.WIDTH, 1.0 + cell_width * len(images))
    figure, ax = style.new_figure(
        "Who is fastest, peers included" if "peer" in kinds else "Which algorithm is fastest",
        _where(results, scalar, at_most_text(threads)),
        [" ".join(notes)],
        height=1.5 + 0.42 * max(len(kernels), 5),
        width=width,
    )
    room = (width - 1.0) / len(images) - 0.06
    for (image, series), win in wins.items():
        winner, used = win.winner
        mark = _superscript(used) if used < threads else ""
        lines = [short[winner] + mark, _margin_text(win, short)]
        corner = images.index(image) - 0.5, kernels.index(series) - 0.5
        _map_cell(ax, corner, lines, looks[winner], win.verdict == "tie", room)
    ax.set_xlim(-0.5, len(images) - 0.5)
    ax.set_ylim(-0.5, len(kernels) - 0.5)
    ax.set_xticks(range(len(images)), [str(image) for image in images])
    ax.set_yticks(range(len(kernels)), [str(series or "image") for series in kernels])
    ax.grid(False)
    ax.tick_params(length=0)
    ax.set_xlabel(_IMAGE_AXIS)
    ax.set_ylabel(_KERNEL_AXIS)
    style.fit_left(ax)
    return figure


def _map_cell(ax, corner, lines: list[str], look: style.Look, hatched: bool, room: float) -> None:
    """One field of the map; the text as large as `room`, in inches, allows."""
    field = {"xy": corner, "width": 1, "height": 1}
    ax.add_patch(Rectangle(**field, facecolor=look.colour, edgecolor="white", linewidth=1.2))
    if hatched:
        ax.add_patch(Rectangle(**field, fill=False, hatch="//", edgecolor="white", linewidth=0))
    widest = max(style.text_width(ax.figure, line, 10) for line in lines)
    text = ax.text(
        corner[0] + 0.5,
        corner[1] + 0.5,
        "\n".join(lines),
        size=min(9.5, 10 * room / widest),
        color=look.text_colour,
        ha="center",
        va="center",
        linespacing=1.1,
    )
    if hatched:
        text.set_bbox({"facecolor": look.colour, "edgecolor": "none", "pad": 0.8})


def _margin_text(win: Win, short: dict[str, str]) -> str:
    """The second line in a cell of the map."""
    if win.margin is None:
        return "alone"
    if win.verdict == "tie":
        return f"= {short[win.level_with[0].algorithm]}"
    mark = "?" if win.verdict == "unresolved" else ""
    return style.times_text(win.margin.estimate) + mark


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
                _where(results, scalar, threads_text(int(rows["threads"].iloc[0]))),
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
    rows = pick(_planes(results, scalar, threads), kind="ours")
    rows = rows[rows["workspace_bytes"].notna()]
    series = _kernel_series(rows)
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
        skipped = _planes(results, scalar, threads, "skipped")
        notes += _skips(results, drawn, pick(skipped, series=kernel), "H")
        figure, ax = style.new_figure(
            f"Workspace, {_kernel_text(kernel)}",
            _where(results, scalar, threads_text(threads)),
            notes,
        )
        ends = _draw_curves(ax, results, positive, "H", "workspace_bytes")
        size = 4 if scalar == "f32" else 8
        operands = drawn.drop_duplicates("H").sort_values("H")
        operand_bytes = operands["values"] * size
        ax.fill_between(operands["H"], operand_bytes, 1, color=style.PALE, alpha=0.6, zorder=0.5)
        style.size_axis(ax, drawn["H"], _IMAGE_AXIS)
        every = [*positive["workspace_bytes"], *operand_bytes]
        style.logarithmic(ax.yaxis, every, style.bytes_text, base=4)
        style.fit_left(ax)
        style.end_labels(ax, ends)
        yield Picture(f"workspace-{_kernel_slug(kernel)}", figure)


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
            f"{count} threads against one", _where(results, scalar), [" ".join(notes)]
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
        rows = _with_fastest_peer(pick(executed, threads=threads), "case")
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
    looks = {name: look for name, look in _looks(results).items() if name in set(rows["algorithm"])}
    absent = [name for name in results.algorithms if name not in looks]
    notes = [f"Not with {threads_text(threads)}: {style.names_text(absent)}."] if absent else []
    peak = _rate_floors(results, scalar, threads).get("FMA peak", 0)
    if peak:
        notes.append(f"Dashed: the machine's FMA peak, {peak:.0f} GFLOP/s.")
    figure, ax = style.new_figure(
        "Nominal GFLOP/s on whole layers",
        _where(results, scalar, threads_text(threads)),
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
    series = _kernel_series(rows, most=1)[0]
    drawn = pick(rows, series=series)
    figure, ax = style.new_figure(
        f"First call against a planned one, {_kernel_text(series)}",
        _where(results, scalar, "1 thread"),
        ["First call: plan by estimate, execute once, destroy. Planned: the plan exists already."],
    )
    ends = _draw_curves(ax, results, drawn, "H", "times")
    style.size_axis(ax, drawn["H"], _IMAGE_AXIS)
    style.logarithmic(ax.yaxis, [*drawn["times"], 1.0], style.factor_text)
    ax.set_ylabel("times as long")
    style.fit_left(ax)
    style.end_labels(ax, ends)
    yield Picture(f"first-call-{_kernel_slug(series)}", figure)


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
    """Draws what the results hold into a folder, and removes older pictures there."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.png"), *folder.glob("*.svg")):
        old.unlink()
    files: list[Path] = []
    missing = []
    for chart in CHARTS:
        try:
            for picture in chart(results):
                files += style.save(picture.figure, folder, picture.name)
        except NothingToDraw as reason:
            missing.append(f"{chart.__name__.replace('_', ' ')}: {reason}")
    return Drawn(files, missing)
