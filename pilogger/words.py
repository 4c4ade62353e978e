"""Numbers, sizes and times as a person reads them."""

from __future__ import annotations

import time
from collections.abc import Iterable

from pilogger.harmless import harmless
from pilogger.sample import Value

UNITS = {
    "1": "",
    "Cel": "°C",
    "[ppm]": "ppm",
    "[ppb]": "ppb",
    "ug/m3": "µg/m³",
    "g/m3": "g/m³",
    "m3": "m³",
    "m3/h": "m³/h",
    "[degF]": "°F",
    "mm[Hg]": "mmHg",
    "[in_i'Hg]": "inHg",
    "[in_i]": "in",
    "[ft_i]": "ft",
    "[mi_i]/h": "mph",
    "[kn_i]": "kn",
    "/min": "per min",
    "W.h": "Wh",
    "kW.h": "kWh",
    "/dL": "per 0.1 l",
    "By": "bytes",
    "By/s": "bytes/s",
}
"""UCUM codes that people write otherwise."""


def amount(value: Value, unit: str = "1") -> str:
    """A value with its unit: `21.5 °C`."""
    shown = f"{value:,.6g}" if isinstance(value, float) else f"{value}"
    return harmless(f"{shown} {UNITS.get(unit, unit)}".strip())


def size(count: float) -> str:
    """A number of bytes: `1.2 MB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def span(seconds: float) -> str:
    """A length of time in its two largest units: `2 h 5 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    left = round(seconds)
    words = []
    for name, length in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= length:
            words.append(f"{left // length} {name}")
            left %= length
    return " ".join(words[:2])


def plural(count: int, thing: str) -> str:
    """`1 reading`, `2,000 readings`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def ranges(numbers: Iterable[int]) -> str:
    """Numbers of one byte in hex: `0x40 to 0x4f, 0x77`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(
        f"{run[0]:#04x} to {run[-1]:#04x}" if len(run) > 2 else ", ".join(f"{n:#04x}" for n in run)
        for run in runs
    )


def table(rows: Iterable[Iterable[str]]) -> str:
    """Align columns with two spaces between them; cells may hold what strangers wrote."""
    cells = [[harmless(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def moment(epoch: float) -> str:
    """Write a time in the zone of this machine; `@` and seconds where it knows no such time.

    A C library of 32 bits knows none after 2038.
    """
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch))
    except (OverflowError, ValueError, OSError):
        return f"@{epoch:.0f}"
