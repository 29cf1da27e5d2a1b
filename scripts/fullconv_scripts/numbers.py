"""Times what numbers and shapes cost: an algorithm on operands that someone waited for, and on plain
ones, in the same blocks.

A line of the table, and of the file, is how many times as long the algorithm takes on a case as on
another one, with its interval at 95 %, and what it may be; in float with one thread.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fullconv_scripts import environment
from fullconv_scripts.arguments import ROOT
from fullconv_scripts.command_line import Parser
from fullconv_scripts.comparison import ratio
from fullconv_scripts.measure import Progress
from fullconv_scripts.programs import ProgramFailed, Programs, read_cells, run_for_json
from fullconv_scripts.report import table
from fullconv_scripts.results import save_text

FORMAT = "fullconv numbers"
VERSION = 1


class Pair(NamedTuple):
    """What is timed on a case and, beside that, on another one."""

    case: str
    to: str
    most: float | None  # that the ratio may be; None where no number is promised
    algorithm: str = "auto"


def _on(family: str, case: str, most: float | None, algorithm: str = "auto") -> Pair:
    return Pair(f"{case}_{family}", case, most, algorithm)


PAIRS = (
    _on("subnormal", "1024x1024_k63x63", 2),
    _on("subnormal", "256x256_k41x41", 2, "direct_simd"),
    _on("subnormal", "n1_i64_o64_56x56_k3x3", 2),
    _on("subnormal", "n1_i64_o64_56x56_k3x3", 2, "im2col_gemm"),
    _on("tiny", "1024x1024_k63x63", 1.2),
    _on("huge", "1024x1024_k63x63", 1.2),
    _on("dead", "1024x1024_k63x63", 1.5),
    _on("dead", "500x500_k51x51", 1.5),
    _on("ints", "500x500_k51x51", None),
    Pair("1000000x1_k200x1", "1x1000000_k1x200", 1.1),
    Pair("1000000x1_k1x1", "1x1000000_k1x1", 1.1),
)


def measure(programs: Programs, pair: Pair, cell_time: float) -> dict[str, Any]:
    """A line of the file."""
    report = run_for_json(
        [
            programs.bench,
            *("--case", pair.case, pair.to, "--interleave-cases"),
            *("--algorithm", pair.algorithm, "--scalar", "f32", "--threads", "1"),
            *("--cell-time", f"{cell_time:g}", "--half-width", "0.0001"),
            "--benchmark_format=json",
        ]
    )
    times = {}
    for cell in read_cells(report):
        (who,) = cell["contenders"]
        if "skipped" in who:
            raise ProgramFailed(f"{cell['case']}: {who['algorithm']}: {who['skipped']}")
        times[cell["case"]] = dict(zip(who["blocks"], who["seconds"]))
    found = ratio(times[pair.case], times[pair.to])
    numbers = {name: round(getattr(found, name), 4) for name in ("estimate", "low", "high")}
    return pair._asdict() | numbers | {"blocks": found.blocks}


def is_met(line: dict[str, Any]) -> bool:
    return line["most"] is None or line["estimate"] <= line["most"]


def rows(lines: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Cells of a table, without its head."""
    return [
        [
            line["case"],
            line["to"],
            line["algorithm"],
            f"{line['estimate']:.2f} ({line['low']:.2f}–{line['high']:.2f})",
            "" if line["most"] is None else f"{line['most']:g}",
        ]
        for line in lines
    ]


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a file after its header."""
    header, *lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    if header.get("format") != FORMAT:
        raise ValueError(f"{path}: not a file of scripts/numbers")
    return lines


def _parse(argv: list[str]) -> Namespace:
    parser = Parser(prog="scripts/numbers", description=__doc__.partition("\n\n")[0],
                    allow_abbrev=False)  # fmt: skip
    parser.add_argument("--programs", type=Path, default=ROOT / "build" / "release", metavar="DIR",
                        help="those there; build/release unless given")  # fmt: skip
    parser.add_argument("--cell-time", type=float, default=10.0, metavar="SECONDS",
                        help="of each line; 10 unless given")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE",
                        help="also write all of it, a JSON object a line, environment first")  # fmt: skip
    asked = parser.parse_args(argv)
    if not 0 < asked.cell_time < float("inf"):
        parser.error(f"--cell-time is {asked.cell_time:g}: expected a number above 0")
    return asked


def main(argv: list[str] | None = None) -> int:
    asked = _parse(sys.argv[1:] if argv is None else argv)
    progress = Progress()
    lines = []
    try:
        for pair in PAIRS:
            progress.show(f"numbers: {pair.algorithm} on {pair.case}")
            lines.append(measure(Programs(asked.programs.resolve()), pair, asked.cell_time))
        progress.clear()
        if asked.out:
            header = {"format": FORMAT, "version": VERSION, "environment": environment.describe(ROOT)}
            text = "".join(json.dumps(line) + "\n" for line in (header, *lines))
            save_text(text, asked.out)
    except (ProgramFailed, OSError) as error:
        progress.clear()
        print(f"numbers: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        progress.clear()
        print("numbers: interrupted", file=sys.stderr)
        return 130
    print(table([["case", "compared with", "algorithm", "times as long", "at most"], *rows(lines)]))
    return 0 if all(map(is_met, lines)) else 1


if __name__ == "__main__":
    sys.exit(main())
