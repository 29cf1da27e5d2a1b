"""Wrong questions: one line that names the offender, exit code 2, no file made or changed."""

import math
import os
import resource
import subprocess
import threading
import unittest

import numpy

from support import CLI, CliTest, names, random, to_bytes, with_header

GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n"
DATA = bytes(24)


def available_memory():
    with open("/proc/meminfo") as meminfo:
        for line in meminfo:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    raise unittest.SkipTest("the system does not tell how much memory is available")


class BadFiles(CliTest):
    def setUp(self):
        super().setUp()
        self.save("good.npy", random(3, 2))
        self.save("y.npy", b"precious")

    def assert_refused(self, content, *mentions):
        """As an image and as a kernel, by `convolve` and by `check`."""
        self.save("bad.npy", content)
        self.assert_path_refused("bad.npy", *mentions)

    def assert_path_refused(self, path, *mentions):
        for files in ((path, "good.npy"), ("good.npy", path)):
            for command in (["convolve", *files, "-o", "y.npy"], ["check", *files]):
                with self.subTest(command):
                    self.assert_rejected(*command, mentions=[path, "expected", *mentions])

    def test_the_good_one_is_good(self):
        self.save("plain.npy", with_header(GOOD, DATA))
        self.assert_fine(self.run_cli("convolve", "plain.npy", "good.npy", "-o", "z.npy"))

    def test_magic(self):
        self.assert_refused(b"", "empty")
        self.assert_refused(b"\x93NUM", "not a .npy file")
        self.assert_refused(b"\x93NUMPI" + to_bytes(random(3, 3))[6:], "not a .npy file")
        self.assert_refused(b"P5 3 3 255\n" + bytes(9), "not a .npy file")

    def test_version(self):
        for version in (b"\x00\x00", b"\x04\x00", b"\x01\x01", b"\xff\xff"):
            self.assert_refused(with_header(GOOD, DATA, version), f"{version[0]}.{version[1]}")

    def test_garbled_header(self):
        for header in (
            "",
            "\n",
            "garbage",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'shape': (2, 3)}",
            "{'fortran_order': False, 'shape': (2, 3)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}",
            "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': [2, 3]}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3.0)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3",
            "{'descr': '<f4, 'fortran_order': False, 'shape': (2, 3)}",
            "{'descr': '<f4' 'fortran_order': False, 'shape': (2, 3)}",
            "{'descr': , 'fortran_order': False, 'shape': (2, 3)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } more",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), ",
            "['descr', '<f4']",
            "{" * 5000,
        ):
            self.assert_refused(with_header(header, DATA), "garbled header")

    def test_random_damage_never_crashes(self):
        whole = to_bytes(random(2, 3))
        generator = numpy.random.default_rng(7)
        for _ in range(150):
            damaged = bytearray(whole)
            for at in generator.integers(0, 128, 1 + generator.integers(4)):
                damaged[at] = generator.integers(256)
            self.save("bad.npy", bytes(damaged))
            result = self.run_cli("convolve", "bad.npy", "good.npy", "-o", "z.npy")
            if result.returncode != 0:
                self.assert_error_line(result, "expected")
                self.assertFalse((self.folder / "z.npy").exists())
            (self.folder / "z.npy").unlink(missing_ok=True)

    def test_truncated_header(self):
        whole = to_bytes(random(2, 3))
        for size in (8, 9, 10, 40, 127):
            self.assert_refused(whole[:size], "ends within its header")
        enormous = b"\x93NUMPY\x02\x00\xff\xff\xff\x7f"
        self.assert_refused(enormous + DATA, "header of 2147483647 bytes")

    def test_truncated_data(self):
        whole = to_bytes(random(2, 3))
        for cut in (1, 4, 24):
            self.assert_refused(whole[:-cut], "truncated", 24 - cut, 24)

    def test_trailing_data(self):
        self.assert_refused(to_bytes(random(2, 3)) + b"\0", "trailing", 25, 24)

    def test_truncated_and_trailing_data_in_a_pipe(self):
        whole = to_bytes(random(2, 3))
        for content, mention in ((whole[:-5], "truncated"), (whole + b"12", "trailing")):
            self.assert_rejected(
                *("convolve", "/dev/stdin", "good.npy", "-o", "y.npy"),
                mentions=["/dev/stdin", mention],
                input=content,
            )

    def test_dtype(self):
        for dtype, mention in (
            ("<c8", "complex"),
            (">c16", "complex"),
            (numpy.longdouble, "long double"),
            ("S3", "text"),
            ("U3", "text"),
            ("V4", "structured"),
            ([("re", "<f4"), ("im", "<f4")], "structured"),
            ("M8[s]", "time"),
        ):
            self.assert_refused(to_bytes(numpy.zeros((3, 3), dtype)), "dtype", mention)
        self.assert_refused(to_bytes(numpy.array([[None, 1]], object)), "dtype", "Python objects")
        for descr in ("x\\n\n", "", "<", "<f", "<f1", "<f3", "<i16", "4f", "float", "<b2", "<?4"):
            self.assert_refused(with_header(GOOD.replace("<f4", descr), DATA), "dtype", "unknown")

    def test_rank(self):
        for rank in (0, 1, 3, 5):
            shape = tuple(range(2, 2 + rank))
            self.assert_refused(to_bytes(random(*shape)), f"{rank}-D", "expected 2-D or 4-D")
        self.assert_refused(to_bytes(random(4, 5, 3)), "3-D", "--channels-last")
        self.save("x.npy", random(5))
        files = ("x.npy", "good.npy", "-o", "y.npy")
        self.assert_rejected("convolve", *files, "--channels-last", mentions=["1-D", "x.npy"])
        self.save("x.npy", random(4, 5, 3))
        files = ("x.npy", "x.npy", "-o", "y.npy")
        self.assert_rejected("convolve", *files, "--channels-last", mentions=["3-D", "x.npy"])
        self.assert_refused(to_bytes(random(*([1] * 32))), "32-D")

    def test_empty_arrays(self):
        for shape in ((0, 3), (3, 0), (0, 0), (1, 2, 0, 3)):
            self.assert_refused(to_bytes(numpy.zeros(shape, numpy.float32)), str(shape))

    def test_shapes_that_overflow(self):
        for shape in (
            (4611686018427387904, 8),
            (2**31, 2**32),
            (2**62, 1),
            (2**64, 2**64),
            (10**30, 1),
            (2**32, 2**32, 2**32, 2**32),
        ):
            self.assert_refused(with_header(GOOD.replace("(2, 3)", str(shape)), DATA), "64 bits")

    def test_claims_without_data(self):
        for shape in ((2**30, 2**28), (40000, 40000)):
            claim = with_header(GOOD.replace("(2, 3)", str(shape)), DATA)
            self.assert_refused(claim, "truncated", shape)

    def test_claims_without_data_in_a_pipe_take_no_memory(self):
        # Claims a quarter of the memory, so that it is asked for, and has nothing.
        columns = available_memory() // 4 // 4 // 1000
        claim = with_header(GOOD.replace("(2, 3)", f"(1000, {columns})"), DATA)
        self.save("point.npy", random(1, 1))
        os.mkfifo(self.folder / "pipe")
        writer = threading.Thread(target=(self.folder / "pipe").write_bytes, args=[claim])
        writer.start()
        command = [CLI, "convolve", "pipe", "point.npy", "-o", "z.npy"]
        running = subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE)
        error = running.stderr.read()
        running.stderr.close()
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        writer.join()
        self.assertEqual(running.returncode, 2)
        self.assertIn(b"truncated", error)
        self.assertLess(usage.ru_maxrss * 1024, available_memory() / 8)

    def test_paths(self):
        (self.folder / "folder").mkdir()
        for path, mention in (
            ("missing.npy", "No such file or directory"),
            ("good.npy/x.npy", "Not a directory"),
            ("folder", "Is a directory"),
            ("/dev/null", "empty"),
            ("new\nline.npy".replace("\n", "?"), "No such file or directory"),
        ):
            self.assert_path_refused(path, mention)
        self.assert_rejected("check", "", "good.npy", mentions=["''"])
        self.assert_rejected("check", "new\nline.npy", "good.npy", mentions=["new?line.npy"])

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_unreadable_file(self):
        self.save("closed.npy", random(2, 2))
        (self.folder / "closed.npy").chmod(0)
        self.assert_path_refused("closed.npy", "Permission denied")


class BadPairs(CliTest):
    def assert_pair_refused(self, x, k, *mentions):
        self.save("x.npy", x)
        self.save("k.npy", k)
        for command in (["convolve", "x.npy", "k.npy", "-o", "y.npy"], ["check", "x.npy", "k.npy"]):
            with self.subTest(command):
                self.assert_rejected(*command, mentions=["x.npy", "k.npy", "expected", *mentions])

    def test_ranks(self):
        self.assert_pair_refused(random(3, 3), random(1, 1, 2, 2), "4-D", "2-D")

    def test_channels(self):
        image, kernel = random(2, 3, 4, 4), random(4, 3, 2, 2)
        self.assert_pair_refused(image, kernel, "(4, 3, 2, 2)", "K to be 3")


class TooLarge(CliTest):
    def assert_too_large(self, *command):
        # One that were not refused before it starts would be killed, or take minutes.
        self.assert_rejected(*command, mentions=["memory", "expected"], timeout=20)

    def test_output(self):
        # 160 GB from a file of 800 kB; more where there is more.
        size = max(200000, math.isqrt(available_memory()))
        self.save("x.npy", random(1, size))
        self.save("k.npy", random(size, 1))
        self.assert_too_large("convolve", "x.npy", "k.npy", "-o", "y.npy")
        self.assert_too_large("check", "x.npy", "k.npy")

    def test_case(self):
        size = max(100000, math.isqrt(available_memory()))
        self.assert_too_large("check", "--case", f"{size}x{size}_k3x3")
        # What fits does not run first.
        self.assert_too_large("check", "--case", "8x8_k5x5", "--case", f"{size}x{size}_k3x3")

    def test_allocation_that_fails_nevertheless(self):
        limit = 1 << 30

        def limit_memory():
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

        if self.run_cli("list", preexec_fn=limit_memory).returncode != 0:
            self.skipTest("this build does not start within 1 GiB of address space")
        if available_memory() < 4 * limit:
            self.skipTest("less than 4 GiB of memory available")
        claim = with_header(GOOD.replace("(2, 3)", "(20000, 20000)"))
        self.save("k.npy", random(1, 1))
        self.assert_rejected(
            *("convolve", "/dev/stdin", "k.npy", "-o", "y.npy"),
            mentions=["memory"],
            input=claim,
            preexec_fn=limit_memory,
        )


class BadArguments(CliTest):
    def setUp(self):
        super().setUp()
        self.save("x.npy", random(3, 3))
        self.save("k.npy", random(2, 2))

    def test_algorithm(self):
        for command in (
            ["convolve", "x.npy", "k.npy", "-o", "y.npy", "--algorithm", "magic"],
            ["check", "--algorithm", "magic"],
            ["check", "--algorithm", names()[0], "--algorithm", "magic"],
        ):
            with self.subTest(command):
                self.assert_rejected(*command, mentions=["'magic'", "expected", *names()])

    def test_threads(self):
        for command in (["convolve", "x.npy", "k.npy", "-o", "y.npy"], ["check"]):
            for threads in ("0", "-1", "9" * 20, "1000000", "two", "1.5", "2x", " 2", "0x2"):
                with self.subTest(command, threads=threads):
                    mentions = ["--threads", f"'{threads}'", "expected"]
                    self.assert_rejected(*command, "--threads", threads, mentions=mentions)
                    self.assert_rejected(*command, f"--threads={threads}", mentions=mentions)
            self.assert_rejected(*command, "--threads=", mentions=["--threads"])
            self.assert_rejected(*command, "--threads", "", mentions=["--threads"])

    def test_empty_options_are_not_left_out(self):
        convolve = ["convolve", "x.npy", "k.npy", "-o", "y.npy"]
        for command, options in (
            (convolve, "--algorithm --stride --padding --dilation --groups --output-padding"),
            (convolve, "--output-size --mode --memory --accuracy --threads"),
            (["check", "x.npy", "k.npy"], "--result --stride --threads"),
            (["choose"], "--case"),
        ):
            for option in options.split():
                with self.subTest(command, option=option):
                    self.assert_rejected(*command, option, "", mentions=[option, "expected"])

    def test_problem_text(self):
        malformed = "8x8 8x8_k5 8x8_k5x-5 x 8x8_k5x5_pretty n1_8x8_k5x5 8X8_k5x5 0x8_k5x5"
        for text in malformed.split():
            with self.subTest(text):
                self.assert_rejected("check", "--case", text, mentions=[text])
        huge = "4611686018427387904x8_k3x3"
        self.assert_rejected("check", "--case", huge, mentions=[huge, "64 bits"])
        self.assert_rejected("check", "--case", "8x8_k5x5", "--case", "wrong", mentions=["'wrong'"])

    def test_arguments(self):
        for command, mention in (
            ([], "expected list, convolve, check, bounds, choose or calibrate"),
            (["frobnicate"], "frobnicate"),
            (["--frobnicate"], "--frobnicate"),
            (["list", "--frobnicate"], "--frobnicate"),
            (["list", "more"], "more"),
            (["convolve"], "IMAGE.npy"),
            (["convolve", "x.npy", "-o", "y.npy"], "KERNEL.npy"),
            (["convolve", "x.npy", "k.npy"], "--output"),
            (["convolve", "x.npy", "k.npy", "-o"], "--output"),
            (["convolve", "x.npy", "k.npy", "z.npy", "-o", "y.npy"], "z.npy"),
            (["convolve", "x.npy", "k.npy", "-o", "y.npy", "--fast"], "'--fast'"),
            (["convolve", "x.npy", "k.npy", "-o", "y.npy", "--fast", "3"], "'--fast'"),
            (["convolve", "x.npy", "k.npy", "-o", "y.npy", "--fast=3", "-x"], "'--fast=3'"),
            (["convolve", "-fast", "x.npy", "k.npy", "-o", "y.npy"], "'-fast'"),
            (["list", "--peer"], "'--peer'"),
            (["convolve", "-", "-", "-o", "y.npy"], "standard input"),
            (["check", "--case"], "--case"),
            (["check", "--algorithm"], "--algorithm"),
            (["check", "x.npy"], "'x.npy'"),
            (["check", "x.npy", "k.npy", "more.npy"], "more.npy"),
            (["check", "x.npy", "k.npy", "--case", "8x8_k5x5"], "x.npy"),
            (["check", "--threads"], "--threads"),
        ):
            with self.subTest(command):
                self.assert_rejected(*command, mentions=[mention, "expected"])


if __name__ == "__main__":
    unittest.main()
