"""Loading the module."""

import inspect
import statistics
import subprocess
import sys
import unittest

import fullconv


def run(program):
    return subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout


class Module(unittest.TestCase):
    def test_loads_neither_scipy_nor_pytorch(self):
        loaded = run(
            "import sys, fullconv\n"
            "for name in fullconv.__all__: getattr(fullconv, name)\n"
            "fullconv.convolve2d([[1.0]], [[2.0]])\n"
            "print(*sys.modules)"
        ).split()
        self.assertIn("numpy", loaded)
        for name in ("scipy", "torch", "dask"):
            self.assertNotIn(name, loaded)

    def test_loads_within_20_ms_beside_numpy(self):
        # All of it, as soon as it is used.
        program = (
            "import time, numpy\n"
            "begin = time.process_time()\n"
            "import fullconv\n"
            "for name in fullconv.__all__: getattr(fullconv, name)\n"
            "print(time.process_time() - begin)"
        )
        self.assertLess(statistics.median(float(run(program)) for _ in range(9)), 0.020)

    def test_names(self):
        self.assertLessEqual(set(fullconv.__all__), set(dir(fullconv)))
        with self.assertRaisesRegex(AttributeError, "nonsense"):
            fullconv.nonsense

    def test_signature(self):
        self.assertEqual(
            str(inspect.signature(fullconv.convolve2d)),
            "(in1, in2, mode='full', boundary='fill', fillvalue=0, *, algorithm='auto', "
            "threads=None)",
        )


if __name__ == "__main__":
    unittest.main()
