"""The text forms of cases and benchmarks."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CASE = re.compile(
    r"(?:n(?P<N>\d+)_i(?P<K>\d+)_o(?P<C>\d+)_)?"
    r"(?P<H>\d+)x(?P<W>\d+)_k(?P<h>\d+)x(?P<w>\d+)"
    r"(?:_p(?P<padding>\d+x\d+x\d+x\d+))?(?:_s(?P<stride>\d+x\d+))?(?:_d(?P<dilation>\d+x\d+))?"
    r"(?:_g(?P<groups>\d+))?(?:_op(?P<output_padding>\d+x\d+))?"
    r"(?:_(?P<family>(?!(?:[psdg]|op)\d)[a-z]+\d*))?"
)
_BENCHMARK = re.compile(
    r"(?P<phase>plan|execute|oneshot|prepared)/(?P<algorithm>\w+(?:@\w+)?(?:\+\d+)?)/(?P<scalar>f32|f64)/"
    r"(?P<case>\w+)/threads:(?P<threads>\d+)(?P<rest>(?:/.*)?)"
)


@dataclass(frozen=True)
class Case:
    """A problem with the family of its operands; sizes and fields as in the library."""

    text: str
    N: int
    K: int
    C: int
    H: int
    W: int
    h: int
    w: int
    padding: tuple[int, ...] = (0, 0, 0, 0)  # top, left, bottom, right
    stride: tuple[int, ...] = (1, 1)
    dilation: tuple[int, ...] = (1, 1)
    groups: int = 1
    output_padding: tuple[int, ...] = (0, 0)
    family: str = ""  # of the operands; empty where they are random

    @property
    def layer(self) -> bool:
        """Whether it is more than the full convolution of a plane."""
        neutral = Case(self.text, 1, 1, 1, self.H, self.W, self.h, self.w, family=self.family)
        return self != neutral

    @property
    def outputs(self) -> tuple[int, int]:
        """Rows and columns of y."""
        top, left, bottom, right = self.padding
        rows = (self.H - 1) * self.stride[0] + (self.h - 1) * self.dilation[0] + 1
        columns = (self.W - 1) * self.stride[1] + (self.w - 1) * self.dilation[1] + 1
        return (
            rows - top - bottom + self.output_padding[0],
            columns - left - right + self.output_padding[1],
        )

    @property
    def multiply_adds(self) -> int:
        """The products that exist before padding leaves anything out."""
        products = self.N * self.K * self.C * self.H * self.W * self.h * self.w
        return products // self.groups

    @property
    def values(self) -> int:
        """Elements of x, k and y together."""
        rows, columns = self.outputs
        images = self.N * (self.K * self.H * self.W + self.C * rows * columns)
        return images + self.K * self.C // self.groups * self.h * self.w


def parse_case(text: str) -> Case:
    """The case that `text` names; ValueError if it names none."""
    match = _CASE.fullmatch(text)
    if not match:
        raise ValueError(f"'{text}' is no case: expected something like 8x8_k5x5")
    sizes = {name: int(match[name] or 1) for name in "NKCHWhw"}
    fields = {
        name: tuple(map(int, match[name].split("x")))
        for name in ("padding", "stride", "dilation", "output_padding")
        if match[name]
    }
    groups = int(match["groups"] or 1)
    case = Case(text=text, groups=groups, family=match["family"] or "", **sizes, **fields)
    if min(*sizes.values(), *case.stride, *case.dilation, groups) < 1:
        raise ValueError(f"'{text}' is no case: every size must be at least 1")
    if case.K % groups or case.C % groups:
        raise ValueError(f"'{text}' is no case: its groups do not divide its channels")
    if min(case.outputs) < 1:
        raise ValueError(f"'{text}' is no case: it has no outputs")
    return case


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
    # `NAME@SET` for one with that instruction set, `NAME+P` for one that does P % more work
    algorithm: str
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
    """The algorithm that another is a variant of: NAME of `NAME@SET` and `NAME+P`."""
    return re.split("[@+]", algorithm)[0]


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
