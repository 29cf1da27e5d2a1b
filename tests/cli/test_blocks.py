"""Contenders timed in blocks, as fullconv_bench says."""

import collections
import csv
import io
import json
import os
import signal
import subprocess
import time
import unittest

from support import CliTest, names

BENCH = os.environ["FULLCONV_BENCH"]
BROKEN_PEER = os.environ["FULLCONV_BROKEN_PEER"]
QUICK = ("--cell-time", "0.3", "--repetition", "0.0005", "--threads", "1")


class BlocksTest(CliTest):
    def run_bench(self, *arguments, program=BENCH):
        return self.run_cli(*arguments, program=program)

    def rows(self, *arguments, program=BENCH, code=0):
        done = self.run_bench("--benchmark_format=json", *arguments, program=program)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout)["benchmarks"]

    def assert_bad_question(self, done, mention):
        text = done.stderr.decode()
        self.assertEqual(done.returncode, 2, text)
        self.assertEqual(text.count("\n"), 1, text)
        self.assertIn(mention, text)
        self.assertEqual(done.stdout, b"")


def fields(row):
    return row["name"].split("/")


class Blocks(BlocksTest):
    def timed(self, *arguments):
        """Rows of 8x8_k3x3 in f32 by those who take it: all but a few."""
        rows = self.rows(*arguments, "--case", "8x8_k3x3", "--scalar", "f32")
        self.assertEqual({fields(row)[1] for row in rows}, set(names()))
        found = [row for row in rows if "block" in row]
        self.assertGreater(len({fields(row)[1] for row in found}), len(names()) - 3)
        return found

    def test_hold_everybody_once_each_at_another_place(self):
        rows = self.timed(*QUICK)
        blocks = collections.defaultdict(dict)
        for row in rows:
            blocks[row["block"]].setdefault(row["position"], fields(row)[1])
        self.assertGreaterEqual(len(blocks), 8)
        self.assertEqual(set(blocks), set(range(len(blocks))))
        self.assertEqual(set(blocks[0].values()), {fields(row)[1] for row in rows})
        orders = set()
        for block in blocks.values():
            self.assertEqual(sorted(block), list(range(len(block))))
            self.assertEqual(len(set(block.values())), len(block))
            orders.add(tuple(block[place] for place in sorted(block)))
        self.assertGreater(len(orders), 1)

    def test_are_at_least_eight_even_where_time_is_up_at_once(self):
        rows = self.timed("--cell-time", "1e-9", "--threads", "1")
        counts = collections.Counter(fields(row)[1] for row in rows)
        self.assertEqual(min(counts.values()), 8)

    def test_end_where_ratios_are_known(self):
        rows = self.timed("--cell-time", "60", "--half-width", "10", "--threads", "1")
        counts = collections.Counter(fields(row)[1] for row in rows)
        self.assertEqual(set(counts.values()), {8})

    def test_repeat_as_often_each_time(self):
        rows = self.timed(*QUICK)
        iterations = collections.defaultdict(set)
        for row in rows:
            iterations[fields(row)[1]].add(row["iterations"])
            self.assertGreater(row["real_time"], 0)
        self.assertEqual({len(found) for found in iterations.values()}, {1})

    def test_of_a_seed_have_its_order(self):
        def order(seed):
            rows = self.timed(*QUICK, "--seed", seed)
            return [fields(row)[1] for row in rows if row["block"] == 0]

        self.assertEqual(order("3"), order("3"))
        self.assertGreater(len({tuple(order(str(seed))) for seed in range(1, 6)}), 1)

    def test_leave_out_what_a_filter_leaves_out(self):
        rows = self.rows(*QUICK, "--case", "8x8_k3x3", "--benchmark_filter=clamp.*/f64/")
        self.assertEqual({tuple(fields(row)[1:3]) for row in rows}, {("clamp_bounds", "f64")})

    def test_name_those_who_decline(self):
        rows = self.rows("--cell-time", "0.1", "--case", "8x8_k3x3", "--scalar", "f32",
                         "--threads", "2", "--algorithm", "zero_pad")  # fmt: skip
        self.assertEqual(len(rows), 1)
        self.assertTrue(rows[0]["error_message"].startswith("declined: "))

    def test_are_for_executing(self):
        done = self.run_bench("--cell-time", "1", "--phase", "plan")
        self.assert_bad_question(done, "--phase plan")

    def test_want_numbers(self):
        for flag in ("--cell-time", "--half-width", "--confidence", "--repetition"):
            for text in ("nan", "0", "-1", "x"):
                with self.subTest(flag, text=text):
                    words = [] if flag == "--cell-time" else ["--cell-time", "1"]
                    self.assert_bad_question(self.run_bench(*words, flag, text), flag)

    def test_do_not_go_with_flags_that_run_otherwise(self):
        done = self.run_bench("--cell-time", "1", "--benchmark_list_tests=true")
        self.assert_bad_question(done, "--benchmark_list_tests=true")
        for pattern in ("(", "nobody"):
            with self.subTest(pattern):
                done = self.run_bench("--cell-time", "1", f"--benchmark_filter={pattern}")
                self.assert_bad_question(done, f"'{pattern}'")


class File(BlocksTest):
    """That of --benchmark_out."""

    FEW = ("--case", "8x8_k3x3", "--algorithm", "clamp_bounds", "--threads", "1")
    MANY = [word for n in range(3, 60) for word in ("--case", f"{n}x{n}_k3x3")]

    def test_holds_what_standard_output_holds(self):
        for mode in (("--cell-time", "0.01"), ("--benchmark_min_time=0.001",)):
            with self.subTest(mode):
                rows = self.rows(*self.FEW, *mode, "--benchmark_out=x.json")
                self.assertEqual(self.read("x.json")["benchmarks"], rows)
                self.assertEqual({path.name for path in self.folder.iterdir()}, {"x.json"})

    def test_a_time_with_and_without_its_unit(self):
        for time_ in ("0.001", "0.001s"):
            with self.subTest(time_):
                self.assertTrue(self.rows(*self.FEW, f"--benchmark_min_time={time_}"))

    def test_has_another_format_if_told(self):
        done = self.run_bench(*self.FEW, "--cell-time", "0.01", "--benchmark_out=x.csv",
                              "--benchmark_out_format=csv", "--benchmark_format=json")  # fmt: skip
        lines = (self.folder / "x.csv").read_text().splitlines()
        self.assertEqual(lines[0].split(",")[0], "name")
        self.assertEqual(len(lines) - 1, len(json.loads(done.stdout)["benchmarks"]))

    def test_of_csv_has_rows_of_other_counters(self):
        words = ("--case", "8x8_k3x3", "--algorithm", "zero_pad", "--scalar", "f32",
                 "--threads", "1", "2", "--benchmark_min_time=0.001")  # fmt: skip
        shown = self.run_bench(*words, "--benchmark_format=csv")
        kept = self.run_bench(*words, "--benchmark_out=x.csv", "--benchmark_out_format=csv")
        file = (self.folder / "x.csv").read_text()
        for done, text in ((shown, shown.stdout.decode()), (kept, file)):
            self.assertEqual(done.returncode, 0, done.stderr)
            rows = list(csv.DictReader(io.StringIO(text)))
            of = {fields(row)[0]: row for row in rows if "threads:1" in row["name"]}
            self.assertEqual(set(of), {"plan", "oneshot", "execute"})
            self.assertGreater(float(of["execute"]["GFLOP/s"]), 0)
            self.assertEqual(of["plan"]["GFLOP/s"], "")
            messages = [row["error_message"] for row in rows if "threads:2" in row["name"]]
            self.assertEqual(len(messages), 3)
            for message in messages:
                self.assertTrue(message.startswith("declined: "), message)

    def test_that_cannot_be_written_is_a_bad_question(self):
        bad = ("--benchmark_out=no/folder/x.json", "--benchmark_out_format=xml")
        for flag, mention in zip(bad, ("no/folder/x.json", "xml: expected json, csv or console")):
            with self.subTest(flag):
                self.assert_bad_question(self.run_bench(*self.FEW, flag), mention)

    def test_holds_whole_cells_of_a_run_that_is_cut_off(self):
        modes = {"blocks": ("--cell-time", "0.05"), "one by one": ("--benchmark_min_time=0.001",)}
        for mode, words in modes.items():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
                with self.subTest(mode, signal=number):
                    self.cut_off(words, number)

    def cut_off(self, words, number):
        algorithms = ("--algorithm", "clamp_bounds", "zero_pad", "--threads", "1")
        command = [BENCH, *self.MANY, *algorithms, *words]
        command += ["--benchmark_out=x.json", "--benchmark_format=json"]
        (self.folder / "x.json").unlink(missing_ok=True)
        # Into a file: a pipe that nobody reads is full after some cells.
        shown = self.folder / "shown.json"
        with shown.open("wb") as file, subprocess.Popen(
            command, cwd=self.folder, stdout=file, stderr=subprocess.DEVNULL
        ) as process:
            deadline = time.monotonic() + 60
            while len(self.measured()) < 3 and time.monotonic() < deadline:
                time.sleep(0.02)
            process.send_signal(number)
            process.wait(timeout=60)
        stdout = shown.read_text()
        found = self.measured()
        self.assertGreaterEqual(len(found), 3)
        self.assertLess(len(found), 2 * 57)
        if words[0] == "--cell-time":
            self.assertEqual(set(map(frozenset, found.values())), {frozenset(algorithms[1:3])})
        if number == signal.SIGKILL:
            self.assertEqual(process.returncode, -signal.SIGKILL)
        else:
            self.assertEqual(process.returncode, 128 + number)
            self.assertEqual(json.loads(stdout)["benchmarks"], self.read("x.json")["benchmarks"])

    def read(self, name):
        return json.loads((self.folder / name).read_text())

    def measured(self):
        """Who has at least eight blocks, or a row, by cell."""
        counts = collections.defaultdict(collections.Counter)
        if (self.folder / "x.json").exists():
            for row in self.read("x.json")["benchmarks"]:
                least = 8 if "block" in row else 1
                counts[tuple(fields(row)[2:4])][fields(row)[1]] += 1 / least
        return {cell: {who for who, count in found.items() if count >= 1}
                for cell, found in counts.items()}  # fmt: skip


class Handicaps(BlocksTest):
    def test_run_under_their_names(self):
        rows = self.rows(*QUICK, "--case", "8x8_k3x3", "--scalar", "f32", "--algorithm",
                         "zero_pad", "--handicap", "zero_pad+0", "zero_pad+100")  # fmt: skip
        times = collections.defaultdict(list)
        for row in rows:
            times[fields(row)[1]].append(row["real_time"])
        self.assertEqual(set(times), {"zero_pad", "zero_pad+0", "zero_pad+100"})
        best = {name: min(values) for name, values in times.items()}
        self.assertGreater(best["zero_pad+100"], 1.5 * best["zero_pad"])

    def test_of_nonsense_are_bad_questions(self):
        for text in ("zero_pad", "nobody+5", "zero_pad+", "zero_pad+x", "zero_pad+-3", "+5"):
            with self.subTest(text):
                done = self.run_bench("--handicap", text)
                self.assert_bad_question(done, f"'{text}'")


class InterleavedCases(BlocksTest):
    CASES = ("8x8_k3x3", "16x16_k3x3_dead")

    def timed(self, *more):
        return self.rows(*QUICK, "--case", *self.CASES, "--scalar", "f32", "--algorithm",
                         "zero_pad", *more)  # fmt: skip

    def test_share_blocks(self):
        blocks = collections.defaultdict(dict)
        for row in self.timed("--interleave-cases"):
            blocks[row["block"]][row["position"]] = fields(row)[3]
        self.assertGreaterEqual(len(blocks), 8)
        first_eight = [blocks[block] for block in sorted(blocks)[:8]]
        for block in first_eight:
            self.assertEqual(sorted(block.values()), sorted(self.CASES))
        self.assertEqual({block[0] for block in first_eight}, set(self.CASES))

    def test_do_not_otherwise(self):
        self.assertEqual({row["position"] for row in self.timed()}, {0})

    def test_need_blocks(self):
        done = self.run_bench("--case", *self.CASES, "--interleave-cases")
        self.assert_bad_question(done, "--interleave-cases")


class Modes(BlocksTest):
    def test_are_in_the_name(self):
        rows = self.rows(*QUICK, "--case", "64x64_k3x3", "--scalar", "f32", "--algorithm",
                         "clamp_bounds", "--cache", "cold", "--output", "fresh")  # fmt: skip
        self.assertTrue(rows)
        for row in rows:
            self.assertIn("/threads:1/cache:cold/output:fresh/", row["name"])

    def test_cost_time(self):
        # So little to do that either costs many times as much.
        def fastest(*mode):
            rows = self.rows(*QUICK, "--case", "8x8_k1x1", "--scalar", "f32", "--algorithm",
                             "clamp_bounds", *mode)  # fmt: skip
            return min(row["real_time"] for row in rows)

        usual = fastest()
        self.assertGreater(fastest("--cache", "cold"), usual)
        self.assertGreater(fastest("--output", "fresh"), usual)


class Table(BlocksTest):
    def test_says_nothing_of_how_google_benchmark_was_built(self):
        # Debian's takes itself for a debug build.
        for mode in (QUICK, ("--phase", "execute", "--benchmark_min_time=0.001")):
            done = self.run_bench("--case", "8x8_k3x3", "--algorithm", "clamp_bounds",
                                  "--threads", "1", *mode)  # fmt: skip
            self.assertEqual(done.returncode, 0)
            self.assertIn(b"build_type: ", done.stderr + done.stdout)
            self.assertNotIn(b"built as DEBUG", done.stderr + done.stdout)


class InstructionSets(BlocksTest):
    def test_are_rows_beside_those_that_choose_themselves(self):
        listed = self.run_cli("list", "--json", "--instruction-sets").stdout
        variants = [entry["name"] for entry in json.loads(listed) if "@" in entry["name"]]
        chosen = [name for name in variants if name.startswith("direct_simd@")]
        rows = self.rows(*QUICK, "--case", "8x8_k3x3", "--scalar", "f32", "--algorithm",
                         "direct_simd", *chosen)  # fmt: skip
        self.assertEqual({fields(row)[1] for row in rows}, {"direct_simd", *chosen})

    def test_that_there_are_not_are_bad_questions(self):
        for name in ("direct_simd@MMX", "naive_branching@AVX2", "direct_simd@"):
            with self.subTest(name):
                done = self.run_bench("--algorithm", name)
                self.assertEqual((done.returncode, done.stdout), (2, b""))
                self.assertIn(name, done.stderr.decode())


class Floors(BlocksTest):
    def test_are_rows(self):
        rows = self.rows(*QUICK, "--case", "64x64_k3x3", "--scalar", "f64", "--floors",
                         "--algorithm", "clamp_bounds")  # fmt: skip
        fastest = collections.defaultdict(lambda: float("inf"))
        for row in rows:
            fastest[fields(row)[1]] = min(fastest[fields(row)[1]], row["real_time"])
        self.assertEqual(set(fastest), {"clamp_bounds", "empty_call", "copy_operands"})
        self.assertLess(fastest["empty_call"], fastest["copy_operands"])
        self.assertLess(fastest["copy_operands"], fastest["clamp_bounds"])


class Peers(BlocksTest):
    def test_that_are_wrong_never_get_a_time(self):
        for mode in (QUICK, ("--phase", "execute", "--threads", "1")):
            rows = self.rows("--case", "8x8_k3x3", "--scalar", "f32", *mode, "--peers",
                             program=BROKEN_PEER, code=1)  # fmt: skip
            wrong = [row for row in rows if fields(row)[1] == "wrong_anchor"]
            right = [row for row in rows if fields(row)[1] == "right_anchor"]
            self.assertEqual(len(wrong), 1)
            self.assertTrue(wrong[0]["error_occurred"])
            self.assertRegex(wrong[0]["error_message"], r"^wrong: y\[.*times the bound$")
            self.assertEqual(wrong[0]["real_time"], 0)
            self.assertTrue(right)
            self.assertTrue(all(row["real_time"] > 0 for row in right))

    def test_do_not_run_beside_algorithms_that_are_named(self):
        selections = {("clamp_bounds",): {"clamp_bounds"}, ("right_anchor", "zero_pad"): {
            "right_anchor", "zero_pad"}}  # fmt: skip
        for named, expected in selections.items():
            for flags in ((), ("--peers",)):
                with self.subTest(named, flags=flags):
                    rows = self.rows("--cell-time", "0.01", "--case", "8x8_k3x3", "--threads", "1",
                                     "--algorithm", *named, *flags,
                                     program=BROKEN_PEER)  # fmt: skip
                    self.assertEqual({fields(row)[1] for row in rows}, expected)

    def test_take_part_only_if_asked(self):
        rows = self.rows(*QUICK, "--case", "8x8_k3x3", "--scalar", "f32", program=BROKEN_PEER)
        self.assertEqual({fields(row)[1] for row in rows}, set(names()))


if __name__ == "__main__":
    unittest.main()
