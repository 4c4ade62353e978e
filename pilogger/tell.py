"""A sample, and the state of a logger, in words for a person at a terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pilogger.sample import Value
from pilogger.words import amount, plural, size, span, table

State = Mapping[str, Any]


def sample(values: Mapping[str, Value], units: Mapping[str, str]) -> str:
    """Print one sample, a channel a line."""
    return table((name, amount(value, units[name])) for name, value in values.items())


def status(state: State) -> str:
    """Tell a state of `pilogger.status` in words."""
    store = state["store"]
    lines = [_head(state), ""]
    sensors = state.get("sensors", ())
    width = max((len(sensor["id"]) for sensor in sensors), default=0) + 2
    lines += [_sensor(sensor, width) for sensor in sensors]
    lines += ["", _store(store), *_clock(state), ""]
    lines += [line for place in state["destinations"] for line in destination(place)]
    return "\n".join(lines).strip()


def _head(state: State) -> str:
    if state["running"]:
        for_ = span(state["asked"] - state["started"])
        return f"{state['device']}: running for {for_} (process {state['process']})"
    if "asked" not in state:
        return "not running; it was killed, and the next start stores what its journal holds"
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(state["asked"]))
    return f"{state['device']}: not running; the last clean stop was at {when}"


def _sensor(sensor: Mapping[str, Any], width: int) -> str:
    counts = [plural(sensor["readings"], "reading")]
    if failed := sum(sensor["failures"].values()):
        counts.append(f"{failed:,} failed")
    if sensor["skipped"]:
        counts.append(f"{sensor['skipped']:,} skipped")
    line = f"  {sensor['id']:<{width}}{sensor['status']:<9}{', '.join(counts)}"
    return f"{line}\n  {'':<{width}}{sensor['error']}" if sensor["status"] in TROUBLED else line


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
    if why := place.get("at_stop"):
        lines.append(f"    when it stopped: {why}")
    if held := place.get("held"):
        lines.append(f"    held back: {held}")
    lines += [f"    refused {reason}" for reason in place.get("reasons", ())]
    return lines
