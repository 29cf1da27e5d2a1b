"""Stands in for the programs of the build, by the name it is called by: `fullconv`,
`fullconv_bench`, `fullconv_floors`, `fullconv_steps`. FULLCONV_STUB says what goes wrong;
FULLCONV_STUB_LOG names a file that gets a line for each call."""

import json
import os
import random
import sys
import time

# Seconds of a call; who is threaded takes half as long with two threads.
OURS = {"naive_branching": 5e-6, "beta": 2e-6}
VARIANTS = {"beta@AVX2": 4e-6}
PEERS = {"peer_one": 3e-6}
FLOORS = {"empty_call": 3e-8, "copy_operands": 4e-8}
TIMES = {**OURS, **VARIANTS, **PEERS, **FLOORS}
THREADED = {"beta", "peer_one"}
BLOCKS, FEW_BLOCKS = 8, 4  # the slowest leaves early

FAULT = os.environ.get("FULLCONV_STUB", "")
FAULTY_CASE = "9x9_k3x3"  # the case that goes wrong


def values(arguments, flag, default=()):
    """What follows each of a flag, up to the next."""
    found, inside = [], False
    for word in arguments:
        if word.startswith("--"):
            inside = word == flag
        elif inside:
            found.append(word)
    return found or list(default)


# --- fullconv -------------------------------------------------------------------------------------


def show_list(arguments):
    kinds = {"ours": (*OURS, *VARIANTS) if "--instruction-sets" in arguments else OURS}
    kinds |= {"peer": PEERS} if "--peers" in arguments else {}
    kinds |= {"floor": FLOORS} if "--floors" in arguments else {}
    print(json.dumps([entry(name, kind) for kind, names in kinds.items() for name in names]))


def entry(name, kind):
    fields = {"name": name, "kind": kind, "scalars": ["f32", "f64"], "summary": f"what {name} does"}
    fields |= {"error_model": "normwise", "threaded": name in THREADED}
    fields |= {"version": "1.0" if kind == "peer" else "", "ledger": {"plan": "outside"}}
    return fields


def convolution(image, kernel):
    import numpy as np

    shape = np.add(image.shape, kernel.shape) - 1
    return np.fft.irfft2(np.fft.rfft2(image, shape) * np.fft.rfft2(kernel, shape), shape)


def convolve(arguments):
    import numpy as np

    image, kernel, out = np.load(arguments[0]), np.load(arguments[1]), arguments[3]
    y = convolution(image, kernel)
    if FAULT == "wrong" and arguments[-1] == "beta":
        y = y[::-1]
    np.save(out, y.astype(image.dtype))


def bounds(arguments):
    import numpy as np

    if FAULT == "no bounds":
        sys.exit("fullconv: out of memory")
    image, kernel, out = np.load(arguments[0]), np.load(arguments[1]), arguments[3]
    largest = convolution(abs(image), abs(kernel)).max()
    shape = np.add(image.shape, kernel.shape) - 1
    np.save(out, np.full(shape, 16 * np.finfo(image.dtype).eps * largest))


# --- fullconv_bench -------------------------------------------------------------------------------


def bench(arguments):
    if FAULT == "slow":
        time.sleep(0.3)
    cases = values(arguments, "--case")
    faulty = FAULTY_CASE in cases
    if FAULT == "crash" and faulty:
        os.abort()
    if FAULT == "garbage" and faulty:
        print('{"benchmarks": [')
        return 0
    take = timed_in_blocks if "--cell-time" in arguments else timed_alone
    runs = []
    for case in cases:
        for scalar in values(arguments, "--scalar"):
            runs += take(arguments, case, scalar)
    print(json.dumps({"context": context(), "benchmarks": runs}))
    return 1 if FAULT == "bound" else 0


def context():
    fields = {"host_name": "secret", "executable": "/secret", "library_build_type": "debug"}
    fields |= {"compiler": "stub", "build_type": "Release", "assertions": "off"}
    return fields | {"omp_wait_policy": "ACTIVE" if FAULT == "spinning" else "unset"}


def row(name, algorithm, seconds, iterations, **fields):
    """One repetition; without seconds a benchmark that was skipped."""
    run = {"name": name, "run_name": name, "run_type": "iteration", "repetitions": 1}
    run |= {"repetition_index": 0, "threads": 1, "iterations": iterations, "time_unit": "ns"}
    if FAULT == "bound" and algorithm == "beta":
        fields = {"error_occurred": True, "error_message": "wrong: y[0,0,0,0] is 1, not 2"}
    elif FAULT == "stopped clock":
        seconds = 0.0
    if "error_occurred" in fields:
        return run | {"real_time": 0.0, "cpu_time": 0.0, **fields}
    run |= {"real_time": 1e9 * seconds, "cpu_time": 1e9 * seconds, "GFLOP/s": 1.0}
    run |= {"workspace_bytes": 64.0, "error_in_bounds": 0.5, "relative_l2": 1e-7, "sampled": 0.0}
    return run | fields


def contenders(arguments):
    """Who is timed, with how many threads."""
    names = [*OURS]
    names += VARIANTS if "--instruction-sets" in arguments else ()
    names += PEERS if "--peers" in arguments else ()
    names = values(arguments, "--algorithm", names)
    names += FLOORS if "--floors" in arguments else ()
    names += values(arguments, "--handicap")
    return [(name, int(threads)) for threads in values(arguments, "--threads", "12")
            for name in names]  # fmt: skip


def duration(name, threads, case):
    base, _, percent = name.partition("+")
    longer = 1 + int(percent or 0) / 100
    return (TIMES.get(base, 1e-6) + 1e-9 * len(case)) * longer / threads


def timed_in_blocks(arguments, case, scalar):
    draw = random.Random(f"{values(arguments, '--seed')} {case} {scalar}")
    modes = ""
    modes += "/cache:cold" if values(arguments, "--cache") == ["cold"] else ""
    modes += "/output:fresh" if values(arguments, "--output") == ["fresh"] else ""
    clock = "manual_time" if modes else "real_time"

    def named(who, iterations):
        name, threads = who
        options = f"{modes}/iterations:{iterations}/repeats:1/{clock}"
        return f"execute/{name}/{scalar}/{case}/threads:{threads}{options}"

    runs, active = [], []
    for who in contenders(arguments):
        if who[1] > 1 and who[0] not in THREADED:
            reason = "declined: is serial: takes one thread only"
            skip = {"error_occurred": True, "error_message": reason}
            runs.append(row(named(who, 1), who[0], 0.0, 1, **skip))
        else:
            active.append(who)
    for block in range(BLOCKS):
        if block == FEW_BLOCKS:
            active = [who for who in active if who[0] != "naive_branching" or len(active) == 1]
        order = draw.sample(active, len(active))
        drift = draw.gauss(0, 0.05)
        for position, who in enumerate(order):
            seconds = duration(*who, case) * (1 + drift + draw.gauss(0, 0.001))
            iterations = 100 + len(who[0])  # one more or less for each
            counters = {"block": float(block), "position": float(position)}
            runs.append(row(named(who, iterations), who[0], seconds, iterations, **counters))
    return runs


def timed_alone(arguments, case, scalar):
    repetitions = next(int(a.split("=")[1]) for a in arguments if "repetitions" in a)
    runs = []
    for phase in values(arguments, "--phase"):
        for name, threads in contenders(arguments):
            full = f"{phase}/{name}/{scalar}/{case}/threads:{threads}/real_time"
            for index in range(repetitions):
                runs.append(row(full, name, 1e-6 + 1e-8 * index, 10, repetition_index=index))
    return runs


# --- the others -----------------------------------------------------------------------------------


def floors():
    if FAULT == "no floors":
        os.abort()
    name = "fma_peak/f32/threads:1/real_time"
    fields = {"name": name, "run_name": name, "run_type": "iteration", "iterations": 1}
    fields |= {"real_time": 2.0, "cpu_time": 2.0, "time_unit": "ms", "GFLOP/s": 100.0}
    runs = [fields | {"repetition_index": index} for index in range(3)]
    print(json.dumps({"context": context(), "benchmarks": runs}))


def steps(arguments):
    ((case,), (scalar,)) = values(arguments, "--case"), values(arguments, "--scalar")
    entries = []
    for threads in map(int, values(arguments, "--threads")):
        for name in OURS:
            who = {"case": case, "scalar": scalar, "algorithm": name, "threads": threads}
            if threads > 1 and name not in THREADED:
                entries.append({**who, "skipped": "declined: is serial: takes one thread only"})
                continue
            if FAULT == "bound" and name == "beta":
                entries.append({**who, "skipped": "wrong: y[0,0,0,0] is 1, not 2"})
                continue
            total = duration(name, threads, case)
            seconds = {"total": total, "direct": 0.75 * total}
            entries.append({**who, "repetitions": 5, "seconds": seconds})
    print(json.dumps(entries))


def main(program, arguments):
    if log := os.environ.get("FULLCONV_STUB_LOG"):
        with open(log, "a", encoding="utf-8") as file:
            print(program, *arguments, file=file)
    if program == "fullconv_bench":
        return bench(arguments)
    if program == "fullconv_floors":
        return floors()
    if program == "fullconv_steps":
        return steps(arguments)
    return {"list": show_list, "convolve": convolve, "bounds": bounds}[arguments[0]](arguments[1:])


if __name__ == "__main__":
    sys.exit(main(os.path.basename(sys.argv[1]), sys.argv[2:]))
