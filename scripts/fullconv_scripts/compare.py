"""scripts/compare OLD NEW: what has become slower or faster between two runs on one machine.

The contenders of a cell were interleaved within each run, not between the runs, so a time of one
run against a time of the other holds the machine's mood of both days. It cancels where a contender
is seen against others of its cell, block by block: its *change*, NEW/OLD, is divided by the median
change of

    peers and floors     which no change of ours can touch, where at least three are in both runs;
    the others           all contenders of other algorithms, where there are at least three;
    nothing              otherwise, and the table says so: the machine may have changed instead.

Only those count that ran in most of the contender's blocks. What all contenders of a cell share is
therefore no regression of any of them; it is shown as the cell's own change. In either run the
blocks give the mean logarithm of a contender's time against the geometric mean of its references'
(module comparison); the interval of the change is Welch's for the two runs, with the error of the
references' median, at a confidence corrected for the number of changes. Where an audit has found
that a mere change of layout moves times by some per cent, intervals are widened by that.

Exit codes: 0 nothing is slower for sure, 1 something is, 2 the runs cannot be compared.
"""

from __future__ import annotations

import json
import math
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from statistics import fmean, median
from typing import Any

from fullconv_scripts.chart_style import seconds_text
from fullconv_scripts.command_line import Parser
from fullconv_scripts.comparison import (
    CONFIDENCE,
    EQUAL_WITHIN,
    Contender,
    Field,
    LogMean,
    Ratio,
    Samples,
    corrected_confidence,
    geometric_mean,
    log_ratio,
    log_time,
)
from fullconv_scripts.report import percent_text, ratio_text, table
from fullconv_scripts.results import BadResults, Key, Results, layout_spread, load, pick

FEWEST_REFERENCES = 3
_VERDICTS = {"slower": "regression", "faster": "improvement"}


@dataclass(frozen=True)
class Change:
    """How many times longer a contender takes in the new run than in the old."""

    key: Key
    contender: Contender
    ratio: Ratio  # relative to the cell's change where there is one
    seconds: float  # typical, in the new run
    absolute: float  # NEW/OLD as measured
    cell: float  # what the references changed by; 1 without
    against: str  # who the references are

    @property
    def verdict(self) -> str:
        """`regression`, `improvement`, `equal` (within 2 %) or `unresolved`."""
        return _VERDICTS.get(self.ratio.verdict, self.ratio.verdict)


def changes(
    old: Results, new: Results, kinds: Sequence[str] = ("ours",), spread: float = 0.0
) -> list[Change]:
    """Of the contenders of these kinds that both runs hold, the largest first. `spread`:
    0.01 where times within 1 % of each other may differ by layout alone."""
    seen = []
    for key, after in new.fields.items():
        pair = _Pair(old.fields.get(key, Field({}, {})), after)
        seen += [
            (key, who, pair, *pair.references(who))
            for who in pair.common
            if after.kinds[who.algorithm] in kinds
        ]
    confidence = corrected_confidence(len(seen))
    listed = [
        Change(
            key=key,
            contender=who,
            ratio=pair.change(who, references).ratio(confidence, spread),
            seconds=pair.after.time(who).estimate,
            absolute=math.exp(pair.absolute(who)),
            cell=math.exp(median(map(pair.absolute, references))) if references else 1.0,
            against=against,
        )
        for key, who, pair, against, references in seen
    ]
    return sorted(listed, key=lambda change: -change.ratio.estimate)


class _Pair:
    """A cell of both runs."""

    def __init__(self, before: Field, after: Field) -> None:
        self.after = after
        self.common = [who for who in after if who in before]
        self._before = before
        # What is asked for again and again.
        self.absolute = cache(self._absolute)
        self._relative_once = cache(self._relative)
        self._level_once = cache(self._level)

    def references(self, who: Contender) -> tuple[str, tuple[Contender, ...]]:
        """Who `who` is seen against."""
        others = [
            other
            for other in self.common
            if other.algorithm != who.algorithm
            and all(_kept_up(field, other, who) for field in (self._before, self.after))
        ]
        steady = [
            other for other in others if self.after.kinds[other.algorithm] in ("peer", "floor")
        ]
        for against, group in (("peers and floors", steady), ("the others", others)):
            if len(group) >= FEWEST_REFERENCES:
                return against, tuple(group)
        return "nothing", ()

    def change(self, who: Contender, references: tuple[Contender, ...]) -> LogMean:
        """The mean logarithm of NEW/OLD, over that of the references where there are any."""
        mine = self._relative(who, references)
        if not references:
            return mine
        return mine.minus(_median([self._relative_once(each, references) for each in references]))

    def _absolute(self, who: Contender) -> float:
        """The logarithm of NEW/OLD, whatever the machine did."""
        return log_time(self.after.samples[who]).mean - log_time(self._before.samples[who]).mean

    def _relative(self, who: Contender, references: tuple[Contender, ...]) -> LogMean:
        """The mean logarithm of NEW/OLD against the references' geometric mean."""

        def in_run(field: Field) -> LogMean:
            times = field.samples[who]
            if not references:
                return log_time(times)
            return log_ratio(times, to=self._level_once(field, references))

        return in_run(self.after).minus(in_run(self._before))

    def _level(self, field: Field, references: tuple[Contender, ...]) -> Samples:
        """The references' geometric mean in each block in which all of them ran."""
        times = [field.samples[each] for each in references]
        blocks = set(times[0]).intersection(*times[1:])
        return {block: geometric_mean(each[block] for each in times) for block in blocks}


def _kept_up(field: Field, other: Contender, who: Contender) -> bool:
    """Whether `other` ran in most blocks in which `who` did."""
    blocks = field.samples[who].keys()
    return 2 * len(field.samples[other].keys() & blocks) > len(blocks)


def _median(means: Sequence[LogMean]) -> LogMean:
    """The median of independent means, with the error that it has for normal ones."""
    error = math.sqrt(math.pi / 2 * fmean(mean.error**2 for mean in means) / len(means))
    freedom = math.fsum(mean.freedom for mean in means)
    blocks = min(mean.blocks for mean in means)
    return LogMean(median(mean.mean for mean in means), error, freedom, blocks)


# --- whether two runs can be compared -------------------------------------------------------------


def differences(old: Results, new: Results) -> list[str]:
    """What of machine and compiler differs, one line each."""
    lines = []
    for name in ("cpu", "cores", "compiler", "compiler_flags"):
        was, is_ = (_of_machine(results, name) for results in (old, new))
        if was != is_:
            lines.append(f"{name.replace('_', ' ')} '{was}' and '{is_}'")
    return lines


def _of_machine(results: Results, name: str) -> Any:
    build = results.environment.get("build", {})
    return results.environment.get(name, build.get(name, "unknown"))


# --- telling --------------------------------------------------------------------------------------


def _cell_text(key: Key) -> str:
    modes = [key.cache] * (key.cache != "hot") + [key.output] * (key.output != "reused")
    return " ".join([key.case, key.scalar, *modes])


def change_table(listed: Sequence[Change]) -> str:
    """One row a change."""
    rows = [["cell", "contender", "threads", "NEW/OLD", "NEW", "cell", "seen against", "verdict"]]
    for change in listed:
        rows.append(
            [
                _cell_text(change.key),
                change.contender.algorithm,
                str(change.contender.threads),
                ratio_text(change.ratio),
                seconds_text(change.seconds),
                f"{change.cell:.2f}×" if change.against != "nothing" else "-",
                change.against,
                change.verdict,
            ]
        )
    return table(rows)


def counts(listed: Sequence[Change]) -> dict[str, int]:
    """How many changes of each verdict."""
    verdicts = [change.verdict for change in listed]
    return {
        name: verdicts.count(name)
        for name in ("regression", "improvement", "equal", "unresolved")
    }


def summary_line(listed: Sequence[Change], spread: float) -> str:
    """What came of comparing."""
    told = ", ".join(
        f"{number} {name}{'s' if name in _VERDICTS.values() and number != 1 else ''}"
        for name, number in counts(listed).items()
    )
    line = f"{len(listed)} compared: {told}; all verdicts together at {percent_text(CONFIDENCE)}"
    if spread:
        line += f", nothing within the {percent_text(spread)} that layout alone can do"
    cells = {change.key: change.cell for change in listed if change.against != "nothing"}
    if cells:
        line += f"; the cells themselves changed by {median(cells.values()):.2f}× (median)"
    alone = sum(change.against == "nothing" for change in listed)
    if alone:
        line += (
            f"; {alone} seen against nothing, so that the machine may have changed instead: fewer "
            f"than {FEWEST_REFERENCES} others in both runs"
        )
    return line


def _missing(old: Results, new: Results, kinds: Sequence[str]) -> list[str]:
    """What the old run measured and the new one did not, of the cells that both hold."""
    lines = []
    for key, before in old.fields.items():
        after = new.fields.get(key, before)
        for who in before:
            if who not in after and before.kinds[who.algorithm] in kinds:
                why = pick(new.skipped, phase="execute", **key._asdict(), **who._asdict())
                reason = f"{why.iloc[0].outcome}: {why.iloc[0].reason}" if len(why) else "absent"
                lines.append(f"{_cell_text(key)} {who.algorithm}, threads {who.threads}: {reason}")
    return lines


def _json(listed: Sequence[Change], spread: float, warnings: list[str]) -> str:
    """All of it; a bound that is infinite is null."""

    def entry(change: Change) -> dict[str, Any]:
        ratio = asdict(change.ratio)
        ratio["high"] = ratio["high"] if math.isfinite(ratio["high"]) else None
        return {
            **change.key._asdict(),
            **change.contender._asdict(),
            **ratio,
            "seconds": change.seconds,
            "absolute": change.absolute,
            "cell": change.cell,
            "against": change.against,
            "verdict": change.verdict,
        }

    told = {
        "confidence": corrected_confidence(len(listed)),
        "equal_within": EQUAL_WITHIN,
        "layout_spread": spread,
        "warnings": warnings,
        "counts": counts(listed),
        "changes": [entry(change) for change in listed],
    }
    return json.dumps(told, indent=1, allow_nan=False)


def _parser() -> Parser:
    parser = Parser(
        prog="scripts/compare",
        description="What has become slower or faster between two runs on one machine.",
        epilog="Exit codes: 0 nothing is slower for sure, 1 something is, 2 bad question.",
        allow_abbrev=False,
    )
    parser.add_argument("old", type=Path, metavar="OLD", help="a raw.json, or the folder of one")
    parser.add_argument("new", type=Path, metavar="NEW", help="the same of the later run")
    parser.add_argument("--all", action="store_true", help="peers, too")
    parser.add_argument(
        "--every", action="store_true", help="also list what is equal or unresolved"
    )
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    parser.add_argument(
        "--force", action="store_true", help="compare even runs of different machines or compilers"
    )
    parser.add_argument(
        "--layout-spread", type=float, metavar="S",
        help="claim nothing within this, 0.01 for 1 %%; as the audit of NEW's machine says, "
        "unless given",
    )  # fmt: skip
    return parser


def _run(argv: Sequence[str]) -> int:
    parser = _parser()
    given = parser.parse_args(argv)
    if given.layout_spread is not None and not 0 <= given.layout_spread < 1:
        parser.error(f"--layout-spread {given.layout_spread:g}: expected a number from 0 to 1")
    old, new = load(given.old), load(given.new)
    warnings = differences(old, new)
    if warnings and not given.force:
        raise BadResults(
            f"{given.old} and {given.new}: different machines: {'; '.join(warnings)}; "
            "--force compares them anyway"
        )
    spread = given.layout_spread
    if spread is None:
        spread = layout_spread(given.new)
    kinds = ("ours", "variant", *(("peer",) if given.all else ()))
    listed = changes(old, new, kinds, spread)
    if not listed:
        raise BadResults(f"{given.old} and {given.new}: no cell with a contender that both hold")
    for warning in warnings:
        print(f"compare: different machines: {warning}", file=sys.stderr)
    if given.json:
        print(_json(listed, spread, warnings))
    else:
        shown = [change for change in listed if given.every or change.verdict in _VERDICTS.values()]
        if shown:
            print(change_table(shown))
        for line in _missing(old, new, kinds):
            print(f"no longer measured: {line}")
        print(summary_line(listed, spread))
    return 1 if counts(listed)["regression"] else 0


def main() -> int:
    try:
        return _run(sys.argv[1:])
    except BadResults as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `scripts/compare OLD NEW | head` is no error
    sys.exit(main())
