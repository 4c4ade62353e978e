"""Formulas of moist air and of the air's pressure; temperatures in Cel, pressures in Pa.

[WMO] World Meteorological Organization, "Guide to Instruments and Methods of Observation"
      (WMO-No. 8, 2018), volume I, annex 4.B: Magnus' formula over water after Sonntag (1990),
      from -45 to 60 Cel.
[SGP] Sensirion "SGP30 Driver Integration Guide", chapter 3.15: the mass of water in the air.
[NWS] National Weather Service, Weather Prediction Center, "The Heat Index Equation": Rothfusz'
      regression (SR 90-23, 1990) with its adjustments, and Steadman's formula below 80 degF.
[ISO] ISO 2533:1975, the standard atmosphere up to 11 km.
"""

from __future__ import annotations

from math import exp, log, sqrt

A, B, C = 611.2, 17.62, 243.12  # Pa, 1, Cel [WMO]
COLDEST, HOTTEST = -45.0, 60.0
WATER = 2.167  # g K/J: the molar mass of water by the gas constant [SGP]
KELVIN = 273.15
LAPSE, SEA_LEVEL_K, EXPONENT = 0.0065, 288.15, 5.25588  # K/m, K, 1 [ISO]


def saturation_pressure(temperature: float) -> float:
    """Return the pressure of water vapour that the air can hold, in Pa [WMO]."""
    return A * exp(B * temperature / (C + temperature))


def vapour_pressure(temperature: float, humidity: float) -> float:
    """Return the pressure of the water vapour in air of so many percent, in Pa."""
    return saturation_pressure(temperature) * humidity / 100


def dew_point(temperature: float, humidity: float) -> float | None:
    """Return the temperature at which dew forms; None in air without any water."""
    if humidity <= 0:
        return None
    x = log(vapour_pressure(temperature, humidity) / A)
    return C * x / (B - x)


def absolute_humidity(temperature: float, humidity: float) -> float:
    """Return the water in the air, in g/m3 [SGP]."""
    return WATER * vapour_pressure(temperature, humidity) / (KELVIN + temperature)


def vapour_pressure_deficit(temperature: float, humidity: float) -> float:
    """Return by how much the vapour is short of saturation, in Pa: how hard the air dries."""
    return saturation_pressure(temperature) - vapour_pressure(temperature, humidity)


def heat_index(temperature: float, humidity: float) -> float:
    """Return how hot moist air feels in the shade [NWS]; of cool air, roughly itself."""
    t, r = temperature * 1.8 + 32, humidity
    steadman = 0.5 * (t + 61 + (t - 68) * 1.2 + r * 0.094)
    if (steadman + t) / 2 < 80:
        return ((steadman + t) / 2 - 32) / 1.8
    index = (
        -42.379 + 2.04901523 * t + 10.14333127 * r - 0.22475541 * t * r
        - 6.83783e-3 * t * t - 5.481717e-2 * r * r + 1.22874e-3 * t * t * r
        + 8.5282e-4 * t * r * r - 1.99e-6 * t * t * r * r
    )  # fmt: skip
    if r < 13 and 80 <= t <= 112:
        index -= (13 - r) / 4 * sqrt((17 - abs(t - 95)) / 17)
    elif r > 85 and 80 <= t <= 87:
        index += (r - 85) / 10 * (87 - t) / 5
    return (index - 32) / 1.8


def sea_level_pressure(pressure: float, altitude: float, temperature: float | None = None) -> float:
    """Return what a pressure at so many metres would be at the sea.

    Of the standard atmosphere [ISO], or of one in which it is so warm outdoors, at that altitude.
    """
    below = SEA_LEVEL_K if temperature is None else temperature + KELVIN + LAPSE * altitude
    return float(pressure * (1 - LAPSE * altitude / below) ** -EXPONENT)
