"""The manual of the sensors, `docs/sensors.md`: what each driver says of itself, in Markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pilogger import driver
from pilogger.channel import Channel
from pilogger.docstrings import about, descriptions, notes, paragraphs, quality
from pilogger.words import UNITS, ranges

BUSES = {"i2c": "I2C", "onewire": "1-wire", "gpio": "GPIO", "serial": "serial"}
SECTIONS = re.compile(
    r'[;,]? (?:"[^" ]+" (?:below )?refers? to (?:the )?\w+|p\. numbers refer to it)'
)
"""What explains the comments in a driver, and nothing else."""

Times = tuple[float, float, float, float]
"""Of a start, then of a poll: seconds of waiting, seconds on the bus."""


def index(drivers: Iterable[str]) -> str:
    """Return a table of the drivers, each linked to its chapter."""
    rows = [
        (f"[`{name}`](#{name})", about(cls), _bus(cls), ranges(driver.addresses(cls)))
        for name in drivers
        for cls in [driver.find(name)]
    ]
    return _table(("driver", "what", "bus", "addresses"), rows)


def addresses(drivers: Iterable[str]) -> str:
    """Return a table of the I2C addresses, and of the drivers whose chips can have them."""
    there: dict[int, list[str]] = {}
    for name in drivers:
        for address in driver.addresses(driver.find(name)):
            there.setdefault(address, []).append(f"[`{name}`](#{name})")
    rows = [(f"{address:#04x}", ", ".join(names)) for address, names in sorted(there.items())]
    return _table(("address", "drivers"), rows)


def chapters(drivers: Iterable[str], times: Mapping[str, Times]) -> str:
    """Return a chapter for each driver."""
    return "\n\n".join("\n\n".join(_chapter(name, times.get(name))) for name in drivers)


def _chapter(name: str, times: Times | None) -> Iterator[str]:
    cls = driver.find(name)
    yield f"### {name}"
    yield f"**{about(cls)}.**"
    yield from paragraphs(cls)
    if found := _channels(cls):
        yield _table(("channel", "unit", "from", "to", "step"), map(_row, found, found.values()))
    else:
        yield "Its channels follow from its options."
    if options := driver.options(cls):
        texts = descriptions(cls)
        rows = [(f"`{it}`", _default(p), texts[it]) for it, p in options.items()]
        yield _table(("option", "default", "meaning"), rows)
    yield "\n".join(f"- {line}" for line in _facts(cls, times))
    yield from (SECTIONS.sub("", part) for part in notes(cls))


def _facts(cls: type, times: Times | None) -> Iterator[str]:
    if bus := _bus(cls):
        there = driver.addresses(cls)
        yield f"Bus: {bus}" + (f", address {ranges(there)}" if there else "")
        if there or bus not in {"GPIO", "I2C"}:  # else it is no chip that could be found
            knows = hasattr(cls, "identify")
            yield "Scan: " + ("knows it" if knows else "has to guess, for it has no identity")
    if times:
        start, poll = (_span(*pair) for pair in (times[:2], times[2:]))
        if hasattr(cls, "start"):
            yield f"Start: {start}"
        yield f"Poll: {poll}"
    yield f"Reading: {paragraphs(cls.read)[0]}"  # type: ignore[attr-defined]
    if wanted := driver.sources(cls):
        units = (f"{name} ({UNITS.get(c.unit, c.unit)})" for name, c in wanted.items())
        yield f"Compensate: {', '.join(units)}; see [channels](channels.md#help-from-other-sensors)"
    if hasattr(cls, "state"):
        yield "Restart: it remembers; see [channels](channels.md#what-survives-a-restart)"
    yield f"Quality: {quality(cls)}"


def _channels(cls: type) -> Mapping[str, Channel]:
    """Return the channels; where options name them, those by default, if all have one."""
    if fixed := driver.channels_of(cls):
        return fixed
    options = driver.options(cls).values()
    if driver.bus_kind(cls) is None or any(option.default is option.empty for option in options):
        return {}
    return driver.channels_of(cls(bus=None))


def _bus(cls: type) -> str:
    kind = driver.bus_kind(cls)
    return BUSES.get(kind.name, kind.name) if kind else ""


def _row(name: str, channel: Channel) -> tuple[str, ...]:
    unit = UNITS.get(channel.unit, channel.unit)
    numbers = (channel.low, channel.high, channel.step)
    return (f"`{name}`", unit, *map(_number, numbers))


def _number(number: float | None) -> str:
    return "" if number is None or math.isinf(number) else f"{number:.10g}"


def _default(option: Any) -> str:
    default = option.default
    if default is option.empty:
        return "needed"
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, Sequence) and not isinstance(default, str):
        return ", ".join(map(str, default))
    return f"{default:#04x}" if option.name == "address" else str(default)


def _span(wait: float, busy: float) -> str:
    parts = ((wait, "of waiting"), (busy, "on the bus"))
    return ", ".join(f"{_time(seconds)} {what}" for seconds, what in parts if seconds) or "at once"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
