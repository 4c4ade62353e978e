"""The commands about what is wired: `scan`, and `record` for bug reports."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from pilogger.cli_options import config_option, find_config, folders_option, json_option
from pilogger.errors import PiloggerError
from pilogger.words import plural


@click.command()
@click.option("--bus", help="Only this I2C bus: 1, /dev/i2c-1, or 1/0x70/3 behind a multiplexer.")
@json_option
@click.option("--yaml", "as_yaml", is_flag=True, help="Print a config to start with.")
@folders_option
def scan(bus: str | None, folders: tuple[Path, ...], *, as_json: bool, as_yaml: bool) -> None:
    """Look what is wired: I2C, 1-wire and serial ports.

    Chips are asked in ways that change nothing in them. Exit 1 if nothing could be looked at.
    """
    from pilogger import scan

    try:
        finds, troubles, looked = scan.scan(bus, folders)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps(scan.as_json(finds, troubles), indent=2))
    elif as_yaml:
        click.echo(scan.as_yaml(finds), nl=False)
    else:
        click.echo(scan.tell(finds, troubles))
    sys.exit(not looked)


@click.command()
@click.argument("sensor")
@config_option
@click.option("--polls", default=5, show_default=True, type=click.IntRange(1))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; else standard output.",
)
def record(sensor: str, config: Path | None, polls: int, out: Path | None) -> None:
    """Poll a configured SENSOR, and write down every byte on its bus, for a bug report.

    Stop the logger first: two programs on one bus disturb each other. Exit 1 if no poll gave
    a reading.
    """
    from pilogger.config import load
    from pilogger.record import record

    found = load(find_config(config)).sensor(sensor)
    try:
        with click.open_file(str(out or "-"), "w", encoding="utf-8") as file:

            def write(line: str) -> None:
                file.write(line)
                file.flush()  # a driver may hang in the next

            failed = record(found, polls, write)
    except OSError as error:
        raise PiloggerError(f"cannot write {out}: {error.strerror}") from error
    click.echo(f"{plural(polls, 'poll')}, {failed} failed", err=True)
    sys.exit(failed == polls)


COMMANDS = (scan, record)
