"""What the tests of the scripts share. To be imported before fullconv_scripts."""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
sys.path.insert(0, str(SCRIPTS))

ALGORITHMS = ("naive_branching", "alpha_one", "alpha_two", "beta")


class FolderTest(unittest.TestCase):
    """A test with an empty folder of its own, whose name has a space."""

    def setUp(self) -> None:
        keeper = tempfile.TemporaryDirectory(prefix="full conv ")
        self.addCleanup(keeper.cleanup)
        self.folder = Path(keeper.name)


def contender(algorithm: str, seconds: list[float], threads: int = 1, **fields: Any) -> dict:
    """A contender that was measured, as in the raw file."""
    counters = {
        "workspace_bytes": 4096.0,
        "error_in_bounds": 0.25,
        "relative_l2": 1e-7,
        "sampled": 0.0,
        "threads_used": threads,
    }
    return {
        "phase": "execute",
        "algorithm": algorithm,
        "threads": threads,
        "seconds": seconds,
        "counters": counters,
        **fields,
    }


def skipped(algorithm: str, reason: str, threads: int = 1) -> dict:
    """A contender that was not measured, as in the raw file."""
    return {
        "phase": "execute",
        "algorithm": algorithm,
        "threads": threads,
        "skipped": reason,
    }


def cell(case: str, contenders: list[dict], scalar: str = "f32") -> dict:
    """A cell of the raw file."""
    return {
        "case": case,
        "scalar": scalar,
        "started": "2024-02-29T12:00:00Z",
        "wall_seconds": 1.0,
        "contenders": contenders,
    }


def raw_file(cells: list[dict], **fields: Any) -> dict:
    """A raw file with these cells."""
    return {
        "format": "fullconv-results",
        "version": 1,
        "status": "complete",
        "environment": {"cpu_name": "Test", "cores": 2, "started": "2024-02-29T12:00:00Z"},
        "settings": {"cell_limit": 1.0},
        "algorithms": [{"name": name} for name in ALGORITHMS],
        "crosscheck": [],
        "floors": [],
        "scipy": {},
        "left_out_cells": [],
        "cells": cells,
        **fields,
    }


def several_cells(threads: tuple[int, ...] = (1, 2)) -> list[dict]:
    """Cells of three images and three kernels, and of a layer, all algorithms in all of them."""
    cells = []
    sizes = [(f"{n}x{n}_k{k}x{k}", n * n * k * k) for n in (8, 64, 256) for k in (3, 9, 15)]
    for case, work in [*sizes, ("n2_i3_o4_14x14_k3x3", 42336)]:
        contenders = []
        for count in threads:
            for place, name in enumerate(ALGORITHMS):
                base = work * 1e-9 * (4 - place) / count
                contenders.append(contender(name, [base * f for f in (1, 1.01, 1.02, 1.03)], count))
        cells.append(cell(case, contenders))
    return cells
