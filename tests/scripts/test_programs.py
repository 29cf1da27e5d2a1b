import json
import os
import time
import unittest

from support import FolderTest, ProgramsTest

from fullconv_scripts.programs import (
    ProgramFailed,
    Programs,
    read_cells,
    read_floors,
    run_for_json,
)

ALONE = "execute/fft/f32/8x8_k5x5/threads:1/real_time"


def in_blocks(algorithm="fft", threads=1, iterations=100, scalar="f32", case="8x8_k5x5", modes=""):
    """A benchmark's name where contenders run in blocks."""
    clock = "manual_time" if modes else "real_time"
    options = f"{modes}/iterations:{iterations}/repeats:1/{clock}"
    return f"execute/{algorithm}/{scalar}/{case}/threads:{threads}{options}"


def repetition(index, time, unit="us", name=ALONE, **fields):
    return {
        "name": name,
        "run_name": name,
        "run_type": "iteration",
        "repetitions": 2,
        "repetition_index": index,
        "threads": 1,
        "iterations": 100,
        "real_time": time,
        "cpu_time": time,
        "time_unit": unit,
        **fields,
    }


def row(name, block, position, time=1.0, **fields):
    """A repetition in a block."""
    counters = {"block": float(block), "position": float(position)}
    return repetition(0, time, name=name, **counters, **fields)


def cells(*runs):
    return read_cells({"benchmarks": list(runs)})


def contenders(*runs):
    """Those of the only cell."""
    (cell,) = cells(*runs)
    return cell["contenders"]


class Reports(unittest.TestCase):
    def test_repetitions_in_order_and_aggregates_ignored(self):
        (found,) = contenders(
            repetition(1, 3.0, workspace_bytes=64.0, **{"GFLOP/s": 1.0}),
            repetition(0, 2000.0, "ns", workspace_bytes=64.0, **{"GFLOP/s": 2.0}),
            {**repetition(0, 2.5), "run_type": "aggregate", "aggregate_name": "mean"},
        )
        self.assertEqual(found["seconds"], [2e-6, 3e-6])
        who = found["phase"], found["algorithm"], found["threads"]
        self.assertEqual(who, ("execute", "fft", 1))
        self.assertEqual(found["counters"], {"workspace_bytes": 64.0})
        self.assertEqual({"blocks", "positions"} & set(found), set())

    def test_a_counter_that_changes_is_a_list(self):
        (found,) = contenders(repetition(0, 1.0, sampled=3.0), repetition(1, 1.0, sampled=5.0))
        self.assertEqual(found["counters"], {"sampled": [3.0, 5.0]})

    def test_blocks(self):
        # One row a repetition, in the order in which they ran.
        fft, loop = in_blocks("fft"), in_blocks("naive_branching")
        first, second = contenders(
            row(fft, 0, 0, 1.0),
            row(loop, 0, 1, 4.0),
            row(loop, 1, 0, 5.0),
            row(fft, 1, 1, 2.0),
            row(fft, 2, 0, 3.0),  # the loop has left
        )
        self.assertEqual(first["seconds"], [1e-6, 2e-6, 3e-6])
        self.assertEqual((first["blocks"], first["positions"]), ([0, 1, 2], [0, 1, 0]))
        self.assertEqual((second["blocks"], second["positions"]), ([0, 1], [1, 0]))
        self.assertTrue(all(type(block) is int for block in first["blocks"]))
        self.assertEqual((first["iterations"], first["counters"]), (100, {}))

    def test_blocks_are_put_in_their_order(self):
        name = in_blocks()
        (found,) = contenders(*(row(name, b, b % 3, 1.0 + b) for b in (10, 2, 0, 1)))
        self.assertEqual(found["blocks"], [0, 1, 2, 10])
        self.assertEqual(found["positions"], [0, 1, 2, 1])
        self.assertEqual(found["seconds"], [1e-6, 2e-6, 3e-6, 11e-6])

    def test_how_often_it_ran_is_no_part_of_a_name(self):
        rows = (row(in_blocks(iterations=n), block, 0) for block, n in enumerate((100, 101)))
        (found,) = contenders(*rows)
        self.assertEqual(found["blocks"], [0, 1])

    def test_a_cell_for_each_case_scalar_and_mode(self):
        usual = ("8x8_k5x5", "f32", "hot", "reused")
        expected = {
            usual: {},
            ("8x8_k5x5", "f64", "hot", "reused"): {"scalar": "f64"},
            ("9x9_k5x5", "f32", "hot", "reused"): {"case": "9x9_k5x5"},
            ("8x8_k5x5", "f32", "cold", "reused"): {"modes": "/cache:cold"},
            ("8x8_k5x5", "f32", "hot", "fresh"): {"modes": "/output:fresh"},
            ("8x8_k5x5", "f32", "cold", "fresh"): {"modes": "/cache:cold/output:fresh"},
        }
        found = cells(*(row(in_blocks(**fields), 0, 0) for fields in expected.values()))
        keys = [tuple(cell[name] for name in ("case", "scalar", "cache", "output"))
                for cell in found]  # fmt: skip
        self.assertEqual(keys, list(expected))
        self.assertEqual({len(cell["contenders"]) for cell in found}, {1})

    def test_threads_and_handicaps_and_steps_are_contenders_of_one_cell(self):
        names = [in_blocks(), in_blocks(threads=2), in_blocks("fft+5"), f"plan{ALONE[7:]}"]
        found = contenders(*(repetition(0, 1.0, name=name) for name in names))
        self.assertEqual(
            [(who["phase"], who["algorithm"], who["threads"]) for who in found],
            [("execute", "fft", 1), ("execute", "fft", 2), ("execute", "fft+5", 1),
             ("plan", "fft", 1)],
        )  # fmt: skip

    def test_skipped(self):
        skip = {"error_occurred": True, "error_message": "declined: kernel is not 3x3"}
        (found,) = contenders(repetition(0, 0.0, name=in_blocks(iterations=1), **skip))
        self.assertEqual(found["skipped"], "declined: kernel is not 3x3")
        self.assertNotIn("seconds", found)

    def test_skipped_in_one_block_is_skipped(self):
        skip = {"error_occurred": True, "error_message": "wrong: y[0,0]"}
        (found,) = contenders(row(in_blocks(), 0, 0), row(in_blocks(), 1, 0, **skip))
        self.assertEqual(found["skipped"], "wrong: y[0,0]")
        self.assertNotIn("seconds", found)

    def test_newer_versions_skip_with_another_word(self):
        skip = {"skipped": "ERROR_OCCURRED", "skip_message": "left out: too long"}
        (found,) = contenders(repetition(0, 0.0, **skip))
        self.assertEqual(found["skipped"], "left out: too long")

    def test_foreign(self):
        with self.assertRaises(ValueError):
            cells(repetition(0, 1.0, name="BM_memcpy/8"))

    def test_floors(self):
        name = "fma_peak/f32/threads:1/real_time"
        report = {
            "benchmarks": [
                repetition(0, 2.0, "ms", name, **{"GFLOP/s": 150.0}),
                repetition(1, 4.0, "ms", name, **{"GFLOP/s": 140.0}),
                repetition(0, 0.0, name="gemm/f32/threads:1", error_occurred=True),
            ]
        }
        (floor,) = read_floors(report)
        self.assertEqual(floor["name"], "fma_peak/f32/threads:1")
        self.assertEqual(floor["seconds"], [2e-3, 4e-3])
        self.assertEqual(floor["counters"], {"GFLOP/s": [150.0, 140.0]})


class Contenders(ProgramsTest):
    def test_peers_only_where_asked_for(self):
        programs = Programs(self.programs)
        kinds = {entry["name"]: entry["kind"] for entry in programs.contenders(peers=True)}
        expected = {"naive_branching": "ours", "beta": "ours", "peer_one": "peer"}
        expected |= {"empty_call": "floor", "copy_operands": "floor"}
        self.assertEqual(kinds, expected)
        del expected["peer_one"]
        self.assertEqual({e["name"] for e in programs.contenders(peers=False)}, set(expected))

    def test_instruction_sets_only_where_asked_for(self):
        programs = Programs(self.programs)
        (found,) = [e for e in programs.contenders(False, True) if "@" in e["name"]]
        self.assertEqual((found["name"], found["kind"]), ("beta@AVX2", "ours"))
        self.assertNotIn("@", json.dumps(programs.contenders(peers=True)))


class Running(FolderTest):
    def program(self, text):
        path = self.folder / "program"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def test_no_is_an_answer(self):
        self.assertEqual(run_for_json([self.program("echo '{\"a\": 1}'; exit 1")]), {"a": 1})

    def test_bad_question(self):
        with self.assertRaisesRegex(ProgramFailed, "^program: no such case$"):
            run_for_json([self.program("echo first >&2; echo no such case >&2; exit 2")])

    def test_crash(self):
        with self.assertRaisesRegex(ProgramFailed, "^program: exit code -11$"):
            run_for_json([self.program("kill -SEGV $$")])

    def test_cut_off(self):
        with self.assertRaisesRegex(ProgramFailed, "^program: printed no JSON: exit code 0$"):
            run_for_json([self.program("echo '{\"benchmarks\": ['")])

    def test_missing(self):
        with self.assertRaisesRegex(ProgramFailed, "No such file"):
            run_for_json([self.folder / "absent"])

    def test_ticks_while_it_runs(self):
        ticks = []
        self.assertEqual(
            run_for_json([self.program("sleep 0.7; echo 1")], lambda: ticks.append(1)), 1
        )
        self.assertEqual(ticks, [1])

    def test_ends_with_us(self):
        def interrupt():
            raise KeyboardInterrupt

        began = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            run_for_json([self.program(f"echo $$ >'{self.folder}/id'; exec sleep 20")], interrupt)
        self.assertLess(time.monotonic() - began, 15)
        process = int((self.folder / "id").read_text())
        with self.assertRaises(ProcessLookupError):
            os.kill(process, 0)


if __name__ == "__main__":
    unittest.main()
