"""Whole networks: how often each layer occurs, by the files of bench/cases/networks/.

A network's time is the sum, over all convolutions of it, of the time of their input gradients. A
contender has one only where it ran on every layer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fullconv_scripts.names import read_cases

FOLDER = Path(__file__).resolve().parents[2] / "bench" / "cases" / "networks"


@dataclass(frozen=True)
class Network:
    """One network with one batch."""

    name: str
    batch: int
    times: dict[str, int]  # how often each case occurs

    def total(self, seconds: Mapping[str, float]) -> float | None:
        """The seconds of all layers, from those of each case; None where one is missing."""
        if not self.times.keys() <= seconds.keys():
            return None
        return sum(count * seconds[case] for case, count in self.times.items())

    def shares(self, seconds: Mapping[str, float]) -> list[tuple[str, float]]:
        """What each case has of the total, the largest first."""
        total = self.total(seconds)
        parts = [(case, count * seconds[case] / total) for case, count in self.times.items()]
        return sorted(parts, key=lambda part: -part[1])


def _count(remark: str) -> int:
    match = re.match(r"(\d+)× ", remark)
    if not match:
        raise ValueError(f"'{remark}' does not say how often the layer occurs: expected 3× conv1")
    return int(match[1])


def read_networks(folder: Path = FOLDER) -> list[Network]:
    """All networks with all of their batches. ValueError where a layer does not say how often it
    occurs."""
    networks = []
    for path in sorted(folder.glob("*.txt")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        batches: dict[int, dict[str, int]] = {}
        for case, remark in read_cases(str(path)).items():
            batches.setdefault(case.N, {})[case.text] = _count(remark)
        name = title.partition(" (")[0]
        networks += [Network(name, batch, times) for batch, times in batches.items()]
    return networks
