import unittest

from support import FolderTest

from fullconv_scripts.programs import (
    ProgramFailed,
    merge_contenders,
    read_contenders,
    read_floors,
    run_for_json,
)

NAME = "execute/fft/f32/8x8_k5x5/threads:1/real_time"


def repetition(index, time, unit="us", name=NAME, **counters):
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
        **counters,
    }


class Reports(unittest.TestCase):
    def test_repetitions_in_order_and_aggregates_ignored(self):
        report = {
            "benchmarks": [
                repetition(1, 3.0, workspace_bytes=64.0, **{"GFLOP/s": 1.0}),
                repetition(0, 2000.0, "ns", workspace_bytes=64.0, **{"GFLOP/s": 2.0}),
                {**repetition(0, 2.5), "run_type": "aggregate", "aggregate_name": "mean"},
            ]
        }
        (found,) = read_contenders(report)
        self.assertEqual(found["seconds"], [2e-6, 3e-6])
        who = found["phase"], found["algorithm"], found["threads"]
        self.assertEqual(who, ("execute", "fft", 1))
        self.assertEqual(found["counters"], {"workspace_bytes": 64.0})

    def test_a_counter_that_changes_is_a_list(self):
        report = {"benchmarks": [repetition(0, 1.0, block=3.0), repetition(1, 1.0, block=5.0)]}
        self.assertEqual(read_contenders(report)[0]["counters"], {"block": [3.0, 5.0]})

    def test_skipped(self):
        skip = {"error_occurred": True, "error_message": "declined: kernel is not 3x3"}
        report = {"benchmarks": [repetition(0, 0.0, **skip)]}
        (found,) = read_contenders(report)
        self.assertEqual(found["skipped"], "declined: kernel is not 3x3")
        self.assertNotIn("seconds", found)

    def test_newer_versions_skip_with_another_word(self):
        skip = {"skipped": "ERROR_OCCURRED", "skip_message": "left out: too long"}
        (found,) = read_contenders({"benchmarks": [repetition(0, 0.0, **skip)]})
        self.assertEqual(found["skipped"], "left out: too long")

    def test_foreign(self):
        with self.assertRaises(ValueError):
            read_contenders({"benchmarks": [repetition(0, 1.0, name="BM_memcpy/8")]})

    def test_floors(self):
        name = "fma_peak/f32/threads:1/real_time"
        report = {
            "benchmarks": [
                repetition(0, 2.0, "ms", name, **{"GFLOP/s": 150.0}),
                repetition(1, 4.0, "ms", name, **{"GFLOP/s": 140.0}),
            ]
        }
        (floor,) = read_floors(report)
        self.assertEqual(floor["name"], "fma_peak/f32/threads:1")
        self.assertEqual(floor["seconds"], [2e-3, 4e-3])
        self.assertEqual(floor["counters"], {"GFLOP/s": [150.0, 140.0]})


class Merging(unittest.TestCase):
    def part(self, seconds, **counters):
        who = {"phase": "execute", "algorithm": "fft", "threads": 1}
        return [{**who, "seconds": seconds, "counters": counters}]

    def test_samples_follow_each_other(self):
        (found,) = merge_contenders([self.part([1.0, 2.0], bytes=8), self.part([3.0], bytes=8)])
        self.assertEqual(found["seconds"], [1.0, 2.0, 3.0])
        self.assertEqual(found["counters"], {"bytes": 8})

    def test_counters_that_differ_become_as_long_as_the_samples(self):
        parts = [self.part([1.0, 2.0], block=[1, 2]), self.part([3.0], block=7)]
        self.assertEqual(merge_contenders(parts)[0]["counters"], {"block": [1, 2, 7]})

    def test_skipped_in_one_part_is_skipped(self):
        who = {"phase": "execute", "algorithm": "fft", "threads": 1, "skipped": "wrong: y[0,0]"}
        for parts in ([self.part([1.0]), [who]], [[who], self.part([1.0])]):
            self.assertEqual(merge_contenders(parts), [who])

    def test_threads_and_phases_stay_apart(self):
        two = [{**self.part([1.0])[0], "threads": 2}]
        plan = [{**self.part([1.0])[0], "phase": "plan"}]
        self.assertEqual(len(merge_contenders([self.part([1.0]), two, plan])), 3)


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
        with self.assertRaisesRegex(ProgramFailed, "printed no JSON"):
            run_for_json([self.program("echo '{\"benchmarks\": ['")])

    def test_missing(self):
        with self.assertRaisesRegex(ProgramFailed, "No such file"):
            run_for_json([self.folder / "absent"])


if __name__ == "__main__":
    unittest.main()
