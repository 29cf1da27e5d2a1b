"""What the tests of the scripts share. To be imported before fullconv_scripts."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
sys.path.insert(0, str(SCRIPTS))

ALGORITHMS = ("naive_branching", "alpha_one", "alpha_two", "beta")
PEERS = ("peer_one", "peer_two")
BINDINGS = ("bound",)
FLOORS = ("empty_call", "copy_operands")


class FolderTest(unittest.TestCase):
    """A test with an empty folder of its own, whose name has a space."""

    def setUp(self) -> None:
        keeper = tempfile.TemporaryDirectory(prefix="full conv ")
        self.addCleanup(keeper.cleanup)
        self.folder = Path(keeper.name)


class ProgramsTest(FolderTest):
    """A test with programs of our own in place of those of the build, in `self.programs`."""

    def setUp(self) -> None:
        super().setUp()
        self.programs = self.folder / "programs"
        self.programs.mkdir()
        self.log = self.folder / "calls"
        stub = Path(__file__).with_name("stub_program.py")
        for name in ("fullconv", "fullconv_bench", "fullconv_floors", "fullconv_steps"):
            path = self.programs / name
            command = shlex.join([sys.executable, "-B", str(stub), name])
            path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            path.chmod(0o755)

    def set_fault(self, what: str) -> None:
        """What goes wrong from now on; see stub_program."""
        variables = mock.patch.dict(os.environ, FULLCONV_STUB=what)
        variables.start()
        self.addCleanup(variables.stop)

    def keep_log(self) -> None:
        """Writes down from now on how programs are called."""
        variables = mock.patch.dict(os.environ, FULLCONV_STUB_LOG=str(self.log))
        variables.start()
        self.addCleanup(variables.stop)

    def calls(self, program: str) -> list[str]:
        """What a program was called with."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [line.partition(" ")[2] for line in lines if line.partition(" ")[0] == program]


def contender(algorithm: str, seconds: list[float], threads: int = 1, **fields: Any) -> dict:
    """A contender that was measured, in the first blocks of its cell, as in the raw file."""
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
        "blocks": list(range(len(seconds))),
        "positions": [0] * len(seconds),
        "iterations": 1,
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


def cell(case: str, contenders: list[dict], scalar: str = "f32", **fields: Any) -> dict:
    """A cell of the raw file."""
    return {
        "case": case,
        "scalar": scalar,
        "cache": "hot",
        "output": "reused",
        "started": "2024-02-29T12:00:00Z",
        "wall_seconds": 1.0,
        "warnings": [],
        "contenders": contenders,
        **fields,
    }


def raw_file(cells: list[dict], **fields: Any) -> dict:
    """A raw file with these cells."""
    return {
        "format": "fullconv-results",
        "version": 2,
        "status": "complete",
        "environment": {"cpu_name": "Test", "cores": 2, "started": "2024-02-29T12:00:00Z"},
        "settings": {"cell_limit": 1.0},
        "contenders": [
            *({"name": name, "kind": "ours"} for name in ALGORITHMS),
            *({"name": name, "kind": "peer", "version": f"{name} 1.0"} for name in PEERS),
            *({"name": name, "kind": "binding"} for name in BINDINGS),
            *({"name": name, "kind": "floor"} for name in FLOORS),
        ],
        "crosscheck": [],
        "floors": [],
        "left_out_cells": [],
        "cells": cells,
        "steps": [],
        **fields,
    }


def several_cells(threads: tuple[int, ...] = (1, 2), names: tuple[str, ...] = ALGORITHMS) -> list:
    """Cells of three images and three kernels, and of a layer, all of `names` in all of them, each
    faster than the one before."""
    cells = []
    sizes = [(f"{n}x{n}_k{k}x{k}", n * n * k * k) for n in (8, 64, 256) for k in (3, 9, 15)]
    for case, work in [*sizes, ("n2_i3_o4_14x14_k3x3", 42336)]:
        contenders = []
        for count in threads:
            for place, name in enumerate(names):
                base = work * 1e-9 * (len(names) - place) / count
                contenders.append(contender(name, [base * f for f in (1, 1.01, 1.02, 1.03)], count))
        cells.append(cell(case, contenders))
    return cells


def audit_finding(name: str, met: bool = True, **fields: Any) -> Any:
    """What a check of the audit has found."""
    from fullconv_scripts.audit_checks import Finding

    return Finding(name, "≤ 1 %", "0.5%", met, "in detail", **fields)
