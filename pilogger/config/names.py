"""Names in messages: where something is, what it is called, what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

Trail = tuple[str | int, ...]
"""The keys and positions from the top of a config to a value."""

PLAIN = re.compile(r"[\w-]{1,40}")
LONGEST = 40  # characters of a name that are shown


class Secret(str):
    """Text that never shows in a message."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def show(name: str) -> str:
    """Quote a name on one line, cut to a readable length.

    What follows a colon stays unseen: in `{access_key:abc}`, where a space is missing,
    YAML takes it all for a name.
    """
    if isinstance(name, Secret):
        return repr(name)
    head, colon, _ = name.partition(":")
    short = head[:LONGEST] + colon
    return repr(short if short == name else f"{short}…")


def dotted(trail: Trail) -> str:
    """Write a trail as people do: `destinations[0].bucket.key`."""
    path = ""
    for step in trail:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += "." * bool(path) + (step if PLAIN.fullmatch(step) else show(step))
    return path


def meant(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean ...?)`, or nothing if no known name is near."""
    names = {known_name.lower(): known_name for known_name in known}
    near = get_close_matches(name[: 2 * LONGEST].lower(), names, n=1)
    return f" (did you mean {names[near[0]]}?)" if near else ""
