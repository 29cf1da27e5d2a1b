"""What a choice of `auto` costs: the files that `fullconv_regret` writes.

JSON lines. The first one is the header: format, version, environment (with the commit), seed,
scalar, threads, effort, left_out_as_too_long, and `candidate`, the names of a candidate's fields.
`environment_of` names the run of the same programs that the environment was taken from. Each line
after it is a problem: problem, best, forecast, regret, candidates; newer files also have chosen and
choice_regret, and with `--terms` terms, by algorithm what its forecast is the sum of. Times are in
seconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = "fullconv regret"
VERSION = 1
_CANDIDATE = ["name", "forecast", "lower_quartile", "median", "upper_quartile", "count"]


class BadRegret(Exception):
    """A file that cannot be read; the message is one line that names it."""


@dataclass(frozen=True)
class Quantiles:
    median: float
    p95: float
    most: float


@dataclass(frozen=True)
class Regret:
    header: dict[str, Any]
    problems: list[dict[str, Any]]

    def quantiles(self, field: str = "regret") -> Quantiles:
        values = sorted(problem[field] for problem in self.problems)
        return Quantiles(*(values[int(q * (len(values) - 1))] for q in (0.5, 0.95, 1)))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _problem(line: Any) -> str:
    """What is wrong with a line; empty where nothing is."""
    if not isinstance(line, dict) or not isinstance(line.get("problem"), str):
        return "no problem"
    if not _is_number(line.get("regret")):
        return f"{line['problem']} has no regret"
    for candidate in line.get("candidates", [None]):
        if not isinstance(candidate, list) or len(candidate) != len(_CANDIDATE):
            return f"{line['problem']} has a candidate without {', '.join(_CANDIDATE)}"
        if not isinstance(candidate[0], str) or not all(map(_is_number, candidate[1:])):
            return f"{line['problem']} has a candidate that is no name with numbers"
    terms = line.get("terms", {})
    if not all(isinstance(of, dict) and all(map(_is_number, of.values())) for of in terms.values()):
        return f"{line['problem']} has terms that are no numbers"
    return ""


def read(path: Path) -> Regret:
    """The file at `path`."""
    lines = []
    try:
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            lines.append(json.loads(text))
    except OSError as error:
        raise BadRegret(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise BadRegret(f"{path}: line {number} is no JSON") from None
    header = lines[0] if lines and isinstance(lines[0], dict) else {}
    if (header.get("format"), header.get("version")) != (FORMAT, VERSION):
        raise BadRegret(f"{path}: expected {FORMAT}, version {VERSION}, in the first line")
    if header.get("candidate") != _CANDIDATE:
        raise BadRegret(f"{path}: expected candidates of {', '.join(_CANDIDATE)}")
    if len(lines) == 1:
        raise BadRegret(f"{path}: holds no problem")
    for number, line in enumerate(lines[1:], 2):
        if what := _problem(line):
            raise BadRegret(f"{path}: line {number}: {what}")
    return Regret(header, lines[1:])
