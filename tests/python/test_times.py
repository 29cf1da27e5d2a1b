"""What numbers and shapes must not do to times. Each recipe is a report of somebody's whom another
library made wait; the shortest of several calls by turns says how long one takes."""

import time
import unittest

import numpy as np
import support  # noqa: F401

import fullconv

CALLS = 7


def shortest(*calls):
    """Seconds of each call, made by turns."""
    seconds = [float("inf")] * len(calls)
    for _ in range(CALLS):
        for at, call in enumerate(calls):
            start = time.perf_counter()
            call()
            seconds[at] = min(seconds[at], time.perf_counter() - start)
    return seconds


def normal(seed, *shapes):
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape).astype("f4") for shape in shapes]


def call_of(x, k):
    plan = fullconv.plan(x.shape, k.shape, x.dtype, threads=1)
    return lambda: plan(x, k)


class Times(unittest.TestCase):
    def test_weights_below_normal_numbers(self):
        x, k = normal(1, (1024, 1024), (63, 63))
        plain, tiny = shortest(call_of(x, k), call_of(x, (k * 1e-41).astype("f4")))
        self.assertLess(tiny, 2 * plain)

    def test_images_of_any_brightness(self):
        x, k = normal(1, (2048, 2048), (127, 127))
        scaled = [(x * scale).astype("f4") for scale in (1e-22, 1e15)]
        plain, *others = shortest(*(call_of(image, k) for image in (x, *scaled)))
        for other in others:
            self.assertLess(other, 2 * plain)

    def test_a_column_takes_as_long_as_a_row(self):
        x, k = normal(2, (1, 1000000), (1, 200))
        row, column = shortest(call_of(x, k), call_of(x.T.copy(), k.T.copy()))
        self.assertLess(column, 1.3 * row)


if __name__ == "__main__":
    unittest.main()
