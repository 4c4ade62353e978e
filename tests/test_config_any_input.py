"""Whatever a config holds, reading it raises nothing but ConfigError."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pilogger.config import from_dict, loads
from pilogger.errors import ConfigError, Mistake

NAMES = st.sampled_from([
    "device", "sensors", "destinations", "store", "clock", "driver_dirs", "driver", "type",
    "name", "start", "every", "deadline", "raw", "bus", "channels", "path", "durability", "trust",
    "address", "pin", "pull", "groups", "run", "gives", "unit", "low", "high", "step", "shape",
    "period", "access_key", "bucket", "key", "base_url", "batch", "id", "timeout", "offset",
    "derive", "compensate", "temperature", "humidity", "altitude", "dew_point", "by", "heartbeat",
])  # fmt: skip
STEPS = st.sampled_from([
    "offset", "scale", "polynomial", "table", "clamp", "valid", "unit", "becomes", "median", "mean",
    "min", "max", "round", "on_change", "steps", "raw",
])  # fmt: skip
WORDS = st.sampled_from([
    "bme280", "bh1750", "system", "simulated", "command", "initialstate", "ntp", "10s", "0",
    "load", "sine", "Cel", "now", "on", "~", ".", "temperature", "sgp40", "a.temperature", "degF",
])  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | NAMES | WORDS
)
KEYS = NAMES | WORDS | st.text(max_size=9)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)
SENSORS = st.dictionaries(
    KEYS,
    st.dictionaries(NAMES, VALUES, max_size=5).flatmap(
        lambda some: WORDS.map(lambda word: some | {"driver": word})
    ),
    max_size=4,
)
PLACES = st.lists(
    st.dictionaries(NAMES, VALUES, max_size=5).map(lambda some: some | {"type": "initialstate"}),
    max_size=3,
)
CONFIGS = st.builds(
    lambda some, sensors, places: some | {"sensors": sensors, "destinations": places},
    st.dictionaries(NAMES, VALUES, max_size=4),
    SENSORS,
    PLACES,
)
LINES = st.text(st.sampled_from("abn01:-[]{},#&*!|>'\"%@`?~<=\\ \n\t\r\0\x85\ufeff\u2028é"))


def only_mistakes(read: Callable[[Any], object], data: Any) -> None:
    """Read it; a mistake has a place in the text, and a sentence of one line."""
    found: list[Mistake] = []
    try:
        read(data)
    except ConfigError as error:
        found = error.mistakes or [Mistake("", 0, 0, "", "")]
    for mistake in found:
        assert mistake.what
        assert "\n" not in str(mistake)
        assert (mistake.line >= 1) == (mistake.column >= 1) == (read is loads)


@pytest.mark.fault(82)
@settings(deadline=None)  # the first one imports the drivers
@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    """A picture, an archive, a half-written file."""
    only_mistakes(loads, data)


@settings(deadline=None)
@given(st.text() | LINES)
def test_any_text(text: str) -> None:
    """Also what looks like YAML."""
    only_mistakes(loads, text)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1)
CHANNEL = st.dictionaries(
    STEPS,
    LEAVES | NUMBERS | st.lists(NUMBERS, max_size=3) | st.lists(st.lists(NUMBERS, max_size=2)),
)


@settings(deadline=None)
@given(CHANNEL, st.lists(CHANNEL, max_size=3), st.dictionaries(NAMES, VALUES, max_size=3))
def test_any_steps(channel: Any, steps: Any, derive: Any) -> None:
    """Numbers of any size too: what becomes of range and step may overflow."""
    treated = {"temperature": channel | {"steps": steps}, "pressure": channel}
    only_mistakes(from_dict, {"sensors": {"a": {"driver": "bme280", "channels": treated}}})
    only_mistakes(from_dict, {"sensors": {"a": {"driver": "bme280", "derive": derive}}})


@pytest.mark.fault(82)
@settings(deadline=None)
@given(VALUES | CONFIGS)
def test_any_structure(data: Any) -> None:
    """The right names in the wrong places."""
    only_mistakes(from_dict, data)


@settings(deadline=None)
@given(VALUES | CONFIGS)
def test_any_structure_written_as_yaml(data: Any) -> None:
    """Through the parser, with the places of everything."""
    only_mistakes(loads, yaml.safe_dump(data, allow_unicode=True))


@pytest.mark.fault(82)
@pytest.mark.parametrize(
    "part",
    ["{", "[", "- ", "? ", "a: {", "!x ", "&a ", "'", '"', "|\n ", "\t", "%", "--- \n", "a\n"],
)
def test_any_repetition(part: str) -> None:
    """Nothing that is nested or repeated exhausts the parser."""
    only_mistakes(loads, part * (20_000 // len(part)))
