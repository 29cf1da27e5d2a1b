"""What may disturb a measurement: looked for, and written into the results."""

from __future__ import annotations

import os
import re
import resource
import time
from pathlib import Path
from typing import Any

_CONTAMINATED = re.compile(r"contaminated: (others|the hypervisor) \w+ (\d+)% of a core")
_TICKS = os.sysconf("SC_CLK_TCK")  # a second, of /proc/stat

# Shares of one core. Below them lies what a shell, a terminal and the kernel need anyway.
_OTHERS_MATTER = 0.10
_STOLEN_MATTERS = 0.02


def _read(path: str) -> str:
    """A file's text without the white space around it; empty where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def of_machine(environment: dict[str, Any], threads: tuple[int, ...]) -> list[str]:
    """What lies in the machine and its settings, one line each."""
    cpu = "/sys/devices/system/cpu"
    warnings = []
    governor = _read(f"{cpu}/cpu0/cpufreq/scaling_governor")
    if governor and governor != "performance":
        warnings.append(f"the frequency governor is '{governor}': clocks follow the load")
    turbo_off = _read(f"{cpu}/intel_pstate/no_turbo")
    boost = _read(f"{cpu}/cpufreq/boost")
    if turbo_off == "0" or boost == "1":
        warnings.append("turbo is on: clocks depend on heat and on how many cores are busy")
    elif not turbo_off and not boost:
        warnings.append("clocks cannot be read here: whether turbo is on is unknown")
    flags = re.search(r"^flags\s*:(.*)$", _read("/proc/cpuinfo"), re.MULTILINE)
    if flags and " hypervisor" in flags[1]:
        warnings.append("a virtual machine: only the time that its neighbours take can be seen")
    if _read("/proc/sys/kernel/randomize_va_space") == "0":
        warnings.append("addresses are not randomised: every run has the same layout effects")
    cores = environment["cores"]
    if max(threads, default=1) > cores:
        warnings.append(f"up to {max(threads)} threads on {cores} cores: times are not of threads")
    return warnings


def of_build(build: dict[str, Any]) -> list[str]:
    """What lies in the programs, by what they say of themselves."""
    warnings = []
    kind = build.get("build_type", "Release")
    if kind != "Release":
        warnings.append(f"a {kind} build: times mean nothing")
    elif build.get("assertions") == "on":
        warnings.append("assertions are on: times mean little")
    if build.get("omp_wait_policy", "unset").lower() == "active":
        warnings.append("OMP_WAIT_POLICY=active: idle threads slow down whoever runs next")
    return warnings


def contamination(cells: list[list[str]]) -> str:
    """In one line who else used the machine, by the warnings of each cell; empty where nobody
    did."""
    shares: dict[str, list[int]] = {}
    for warnings in cells:
        for who, share in filter(None, map(_found, warnings)):
            shares.setdefault(who, []).append(share)
    if not shares:
        return ""
    parts = [
        f"{who} used {'–'.join(map(str, sorted({min(found), max(found)})))} % of a core during "
        f"{len(found)} of {len(cells)} cells"
        for who, found in shares.items()
    ]
    return f"CONTAMINATED: {', '.join(parts)}. Measure again on an idle machine."


def _found(warning: str) -> tuple[str, int] | None:
    match = _CONTAMINATED.match(warning)
    names = {"others": "other processes", "the hypervisor": "the hypervisor"}
    return (names[match[1]], int(match[2])) if match else None


def _system_seconds() -> tuple[float, float]:
    """Of all processors since the start: busy, stolen by the hypervisor."""
    fields = _read("/proc/stat").partition("\n")[0].split()[1:]
    user, nice, system, _idle, _wait, irq, soft, steal = (
        int(field) / _TICKS for field in (fields + ["0"] * 8)[:8]
    )
    return user + nice + system + irq + soft, steal


def _own_seconds() -> float:
    """Of this process and those of its children that have ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class Watch:
    """Looks at who else works while a program of ours runs."""

    def __init__(self) -> None:
        self._wall = time.monotonic()
        self._busy, self._stolen = _system_seconds()
        self._own = _own_seconds()

    def warnings(self) -> list[str]:
        """What was seen since the start, once the program has ended."""
        wall = time.monotonic() - self._wall
        if wall < 0.5:  # too few of the system's ticks
            return []
        busy, stolen = _system_seconds()
        others = (busy - self._busy - (_own_seconds() - self._own)) / wall
        stealing = (stolen - self._stolen) / wall
        found = []
        if others > _OTHERS_MATTER:
            found.append(f"contaminated: others used {others:.0%} of a core meanwhile")
        if stealing > _STOLEN_MATTERS:
            found.append(f"contaminated: the hypervisor took {stealing:.0%} of a core meanwhile")
        return found
