"""The accounts of a hub on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pilogger.cli_options import json_option

STORE = "pilogger-hub.db"


def _given(ctx: click.Context, _: click.Parameter, store: Path | None) -> Path:
    """Take the store from here, else from `pilogger hub --store`."""
    return store or (ctx.obj if isinstance(ctx.obj, Path) else Path(STORE))


store_option = click.option(
    "--store",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_given,
    help=f"The hub's store, beside which they are kept.  [default: {STORE}]",
)


@click.group()
def accounts() -> None:
    """Add, list and remove who may use a hub; one that runs need not be stopped."""


@accounts.command()
@click.argument("name")
@store_option
@click.option("--ask", is_flag=True, help="Ask for key and secret, instead of making them up.")
@json_option
def add(name: str, store: Path, ask: bool, as_json: bool) -> None:
    """Add the account NAME, and print its access key and secret, this once.

    The key alone is enough to write with Initial State's and RudderStack's clients. With a
    secret, reading and TempoDB's clients need both.
    """
    from pilogger.hub import register

    if ask:
        key = click.prompt("Access key", hide_input=True)
        secret = click.prompt("Secret, or nothing", default="", hide_input=True, show_default=False)
    else:
        key, secret = register.new_key(), register.new_key()
    register.add(_file(store), register.Account(name, key, secret))
    if as_json:
        click.echo(json.dumps({"name": name, "access_key": key, "secret": secret}))
    elif ask:
        click.echo(f"{name} was added")
    else:
        click.echo(f"access key  {key}\nsecret      {secret}")
        click.echo("They are shown this once: only what tells them from others is kept.", err=True)


@accounts.command("list")
@store_option
@json_option
def list_(store: Path, as_json: bool) -> None:
    """List the accounts: name, whether there is a secret, since when."""
    from pilogger.hub import register
    from pilogger.words import table

    found = register.load(_file(store))
    if as_json:
        described: list[dict[str, Any]] = [
            {"name": one.name, "secret": bool(one.secret), "created": one.created} for one in found
        ]
        click.echo(json.dumps(described, indent=2, ensure_ascii=False))
    else:
        rows = [(one.name, "key and secret" if one.secret else "key", one.created) for one in found]
        click.echo(table(rows) if rows else "there is no account")


@accounts.command()
@click.argument("name")
@store_option
def remove(name: str, store: Path) -> None:
    """Remove the account NAME. Its data stays, for a new account of this name."""
    from pilogger.hub import register

    register.remove(_file(store), name)
    click.echo(f"{name} was removed; what it sent stays, for a new account of this name")


def _file(store: Path) -> Path:
    from pilogger.store import beside

    return beside(store, "accounts")
