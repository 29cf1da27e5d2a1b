"""Full convolutions of Dask arrays: images larger than memory, or than one machine.

Each chunk of the result takes those chunks of the image that it depends on, and of its neighbours
the h - 1 rows and w - 1 columns that reach it. `dask.array.map_overlap` can't do this for the full
output, which is larger than the image: it announces one shape and computes another.
"""

from operator import getitem

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from . import _core, _engine, _layers, _planes

__all__ = ["conv_transpose2d", "convolve2d"]

_TASK_WORKSPACE = 64 << 20  # bytes that a task takes beside its part of the image and its result


def convolve2d(x, k, mode="full", *, algorithm="auto", threads=1):
    """Convolve a Dask array of two axes, lazily.

    Parameters
    ----------
    x : dask.array.Array
        The image, [H, W], in chunks of any sizes, smaller than the kernel too.
    k : array_like or dask.array.Array
        The kernel, [h, w]. It goes to each task as a whole, with the values that it has now.
    mode : {'full', 'same', 'valid'}, optional
        As in `fullconv.convolve2d`.
    algorithm : str, optional
        As in `fullconv.convolve2d`.
    threads : int, optional
        At most so many within each task; Dask itself runs tasks side by side.

    Returns
    -------
    out : dask.array.Array
        In the chunks of `x`. In mode 'full' those at the lower and right edges have h - 1 rows and
        w - 1 columns more, in mode 'valid' those at the upper and left edges so many less.

    Raises
    ------
    ValueError, TypeError
        As `fullconv.convolve2d`, before anything is computed, and for an image with chunks of
        unknown sizes.

    Examples
    --------
    >>> import dask.array as da
    >>> import fullconv.dask
    >>> x = da.ones((4, 6), chunks=(2, 3))
    >>> y = fullconv.dask.convolve2d(x, [[1.0, 2.0]])
    >>> y.shape, y.chunks
    ((4, 7), ((2, 2), (3, 4)))
    >>> y.compute()[0]
    array([1., 3., 3., 3., 3., 3., 2.])
    """
    x = da.asarray(x)
    # A copy, since what the caller writes to its own before the tasks run is not to be seen.
    k = k if isinstance(k, da.Array) else np.array(k)
    if not x.ndim == k.ndim == 2:
        raise ValueError("convolve2d inputs must both be 2-D arrays")
    if np.isnan((*x.shape, *k.shape)).any():
        raise ValueError("chunks have unknown sizes: call compute_chunk_sizes() first")
    if mode == "valid" and _planes._is_inside(x.shape, k.shape):
        x, k = da.asarray(k), x
    if mode not in _planes._MODES:
        raise ValueError("Acceptable mode flags are 'valid', 'same', or 'full'.")
    dtype = _planes._common_type(x.dtype, k.dtype)
    _core.check_options(algorithm, threads)

    name = "fullconv-" + tokenize(x, k, mode, algorithm, threads)
    dependencies = [x]
    if isinstance(k, da.Array):
        k = k.rechunk(k.shape)
        dependencies.append(k)
        kernel, graph = (k.name, 0, 0), {}
    else:
        kernel = name + "-kernel"
        graph = {kernel: k}

    rows, columns = (
        _output_chunks(_planes._wanted(mode, size, taps), chunks, mode)
        for size, taps, chunks in zip(x.shape, k.shape, x.chunks)
    )
    row_parts, column_parts = (
        [_parts(chunks, out, taps) for out in outputs]
        for chunks, outputs, taps in zip(x.chunks, (rows, columns), k.shape)
    )
    for i, (out_rows, above) in enumerate(zip(rows, row_parts)):
        for j, (out_columns, left) in enumerate(zip(columns, column_parts)):
            pieces = []
            for a, (block_row, row_slice, _) in enumerate(above):
                pieces.append([])
                for b, (block_column, column_slice, _) in enumerate(left):
                    block = (x.name, block_row, block_column)
                    sizes = (x.chunks[0][block_row], x.chunks[1][block_column])
                    if (row_slice, column_slice) == tuple(slice(0, size) for size in sizes):
                        pieces[-1].append(block)
                        continue
                    piece = (name + "-piece", i, j, a, b)
                    graph[piece] = (getitem, block, (row_slice, column_slice))
                    pieces[-1].append(piece)
            starts = [parts[0][2] if parts else 0 for parts in (above, left)]
            crop = tuple(
                (out.start - start, len(out))
                for out, start in zip((out_rows, out_columns), starts)
            )
            graph[(name, i, j)] = (_convolve, pieces, kernel, crop, dtype, algorithm, threads)

    chunks = tuple(tuple(map(len, axis)) for axis in (rows, columns))
    graph = HighLevelGraph.from_collections(name, graph, dependencies=dependencies)
    return da.Array(graph, name, chunks, dtype=dtype)


def conv_transpose2d(
    x,
    weight,
    bias=None,
    stride=1,
    padding=0,
    output_padding=0,
    groups=1,
    dilation=1,
    *,
    algorithm="auto",
    threads=1,
):
    """Transposed convolution of a batch that is a Dask array, lazily.

    Parameters
    ----------
    x : dask.array.Array
        [N, K, H, W], in chunks along the batch; those along other axes are joined.
    weight, bias : ndarray
        [K, C / groups, h, w] and [C] or None: they go to each task as a whole, with the values that
        they have now.
    stride, padding, output_padding, groups, dilation, algorithm : optional
        As in `fullconv.conv_transpose2d`.
    threads : int, optional
        At most so many within each task; Dask itself runs tasks side by side.

    Returns
    -------
    y : dask.array.Array
        [N, C, rows, columns], in the chunks of `x` along the batch.

    Raises
    ------
    RuntimeError, TypeError, ValueError
        As `fullconv.conv_transpose2d`, before anything is computed.

    Examples
    --------
    >>> import dask.array as da, numpy as np
    >>> import fullconv.dask
    >>> x = da.ones((5, 3, 4, 4), chunks=2)
    >>> y = fullconv.dask.conv_transpose2d(x, np.ones((3, 1, 2, 2)), stride=2)
    >>> y.shape, y.chunks[0]
    ((5, 1, 8, 8), (2, 2, 1))
    """
    x = da.asarray(x)
    options = {
        "stride": stride,
        "padding": padding,
        "output_padding": output_padding,
        "groups": groups,
        "dilation": dilation,
        "algorithm": algorithm,
        "threads": threads,
    }
    if x.ndim != 4:
        raise RuntimeError(f"expected x of 4 dimensions, a batch, but got size {list(x.shape)}")
    if np.isnan(x.shape[1:]).any():
        raise RuntimeError("chunks have unknown sizes: call compute_chunk_sizes() first")
    # An empty batch tells shape and type, or what is wrong.
    nothing = np.empty((0, *x.shape[1:]), x.dtype)
    result = _layers.conv_transpose2d(nothing, weight, bias, **options)
    return x.rechunk({1: -1, 2: -1, 3: -1}).map_blocks(
        _layers.conv_transpose2d,
        np.array(weight),
        None if bias is None else np.array(bias),
        **options,
        dtype=result.dtype,
        chunks=(x.chunks[0], *((size,) for size in result.shape[1:])),
        meta=np.empty((0, 0, 0, 0), result.dtype),
    )


def _output_chunks(wanted, chunks, mode):
    """Ranges of the full output that make up the chunks of the result, on one axis."""
    ranges = []
    start = wanted.start if mode == "same" else 0
    ends = (start + np.cumsum(chunks)).tolist()
    start = min(start, wanted.start)  # without taps, 'valid' begins one before the image
    # All that lies beyond the image belongs to its last chunk.
    ends[-1] = max(wanted.stop, ends[-1])
    for end in ends:
        part = range(max(start, wanted.start), min(end, wanted.stop))
        if len(part) > 0:
            ranges.append(part)
        start = end
    return ranges or [range(wanted.start, wanted.start)]


def _parts(chunks, out, taps):
    """What a range of outputs depends on, on one axis: of each chunk its index, the slice, and
    where in the image that begins."""
    parts = []
    start = 0
    for index, size in enumerate(chunks):
        begin = max(out.start - taps + 1, start)
        end = min(out.stop, start + size)
        if begin < end:
            parts.append((index, slice(begin - start, end - start), begin))
        start += size
    return parts


def _convolve(pieces, kernel, crop, dtype, algorithm, threads):
    """The outputs of one chunk."""
    (top, rows), (left, columns) = crop
    if not pieces or not pieces[0] or kernel.size == 0 or rows == 0 or columns == 0:
        return np.zeros((rows, columns), dtype)
    single = len(pieces) == len(pieces[0]) == 1
    image = pieces[0][0] if single else np.block(pieces)
    x, k = (a.astype(dtype, copy=False)[np.newaxis, np.newaxis] for a in (image, kernel))
    (H, W), (h, w) = image.shape, kernel.shape
    padding = (top, left, H + h - 1 - top - rows, W + w - 1 - left - columns)
    layer = _engine.Layer(padding)
    return _engine.convolve(x, k, layer, algorithm, threads, _TASK_WORKSPACE)[0, 0]
