"""Stands in for the programs of the build: `fullconv`, `fullconv_bench`, `fullconv_floors`, by the
name it is called by. FULLCONV_STUB says what goes wrong."""

import json
import os
import sys
import time

import numpy as np

ALGORITHMS = ("naive_branching", "beta")
MISCHIEF = os.environ.get("FULLCONV_STUB", "")


def convolve(arguments):
    image, kernel, out = np.load(arguments[0]), np.load(arguments[1]), arguments[3]
    y = np.zeros(np.add(image.shape, kernel.shape) - 1)
    for (p, q), k in np.ndenumerate(kernel.astype(np.float64)):
        y[p : p + image.shape[0], q : q + image.shape[1]] += k * image
    if MISCHIEF == "wrong" and arguments[-1] == "beta":
        y = y[::-1]
    np.save(out, y.astype(image.dtype))


def values(arguments, flag):
    """What follows a flag, up to the next."""
    rest = arguments[arguments.index(flag) + 1 :]
    return rest[: next((i for i, word in enumerate(rest) if word.startswith("--")), len(rest))]


def bench(arguments):
    (case,), (scalar,) = values(arguments, "--case"), values(arguments, "--scalar")
    repetitions = next(int(a.split("=")[1]) for a in arguments if "repetitions" in a)
    if MISCHIEF == "slow":
        time.sleep(1)
    if MISCHIEF == "crash" and case == "9x9_k3x3":
        os.abort()
    runs = []
    for phase in values(arguments, "--phase"):
        for threads in map(int, values(arguments, "--threads")):
            for place, algorithm in enumerate(ALGORITHMS):
                name = f"{phase}/{algorithm}/{scalar}/{case}/threads:{threads}/real_time"
                for index in range(repetitions):
                    run = {"name": name, "run_name": name, "run_type": "iteration"}
                    run |= {"repetition_index": index, "iterations": 10}
                    run |= {"real_time": 5.0 - place + 0.01 * index, "time_unit": "us"}
                    run |= {"workspace_bytes": 0.0, "error_in_bounds": 0.5, "relative_l2": 1e-7}
                    if MISCHIEF == "bound" and algorithm == "beta":
                        run |= {"error_occurred": True, "error_message": "wrong: y[0,0,0,0] is 1"}
                    runs.append(run)
    context = {"host_name": "secret", "executable": "/secret", "compiler": "stub"}
    print(json.dumps({"context": context, "benchmarks": runs}))
    return 1 if MISCHIEF == "bound" else 0


def main(program, arguments):
    if program == "fullconv_floors":
        print(json.dumps({"context": {}, "benchmarks": []}))
        return 0
    if program == "fullconv_bench":
        return bench(arguments)
    if arguments[0] == "list":
        rows = [{"name": name, "scalars": ["f32", "f64"]} for name in ALGORITHMS]
        print(json.dumps(rows))
        return 0
    convolve(arguments[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(os.path.basename(sys.argv[1]), sys.argv[2:]))
