"""The Python worker, spoken to as the program does: a request a line, an answer a line."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

import numpy as np
from scipy import signal

WORKER = Path(__file__).resolve().parents[2] / "bench" / "peers" / "workers" / "worker.py"

NEUTRAL = "0 0 0 0 1 1 1 1 1 0 0"  # padding, stride, dilation, groups, output padding
CROPPED = "1 0 1 0 1 1 1 1 1 0 0"

# That of the build whose test this is.
PACKAGE = Path(os.environ.get("FULLCONV_PYTHON_PACKAGE", "python")) / "fullconv"

FAKE = """
    import contextlib
    import numpy

    def version():
        return "Fake 1.0"

    def view(memory, scalar, offset, shape):
        return numpy.ndarray(shape, "f4" if scalar == "f32" else "f8", memory, offset)

    def copy(function, array):
        return numpy.copy(array)

    threads = contextlib.nullcontext
"""


class WorkerTest(unittest.TestCase):
    def setUp(self) -> None:
        keeper = tempfile.TemporaryDirectory()
        self.addCleanup(keeper.cleanup)
        self.folder = Path(keeper.name)

    def module(self, name: str, text: str) -> None:
        """A module that the worker finds."""
        (self.folder / f"{name}.py").write_text(textwrap.dedent(text))

    def start(self, library: str, package: Path | None = None) -> subprocess.Popen[str]:
        worker = subprocess.Popen(
            [sys.executable, "-B", WORKER, library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, "PYTHONPATH": str(package or self.folder)},
        )
        for stream in worker.stdin, worker.stdout, worker.stderr:
            self.addCleanup(stream.close)
        self.addCleanup(worker.wait)
        self.addCleanup(worker.kill)
        return worker

    def ask(self, worker: subprocess.Popen[str], request: str) -> str:
        worker.stdin.write(request + "\n")
        return worker.stdout.readline().rstrip("\n")

    def shared(self, *arrays: np.ndarray) -> Path:
        """The file of a plan, holding these arrays."""
        path = self.folder / f"operands{len(list(self.folder.iterdir()))}"
        path.write_bytes(b"".join(array.tobytes() for array in arrays))
        return path

    def plane_plan(self, worker: subprocess.Popen[str], function: str) -> str:
        path = self.shared(np.zeros(64 + 25 + 144, np.float32))
        return self.ask(worker, f"plan 1 {function} f32 1 1 1 1 8 8 5 5 {NEUTRAL} {path}")


class Scipy(WorkerTest):
    def test_planes_and_layers(self) -> None:
        worker = self.start("scipy")
        ready = worker.stdout.readline()
        self.assertRegex(ready, r"^ready SciPy \d\S* \(NumPy \d\S*, Python 3\S*\)$")
        random = np.random.default_rng(1)
        x, k = random.uniform(-1, 1, (2, 3, 6, 5)), random.uniform(-1, 1, (3, 4, 3, 2))
        y = np.zeros((2, 4, 8, 6))
        for n, c, o in np.ndindex(2, 4, 3):
            y[n, c] += signal.convolve2d(x[n, o], k[o, c])
        for number, function in enumerate(("convolve2d", "fftconvolve", "oaconvolve")):
            layer = self.shared(x, k, np.full_like(y, np.nan))
            plan = f"plan {number} {function} f64 2 2 3 4 6 5 3 2 {NEUTRAL} {layer}"
            self.assertEqual(self.ask(worker, plan), "ok")
            self.assertEqual(self.ask(worker, f"execute {number}"), "ok")
            given = np.fromfile(layer)[-y.size :].reshape(y.shape)
            np.testing.assert_allclose(given, y, atol=1e-14)

    def test_operands_are_read_by_each_execution(self) -> None:
        worker = self.start("scipy")
        worker.stdout.readline()
        path = self.shared(np.zeros(4 + 1 + 4, np.float32))
        self.ask(worker, f"plan 7 fftconvolve f32 1 1 1 1 2 2 1 1 {NEUTRAL} {path}")
        file = np.memmap(path, np.float32)
        for scale in (1, 3):
            file[:5] = [scale * 1, scale * 2, scale * 3, scale * 4, 2]
            file.flush()
            self.assertEqual(self.ask(worker, "execute 7"), "ok")
            np.testing.assert_array_equal(file[5:], scale * np.array([2, 4, 6, 8]))

    def test_time(self) -> None:
        worker = self.start("scipy")
        worker.stdout.readline()
        self.assertEqual(self.plane_plan(worker, "convolve2d"), "ok")
        self.assertEqual(self.ask(worker, "execute 1"), "ok")
        few, many = (
            float(self.ask(worker, f"time 1 {calls}").removeprefix("ok ")) for calls in (10, 10000)
        )
        self.assertGreater(few, 0)
        self.assertGreater(many, 10 * few)

    def test_bad_requests_are_answered_in_one_line(self) -> None:
        worker = self.start("scipy")
        worker.stdout.readline()
        self.assertEqual(self.plane_plan(worker, "convolve3d"), "failed KeyError: 'convolve3d'")
        self.assertRegex(self.ask(worker, "plan 1 convolve2d f32 1 1"), "^failed ValueError: ")
        self.assertRegex(
            self.ask(
                worker, f"plan 1 convolve2d f32 1 1 1 1 8 8 5 5 {NEUTRAL} {self.folder}/absent"
            ),
            "^failed FileNotFoundError: .*absent",
        )
        self.assertEqual(self.ask(worker, "sing 1"), "failed ValueError: unknown request: sing")
        self.assertEqual(self.ask(worker, "execute 9"), "failed KeyError: '9'")
        self.assertEqual(self.plane_plan(worker, "convolve2d"), "ok")
        self.assertEqual(self.ask(worker, "drop 1"), "ok")
        self.assertEqual(self.ask(worker, "execute 1"), "failed KeyError: '1'")

    def test_ends_with_its_input(self) -> None:
        worker = self.start("scipy")
        worker.stdout.readline()
        self.assertEqual(self.plane_plan(worker, "convolve2d"), "ok")
        worker.stdin.close()
        self.assertEqual(worker.wait(timeout=60), 0)


@unittest.skipUnless(PACKAGE.is_dir(), f"the Python module is not built: no {PACKAGE}")
class Fullconv(WorkerTest):
    def test_planes_and_layers(self) -> None:
        worker = self.start("fullconv", PACKAGE.parent)
        ready = worker.stdout.readline()
        self.assertRegex(ready, r"^ready fullconv \d\S* \(NumPy \d\S*, Python 3\S*\)$")
        random = np.random.default_rng(1)
        x, k = random.uniform(-1, 1, (1, 1, 6, 5)), random.uniform(-1, 1, (1, 1, 3, 2))
        y = signal.convolve2d(x[0, 0], k[0, 0])
        # The whole; and without its first and last row, which is a layer.
        for number, (rest, expected) in enumerate(((NEUTRAL, y), (CROPPED, y[1:-1]))):
            shared = self.shared(x, k, np.full_like(expected, np.nan))
            plan = f"plan {number} convolve f64 {number + 1} 1 1 1 6 5 3 2 {rest} {shared}"
            self.assertEqual(self.ask(worker, plan), "ok")
            self.assertEqual(self.ask(worker, f"execute {number}"), "ok")
            given = np.fromfile(shared)[-expected.size :].reshape(expected.shape)
            np.testing.assert_allclose(given, expected, atol=1e-14)
            self.assertRegex(self.ask(worker, f"time {number} 10"), r"^ok 0\.\d+$")


class Starting(WorkerTest):
    def first_line(self, library: str) -> str:
        return self.start(library).stdout.readline().rstrip("\n")

    def test_missing(self) -> None:
        self.module("torch", "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')")
        self.assertEqual(self.first_line("torch"), "missing")

    def test_what_the_library_needs_is_missing(self) -> None:
        self.module("torch", "import a_module_that_nobody_has")
        self.assertEqual(
            self.first_line("torch"),
            "failed ModuleNotFoundError: No module named 'a_module_that_nobody_has'",
        )

    def test_too_old(self) -> None:
        self.module(
            "torch",
            """
            import sys
            import types

            __version__ = "1.10.2"
            float32 = float64 = Tensor = memory_format = None
            sys.modules["torch.nn"] = types.SimpleNamespace(functional=None)
            """,
        )
        self.assertEqual(
            self.first_line("torch"),
            "failed ImportError: PyTorch 1.10.2 is too old: 1.11 or newer is wanted",
        )

    def test_broken(self) -> None:
        self.module("with_fake", "raise OSError('libfake.so:\\n  cannot open')")
        self.assertEqual(self.first_line("fake"), "failed OSError: libfake.so: cannot open")


class Failing(WorkerTest):
    def answer_to_execute(self, call: str) -> str:
        self.module("with_fake", textwrap.dedent(FAKE) + textwrap.dedent(call))
        worker = self.start("fake")
        self.assertEqual(worker.stdout.readline(), "ready Fake 1.0\n")
        self.assertEqual(self.plane_plan(worker, "f"), "ok")
        answer = self.ask(worker, "execute 1")
        self.assertEqual(self.ask(worker, "drop 1"), "ok", "it goes on")
        return answer

    def test_error(self) -> None:
        call = """
            def fail(a, b):
                raise RuntimeError("bad\\n  things")
            def call(function, problem, x, k):
                return fail, x, k
        """
        self.assertEqual(self.answer_to_execute(call), "failed RuntimeError: bad things")

    def test_memory(self) -> None:
        for error in (
            "MemoryError('Unable to allocate 3 GiB')",
            "RuntimeError(\"DefaultCPUAllocator: can't allocate memory\")",
        ):
            call = f"""
            def fail(a, b):
                raise {error}
            def call(function, problem, x, k):
                return fail, x, k
            """
            with self.subTest(error):
                self.assertRegex(self.answer_to_execute(call), "^memory .* allocate")

    def test_what_is_printed_is_no_answer(self) -> None:
        call = """
            def talk(a, b):
                print("ok, I am talking", flush=True)
                return numpy.zeros((1, 1, 12, 12), "f4")
            def call(function, problem, x, k):
                return talk, x, k
        """
        self.assertEqual(self.answer_to_execute(call), "ok")

    def test_another_shape_or_type(self) -> None:
        for result, given in {
            "numpy.zeros((4, 4), 'f4')": r"float32 of shape \(1, 1, 4, 4\)",
            "numpy.zeros((1, 1, 1, 1), 'f4')": r"float32 of shape \(1, 1, 1, 1\)",
            "numpy.zeros((12, 12), 'f8')": r"float64 of shape \(1, 1, 12, 12\)",
        }.items():
            call = f"""
            def odd(a, b):
                return {result}
            def call(function, problem, x, k):
                return odd, x, k
            """
            due = r"float32 of \(1, 1, 12, 12\)"
            with self.subTest(result):
                self.assertRegex(
                    self.answer_to_execute(call), f"^failed TypeError: gave {given} instead of {due}$"
                )


if __name__ == "__main__":
    unittest.main()
