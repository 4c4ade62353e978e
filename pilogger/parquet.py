"""An export as a Parquet file; needs the extra `parquet`, which is large."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pilogger import epoch
from pilogger.errors import PiloggerError
from pilogger.sample import Value

Record = tuple[str, str, str, Value, str]
"""Series, epoch as number text, time, value, unit: see `pilogger.export.Record`."""

ROWS = 100_000  # of a row group


def write(records: Iterable[Record], output: Path | None) -> int:
    """Write records to a new file; returns how many there were.

    A column holds one type, so numbers and truth values (0 and 1) are in `value`, as doubles,
    and text is in `text`. `epoch` is a timestamp in nanoseconds, UTC, from 1677 to 2262.

    Raises:
        PiloggerError: there is no file to write to, or pyarrow is not installed.
    """
    if output is None:
        raise PiloggerError("a Parquet file is not printed: name it with --output")
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise PiloggerError("pyarrow is not installed: pip install 'pilogger[parquet]'") from error
    schema = arrow.schema(
        [
            ("series", arrow.string()),
            ("epoch", arrow.timestamp("ns", "UTC")),
            ("value", arrow.float64()),
            ("text", arrow.string()),
            ("unit", arrow.string()),
        ]
    )
    count = 0
    part = output.with_name(f".{output.name}.part")
    with parquet.ParquetWriter(part, schema, compression="zstd") as writer:
        for rows in _groups(map(_row, records)):
            writer.write_table(arrow.Table.from_pylist(rows, schema))
            count += len(rows)
    part.rename(output)
    return count


def _groups(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while group := list(islice(rows, ROWS)):
        yield group


def _row(record: Record) -> dict[str, Any]:
    series, given, _, value, unit = record
    at = epoch.nanoseconds(epoch.pack(given))
    return {
        "series": series,
        "epoch": at if abs(at) < 2**63 else None,
        "value": None if isinstance(value, str) else float(value),
        "text": value if isinstance(value, str) else None,
        "unit": unit,
    }
