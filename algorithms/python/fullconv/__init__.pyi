from typing import Any, Literal, TypedDict

from numpy.typing import ArrayLike, NDArray

class Algorithm(TypedDict):
    name: str
    summary: str
    scalars: tuple[Literal["float32", "float64"], ...]
    error_model: str
    threaded: bool

def algorithms() -> list[Algorithm]: ...
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
