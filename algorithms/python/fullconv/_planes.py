"""The face that SciPy's users know: convolve2d."""

import numpy as np

from . import _core, _engine

_MODES = {"full": 0, "same": 1, "valid": 2}
_BOUNDARIES = {
    "fill": "fill",
    "pad": "fill",
    "wrap": "wrap",
    "circular": "wrap",
    "symm": "symm",
    "symmetric": "symm",
}


def convolve2d(
    in1, in2, mode="full", boundary="fill", fillvalue=0, *, algorithm="auto", threads=None
):
    """Convolve two 2-dimensional arrays, as `scipy.signal.convolve2d` does.

    Parameters
    ----------
    in1, in2 : array_like
        Two axes each. Results are of the type that NumPy promotes both to. Integers wrap around as
        NumPy's do and are exact otherwise; bools give bools, and float16 is computed in float64
        and rounded once (SciPy takes neither).
    mode : {'full', 'valid', 'same'}, optional
        ``full``
            All positions at which the two touch: ``in1.shape + in2.shape - 1``.
        ``valid``
            Those at which one lies wholly within the other.
        ``same``
            As many as `in1` has, from the centre of the full output.
    boundary : {'fill', 'wrap', 'symm'}, optional
        What surrounds `in1`: `fillvalue`, `in1` again and again, or `in1` mirrored at its edges.
    fillvalue : scalar, optional
        With 0, what is outside of `in1` does not exist: no 0 is multiplied by an infinite value of
        `in2`, which gives NaN in SciPy.
    algorithm : str, optional
        One of `fullconv.algorithms`. By default the one that is expected to be the fastest.
    threads : int, optional
        At most so many. By default as many as OpenMP's limits (OMP_NUM_THREADS, threadpoolctl) and
        the processors of this thread allow.

    Returns
    -------
    out : ndarray
        A new array of two axes.

    Raises
    ------
    TypeError
        If `algorithm` or `threads` are of other types.
    ValueError
        If an operand has not two axes or a type without arithmetic, if in mode 'valid' neither
        is at least as large as the other on both axes, if a word or a fill value is not one of
        those above, or if the algorithm declines the problem.
    MemoryError
        If the workspace would not fit into this machine.

    Notes
    -----
    Errors of float and double are bounded normwise: 'auto' may take Fourier transforms where they
    are faster. `fullconv.plan` can rule them out.

    Examples
    --------
    >>> import fullconv
    >>> x = [[1.0, 2.0], [3.0, 4.0]]
    >>> fullconv.convolve2d(x, [[1.0, 0.0, -1.0]])
    array([[ 1.,  2., -1., -2.],
           [ 3.,  4., -3., -4.]])
    >>> fullconv.convolve2d(x, [[1.0, 1.0], [1.0, 1.0]], mode="valid")
    array([[10.]])
    """
    if boundary == "fill" and type(fillvalue) is int and fillvalue == 0 and type(mode) is str:
        out = _core.convolve_planes(in1, in2, mode, algorithm, threads)
        if out is not None:
            return out

    in1, in2 = np.asarray(in1), np.asarray(in2)
    if not in1.ndim == in2.ndim == 2:
        raise ValueError("convolve2d inputs must both be 2-D arrays")
    if mode == "valid" and _is_inside(in1.shape, in2.shape):
        in1, in2 = in2, in1
    if mode not in _MODES:
        raise ValueError("Acceptable mode flags are 'valid', 'same', or 'full'.")
    if boundary == "reflect":
        raise ValueError("Incorrect boundary value.")
    if boundary not in _BOUNDARIES:
        raise ValueError(
            "Acceptable boundary flags are 'fill', 'circular' (or 'wrap'), and 'symmetric' "
            "(or 'symm')."
        )
    boundary = _BOUNDARIES[boundary]
    dtype = _common_type(in1.dtype, in2.dtype)
    fill = _fill_value(fillvalue, dtype) if boundary == "fill" else dtype.type(0)

    _core.check_options(algorithm, threads)

    rows, columns = (_wanted(mode, H, h) for H, h in zip(in1.shape, in2.shape))
    shape = (len(rows), len(columns))
    if in2.size == 0 or 0 in shape:
        return np.zeros(shape, dtype)
    if boundary != "fill" or fill != 0:
        # The image and all that can be reached around it; what is wanted is then valid.
        in1 = _surrounded(in1.astype(dtype, copy=False), rows, columns, in2.shape, boundary, fill)
        rows, columns = (_wanted("valid", H, h) for H, h in zip(in1.shape, in2.shape))
    if in1.size == 0:
        return np.zeros(shape, dtype)

    x, k = (a.astype(dtype, copy=False)[np.newaxis, np.newaxis] for a in (in1, in2))
    (H, W), (h, w) = in1.shape, in2.shape
    padding = (rows.start, columns.start, H + h - 1 - rows.stop, W + w - 1 - columns.stop)
    return _engine.convolve(x, k, _engine.Layer(padding), algorithm, threads)[0, 0]


def _is_inside(shape1, shape2):
    """Whether the second is larger, so that the two have to change places."""
    if all(a >= b for a, b in zip(shape1, shape2)):
        return False
    if all(b >= a for a, b in zip(shape1, shape2)):
        return True
    raise ValueError(
        "For 'valid' mode, one must be at least as large as the other in every dimension"
    )


def _wanted(mode, size, taps):
    """Which of the full output a mode gives, on one axis."""
    if mode == "full":
        return range(_not_negative(size + taps - 1))
    if mode == "same":
        start = max(taps - 1, 0) // 2
        return range(start, start + size)
    return range(taps - 1, size)


def _not_negative(size):
    if size < 0:
        raise ValueError("negative dimensions are not allowed")
    return size


def _common_type(a, b):
    try:
        dtype = np.promote_types(a, b)
    except TypeError:
        dtype = None
    if dtype is None or dtype.kind not in "biufc":
        raise ValueError("convolve2d not available for this type.")
    return dtype.newbyteorder("=")


def _fill_value(fillvalue, dtype):
    """The one element of `fillvalue`, by the rules by which SciPy casts it."""
    try:
        fill = np.array(fillvalue, dtype)
    except (TypeError, ValueError, OverflowError):
        np.array(fillvalue, np.complex128)  # where that fails, the error is SciPy's
        raise ValueError(
            "could not cast `fillvalue` directly to the output type "
            "(it was first converted to complex)."
        ) from None
    if fill.size == 0:
        raise ValueError("`fillvalue` cannot be an empty array.")
    if fill.size != 1:
        raise ValueError("`fillvalue` must be scalar or an array with one element.")
    return fill.reshape(())[()]


def _surrounded(image, rows, columns, kernel_shape, boundary, fill):
    """What the outputs of those rows and columns depend on, outside of the image as inside."""
    for axis, wanted, taps in zip((0, 1), (rows, columns), kernel_shape):
        reached = np.arange(wanted.start - taps + 1, wanted.stop)
        size = image.shape[axis]
        if boundary == "fill":
            before = max(-(wanted.start - taps + 1), 0)
            after = max(wanted.stop - size, 0)
            widths = [(0, 0), (0, 0)]
            widths[axis] = (before, after)
            image = np.pad(image, widths, constant_values=fill)
            image = np.take(image, reached + before, axis)
            continue
        if size == 0:
            raise ValueError("an image without elements has nothing to surround it with")
        if boundary == "wrap":
            image = np.take(image, reached % size, axis)
        else:
            reached %= 2 * size
            image = np.take(image, np.minimum(reached, 2 * size - 1 - reached), axis)
    return image
