"""What the library offers, and plans that are made once and executed often."""

import operator
import sys

import numpy as np

from . import _core
from ._layers import _layer
from ._core import Plan


def algorithms():
    """The algorithms that this build has.

    Returns
    -------
    list of dict
        Of each its ``name``, a ``summary`` of one line, the ``scalars`` that it computes in, its
        ``error_model`` and whether it is ``threaded``.

    Examples
    --------
    >>> import fullconv
    >>> "auto" in [algorithm["name"] for algorithm in fullconv.algorithms()]
    True
    """
    return _core.algorithms()


def _tolerance(accuracy):
    """That of 'rel=1e-5', or None for an error model."""
    if accuracy in ("normwise", "componentwise"):
        return None
    try:
        name, _, number = accuracy.partition("=")
        tolerance = float(number)
    except (AttributeError, ValueError):
        tolerance = 0
    if not tolerance > 0 or name != "rel":
        raise ValueError(
            f"accuracy is {accuracy!r}: expected 'normwise', 'componentwise' or 'rel=' and a "
            "number above 0"
        )
    return tolerance


def plan(
    x,
    k,
    dtype=None,
    *,
    stride=1,
    padding=0,
    output_padding=0,
    groups=1,
    dilation=1,
    algorithm="auto",
    threads=None,
    effort="estimate",
    accuracy="normwise",
    reproducible=False,
    workspace_limit=None,
):
    """Make a full convolution ready to run, once for as many calls as you like.

    Parameters
    ----------
    x, k : tuple of int or array
        Shapes, or arrays that have them: [H, W] and [h, w], or [N, K, H, W] and
        [K, C / groups, h, w].
    dtype : {'float32', 'float64'}, optional
        By default that of the arrays, or float32 for shapes.
    stride, padding, output_padding, groups, dilation : optional
        As in `conv_transpose2d`.
    algorithm, threads : optional
        As in `convolve2d`.
    effort : {'estimate', 'measure'}, optional
        Whether planning may take seconds to time the alternatives.
    accuracy : {'normwise', 'componentwise'} or str, optional
        Of 'auto': 'componentwise' rules out what has errors that are small beside the largest
        values only, and 'rel=1e-5', say, what has no error bound that small, relative to the
        norms of x, k and y.
    reproducible : bool, optional
        The same bits for any number of threads and either effort, at the price of one thread.
    workspace_limit : int, optional
        How many bytes 'auto' may plan for.

    Returns
    -------
    plan : Plan
        ``plan(x, k, out=None)`` convolves arrays of these shapes and this type, of any strides,
        and writes into `out` if that is given: an array that overlaps neither. Several threads may
        call one plan, and wait for each other; plans of several threads run side by side.
        Operands that are changed meanwhile give some mixture of old and new values. Where the
        process forks meanwhile, the child's copy of the plan raises RuntimeError.

    Raises
    ------
    TypeError
        If an argument is of a type that it cannot be of.
    ValueError
        If shapes and numbers do not go together, or the algorithm declines them.
    MemoryError
        If the workspace would not fit into this machine.

    Examples
    --------
    >>> import numpy as np, fullconv
    >>> plan = fullconv.plan((2, 3), (1, 2), dtype="float64")
    >>> plan.problem, plan.output_shape
    ('2x3_k1x2', (2, 4))
    >>> y = np.empty(plan.output_shape)
    >>> plan(np.ones((2, 3)), np.array([[1.0, 2.0]]), out=y) is y
    True
    >>> y[0]
    array([1., 3., 3., 2.])
    """
    x_shape, k_shape = (tuple(map(operator.index, getattr(a, "shape", a))) for a in (x, k))
    if len(x_shape) != len(k_shape) or len(x_shape) not in (2, 4):
        raise ValueError(
            f"x is {list(x_shape)} and k is {list(k_shape)}: expected two axes each, or four"
        )
    for name, shape in (("x", x_shape), ("k", k_shape)):
        if max(map(abs, shape)) > sys.maxsize:
            raise ValueError(f"{name} is {list(shape)}: such sizes overflow 64 bits")
    if dtype is None:
        dtype = getattr(x, "dtype", np.float32)
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"plans are for float32 and float64, not {dtype}")
    tolerance = _tolerance(accuracy)
    if effort not in ("estimate", "measure"):
        raise ValueError(f"effort is {effort!r}: expected 'estimate' or 'measure'")
    if not isinstance(reproducible, (bool, np.bool_)):
        raise TypeError(f"reproducible is {reproducible!r}: expected True or False")
    try:
        layer = _layer(stride, padding, output_padding, dilation, groups)
    except RuntimeError as error:
        raise ValueError(str(error)) from None
    is_plane = len(x_shape) == 2
    if is_plane:
        x_shape, k_shape = (1, 1, *x_shape), (1, 1, *k_shape)
    return _core.plan(
        x_shape,
        k_shape,
        dtype == np.float64,
        layer,
        is_plane,
        algorithm,
        threads,
        effort == "measure",
        accuracy,
        tolerance,
        bool(reproducible),
        workspace_limit,
    )
