"""YAML text -> a document.

A small YAML: one document of mappings, lists, text, numbers and truth values, without
aliases, and with two tags, `!secret NAME` and `!env NAME`. Numbers are those of YAML 1.2
(017, 12:30 and 1_000 are text); on, off, yes and no are truth values, as in YAML 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml
from yaml.reader import ReaderError

from pilogger.config import document as check
from pilogger.config.document import DEEPEST, START, Document, Place
from pilogger.config.names import Secret, Trail, show

LARGEST = 256 * 1024  # bytes; whatever is larger is no config
STANDARD = "tag:yaml.org,2002:"
SCALARS = {
    "null": r"~|null|Null|NULL|",
    "bool": r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF",
    "int": r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+",
    "float": r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+",
}
TRUE = {"yes", "true", "on"}

Resolve = Callable[[str, str], str]
"""Turns a tag (`!secret`, `!env`) and a name into text, or raises `Unresolved`."""


class Unresolved(Exception):
    """There is no such text; an empty sentence where the reason was told already."""


class _Refused(Exception):
    """Nothing more can be read."""

    def __init__(self, what: str, place: Place) -> None:
        self.place = place
        super().__init__(what)


def parse(data: bytes | str, name: str, resolve: Resolve) -> Document:
    """Read one YAML document; whatever is wrong with it is in its `mistakes`."""
    document = Document(name)
    try:
        document.value = _Converter(document, resolve).convert(_compose(_decode(data)), ())
    except _Refused as error:
        document.places[()] = error.place
        document.broken((), str(error))
    return document


def _decode(data: bytes | str) -> str:
    if isinstance(data, str):
        data = data.encode(errors="surrogatepass")
    if len(data) > LARGEST:
        raise _Refused(f"a config is not larger than {LARGEST // 1024} KB", START)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", errors="replace")
        raise _Refused("this is not UTF-8 text", _after(before)) from None


def _compose(text: str) -> yaml.Node:
    try:
        loader = _Loader(text)
    except ReaderError as error:
        place = _after(text[: error.position])
        raise _Refused("this character cannot be in a config", place) from None
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _Refused(_sentence(error), _place(_mark(error))) from None
    except (ValueError, OverflowError):  # PyYAML's int() and chr() on what it scanned
        raise _Refused("this number is too large", _place(loader.get_mark())) from None
    finally:
        loader.dispose()
    if node is None:
        raise _Refused("the file is empty", START)
    return node


def _after(before: str) -> Place:
    lines = before.split("\n")
    return Place(len(lines), len(lines[-1]) + 1)


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


class _Loader(yaml.SafeLoader):
    """The safe loader, up to its nodes, less what a config does not need."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.NodeEvent = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            what = "aliases are not supported; text that starts with & or * must be in quotes"
            raise _Refused(what, _place(event.start_mark))
        if self.depth == DEEPEST:
            what = f"this is nested deeper than {DEEPEST} levels"
            raise _Refused(what, _place(event.start_mark))
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _tag, _pattern in SCALARS.items():
    _Loader.add_implicit_resolver(STANDARD + _tag, re.compile(rf"({_pattern})\Z"), [None])


PHRASES = {
    r"found character '\t'": "a tab cannot indent: use spaces",
    "cannot start any token": "text that starts with this character must be in quotes",
    "mapping values are not allowed": (
        "a ': ' does not belong here: check the indentation, or put text with ': ' in quotes"
    ),
    "could not find expected ':'": "there is no ': ' after this key",
    "found another document": "one file holds one document: remove this --- and the rest",
    "found undefined tag handle": "text that starts with ! must be in quotes",
}
"""PyYAML's words, and ours."""


def _sentence(error: yaml.MarkedYAMLError) -> str:
    said = error.problem or ""
    ours = (sentence for phrase, sentence in PHRASES.items() if phrase in said)
    return next(ours, f"this is not YAML: {said}")


def _mark(error: yaml.MarkedYAMLError) -> Any:
    """Find where to look: for a key without its colon that is the key, not the next line."""
    key = error.context == "while scanning a simple key"
    return error.context_mark if key else error.problem_mark


class _Converter:
    """Nodes -> values; notes places, and mistakes that leave the rest readable."""

    def __init__(self, document: Document, resolve: Resolve) -> None:
        self.document = document
        self.resolve = resolve

    def convert(self, node: yaml.Node, trail: Trail) -> Any:
        self.document.places[trail] = _place(node.start_mark)
        match node.tag.removeprefix(STANDARD), node:
            case "map", yaml.MappingNode():
                return self._mapping(node, trail)
            case "seq", yaml.SequenceNode():
                return [self.convert(item, (*trail, at)) for at, item in enumerate(node.value)]
            case "!secret" | "!env", yaml.ScalarNode():
                return self._secret(node, trail)
            case "str", yaml.ScalarNode():
                return self._text(node.value, trail)
            case tag, yaml.ScalarNode() if tag in SCALARS:
                return self._scalar(tag, node.value, trail)
        what = "text that starts with ! must be in quotes (the only tags: !secret NAME, !env NAME)"
        self.document.broken(trail, what)
        return None

    def _mapping(self, node: yaml.MappingNode, trail: Trail) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = _place(key_node.start_mark)
            if why := _why_no_key(key_node):
                self.document.mistake(trail, why, place)
                continue
            inner = (*trail, key := str(key_node.value))
            if key in found:
                first = self.document.keys[inner].line
                self.document.mistake(inner, f"is here twice (first on line {first})", place)
                continue
            self.document.keys[inner] = place
            found[key] = self.convert(value_node, inner)
        return found

    def _secret(self, node: yaml.ScalarNode, trail: Trail) -> str | None:
        try:
            return self._text(Secret(self.resolve(node.tag, node.value)), trail)
        except Unresolved as error:
            self.document.broken(trail, str(error))
            return None

    def _text(self, value: str, trail: Trail) -> str | None:
        if why := check.text(value):
            self.document.broken(trail, why)
            return None
        return value

    def _scalar(self, kind: str, written: str, trail: Trail) -> float | bool | None:
        value: float | None = None
        why = "" if re.fullmatch(SCALARS[kind], written) else f"this is no {kind}"
        if kind == "bool":
            value = written.lower() in TRUE
        elif kind in ("int", "float") and not why:
            try:
                value = int(written, 0) if kind == "int" else float(written)
                why = check.number(value)
            except ValueError:  # more digits than int() takes
                why = "a whole number has at most 64 bits"
        if why:
            self.document.broken(trail, why)
        return value


def _why_no_key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        return "a key must be text"
    if node.tag == STANDARD + "bool":
        truth = str(node.value.lower() in TRUE).lower()
        return f"put the key {show(node.value)} in quotes: YAML reads it as {truth}"
    if node.tag != STANDARD + "str":
        return f"a key must be text: put {show(node.value)} in quotes"
    return check.text(node.value)
