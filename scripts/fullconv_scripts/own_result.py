"""scripts/check IMAGE.npy KERNEL.npy --result MINE.npy --plot FILE: is somebody's own result right?

What is right, and what it is instead, `fullconv check` says; other flags than these are handed on
to it. This draws where outputs are wrong, and by how much.

Exit codes: 0 the result is right, 1 it is wrong, 2 the question was.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from fullconv_scripts.command_line import Parser
from fullconv_scripts.programs import ProgramFailed, Programs, run_for_json

ROOT = Path(__file__).resolve().parents[2]


def draw(diagnosis: dict[str, Any], path: Path) -> None:
    """A map of the plane with most wrong outputs, each cell in the colour of its largest error."""
    import numpy as np

    from fullconv_scripts import chart_style
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    cells = diagnosis["map"]
    # What has no number is drawn as the worst.
    errors = np.array(cells["errors_in_bounds"], dtype=float)
    finite = errors[np.isfinite(errors)]
    worst = max(10.0, float(finite.max(initial=0)))
    errors = np.where(np.isfinite(errors), errors, worst)
    rows, columns = diagnosis["expected_shape"][-2:]
    if len(errors) * cells["rows_per_cell"] < rows:  # channels come last
        rows, columns = diagnosis["expected_shape"][-3:-1]
    figure = Figure(figsize=(chart_style.WIDTH, chart_style.HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(
        np.maximum(errors, 0.1),
        norm=LogNorm(0.1, worst),
        cmap="cividis",
        extent=(-0.5, columns - 0.5, rows - 0.5, -0.5),
        interpolation="nearest",
    )
    figure.colorbar(image, label="error, in units of its bound: right up to 1")
    axes.set_xlabel("column of y")
    axes.set_ylabel("row of y")
    sentences = [each["sentence"] for each in diagnosis["explanations"]]
    title = "\n".join(sentences) or ("right" if diagnosis["right"] else "no known mistake")
    axes.set_title(title, wrap=True, fontsize=9)
    figure.savefig(path, dpi=chart_style.DOTS_PER_INCH)


def main() -> int:
    parser = Parser(
        prog="scripts/check",
        description="Says whether a result is right, and draws where it is not. Flags that are not "
        "listed here are those of fullconv check.",
        allow_abbrev=False,
    )
    parser.add_argument("image", metavar="IMAGE.npy")
    parser.add_argument("kernel", metavar="KERNEL.npy")
    parser.add_argument("--result", required=True, metavar="MINE.npy", help="somebody's own")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="a .png or an .svg")
    parser.add_argument("--programs", type=Path, default=ROOT / "build" / "release", metavar="DIR",
                        help="where fullconv is (%(default)s)")  # fmt: skip
    asked, flags = parser.parse_known_args()
    if asked.plot and asked.plot.suffix not in (".png", ".svg"):
        parser.error(f"--plot is '{asked.plot}': expected a name that ends with .png or .svg")
    command = [Programs(asked.programs.resolve()).cli, "check", asked.image, asked.kernel]
    command += ["--result", asked.result, "--json", *flags]
    try:
        diagnosis = run_for_json(command)
        if asked.plot and diagnosis["map"] is None:
            shape, expected = tuple(diagnosis["shape"]), tuple(diagnosis["expected_shape"])
            shapes = f"shape {shape}, expected {expected}"
            print(f"not drawn: the result has {shapes}", file=sys.stderr)
        elif asked.plot:
            draw(diagnosis, asked.plot)
    except (ProgramFailed, OSError) as error:
        print(f"scripts/check: {error}", file=sys.stderr)
        return 2
    if diagnosis["right"]:
        print(f"right to the precision of {diagnosis['type']}")
    else:
        print(f"WRONG: {diagnosis['wrong']} of {diagnosis['outputs']:.0f} outputs")
    for explanation in diagnosis["explanations"]:
        print(f"{explanation['sentence']} ({explanation['name']})")
    return 0 if diagnosis["right"] else 1


if __name__ == "__main__":
    sys.exit(main())
