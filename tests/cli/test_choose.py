"""What auto chooses, and where the rates that it goes by come from."""

import os
import subprocess
import unittest

from support import CLI, CliTest, algorithms, full_convolution, random


class Choosing(CliTest):
    def setUp(self):
        super().setUp()
        self.cache = self.folder / "cache"

    def run_cli(self, *arguments, cache=None, **options):
        environment = {**os.environ, "FULLCONV_CACHE_DIR": str(cache or self.cache)}
        return super().run_cli(*arguments, env=environment, **options)

    def output(self, *arguments, **options):
        return self.assert_fine(self.run_cli(*arguments, **options)).stdout.decode()

    def calibrate(self, **options):
        return self.output("calibrate", "--seconds", "0.01", **options)

    def rates(self, **options):
        """What `choose` says of the rates in use."""
        first = self.output("choose", "--case", "8x8_k5x5", **options).splitlines()[0]
        self.assertTrue(first.startswith("rates: "), first)
        return first.removeprefix("rates: ")


class Candidates(Choosing):
    def test_the_first_is_chosen_and_forecasts_rise(self):
        for scalar in ("f32", "f64"):
            text = self.output("choose", "--case", "64x64_k7x7", "--scalar", scalar)
            rows = text.split("64x64_k7x7\n")[1].splitlines()[1:]
            self.assertIn("chosen", rows[0])
            times = [float(row.split()[1]) for row in rows if row.split()[2:3] == ["us"]]
            self.assertGreater(len(times), 1)
            self.assertEqual(times, sorted(times))

    def test_accuracy_rules_out_transforms(self):
        text = self.output("choose", "--case", "64x64_k60x60", "--accuracy", "componentwise")
        models = {algorithm["name"]: algorithm["error_model"] for algorithm in algorithms()}
        for row in text.splitlines()[4:]:
            bounded = models[row.split()[0]] == "componentwise"
            self.assertNotEqual(bounded, "not bounded componentwise" in row, row)

    def test_tolerances_rule_out_larger_bounds(self):
        case = ("choose", "--case", "64x64_k60x60", "--scalar", "f32")
        rows = self.output(*case, "--accuracy", "rel=1e-4").splitlines()
        of = {row.split()[0]: row for row in rows if row}
        self.assertIn("above the tolerance", of["direct_simd"])  # 3600 sums of 2^-24
        self.assertNotIn("above the tolerance", of["fft_overlap_save"])
        for bad in ("rel=", "rel=0", "rel=x", "rel=1e-4x", "1e-4"):
            self.assert_rejected(*case, "--accuracy", bad, mentions=[f"'{bad}'", "rel="])

    def test_nothing_keeps_some_tolerances(self):
        self.save("x.npy", random(9, 8)), self.save("k.npy", random(3, 3))
        with self.no_file_changes():
            result = self.run_cli(
                "convolve", "x.npy", "k.npy", "-o", "y.npy", "--accuracy", "rel=1e-30"
            )
        self.assertEqual(result.returncode, 1, result)
        self.assertIn(b"declined", result.stderr)

    def test_the_bound_of_a_result(self):
        x, k = random(60, 60), random(33, 33, seed=1)
        x[30:] *= 1e-7  # which a transform loses beside the rest
        self.save("x.npy", x), self.save("k.npy", k)
        convolve = ("convolve", "x.npy", "k.npy", "-o", "y.npy", "--report")
        y = full_convolution(x.astype("f8"), k.astype("f8"))
        for options, model in (
            (["--algorithm", "fft"], "normwise"),
            (["--accuracy", "componentwise"], "componentwise"),
        ):
            result = self.run_cli(*convolve, *options)
            self.assertEqual(result.returncode, 0, result)
            text = result.stderr.decode()
            self.assertIn(f"({model})", text)
            largest = float(text.split("above ")[1].split(",")[0])
            error = abs(self.load("y.npy") - y).max()
            self.assertLess(error, largest)
            self.assertLess(largest, 1e5 * error)
            below = int(text.split("); ")[1].split()[0])
            self.assertEqual(below, (abs(self.load("y.npy")) <= largest).sum())
            self.assertGreater(below, 0)

    def test_check_takes_the_accuracy(self):
        case = ("check", "--case", "100x100_k60x60", "--algorithm", "auto", "--accuracy")
        bounds = []
        for accuracy in ("rel=1e-3", "componentwise"):
            rows = [line.split() for line in self.output(*case, accuracy).splitlines()]
            (row,) = [row for row in rows if row[:2] == ["auto", "f32"]]
            bounds.append(float(row[4]))
            self.assertGreater(bounds[-1], 0)
        self.assertNotEqual(*bounds)
        self.assertIn("declined", self.output(*case, "rel=1e-30"))
        self.assert_rejected(*case, "rel=", mentions=["'rel='"])

    def test_reproducible_results_have_the_same_bits(self):
        self.save("x.npy", random(130, 140)), self.save("k.npy", random(47, 45))
        for threads in (1, 2, 3):
            self.output("convolve", "x.npy", "k.npy", "-o", f"y{threads}.npy", "--reproducible",
                        "--threads", str(threads))
        results = [self.load(f"y{threads}.npy").tobytes() for threads in (1, 2, 3)]
        self.assertEqual(results[0], results[1])
        self.assertEqual(results[0], results[2])

    def test_low_rank_is_named_where_the_kernel_is(self):
        for case, taken in (("700x700_k15x15_gauss", True), ("700x700_k15x15", False)):
            for scalar in ("f32", "f64"):
                text = self.output("choose", "--case", case, "--scalar", scalar)
                rows = text.split(f"{case}\n")[1].splitlines()[1:]
                chosen = [row.split()[0] for row in rows if "chosen" in row]
                self.assertEqual("low_rank" in chosen, taken, text)
                self.assertEqual(len(chosen), 2 if taken else 1, text)

    def test_bad_questions(self):
        self.assert_rejected("choose", mentions=["--case"])
        self.assert_rejected("choose", "--case", "8x8", mentions=["8x8"])
        self.assert_rejected("choose", "--case", "8x8_k5x5", "--scalar", "f16", mentions=["f16"])
        self.assert_rejected("choose", "--case", "8x8_k5x5", "--accuracy", "high", mentions=["high"])
        self.assert_rejected("calibrate", "--seconds", "0", mentions=["0"])
        self.assert_rejected("calibrate", "--seconds", "nan", mentions=["seconds", "nan"])
        self.assert_rejected("calibrate", "--threads", "0", mentions=["'0'"])

    def test_convolve_takes_the_accuracy(self):
        x, k = random(40, 40), random(33, 33, seed=1)
        x[0, 0] = 1e8  # beside which a transform loses the small
        self.save("x.npy", x), self.save("k.npy", k)
        self.output("convolve", "x.npy", "k.npy", "-o", "y.npy", "--accuracy", "componentwise")
        error = abs(self.load("y.npy") - full_convolution(x, k))
        magnitudes = full_convolution(abs(x), abs(k))
        self.assertLessEqual((error / magnitudes).max(), k.size * 2.0**-24)
        self.assertGreater(magnitudes.max() / magnitudes.min(), 1e6)


class Rates(Choosing):
    def file(self):
        (path,) = self.cache.glob("rates-*.txt")
        return path

    def test_are_built_in_until_measured(self):
        self.assertEqual(self.rates(), "built in (nothing is measured yet)")
        said = self.calibrate()
        self.assertEqual(said, f"rates: measured ({self.file()})\n")
        self.assertEqual(self.rates(), f"measured ({self.file()})")
        self.assertIn("built in", self.output("choose", "--case", "8x8_k5x5", "--threads", "2"))

    def test_decide(self):
        """As from a machine on which what is chosen here takes a hundred times as long."""
        row = self.output("choose", "--case", "200x200_k9x9").splitlines()[4]
        chosen = row.split()[0]
        self.calibrate()
        lines = self.file().read_text().splitlines()
        for i, line in enumerate(lines):
            if line.startswith(f"f32 {chosen} "):
                lines[i] = line.rsplit(" ", 1)[0] + " 100"
        self.file().write_text("\n".join(lines) + "\n")
        row = self.output("choose", "--case", "200x200_k9x9").splitlines()[4]
        self.assertNotEqual(row.split()[0], chosen)

    def test_of_others_or_damaged_are_not_used(self):
        self.calibrate()
        good = self.file().read_text()
        lines = good.splitlines(keepends=True)

        def with_line(number, text):
            return "".join([*lines[:number], text, *lines[number + 1 :]])

        damaged = {
            "empty": ("", "ends too early"),
            "truncated": ("".join(lines[:-1]), "ends too early"),
            "cut within a line": (good.removesuffix("end\n")[:-12], "is no rate"),
            "format": (with_line(0, "fullconv rates, format 0\n"), "format 0"),
            "version": (with_line(1, "version 0.0.0\n"), "version 0.0.0"),
            "build": (with_line(2, "build some other\n"), "build some other"),
            "processor": (with_line(3, "processor 6502\n"), "processor 6502"),
            "threads": (with_line(4, "threads 7\n"), "threads 7"),
            "not a number": (with_line(6, "f32 fft copies fast\n"), "is no rate"),
            "negative": (with_line(6, "f32 fft copies -1\n"), "is no rate"),
            "infinite": (with_line(6, "f32 fft copies inf\n"), "is no rate"),
            "one word more": (with_line(6, "f32 fft copies 1 1\n"), "is no rate"),
            "binary": ("\0\xff" * 1000, "'????"),
        }
        for name, (content, reason) in damaged.items():
            with self.subTest(name):
                self.file().write_text(content, encoding="latin-1")
                said = self.rates()
                self.assertTrue(said.startswith("built in"), said)
                self.assertIn(reason, said)
        self.assertIn("measured", self.calibrate())
        self.assertTrue(self.rates().startswith("measured"))

    def test_that_cannot_be_kept_are_used_nevertheless(self):
        self.save("file", b"")
        said = self.calibrate(cache=self.folder / "file" / "cache")
        self.assertTrue(said.startswith("rates: measured (not kept: cannot write"), said)

    def test_without_a_place(self):
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("FULLCONV_CACHE_DIR", "XDG_CACHE_HOME", "HOME")
        }
        said = subprocess.run(
            [CLI, "choose", "--case", "8x8_k5x5"], env=environment, capture_output=True, check=True
        )
        self.assertIn(b"built in (there is no cache directory)", said.stdout)

    def test_of_two_processes_at_once(self):
        environment = {**os.environ, "FULLCONV_CACHE_DIR": str(self.cache)}
        command = [CLI, "calibrate", "--seconds", "0.01"]
        both = [subprocess.Popen(command, env=environment) for _ in range(2)]
        self.assertEqual([process.wait() for process in both], [0, 0])
        self.assertTrue(self.rates().startswith("measured"))
        self.assertEqual(sorted(p.name for p in self.cache.iterdir()), ["lock", self.file().name])


if __name__ == "__main__":
    unittest.main()
