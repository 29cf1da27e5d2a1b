"""What scripts/bench can be told. Only the standard library, so that it can be asked for help
before anything is installed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fullconv_scripts.command_line import Parser
from fullconv_scripts.names import Case, parse_case, read_cases

ROOT = Path(__file__).resolve().parents[2]
_CASE_FILES = ROOT / "bench" / "cases"


@dataclass(frozen=True)
class Kind:
    """A kind of run: which case files, how long, how exact."""

    files: tuple[str, ...]
    budget: float  # seconds, for all cells
    cell_limit: float  # seconds, for one call of one algorithm
    half_width: float  # of the intervals of ratios, where a cell may stop
    modes: int  # so many cases also with a cold cache and with fresh output memory
    extras: float = 0.0  # of the budget, kept for those modes, steps and planning


# Peers take as long again. A slow call is made 16 times, eight blocks, each warmed up; of ours
# with one thread 8 times.
SMOKE = Kind(("smoke.txt",), budget=30, cell_limit=0.2, half_width=0.05, modes=1)
DEFAULT = Kind(("default.txt",), budget=200, cell_limit=0.2, half_width=0.02, modes=2)
FULL = Kind(
    ("sweep.txt", "layers.txt"),
    budget=1800,
    cell_limit=0.2,
    half_width=0.01,
    modes=8,
    extras=0.1,
)


def _positive_integer(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}': expected a whole number of at least 1")
    return int(text)


def _positive_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}': expected a number above 0")
    return number


def _case(text: str) -> Case:
    try:
        return parse_case(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _parser() -> Parser:
    parser = Parser(
        prog="scripts/bench",
        description="Installs what is missing, builds, checks every algorithm against SciPy, "
        "measures, draws. Ctrl-C leaves what was measured so far, with its charts.",
        epilog="Exit codes: 0 fine, 1 an algorithm is wrong or a program failed, 2 bad question, "
        "130 interrupted.",
        allow_abbrev=False,
    )
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument(
        "--full", action="store_true", help="the whole sweep and all layers: half an hour"
    )
    extent.add_argument("--smoke", action="store_true", help="a few cells: seconds")
    parser.add_argument(
        "--case", action="append", type=_case, default=[], metavar="CASE",
        help="measure this case, such as 8x8_k5x5; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--cases", action="append", default=[], metavar="FILE",
        help="measure the cases of this file; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--threads", nargs="+", type=_positive_integer, metavar="T",
        help="numbers of threads; one and all cores unless given",
    )  # fmt: skip
    parser.add_argument("--scalar", nargs="+", choices=("f32", "f64"), help="both unless given")
    parser.add_argument(
        "--budget", type=_positive_number, metavar="SECONDS",
        help="for measuring, shared between the cells; those it does not reach are left out",
    )  # fmt: skip
    parser.add_argument(
        "--cell-limit", type=_positive_number, metavar="SECONDS",
        help="leave out algorithms where one call is predicted to take longer",
    )  # fmt: skip
    parser.add_argument(
        "--half-width", type=_positive_number, metavar="R",
        help="stop a cell where every ratio to the fastest is known to within this: 0.01 is 1 %%",
    )  # fmt: skip
    parser.add_argument(
        "--peers", action="store_true",
        help="install SciPy's, OpenCV's, oneDNN's, PyTorch's, ... convolutions and measure them",
    )  # fmt: skip
    parser.add_argument(
        "--algorithm", nargs="+", action="extend", default=[], metavar="NAME",
        help="only these, of ours or, with --peers, of others",
    )  # fmt: skip
    parser.add_argument(
        "--instruction-sets", action="store_true",
        help="also ours by each instruction set of the processor; needs a portable build",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR",
        help="where results go; results/<machine>/<time> unless given",
    )  # fmt: skip
    parser.add_argument(
        "--programs", type=Path, default=ROOT / "build" / "release", metavar="DIR",
        help="measure the programs there and build nothing",
    )  # fmt: skip
    return parser


@dataclass(frozen=True)
class Arguments:
    """What was asked for; times in seconds."""

    cases: dict[Case, str]  # with the remark behind each in its file
    threads: tuple[int, ...] | None
    scalars: tuple[str, ...]
    budget: float
    cell_limit: float
    half_width: float
    modes: int  # so many cases also with a cold cache and with fresh output memory
    extras: float  # of the budget, kept for those modes, steps and planning
    peers: bool
    algorithms: tuple[str, ...]  # none: all
    instruction_sets: bool
    out: Path | None
    programs: Path


def parse(argv: Sequence[str]) -> Arguments:
    """What was asked for; exits with 2 and one line where that makes no sense."""
    parser = _parser()
    given = parser.parse_args(argv)
    kind = FULL if given.full else SMOKE if given.smoke else DEFAULT
    files = given.cases or ([] if given.case else [_CASE_FILES / name for name in kind.files])
    cases = dict.fromkeys(given.case, "")
    try:
        for file in files:
            found = read_cases(str(file))
            if not found:
                raise ValueError(f"{file}: expected at least one case")
            cases = {**found, **cases}
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")
    except ValueError as error:
        parser.error(str(error))
    return Arguments(
        cases=cases,
        threads=tuple(sorted(set(given.threads))) if given.threads else None,
        scalars=tuple(dict.fromkeys(given.scalar or ("f32", "f64"))),
        budget=given.budget or kind.budget * (2 if given.peers else 1),
        cell_limit=given.cell_limit or kind.cell_limit,
        half_width=given.half_width or kind.half_width,
        modes=kind.modes,
        extras=kind.extras,
        peers=given.peers,
        algorithms=tuple(dict.fromkeys(given.algorithm)),
        instruction_sets=given.instruction_sets,
        out=given.out,
        programs=given.programs,
    )


if __name__ == "__main__":
    parse(sys.argv[1:])
