"""Whether somebody's own full convolution is right, and if not, what it is instead."""

import math
from dataclasses import dataclass, field

import numpy as np

from ._plans import plan


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

    Examples
    --------
    >>> import fullconv
    >>> finding = fullconv.check([[3.0, 10.0, 16.0]], [[1.0, 2.0]], [[3.0, 4.0]])
    >>> finding.right, finding.wrong
    (False, array([[False, False,  True]]))
    >>> print(finding)
    It is nothing known. 1 of 3 outputs are wrong.
    ..#
    """

    right: bool
    explanation: str
    wrong: np.ndarray = field(repr=False)
    error: float

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

    truth = _Truth(x, k)
    if y.dtype.kind not in "biuf":
        return _wrong(f"It gives {y.dtype}, not real numbers.")
    unit = np.finfo(y.dtype).eps / 2 if y.dtype.kind == "f" else 0.0
    y = y.astype(np.float64)
    if y.shape == truth.y.shape:
        finding = _find_mistake(truth, y, unit)
    else:
        finding = _explain_shape(truth, y, unit)
    return finding


def _operand(name, value):
    array = np.array(value)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{name} is {list(array.shape)}: expected two axes and elements")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds {array.dtype}: expected real numbers")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite numbers: expected finite ones")
    return array


class _Truth:
    """The definition's result in double, and how far rounding may lead from it."""

    def __init__(self, x, k):
        self.x, self.k = x, k
        self.y = self.full(x, k)
        self.magnitude = self.full(np.abs(x), np.abs(k))
        self.products = min(x.size, k.size)

    @staticmethod
    def full(x, k):
        exactly = plan(x.shape, k.shape, "float64", accuracy="componentwise")
        return exactly(np.ascontiguousarray(x), np.ascontiguousarray(k))

    def limit(self, unit):
        """n * u * sum|x||k| for sums in any order, or what transforms may err by, where that is
        more; and what this result itself may be off by."""
        log_points = math.log2(4 * self.y.size)
        norms = np.linalg.norm(self.x) * np.linalg.norm(self.k)
        transforms = 16 * log_points * (norms + np.linalg.norm(self.y))
        sums = self.products * self.magnitude
        return unit * np.maximum(sums, transforms) + 2.0**-53 * sums


def _wrong(explanation, wrong=None, error=math.inf):
    return Finding(False, explanation, np.zeros(0, bool) if wrong is None else wrong, error)


def _matches(y, other, limit):
    """For each output whether it is the other, within a limit; the largest for another shape."""
    if y.shape != np.shape(limit):
        limit = np.max(limit)
    with np.errstate(invalid="ignore"):
        return np.abs(y - other) <= limit


def _find_mistake(truth, y, unit):
    limit = truth.limit(unit)
    wrong = ~_matches(y, truth.y, limit)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.abs(y - truth.y) / limit
    error = float(np.max(np.where(wrong | (limit > 0), ratios, 0)))
    if not wrong.any():
        return Finding(True, f"It is right: {error:.2g} of what rounding explains.", wrong, error)
    count = f"{wrong.sum()} of {wrong.size} outputs are wrong."

    best, best_count = None, 0
    for sentence, other in _suspects(truth, y):
        if other.shape != y.shape:
            continue
        matches = _matches(y, other, limit)
        if matches.all():
            return _wrong(f"It is {sentence}. {count}", wrong, error)
        explained = int((matches & wrong).sum())
        if explained > best_count:
            best, best_count = sentence, explained
    for sentence, allowed in _precisions(truth, unit):
        if _matches(y, truth.y, allowed).all():
            return _wrong(f"It is right to {sentence} only. {count}", wrong, error)
    incomplete = _incomplete(y, wrong)
    if incomplete:
        return _wrong(f"{incomplete} {count}", wrong, error)
    if best_count > wrong.sum() / 2:
        return _wrong(f"As far as {best_count} outputs go, it is {best}. {count}", wrong, error)
    return _wrong(f"It is nothing known. {count}", wrong, error)


def _suspects(truth, y):
    """What people compute instead, each with the words that follow "It is"."""
    x, k, full = truth.x, truth.k, truth.full
    yield "a correlation: the kernel is not flipped", full(x, k[::-1, ::-1])
    yield "flipped along columns only: rows of the kernel are not", full(x, k[::-1])
    yield "flipped along rows only: columns of the kernel are not", full(x, k[:, ::-1])
    if truth.y.size <= 100_000:
        unflipped = _three_branches(x, k)
        yield "the form of three branches with the filter not flipped", unflipped
        yield (
            "the form of three branches whose head takes the front of the flipped filter, where "
            "it has to take the back",
            _three_branches(x, k[::-1, ::-1]),
        )
    yield "that of the transposed kernel", full(x, k.T)
    yield "that of the transposed image", full(x.T, k)
    yield "transposed", truth.y.T

    norm = float((truth.y**2).sum())
    if norm > 0 and np.isfinite(y).all():
        factor = float((y * truth.y).sum()) / norm
        if math.isclose(factor, 1 / k.size, rel_tol=1e-6):
            words = "the mean of the products, where the sum is asked for"
        elif k.sum() != 0 and math.isclose(factor, 1 / k.sum(), rel_tol=1e-6):
            words = "divided by the sum of the kernel"
        else:
            words = f"{factor:.6g} times the right result"
        if not math.isclose(factor, 1, rel_tol=1e-6):
            yield words, factor * truth.y
        shift = _shift(y, truth.y)
        if shift != (0, 0):
            yield f"rolled by {shift} rows and columns", np.roll(truth.y, shift, (0, 1))
            yield f"shifted by {shift} rows and columns", _shifted(truth.y, shift)


def _explain_shape(truth, y, unit):
    limit = truth.limit(unit)
    shape = f"It is {list(y.shape)}, where {list(truth.y.shape)} is due"
    x, k = truth.x, truth.k
    (H, W), (h, w) = x.shape, k.shape
    crops = {
        "the crop of mode 'same'": ((h - 1) // 2, (w - 1) // 2, H, W),
        "the crop of the image's size, its centre one off": (h // 2, w // 2, H, W),
        "the first rows and columns": (0, 0, H, W),
        "the crop of mode 'valid'": (h - 1, w - 1, H - h + 1, W - w + 1),
    }
    of = {"": truth.y, " of a correlation, which is what a layer computes forwards": None}
    of[" of a correlation, which is what a layer computes forwards"] = truth.full(x, k[::-1, ::-1])
    for words, whole in of.items():
        for crop, (top, left, rows, columns) in crops.items():
            part = whole[top : top + rows, left : left + columns]
            if rows > 0 and columns > 0 and part.shape == y.shape:
                if _matches(y, part, limit).all():
                    return _wrong(f"{shape}: {crop}{words}.")
    if y.shape == x.shape and h <= H and w <= W:
        circular = np.fft.ifft2(np.fft.fft2(x) * np.fft.fft2(k, x.shape)).real
        if _matches(y, circular, truth.limit(max(unit, 2.0**-53))).all():
            return _wrong(f"{shape}: a circular convolution, whose edges run into each other.")
    if y.shape == truth.y.T.shape and _matches(y, truth.y.T, limit).all():
        return _wrong(f"{shape}: it is transposed.")
    return _wrong(f"{shape}.")


def _three_branches(x, f):
    """As it is written by hand: head, middle and tail of each axis multiply a slice of the image
    by a slice of the filter. The head's slice is from the front."""

    def slices(i, size, taps):
        if i < taps - 1:
            return slice(0, min(i + 1, size)), slice(0, min(i + 1, size))
        if i < size:
            return slice(i - taps + 1, i + 1), slice(0, taps)
        return slice(i - taps + 1, size), slice(0, size + taps - 1 - i)

    (H, W), (h, w) = x.shape, f.shape
    y = np.zeros((H + h - 1, W + w - 1))
    for i, j in np.ndindex(y.shape):
        (rows, p), (columns, q) = slices(i, H, h), slices(j, W, w)
        y[i, j] = (x[rows, columns] * f[p, q]).sum()
    return y


def _precisions(truth, unit):
    """Lower precisions, with what operands and sums rounded to them may be off by."""
    for words, coarse in (
        ("the precision of float32", 2.0**-24),
        ("the precision of TF32 or float16", 2.0**-11),
        ("the precision of bfloat16", 2.0**-8),
    ):
        if coarse > unit:
            # Operands and result rounded to it, sums in float32.
            rounded = 3.1 * coarse * truth.magnitude
            yield words, rounded + truth.limit(max(unit, 2.0**-24))


def _incomplete(y, wrong):
    """Says that whole rows or columns are all that is wrong, where they are."""
    for axis, word in ((1, "rows"), (0, "columns")):
        lines = np.flatnonzero(wrong.any(axis))
        inside = np.take(y, lines, 1 - axis)
        if len(lines) < wrong.shape[1 - axis] // 2 + 1:
            if np.isnan(inside).all() or (inside == 0).all():
                content = "NaN" if np.isnan(inside).any() else "0"
                return f"Its {word} {', '.join(map(str, lines))} are {content}: never written."
    return None


def _shift(y, truth):
    """By how much `y` is rolled against the truth, if it is."""
    spectrum = np.fft.fft2(y) * np.conj(np.fft.fft2(truth))
    at = np.unravel_index(np.argmax(np.fft.ifft2(spectrum).real), y.shape)
    return tuple(int(s - n if s > n // 2 else s) for s, n in zip(at, y.shape))


def _shifted(y, shift):
    """Zeros come in where rows and columns leave."""
    result = np.zeros_like(y)
    to, source = (
        tuple(slice(max(sign * s, 0), n + min(sign * s, 0)) for s, n in zip(shift, y.shape))
        for sign in (1, -1)
    )
    result[to] = y[source]
    return result


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
