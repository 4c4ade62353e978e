"""Units by their names, and from one to another.

Each unit is a multiple of its quantity's first unit, plus a shift for temperatures. The
numbers are exact by definition (NIST SP 811, 2008, appendix B), with mercury at its
conventional 13 595.1 kg/m3 and g = 9.806 65 m/s2.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple, get_args

from pilogger.channel import Unit

NAMES: dict[str, Unit] = {
    "degC": "Cel", "°C": "Cel", "C": "Cel",
    "degF": "[degF]", "°F": "[degF]", "F": "[degF]",
    "mbar": "hPa", "mmHg": "mm[Hg]", "inHg": "[in_i'Hg]",
    "in": "[in_i]", "ft": "[ft_i]",
    "kmh": "km/h", "mph": "[mi_i]/h", "kn": "[kn_i]", "knots": "[kn_i]",
    "L": "l", "m³": "m3", "L/min": "l/min", "m³/h": "m3/h", "rpm": "/min",
    "Wh": "W.h", "kWh": "kW.h",
    "ppm": "[ppm]", "ppb": "[ppb]", "dBm": "dB[mW]", "ohm": "Ohm", "°": "deg",
    "m/s²": "m/s2", "µT": "uT", "g/m³": "g/m3", "µg/m³": "ug/m3", "ug/m³": "ug/m3",
}  # fmt: skip
"""What people write, and the UCUM code that it stands for."""

CODES: tuple[Unit, ...] = get_args(Unit)


class Scale(NamedTuple):
    """How a unit relates to the first of its quantity: first = value * factor + shift."""

    quantity: str
    factor: Fraction
    shift: Fraction = Fraction(0)


def _scales(quantity: str, **factors: str) -> dict[str, Scale]:
    return {name: Scale(quantity, Fraction(factor)) for name, factor in factors.items()}


SCALES: dict[str, Scale] = {
    "K": Scale("a temperature", Fraction(1)),
    "Cel": Scale("a temperature", Fraction(1), Fraction("273.15")),
    "[degF]": Scale("a temperature", Fraction(5, 9), Fraction("459.67") * Fraction(5, 9)),
    **_scales("a pressure", Pa="1", hPa="100", kPa="1000", bar="100000"),
    "mm[Hg]": Scale("a pressure", Fraction("133.322387415")),
    "[in_i'Hg]": Scale("a pressure", Fraction("133.322387415") * Fraction("25.4")),
    **_scales("a length", m="1", mm="1/1000", cm="1/100", km="1000"),
    "[in_i]": Scale("a length", Fraction("0.0254")),
    "[ft_i]": Scale("a length", Fraction("0.3048")),
    "m/s": Scale("a speed", Fraction(1)),
    "km/h": Scale("a speed", Fraction(1000, 3600)),
    "[mi_i]/h": Scale("a speed", Fraction("1609.344") / 3600),
    "[kn_i]": Scale("a speed", Fraction(1852, 3600)),
    **_scales("a volume", m3="1", l="1/1000"),
    "m3/h": Scale("a flow", Fraction(1)),
    "l/min": Scale("a flow", Fraction(60, 1000)),
    "Hz": Scale("a rate", Fraction(1)),
    "/min": Scale("a rate", Fraction(1, 60)),
    **_scales("an energy", J="1"),
    "W.h": Scale("an energy", Fraction(3600)),
    "kW.h": Scale("an energy", Fraction(3_600_000)),
    **_scales("a power", W="1", mW="1/1000", kW="1000"),
    **_scales("a voltage", V="1", mV="1/1000"),
    **_scales("a current", A="1", mA="1/1000"),
    "1": Scale("a share", Fraction(1)),
    "%": Scale("a share", Fraction(1, 100)),
    "[ppm]": Scale("a share", Fraction(1, 1_000_000)),
    "[ppb]": Scale("a share", Fraction(1, 1_000_000_000)),
    "g/m3": Scale("a density", Fraction(1)),
    "ug/m3": Scale("a density", Fraction(1, 1_000_000)),
}


def unit_of(name: str) -> Unit | None:
    """Return the UCUM code of a unit, as a code or as people write it; None if there is none."""
    code = NAMES.get(name, name)
    return code if code in CODES else None


def conversion(source: Unit, target: Unit) -> tuple[Fraction, Fraction]:
    """Return factor and shift: a value of `source`, times the one plus the other, is `target`.

    Raises:
        ValueError: they are not units of the same quantity.
    """
    if source == target:
        return Fraction(1), Fraction(0)
    there, here = SCALES.get(source), SCALES.get(target)
    if there is None or here is None or there.quantity != here.quantity:
        others = [unit for unit, scale in SCALES.items() if there and scale.quantity == there[0]]
        able = f"to {', '.join(unit for unit in others if unit != source)}" if others else "to none"
        raise ValueError(f"{source} cannot be converted to {target}, but {able}")
    return there.factor / here.factor, (there.shift - here.shift) / here.factor
