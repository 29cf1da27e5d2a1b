"""Plans that are made once and executed often, by several threads too."""

import os
import re
import subprocess
import sys
import threading
import time
import unittest

import numpy as np
import scipy.signal

import fullconv
from support import bound, random


class Plans(unittest.TestCase):
    def test_planes(self):
        for dtype in (np.float32, np.float64):
            x, k = random(20, 30, dtype=dtype), random(5, 4, dtype=dtype, seed=1)
            expected = scipy.signal.convolve2d(x, k)
            plan = fullconv.plan(x, k)
            self.assertEqual(plan.dtype, dtype)
            self.assertEqual((plan.problem, plan.output_shape), ("20x30_k5x4", (24, 33)))
            for _ in range(2):
                y = plan(x, k)
                self.assertEqual(y.dtype, dtype)
                self.assertLessEqual(np.abs(y - expected).max(), bound(x, k, dtype))
            out = np.full(plan.output_shape, np.nan, dtype)
            self.assertIs(plan(x, k, out=out), out)
            np.testing.assert_array_equal(out, y)
            wide = np.full((24, 66), np.nan, dtype)
            plan(x[::-1, ::-1].copy()[::-1, ::-1], k, wide[:, ::2])
            np.testing.assert_allclose(wide[:, ::2], y, atol=bound(x, k, dtype))
            self.assertTrue(np.isnan(wide[:, 1::2]).all())

    def test_layers(self):
        x, k = random(2, 4, 5, 6), random(4, 3, 3, 4, seed=1)
        options = {"stride": (3, 2), "padding": (0, 1, 1, 1), "output_padding": 1, "groups": 2}
        plan = fullconv.plan(x.shape, k.shape, "float64", **options)
        self.assertEqual(plan.problem, "n2_i4_o6_5x6_k3x4_p0x1x1x1_s3x2_g2_op1x1")
        expected = fullconv.conv_transpose2d(x, k, **options)
        self.assertEqual(plan.output_shape, expected.shape)
        np.testing.assert_allclose(plan(x, k), expected, rtol=0, atol=1e-12)

    def test_options(self):
        for threads in (1, 2):
            plan = fullconv.plan((64, 64), (9, 9), threads=threads)
            self.assertLessEqual(plan.threads, threads)
        measured = fullconv.plan((64, 64), (9, 9), effort="measure", accuracy="componentwise")
        x, k = random(64, 64, dtype=np.float32), random(9, 9, dtype=np.float32, seed=1)
        np.testing.assert_allclose(measured(x, k), plan(x, k), atol=bound(x, k, np.float32))
        padded = fullconv.plan((64, 64), (3, 3), algorithm="zero_pad")
        self.assertGreater(padded.workspace_bytes, 0)
        self.assertEqual(padded.algorithm, "zero_pad")
        names = {row["name"] for row in fullconv.algorithms()} - {"auto"}
        self.assertIn(fullconv.plan((64, 64), (3, 3)).algorithm, names)

    def test_room_for_copies_is_booked_when_operands_need_it(self):
        x, k = random(400, 300), random(7, 5, seed=1)
        plan = fullconv.plan(x, k)
        dense = plan.workspace_bytes
        self.assertLess(dense, 2 * x.nbytes)  # with that for subnormal operands
        expected = plan(x, k)
        self.assertEqual(plan.workspace_bytes, dense)
        np.testing.assert_array_equal(plan(np.asfortranarray(x), k), expected)
        self.assertGreaterEqual(plan.workspace_bytes, dense + x.nbytes)

    def test_tolerances(self):
        shapes = (200, 200), (60, 60)  # 3600 sums of 2^-24, or a transform
        exact = fullconv.plan(*shapes, accuracy="componentwise").algorithm
        self.assertNotEqual(fullconv.plan(*shapes, accuracy="rel=1e-4").algorithm, exact)
        for accuracy in ("rel=1e-30", "rel=1e-8"):
            with self.assertRaisesRegex(ValueError, "declined"):
                fullconv.plan(*shapes, accuracy=accuracy)

    def test_reproducible(self):
        x, k = random(200, 300, dtype=np.float32), random(45, 47, dtype=np.float32, seed=1)
        plans = [fullconv.plan(x, k, threads=n, reproducible=True) for n in (1, 2)]
        np.testing.assert_array_equal(plans[0](x, k), plans[1](x, k))
        self.assertEqual([plan.threads for plan in plans], [1, 1])
        if len(os.sched_getaffinity(0)) > 1:
            self.assertEqual(fullconv.plan(x, k, threads=2).threads, 2)

    def test_is_made_by_the_function_alone(self):
        with self.assertRaisesRegex(TypeError, r"^fullconv\S*Plan: No constructor defined!$"):
            fullconv.Plan((8, 8), (5, 5))

    def test_bad_input(self):
        for arguments, options, error, word in (
            (((4, 5), (3,)), {}, ValueError, "axes"),
            (((4, 5), (3, 0)), {}, ValueError, "0"),
            (((1, 2, 4, 5), (3, 1, 2, 2)), {}, ValueError, "channels"),
            (((4, 5), (2, 2)), {"dtype": "int32"}, ValueError, "int32"),
            (((4.5, 5), (2, 2)), {}, TypeError, "float"),
            (((4, 5), (2, 2)), {"threads": "2"}, TypeError, "threads is '2'"),
            (((4, 5), (2, 2)), {"algorithm": 2}, TypeError, "algorithm is 2"),
            (((4, 5), (2, 2)), {"workspace_limit": 1.5}, TypeError, "workspace_limit is 1.5"),
            (((4, 5), (2, 2)), {"workspace_limit": -1}, ValueError, "workspace_limit is -1"),
            (((4, 5), (2, 2)), {"dtype": object}, ValueError, "object"),
            (((4, 5), (2, 2)), {"algorithm": "nonsense"}, ValueError, "nonsense"),
            (((4, 5), (2, 2)), {"threads": 0}, ValueError, "threads is 0"),
            (((4, 5), (2, 2)), {"accuracy": "high"}, ValueError, "high"),
            (((4, 5), (2, 2)), {"accuracy": "rel=0"}, ValueError, "rel=0"),
            (((4, 5), (2, 2)), {"accuracy": 1e-5}, ValueError, "accuracy is 1e-05"),
            (((4, 5), (2, 2)), {"accuracy": "rel=1e-30"}, ValueError, "declined"),
            (((4, 5), (2, 2)), {"effort": "much"}, ValueError, "much"),
            (((4, 5), (2, 2)), {"reproducible": "no"}, TypeError, "reproducible is 'no'"),
            (((4, 5), (2, 2)), {"stride": 0}, ValueError, "stride"),
            (((4, 5), (2, 2)), {"padding": 9}, ValueError, "p9x9x9x9"),
            (((4, 5), (2, 2)), {"padding": 2**70}, ValueError, "padding overflows"),
            (((4, 5), (2, 2)), {"stride": (1, 2**70)}, ValueError, "stride overflows"),
            (((4, 5), (2, 2)), {"groups": 2**70}, ValueError, "groups overflows"),
            (((2**70, 2), (2, 2)), {}, ValueError, r"x is \[1180591620717411303424, 2\]"),
            (((4, 5), (2, -(2**70))), {}, ValueError, r"k is \[2, -1180591620717411303424\]"),
            (((4, 5), (2, 2)), {"threads": 2**70}, OverflowError, "threads is 1180"),
            (((4, 5), (2, 2)), {"workspace_limit": 2**70}, OverflowError, "workspace_limit is 11"),
            (((4, 5), (2, 2)), {"algorithm": "au\nto"}, ValueError, r"algorithm 'au\\nto'"),
            (((4, 5), (2, 2)), {"algorithm": "\ud800"}, ValueError, r"algorithm '\\ud800'"),
            (((2**40, 2**40), (2, 2)), {}, ValueError, "too large"),
            (((2**20, 2**20), (2, 2)), {"algorithm": "zero_pad"}, MemoryError, "MiB"),
        ):
            with self.subTest(arguments=arguments, options=options):
                with self.assertRaisesRegex(error, word) as caught:
                    fullconv.plan(*arguments, **options)
                self.assertNotIn("\n", str(caught.exception))

    def test_bad_calls(self):
        x, k = random(4, 5), random(2, 3)
        plan = fullconv.plan(x, k)
        for given, named, got in (
            ((), {}, "0 by position"),
            ((x,), {}, "1 by position"),
            ((x, k, None, 4), {}, "4 by position"),
            ((x, k), {"y": 3}, "2 by position, y"),
        ):
            expected = re.escape(f"a plan is called as plan(x, k, out=None): got {got}")
            with self.assertRaisesRegex(TypeError, f"^{expected}$"):
                plan(*given, **named)

    def test_bad_operands(self):
        x, k, out = random(4, 5), random(2, 3), np.empty((5, 7))
        plan = fullconv.plan(x, k)
        read_only = np.empty((5, 7))
        read_only.flags.writeable = False
        memory = np.zeros(100)
        rows, strided = np.zeros((12, 7)), np.lib.stride_tricks.as_strided(memory, (5, 7), (48, 8))
        share_x, share_k = "^out may share memory with x$", "^out may share memory with k$"
        unaligned = np.zeros(8 * 20 + 1, np.uint8)[1:].view(np.float64).reshape(4, 5)
        for arguments, error, word in (
            ((x[:3], k), ValueError, r"^x is \(3, 5\): the plan is for \(4, 5\)$"),
            ((x, k.T), ValueError, "k is"),
            ((x, k, out[:4]), ValueError, r"^out is \(4, 7\): the plan is for \(5, 7\)$"),
            ((x[0], k), ValueError, "x has 1 axes"),
            ((x.astype(np.float32), k), TypeError, "float32"),
            ((x.astype(">f8"), k), TypeError, ">f8"),
            ((x.tolist(), k), TypeError, "list"),
            ((x, k, np.zeros((5, 7), int)), TypeError, "int64"),
            ((x, k, read_only), ValueError, "read-only"),
            ((unaligned, k), ValueError, "aligned"),
            ((memory[:20].reshape(4, 5), k, memory[10:45].reshape(5, 7)), ValueError, share_x),
            ((x, memory[:6].reshape(2, 3), memory[5:40].reshape(5, 7)), ValueError, share_k),
            ((x, k, np.broadcast_to(memory[:1], (5, 7))), ValueError, "read-only"),
            ((rows[:8:2, :5], k, rows[1:11:2]), ValueError, share_x),
            ((x, k, strided), ValueError, r"^out has the strides \(48, 8\): its elements may share"),
        ):
            with self.subTest(word=word):
                with self.assertRaisesRegex(error, word) as caught:
                    plan(*arguments)
                self.assertNotIn("\n", str(caught.exception))


class Threads(unittest.TestCase):
    def test_share_a_plan_and_have_their_own(self):
        x, k = random(200, 210, dtype=np.float32), random(9, 9, dtype=np.float32, seed=1)
        shared = fullconv.plan(x, k)
        images = [x * (thread + 1) for thread in range(4)]
        expected = [shared(image, k) for image in images]
        failures = []

        def work(thread):
            own = fullconv.plan(x, k)
            for _ in range(50):
                for y in (
                    shared(images[thread], k),
                    own(images[thread], k),
                    fullconv.convolve2d(images[thread], k),
                ):
                    if not np.array_equal(y, expected[thread]):
                        failures.append(thread)

        threads = [threading.Thread(target=work, args=[i]) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_the_lock_of_the_interpreter_is_given_up(self):
        x, k = random(3000, 3000), random(11, 11, seed=1)
        plan = fullconv.plan(x, k, algorithm="naive_branching")
        out = np.empty(plan.output_shape)
        worker = threading.Thread(target=plan, args=[x, k, out])
        ticks = 0
        worker.start()
        while worker.is_alive():
            ticks += 1
            time.sleep(0.001)
        # With the lock kept there would be none, or one.
        self.assertGreater(ticks, 10)

    def allowed(self, program, **environment):
        result = subprocess.run(
            [sys.executable, "-c", "from fullconv import _core\n" + program],
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
            text=True,
        )
        return int(result.stdout)

    def test_limits(self):
        print_threads = "print(_core.allowed_threads())"
        processors = len(os.sched_getaffinity(0))
        self.assertLessEqual(self.allowed(print_threads), processors)
        self.assertEqual(self.allowed(print_threads, OMP_NUM_THREADS="1"), 1)
        bind = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        self.assertEqual(self.allowed(bind + print_threads), 1)


if __name__ == "__main__":
    unittest.main()
