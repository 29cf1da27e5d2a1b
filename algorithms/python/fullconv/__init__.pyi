from collections.abc import Callable, Sequence
from typing import Any, Literal, TypedDict, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__version__: str

_Array = TypeVar("_Array")  # of NumPy, of PyTorch, or anything else with __dlpack__
_Pair = int | Sequence[int]

class Algorithm(TypedDict):
    name: str
    summary: str
    scalars: tuple[Literal["float32", "float64"], ...]
    error_model: str
    threaded: bool

class Finding:
    right: bool
    explanation: str
    wrong: NDArray[np.bool_]
    error: float
    mistakes: tuple[str, ...]
    def __bool__(self) -> bool: ...

class Plan:
    @property
    def problem(self) -> str: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def output_shape(self) -> tuple[int, ...]: ...
    @property
    def algorithm(self) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def workspace_bytes(self) -> int: ...
    def __call__(
        self, x: NDArray[Any], k: NDArray[Any], out: NDArray[Any] | None = None
    ) -> NDArray[Any]: ...

def algorithms() -> list[Algorithm]: ...
def check(
    mine: Callable[[NDArray[Any], NDArray[Any]], ArrayLike] | ArrayLike, x: ArrayLike, k: ArrayLike
) -> Finding: ...
def conv2d_input(
    input_size: Sequence[int],
    weight: _Array,
    grad_output: _Array,
    stride: _Pair = 1,
    padding: _Pair = 0,
    dilation: _Pair = 1,
    groups: int = 1,
    *,
    algorithm: str = "auto",
    threads: int | None = None,
) -> _Array: ...
def conv_transpose2d(
    x: _Array,
    weight: _Array,
    bias: _Array | None = None,
    stride: _Pair = 1,
    padding: _Pair = 0,
    output_padding: _Pair = 0,
    groups: int = 1,
    dilation: _Pair = 1,
    *,
    algorithm: str = "auto",
    threads: int | None = None,
) -> _Array: ...
def convolve2d(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: Literal["full", "same", "valid"] = "full",
    boundary: Literal["fill", "pad", "wrap", "circular", "symm", "symmetric"] = "fill",
    fillvalue: ArrayLike = 0,
    *,
    algorithm: str = "auto",
    threads: int | None = None,
) -> NDArray[Any]: ...
def plan(
    x: Sequence[int] | NDArray[Any],
    k: Sequence[int] | NDArray[Any],
    dtype: DTypeLike | None = None,
    *,
    stride: _Pair = 1,
    padding: _Pair = 0,
    output_padding: _Pair = 0,
    groups: int = 1,
    dilation: _Pair = 1,
    algorithm: str = "auto",
    threads: int | None = None,
    effort: Literal["estimate", "measure"] = "estimate",
    accuracy: Literal["normwise", "componentwise"] | str = "normwise",
    reproducible: bool = False,
    workspace_limit: int | None = None,
) -> Plan: ...
