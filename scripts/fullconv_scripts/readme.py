"""The figures of README, made from the reference results: `python -m fullconv_scripts.readme` prints
them. tests/scripts/test_readme.py holds README to them."""

from __future__ import annotations

import re
from pathlib import Path

from fullconv_scripts import regret, results
from fullconv_scripts.arguments import ROOT
from fullconv_scripts.chart_style import seconds_text
from fullconv_scripts.comparison import Contender
from fullconv_scripts.report import ratio_text

REFERENCE = ROOT / "results" / "reference"
_ROW = re.compile(r"^\| `([^`]+)` \| [0-9.]+ [nµm]?s \| ", re.MULTILINE)


def cases(text: str) -> list[str]:
    """The cases of README's table of times."""
    return _ROW.findall(text)


def table(run: Path, names: list[str]) -> list[str]:
    """A row for each case: the time of `auto`, the fastest of ours, the fastest peer, and how many
    times as long as `auto` that takes; in float, with one thread."""
    found = results.load(run)
    rows = []
    for case in names:
        field = found.field(case, "f32").among(threads=1)
        auto = Contender("auto", 1)
        peers = field.among(("peer",))
        ours = field.among(("ours",)).win().winner.algorithm
        unsure = " ?" if peers.win().verdict != "clear" else ""
        ratio = ratio_text(field.ratio(peers.fastest, to=auto))
        time = seconds_text(field.time(auto).estimate)
        peer = f"`{peers.fastest.algorithm}`{unsure}"
        rows.append(f"| `{case}` | {time} | `{ours}` | {peer} | {ratio} |")
    return rows


def regrets(folder: Path) -> list[str]:
    """What a choice of `auto` costs, a line for each file: median, 95 of 100, worst."""
    lines = []
    for path in sorted(folder.glob("*.jsonl")):
        all_of_it = regret.read(path).quantiles()
        shown = (f"{100 * value:.1f} %" for value in (all_of_it.median, all_of_it.p95))
        lines.append(f"{path.stem}: {', '.join(shown)}, {100 * all_of_it.most:.0f} %")
    return lines


def main() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = table(REFERENCE / "run", cases(text))
    for folder in ("regret", "regret-avx2"):
        lines += [f"{folder}/{line}" for line in regrets(REFERENCE / folder)]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
