"""The command line: thin; each command calls the part that does the work."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import click

from pilogger import __version__, catalogue, cli_history, cli_hub, cli_sensors, tell
from pilogger.cli_options import (
    DURATION,
    config_option,
    find_config,
    folders_option,
    json_option,
    store_option,
)
from pilogger.errors import ConfigError, PiloggerError
from pilogger.harmless import Lines, lines
from pilogger.words import plural


class Pilogger(click.Group):
    """Says a pilogger error as the sentence it is; exits 2 for a config, 1 for the rest."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            click.echo(error, err=True)
            ctx.exit(2)
        except PiloggerError as error:
            click.echo(f"pilogger: {lines(str(error))}", err=True)
            ctx.exit(1)


@click.group(cls=Pilogger, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="pilogger %(version)s")
def main() -> None:
    """Log sensors: every reading arrives, once, with its own time."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # see __main__


for command in (*cli_history.COMMANDS, *cli_sensors.COMMANDS):
    main.add_command(command)


@main.command()
@config_option
def run(config: Path | None) -> None:
    """Log until told to stop: what systemd starts."""
    from pilogger import daemon

    _log_to_stderr()
    daemon.run(find_config(config))


@main.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@config_option
def check(files: tuple[Path, ...], config: Path | None) -> None:
    """Validate config files: exit 0, or 2 with every mistake."""
    from pilogger.config import load

    mistakes = []
    for file in files or (find_config(config),):
        try:
            found = load(file)
        except ConfigError as error:
            mistakes += error.mistakes
        else:
            sensors = plural(len(found.sensors), "sensor")
            places = plural(len(found.destinations), "destination")
            click.echo(f"{file}: {sensors}, {places}, no mistakes")
    if mistakes:
        raise ConfigError(mistakes)


@main.command()
def schema() -> None:
    """Print the JSON Schema of the config, for editors."""
    from pilogger.config import schema

    click.echo(json.dumps(schema(), indent=2, ensure_ascii=False))


@main.command()
@json_option
@folders_option
def drivers(folders: tuple[Path, ...], as_json: bool) -> None:
    """List the drivers: their channels, units and options."""
    described = catalogue.describe(folders)
    click.echo(json.dumps(described, indent=2) if as_json else catalogue.tell(described))


@main.command()
@click.argument("sensor")
@config_option
@json_option
def read(sensor: str, config: Path | None, as_json: bool) -> None:
    """Take one sample of a configured SENSOR and print it."""
    from pilogger.agent import read_once
    from pilogger.config import load

    # The reason is said once, at the end; a driver that prints must not disturb the answer.
    with _without_warnings(), redirect_stdout(sys.stderr):
        values, units = read_once(load(find_config(config)), sensor)
    click.echo(json.dumps(values) if as_json else tell.sample(values, units))


@main.command()
@config_option
@store_option
@json_option
def status(config: Path | None, store: Path | None, as_json: bool) -> None:
    """Tell how the logger is doing, running or not."""
    from pilogger.status import find

    if store is None:
        from pilogger.config import store_path

        store = store_path(find_config(config))
    state = find(store)
    click.echo(json.dumps(state, indent=2) if as_json else tell.status(state))


@main.command()
@config_option
@json_option
def doctor(config: Path | None, as_json: bool) -> None:
    """Look for what keeps this machine from logging: exit 0, or 1 if something is wrong."""
    from pilogger import doctor

    findings = list(doctor.examine(find_config(config)))
    told = [finding._asdict() for finding in findings]
    click.echo(json.dumps(told, indent=2) if as_json else doctor.tell(findings))
    if any(finding.state == "wrong" for finding in findings):
        sys.exit(1)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def upgrade(options: tuple[str, ...]) -> None:
    """Bring the newest version; the old one comes back if it does not run well.

    OPTIONS are those of the installer, such as --version or --source.
    """
    installer = Path(sys.prefix) / "share/pilogger/install.sh"
    if not installer.exists():
        raise PiloggerError("install.sh did not put this pilogger here: upgrade it with pip")
    os.execvp("bash", ["bash", str(installer), *options])


@main.group(invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, help="0 takes a free one.")
@click.option(
    "--store",
    default=cli_hub.STORE,
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
)
@click.option(
    "--cert",
    envvar="PILOGGER_HUB_CERT",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Speak TLS, with this certificate chain (PEM).",
)
@click.option(
    "--key",
    envvar="PILOGGER_HUB_KEY",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The certificate's key, where it is in a file of its own.",
)
@click.pass_context
def hub(
    ctx: click.Context, *, host: str, port: int, store: Path, cert: Path | None, key: Path | None
) -> None:
    """Run a hub: the other end, with a live page.

    Who may use it: the account of PILOGGER_HUB_ACCESS_KEY and PILOGGER_HUB_SECRET, and those
    of `pilogger hub accounts`. Without any it listens on loopback only and takes any key.
    """
    from pilogger.store import beside

    hub = _extra("pilogger.hub")
    ctx.obj = store
    if ctx.invoked_subcommand:
        return
    if key and not cert:
        raise click.UsageError("--key needs --cert")
    _log_to_stderr()
    hub.serve(
        host,
        port,
        store,
        hub.Accounts.from_environment(path=beside(store, "accounts")),
        tls=hub.TLS(cert, key) if cert else None,
        announce=lambda url: click.echo(f"hub at {url}"),
    )


hub.add_command(cli_hub.accounts)


@main.command()
@click.option("--for", "duration", type=DURATION, help="Stop after this time; else at Ctrl-C.")
@click.option("--port", default=0, help="The hub's port; a free one by default.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the readings are kept; a new folder by default.",
)
@json_option
def demo(duration: float | None, port: int, folder: Path | None, as_json: bool) -> None:
    """Show the whole job on this machine: no hardware, no config."""
    _extra("pilogger.hub")
    from pilogger import demo

    sys.exit(demo.run(folder, port, duration, as_json=as_json))


def _extra(module: str) -> Any:
    """Import what is an extra, or say how to get it."""
    from importlib import import_module

    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise PiloggerError(
            f"{error.name} is not installed: pip install 'pilogger[hub]'"
        ) from error


@contextmanager
def _without_warnings() -> Iterator[None]:
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _log_to_stderr() -> None:
    when = "%(asctime)s " if sys.stderr.isatty() else ""  # a journal adds the time itself
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(f"{when}%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
