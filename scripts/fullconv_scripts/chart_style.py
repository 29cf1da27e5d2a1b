"""How pictures look: colours, axes, labels, titles, files.

Readable by colour-blind people (the palette of Okabe and Ito), in grey (each algorithm has a marker
and a line style of its own) and on a phone (one plot, narrow, large type). The same results give
the same files.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator
from PIL import Image

WIDTH = 6.0  # inches
HEIGHT = 4.6
DOTS_PER_INCH = 200
INK, GREY, PALE = "#1a1a1a", "#5c5c5c", "#d9d9d9"

matplotlib.rcParams.update(
    {
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "axes.labelsize": 10,
        "axes.edgecolor": GREY,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": GREY,
        "ytick.color": GREY,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.labelsize": 9.5,
        "ytick.labelsize": 9.5,
        "grid.color": PALE,
        "grid.linewidth": 0.6,
        "hatch.linewidth": 0.8,
        "lines.linewidth": 1.8,
        "lines.markersize": 5.5,
        "path.simplify": True,
        "svg.hashsalt": "fullconv",
    }
)

_COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#000000",
    "#F0E442",
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "*")
_LINES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.5, 1.5, 1.5)), (0, (9, 2)))


@dataclass(frozen=True)
class Look:
    """How one algorithm is drawn in every picture."""

    colour: str
    marker: str
    line: object

    @property
    def marks(self) -> dict[str, object]:
        """The marker alone, as arguments of plot()."""
        edge = {"markeredgecolor": "white", "markeredgewidth": 0.5}
        return {"color": self.colour, "marker": self.marker, "linestyle": "none", **edge}

    @property
    def curve(self) -> dict[str, object]:
        """Line and markers, as arguments of plot()."""
        return {**self.marks, "linestyle": self.line}

    @property
    def text_colour(self) -> str:
        """What is readable on top of the colour."""
        red, green, blue = (int(self.colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else INK


PEERS = Look(GREY, "d", (0, (1, 1)))


def looks(algorithms: Sequence[str]) -> dict[str, Look]:
    """Colours, markers and lines by place in the registry; no two of the first 88 are alike in
    both colour and marker."""
    return {
        name: Look(
            _COLOURS[i % len(_COLOURS)],
            _MARKERS[i % len(_MARKERS)],
            _LINES[i % len(_LINES)],
        )
        for i, name in enumerate(algorithms)
    }


# --- numbers for people ---------------------------------------------------------------------------


def _scaled(value: float, units: Sequence[tuple[float, str]]) -> str:
    """`value` in the largest unit that it reaches, with three digits at most."""
    size, unit = next((u for u in units if value >= u[0] * 0.9995), units[-1])
    return f"{float(f'{value / size:.3g}'):g} {unit}"


def seconds_text(value: float) -> str:
    """3.2e-5 as `32 µs`."""
    return _scaled(value, [(1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")])


def bytes_text(value: float) -> str:
    """32768 as `32 KiB`."""
    return _scaled(value, [(2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")])


def times_text(value: float) -> str:
    """12.34 as `12×`, 1.234 as `1.23×`."""
    return f"{value:.0f}×" if value >= 9.95 else f"{value:.1f}×" if value >= 2 else f"{value:.2f}×"


def factor_text(value: float) -> str:
    """What an axis of ratios says at its ticks."""
    return f"{value:g}×"


def plain_text(value: float) -> str:
    """0.01 as `0.01`, 1000 as `1000`, 2e-8 as `2·10⁻⁸`."""
    if 1e-3 <= value < 1e5 or value <= 0:
        return f"{value:g}"
    digits, exponent = f"{value:.2e}".split("e")
    factor = "" if float(digits) == 1 else f"{float(digits):g}·"
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{factor}10{power}"


def names_text(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


# --- axes -----------------------------------------------------------------------------------------


def logarithmic(axis, values: Iterable[float], text, base: float = 10, step: int = 1) -> None:
    """A logarithmic axis around `values` with ticks at powers of `base`^`step`, never fewer than
    two, labelled by `text`."""
    finite = [value for value in values if value > 0 and math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (1, base)
    pad = (high / low) ** 0.05 * 1.15
    low, high = low / pad, high * pad
    axis.axes.set(**{f"{axis.axis_name}scale": "log", f"{axis.axis_name}lim": (low, high)})
    first, last = math.floor(math.log(low, base)), math.ceil(math.log(high, base))
    while (last - first) / step > 8:
        step += 1
    powers = [base**i for i in range(first, last + 1) if i % step == 0]
    ticks = [power for power in powers if low <= power <= high]
    if len(ticks) < 3 and base == 10:
        powers = [digit * 10.0**i for i in range(first, last + 1) for digit in (1, 2, 5)]
        ticks = [power for power in powers if low <= power <= high]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def size_axis(ax: Axes, sizes: Iterable[int], label: str) -> None:
    """A logarithmic x-axis with a tick at each measured size that has room for its number."""
    sizes = sorted(set(sizes))
    low, high = sizes[0] / 1.15, sizes[-1] * 1.15
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    room = math.log(high / low) / 11
    ticks: list[int] = []
    for size in reversed(sizes):
        if not ticks or math.log(ticks[-1] / size) >= room:
            ticks.append(size)
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel(label)


# --- figures --------------------------------------------------------------------------------------


def _wrapped(lines: Sequence[str], width: int) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, width)]


def new_figure(
    title: str,
    subtitle: str,
    notes: Sequence[str],
    height: float = HEIGHT,
    width: float = WIDTH,
) -> tuple[Figure, Axes]:
    """One plot below a title and above notes; the notes make the figure higher, not the plot
    lower. Sizes in inches."""
    notes = _wrapped(notes, round(88 * width / WIDTH))
    titles = _wrapped([title], round(56 * width / WIDTH))
    bottom = 0.68 + 0.155 * len(notes)  # inches
    top = 0.5 + 0.23 * len(titles)
    height += 0.155 * len(notes) + 0.23 * (len(titles) - 1)
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0.14, bottom / height, 0.82, (height - top - bottom) / height))
    ax.grid(True)
    ax.set_axisbelow(True)
    edge = 0.12 / width
    figure.text(
        edge, 1 - 0.12 / height, "\n".join(titles), size=12, weight="bold", color=INK, va="top"
    )
    below = 1 - (0.17 + 0.23 * len(titles)) / height
    figure.text(edge, below, subtitle, size=9, color=GREY, va="top")
    if notes:
        text = "\n".join(notes)
        figure.text(edge, 0.08 / height, text, size=8.5, color=GREY, va="bottom", linespacing=1.25)
    return figure, ax


def _renderer(figure: Figure):
    return figure.canvas.get_renderer()


def text_width(figure: Figure, text: str, size: float) -> float:
    """In inches."""
    drawn = figure.text(0, 0, text, size=size)
    width = drawn.get_window_extent(_renderer(figure)).width / figure.dpi
    drawn.remove()
    return width


def fit_left(ax: Axes) -> None:
    """Makes the left margin as wide as tick and axis labels need."""
    figure = ax.figure
    needed = ax.get_tightbbox(_renderer(figure)).x0 / figure.dpi
    box = ax.get_position()
    shift = (0.12 - needed) / figure.get_figwidth()
    ax.set_position((box.x0 + shift, box.y0, box.width - shift, box.height))


_LABEL_SIZE = 9.5


# A label's left and right edge, whether it is behind its point (1) or before it (−1), its height.
Placed = tuple[tuple[float, float], int, float]

# By which labels may move, in half their height, the least first.
_STEPS = (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5)


def end_labels(ax: Axes, curves: Sequence[tuple[str, Look, float, float]]) -> None:
    """Writes each curve's name behind its last point (name, look, x, y), or before it where others
    go on and less of those is covered there, with the curve's marker in front and a thin line to
    the point where it had to move to make room. Widens the right margin to hold the names."""
    if not curves:
        return
    figure = ax.figure
    widest = max(text_width(figure, name, _LABEL_SIZE) for name, *_ in curves) + 0.36
    box = ax.get_position()
    right = 1 - (widest + 0.05) / figure.get_figwidth()
    ax.set_position((box.x0, box.y0, right - box.x0, box.height))
    to_dots = ax.transData.transform
    dots = figure.dpi
    points = [to_dots((x, y)) for _, _, x, y in curves]
    drawn = _drawn_points(ax)
    last = max(px for px, _ in points)
    gap = 0.165 * dots
    lowest, highest = ax.bbox.y0 + 0.05 * dots, ax.bbox.y1 - 0.02 * dots

    def place(point: tuple[float, float], name: str) -> Placed:
        px, py = point
        behind = (px + 0.14 * dots, px + (0.3 + text_width(figure, name, _LABEL_SIZE)) * dots)
        if px > last - 0.1 * dots:
            return behind, 1, py
        before = (2 * px - behind[1], 2 * px - behind[0])
        heights = [min(max(py + step * gap / 2, lowest), highest) for step in _STEPS]
        places = [(box, side, h) for h in heights for box, side in ((behind, 1), (before, -1))]
        return min(places, key=lambda placed: _covered(placed, drawn, gap))

    placed = [place(point, name) for point, (name, *_) in zip(points, curves)]
    heights = spread(
        [height for _, _, height in placed],
        [box for box, _, _ in placed],
        gap=gap,
        lowest=lowest,
        highest=highest,
    )
    from_dots = ax.transData.inverted().transform
    halo = [withStroke(linewidth=2.5, foreground="white")]
    for (name, look, x, y), (box, side, _), height in zip(curves, placed, heights):
        near = box[0] if side > 0 else box[1]
        mark_x, mark_y = from_dots((near + side * 0.06 * dots, height))
        text_x, _ = from_dots((near + side * 0.14 * dots, height))
        ax.plot([x, mark_x], [y, mark_y], color=look.colour, linewidth=0.7, clip_on=False)
        ax.plot(mark_x, mark_y, **look.marks, markersize=4.5, clip_on=False)
        ax.text(
            text_x, mark_y, name, size=_LABEL_SIZE, color=INK, va="center",
            ha="left" if side > 0 else "right", path_effects=halo, clip_on=False,
        )  # fmt: skip


def _drawn_points(ax: Axes) -> np.ndarray:
    """Points along all curves, close enough to tell where they run, in dots."""
    parts = []
    for line in ax.get_lines():
        corners = ax.transData.transform(line.get_xydata())
        if line.get_transform() != ax.transData or len(corners) < 2:
            continue
        steps = np.linspace(0, 1, 40)[:, None]
        parts += [a + steps * (b - a) for a, b in zip(corners, corners[1:])]
    return np.concatenate(parts) if parts else np.empty((0, 2))


def _covered(placed: Placed, drawn: np.ndarray, gap: float) -> int:
    """How many of the points that are drawn a label covers."""
    (left, right), _, height = placed
    inside = drawn[(drawn[:, 0] >= left) & (drawn[:, 0] <= right), 1]
    return int(np.count_nonzero(np.abs(inside - height) < 0.6 * gap))


def spread(
    wanted: Sequence[float],
    boxes: Sequence[tuple[float, float]],
    gap: float,
    lowest: float,
    highest: float,
) -> list[float]:
    """Heights near the `wanted` ones at which labels whose `boxes` (left, right) meet are at least
    `gap` apart, between `lowest` and `highest` as far as there is room."""
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    heights = [min(max(value, lowest), highest) for value in wanted]

    def meet(i: int, j: int) -> bool:
        return boxes[i][0] < boxes[j][1] and boxes[j][0] < boxes[i][1]

    for _ in range(300):
        moved = 0.0
        for a, i in enumerate(order):
            for j in order[a + 1 :]:
                short = gap - (heights[j] - heights[i])
                if short > 1e-3 and meet(i, j):
                    heights[i] -= short / 2
                    heights[j] += short / 2
                    moved = max(moved, short)
        heights = [min(max(value, lowest), highest) for value in heights]
        if moved < 1e-2 * gap:
            break
    return heights


def side_legend(ax: Axes, entries: Sequence[tuple[str, Look]]) -> None:
    """Names with their markers at the right of the plot, for marks that form no curve."""
    figure = ax.figure
    widest = max(text_width(figure, name, _LABEL_SIZE) for name, _ in entries) + 0.3
    box = ax.get_position()
    right = 1 - (widest + 0.05) / figure.get_figwidth()
    ax.set_position((box.x0, box.y0, right - box.x0, box.height))
    width, height = (size / figure.dpi for size in ax.bbox.size)
    for row, (name, look) in enumerate(entries):
        y = 1 - (0.1 + 0.2 * row) / height
        mark = {**look.marks, "markersize": 6, "clip_on": False, "transform": ax.transAxes}
        ax.plot(1 + 0.12 / width, y, **mark)
        ax.text(1 + 0.22 / width, y, name, size=_LABEL_SIZE, va="center", transform=ax.transAxes)


_LEVEL = Look(INK, "", (0, (2, 2)))


def level(ax: Axes, y: float, name: str) -> tuple[str, Look, float, float]:
    """A horizontal line; what end_labels() asks for to name it, once the x-axis is set."""
    ax.axhline(y, color=_LEVEL.colour, linewidth=1, linestyle=_LEVEL.line, zorder=1.5)
    return name, _LEVEL, ax.get_xlim()[1], y


def named_level(ax: Axes, y: float, text: str) -> None:
    """A horizontal line with its name above it, at the left."""
    level(ax, y, text)
    ax.annotate(
        text,
        (0, y),
        xycoords=("axes fraction", "data"),
        xytext=(4, 2),
        textcoords="offset points",
        size=9,
        color=INK,
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
    )


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Writes name.png and name.svg, without anything that depends on when or where."""
    paths = [folder / f"{name}.png", folder / f"{name}.svg"]
    figure.canvas.draw()
    pixels = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    dots = (DOTS_PER_INCH, DOTS_PER_INCH)
    pixels.quantize(128).save(paths[0], optimize=True, dpi=dots)  # a third of the bytes
    figure.savefig(paths[1], metadata={"Date": None, "Creator": None})
    return paths
