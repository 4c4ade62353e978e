"""A config file -> settings, or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilogger.config.document import plain
from pilogger.config.files import open_file
from pilogger.config.parser import LARGEST, parse
from pilogger.config.reader import Reader
from pilogger.config.secrets import Secrets
from pilogger.config.settings import Settings
from pilogger.errors import ConfigError, Mistake

if TYPE_CHECKING:  # it brings the store along
    from pilogger.suspects import Suspects


def load(path: Path | str, suspects: Suspects | None = None) -> Settings:
    """Read a config file; relative paths in it start at its folder, where its secrets are.

    `suspects` are drivers that may kill the process when they are loaded.

    Raises:
        ConfigError: with every mistake in it.
    """
    return loads(_read(path), str(path), Path(path).parent, suspects)


def store_path(path: Path | str) -> Path:
    """Read only where a config keeps its readings: the rest may be wrong, or not for our eyes.

    Any user can so ask how a logger is doing whose secrets are its own.

    Raises:
        ConfigError: it does not tell.
    """
    folder = Path(path).parent
    secrets = Secrets(folder)
    reader = Reader(parse(_read(path), str(path), secrets.resolve), folder)
    return reader.store_path(secrets.mistakes)


def loads(
    data: bytes | str,
    name: str = "config",
    folder: Path = Path(),
    suspects: Suspects | None = None,
) -> Settings:
    """Read a config from memory; `name` is what its mistakes call it.

    Raises:
        ConfigError: with every mistake in it.
    """
    secrets = Secrets(folder)
    reader = Reader(parse(data, name, secrets.resolve), folder, suspects)
    return reader.settings(secrets.mistakes)


def from_dict(data: Mapping[str, Any], name: str = "config", folder: Path = Path()) -> Settings:
    """Take a config as Python values; its mistakes have line and column 0.

    Raises:
        ConfigError: with every mistake in it.
    """
    return Reader(plain(data, name), folder).settings([])


def _read(path: Path | str) -> bytes:
    try:
        with open_file(path) as file:
            return file.read(LARGEST + 1)
    except FileNotFoundError:
        why = "there is no such file"
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        why = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    raise ConfigError([Mistake(str(path), 1, 1, "", why)])
