"""Readings out of a store, as lines that other programs read.

A line has the series' key, the epoch in seconds, the same as ISO 8601 in a time zone, the value
and the unit. Series come one after another, each in the order of time.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, tzinfo
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple, TextIO

from pilogger import epoch, periods
from pilogger.errors import BadValue, PiloggerError
from pilogger.sample import Value
from pilogger.series import History, Info

COLUMNS = ("series", "epoch", "time", "value", "unit")


class Record(NamedTuple):
    """One reading on its way out; `epoch` is number text, `time` is empty beyond year 9999."""

    series: str
    epoch: str
    time: str
    value: Value
    unit: str


class Place(NamedTuple):
    """Where an export was broken off: behind so many records of this series and epoch."""

    series: str
    epoch: str
    records: int


Progress = Callable[[Info, int], None]
"""Told of the series at hand, and how far it is, in nanoseconds."""


def records(
    history: History,
    series: Iterable[Info],
    start: int,
    end: int,
    *,
    zone: tzinfo = UTC,
    behind: Place | None = None,
    progress: Progress | None = None,
) -> Iterator[Record]:
    """Yield the readings of some series from `start` up to, not with, `end` (nanoseconds).

    With `behind`, what comes behind that place, which is in the first of the series.
    """
    skip = behind.records if behind else 0
    for info in series:
        if behind and info.key == behind.series:
            start_here = max(start, epoch.nanoseconds(epoch.pack(behind.epoch)))
        else:
            start_here = start
        for number, (t, _, value) in enumerate(history.read(info.id, start_here, end)):
            if progress and not number % 1000:
                progress(info, t)
            record = Record(info.key, epoch.unpack(t), _time(t, zone), value, info.unit)
            if skip and behind and record[:2] == behind[:2]:
                skip -= 1
            else:
                yield record


def _time(t: int, zone: tzinfo) -> str:
    try:
        return periods.to_text(t, zone)
    except BadValue:
        return ""


def to_csv(record: Record) -> str:
    """Write a record as a line of CSV (RFC 4180, but for the end of the line)."""
    line = io.StringIO()
    value = record.value
    shown = json.dumps(value) if isinstance(value, bool) else value
    csv.writer(line, lineterminator="\n").writerow(record._replace(value=shown))
    return line.getvalue()


def to_json(record: Record) -> str:
    """Write a record as a JSON object on a line; the epoch is a number as it was given."""
    head = json.dumps({"series": record.series}, ensure_ascii=False)[:-1]
    tail = {"time": record.time, "value": record.value, "unit": record.unit}
    return f'{head}, "epoch": {record.epoch}, {json.dumps(tail, ensure_ascii=False)[1:]}\n'


TAIL = 65_536  # bytes of an export that are read to go on behind it
HEADER = ",".join(COLUMNS) + "\n"
BEGINNINGS = {"csv": HEADER, "jsonl": '{"series": '}
FORMATS: dict[str, Callable[[Record], str]] = {"csv": to_csv, "jsonl": to_json}


def write(found: Iterable[Record], form: str, output: Path | None) -> int:
    """Write records to the end of a file, or print them; returns how many there were.

    Raises:
        PiloggerError: the file cannot be written, or something is not installed.
    """
    try:
        if form == "parquet":
            from pilogger.parquet import write as write_parquet

            return write_parquet(found, output)
        with _opened(output) as file:
            if form == "csv" and not (output and output.stat().st_size):
                file.write(HEADER)
            count = 0
            for count, record in enumerate(found, 1):  # noqa: B007 - counted
                file.write(FORMATS[form](record))
            return count
    except BrokenPipeError:
        raise
    except OSError as error:
        raise PiloggerError(f"{output} cannot be written: {error.strerror}") from error


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
    else:
        with output.open("a", encoding="utf-8", newline="") as file:
            yield file


def resume(path: Path, form: str) -> Place | None:
    """Cut what is not whole off an export; returns where to go on, None for the beginning.

    Raises:
        PiloggerError: the file is no export of this form; it is left alone.
    """
    if not path.exists():
        return None
    with path.open("r+b") as file:
        head = file.read(len(BEGINNINGS[form]))
        if head != BEGINNINGS[form][: len(head)].encode():
            raise PiloggerError(f"{path} is no export in {form} that can go on: name a new file")
        size = file.seek(0, io.SEEK_END)
        start = max(size - TAIL, 0)
        file.seek(start)
        tail = file.read()
        whole = tail[: tail.rfind(b"\n") + 1]
        file.truncate(start + len(whole))
    lines = whole.splitlines()[1 if start or form == "csv" else 0 :]
    places = [_place(line, form, path) for line in reversed(lines)]
    same = list(takewhile(lambda place: place == places[0], places))
    return Place(*same[0], len(same)) if same else None


def _place(line: bytes, form: str, path: Path) -> tuple[str, str]:
    try:
        text = line.decode()
        if form == "csv":
            series, at, *_ = next(csv.reader([text]))
            return series, epoch.text(at)
        found = json.loads(text, parse_float=str, parse_int=str)
        return found["series"], epoch.text(found["epoch"])
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise PiloggerError(f"{path} is no export in {form} that can go on: {error}") from error
