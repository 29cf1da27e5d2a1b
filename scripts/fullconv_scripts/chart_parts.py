"""What pictures share: constants, labels, the rows that they show and curves through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fullconv_scripts import chart_style as style
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


def threads_text(threads: int) -> str:
    """`1 thread`, `2 threads`."""
    return "1 thread" if threads == 1 else f"{threads} threads"


def at_most_text(threads: int) -> str:
    """`1 thread`, `at most 2 threads`."""
    return threads_text(threads) if threads == 1 else f"at most {threads_text(threads)}"


def where(results: Results, *details: str) -> str:
    """The line below the title: what was measured where and when."""
    environment = results.environment
    cores = environment.get("cores")
    machine = environment.get("cpu_name", "unknown processor")
    parts = [f"{machine}, {cores} core{'s' if cores != 1 else ''}" if cores else machine]
    parts += [detail for detail in details if detail]
    parts += [str(environment.get("started", ""))[:10]]
    return "  ·  ".join(filter(None, parts))


USUAL = {"cache": "hot", "output": "reused"}


def planes(results: Results, scalar: str, threads: int, table: str = "times") -> pd.DataFrame:
    """Executions on square single planes with random operands, with a column `series`: the kernel's
    side, or 0 for a kernel as large as the image."""
    rows = pick(
        getattr(results, table), phase="execute", scalar=scalar, threads=threads, **USUAL
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


def kernel_series(rows: pd.DataFrame, most: int = MOST_KERNELS) -> list[int]:
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


def kernel_text(series: int) -> str:
    return f"{series}×{series} kernel" if series else "kernel as large as the image"


def kernel_slug(series: int) -> str:
    return f"k{series}x{series}" if series else "kernel-as-image"


def ranges_text(skipped: list[int], measured: list[int], what: str) -> str:
    """`from image 64×64 up` where all larger ones are skipped, else each; empty for all."""
    first = min(skipped)
    if not any(size > first for size in measured):
        return f"from {what} {first}×{first} up" if measured else ""
    return f"at {what} " + style.names_text([f"{size}×{size}" for size in sorted(skipped)])


def skips(results: Results, rows: pd.DataFrame, skipped: pd.DataFrame, size: str) -> list[str]:
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
                who.setdefault(ranges_text(sizes, others, what), []).append(name)
        parts = [f"{style.names_text(names)} {range_}".strip() for range_, names in who.items()]
        if parts:
            lines.append(f"{words.get(outcome, outcome.capitalize())}: {'; '.join(parts)}.")
    return lines


def with_fastest_peer(rows: pd.DataFrame, place: str) -> pd.DataFrame:
    """Our rows, and of the peers' the fastest at each value of the column `place`, under one
    name."""
    peers = pick(rows, kind="peer").sort_values("seconds").drop_duplicates(place)
    return pd.concat([pick(rows, kind="ours"), peers.assign(algorithm=FASTEST_PEER)])


def looks_of(results: Results) -> dict[str, style.Look]:
    """Who can be drawn, and how."""
    return {**style.looks(results.algorithms), FASTEST_PEER: style.PEERS}


def draw_curves(ax, results: Results, rows: pd.DataFrame, x: str, y: str) -> list[tuple]:
    """A curve for each algorithm; what end_labels() asks for."""
    ends = []
    for name, look in looks_of(results).items():
        curve = rows[rows["algorithm"] == name].sort_values(x)
        if curve.empty:
            continue
        ax.plot(curve[x], curve[y], **look.curve)
        ends.append((name, look, curve[x].iloc[-1], curve[y].iloc[-1]))
    return ends


IMAGE_AXIS = "image: rows and columns"
KERNEL_AXIS = "kernel: rows and columns"
