"""What a measurement ran on: processor, memory, system, libraries, commit."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

_THREAD_VARIABLES = ("OMP_", "GOMP_", "KMP_", "OPENBLAS_", "MKL_", "LD_PRELOAD", "GLIBC_TUNABLES")


def _read(path: str | Path) -> str:
    """A file's text without the white space around it; empty where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _output(*command: str) -> str:
    """What a program prints; empty where it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _field(text: str, name: str) -> str:
    """The value of the first line `name : value`."""
    match = re.search(rf"^{re.escape(name)}\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else ""


def cpu_model() -> str:
    """The processor's name as it gives it, or the architecture's."""
    return (
        _field(_read("/proc/cpuinfo"), "model name")
        or _field(_output("env", "LC_ALL=C", "lscpu"), "Model name")
        or platform.machine()
    )


def cpu_name(model: str) -> str:
    """The processor's name without what only lawyers and clocks need."""
    name = re.sub(r"\((?:R|TM|C)\)", "", model, flags=re.IGNORECASE)
    name = re.sub(r"@.*| with .*|\b(?:CPU|Processor|\d+-Core)\b", "", name)
    return " ".join(name.split()) or "unknown processor"


def core_count() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def machine_slug(model: str, cores: int) -> str:
    """A short name for a folder: `intel-xeon-e5-2680-v4-28-cores`."""
    name = re.sub(r"[^a-z0-9]+", "-", cpu_name(model).lower()).strip("-")
    return f"{name[:40].rstrip('-')}-{cores}-core{'s' if cores != 1 else ''}"


def _caches() -> list[dict[str, str]]:
    """The first core's caches, with the cores that share each."""
    caches = []
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        names = ("level", "type", "size", "shared_cpu_list")
        caches.append({name: _read(index / name) for name in names})
    return caches


def _libraries() -> dict[str, str]:
    """Versions of what Python measures with and what the programs are linked with."""
    import matplotlib
    import numpy
    import pandas
    import scipy

    modules = (numpy, scipy, pandas, matplotlib)
    versions = {module.__name__: module.__version__ for module in modules}
    packages = {
        "fftw": "libfftw3-dev",
        "openblas": "libopenblas-openmp-dev",
        "google_benchmark": "libbenchmark-dev",
        "highway": "libhwy-dev",
    }
    query = ("dpkg-query", "--show", "--showformat=${Version}")
    for name, package in packages.items():
        versions[name] = _output(*query, package) or "unknown"
    return versions


def _commit(root: Path) -> dict[str, object]:
    """The commit checked out, and whether the sources differ from it."""
    git = ("git", "-C", str(root))
    commit = _output(*git, "rev-parse", "HEAD")
    if not commit:
        return {"commit": "unknown"}
    return {"commit": commit, "dirty": bool(_output(*git, "status", "--porcelain"))}


def load_average() -> list[float]:
    """Runnable processes on average over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def describe(root: Path) -> dict[str, object]:
    """The machine and its software; sizes in bytes."""
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    memory = re.match(r"\d+", _field(_read("/proc/meminfo"), "MemTotal"))
    model = cpu_model()
    governor = _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return {
        "cpu": model,
        "cpu_name": cpu_name(model),
        "architecture": platform.machine(),
        "cores": core_count(),
        "caches": _caches(),
        "governor": governor or "not readable",
        "memory_bytes": int(memory[0]) * 1024 if memory else None,
        "kernel": f"{platform.system()} {platform.release()}",
        "os": release.get("PRETTY_NAME", "unknown"),
        "python": platform.python_version(),
        "libraries": _libraries(),
        "variables": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(_THREAD_VARIABLES)
        },
        **_commit(root),
    }
