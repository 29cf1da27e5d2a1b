"""The text forms of cases and benchmarks."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CASE = re.compile(
    r"(?:n(?P<N>\d+)_i(?P<K>\d+)_o(?P<C>\d+)_)?"
    r"(?P<H>\d+)x(?P<W>\d+)_k(?P<h>\d+)x(?P<w>\d+)(?:_(?P<rest>\w+))?"
)
_BENCHMARK = re.compile(
    r"(?P<phase>plan|execute|oneshot)/(?P<algorithm>\w+(?:\+\d+)?)/(?P<scalar>f32|f64)/"
    r"(?P<case>\w+)/threads:(?P<threads>\d+)(?P<rest>(?:/.*)?)"
)


@dataclass(frozen=True)
class Case:
    """A problem with the family of its operands; sizes as in the library."""

    text: str
    N: int
    K: int
    C: int
    H: int
    W: int
    h: int
    w: int
    rest: str  # what follows the kernel: the operands' family and the like

    @property
    def layer(self) -> bool:
        """Whether it has a batch or channels."""
        return (self.N, self.K, self.C) != (1, 1, 1)

    @property
    def multiply_adds(self) -> int:
        """The products that exist."""
        return self.N * self.K * self.C * self.H * self.W * self.h * self.w

    @property
    def values(self) -> int:
        """Elements of x, k and y together."""
        outputs = (self.H + self.h - 1) * (self.W + self.w - 1)
        images = self.N * (self.K * self.H * self.W + self.C * outputs)
        return images + self.K * self.C * self.h * self.w


def parse_case(text: str) -> Case:
    """The case that `text` names; ValueError if it names none."""
    match = _CASE.fullmatch(text)
    if not match:
        raise ValueError(f"'{text}' is no case: expected something like 8x8_k5x5")
    sizes = {name: int(match[name] or 1) for name in "NKCHWhw"}
    if min(sizes.values()) < 1:
        raise ValueError(f"'{text}' is no case: every size must be at least 1")
    return Case(text=text, rest=match["rest"] or "", **sizes)


def read_cases(path: str) -> dict[Case, str]:
    """The cases of a file, with the remark behind each: one a line, `#` starts a comment."""
    cases: dict[Case, str] = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            text, _, remark = (part.strip() for part in line.partition("#"))
            if not text:
                continue
            try:
                cases.setdefault(parse_case(text), remark)
            except ValueError as error:
                raise ValueError(f"{path}:{number}: {error}") from None
    return cases


@dataclass(frozen=True)
class BenchmarkName:
    """The five fields that a benchmark's name begins with, and its modes."""

    phase: str  # `cold plan` where the name says that nothing was remembered
    algorithm: str  # `NAME+P` for one that does P % more work than NAME
    scalar: str
    case: str
    threads: int
    cache: str = "hot"  # or `cold`: the operands were thrown out of the caches before each call
    output: str = "reused"  # or `fresh`: each call writes into memory that is new to the process


def parse_benchmark_name(text: str) -> BenchmarkName:
    """The fields of a benchmark's name; ValueError if it is none of ours."""
    match = _BENCHMARK.fullmatch(text)
    if not match:
        raise ValueError(f"'{text}' is no benchmark of fullconv_bench")
    fields = match.groupdict()
    options = fields.pop("rest").split("/")
    if "cold" in options:
        fields["phase"] = f"cold {fields['phase']}"
    modes = {"cache": ("hot", "cold"), "output": ("reused", "fresh")}
    for mode, values in modes.items():
        fields |= {mode: value for value in values if f"{mode}:{value}" in options}
    return BenchmarkName(**{**fields, "threads": int(fields["threads"])})


def base_name(algorithm: str) -> str:
    """The algorithm that a handicapped one is a second plan of: NAME of `NAME+P`."""
    return algorithm.partition("+")[0]


def short_names(names: list[str]) -> dict[str, str]:
    """Each name cut at its first underscore, or at a later one where that is ambiguous."""
    short = {}
    for name in names:
        parts = name.split("_")
        for count in range(1, len(parts) + 1):
            candidate = "_".join(parts[:count])
            others = (other for other in names if other != name)
            if not any((other + "_").startswith(candidate + "_") for other in others):
                break
        short[name] = candidate
    return short
