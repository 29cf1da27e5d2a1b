"""Images that are larger than the memory they may take."""

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
import unittest

import numpy
import scipy.signal

from support import CLI, CliTest, random

SHAPES = (
    ((1000, 300), (7, 5)),
    ((1000, 300), (40, 1)),
    ((999, 257), (31, 31)),
    ((403, 200), (403, 3)),
)


class Strips(CliTest):
    def convolve(self, *arguments, **options):
        return self.run_cli("convolve", "x.npy", "k.npy", "-o", "y.npy", *arguments, **options)

    def test_give_the_whole_result(self):
        for (image, kernel), scalar in ((s, t) for s in SHAPES for t in ("f4", "f8")):
            x, k = random(*image, dtype=scalar), random(*kernel, dtype=scalar, seed=1)
            self.save("x.npy", x)
            self.save("k.npy", k)
            for mode in ("full", "same", "valid"):
                expected = scipy.signal.fftconvolve(x.astype(float), k.astype(float), mode)
                # n * u * sum|x||k| is less, whatever the mode.
                limit = 16 * k.size * numpy.finfo(scalar).eps * numpy.abs(k).sum()
                for memory in ("3MiB", "3500000", "5.5MB", "1GiB"):
                    with self.subTest(x=image, k=kernel, mode=mode, memory=memory):
                        self.assert_fine(self.convolve("--memory", memory, "--mode", mode))
                        y = self.load("y.npy")
                        self.assertEqual((y.dtype, y.shape), (x.dtype, expected.shape))
                        self.assertLessEqual(numpy.abs(y - expected).max(), limit)

    def test_come_through_pipes(self):
        x, k = random(2000, 500), random(9, 9, seed=1)
        self.save("x.npy", x)
        self.save("k.npy", k)
        self.assert_fine(self.convolve("--memory", "2MiB"))
        with open(self.folder / "x.npy", "rb") as file:
            piped = self.run_cli(
                *("convolve", "/dev/stdin", "k.npy", "-o", "/dev/stdout", "--memory", "2MiB"),
                stdin=file,
            )
        self.assert_fine(piped)
        self.assertEqual(piped.stdout, (self.folder / "y.npy").read_bytes())

    def test_verbose(self):
        self.save("x.npy", random(2000, 500))
        self.save("k.npy", random(9, 9, seed=1))
        for options, who in ((["--algorithm", "clamp_bounds"], "clamp_bounds"), ([], "auto ran .*")):
            result = self.convolve("--memory", "2MiB", "--verbose", *options)
            self.assertEqual(result.returncode, 0)
            self.assertRegex(
                result.stderr.decode(),
                rf"\A2000x500_k9x9: {who}, f32, 1 thread, strips of \d+ rows, [0-9.e+-]+ ms with "
                r"reading and writing, workspace [0-9.e+-]+ MiB\n\Z",
            )

    def peak(self, *arguments, code=0):
        """The bytes that the program has in memory at most."""
        running = subprocess.Popen(
            [CLI, "convolve", "x.npy", "k.npy", "-o", "y.npy", *map(str, arguments)],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(running.returncode, code)
        return usage.ru_maxrss * 1024

    def test_take_no_more_memory_than_they_may(self):
        # 256 MB in, as much out.
        numpy.lib.format.open_memmap(
            self.folder / "x.npy", "w+", dtype="float32", shape=(8000, 8000)
        )[:, ::97] = 1
        self.save("k.npy", random(9, 9))
        program = self.peak("--help")
        taken = self.peak("--memory", "64MiB")
        self.assertLess(taken - program, 64 << 20)
        self.assertEqual(self.load("y.npy").shape, (8008, 8008))

    def test_layers_take_no_more_memory_than_they_may(self):
        # 68 MiB of operands, and 25 MiB where each other column of the output is staged.
        self.save("x.npy", random(40, 3, 200, 200))
        self.save("k.npy", random(3, 2, 5, 5))
        program = self.peak("--help")
        for memory, options, code in (
            (68, [], 1),  # with less than any algorithm takes beside the operands
            (70, [], 0),
            (94, ["--algorithm", "clamp_bounds"], 0),
        ):
            with self.subTest(memory=memory, options=options):
                taken = self.peak("--memory", f"{memory}MiB", "--stride", 2, *options, code=code)
                self.assertLess(taken - program, memory << 20)
        self.assert_rejected(
            *("convolve", "x.npy", "k.npy", "-o", "y.npy", "--stride", 2),
            *("--memory", "68MiB", "--algorithm", "clamp_bounds"),
            mentions=["takes 93 MiB", "68 MiB of --memory"],
        )
        # A file that has the channels last is there twice while they are moved.
        self.save("x.npy", random(40, 200, 200, 3))
        self.assert_rejected(
            *("convolve", "x.npy", "k.npy", "-o", "y.npy", "--channels-last"),
            *("--stride", 2, "--memory", "100MiB"),
            mentions=["takes 136 MiB", "100 MiB of --memory"],
        )

    def test_truncated_or_trailing_data_in_a_pipe(self):
        self.save("k.npy", random(3, 3))
        self.save("x.npy", random(2000, 500))
        data = (self.folder / "x.npy").read_bytes()
        for spoilt, word in ((data[:-1], "truncated"), (data + b"x", "trailing")):
            for mode in ("full", "valid"):
                self.assert_rejected(
                    *("convolve", "/dev/stdin", "k.npy", "-o", "y.npy"),
                    *("--memory", "2MiB", "--mode", mode),
                    input=spoilt,
                    mentions=[word],
                )

    def test_interrupted(self):
        self.save("x.npy", random(4000, 2000))
        self.save("k.npy", random(31, 31))
        # On one processor, who wakes up often comes in between: where the file was there before the
        # handler, every seventh signal left it behind.
        processors = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(processors)})
        self.addCleanup(os.sched_setaffinity, 0, processors)
        with self.no_file_changes():
            for _ in range(20):
                running = subprocess.Popen(
                    [CLI, "convolve", "x.npy", "k.npy", "-o", "y.npy"]
                    + ["--memory", "4MiB", "--algorithm", "naive_branching"],
                    cwd=self.folder,
                )
                deadline = time.monotonic() + 60
                while len(os.listdir(self.folder)) < 3:
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.0002)
                running.send_signal(signal.SIGINT)
                running.wait()
                self.assertEqual(running.returncode, -signal.SIGINT)

    def test_full_disk(self):
        self.save("x.npy", random(2000, 1000))
        self.save("k.npy", random(3, 3))

        def limit_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))

        self.assert_rejected(
            *("convolve", "x.npy", "k.npy", "-o", "y.npy", "--memory", "4MiB"),
            mentions=["y.npy", "room"],
            preexec_fn=limit_files,
        )

    def test_full_file_system(self):
        self.save("x.npy", random(2000, 1000))
        self.save("k.npy", random(3, 3))
        (self.folder / "small").mkdir()
        in_small = """mount -t tmpfs -o size=3m none small || exit 77
            cd small && "$@"; status=$?; ls -A; exit $status"""
        for memory in ("4MiB", "1GiB"):
            result = subprocess.run(
                [*("unshare", "--mount", "sh", "-c", in_small, "sh", CLI, "convolve", "../x.npy")]
                + ["../k.npy", "-o", "y.npy", "--memory", memory],
                cwd=self.folder,
                capture_output=True,
            )
            if b"unshare" in result.stderr or result.returncode == 77:
                self.skipTest(f"no file system can be made here: {result.stderr.decode()}")
            self.assert_error_line(result, "y.npy", "No space left on device")
            self.assertEqual(result.stdout, b"", "something was left")

    def test_progress_on_a_terminal_only(self):
        self.save("x.npy", random(2000, 1000))
        self.save("k.npy", random(3, 3))
        self.assert_fine(self.convolve("--memory", "4MiB"))
        try:
            master, slave = os.openpty()
        except OSError as error:
            self.skipTest(f"no terminal can be made here: {error}")
        self.convolve("--memory", "4MiB", stderr=slave)
        os.close(slave)
        shown = os.read(master, 1 << 16)
        os.close(master)
        self.assertRegex(shown.decode(), r"\d+ %, \d+ s left")

    def test_interrupted_on_a_terminal(self):
        """The line with the progress is cleared, as at the end."""
        self.save("x.npy", random(4000, 2000))
        self.save("k.npy", random(31, 31))
        for output in ("y.npy", "/dev/null"):
            try:
                master, slave = os.openpty()
            except OSError as error:
                self.skipTest(f"no terminal can be made here: {error}")
            running = subprocess.Popen(
                [CLI, "convolve", "x.npy", "k.npy", "-o", output]
                + ["--memory", "4MiB", "--algorithm", "naive_branching"],
                cwd=self.folder,
                stderr=slave,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
            os.close(slave)
            shown = b""
            while b"left" not in shown:
                shown += os.read(master, 1 << 16)
            running.send_signal(signal.SIGINT)
            self.assertEqual(running.wait(60), -signal.SIGINT)
            with contextlib.suppress(OSError):  # of a terminal that nobody writes to
                while more := os.read(master, 1 << 16):
                    shown += more
            os.close(master)
            self.assertTrue(shown.endswith(b"\r\x1b[K"), shown[-40:])

    def test_bad_sizes(self):
        self.save("x.npy", random(20, 10))
        self.save("k.npy", random(3, 3))
        for text in ("", "x", "-1", "0", "1 GiB", "1gib", "nan", "inf", "1e999", "1GiBs"):
            self.assert_rejected(
                *("convolve", "x.npy", "k.npy", "-o", "y.npy", "--memory", text),
                mentions=["--memory", f"'{text}'"],
            )

    def test_long_work_is_announced(self):
        """Where strips of few rows rule out the transforms that a large kernel needs."""
        self.save("x.npy", random(1500, 1500))
        self.save("k.npy", random(1450, 1450))
        running = subprocess.Popen(
            [CLI, "convolve", "x.npy", "k.npy", "-o", "y.npy", "--memory", "17MiB"],
            cwd=self.folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = threading.Timer(60, running.kill)
        deadline.start()
        try:
            self.assertRegex(
                running.stderr.readline(),
                r"\Aconvolve: with 17 MiB of memory \d+ strips of \d+ rows?, about \d+ s; "
                r"with enough for all about [0-9.]+ s\n\Z",
            )
        finally:
            deadline.cancel()
            running.terminate()
            running.communicate()

    def test_too_little(self):
        self.save("x.npy", random(100, 1000))
        self.save("k.npy", random(100, 10))
        for memory, mention in (("1kB", "1000 B of --memory"), ("5kB", "4.9 KiB of --memory")):
            self.assert_rejected(
                *("convolve", "x.npy", "k.npy", "-o", "y.npy", "--memory", memory),
                mentions=["100x1000_k100x10 takes", "for a single row", mention],
            )
        # What can't be cut.
        self.save("x.npy", random(2, 3, 100, 100))
        self.save("k.npy", random(3, 2, 5, 5))
        self.assert_rejected(
            *("convolve", "x.npy", "k.npy", "-o", "y.npy", "--memory", "10kB"),
            mentions=["--memory", "expected"],
        )


if __name__ == "__main__":
    unittest.main()
