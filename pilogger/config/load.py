"""A config file -> settings, or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pilogger.config.document import plain
from pilogger.config.files import open_file
from pilogger.config.parser import LARGEST, parse
from pilogger.config.reader import Reader
from pilogger.config.secrets import Secrets
from pilogger.config.settings import Settings
from pilogger.errors import ConfigError, Mistake


def load(path: Path | str) -> Settings:
    """Read a config file; relative paths in it start at its folder, where its secrets are.

    Raises:
        ConfigError: with every mistake in it.
    """
    name = str(path)
    try:
        with open_file(path) as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        why = "there is no such file"
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        why = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    else:
        return loads(data, name, Path(path).parent)
    raise ConfigError([Mistake(name, 1, 1, "", why)])


def loads(data: bytes | str, name: str = "config", folder: Path = Path()) -> Settings:
    """Read a config from memory; `name` is what its mistakes call it.

    Raises:
        ConfigError: with every mistake in it.
    """
    secrets = Secrets(folder)
    reader = Reader(parse(data, name, secrets.resolve), folder)
    return reader.settings(secrets.mistakes)


def from_dict(data: Mapping[str, Any], name: str = "config", folder: Path = Path()) -> Settings:
    """Take a config as Python values; its mistakes have line and column 0.

    Raises:
        ConfigError: with every mistake in it.
    """
    return Reader(plain(data, name), folder).settings([])
