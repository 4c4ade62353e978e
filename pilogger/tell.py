"""A sample, and the state of a logger, in words for a person at a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pilogger.harmless import harmless
from pilogger.sample import Value
from pilogger.words import amount, moment, plural, size, span, table

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
    return "\n".join(harmless(line) for text in lines for line in text.split("\n")).strip()


def summary(state: State) -> str:
    """Say how a running logger does, in one line: what `systemctl status` shows."""
    sensors = [sensor["status"] for sensor in state["sensors"]]
    here = [plural(len(sensors), "sensor")]
    if failing := sum(status in TROUBLED for status in sensors):
        here.append(f"{failing} failing")
    places = state["destinations"]
    if aside := sum(status == ASIDE for status in (*sensors, *(it["outcome"] for it in places))):
        here.append(f"{aside} set aside after crashes")
    kept = [f"{plural(state['store']['stored'], 'reading')} stored"]
    kept += [f"{place['pending']:,} waiting for {place['name']}" for place in places]
    parts = [", ".join(here), ", ".join(kept)]
    if trouble := state["store"]["trouble"]:
        parts.append(trouble)
    if state["clock"] == "unsynced":
        parts.append("the clock is not right yet")
    return "; ".join(parts)


def _head(state: State) -> str:
    if state["running"]:
        for_ = span(state["asked"] - state["started"])
        return f"{state['device']}: running for {for_} (process {state['process']})"
    if "asked" not in state:
        return "not running; it was killed, and the next start stores what its journal holds"
    when = moment(state["asked"])
    return f"{state['device']}: not running; the last clean stop was at {when}"


def _sensor(sensor: Mapping[str, Any], width: int) -> str:
    counts = [plural(sensor["readings"], "reading")]
    if failed := sum(sensor["failures"].values()):
        counts.append(f"{failed:,} failed")
    if sensor["skipped"]:
        counts.append(f"{sensor['skipped']:,} skipped")
    line = f"  {sensor['id']:<{width}}{sensor['status']:<10}{', '.join(counts)}"
    told = sensor["status"] in {*TROUBLED, ASIDE}
    return f"{line}\n  {'':<{width}}{sensor['error']}" if told else line


TROUBLED = {"failing", "hung"}
ASIDE = "set aside"


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
    lines += [
        f"       {plural(gone['readings'], 'reading')} {GONE.get(reason, reason)}"
        + (f", {gone['unsent']:,} of them not sent" if gone["unsent"] else "")
        for reason, gone in store.get("evicted", {}).items()
    ]
    lines += [
        f"       {name} is no destination any more: nothing is kept for it"
        for name in store.get("removed", ())
    ]
    lines += [f"       {_salvaged(wreck)}" for wreck in store.get("salvaged", ())]
    if store.get("trouble"):
        lines.append(f"       {store['trouble']}")
    return "\n".join(lines)


def _salvaged(wreck: Mapping[str, Any]) -> str:
    counts = f"{plural(wreck['saved'], 'reading')} of a damaged store saved, {wreck['lost']:,} lost"
    if not wreck["done"]:
        return f"{counts} so far, from {wreck['folder']}"
    return f"{counts}; {wreck['folder']} can be deleted" if wreck["kept"] else counts


GONE = {
    "age": "too old (store.keep) are gone",
    "size": "gone, as the store reached store.max_size",
    "space": "gone, as the disk was full up to store.min_free",
    "damaged": "lost to damage",
}


def _clock(state: State) -> list[str]:
    if "clock" not in state:
        return []
    line = f"clock  {CLOCK[state['clock']]}"
    sync = state.get("sync", {})
    if since := sync.get("since"):
        line += f" since {moment(since)}, says {SOURCES[sync['source']]}"
        if not sync["confirmed"]:
            line += "; not confirmed now, so it is counted on from then"
    if error := sync.get("error"):
        line += f"; it errs by {span(error)} at most"
    return [line]


SOURCES = {
    "ntp": "NTP",
    "system": "this machine's own time (clock.trust)",
    "http-date": "a web server (clock.http_date), to about a second",
}
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
