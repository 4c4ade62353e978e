"""Options that several commands have, and what people write in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pilogger.errors import BadValue

if TYPE_CHECKING:
    from datetime import tzinfo

PLACES = (Path("/etc/pilogger/pilogger.yaml"), Path("pilogger.yaml"))


class Duration(click.ParamType[float]):
    """`30s`, as in a config; gives seconds."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        from pilogger.config.durations import seconds

        try:
            return seconds(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = Duration()


class Moment(click.ParamType[str]):
    """A time: ISO 8601, a date, an epoch in seconds, or a duration before now like `7d`."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        try:
            moment(str(value), zone_of("UTC"))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return str(value)


def moment(text: str, zone: tzinfo) -> int:
    """Turn a time as people type it into nanoseconds since 1970.

    Raises:
        BadValue: it is no time.
    """
    import time

    from pilogger import epoch, periods
    from pilogger.config.durations import seconds

    if epoch.NUMBER.fullmatch(text):
        return epoch.nanoseconds(epoch.pack(epoch.text(text)))
    try:
        return time.time_ns() - round(seconds(text) * 1e9)
    except ValueError:
        pass
    try:
        return periods.from_text(text, zone)
    except BadValue:
        raise BadValue(
            f"{text!r} is no time: write 2026-01-31, 2026-01-31T13:45:00+01:00, an epoch in "
            "seconds, or how long ago (90min, 7d)"
        ) from None


def zone_of(name: str) -> tzinfo:
    """Return the time zone with an IANA name; BadValue, with the nearest name, if there is none."""
    from pilogger import periods

    return periods.find_zone(name)


start_option = click.option("--start", type=Moment(), help="The earliest time (2026-01-31, 7d).")
end_option = click.option("--end", type=Moment(), help="The time to stop before; else now.")
zone_option = click.option("--tz", "zone", default="UTC", show_default=True, help="IANA name.")

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"The YAML file; else {PLACES[0]}, else ./{PLACES[1]}.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
folders_option = click.option(
    "--dir",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A drop-in folder with more drivers, as driver_dirs in the config.",
)
store_option = click.option(
    "--store", type=click.Path(path_type=Path, dir_okay=False), help="Instead of the config's."
)


def find_config(given: Path | None) -> Path:
    """Return the config to use: the given one, else the first of `PLACES` that is there."""
    if given:
        return given
    found = next((place for place in PLACES if place.exists()), None)
    if found is None:
        raise click.UsageError(f"there is no {PLACES[0]} and no ./{PLACES[1]}: give --config FILE")
    return found
