"""The form of a raw file as a JSON schema, and what is wrong with one that does not have it. More
may be in a file than is said here."""

from __future__ import annotations

from typing import Any

import jsonschema

_LARGEST = 1e300  # of numbers, so that a few can be multiplied
_LONGEST = 200  # characters of an error line, which quotes what it is about


def _is_number(value: Any) -> bool:
    """Also infinity, which a reader may know better than a file's form does."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _are_integers(value: Any) -> bool:
    return isinstance(value, list) and all(type(entry) is int for entry in value)


# Types of our own for long lists: one check each, and not one an element.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft7Validator,
    type_checker=jsonschema.Draft7Validator.TYPE_CHECKER.redefine_many(
        {
            "number": lambda _, value: _is_number(value) and abs(value) < _LARGEST,
            "integer": lambda _, value: type(value) is int and abs(value) < 2**63,
            "list of numbers": lambda _, value: _are_numbers(value),
            "list of integers": lambda _, value: _are_integers(value),
        }
    ),
)

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_NUMBERS = {"type": "list of numbers"}
_FLAG = {"type": "boolean"}
_POSITIVE = {"type": "integer", "minimum": 1}


def _one_of(*values: str) -> dict[str, Any]:
    return {"enum": list(values)}


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _map(to: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": to}


def _object(required: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "properties": properties}


_SCALAR = _one_of("f32", "f64")
_COUNTERS = _map({"type": ["number", "list of numbers"], "minItems": 1})

_REGISTERED = _object(
    "name kind",
    name={**_TEXT, "minLength": 1},
    kind=_one_of("ours", "peer", "binding", "floor"),
    summary=_TEXT,
    version={"type": ["string", "null"]},
    scalars=_list(_SCALAR),
    threaded=_FLAG,
    delegates=_one_of("never", "sometimes", "always"),
    ledger=_map(_TEXT),
)
_CONTENDER = {
    **_object(
        "phase algorithm threads",
        phase=_TEXT,
        algorithm={**_TEXT, "minLength": 1},
        threads=_POSITIVE,
        skipped=_TEXT,
        seconds=_NUMBERS,
        blocks={"type": "list of integers"},
        positions={"type": "list of integers"},
        iterations=_NUMBER,
        implementation=_TEXT,
        counters=_COUNTERS,
    ),
    "anyOf": [{"required": ["skipped"]}, {"required": ["seconds", "counters"]}],
}
_CELL = _object(
    "case scalar cache output contenders",
    case=_TEXT,
    scalar=_SCALAR,
    cache=_one_of("hot", "cold"),
    output=_one_of("reused", "fresh"),
    started=_TEXT,
    wall_seconds=_NUMBER,
    warnings=_list(_TEXT),
    contenders=_list(_CONTENDER),
)
_FLOOR = _object(
    "name seconds counters",
    name=_TEXT,
    when=_TEXT,
    seconds={**_NUMBERS, "minItems": 1},
    counters=_COUNTERS,
)
_STEPS = _object(
    "case scalar algorithm threads seconds",
    case=_TEXT,
    scalar=_SCALAR,
    algorithm=_TEXT,
    threads=_POSITIVE,
    seconds={
        "type": "object",
        "required": ["total"],
        "properties": {"total": {**_NUMBER, "exclusiveMinimum": 0}},
        "additionalProperties": _NUMBER,
    },
)
_ENVIRONMENT = _object(
    "",
    cpu=_TEXT,
    cpu_name=_TEXT,
    cores=_POSITIVE,
    caches=_list(_map(_TEXT)),
    libraries=_map({"type": ["string", "null"]}),
    started=_TEXT,
    ended=_TEXT,
    load_at_start=_NUMBERS,
    load_at_end=_NUMBERS,
    warnings=_list(_TEXT),
    build={"type": "object"},
)
_RAW = _object(
    "environment contenders cells",
    status=_one_of("running", "complete", "interrupted"),
    environment=_ENVIRONMENT,
    settings=_object("", cases=_list(_TEXT), cell_limit=_NUMBER, threads=_list(_POSITIVE)),
    remarks=_map(_TEXT),
    contenders=_list(_REGISTERED),
    crosscheck=_list(
        _object(
            "picture scalar algorithm",
            picture=_TEXT,
            scalar=_SCALAR,
            algorithm=_TEXT,
            error_in_bounds=_NUMBER,
            skipped=_TEXT,
        )
    ),
    floors=_list(_FLOOR),
    left_out_cells=_list(_TEXT),
    failures=_list(_object("job reason", job=_TEXT, reason=_TEXT)),
    cells=_list(_CELL),
    steps=_list(_STEPS),
)


def error_line(raw: Any) -> str:
    """The first thing that is wrong, in one line: `cells[3].scalar: 'f16' is not one of ['f32',
    'f64']`. Empty where nothing is."""
    error = next(_Validator(_RAW).iter_errors(raw), None)
    if error is None:
        return ""
    if error.validator == "anyOf":
        what = "neither 'skipped' nor 'seconds' with 'counters'"
    else:
        what = error.message
    place = error.json_path.removeprefix("$").removeprefix(".")
    line = " ".join(f"{place}: {what}".removeprefix(": ").split())
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"
