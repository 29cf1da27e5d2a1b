"""What the library offers, and plans that are made once and executed often."""

from . import _core


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
