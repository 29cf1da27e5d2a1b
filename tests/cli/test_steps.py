"""Where the time of an algorithm goes, as fullconv_steps says."""

import json
import os
import unittest

from support import CliTest, algorithms, names

STEPS = os.environ["FULLCONV_STEPS"]
STEPS_OF_FAULTY = os.environ["FULLCONV_STEPS_OF_FAULTY"]
QUICK = ("--repetitions", "3", "--min-time", "0.005")

# What an algorithm is known for: without these, its steps would say nothing.
EXPECTED = {
    "zero_pad": {"padding", "direct"},
    "im2col_gemm": {"lowering", "gemm", "copies"},
    "fft": {"transforms", "products", "copies"},
    "openmp_tiled": {"direct", "copies"},
}


class StepsTest(CliTest):
    def run_steps(self, *arguments):
        return self.run_cli(*arguments, program=STEPS)

    def entries(self, *arguments):
        return json.loads(self.assert_fine(self.run_steps(*QUICK, *arguments)).stdout)


class Entries(StepsTest):
    def test_one_for_each_cell(self):
        cases = ["8x8_k5x5", "n2_i3_o4_14x14_k3x3"]
        arguments = [part for case in cases for part in ("--case", case)]
        found = self.entries(*arguments, "--threads", "2", "1", "2")
        expected = [
            (case, scalar, name, threads)
            for case in cases
            for scalar in ("f32", "f64")
            for name in names()
            for threads in (1, 2)
        ]
        fields = ("case", "scalar", "algorithm", "threads")
        self.assertEqual([tuple(entry[field] for field in fields) for entry in found], expected)
        for entry in found:
            self.assertIn("skipped" if "skipped" in entry else "seconds", entry)

    def test_selected(self):
        name = names()[-1]
        (self.folder / "cases.txt").write_text("9x7_k2x3 # one\n8x8_k5x5\n9x7_k2x3\n")
        found = self.entries(
            *("--cases", "cases.txt", "--algorithm", name, "--scalar", "f64", "--threads", "1")
        )
        self.assertEqual([entry["case"] for entry in found], ["9x7_k2x3", "8x8_k5x5"])
        for entry in found:
            self.assertEqual((entry["algorithm"], entry["scalar"]), (name, "f64"))
            self.assertEqual(entry["repetitions"], 3)

    def test_serial_algorithms_decline_threads(self):
        found = self.entries("--case", "8x8_k3x3", "--scalar", "f32", "--threads", "2")
        threaded = {algorithm["name"]: algorithm["threaded"] for algorithm in algorithms()}
        for entry in found:
            with self.subTest(entry["algorithm"]):
                if entry.get("skipped", "").startswith("declined: kernel is not "):
                    self.assertNotIn("seconds", entry)
                elif threaded[entry["algorithm"]]:
                    self.assertIn("seconds", entry)
                else:
                    self.assertTrue(entry["skipped"].startswith("declined: "))
                    self.assertNotIn("seconds", entry)

    def test_left_out(self):
        (entry,) = self.entries(
            *("--case", "64x64_k9x9", "--algorithm", names()[0], "--scalar", "f32"),
            *("--threads", "1", "--cell-limit", "1e-9"),
        )
        self.assertRegex(entry["skipped"], r"^left out: predicted .* limit 1e-09 s$")


class Seconds(StepsTest):
    def test_steps_are_most_of_the_total(self):
        found = self.entries("--case", "300x300_k7x7", "--threads", "1", "2")
        for entry in filter(lambda entry: "seconds" in entry, found):
            with self.subTest(entry):
                seconds = dict(entry["seconds"])
                total = seconds.pop("total")
                self.assertLess(total, 1)
                self.assertLessEqual(sum(seconds.values()), 1.05 * total)
                for value in seconds.values():
                    self.assertGreater(value, 0)
                if entry["threads"] == 1:  # with more, some wait, which is in no step
                    self.assertGreaterEqual(sum(seconds.values()), 0.5 * total)
                # A call is long here, and has few steps, or many of small tiles.
                self.assertLess(entry.get("clock_overhead", 0), 0.1)

    def test_each_says_what_it_is_known_for(self):
        # More than one output channel of more than one row of panels, so that results are copied.
        found = self.entries("--case", "n1_i2_o2_600x600_k3x3", "--threads", "1")
        steps = {
            entry["algorithm"]: set(entry["seconds"]) - {"total"}
            for entry in found
            if "seconds" in entry
        }
        for name, expected in EXPECTED.items():
            if name in names():
                self.assertEqual(steps[name], expected)

    def test_clock_overhead_is_told_where_calls_are_short(self):
        entries = self.entries("--case", "1x1_k1x1", "--threads", "1", "--scalar", "f32")
        found = [entry for entry in entries if "seconds" in entry]
        self.assertGreater(len(found), 1)
        shortest = min(found, key=lambda entry: entry["seconds"]["total"])
        for entry in found:
            if entry is not shortest and entry["seconds"]["total"] >= 5e-7:
                continue
            with self.subTest(entry["algorithm"]):  # two readings at least, of some 15 ns
                self.assertGreater(entry["clock_overhead"] * entry["seconds"]["total"], 1e-8)
                self.assertLess(entry["clock_overhead"], 1.5)


class Faulty(StepsTest):
    """What is wrong is not timed, and said."""

    def run_faulty(self, name):
        arguments = ("--case", "8x8_k5x5", "--scalar", "f32", "--threads", "1")
        result = self.run_cli(*QUICK, *arguments, "--algorithm", name, program=STEPS_OF_FAULTY)
        (entry,) = json.loads(result.stdout)
        self.assertEqual("skipped" in entry, "seconds" not in entry)
        return result, entry.get("skipped")

    def test_wrong_and_failed(self):
        for name, reason in (
            ("idle", r"^wrong: y\[0,0,.* is nan instead of .*, off by inf times the bound$"),
            ("wrong_last", r"^wrong: y\[0,0,11,11\] is .*, off by .* times the bound$"),
            ("throws", "^failed: two lines$"),
        ):
            with self.subTest(name):
                result, skipped = self.run_faulty(name)
                self.assertEqual(result.returncode, 1)
                self.assertRegex(skipped, reason)
                line = f"{name}/f32/8x8_k5x5/threads:1: {skipped}\n"
                self.assertEqual(result.stderr.decode(), line)

    def test_what_is_no_failure(self):
        for name, reason in (
            ("correct", None),
            ("declines", "declined: kernel is not to my taste"),
            ("only_f64", "declined: does not offer this scalar"),
            ("too_large", "out of memory: a workspace of 12345 MiB does not fit"),
        ):
            with self.subTest(name):
                result, skipped = self.run_faulty(name)
                self.assert_fine(result)
                self.assertEqual(skipped, reason)


class Refusals(StepsTest):
    def assert_refused(self, *arguments, mentions):
        """Exit code 2, nothing on standard output, and one line that mentions all of those."""
        result = self.run_steps(*arguments)
        text = result.stderr.decode()
        self.assertEqual((result.returncode, result.stdout), (2, b""), text)
        self.assertEqual(text.count("\n"), 1, text)
        for mention in mentions:
            self.assertIn(mention, text)

    def test_unknown_algorithm(self):
        self.assert_refused("--algorithm", "magic", mentions=["--algorithm", "magic", *names()])

    def test_cases(self):
        self.assert_refused("--case", "8x", mentions=["'8x'"])
        self.assert_refused("--cases", "missing.txt", mentions=["missing.txt"])
        (self.folder / "empty.txt").write_text("# none\n")
        self.assert_refused("--cases", "empty.txt", mentions=["empty.txt", "expected"])

    def test_numbers(self):
        for option, value in (
            ("--threads", "0"),
            ("--repetitions", "0"),
            ("--repetitions", "many"),
            ("--min-time", "-1"),
            ("--min-time", "long"),
            ("--cell-limit", "0"),
            ("--scalar", "f16"),
        ):
            with self.subTest(option, value=value):
                self.assert_refused(option, value, mentions=[option, value])

    def test_arguments(self):
        self.assert_refused("--frobnicate", mentions=["--frobnicate"])
        self.assert_refused("more", mentions=["more"])

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            arguments = (*QUICK, "--case", "1x1_k1x1", "--threads", "1")
            result = self.run_cli(*arguments, program=STEPS, stdout=full)
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stderr, b"cannot write to standard output\n")


if __name__ == "__main__":
    unittest.main()
