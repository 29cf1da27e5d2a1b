"""Full convolutions of Dask arrays: what is announced is what is computed, and it is right."""

import importlib.util
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
import unittest

import numpy as np
import scipy.signal

import fullconv
from support import bound, random

if importlib.util.find_spec("dask") is None:
    raise unittest.SkipTest("no dask (python3-dask)")

import dask
import dask.array as da
import fullconv.dask

PROBLEMS = (
    # image, chunks, kernel
    ((10, 12), (3, 5), (4, 3)),
    ((10, 12), (2, 2), (5, 7)),  # chunks smaller than the kernel
    ((10, 12), (1, 12), (4, 4)),
    ((7, 5), (7, 5), (9, 9)),  # an image smaller than the kernel
    ((10, 3), ((3, 0, 7), (1, 2)), (2, 2)),  # an empty chunk
    ((6, 6), ((1, 4, 1), (5, 1)), (1, 1)),
    ((40, 50), (16, 16), (15, 2)),
)
MODES = ("full", "same", "valid")


class Planes(unittest.TestCase):
    def setUp(self):
        self.enterContext(dask.config.set(scheduler="threads", num_workers=2))

    def assert_whole(self, y, expected, limit):
        """Computed at once and chunk by chunk, with the shapes and the type announced."""
        computed = y.compute()
        self.assertEqual((y.shape, y.dtype), (computed.shape, computed.dtype))
        self.assertEqual((y.shape, y.dtype), (expected.shape, expected.dtype))
        if expected.size > 0:
            self.assertLessEqual(np.abs(computed - expected).max(), limit)
        for index in itertools.product(*map(range, y.numblocks)):
            block = y.blocks[index]
            self.assertEqual(block.shape, block.compute().shape)

    def test_are_scipys_for_any_chunks(self):
        for (image, chunks, kernel), mode, dtype in itertools.product(PROBLEMS, MODES, "idF"):
            with self.subTest(image=image, chunks=chunks, kernel=kernel, mode=mode, dtype=dtype):
                x = random(*image, dtype=dtype)
                k = random(*kernel, dtype=dtype, seed=1)
                limit = 0 if dtype == "i" else bound(x, k, dtype)
                try:
                    expected = scipy.signal.convolve2d(x, k, mode)
                except ValueError as error:
                    with self.assertRaisesRegex(ValueError, str(error)):
                        fullconv.dask.convolve2d(da.from_array(x, chunks), k, mode)
                    continue
                lazy = da.from_array(x, chunks)
                self.assert_whole(fullconv.dask.convolve2d(lazy, k, mode), expected, limit)
                lazy_kernel = da.from_array(k, 2)
                self.assert_whole(fullconv.dask.convolve2d(lazy, lazy_kernel, mode), expected, limit)

    def test_promote_types(self):
        x, k = random(6, 7, dtype=np.uint8), random(3, 2, dtype=np.float32)
        y = fullconv.dask.convolve2d(da.from_array(x, 4), k)
        self.assertEqual(y.dtype, np.float32)
        self.assertEqual(y.compute().dtype, np.float32)

    def test_keep_the_chunks_of_the_image(self):
        x = da.zeros((30, 40), chunks=(10, 20))
        k = np.ones((5, 7))
        chunks = {mode: fullconv.dask.convolve2d(x, k, mode).chunks for mode in MODES}
        self.assertEqual(chunks["full"], ((10, 10, 14), (20, 26)))
        self.assertEqual(chunks["same"], x.chunks)
        self.assertEqual(chunks["valid"], ((6, 10, 10), (14, 20)))

    def test_compute_nothing_early(self):
        def fail(block):
            raise AssertionError("computed")

        x = da.zeros((8, 8), chunks=4).map_blocks(fail, dtype=float, meta=np.empty((0, 0)))
        y = fullconv.dask.convolve2d(x, np.ones((3, 3)))
        with self.assertRaisesRegex(AssertionError, "computed"):
            y.compute()

    def test_refuse_early(self):
        x, k = da.zeros((8, 8), chunks=4), np.ones((3, 3))
        for arguments, options, error, word in (
            ((x, k), {"algorithm": "nonsense"}, ValueError, "nonsense"),
            ((x, k), {"algorithm": 3}, TypeError, "algorithm is 3"),
            ((x, k), {"threads": 0}, ValueError, "threads is 0"),
            ((x, k.astype(object)), {}, ValueError, "type"),
            ((da.zeros((8, 8), chunks=4, dtype=object), k), {}, ValueError, "type"),
        ):
            with self.subTest(options=options), self.assertRaisesRegex(error, word):
                fullconv.dask.convolve2d(*arguments, **options)

    def test_kernels_without_taps(self):
        x = random(10, 13)
        for shape, mode in itertools.product(((1, 0), (0, 2), (0, 0)), ("same", "valid")):
            with self.subTest(shape=shape, mode=mode):
                expected = fullconv.convolve2d(x, np.ones(shape), mode)
                lazy = fullconv.dask.convolve2d(da.from_array(x, (4, 5)), np.ones(shape), mode)
                self.assert_whole(lazy, expected, 0)

    def test_keep_the_kernel_that_they_were_given(self):
        x, k = random(8, 9), random(3, 2, seed=1)
        expected = fullconv.convolve2d(x, k)
        lazy = fullconv.dask.convolve2d(da.from_array(x, 4), k)
        k[:] = 5
        self.assert_whole(lazy, expected, 1e-13)

    def test_take_no_more_of_neighbours_than_reaches_a_chunk(self):
        x = da.from_array(random(64, 64), 16)
        y = fullconv.dask.convolve2d(x, np.ones((5, 3)))
        from_neighbours = [
            value[2]
            for key, value in y.dask.items()
            if isinstance(key, tuple) and key[0] == y.name + "-piece" and key[1:] == (1, 1, 0, 0)
        ]
        self.assertEqual(from_neighbours, [(slice(12, 16), slice(14, 16))])

    def test_whole_chunks_are_no_tasks_of_their_own(self):
        y = fullconv.dask.convolve2d(da.zeros((64, 64), chunks=16), np.ones((5, 3)))
        pieces = [key for key in y.dask if isinstance(key, tuple) and "-piece" in key[0]]
        # What the 16 chunks take from above, from the left, and from the corner between.
        self.assertEqual(len(pieces), 12 + 12 + 9)

    def test_memory_of_a_task(self):
        """A corner depends on its own chunk alone, which is not copied."""
        chunk, taps = 3000, 255
        taken = self.memory_of(
            """
            x = da.from_array(np.ones((chunk + taps - 1, chunk + taps - 1)), chunk)
            block = fullconv.dask.convolve2d(x, np.ones((taps, taps))).blocks[0, 0]
            """,
            chunk,
            taps,
        )
        self.assertLess(taken, 8 * chunk**2 + (64 << 20))

    def test_memory_of_a_task_with_neighbours(self):
        """Beside its part of the image and its result, 64 MiB: the outputs beyond a chunk are not
        kept, and a large kernel gets no more."""
        for chunk, taps in ((3000, 255), (2000, 1001)):
            with self.subTest(taps=taps):
                taken = self.memory_of(
                    """
                    x = da.from_array(np.ones((chunk + 2 * taps,) * 2), ((taps, chunk, taps),) * 2)
                    block = fullconv.dask.convolve2d(x, np.ones((taps, taps)), "same").blocks[1, 1]
                    """,
                    chunk,
                    taps,
                )
                image, result = 8 * (chunk + taps - 1) ** 2, 8 * chunk**2
                self.assertLess(taken, image + result + (64 << 20))

    def memory_of(self, make_block, chunk, taps):
        """Peak bytes of computing what `make_block` calls block, beyond what there was before."""
        program = f"""
import resource
import dask.array as da
import numpy as np
import fullconv.dask

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def task(chunk, taps):
{textwrap.indent(textwrap.dedent(make_block), "    ")}
    before = peak()
    block.compute(scheduler="sync")
    return peak() - before

task(100, 9)
print(task({chunk}, {taps}))
"""
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        result = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, check=True
        )
        return int(result.stdout)

    def test_stacks_of_npy_files(self):
        import tempfile

        x, k = random(20, 30), random(3, 4)
        with tempfile.TemporaryDirectory() as folder:
            da.to_npy_stack(folder + "/x", da.from_array(x, (7, 30)))
            y = fullconv.dask.convolve2d(da.from_npy_stack(folder + "/x"), k)
            da.to_npy_stack(folder + "/y", y)
            written = da.from_npy_stack(folder + "/y").compute()
        np.testing.assert_allclose(written, fullconv.convolve2d(x, k), rtol=0, atol=1e-13)

    def test_bad_input(self):
        x = da.zeros((4, 5), chunks=2)
        k = np.ones((2, 2))
        unknown = x[x.sum(axis=1) >= 0]
        for arguments, word in (
            ((x[0], k), "2-D"),
            ((x, k[0]), "2-D"),
            ((x, k, "nonsense"), "mode"),
            ((x, np.ones((5, 4)), "valid"), "every dimension"),
            ((unknown, k), "unknown sizes"),
            ((x, k.astype(object)), "type"),
        ):
            with self.subTest(arguments=arguments):
                with self.assertRaisesRegex(ValueError, word):
                    fullconv.dask.convolve2d(*arguments)


class Batches(unittest.TestCase):
    def test_are_those_of_arrays(self):
        x, weight = random(7, 4, 5, 6), random(4, 3, 3, 2, seed=1)
        bias = random(6)
        options = {"stride": 2, "padding": (1, 0, 2, 1), "groups": 2}
        expected = fullconv.conv_transpose2d(x, weight, bias, **options)
        for chunks in (1, 3, (2, 3, 2, 6), 7):
            with self.subTest(chunks=chunks):
                lazy = da.from_array(x, chunks)
                y = fullconv.dask.conv_transpose2d(lazy, weight, bias, **options)
                self.assertEqual((y.shape, y.dtype), (expected.shape, expected.dtype))
                self.assertEqual(y.chunks[0], lazy.chunks[0])
                np.testing.assert_allclose(y.compute(), expected, rtol=0, atol=1e-12)

    def test_bad_input_is_found_early(self):
        x = da.zeros((7, 4, 5, 6), chunks=2)
        with self.assertRaisesRegex(RuntimeError, "channels"):
            fullconv.dask.conv_transpose2d(x, np.zeros((3, 3, 3, 2)))
        with self.assertRaisesRegex(RuntimeError, "type"):
            fullconv.dask.conv_transpose2d(x, np.zeros((4, 3, 3, 2), np.float32))
        weight = np.zeros((4, 3, 3, 2))
        with self.assertRaisesRegex(ValueError, "nonsense"):
            fullconv.dask.conv_transpose2d(x, weight, algorithm="nonsense")
        with self.assertRaisesRegex(ValueError, "threads is 0"):
            fullconv.dask.conv_transpose2d(x, weight, threads=0)
        with self.assertRaisesRegex(RuntimeError, r"4 dimensions, .* \[4, 5, 6\]"):
            fullconv.dask.conv_transpose2d(x[0], weight)
        with self.assertRaisesRegex(RuntimeError, "unknown sizes"):
            fullconv.dask.conv_transpose2d(x[:, :, da.ones(5) > 0], weight)
        with self.assertRaisesRegex(RuntimeError, "not available"):
            fullconv.dask.conv_transpose2d(x.astype("U1"), weight.astype("U1"))

    def test_announce_the_type_that_is_computed(self):
        x = da.zeros((7, 4, 5, 6), chunks=2, dtype=">f8")
        y = fullconv.dask.conv_transpose2d(x, np.zeros((4, 3, 3, 2), ">f8"))
        self.assertEqual((y.dtype, y.dtype.isnative), (y.compute().dtype, True))

    def test_keep_the_weights_that_they_were_given(self):
        x, weight, bias = random(3, 4, 5, 6), random(4, 3, 3, 2, seed=1), random(3, seed=2)
        expected = fullconv.conv_transpose2d(x, weight, bias)
        lazy = fullconv.dask.conv_transpose2d(da.from_array(x, 2), weight, bias)
        weight[:], bias[:] = 5, 5
        np.testing.assert_allclose(lazy.compute(), expected, rtol=0, atol=1e-12)


@unittest.skipUnless(importlib.util.find_spec("distributed"), "no distributed (python3-distributed)")
class Cluster(unittest.TestCase):
    def test_survives_the_death_of_a_worker(self):
        from distributed import Client, LocalCluster

        x, k = random(400, 400), random(9, 9, seed=1)

        def slowly(block):
            time.sleep(0.05)
            return block

        with LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster, Client(cluster) as client:
            lazy = da.from_array(x, 50).map_blocks(slowly, dtype=float)
            y = fullconv.dask.convolve2d(lazy, k).persist()
            workers = client.run(os.getpid)
            deadline = time.monotonic() + 60
            # Not before it holds results that are lost with it.
            while not any(client.has_what().values()):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            os.kill(next(iter(workers.values())), signal.SIGKILL)
            computed = client.compute(y).result(timeout=120)
        error = np.abs(computed - scipy.signal.convolve2d(x, k)).max()
        self.assertLessEqual(error, bound(x, k, float))


if __name__ == "__main__":
    unittest.main()
