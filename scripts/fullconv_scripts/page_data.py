"""What the page shows, as plain JSON: all numbers that it draws are computed before."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from fullconv_scripts import caveats, comparison, page_answers
from fullconv_scripts.comparison import Contender
from fullconv_scripts.names import short_names
from fullconv_scripts.page_answers import HALF_WIDTH_BINS
from fullconv_scripts.page_headline import headline
from fullconv_scripts.page_table import KINDS, ROW_FIELDS, SKIPPED_FIELDS, Table, rounded
from fullconv_scripts.results import Results


def collect(results: Results, audit: dict[str, Any] | None) -> dict[str, Any]:
    """All that the page shows of results and of the audit of their machine."""
    table = Table(results)
    return {
        "run": _run(table),
        "contenders": _contenders(table),
        "cells": table.cells,
        "rows": {"fields": ROW_FIELDS, "values": table.rows, "implementations": table.implementations},
        "skipped": {"fields": SKIPPED_FIELDS, "values": table.skipped, "reasons": table.reasons},
        "selections": [_selection(table, *choice) for choice in _choices(table)],
        "scaling": _scaling(table),
        "modes": _modes(table),
        "steps": _steps(results),
        "floors": _floors(results),
        "audit": None if audit is None else list(_audit_tables(audit)),
        "environment": results.environment,
        "settings": results.raw.get("settings", {}),
        "halfWidthBins": HALF_WIDTH_BINS,
    }


def _run(table: Table) -> dict[str, Any]:
    """What the run was, as a whole."""
    raw = table.results.raw
    return {
        "status": raw.get("status", "unknown"),
        "contamination": caveats.contamination(
            [cell.get("warnings", []) for cell in raw["cells"]]
        ),
        "leftOut": raw.get("left_out_cells", []),
        "failures": [f"{entry['job']}: {entry['reason']}" for entry in raw.get("failures", [])],
        "confidence": comparison.CONFIDENCE,
        "layoutSpread": table.results.layout_spread,
        "comparisons": table.results.comparisons,
        "mode": table.main_mode,
        "scalars": table.scalars,
        "threads": table.threads,
        "groups": [group for group in KINDS if table.has_group(group)],
    }


# --- who takes part -------------------------------------------------------------------------------


def _contenders(table: Table) -> list[dict[str, Any]]:
    """The registry's entries of those that take part, with their labels."""
    short = short_names(table.names)
    codes = _codes(table.names)
    registry = table.results.contenders
    return [
        {
            "name": name,
            "short": short[name],
            "code": codes[name],
            "kind": table.results.kinds[name],
            **{
                field: registry[name].get(field)
                for field in ("summary", "version", "ledger", "scalars", "threaded", "error_model")
            },
        }
        for name in table.names
    ]


def _codes(names: Sequence[str]) -> dict[str, str]:
    """Two letters for each name, no two alike as far as letters go round."""
    codes: dict[str, str] = {}
    for name in names:
        first, *rest = name.replace("2", "").split("_")
        initials = "".join(part[0] for part in rest if part)
        candidates = [first[0] + letter for letter in initials + first[1:] + "abcdefghij"]
        fresh = (code for code in candidates if code not in codes.values())
        codes[name] = next(fresh, name[:2])
    return codes


# --- selections -----------------------------------------------------------------------------------


def _choices(table: Table) -> Iterable[tuple[str, int, str]]:
    groups = [group for group in KINDS if table.has_group(group)]
    return itertools.product(table.scalars, table.threads, groups)


def _selection(table: Table, scalar: str, threads: int, group: str) -> dict[str, Any]:
    """All answers of a selection, and what follows from those in the main mode."""
    numbers = [i for i, cell in enumerate(table.cells) if cell["scalar"] == scalar]
    found = (page_answers.find_answer(table, number, threads, group) for number in numbers)
    answers = [answer for answer in found if answer]
    main = [answer for answer in answers if table.is_main(answer.cell)]
    planes = [answer for answer in main if not table.cases[answer.cell].layer]
    layers = [answer for answer in main if table.cases[answer.cell].layer]
    return {
        "scalar": scalar,
        "threads": threads,
        "group": group,
        "answers": [page_answers.answer_entry(table, answer) for answer in answers],
        "ranking": {
            family: page_answers.ranking(table, part)
            for family, part in (("planes", planes), ("layers", layers))
            if part
        },
        "networks": page_answers.networks(table, layers),
        "forms": page_answers.forms(table, layers),
        "headline": headline(table, planes, layers),
        "precision": page_answers.precision(main),
    }


# --- what else was measured -----------------------------------------------------------------------


def _scaling(table: Table) -> list[list[Any]]:
    """[row with one thread, row with more, speed-up, low, high], for all that were timed so."""
    found = []
    for field, rows in zip(table.fields, table.executed):
        for who in field.contenders:
            alone = Contender(who.algorithm, 1)
            if who.threads > 1 and alone in field:
                ratio = field.ratio(alone, to=who)
                numbers = map(rounded, (ratio.estimate, ratio.low, ratio.high))
                found.append([rows[alone].number, rows[who].number, *numbers])
    return found


def _modes(table: Table) -> list[list[Any]]:
    """[row in the main mode, row in another, ratio, low, high], for all that ran in both. The two
    ran in different cells: nothing is paired."""
    main = {
        (cell["case"], cell["scalar"]): number
        for number, cell in enumerate(table.cells)
        if table.is_main(number) and table.executed[number]
    }
    found = []
    for number, cell in enumerate(table.cells):
        base = main.get((cell["case"], cell["scalar"]))
        if base is None or table.is_main(number):
            continue
        for who in table.fields[number].contenders:
            if who in table.fields[base]:
                mine, other = table.fields[base].samples[who], table.fields[number].samples[who]
                difference = comparison.log_time(other).minus(comparison.log_time(mine))
                ratio = difference.ratio()
                rows = table.executed[base][who].number, table.executed[number][who].number
                found.append([*rows, *map(rounded, (ratio.estimate, ratio.low, ratio.high))])
    return found


def _steps(results: Results) -> list[dict[str, Any]]:
    """Steps of each algorithm in each cell, in the order measured: {..., total, parts: [[name,
    seconds]]}."""
    found = []
    keys = ["case", "scalar", "algorithm", "threads"]
    for values, rows in results.steps.groupby(keys, sort=False):
        parts = [[row.step, rounded(row.seconds)] for row in rows.itertuples() if row.seconds > 0]
        total = rounded(float(rows["seconds"].sum()))
        case, scalar, algorithm, threads = values
        who = {"case": case, "scalar": scalar, "algorithm": algorithm, "threads": int(threads)}
        found.append({**who, "total": total, "parts": parts})
    return found


def _floors(results: Results) -> list[dict[str, Any]]:
    """What the machine can do: {name, scalar, threads, seconds, rate, unit}."""
    found = []
    for text, floor in results.floors.items():
        name, *rest = text.split("/")
        threads = next((int(p.split(":")[1]) for p in rest if p.startswith("threads:")), 1)
        scalar = next((part for part in rest if part in ("f32", "f64")), None)
        unit = next((unit for unit in ("GFLOP/s", "GB/s") if unit in floor), "")
        rate = rounded(floor[unit]) if unit else None
        entry = {"name": name, "scalar": scalar, "threads": threads, "rate": rate, "unit": unit}
        found.append({**entry, "seconds": rounded(floor["seconds"])})
    return found


_FINDING = ("name", "target", "measured", "met", "detail")


def _audit_tables(node: Any, title: str = "") -> Iterable[dict[str, Any]]:
    """Every table of an audit, {title, rows}, wherever it is: a list of things with a target."""
    if isinstance(node, dict):
        title = node.get("title", title)
        for name, value in node.items():
            plain = name in ("rows", "tables", "checks", "findings")
            yield from _audit_tables(value, title if plain else name.replace("_", " "))
    elif isinstance(node, list):
        rows = [entry for entry in node if isinstance(entry, dict) and "target" in entry]
        if rows:
            findings = [{name: row.get(name) for name in _FINDING} for row in rows]
            yield {"title": title, "rows": findings}
        else:
            for entry in node:
                yield from _audit_tables(entry, title)
