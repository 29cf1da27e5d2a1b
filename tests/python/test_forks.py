"""A process that has used the module forks, and the child uses it too."""

import subprocess
import sys
import textwrap
import unittest

# fork() is os.fork, but the child calls something and ends; it gives the child's exit status, or
# ends it where it takes too long.
PREAMBLE = """
import os, sys, threading, time, warnings
import numpy as np
import fullconv

warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
x, k = np.ones((1000, 1000)), np.ones((9, 9))

def convolve(threads=2, dtype=float):
    y = fullconv.convolve2d(x.astype(dtype), k.astype(dtype), threads=threads)
    assert abs(y.sum(dtype=float) - 81e6) < 100, y.sum()

def fork(call, *arguments):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            call(*arguments)
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return "hangs"
"""


class Forks(unittest.TestCase):
    def run_program(self, program):
        result = subprocess.run(
            [sys.executable, "-c", PREAMBLE + textwrap.dedent(program)],
            capture_output=True,
            text=True,
            timeout=240,
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_children_have_threads_of_their_own(self):
        for dtype in ("float", "np.float32", "np.int64"):
            with self.subTest(dtype=dtype):
                self.run_program(
                    f"""
                    convolve(dtype={dtype})
                    for _ in range(3):
                        status = fork(convolve, 2, {dtype})
                        assert status == 0, status
                        convolve(dtype={dtype})
                    """
                )

    def test_children_of_children(self):
        self.run_program(
            """
            def in_child():
                convolve()
                status = fork(convolve)
                assert status == 0, status

            convolve()
            status = fork(in_child)
            assert status == 0, status
            """
        )

    def test_pools_of_multiprocessing(self):
        self.run_program(
            """
            import multiprocessing

            convolve()
            with multiprocessing.get_context("fork").Pool(2) as pool:
                pool.map_async(convolve, [2] * 4).get(timeout=60)
            """
        )

    def test_while_other_threads_work(self):
        self.run_program(
            """
            convolve()  # a module that another thread loads meanwhile is locked in the child
            stop = False

            def work(dtype):
                while not stop:
                    convolve(dtype=dtype)

            workers = [threading.Thread(target=work, args=[t]) for t in (float, np.int64)]
            for worker in workers:
                worker.start()
            results = [fork(convolve, 2, dtype) for dtype in 5 * (float, np.int64)]
            stop = True
            for worker in workers:
                worker.join()
            assert results == [0] * 10, results
            """
        )

    def test_while_another_thread_runs_the_plan(self):
        self.run_program(
            """
            plan = fullconv.plan(x, k)
            big = fullconv.plan((4000, 4000), (31, 31), "float64", algorithm="naive_branching")
            worker = threading.Thread(
                target=big, args=[np.ones((4000, 4000)), np.ones((31, 31))], daemon=True
            )
            plan(x, k)
            worker.start()
            time.sleep(0.3)

            def in_child():
                plan(x, k)
                try:
                    big(np.ones((4000, 4000)), np.ones((31, 31)))
                except RuntimeError as error:
                    assert "forked" in str(error), error
                else:
                    raise AssertionError("ran")

            status = fork(in_child)
            assert worker.is_alive()
            assert status == 0, status
            os._exit(0)  # without waiting for the worker
            """
        )


if __name__ == "__main__":
    unittest.main()
