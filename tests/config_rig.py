"""What the tests of the config share: the mistakes of a text, as lines."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from pilogger.config import loads
from pilogger.errors import ConfigError

SENSOR = "sensors: {air: {driver: bme280}}\n"


def mistakes(text: str | bytes, folder: Path = Path()) -> list[str]:
    """Read a config that is wrong; each mistake as `line:column: path: what`."""
    if isinstance(text, str):
        text = dedent(text)
    with pytest.raises(ConfigError) as caught:
        loads(text, "a.yaml", folder)
    return [str(mistake).removeprefix("a.yaml:") for mistake in caught.value.mistakes]


def mistake(text: str | bytes, folder: Path = Path()) -> str:
    """Read a config with one mistake."""
    (only,) = mistakes(text, folder)
    return only
