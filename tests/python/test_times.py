"""What numbers and shapes must not do to times. Each recipe is a report of somebody's whom another
library made wait. Calls are made by turns, and the shortest says how long one takes: what else a
machine does only lengthens them, so that turns go on where a bound is not kept yet."""

import time
import unittest

import numpy as np
import support  # noqa: F401

import fullconv

LEAST_TURNS = 7
MOST_SECONDS = 20


def normal(seed, *shapes):
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape).astype("f4") for shape in shapes]


def call_of(x, k):
    plan = fullconv.plan(x.shape, k.shape, x.dtype, threads=1)
    return lambda: plan(x, k)


class Times(unittest.TestCase):
    def assert_as_fast(self, call, plain, most):
        """Asserts that `call` takes at most `most` times as long as `plain`."""
        shortest = {call: float("inf"), plain: float("inf")}
        begin, turns = time.perf_counter(), 0
        while turns < LEAST_TURNS or (
            shortest[call] > most * shortest[plain]
            and time.perf_counter() - begin < MOST_SECONDS
        ):
            for each in shortest:
                start = time.perf_counter()
                each()
                shortest[each] = min(shortest[each], time.perf_counter() - start)
            turns += 1
        self.assertLessEqual(shortest[call], most * shortest[plain])

    def test_weights_below_normal_numbers(self):
        x, k = normal(1, (1024, 1024), (63, 63))
        self.assert_as_fast(call_of(x, (k * 1e-41).astype("f4")), call_of(x, k), most=2)

    def test_samples_below_normal_numbers(self):
        # Before and after there is a pass over x and over y.
        x, k = normal(1, (1024, 1024), (9, 9))
        self.assert_as_fast(call_of((x * 1e-41).astype("f4"), k), call_of(x, k), most=4)

    def test_images_of_any_brightness(self):
        x, k = normal(1, (2048, 2048), (127, 127))
        for scale in (1e-22, 1e15):
            with self.subTest(scale=scale):
                self.assert_as_fast(call_of((x * scale).astype("f4"), k), call_of(x, k), most=2)

    def test_a_column_takes_as_long_as_a_row(self):
        x, k = normal(2, (1, 1000000), (1, 200))
        self.assert_as_fast(call_of(x.T.copy(), k.T.copy()), call_of(x, k), most=1.3)


if __name__ == "__main__":
    unittest.main()
