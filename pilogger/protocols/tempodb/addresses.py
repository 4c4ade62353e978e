"""Paths and queries of TempoDB's API: which series are meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

from pilogger.errors import BadValue
from pilogger.sample import check_text

VERSION = "v1"


class Filters(NamedTuple):
    """Which series are meant: one of `ids` or `keys`, all `tags`, all `attributes`."""

    ids: Sequence[str] = ()
    keys: Sequence[str] = ()
    tags: Sequence[str] = ()
    attributes: Mapping[str, str] = {}


ALL = Filters()


def encode_path(*parts: str) -> str:
    """Write a path; nothing in a part keeps a meaning, so `ke:y/1` is one part."""
    return "/".join(["", VERSION, *(quote(part, safe="") for part in parts), ""])


def decode_path(raw: bytes) -> list[str]:
    """Read the parts of a path that nobody has decoded yet, without the version.

    Raises:
        BadValue: a part is not UTF-8.
    """
    try:
        return [unquote_to_bytes(part).decode() for part in raw.strip(b"/").split(b"/")[1:]]
    except UnicodeDecodeError:
        raise BadValue("the path is not UTF-8") from None


def encode_query(filters: Filters = ALL, **options: str | None) -> str:
    """Write a query; what is empty is left out."""
    pairs = [
        *(("id", each) for each in filters.ids),
        *(("key", each) for each in filters.keys),
        *(("tag", each) for each in filters.tags),
        *((f"attr[{name}]", value) for name, value in filters.attributes.items()),
        *((name, value) for name, value in options.items() if value),
    ]
    return urlencode(pairs)


def decode_query(query: bytes) -> tuple[Filters, dict[str, str]]:
    """Read a query: filters, and the rest.

    Raises:
        BadValue: it is not UTF-8, or no store could hold such text.
    """
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise BadValue("the query is not UTF-8, or has too many fields") from None
    found: dict[str, list[str]] = {"id": [], "key": [], "tag": []}
    attributes: dict[str, str] = {}
    options: dict[str, str] = {}
    for name, value in pairs:
        check_text(name + value)
        if name in found:
            found[name].append(value)
        elif name.startswith("attr[") and name.endswith("]"):
            attributes[name[5:-1]] = value
        else:
            options[name] = value
    return Filters(found["id"], found["key"], found["tag"], attributes), options
