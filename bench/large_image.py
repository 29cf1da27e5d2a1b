#!/usr/bin/env python3
"""Times `fullconv convolve` of an image larger than its memory beside what it consists of: the
arithmetic, and reading and writing as many bytes.

    PYTHONPATH=build/release/python bench/large_image.py --programs build/release --folder /var/tmp/large

All take their turn, round after round, from files that no cache holds. Each line of the output is a
JSON object, a round: `convolve`, `arithmetic` and `bytes` in seconds, the ratio of the first to the sum
of the others, and the peak of convolve's resident memory in bytes. The last one has the geometric mean
of the ratios with its interval at 95 %. The folder needs room for the image and the result, 13 GB for
40000×40000.

Disks, and memory of virtual machines, take three times as long at one time as at another, for the same
bytes. In a folder in memory, such as /dev/shm, where nobody waits, `system` is what the same bytes took
in convolve itself, and `own_ratio` that of `convolve` to the sum of `arithmetic` and `system`.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from scipy import stats

import fullconv

BLOCK = 16 << 20  # bytes that are read and written at a time


def write_image(path, size):
    """An image of random numbers, unless it is there."""
    if path.exists() and np.load(path, mmap_mode="r").shape == (size, size):
        return
    generator = np.random.default_rng(0)
    image = np.lib.format.open_memmap(path, "w+", np.float32, (size, size))
    for row in range(0, size, 1000):
        part = image[row : row + 1000]
        part[:] = generator.random(part.shape, dtype=np.float32)
    image.flush()


def forget(path):
    """Writes what waits to be written, and lets no cache hold the file."""
    os.sync()
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def seconds_of(action):
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def peak_bytes(process):
    """Of resident memory, as long as it runs. Of a child that has ended, rusage counts what Python had
    when it was forked."""
    peak = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        if found := re.search(r"VmHWM:\s+(\d+) kB", status):
            peak = int(found[1]) * 1024
        time.sleep(0.02)
    if process.returncode != 0:
        sys.exit(f"large_image: {process.args[0]} exited with {process.returncode}")
    return peak


def read_and_write(source, read_bytes, target, written_bytes):
    """Reads the one file and writes the other, by turns."""
    block = bytearray(BLOCK)
    with source.open("rb", buffering=0) as file, target.open("wb", buffering=0) as to:
        left = written_bytes
        for _ in range(0, max(read_bytes, written_bytes), BLOCK):
            file.readinto(block)
            left -= to.write(memoryview(block)[: min(BLOCK, left)])


def strip_plan(size, kernel, threads):
    """What convolves a strip of the image that is in memory, and how many there are."""
    rows = min(size, 1000)
    generator = np.random.default_rng(0)
    x = generator.random((rows, size), dtype=np.float32)
    k = generator.random((kernel, kernel), dtype=np.float32)
    y = np.empty((rows + kernel - 1, size + kernel - 1), np.float32)
    plan = fullconv.plan(x.shape, k.shape, dtype=np.float32, threads=threads)
    return lambda: plan(x, k, out=y), -(-size // rows)


def interval(ratios):
    """The geometric mean, and from where to where it may be; one round says nothing of that."""
    logs = np.log(ratios)
    half = stats.sem(logs) * stats.t.ppf(0.975, len(logs) - 1) if len(logs) > 1 else np.inf
    ends = (logs.mean(), logs.mean() - half, logs.mean() + half)
    return [round(float(np.exp(value)), 3) for value in ends]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--programs", type=Path, required=True, help="where fullconv is")
    parser.add_argument("--folder", type=Path, required=True, help="where files go")
    parser.add_argument("--size", type=int, default=40000, help="rows and columns of the image")
    parser.add_argument("--kernel", type=int, default=31, help="those of the kernel")
    parser.add_argument("--memory", default="1GiB", help="what convolve may take")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()

    given.folder.mkdir(parents=True, exist_ok=True)
    image, taps, result, copy = (given.folder / f"{name}.npy" for name in ("x", "k", "y", "copy"))
    write_image(image, given.size)
    np.save(taps, np.random.default_rng(1).random((given.kernel,) * 2, dtype=np.float32))
    convolve_strip, strips = strip_plan(given.size, given.kernel, given.threads)
    command = [
        given.programs / "fullconv", "convolve", image, taps, "-o", result,
        "--memory", given.memory, "--threads", str(given.threads),
    ]  # fmt: skip

    def convolve():
        forget(image)
        began = time.perf_counter()
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_stime
        peaks.append(peak_bytes(subprocess.Popen(command, stderr=subprocess.DEVNULL)))
        seconds = time.perf_counter() - began
        system.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_stime - before)
        result.unlink()
        return seconds

    def move_bytes():
        forget(image)
        written = (given.size + given.kernel - 1) ** 2 * 4
        seconds = seconds_of(lambda: read_and_write(image, image.stat().st_size, copy, written))
        copy.unlink()
        return seconds

    def compute():
        convolve_strip()
        return seconds_of(lambda: [convolve_strip() for _ in range(strips)])

    actions = {"convolve": convolve, "bytes": move_bytes, "arithmetic": compute}
    ratios, own_ratios, peaks, system = [], [], [], []
    for number in range(given.rounds):
        order = list(actions)[number % 3 :] + list(actions)[: number % 3]
        line = {name: actions[name]() for name in order}
        line["ratio"] = line["convolve"] / (line["bytes"] + line["arithmetic"])
        line["peak_bytes"], line["system"] = peaks[-1], system[-1]
        line["own_ratio"] = line["convolve"] / (line["system"] + line["arithmetic"])
        ratios.append(line["ratio"])
        own_ratios.append(line["own_ratio"])
        print(json.dumps(line), flush=True)
    print(json.dumps({"ratio": interval(ratios), "own_ratio": interval(own_ratios)}))


if __name__ == "__main__":
    sys.exit(main())
