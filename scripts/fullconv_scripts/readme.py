"""The figures of README and docs/, made from the reference results: `python -m fullconv_scripts.readme`
prints them. tests/scripts/test_readme.py holds the pages to them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from statistics import geometric_mean

from fullconv_scripts import numbers, regret, results
from fullconv_scripts.arguments import ROOT
from fullconv_scripts.chart_style import seconds_text
from fullconv_scripts.comparison import Contender, Estimate, Field
from fullconv_scripts.names import parse_case
from fullconv_scripts.networks import read_networks
from fullconv_scripts.report import ratio_text, reliance_line

REFERENCE = ROOT / "results" / "reference"
# Two, since one had no time for all layers of a network, and later ones of some of the networks.
NETWORK_RUNS = [REFERENCE / "networks" / part for part in ("first", "rest", "resnet-mobilenet")]
# Of which run a page's first table of times is, if not of `run`.
RUNS = {"README.md": "unstable"}
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_ROW = re.compile(r"^\| `([^`]+)` \| [0-9.]+ [nµm]?s \| ", re.MULTILINE)


def cases(text: str) -> list[str]:
    """The cases of a page's table of times."""
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


def advantage(run: Path) -> str:
    """How far `auto` is ahead of the fastest peer on single planes."""
    ratios: dict[tuple[str, int], list[Estimate]] = {}
    for key, field in results.load(run).fields.items():
        if (key.cache, key.output) != ("hot", "reused") or parse_case(key.case).layer:
            continue
        for threads in (1, 2):
            cell = field.among(threads=threads)
            peer = cell.among(("peer",)).fastest
            if peer is not None and Contender("auto", threads) in cell.contenders:
                ratio = cell.ratio(peer, to=Contender("auto", threads))
                ratios.setdefault((key.scalar, threads), []).append(ratio)
    means = {who: geometric_mean([r.estimate for r in every]) for who, every in ratios.items()}
    every = [ratio for some in ratios.values() for ratio in some]
    least = math.floor(10 * min(ratio.estimate for ratio in every)) / 10
    certain = sum(ratio.low > 1 for ratio in every)
    return (
        f"by {means['f32', 1]:.1f} times in float and {means['f64', 1]:.1f} in double, with two threads"
        f" by {means['f32', 2]:.1f} and {means['f64', 2]:.1f} (geometric means), by {least:.1f} at"
        f" least; with certainty in {certain} of {len(every)} cells"
    )


def _layer_fields(runs: Iterable[Path]) -> dict[str, Field]:
    """The layers of some runs in float, with one thread, by case: of the last run that has it."""
    return {
        key.case: field.among(threads=1)
        for run in runs
        for key, field in results.load(run).fields.items()
        if (key.scalar, key.cache, key.output) == ("f32", "hot", "reused")
        and parse_case(key.case).layer
    }


def _peers(field: Field) -> tuple[list[Contender], list[Contender]]:
    """Those that take channels first, as all of ours, and those whose data are channels-last."""
    every = list(field.among(("peer",)))
    last = [who for who in every if who.algorithm.endswith("_nhwc")]
    return [who for who in every if who not in last], last


def layers(runs: Iterable[Path]) -> list[str]:
    """How many times as long as `auto` the fastest peer takes for layers, a row for each kind of
    kernel and stride: geometric mean, least and most, and the geometric mean for one whose data are
    channels-last; in float, with one thread."""
    ratios: dict[str, list[float]] = {}
    others: dict[str, list[float]] = {}
    for name, one in _layer_fields(runs).items():
        case = parse_case(name)
        kind = f"{case.h}×{case.w}" + (f", stride {case.stride[0]}" if max(case.stride) > 1 else "")
        kind = f"depthwise {kind}" if case.groups > 1 else kind
        for found, who in zip((ratios, others), _peers(one)):
            times = [one.ratio(peer, to=Contender("auto", 1)).estimate for peer in who]
            found.setdefault(kind, []).extend([min(times)] if times else [])
    return [
        f"| {kind} ({len(some)}) | {geometric_mean(some):.2f} | {min(some):.2f} | {max(some):.2f} |"
        + (f" {geometric_mean(others[kind]):.2f} |" if others[kind] else " |")
        for kind, some in sorted(ratios.items())
    ]


def whole_networks(runs: Iterable[Path]) -> list[str]:
    """How long all input gradients of a network take by `auto`, and how many times as long by the
    one peer that is the fastest for all of it, by the fastest for each layer, and by the fastest
    whose data are channels-last; a row for each network and batch that the runs have all layers of.
    In float, with one thread."""
    seconds: dict[str, dict[str, float]] = {}  # by algorithm, then by case
    fastest: dict[str, float] = {}
    names: set[str] = set()
    last_names: set[str] = set()
    for case, one in _layer_fields(runs).items():
        first, last = _peers(one)
        for who in (Contender("auto", 1), *first, *last):
            seconds.setdefault(who.algorithm, {})[case] = one.time(who).estimate
        fastest[case] = min(one.time(who).estimate for who in first)
        names |= {who.algorithm for who in first}
        last_names |= {who.algorithm for who in last}
    rows = []
    for network in read_networks():
        totals = {who: network.total(times) for who, times in seconds.items()}
        ours, each = totals["auto"], network.total(fastest)
        if ours is None or each is None:
            continue
        known = {who: total for who, total in totals.items() if total is not None}
        peer = min(names & known.keys(), key=known.__getitem__)
        shown = [known[peer], each, min(known[who] for who in last_names & known.keys())]
        rows.append(
            f"| {network.name} | {network.batch} | {seconds_text(ours)} | `{peer}` | "
            + "".join(f"{total / ours:.2f} | " for total in shown).rstrip()
        )
    return rows


SET_ALGORITHMS = ("direct_simd", "fft_overlap_save", "implicit_gemm", "winograd")
SET_CASES = ("512x512_k7x7", "n1_i64_o64_56x56_k3x3")


def instruction_sets(run: Path) -> list[str]:
    """How many times as long as the fastest each of SET_ALGORITHMS takes on each of SET_CASES, a
    row for each set, from the best, below the fastest's times; in float, with one thread. The last
    row is the loop that the compiler vectorises."""
    found = results.load(run)
    ours = ("ours", "variant")
    fields = [found.field(case, "f32").among(ours, threads=1) for case in SET_CASES]
    names = (contender["name"] for contender in found.raw["contenders"])
    sets = dict.fromkeys(name.partition("@")[2] for name in names if "@" in name)

    def fastest(field: Field) -> Contender:
        return min(field, key=lambda who: field.time(who).estimate)  # a variant, too

    def shown(field: Field, name: str) -> str:
        who = Contender(name, 1)
        if who not in field:
            return "–"
        return f"{field.ratio(who, to=fastest(field)).estimate:.2g}"

    times = (seconds_text(field.time(fastest(field)).estimate) for field in fields)
    lines = [", ".join(f"`{case}` {time}" for case, time in zip(SET_CASES, times))]
    for end in sets:
        cells = (shown(field, f"{name}@{end}") for field in fields for name in SET_ALGORITHMS)
        lines.append(f"| {end} | {' | '.join(cells)} |")
    plain = (shown(field, "clamp_bounds") + " |" * len(SET_ALGORITHMS) for field in fields)
    return [*lines, f"| `clamp_bounds`, by the compiler | {' '.join(plain)}"]


def large_image(path: Path) -> str:
    """What convolving an image larger than memory takes beside the bytes and the arithmetic."""
    *rounds, said = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    ratio, low, high = said["own_ratio"]
    peak = max(line["peak_bytes"] for line in rounds) / 2**20
    return f"{ratio:.2f} times ({low:.2f}–{high:.2f}) of these, in {peak:.0f} MiB"


def operand_costs(path: Path) -> list[str]:
    """What numbers and shapes cost, a row for each pair of cases."""
    return [
        f"| `{case}` | `{to}` | `{algorithm}` | {' | '.join(shown)} |"
        for case, to, algorithm, *shown in numbers.rows(numbers.read(path))
    ]


def reliance(run: Path) -> str:
    """How well a run knows ratios of those that a decision is between, as it said itself."""
    said = reliance_line(results.load(run))
    return re.search(r"between contenders .*?\)", said)[0]


def regrets(folder: Path) -> list[str]:
    """What a choice of `auto` costs, a line for each file: median, 95 of 100, worst."""
    lines = []
    for path in sorted(folder.glob("*.jsonl")):
        all_of_it = regret.read(path).quantiles()
        shown = (f"{100 * value:.1f} %" for value in (all_of_it.median, all_of_it.p95))
        lines.append(f"{path.stem}: {', '.join(shown)}, {100 * all_of_it.most:.0f} %")
    return lines


def audit(path: Path) -> list[str]:
    """What the audit of the measuring was to find, and found, a row for each check."""
    checks = json.loads(path.read_text(encoding="utf-8"))["checks"].values()
    findings = [finding for check in checks for finding in check["findings"]]
    return [f"| {it['name']} | {it['target']} | {it['measured']} |" for it in findings]


def main() -> None:
    lines = []
    for page in PAGES:
        if names := cases(page.read_text(encoding="utf-8")):
            name = page.relative_to(ROOT).as_posix()
            lines += [f"{name}:", *table(REFERENCE / RUNS.get(name, "run"), names)]
    lines += [f"{run}: {advantage(REFERENCE / run)}" for run in ("run", "run-avx2")]
    lines += layers([REFERENCE / "unstable"])
    lines += layers(NETWORK_RUNS)
    lines += whole_networks(NETWORK_RUNS)
    lines += instruction_sets(REFERENCE / "instruction-sets")
    lines += [reliance(REFERENCE / run) for run in ("default", "full", "full-debian12")]
    lines.append(large_image(REFERENCE / "large_image.jsonl"))
    lines += operand_costs(REFERENCE / "numbers.jsonl")
    lines += audit(REFERENCE / "audit.json")
    regret_runs = ("regret", "regret-avx2", "regret-layers", "regret-layers-zen4", "regret-layers-xeon")
    for folder in regret_runs:
        lines += [f"{folder}/{line}" for line in regrets(REFERENCE / folder)]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
