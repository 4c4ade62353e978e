"""Readings into a store from files: an export of ours, any such CSV, ISStreamer's missed events.

What is there already (the same series, epoch and value) is left out, so a file may be taken in
twice. A line that cannot be taken costs itself only.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import NamedTuple

from pilogger import epoch, periods
from pilogger.control import Given, Hands
from pilogger.errors import BadValue, PiloggerError
from pilogger.protocols.initialstate import decode_events
from pilogger.sample import Value, check_text

AT_ONCE = 1000  # readings
NAMED = 20  # bad lines that are kept to be told


class Result(NamedTuple):
    """How many readings were new, were there already, and could not be taken, with reasons."""

    new: int
    known: int
    refused: int
    reasons: list[str]


Lines = Iterator[tuple[int, Given | BadValue]]
"""The numbers of lines, and what they give."""


def take(hands: Hands, path: Path, zone: tzinfo = UTC) -> Result:
    """Hand over the readings of a file; epochs are kept as they are given.

    Times without an offset are of `zone`.

    Raises:
        PiloggerError: the file cannot be read, or is of no known form.
            Or the store takes nothing.
    """
    new = known = refused = 0
    reasons: list[str] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            found: list[Given] = []
            for number, item in _lines(path, file, zone):
                if isinstance(item, Given):
                    found.append(item)
                else:
                    refused += 1
                    if len(reasons) < NAMED:
                        reasons.append(f"{path}:{number}: {item}")
                if len(found) >= AT_ONCE:
                    new, known, found = _keep(hands, found, new, known)
            new, known, found = _keep(hands, found, new, known)
    except (OSError, UnicodeDecodeError) as error:
        raise PiloggerError(f"{path} cannot be read: {error}") from error
    return Result(new, known, refused, reasons)


def _keep(
    hands: Hands, found: Sequence[Given], new: int, known: int
) -> tuple[int, int, list[Given]]:
    stored = hands.take(found) if found else 0
    return new + stored, known + len(found) - stored, []


def _lines(path: Path, file: Iterable[str], zone: tzinfo) -> Lines:
    lines = iter(file)
    first = next(lines, "")
    again = _again(first, lines)
    if first.lstrip().startswith(("[", "{")):
        return _json_lines(again)
    if {"series", "value"} <= set(next(csv.reader([first]), [])):
        return _csv_lines(again, zone)
    raise PiloggerError(
        f"{path} is of no known form: the first line of a CSV names its columns (series, value, "
        "epoch or time, and unit if you like); lines of JSON are events or ISStreamer's missed ones"
    )


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _csv_lines(lines: Iterator[str], zone: tzinfo) -> Lines:
    reader = csv.DictReader(lines)
    for row in reader:
        try:
            yield reader.line_num, _from_row(row, zone)
        except BadValue as error:
            yield reader.line_num, error


def _from_row(row: dict[str, str], zone: tzinfo) -> Given:
    if None in row or None in row.values():
        raise BadValue("there are not as many values as columns")
    series = row["series"].strip()
    if not series:
        raise BadValue("the series is missing")
    if row.get("epoch"):
        at = epoch.text(row["epoch"].strip())
    elif row.get("time"):
        at = epoch.unpack(periods.from_text(row["time"].strip(), zone))
    else:
        raise BadValue("there is neither an epoch nor a time")
    return Given(check_text(series), at, _value(row["value"]), row.get("unit") or "1")


def _value(text: str) -> Value:
    """Read a value: a number, true or false, else text."""
    try:
        found = json.loads(text, parse_constant=str)
    except ValueError:
        return check_text(text)
    return found if isinstance(found, bool | int | float) else check_text(text)


def _json_lines(lines: Iterable[str]) -> Lines:
    """Read events as Initial State has them: an object, or a list of them, on each line."""
    for number, line in enumerate(lines, 1):
        if not line.strip() or _is_bucket(line):
            continue
        try:
            yield from _events(number, line)
        except BadValue as error:
            yield number, error


def _events(number: int, line: str) -> Lines:
    named = _ours(line)
    events, mistakes = decode_events(named)
    for mistake in mistakes:
        yield number, BadValue(mistake)
    for event in events:
        if event.epoch is None:
            yield number, BadValue(f"{event.key} has no epoch")
        else:
            yield number, Given(event.key, event.epoch, event.value)


def _is_bucket(line: str) -> bool:
    """Tell a bucket among ISStreamer's missed events, which come without theirs."""
    return line.lstrip().startswith('{"bucketKey"')


def _ours(line: str) -> str:
    """Call a series a key, as an event does; a line of an export calls it a series."""
    return line.replace('{"series":', '{"key":', 1) if line.startswith('{"series":') else line
