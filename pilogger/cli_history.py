"""The commands for what was logged: see it, take it out, bring it in, send it again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pilogger.cli_options import (
    config_option,
    end_option,
    find_config,
    json_option,
    moment,
    start_option,
    store_option,
    zone_of,
    zone_option,
)
from pilogger.errors import PiloggerError
from pilogger.words import plural, size

if TYPE_CHECKING:
    from datetime import tzinfo

    from pilogger.sample import Value
    from pilogger.series import Info

EVER = 10**30  # nanoseconds, either way
DAY = 86_400 * 10**9


@click.command()
@config_option
@store_option
@zone_option
@json_option
def series(config: Path | None, store: Path | None, zone: str, as_json: bool) -> None:
    """List the series: key, unit, and the newest reading of each."""
    from pilogger.periods import to_text
    from pilogger.series import latest
    from pilogger.words import amount, table

    where = zone_of(zone)
    with _reader(config, store) as db:
        found = latest(db)
    rows = [(one, one.readings[-1]) for one in found]
    if as_json:
        described = [
            {"series": one.key, "unit": one.unit, "epoch": last.epoch, "value": last.value}
            for one, last in rows
        ]
        click.echo(json.dumps(described, indent=2, ensure_ascii=False))
    else:
        click.echo(
            table(
                (one.key, amount(last.value, one.unit), to_text(round(last.epoch * 1e9), where))
                for one, last in rows
            )
        )


@click.command()
@click.argument("key")
@config_option
@store_option
@start_option
@end_option
@click.option("--interval", help="15min, 1hour, 1day ... or raw; else what fits the span.")
@click.option("--function", default="mean", show_default=True, help="Or min, max, sum, count ...")
@zone_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
)
def query(
    key: str,
    *,
    config: Path | None,
    store: Path | None,
    start: str | None,
    end: str | None,
    interval: str | None,
    function: str,
    zone: str,
    form: str,
) -> None:
    """Print the history of the series KEY: by default the last day."""
    import time

    from pilogger.periods import Interval, automatic
    from pilogger.series import History, find
    from pilogger.series import query as ask

    where = zone_of(zone)
    last = time.time_ns() if end is None else moment(end, where)
    first = last - DAY if start is None else moment(start, where)
    if first > last:
        raise click.UsageError("--start is after --end")
    by = automatic(first, last) if interval is None else Interval.parse(interval)
    with _reader(config, store) as db:
        [info] = _chosen(find(db), [key])
        found = ask(History(db), info, first, last, interval=by, function=function, zone=where)
        for line in _lines(found, info, form, where):
            click.echo(line)


def _lines(
    found: Iterator[tuple[int, Value]], info: Info, form: str, zone: tzinfo
) -> Iterator[str]:
    from pilogger import epoch, export
    from pilogger.periods import to_text
    from pilogger.words import amount

    if form == "table":
        for t, value in found:
            yield f"{to_text(t, zone)}  {amount(value, info.unit)}"
        return
    records = (
        export.Record(info.key, epoch.unpack(t), to_text(t, zone), value, info.unit)
        for t, value in found
    )
    if form == "csv":
        yield export.HEADER.rstrip()
        yield from (export.to_csv(record).rstrip("\n") for record in records)
    else:
        items = [export.to_json(record).rstrip() for record in records]
        yield "[" + ",\n ".join(items) + "]"


@click.command()
@click.argument("keys", nargs=-1)
@config_option
@store_option
@start_option
@end_option
@zone_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "parquet"]),
    default="csv",
    show_default=True,
    help="parquet needs pip install 'pilogger[parquet]'.",
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Else printed.")
@click.option("--resume", is_flag=True, help="Go on behind what OUTPUT has already.")
def export(
    keys: Sequence[str],
    *,
    config: Path | None,
    store: Path | None,
    start: str | None,
    end: str | None,
    zone: str,
    form: str,
    output: Path | None,
    resume: bool,
) -> None:
    """Write readings as CSV, lines of JSON, or Parquet: of all series, or of those with KEYS."""
    from pilogger import export
    from pilogger.series import History, find

    if resume and (output is None or form == "parquet"):
        raise click.UsageError("--resume goes with --output, and not with parquet")
    if output and output.exists() and not resume:
        raise PiloggerError(f"{output} is there already: give --resume, or name a new file")
    where = zone_of(zone)
    first, last = _span(start, end, where)
    with _reader(config, store) as db:
        found = _chosen(find(db), keys)
        place = export.resume(output, form) if resume and output else None
        if place:
            names = [info.key for info in found]
            if place.series not in names:
                raise PiloggerError(f"{output} ends in {place.series}, which is not asked for now")
            found = found[names.index(place.series) :]
        with _progress(db, found) as progress:
            records = export.records(
                History(db), found, first, last, zone=where, behind=place, progress=progress
            )
            count = export.write(records, form, output)
    if output:
        click.echo(f"{plural(count, 'reading')} written to {output}", err=True)


def _chosen(found: list[Info], keys: Sequence[str]) -> list[Info]:
    """Return the series with these keys; all, if none are named."""
    from difflib import get_close_matches

    names = [info.key for info in found]
    for key in keys:
        if key not in names:
            near = get_close_matches(key, names, 1)
            hint = f"; did you mean {near[0]}?" if near else ": `pilogger series` lists them"
            raise PiloggerError(f"there is no series {key}{hint}")
    return [info for info in found if not keys or info.key in keys]


@contextmanager
def _progress(db: Any, found: Sequence[Info]) -> Iterator[Callable[[Info, int], None] | None]:
    """Show on a terminal how far it is: series by series, each by its time."""
    from pilogger.series import bounds

    if not sys.stderr.isatty() or not found:
        yield None
        return
    spans = {info.id: bounds(db, info.id) for info in found}
    numbers = {info.id: number for number, info in enumerate(found)}
    with click.progressbar(length=1000 * len(found), file=sys.stderr) as bar:

        def show(info: Info, t: int) -> None:
            first, last = spans[info.id]
            part = (t - first) / max(last - first, 1)
            bar.update(int(1000 * (numbers[info.id] + min(max(part, 0), 1))) - bar.pos)

        yield show
        bar.update(1000 * len(found) - bar.pos)


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@config_option
@store_option
@zone_option
def import_(file: Path, config: Path | None, store: Path | None, zone: str) -> None:
    """Take in readings from a FILE: CSV, an export, or ISStreamer's missed events.

    The logger may run, or not. What is there already is left out, so this may be done again.
    """
    from pilogger.control import hands
    from pilogger.intake import take

    with hands(_store(config, store)) as own:
        result = take(own, file, zone_of(zone))
    for reason in result.reasons:
        click.echo(reason, err=True)
    click.echo(
        f"{plural(result.new, 'reading')} stored, {result.known:,} known already, "
        f"{result.refused:,} refused"
    )
    if result.refused:
        sys.exit(1)


@click.command()
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@config_option
@store_option
def backup(target: Path, config: Path | None, store: Path | None) -> None:
    """Copy the store to the new file TARGET, also while the logger or the hub runs.

    With the store of a hub come its accounts, as TARGET-accounts.
    """
    from pilogger import backup

    found = _store(config, store)
    if not sys.stderr.isatty():
        copied = backup.backup(found, target)
    else:
        with click.progressbar(length=1000, file=sys.stderr) as bar:
            copied = backup.backup(
                found, target, lambda done, total: bar.update(1000 * done // total - bar.pos)
            )
    click.echo(f"{found} was copied to {target} ({size(copied)}); what came since is not in it")


@click.command()
@click.argument("destination")
@config_option
@store_option
@start_option
@end_option
@zone_option
def replay(
    destination: str,
    *,
    config: Path | None,
    store: Path | None,
    start: str | None,
    end: str | None,
    zone: str,
) -> None:
    """Send readings to DESTINATION once more, from --start to --end.

    The logger may run, or not; then they go after its next start. What arrived among these
    readings goes with them; a receiver that keeps one point for a series and epoch is not
    disturbed.
    """
    from pilogger.control import hands
    from pilogger.store.blocks import MICRO, clamp

    where = zone_of(zone)
    first, last = _span(start, end, where)
    with hands(_store(config, store)) as own:
        count = own.replay(destination, clamp(first // MICRO), clamp(last // MICRO))
    click.echo(f"{plural(count, 'reading')} will be sent to {destination} again")


def _span(start: str | None, end: str | None, zone: tzinfo) -> tuple[int, int]:
    """Read from when to when, in nanoseconds; without a bound that is for ever."""
    first = -EVER if start is None else moment(start, zone)
    last = EVER if end is None else moment(end, zone)
    return first, last


def _store(config: Path | None, store: Path | None) -> Path:
    if store is not None:
        return store
    from pilogger.config import store_path

    return store_path(find_config(config))


@contextmanager
def _reader(config: Path | None, store: Path | None) -> Iterator[Any]:
    from pilogger.store import open_reader

    with closing(open_reader(_store(config, store))) as db:
        yield db


COMMANDS = (series, query, export, import_, backup, replay)
