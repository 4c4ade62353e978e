"""What pydantic found -> sentences for a person.

Values are never repeated, for they may be secret: a sentence says what was expected and
what kind of thing was found.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from pilogger.config.names import Trail, meant
from pilogger.config.shape import names_at

EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "path_type": "text",
    "bool_type": "true or false",
    "none_required": "nothing",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "dataclass_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "named_tuple_type": "a list or a mapping",
    "arguments_type": "a list or a mapping",  # the same, in older pydantic
}
FOUND = {
    "NoneType": "nothing",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "list": "a list",
    "dict": "a mapping",
}
LIMITS = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have {max_length} or fewer entries",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have {max_length} or fewer characters",
    "string_pattern_mismatch": "must look like {pattern}",
}


class Finding(NamedTuple):
    """A mistake below the value that was looked at.

    `of_key`: the key is the mistake. `foreign`: a driver's or destination's own words.
    """

    trail: Trail
    what: str
    of_key: bool = False
    foreign: bool = False


def findings(error: ValidationError, model: type[BaseModel], value: Any) -> list[Finding]:
    """Translate everything that pydantic found in a value.

    Where a value may be of several types, pydantic complains for each of them: that makes
    one sentence, or none where one type fits but for a mistake inside.
    """
    unfit: dict[Trail, list[Any]] = {}
    found: list[Finding] = []
    for detail in error.errors(include_url=False):
        trail = _trail(detail["loc"], value)
        if detail["type"] in EXPECTED or "expected" in detail.get("ctx", {}):
            unfit.setdefault(trail, []).append(detail)
        else:
            found.append(_finding(detail, trail, model))
    told = {one.trail[:length] for one in found for length in range(len(one.trail) + 1)}
    told |= {trail[:length] for trail in unfit for length in range(len(trail))}
    found += [
        Finding(trail, _misfit(details)) for trail, details in unfit.items() if trail not in told
    ]
    return found


def _trail(loc: tuple[str | int, ...], value: Any) -> Trail:
    """Keep the steps that are in the value; others name a type, or what is missing."""
    trail: Trail = ()
    for step in loc:
        if isinstance(value, dict):
            inside = step in value
        else:
            inside = isinstance(value, list) and step in range(len(value))
        if inside:
            value = value[step]
            trail += (step,)
    return trail


def _finding(detail: Any, trail: Trail, model: type[BaseModel]) -> Finding:
    kind, context = detail["type"], detail.get("ctx", {})
    match kind:
        case "missing" | "missing_argument" if isinstance(name := detail["loc"][-1], str):
            return Finding(trail, f"{name} is missing", of_key=True)
        case "missing":
            return Finding(trail, "this list is too short")
        case "extra_forbidden" | "unexpected_keyword_argument":
            return Finding(trail, _unknown(trail, names_at(model, trail[:-1])), of_key=True)
        case "value_error" | "assertion_error":
            return Finding(trail, str(context["error"]), foreign=True)
        case _ if kind in LIMITS:
            return Finding(trail, LIMITS[kind].format(**context))
    return Finding(trail, f"is not valid here ({kind.replace('_', ' ')})")


def _unknown(trail: Trail, known: list[str]) -> str:
    name, colon, _ = str(trail[-1]).partition(":")
    if colon and name in known:
        return f"there is no space after {name}:"
    near = meant(name, known)
    return "unknown option" + (near or f"; there are: {', '.join(known)}")


def _misfit(details: list[Any]) -> str:
    """Say what was expected, by all the types that were tried, and what was found."""
    value = details[0]["input"]
    expected = dict.fromkeys(_expected(detail) for detail in details)
    words = [word for detail in details for word in _choices(detail)]
    said = f"expected {' or '.join(expected)}"
    if isinstance(value, str):
        return said + (meant(value, words) if words else ", found text")
    said += f", found {FOUND[type(value).__name__]}"
    if isinstance(value, bool | int | float) and (words or "text" in expected):
        said += ": put it in quotes"
    if isinstance(value, bool) and (words or "text" in expected):
        said += " (YAML reads on, off, yes and no as true or false)"
    return said


def _expected(detail: Any) -> str:
    if detail["type"] in EXPECTED:
        return EXPECTED[detail["type"]]
    return str(detail["ctx"]["expected"]).replace("'", "")


def _choices(detail: Any) -> list[str]:
    """Return the words that a Literal or an enum allows."""
    return re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
