"""Maps of who is fastest, by image and kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fullconv_scripts import chart_style as style
from fullconv_scripts.chart_parts import (
    IMAGE_AXIS,
    KERNEL_AXIS,
    NothingToDraw,
    Picture,
    at_most_text,
    main_kind,
    planes,
    threads_text,
    where,
)
from fullconv_scripts.comparison import EQUAL_WITHIN, Field, Win
from fullconv_scripts.names import short_names
from fullconv_scripts.results import Results, pick


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
    rows = pd.concat([planes(results, scalar, t) for t in range(1, threads + 1)])
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
        where(results, scalar, at_most_text(threads)),
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
    ax.set_xlabel(IMAGE_AXIS)
    ax.set_ylabel(KERNEL_AXIS)
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
