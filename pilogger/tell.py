"""What pilogger knows, in words for a person at a terminal."""

from __future__ import annotations

import inspect
import math
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pilogger import driver as drivers_
from pilogger.channel import Channel
from pilogger.sample import Value

State = Mapping[str, Any]

UNITS = {"1": "", "Cel": "°C", "[ppm]": "ppm", "[ppb]": "ppb", "By": "bytes", "By/s": "bytes/s"}
WIDEST = 76


# -- small words -------------------------------------------------------------------------


def amount(value: Value, unit: str = "1") -> str:
    """A value with its unit: `21.5 °C`."""
    shown = f"{value:,.6g}" if isinstance(value, float) else f"{value}"
    return f"{shown} {UNITS.get(unit, unit)}".strip()


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


def table(rows: Iterable[Iterable[str]]) -> str:
    """Align columns with two spaces between them."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


# -- drivers and readings ----------------------------------------------------------------


def drivers(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Describe every driver that can be loaded, and say why another cannot."""
    folders = tuple(folders)
    described: list[dict[str, Any]] = []
    for name, origin in drivers_.available(folders).items():
        try:
            found = drivers_.find(name, folders)
        except drivers_.UnknownDriver as error:
            described.append({"driver": name, "from": origin, "problem": str(error)})
            continue
        kind = drivers_.bus_kind(found)
        described.append(
            {
                "driver": name,
                "from": origin,
                "about": (inspect.getdoc(found) or "").partition("\n")[0],
                "bus": kind.name if kind else None,
                "channels": {
                    channel: {"unit": c.unit, "low": _finite(c.low), "high": _finite(c.high)}
                    for channel, c in _channels(found).items()
                },
                "options": {
                    option: None if p.default is p.empty else p.default
                    for option, p in drivers_.options(found).items()
                },
            }
        )
    return described


def _channels(found: type) -> dict[str, Channel]:
    """The channels of a class, or of what its defaults make where they depend on options."""
    try:
        return drivers_.channels_of(found) or drivers_.channels_of(found())
    except TypeError:
        return {}  # an option without a default says which channels there are


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None


def driver_list(described: Iterable[Mapping[str, Any]]) -> str:
    """List drivers with their channels and options, a paragraph each."""
    return "\n\n".join(map(_driver_words, described))


def _driver_words(driver: Mapping[str, Any]) -> str:
    if "problem" in driver:
        return f"{driver['driver']}\n    {driver['problem']}"
    bus = f" ({driver['bus']})" if driver["bus"] else ""
    lines = [f"{driver['driver']}{bus}: {driver['about']}"]
    for name, channel in driver["channels"].items():
        low, high = channel["low"], channel["high"]
        limits = "" if low is None or high is None else f"  {low:g} to {high:g}"
        lines.append(
            f"    {name:<18}{UNITS.get(channel['unit'], channel['unit']):<8}{limits}".rstrip()
        )
    if not driver["channels"]:
        lines.append("    its channels are given by its options")
    options = [_option(name, default) for name, default in driver["options"].items()]
    return "\n".join([*lines, *([f"    options: {', '.join(options)}"] if options else [])])


def _option(name: str, default: object) -> str:
    if default is None:
        return name
    return f"{name}={default:#04x}" if name == "address" else f"{name}={default!r}"


def sample(values: Mapping[str, Value], units: Mapping[str, str]) -> str:
    """Print one sample, a channel a line."""
    return table((name, amount(value, units[name])) for name, value in values.items())


# -- status ------------------------------------------------------------------------------


def status(state: State) -> str:
    """Tell a state of `pilogger.status` in words."""
    store = state["store"]
    lines = [_head(state), ""]
    lines += [_sensor(sensor) for sensor in state.get("sensors", ())]
    lines += ["", _store(store), *_clock(state), ""]
    lines += [line for place in state["destinations"] for line in destination(place)]
    return "\n".join(lines).strip()


def _head(state: State) -> str:
    if state["running"]:
        for_ = span(state["asked"] - state["started"])
        return f"{state['device']}: running for {for_} (process {state['process']})"
    if "asked" not in state:
        return "not running; it did not come to a clean stop yet"
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(state["asked"]))
    return f"{state['device']}: not running; the last clean stop was at {when}"


def _sensor(sensor: Mapping[str, Any]) -> str:
    counts = [plural(sensor["readings"], "reading")]
    if failed := sum(sensor["failures"].values()):
        counts.append(f"{failed:,} failed")
    if sensor["skipped"]:
        counts.append(f"{sensor['skipped']:,} skipped")
    line = f"  {sensor['id']:<14}{sensor['status']:<9}{', '.join(counts)}"
    return f"{line}\n  {'':<14}{sensor['error']}" if sensor["status"] in TROUBLED else line


TROUBLED = {"failing", "hung"}


def _store(store: Mapping[str, Any]) -> str:
    kept = plural(store["readings"], "reading") if "readings" in store else ""
    sizes = f"{size(store['size'])}, {size(store['free'])} free"
    lines = [f"store  {store['path']}: {kept + ', ' if kept else ''}{sizes}"]
    if window := store.get("durability"):
        lines.append(f"       a power cut can take the last {span(window)}")
    elif window == 0:
        lines.append("       a power cut takes nothing")
    lines += [
        f"       {store[what]:,} {what}"
        for what in ("waiting", "dropped", "refused")
        if store.get(what)
    ]
    if store.get("trouble"):
        lines.append(f"       {store['trouble']}")
    return "\n".join(lines)


def _clock(state: State) -> list[str]:
    return [f"clock  {CLOCK[state['clock']]}"] if "clock" in state else []


CLOCK = {
    "synced": "right",
    "unsynced": "not known to be right; readings are kept until it is",
    "estimated": "estimated",
}


def destination(place: Mapping[str, Any]) -> list[str]:
    """Tell how far one destination is, and what stops it."""
    counts = f"{place['sent']:,} sent, {place['pending']:,} waiting, {place['refused']:,} refused"
    lines = [f"to {place['name']}: {counts}"]
    if why := place.get("why"):
        lines.append(f"    {place['outcome']} for {span(place['lasting'])}: {why}")
        lines.append(f"    next try in {span(place['retry_in'])}")
    if held := place.get("held"):
        lines.append(f"    held back: {held}")
    lines += [f"    refused {reason}" for reason in place.get("reasons", ())]
    return lines


# -- the demo ----------------------------------------------------------------------------


def demo(state: State, page: str) -> str:
    """Tell what the demo does at this moment, in a few calm lines."""
    (place,) = state["destinations"]
    good = sum(sensor["status"] == "ok" for sensor in state["sensors"])
    return "\n".join(
        [
            f"pilogger demo   {page}   (Ctrl-C stops)",
            "",
            f"  sensors   {good} of {len(state['sensors'])} giving readings",
            f"  stored    {plural(state['store']['stored'], 'reading')}",
            f"  queue     {place['pending']:,}",
            f"  sent      {place['sent']:,}" + (f"   {place['why']}" if place.get("why") else ""),
        ]
    )


def demo_end(counts: State) -> str:
    """Tell what the demo leaves behind."""
    return (
        f"{plural(counts['taken'], 'reading')} taken, {counts['stored']:,} stored, "
        f"{counts['uploaded']:,} sent, {counts['pending']:,} waiting, "
        f"{counts['refused']:,} refused; the hub holds {counts['hub']:,}.\n"
        f"Kept in {counts['dir']}: pilogger.db is the logger's store, hub.db the hub's.\n"
        f"Go on with: pilogger demo --dir {counts['dir']}"
    )


class Screen:
    """A few lines at the bottom of the terminal that are drawn over; plain lines elsewhere."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._drawn = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._drawn:
            sys.stdout.write("\n")

    def show(self, text: str) -> None:
        """Draw the text over what was shown before; without a terminal, once only."""
        if self._quiet or (self._drawn and not sys.stdout.isatty()):
            return
        up = f"\x1b[{self._drawn}F\x1b[J" if self._drawn else ""
        sys.stdout.write(f"{up}{text}\n")
        sys.stdout.flush()
        self._drawn = text.count("\n") + 1
