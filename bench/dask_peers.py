#!/usr/bin/env python3
"""Times convolutions of a Dask array on workers of this machine: fullconv.dask beside what one would
otherwise use, SciPy's functions in map_overlap, and dask-image where it is installed.

    PYTHONPATH=build/release/python bench/dask_peers.py --size 8000 --chunk 2000 --workers 1 2

Contenders run in turn, round after round, on an image of float32 that the workers hold. Each line of
the output is a JSON object: a contender with a number of workers, the wall seconds and the processor
seconds of the workers in each round, the bytes that moved between them, the tasks that were scheduled,
and the peak of resident memory of each worker, in bytes, with all that ran before. Results of all
contenders agree, or the program fails.
"""

import argparse
import importlib.util
import json
import resource
import sys
import time

import dask
import dask.array as da
import numpy as np
import scipy
import scipy.signal
from distributed import Client, LocalCluster, wait

import fullconv.dask


def contenders(x, k):
    """By name, what makes the lazy result of mode 'same'."""

    def overlapping(function):
        # What reaches a chunk from either side.
        depth = {axis: taps // 2 for axis, taps in enumerate(k.shape)}
        return lambda: x.map_overlap(
            lambda block: function(block, k, "same"), depth=depth, boundary=0, dtype=x.dtype
        )

    found = {
        "fullconv.dask": lambda: fullconv.dask.convolve2d(x, k, "same"),
        "map_overlap fftconvolve": overlapping(scipy.signal.fftconvolve),
        "map_overlap oaconvolve": overlapping(scipy.signal.oaconvolve),
        "map_overlap convolve2d": overlapping(scipy.signal.convolve2d),
        # What Dask itself takes for the same chunks.
        "nothing": lambda: x.map_blocks(lambda block: block),
    }
    if importlib.util.find_spec("dask_image"):
        from dask_image.ndfilters import convolve

        found["dask-image"] = lambda: convolve(x, k, mode="constant")
    return found


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def sent_bytes(dask_worker):
    """To other workers; the name of the log depends on the version."""
    for name in ("transfer_outgoing_log", "outgoing_transfer_log"):
        if hasattr(dask_worker, name):
            return sum(entry["total"] for entry in getattr(dask_worker, name))
    return 0


def digest(y):
    """A number that depends on every 16th row, which takes and moves next to nothing."""
    sums = y.map_blocks(
        lambda block: np.full((1, 1), np.abs(block[::16]).sum(dtype=np.float64)),
        dtype=np.float64,
        chunks=(1, 1),
        meta=np.empty((0, 0)),
    )
    return sums.sum()


def measure(client, result):
    def total(function):
        return sum(client.run(function).values())

    (optimized,) = dask.optimize(result)
    processor, sent = total(processor_seconds), total(sent_bytes)
    began = time.perf_counter()
    value = float(optimized.compute())
    return {
        "value": value,
        "seconds": time.perf_counter() - began,
        "processor_seconds": total(processor_seconds) - processor,
        "sent_bytes": total(sent_bytes) - sent,
        "tasks": len(dict(optimized.dask)),
    }


def run(workers, given):
    generator = np.random.default_rng(0)
    k = generator.random((given.kernel, given.kernel), dtype=np.float32)
    options = {"processes": True, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(n_workers=workers, **options) as cluster, Client(cluster) as client:
        x = da.random.RandomState(1).random_sample((given.size, given.size), chunks=given.chunk)
        x = x.astype(np.float32).persist()
        wait(x)
        found = contenders(x, k)
        names = given.only or list(found)
        rounds = {name: [] for name in names}
        for _ in range(given.rounds):
            for name in names:
                rounds[name].append(measure(client, digest(found[name]())))
        values = {name: rounds[name][0]["value"] for name in names if name != "nothing"}
        if values and max(values.values()) - min(values.values()) > 1e-3 * max(values.values()):
            sys.exit(f"dask_peers: results differ: {values}")
        peaks = list(client.run(peak_bytes).values())
    for name in names:
        line = {
            "contender": name,
            "workers": workers,
            **{key: getattr(given, key) for key in ("size", "chunk", "kernel")},
            **{
                key: [entry[key] for entry in rounds[name]]
                for key in ("seconds", "processor_seconds", "sent_bytes", "tasks")
            },
            "peak_bytes": peaks,
            "versions": {module.__name__: module.__version__ for module in (dask, np, scipy)},
        }
        print(json.dumps(line), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--size", type=int, default=8000, help="rows and columns of the image")
    parser.add_argument("--chunk", type=int, default=2000, help="those of a chunk")
    parser.add_argument("--kernel", type=int, default=31, help="those of the kernel, an odd number")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="processes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the contenders, by name")
    given = parser.parse_args()
    for workers in given.workers:
        run(workers, given)


if __name__ == "__main__":
    main()
