"""Images larger than memory, by Dask: from a stack of .npy files to one, and to zarr.

Works in a folder of its own, or in the one that is named as an argument.
"""

import importlib.util
import pathlib
import sys
import tempfile

import dask.array as da
import numpy as np

import fullconv.dask

with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else scratch)

    # An image that stands for one that does not fit: chunks are made, used and forgotten.
    generator = da.random.RandomState(1)
    image = generator.normal(size=(3000, 4000), chunks=(500, 4000)).astype(np.float32)
    da.to_npy_stack(folder / "image", image)

    x = da.from_npy_stack(folder / "image")
    k = np.random.default_rng(2).normal(size=(31, 31)).astype(np.float32)
    y = fullconv.dask.convolve2d(x, k)
    print("image", x.shape, x.chunksize, "result", y.shape, y.dtype)
    da.to_npy_stack(folder / "result", y)

    # A part of it, computed apart.
    part = fullconv.convolve2d(np.asarray(x[1400:1600, 1000:1100]), k, mode="valid")
    written = da.from_npy_stack(folder / "result")[1430:1600, 1030:1100].compute()
    assert np.allclose(part, written, atol=1e-3)

    if importlib.util.find_spec("zarr"):
        da.to_zarr(y.rechunk((500, 1000)), str(folder / "result.zarr"))
        same = da.from_zarr(str(folder / "result.zarr"))
        assert np.allclose(part, same[1430:1600, 1030:1100].compute(), atol=1e-3)
        print("zarr", same.shape, same.chunksize)
    else:
        print("skipped: zarr, which is not installed (python3-zarr)")
