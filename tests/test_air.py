"""Moist air and the air's pressure, against published tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger import air

WARM, WET = st.floats(-45, 60), st.floats(1, 100)


@pytest.mark.parametrize(
    ("temperature", "pascal"),
    # CRC Handbook of Chemistry and Physics, "Vapor pressure of water from 0 to 370 Cel"
    [(0, 611.3), (10, 1228.1), (20, 2338.8), (30, 4245.5), (50, 12_344)],
)
def test_saturation_pressure(temperature: float, pascal: float) -> None:
    """Magnus' formula is known to be this good."""
    assert air.saturation_pressure(temperature) == pytest.approx(pascal, rel=0.003)


@pytest.mark.parametrize(
    ("temperature", "humidity", "dew"),
    [(25, 50, 13.852), (20, 50, 9.27), (30, 70, 23.93), (0, 80, -3.04)],
)
def test_dew_point(temperature: float, humidity: float, dew: float) -> None:
    """The first by hand from 17.62 and 243.12, the others from a psychrometric chart."""
    assert air.dew_point(temperature, humidity) == pytest.approx(dew, abs=0.02)


@given(WARM, WET)
def test_at_its_dew_point_the_air_is_saturated(temperature: float, humidity: float) -> None:
    dew = air.dew_point(temperature, humidity)

    assert dew is not None
    assert dew <= temperature + 1e-9
    assert air.saturation_pressure(dew) == pytest.approx(air.vapour_pressure(temperature, humidity))


def test_air_without_water_has_no_dew_point() -> None:
    assert air.dew_point(20, 0) is None


@pytest.mark.parametrize(
    ("temperature", "humidity", "grams"),
    [(25, 50, 11.484), (0, 100, 4.85), (20, 100, 17.3), (30, 100, 30.4)],
)
def test_absolute_humidity(temperature: float, humidity: float, grams: float) -> None:
    """Sensirion's formula for the SGP30 by hand, then a table of saturated steam."""
    assert air.absolute_humidity(temperature, humidity) == pytest.approx(grams, rel=0.005)


@pytest.mark.parametrize(
    ("temperature", "humidity", "pascal"), [(25, 50, 1580), (20, 60, 935), (30, 40, 2545)]
)
def test_vapour_pressure_deficit(temperature: float, humidity: float, pascal: float) -> None:
    """As in the charts of growers: 1.58, 0.94 and 2.55 kPa."""
    assert air.vapour_pressure_deficit(temperature, humidity) == pytest.approx(pascal, rel=0.005)
    assert air.vapour_pressure_deficit(temperature, 100) == pytest.approx(0)


@pytest.mark.parametrize(
    ("fahrenheit", "humidity", "index"),
    [(80, 40, 80), (86, 90, 105), (90, 50, 95), (100, 40, 109), (110, 40, 136), (94, 65, 114)],
)
def test_heat_index_is_that_of_the_chart(fahrenheit: float, humidity: float, index: float) -> None:
    """Of the National Weather Service, in whole degF."""
    found = air.heat_index((fahrenheit - 32) / 1.8, humidity) * 1.8 + 32

    assert found == pytest.approx(index, abs=0.51)


@pytest.mark.parametrize(
    ("fahrenheit", "humidity", "moved"),
    [(95, 5, -2.0), (84, 95, 0.6)],  # (13 - 5) / 4 x sqrt(17 / 17); (95 - 85) / 10 x (87 - 84) / 5
)
def test_dry_and_very_moist_heat_is_adjusted(
    fahrenheit: float, humidity: float, moved: float
) -> None:
    t, r = fahrenheit, humidity
    regression = (
        -42.379 + 2.04901523 * t + 10.14333127 * r - 0.22475541 * t * r - 0.00683783 * t * t
        - 0.05481717 * r * r + 0.00122874 * t * t * r + 0.00085282 * t * r * r
        - 0.00000199 * t * t * r * r
    )  # fmt: skip

    found = air.heat_index((t - 32) / 1.8, r) * 1.8 + 32

    assert found - regression == pytest.approx(moved, abs=1e-6)


@given(st.floats(-45, 10), WET)
def test_cool_air_feels_like_itself_or_so(temperature: float, humidity: float) -> None:
    assert air.heat_index(temperature, humidity) == pytest.approx(temperature, abs=8)


@pytest.mark.parametrize(
    ("altitude", "hectopascal"),
    [(0, 1013.25), (500, 954.61), (1000, 898.75), (2000, 794.95), (-300, 1049.81)],
)
def test_the_standard_atmosphere_has_1013_25_at_the_sea(
    altitude: float, hectopascal: float
) -> None:
    """The table of ISO 2533 backwards."""
    found = air.sea_level_pressure(hectopascal * 100, altitude)

    assert found == pytest.approx(101_325, abs=2)


@given(st.floats(50_000, 105_000), st.floats(-400, 4000))
def test_where_it_is_as_warm_as_standard_both_ways_agree(pressure: float, altitude: float) -> None:
    warm = 15 - 0.0065 * altitude

    assert air.sea_level_pressure(pressure, altitude, warm) == pytest.approx(
        air.sea_level_pressure(pressure, altitude)
    )


def test_cold_air_is_heavy() -> None:
    """950 hPa at 500 m and 15 Cel: 1007.7 hPa by the formula that weather stations print."""
    assert air.sea_level_pressure(95_000, 500, 15) == pytest.approx(100_770, abs=10)
    assert air.sea_level_pressure(95_000, 500, -15) > air.sea_level_pressure(95_000, 500, 15)
