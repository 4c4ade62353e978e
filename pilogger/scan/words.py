"""What a scan found: for a person, for a program, and as a config to start with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from pilogger.scan.finds import Candidate, Find, Trouble
from pilogger.words import table

PLAIN = re.compile(r"[A-Za-z0-9/][\w./-]*")
HEAD = "# What `pilogger scan` found; where a line is commented out, there is something to decide."
TAIL = """  pi: {driver: system, every: 1m}  # this machine itself
store: {path: pilogger.db}  # beside this file
"""


def tell(finds: Iterable[Find], troubles: Iterable[Trouble]) -> str:
    """List what was found, a line for each, and what could not be looked at."""
    rows = [row for find in finds for row in _rows(find)]
    lines = [table(rows)] if rows else ["nothing was found"]
    lines += [f"not looked at: {one.kind} {one.bus}".rstrip() + f": {one.why}" for one in troubles]
    return "\n".join(lines)


def as_json(finds: Iterable[Find], troubles: Iterable[Trouble]) -> dict[str, Any]:
    """The same for programs; `config` holds a sensor's settings for each driver that fits."""
    return {
        "found": [
            {
                "kind": find.kind,
                "bus": find.bus,
                "at": find.at,
                "sure": find.sure,
                "note": find.note,
                "config": [settings(find, one) for one in find.fits],
            }
            for find in finds
        ],
        "troubles": [one._asdict() for one in troubles],
    }


def as_yaml(finds: Iterable[Find]) -> str:
    """Write a config with what is sure; the rest is in comments."""
    names = {"pi"}
    lines = [HEAD, "sensors:", *(line for find in finds for line in _entry(find, names))]
    return "\n".join(lines) + "\n" + TAIL


def settings(find: Find, one: Candidate) -> dict[str, int | str]:
    """Return the settings of a sensor, as far as they are not those by default."""
    found: dict[str, int | str] = {"driver": one.name}
    if find.bus not in ("", one.kind.default):
        found["bus"] = find.bus
    if "address" in one.options and find.at != one.options["address"].default:
        found["address"] = find.at
    if "id" in one.options:
        found["id"] = find.at
    return found


def _place(find: Find) -> tuple[str, str]:
    bus = f"{find.kind} {find.bus}".rstrip()
    return bus, f"{find.at:#04x}" if isinstance(find.at, int) else find.at


def _rows(find: Find) -> Iterator[tuple[str, str, str, str]]:
    place = _place(find)
    match find.fits:
        case []:
            yield *place, find.note, ""
        case [one]:
            yield *place, ("" if find.sure else "perhaps ") + one.about, _flow(find, one)
        case several:
            yield *place, f"one of these {len(several)}, which cannot be told apart:", ""
            for one in several:
                yield "", "", f"  {one.about}", _flow(find, one)


def _entry(find: Find, names: set[str]) -> Iterator[str]:
    bus, at = _place(find)
    where = f"{bus}, {at}" if at else bus
    if not find.sure:
        several = "one of these" if len(find.fits) > 1 else "perhaps this"
        yield f"  # {where}: " + (find.note or f"{several}, or something else:")
    for one in find.fits:
        missing = "".join(f"  # needs {option}" for option in one.needs)
        decided = find.sure and not missing
        id = _new(one.name, names) if decided else one.name
        comment = missing or ("" if not decided else f"  # {where}: {one.about}")
        yield f"  {'' if decided else '# '}{id}: {_flow(find, one)}{comment}"


def _new(name: str, names: set[str]) -> str:
    """Give a sensor an id that no other has."""
    number, id = 1, name
    while id in names:
        number += 1
        id = f"{name}_{number}"
    names.add(id)
    return id


def _flow(find: Find, one: Candidate) -> str:
    """Write settings as YAML on one line."""
    pairs = (f"{name}: {_scalar(name, value)}" for name, value in settings(find, one).items())
    return f"{{{', '.join(pairs)}}}"


def _scalar(name: str, value: int | str) -> str:
    if isinstance(value, int):
        return f"{value:#04x}" if name == "address" else str(value)
    return value if PLAIN.fullmatch(value) else json.dumps(value)
