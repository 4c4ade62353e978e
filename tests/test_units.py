"""Units: what people write, and from one to another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import Unit
from pilogger.units import CODES, NAMES, SCALES, conversion, unit_of


@pytest.mark.parametrize(
    ("value", "source", "target", "found"),
    [  # NIST SP 811, appendix B, and what everybody knows
        (-40, "Cel", "[degF]", -40),
        (100, "Cel", "[degF]", 212),
        (32, "[degF]", "K", 273.15),
        (101_325, "Pa", "hPa", 1013.25),
        (101_325, "Pa", "mm[Hg]", 760.0),
        (101_325, "Pa", "[in_i'Hg]", 29.92126),
        (1, "[kn_i]", "km/h", 1.852),
        (10, "m/s", "[mi_i]/h", 22.3694),
        (1, "[ft_i]", "[in_i]", 12),
        (1, "[in_i]", "mm", 25.4),
        (1, "kW.h", "J", 3.6e6),
        (1, "m3", "l", 1000),
        (50, "Hz", "/min", 3000),
        (1, "m3/h", "l/min", 16.66667),
        (50, "%", "1", 0.5),
        (1, "g/m3", "ug/m3", 1e6),
    ],
)
def test_known_conversions(value: float, source: Unit, target: Unit, found: float) -> None:
    factor, shift = conversion(source, target)

    assert value * factor + shift == pytest.approx(found, rel=2e-6)


@given(st.sampled_from(sorted(SCALES)), st.sampled_from(sorted(SCALES)), st.floats(-1e6, 1e6))
def test_there_and_back_is_where_it_was(here: Unit, there: Unit, value: float) -> None:
    """Between units of one quantity; between others there is no way."""
    if SCALES[here].quantity != SCALES[there].quantity:
        with pytest.raises(ValueError, match="cannot be converted"):
            conversion(here, there)
        return
    factor, shift = conversion(here, there)
    back, shift_back = conversion(there, here)

    assert (value * factor + shift) * back + shift_back == pytest.approx(value, abs=1e-3)


def test_people_write_units_as_they_like() -> None:
    assert [unit_of(name) for name in ("degF", "°F", "hPa", "kn", "inHg", "kWh", "rpm")] == [
        "[degF]",
        "[degF]",
        "hPa",
        "[kn_i]",
        "[in_i'Hg]",
        "kW.h",
        "/min",
    ]
    assert unit_of("[kn_i]") == "[kn_i]"
    assert unit_of("furlong") is None


def test_every_name_stands_for_a_unit_and_hides_none() -> None:
    assert set(NAMES.values()) <= set(CODES)
    assert not set(NAMES) & set(CODES)
    assert set(SCALES) <= set(CODES)
