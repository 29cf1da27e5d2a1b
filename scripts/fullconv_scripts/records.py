"""records.csv: one line a contender and cell, all of it derived from the raw file beside it.

    case, scalar, cache, output         the cell
    phase, algorithm, kind, threads     the contender
    blocks                              in how many it ran; 0: outside blocks
    seconds, _low, _high                typical time of one call with its 95 % interval
    seconds_median                      of the samples; rates and shares are by this
    ratio, _low, _high                  to the fastest of the cell; the interval is corrected for
                                        all comparisons of the run
    verdict                             `fastest`, or what it is to that: `slower`, `equal`,
                                        `unresolved`; a floor, which cannot win, also `faster`
    error_in_bounds, relative_l2        the largest error found
    sampled                             1 where not every output was looked at
    workspace_bytes                     that the plan owns
    implementation                      what ran, in the words of the library that was asked
    gflops, bytes, intensity            nominal GFLOP/s; least bytes to move; operations a byte
    of_peak, of_bandwidth, of_roofline  shares of what the machine can do (results.Results)
    step_NAME                           seconds of each step of a call, in runs of their own
    skipped                             why it was not measured: `declined: ...`

Empty: not known. Those that were not measured are at the end of their cell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from fullconv_scripts.comparison import Contender
from fullconv_scripts.results import Results, save_text, usual_time

FILE_NAME = "records.csv"

_WHO = ["case", "scalar", "cache", "output", "phase", "algorithm", "kind", "threads"]
_TIME = ["seconds", "seconds_low", "seconds_high", "seconds_median"]
_RATIO = ["ratio", "ratio_low", "ratio_high", "verdict"]
_COUNTERS = ["error_in_bounds", "relative_l2", "sampled", "workspace_bytes"]
_CODE = ["implementation"]
_RATES = ["gflops", "bytes", "intensity", "of_peak", "of_bandwidth", "of_roofline"]
_COLUMNS = [*_WHO, "blocks", *_TIME, *_RATIO, *_COUNTERS, *_CODE, *_RATES]
_COUNTS = ["blocks", "bytes"]  # whole, but not known everywhere


def write(results: Results, folder: Path) -> Path:
    """Writes records.csv into `folder`; where it is. OSError where that cannot be."""
    path = folder / FILE_NAME
    save_text(tabulate(results).to_csv(index=False), path)
    return path


def tabulate(results: Results) -> pd.DataFrame:
    """The records, in the order of the cells."""
    steps = _steps(results)
    rows = [(row.cell, _measured(results, row, steps)) for row in results.times.itertuples()]
    rows += [(row.cell, _skipped(row)) for row in results.skipped.itertuples()]
    rows.sort(key=lambda numbered: numbered[0])
    names = list(dict.fromkeys(name for seconds in steps.values() for name in seconds))
    table = pd.DataFrame([row for _, row in rows], columns=[*_COLUMNS, *names, "skipped"])
    return table.astype(dict.fromkeys(_COUNTS, "Int64"))


def _measured(
    results: Results, row: Any, steps: dict[tuple[Any, ...], dict[str, float]]
) -> dict[str, Any]:
    time = usual_time(row)
    who = (row.case, row.scalar, row.cache, row.output, row.phase, row.algorithm, int(row.threads))
    return {
        **{name: getattr(row, name) for name in _WHO + _COUNTERS + _CODE + _RATES},
        "blocks": len(row.blocks),
        "seconds": time.estimate,
        "seconds_low": time.low,
        "seconds_high": time.high,
        "seconds_median": row.seconds,
        **_ratio(results, row),
        **steps.get(who, {}),
    }


def _ratio(results: Results, row: Any) -> dict[str, Any]:
    """Against the fastest of all that ran side by side, whatever its kind and threads."""
    field = results.field(row.case, row.scalar, row.cache, row.output)
    who = Contender(row.algorithm, int(row.threads))
    if row.phase != "execute" or field is None or who not in field or not field.fastest:
        return {}
    ratio = field.ratio(who)
    verdict = "fastest" if who == field.fastest else ratio.verdict
    bounds = {"ratio": ratio.estimate, "ratio_low": ratio.low, "ratio_high": ratio.high}
    return {**bounds, "verdict": verdict}


def _skipped(row: Any) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in _WHO},
        "skipped": f"{row.outcome}: {row.reason}",
    }


def _steps(results: Results) -> dict[tuple[Any, ...], dict[str, float]]:
    """Seconds by column, for each execute row that has them: steps are of the usual mode."""
    found: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in results.steps.itertuples():
        who = (row.case, row.scalar, "hot", "reused", "execute", row.algorithm, int(row.threads))
        found.setdefault(who, {})[f"step_{row.step}"] = row.seconds
    return found
