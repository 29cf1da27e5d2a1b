"""Whether somebody's own full convolution is right, and if not, what it is instead."""

import math
from dataclasses import dataclass, field

import numpy as np

from . import _core


@dataclass(frozen=True)
class Finding:
    """What `check` found. It is true where the result is right, and prints as an explanation.

    Attributes
    ----------
    right : bool
        Whether the result is.
    explanation : str
        What it is, in one sentence.
    wrong : ndarray of bool
        Which outputs are wrong; empty where the result has another shape.
    error : float
        The largest error, in units of what rounding explains.
    mistakes : tuple of str
        The names of the known mistakes that account for the result, as ``fullconv check`` has
        them; several where they come together.

    Examples
    --------
    >>> import fullconv
    >>> finding = fullconv.check([[3.0, 10.0, 16.0]], [[1.0, 2.0]], [[3.0, 4.0]])
    >>> finding.right, finding.wrong
    (False, array([[False, False,  True]]))
    >>> print(finding)
    The last column is not written: it holds what was there before. 1 of 3 outputs are wrong.
    ..#
    """

    right: bool
    explanation: str
    wrong: np.ndarray = field(repr=False)
    error: float
    mistakes: tuple = ()

    def __bool__(self):
        return self.right

    def __str__(self):
        if self.right or self.wrong.size == 0:
            return self.explanation
        return f"{self.explanation}\n{_picture(self.wrong)}"


def check(mine, x, k):
    """Hold somebody's own full convolution against the definition.

    Parameters
    ----------
    mine : callable or array_like
        A function that is called as ``mine(x, k)``, or what it gave.
    x, k : array_like
        Image and kernel of finite real numbers, two axes each. Take random ones: with operands
        that are constant or symmetric most mistakes cannot be seen.

    Returns
    -------
    finding : Finding
        True where the result is right to the precision of its type. ``explanation`` says in one
        sentence what it is instead, if that is something known: a correlation, a crop, a circular
        convolution, one that is shifted, transposed, scaled, less precise or incomplete, or the
        form by hand whose head takes the wrong end of the filter. Printed, it also shows where
        the outputs are that are wrong.

    Raises
    ------
    ValueError
        If operands have not two axes, no elements, or hold NaN, infinite or complex numbers.

    Examples
    --------
    >>> import numpy as np, fullconv
    >>> from scipy.signal import correlate2d
    >>> x, k = np.random.default_rng(1).normal(size=(2, 5, 5))
    >>> print(fullconv.check(correlate2d, x, k))
    It is a correlation: the kernel is not flipped. 81 of 81 outputs are wrong.
    #########
    #########
    #########
    #########
    #########
    #########
    #########
    #########
    #########
    >>> bool(fullconv.check(fullconv.convolve2d, x, k))
    True
    """
    x, k = (_operand(name, value) for name, value in (("x", x), ("k", k)))
    before = x.copy(), k.copy()
    y = np.asarray(mine(x, k) if callable(mine) else mine)
    if not all(np.array_equal(a, b) for a, b in zip(before, (x, k))):
        return Finding(False, "It changes its operands.", np.zeros(0, bool), math.inf)
    x, k = (a.astype(np.float64) for a in before)

    if y.dtype.kind not in "biuf":
        return _wrong(f"It gives {y.dtype}, not real numbers.")
    due = [n + m - 1 for n, m in zip(x.shape, k.shape)]
    shape = "" if list(y.shape) == due else f"It is {list(y.shape)}, where {due} is due. "
    if y.ndim != 2 or y.size == 0:
        return _wrong(shape.rstrip())
    itemsize = min(y.dtype.itemsize, 8)
    found = _core.diagnose(x, k, y.astype(np.float64), y.dtype.kind, itemsize)
    wrong, error = found["wrong"], found["error"]
    if found["right"]:
        words = f"It is right: {error:.2g} of what rounding explains."
        return Finding(True, words, wrong, error)
    sentences = [sentence for _, sentence, _ in found["explanations"]]
    words = shape + " ".join(sentences or ["It is nothing known."])
    if not shape:
        words += f" {wrong.sum()} of {wrong.size} outputs are wrong."
    names = tuple(name for name, _, _ in found["explanations"])
    return Finding(False, words, wrong, error, names)


def _operand(name, value):
    array = np.array(value)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{name} is {list(array.shape)}: expected two axes and elements")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds {array.dtype}: expected real numbers")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite numbers: expected finite ones")
    return array


def _wrong(explanation):
    return Finding(False, explanation, np.zeros(0, bool), math.inf)


def _picture(wrong, most_rows=24, most_columns=72):
    """Where outputs are wrong: '#' for a place with any that is."""
    rows, columns = wrong.shape
    down, across = -(-rows // most_rows), -(-columns // most_columns)
    return "\n".join(
        "".join(
            "#" if wrong[i : i + down, j : j + across].any() else "."
            for j in range(0, columns, across)
        )
        for i in range(0, rows, down)
    )
