import unittest

import numpy

from support import CLI, FAULTY, CliTest, algorithms, names, random

CASES = ["8x8_k5x5", "5x3_k7x9", "n2_i3_o4_17x13_k3x5"]


class Check(CliTest):
    def check(self, *arguments, program=CLI):
        """Exit code, and the rows of all tables as (algorithm, scalar, ..., result)."""
        result = self.run_cli("check", *arguments, program=program)
        self.assertEqual(result.stderr, b"")
        self.text = result.stdout.decode()
        rows = []
        column = None  # where the result stands; none outside of tables
        for line in self.text.splitlines():
            if line.startswith("algorithm "):
                column = line.index("result")
            elif column and line[column - 2 : column] == "  ":
                rows.append((*line[:column].split(), line[column:]))
            else:
                column = None
        return result.returncode, rows

    def check_faulty(self, *chosen, on=("--case", "8x8_k5x5")):
        """Exit code, and the result of each algorithm in the first scalar."""
        options = [word for name in chosen for word in ("--algorithm", name)]
        code, rows = self.check(*on, *options, program=FAULTY)
        results = {}
        for row in rows:
            results.setdefault(row[0], row[-1])
        return code, results

    def test_cases(self):
        code, rows = self.check(*(word for case in CASES for word in ("--case", case)))
        self.assertEqual(code, 0)
        expected = [
            (algorithm["name"], scalar)
            for _ in CASES
            for scalar in ("f32", "f64")
            for algorithm in algorithms()
        ]
        self.assertEqual([row[:2] for row in rows], expected)
        for case in CASES:
            self.assertIn(f"{case}\n", self.text)
        for row in rows:
            self.assertRegex(row[-1], r"\Aok\Z|\Adeclined: .")
            if row[-1] == "ok":
                error, l2, bound, below, distance = (float(number) for number in row[2:7])
                self.assertGreater(bound, 0)
                self.assertGreaterEqual(below, 0)
                self.assertLessEqual(error, 1)
                self.assertLess(l2, 1e-6 if row[1] == "f32" else 1e-14)
                self.assertLessEqual(distance, 1)
                self.assertIn(row[7], names())
                self.assertNotEqual(row[7], row[0])

    def test_without_arguments(self):
        code, rows = self.check()
        self.assertEqual(code, 0)
        self.assertGreaterEqual(len(rows), 2 * len(names()))
        self.assertIn(" 0 WRONG", self.text)

    def test_families_and_several_words(self):
        code, rows = self.check("--case", "9x7_k3x4_ints", "6x6_k3x3_gauss")
        self.assertEqual(code, 0)
        self.assertEqual(len(rows), 4 * len(names()))

    def test_chosen_algorithms(self):
        chosen = [names()[-1], names()[0]]
        for spelling in (
            ["--algorithm", chosen[0], "--algorithm", chosen[1], "--case", CASES[0]],
            ["--case", CASES[0], "--algorithm", *chosen],
        ):
            with self.subTest(spelling):
                code, rows = self.check(*spelling)
                self.assertEqual(code, 0)
                self.assertEqual([row[0] for row in rows], 2 * chosen)

    def test_one_algorithm_has_no_other(self):
        code, rows = self.check("--algorithm", names()[0], "--case", CASES[0])
        self.assertEqual(code, 0)
        self.assertEqual([row[6] for row in rows], ["-", "-"])

    def test_files(self):
        for dtype, scalar in ((numpy.float32, "f32"), (numpy.float64, "f64")):
            for image, kernel, problem in (
                ((13, 8), (4, 5), "13x8_k4x5"),
                ((2, 3, 6, 7), (3, 2, 2, 3), "n2_i3_o2_6x7_k2x3"),
            ):
                with self.subTest(scalar, problem=problem):
                    self.save("x.npy", random(*image, dtype=dtype))
                    self.save("k.npy", random(*kernel, dtype=dtype))
                    code, rows = self.check("x.npy", "k.npy")
                    self.assertEqual(code, 0)
                    expected = [(name, scalar) for name in names()]
                    self.assertEqual([row[:2] for row in rows], expected)
                    self.assertIn(problem, self.text)
        code, rows = self.check("--algorithm", names()[0], "x.npy", "k.npy")
        self.assertEqual((code, len(rows)), (0, 1))

    def of_this_kernel(self, rows):
        """Those of algorithms that are not for other kernels only."""
        taken = [row for row in rows if not row[-1].startswith("declined: kernel is not ")]
        self.assertGreater(len(taken), len(rows) // 2)
        return taken

    def test_serial_algorithms_decline_threads(self):
        code, rows = self.check("--threads", 2, "--case", "200x150_k3x3")
        self.assertEqual(code, 0)
        threaded = {algorithm["name"]: algorithm["threaded"] for algorithm in algorithms()}
        for row in self.of_this_kernel(rows):
            expected = r"\Aok\Z" if threaded[row[0]] else r"\Adeclined: .*one thread"
            self.assertRegex(row[-1], expected)

    def test_samples_of_large_problems(self):
        code, rows = self.check("--case", "700x700_k47x47", "--algorithm", names()[-1])
        self.assertEqual(code, 0)
        self.assertEqual({row[-1] for row in rows}, {"ok"})
        self.assertRegex(self.text, r"\A700x700_k47x47 \(sampled: [0-9]{4,} outputs\)\n")

    def test_wrong_outputs(self):
        code, results = self.check_faulty("correct", "wrong_last")
        self.assertEqual((code, results), (1, {"correct": "ok", "wrong_last": "WRONG"}))
        self.assertRegex(
            self.text, r"(?m)^wrong_last f32: y\[0,0,11,11\] is [0-9.]+ instead of [-0-9.]+$"
        )
        self.assertIn("2 ok, 2 WRONG", self.text)

    def test_wrong_outputs_of_files(self):
        self.save("x.npy", random(2, 1, 3, 4))
        self.save("k.npy", random(1, 2, 2, 2))
        code, results = self.check_faulty("wrong_last", on=("x.npy", "k.npy"))
        self.assertEqual((code, results), (1, {"wrong_last": "WRONG"}))
        self.assertIn("wrong_last f32: y[1,1,3,4] is ", self.text)

    def test_outputs_that_are_not_numbers(self):
        self.assertEqual(self.check_faulty("forgets"), (1, {"forgets": "WRONG"}))

    def test_outputs_that_are_never_written(self):
        # Not even where what happens to be there would be right.
        self.save("x.npy", numpy.zeros((3, 3)))
        self.save("k.npy", numpy.ones((2, 2)))
        code, results = self.check_faulty("correct", "idle", on=("x.npy", "k.npy"))
        self.assertEqual((code, results), (1, {"correct": "ok", "idle": "WRONG"}))

    def test_declined_is_no_error(self):
        code, results = self.check_faulty("correct", "declines")
        self.assertEqual(code, 0)
        reason = "declined: kernel is not to my taste"
        self.assertEqual(results, {"correct": "ok", "declines": reason})

    def test_scalar_that_is_not_offered(self):
        code, rows = self.check("--case", "8x8_k5x5", "--algorithm", "only_f64", program=FAULTY)
        self.assertEqual(code, 0)
        self.assertRegex(rows[0][-1], r"\Adeclined: ")
        self.assertEqual(rows[1][-1], "ok")

    def test_failures_of_an_algorithm(self):
        for name, mentions in (
            ("too_large", ["too_large", "8x8_k5x5", "a workspace of 12345 MiB does not fit"]),
            ("throws", ["two?lines"]),
        ):
            with self.subTest(name):
                command = ["check", "--case", "8x8_k5x5", "--algorithm", name]
                self.assert_rejected(*command, mentions=mentions, program=FAULTY)

    def test_non_finite_operands(self):
        for value in (numpy.nan, numpy.inf, -numpy.inf):
            for operand in ("x", "k"):
                for dtype in (numpy.float32, numpy.float64):
                    with self.subTest(value=value, operand=operand, dtype=dtype):
                        operands = {"x": random(7, 9, dtype=dtype), "k": random(3, 3, dtype=dtype)}
                        operands[operand][1, 2] = value
                        self.save("x.npy", operands["x"])
                        self.save("k.npy", operands["k"])
                        code, rows = self.check("x.npy", "k.npy")
                        self.assertEqual(code, 0, self.text)
                        non_finite = {a["name"]: a["non_finite"] for a in algorithms()}
                        for row in self.of_this_kernel(rows):
                            as_defined = non_finite[row[0]] == "as_defined"
                            lost = r"n/a: non-finite operands, \d+ of 99 outputs lost"
                            expected = r"\Aok\Z" if as_defined else rf"\A(ok|{lost})\Z"
                            self.assertRegex(row[-1], expected)

    def test_non_finite_operands_of_a_sampled_problem(self):
        x = random(700, 700)
        x[300, 200] = numpy.nan
        self.save("x.npy", x)
        self.save("k.npy", random(47, 47))
        code, rows = self.check("x.npy", "k.npy", "--algorithm", names()[-1])
        self.assertEqual(code, 0, self.text)
        self.assertIn("(sampled: ", self.text)

    def test_faulty_ones_with_non_finite_operands(self):
        x = random(6, 6)
        x[2, 2] = numpy.nan
        self.save("x.npy", x)
        self.save("k.npy", random(2, 2))
        files = ("x.npy", "k.npy")
        code, results = self.check_faulty("correct", "spreads_nan", on=files)
        self.assertRegex(self.text, r"(?m)^spreads_nan +f32 +- +- +- +- +- +n/a")
        lost = "n/a: non-finite operands, 45 of 49 outputs lost"
        self.assertEqual((code, results), (0, {"correct": "ok", "spreads_nan": lost}))
        for name, worst in (
            ("spreads_undeclared", "y[0,0,0,0] is nan instead of "),
            ("drops_nan", "y[0,0,2,2] is 7 instead of nan"),
            # What is finite is still held to its bound.
            ("wrong_last", "y[0,0,6,6] is "),
        ):
            with self.subTest(name):
                self.assertEqual(self.check_faulty(name, on=files), (1, {name: "WRONG"}))
                self.assertIn(f"{name} f32: {worst}", self.text)

    def test_overflow_is_nobodys_fault(self):
        for dtype in (numpy.float32, numpy.float64):
            largest = numpy.finfo(dtype).max
            self.save("x.npy", (random(5, 5, dtype=dtype) * largest).astype(dtype))
            self.save("k.npy", (random(3, 3, dtype=dtype) * 4).astype(dtype))
            code, rows = self.check("x.npy", "k.npy")
            self.assertEqual(code, 0, self.text)
            for row in self.of_this_kernel(rows):
                self.assertRegex(row[-1], r"\Aok\Z|\An/a: overflow, \d+ of 49 outputs")

    def test_overflow_excuses_its_own_plane_only(self):
        self.save("x.npy", random(1, 1, 4, 4) * numpy.float32(1e30))
        k = random(1, 2, 2, 2)
        k[0, 0] *= numpy.float32(1e30)
        self.save("k.npy", k)
        files = ("x.npy", "k.npy")
        self.assertEqual(self.check_faulty("correct", on=files)[0], 0)
        self.assertEqual(self.check_faulty("spreads_nan", on=files), (1, {"spreads_nan": "WRONG"}))
        self.assertIn("spreads_nan f32: y[0,1,0,0] is nan instead of ", self.text)


if __name__ == "__main__":
    unittest.main()
