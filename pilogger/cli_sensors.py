"""The commands about what is wired: `scan`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from pilogger.cli_options import folders_option, json_option


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


COMMANDS = (scan,)
