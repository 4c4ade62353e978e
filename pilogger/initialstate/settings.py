"""isstreamer.ini, as the original reads it.

[isstreamer.client_config]
access_key = ...
default_bucket = Greenhouse
offline_mode = false
offline_file = ./isstreamer_out.csv

[isstreamer.api_config]
stream_api_base = http://hub.local:8080
"""

from __future__ import annotations

import configparser
import os
from pathlib import Path
from typing import NamedTuple

from pilogger.destinations.initialstate import SERVICE
from pilogger.errors import ConfigError, Mistake

NAME = "isstreamer.ini"
CLIENT, API = "isstreamer.client_config", "isstreamer.api_config"


class Settings(NamedTuple):
    """What a file says, with the original's defaults for what it does not say."""

    bucket: str = ""
    access_key: str = ""
    offline: bool = False
    offline_file: Path = Path("isstreamer_out.csv")
    base_url: str = SERVICE


def load(location: str | Path | None = None) -> Settings:
    """Read the file at `location`, else ~/isstreamer.ini, else ./isstreamer.ini, else none.

    Raises:
        ConfigError: there is no file at `location`, or one that cannot be used.
    """
    if location is not None:
        return _read(Path(location))
    home = Path(os.path.expanduser("~"))  # Path.home() fails where there is none
    found = [path for path in (home / NAME, Path(NAME)) if path.exists()]
    return _read(found[0]) if found else Settings()


def _read(path: Path) -> Settings:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from error
    except (configparser.Error, UnicodeDecodeError) as error:
        raise _wrong(path, f"is no ini file: {' '.join(str(error).split())}") from error
    usual = Settings()
    base_url = parser.get(API, "stream_api_base", fallback=usual.base_url)
    if not base_url.startswith(("http://", "https://")):
        raise _wrong(path, f"stream_api_base begins with http:// or https://, not {base_url!r}")
    file = Path(parser.get(CLIENT, "offline_file", fallback=str(usual.offline_file)))
    return Settings(
        bucket=parser.get(CLIENT, "default_bucket", fallback=usual.bucket),
        access_key=parser.get(CLIENT, "access_key", fallback=usual.access_key),
        offline=parser.get(CLIENT, "offline_mode", fallback="false") != "false",
        offline_file=file if file.suffix == ".csv" else file.with_name(f"{file.name}.csv"),
        base_url=base_url,
    )


def _wrong(path: Path, what: str) -> ConfigError:
    return ConfigError([Mistake(str(path), 0, 0, "", what)])
