"""What drivers there are: their channels, units and options, for programs and for people."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pilogger import driver
from pilogger.channel import Channel
from pilogger.words import UNITS


def describe(folders: Iterable[Path] = ()) -> list[dict[str, Any]]:
    """Describe every driver that can be loaded, and say why another cannot."""
    folders = tuple(folders)
    described: list[dict[str, Any]] = []
    for name, origin in driver.available(folders).items():
        try:
            found = driver.find(name, folders)
        except driver.UnknownDriver as error:
            described.append({"driver": name, "from": origin, "problem": str(error)})
            continue
        kind = driver.bus_kind(found)
        described.append(
            {
                "driver": name,
                "from": origin,
                "about": (inspect.getdoc(found) or "").partition("\n")[0],
                "bus": kind.name if kind else None,
                "addresses": [*driver.addresses(found)],
                "channels": {
                    channel: {"unit": c.unit, "low": _finite(c.low), "high": _finite(c.high)}
                    for channel, c in _channels(found).items()
                },
                "compensate": {
                    option: channel.unit for option, channel in driver.sources(found).items()
                },
                "options": {
                    option: None if p.default is p.empty else p.default
                    for option, p in driver.options(found).items()
                },
            }
        )
    return described


def _channels(found: type) -> dict[str, Channel]:
    """The channels of a class, or of what its defaults make where they depend on options."""
    try:
        return driver.channels_of(found) or driver.channels_of(found())
    except TypeError:
        return {}  # an option without a default says which channels there are


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None


def tell(described: Iterable[Mapping[str, Any]]) -> str:
    """List drivers with their channels and options, a paragraph each."""
    return "\n\n".join(map(_paragraph, described))


def _paragraph(one: Mapping[str, Any]) -> str:
    if "problem" in one:
        return f"{one['driver']}\n    {one['problem']}"
    bus = f" ({one['bus']})" if one["bus"] else ""
    lines = [f"{one['driver']}{bus}: {one['about']}"]
    for name, channel in one["channels"].items():
        low, high = channel["low"], channel["high"]
        limits = "" if low is None or high is None else f"  {low:g} to {high:g}"
        lines.append(
            f"    {name:<18}{UNITS.get(channel['unit'], channel['unit']):<8}{limits}".rstrip()
        )
    if not one["channels"]:
        lines.append("    its channels are given by its options")
    options = [_option(name, default) for name, default in one["options"].items()]
    if options:
        lines.append(f"    options: {', '.join(options)}")
    if one["compensate"]:
        lines.append(f"    compensate: {', '.join(one['compensate'])}")
    return "\n".join(lines)


def _option(name: str, default: object) -> str:
    if default is None:
        return name
    return f"{name}={default:#04x}" if name == "address" else f"{name}={default!r}"
