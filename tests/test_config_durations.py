"""Durations: 500ms, 10s, 5m."""

from __future__ import annotations

import pytest
from config_rig import mistake
from hypothesis import given
from hypothesis import strategies as st

from pilogger.config import loads
from pilogger.config.durations import seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500ms", 0.5),
        ("10s", 10.0),
        ("1.5h", 5400.0),
        ("5m", 300.0),
        ("1d", 86_400.0),
        ("2w", 1_209_600.0),
        ("2y", 63_072_000.0),
        ("0s", 0.0),
        ("0.1ms", 0.0001),
    ],
)
def test_each_unit_in_seconds(text: str, expected: float) -> None:
    """A year has 365 days."""

    assert seconds(text) == expected


@given(st.integers(0, 999_999_999))
def test_milliseconds_are_the_nearest_float(number: int) -> None:
    """0.3 s and 300 ms are the same number."""

    assert seconds(f"{number}ms") == number / 1000


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10 s", " (did you mean 10s?)"),
        ("10", " (did you mean 10s?)"),
        ("0.5", " (did you mean 0.5s?)"),
        ("10 seconds", " (did you mean 10s?)"),
        ("5 min", " (did you mean 5m?)"),
        ("100 millis", " (did you mean 100ms?)"),
        ("2 hours", " (did you mean 2h?)"),
        ("3 months", ""),
        ("10S", " (did you mean 10s?)"),
        ("5x", ""),
        ("-5s", ""),
        ("-5", ""),
        ("inf", ""),
        ("1e3s", ""),
        ("1h30m", ""),
        ("'\u0661s'", ""),  # a digit, but of another script
        ("on", ""),
        ("~", ""),
        ("[10s]", ""),
        ("99999999999999999999s", ""),
    ],
)
def test_what_is_no_duration_is_told_how_one_is_written(written: str, meant: str) -> None:
    """With all the units, and with what was probably meant."""
    found = mistake(f"sensors: {{air: {{driver: bme280, every: {written}}}}}")

    assert found == (
        "1:40: sensors.air.every: expected a duration, a number and one of ms s m h d w y, "
        f"as in 500ms, 10s or 5m{meant}"
    )


@pytest.mark.parametrize("written", ["9ms", "0s", "366d", "2y"])
def test_an_interval_is_from_10_ms_to_a_year(written: str) -> None:
    """Less is no polling, more is a mistake."""
    found = mistake(f"sensors: {{air: {{driver: bme280, every: {written}}}}}")

    assert found == "1:40: sensors.air.every: must be from 10ms to 1y"


@pytest.mark.parametrize(("written", "expected"), [("10ms", 0.01), ("1y", 31_536_000.0)])
def test_the_bounds_of_an_interval_are_allowed(written: str, expected: float) -> None:
    """Both of them."""
    settings = loads(f"sensors: {{air: {{driver: bme280, every: {written}}}}}")

    assert settings.sensors[0].every == expected


@pytest.mark.parametrize("written", ["0", "0s", "0.0"])
def test_the_durability_window_may_be_0_without_a_unit(written: str) -> None:
    """0 needs no unit to be understood."""
    settings = loads(f"{{sensors: {{air: {{driver: bme280}}}}, store: {{durability: {written}}}}}")

    assert settings.store.durability == 0.0


@pytest.mark.parametrize("written", ["no", "1", "0.5", "2h"])
def test_no_other_number_needs_no_unit(written: str) -> None:
    """`no` is false, which Python takes for 0."""
    text = f"{{sensors: {{air: {{driver: bme280}}}}, store: {{durability: {written}}}}}"

    assert mistake(text).startswith("1:56: store.durability: ")
