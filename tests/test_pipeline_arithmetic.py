"""Steps that look at one value alone: worked examples, and what the channel is behind them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import Channel
from pilogger.errors import BadReading
from pilogger.pipeline import (
    Becomes,
    Chain,
    Clamp,
    Convert,
    Offset,
    OnChange,
    Polynomial,
    Round,
    Scale,
    Step,
    Table,
    Treatment,
    Valid,
)

CELSIUS = Channel("Cel", -40, 85, 0.01)
PLAIN = Channel("1")

NUMBERS = st.floats(-1e6, 1e6)


def after(value: Any, *steps: Step | OnChange, channel: Channel = PLAIN) -> Any:
    treated, kept = Chain(Treatment(steps), channel).take(value, 0)
    assert kept
    return treated


def test_steps_are_done_in_the_order_that_was_written() -> None:
    """(20 - 0.5) x 2 is 39, 20 x 2 - 0.5 is 39.5."""
    assert after(20.0, Offset(-0.5), Scale(2)) == 39
    assert after(20.0, Scale(2), Offset(-0.5)) == 39.5


@pytest.mark.parametrize(
    ("step", "value", "found"),
    [
        (Offset(2.0), 7, 9),
        (Scale(3.0), 7, 21),
        (Polynomial((1.0, 2.0, 3.0)), 7, 162),  # 1 + 2 x 7 + 3 x 49
        (Clamp(None, 5.0), 7, 5),
        (Round(5.0), 10, 10),
        (Table(((0.0, 0.0), (7.0, 100.0))), 7, 100),
        (Becomes("%"), 7, 7),
        (Valid(0, 7), 7, 7),
    ],
)
def test_whole_numbers_stay_whole(step: Step, value: int, found: int) -> None:
    treated = after(value, step)

    assert (treated, type(treated)) == (found, int)


@pytest.mark.parametrize("value", [True, False, "calm", ""])
def test_truth_values_and_text_pass_as_they_are(value: object) -> None:
    """None of the arithmetic applies to them."""
    steps = (Offset(1), Scale(2), Polynomial((1,)), Clamp(5, 6), Valid(5, 6), Round(2))

    assert after(value, *steps) is value


def test_a_polynomial_begins_with_the_constant() -> None:
    """The pH electrode of a common kit: 21.34 - 5.70 V at 2.5 V is 7.09."""
    assert after(2.5, Polynomial((21.34, -5.70))) == pytest.approx(7.09)


@given(st.lists(NUMBERS, min_size=1, max_size=5), st.floats(-100, 100))
def test_a_polynomial_is_the_sum_of_its_terms(coefficients: list[float], x: float) -> None:
    terms = [c * x**power for power, c in enumerate(coefficients)]

    assert after(x, Polynomial(tuple(coefficients))) == pytest.approx(
        sum(terms), rel=1e-6, abs=1e-6 * max(map(abs, terms))
    )


MOISTURE = Table(((2.8, 0), (1.9, 40), (1.2, 100)))  # as written: a wetter soil has fewer volts


@pytest.mark.parametrize(
    ("volts", "percent"), [(2.8, 0), (2.575, 10), (1.9, 40), (1.55, 70), (1.2, 100)]
)
def test_a_table_is_straight_between_its_points(volts: float, percent: float) -> None:
    assert after(volts, MOISTURE) == pytest.approx(percent)


@pytest.mark.parametrize("volts", [1.19, 2.81])
def test_beyond_a_table_nothing_is_known(volts: float) -> None:
    """Who wants the ends to count clamps before."""
    with pytest.raises(BadReading, match=rf"^{volts} V, its table goes from 1.2 to 2.8$"):
        after(volts, MOISTURE, channel=Channel("V"))
    assert after(volts, Clamp(1.2, 2.8), MOISTURE) in (0, 100)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, unique_by=lambda p: p[0]), st.data())
def test_a_table_stays_between_its_neighbours(
    points: list[tuple[float, float]], data: st.DataObject
) -> None:
    points.sort()
    at = data.draw(st.integers(1, len(points) - 1))
    (x0, y0), (x1, y1) = points[at - 1], points[at]

    found = after(data.draw(st.floats(x0, x1)), Table(tuple(points)))

    assert min(y0, y1) - 1e-6 <= found <= max(y0, y1) + 1e-6


@given(NUMBERS, NUMBERS, NUMBERS)
def test_what_is_clamped_is_within_bounds_and_within_them_it_is_itself(
    value: float, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    if low == high:
        high += 1

    assert after(value, Clamp(low, high)) == sorted((low, value, high))[1]
    assert after(value, Clamp(low, None)) == max(low, value)


def test_what_is_not_valid_is_refused_with_a_sentence() -> None:
    with pytest.raises(BadReading, match=r"^85 Cel, valid is -20 to 50$"):
        after(85.0, Valid(-20, 50), channel=CELSIUS)
    with pytest.raises(BadReading, match=r"^-1, valid is 0 or more$"):
        after(-1, Valid(0, None))
    with pytest.raises(BadReading, match=r"^3, valid is 2 or less$"):
        after(3, Valid(None, 2))
    assert after(50.0, Valid(-20, 50)) == 50
    assert after(-20.0, Valid(-20, 50)) == -20


@pytest.mark.parametrize(
    ("to", "value", "found"),
    [(0.5, 20.3, 20.5), (0.1, 20.26, 20.3), (0.2, 0.61, 0.6), (5, 12.4, 10.0), (0.3, 0.91, 0.9)],
)
def test_rounding_leaves_no_made_up_digits(to: float, value: float, found: float) -> None:
    assert repr(after(value, Round(to))) == repr(found)


@given(NUMBERS, st.sampled_from([0.01, 0.1, 0.25, 0.3, 1, 7]))
def test_rounding_moves_a_value_by_half_a_step_at_most_and_once(value: float, to: float) -> None:
    rounded = after(value, Round(to))

    assert abs(rounded - value) <= to / 2 * (1 + 1e-9) + 1e-9
    assert after(rounded, Round(to)) == rounded


def test_units_are_converted_with_range_and_step() -> None:
    """25.00 Cel is 77.0 degF; from -40 to 185, in steps that are no coarser than before."""
    chain = Chain(Treatment((Convert("[degF]"),)), CELSIUS)

    assert chain.take(25.0, 0) == (77.0, True)
    assert chain.channel == Channel("[degF]", -40, 185, 0.01)
    assert Convert("hPa").through(Channel("Pa", 30_000, 110_000, 0.1)) == Channel(
        "hPa", 300, 1100, 0.001
    )


@pytest.mark.parametrize(("value", "found"), [(1138, "1.138"), (4, "0.004"), (2000, "2.0")])
def test_a_conversion_makes_no_digits_up(value: int, found: str) -> None:
    """A total in W.h as kW.h: 1138 x 0.001 would be 1.1380000000000001."""
    assert repr(after(value, Convert("kW.h"), channel=Channel("W.h"))) == found
    assert repr(after(value, Convert("W.h"), channel=Channel("kW.h"))) == f"{value * 1000}"


def test_an_offset_is_in_the_unit_that_the_value_has_there() -> None:
    """Half a degree Celsius is 0.9 degF; half a degree Fahrenheit is itself."""
    assert after(25.0, Offset(0.5), Convert("[degF]"), channel=CELSIUS) == 77.9
    assert after(25.0, Convert("[degF]"), Offset(0.5), channel=CELSIUS) == 77.5


def test_another_quantity_is_no_conversion() -> None:
    with pytest.raises(ValueError, match=r"^Cel cannot be converted to hPa, but to K, \[degF\]$"):
        Treatment((Convert("hPa"),)).through(CELSIUS)
    with pytest.raises(ValueError, match=r"^lx cannot be converted to m, but to none$"):
        Convert("m").through(Channel("lx"))


def test_a_calibration_says_what_its_values_are() -> None:
    """Volts become percent; nothing is calculated, and conversions go on from there."""
    treatment = Treatment((Scale(50), Becomes("%"), Convert("1")))
    chain = Chain(treatment, Channel("V", 0, 2, 0.001))

    assert chain.take(1.0, 0) == (0.5, True)
    assert chain.channel == Channel("1", 0, 1, 0.0001)
    assert treatment.through(Channel("V", 0, 2, 0.001)) == chain.channel


@pytest.mark.parametrize(
    ("step", "channel"),
    [
        (Scale(-10), Channel("Cel", -850, 400, 0.1)),
        (Offset(1), Channel("Cel", -39, 86, 0.01)),
        (Clamp(0, None), Channel("Cel", 0, 85, 0.01)),
        (Valid(None, 50), Channel("Cel", -40, 50, 0.01)),
        (Clamp(90, 95), CELSIUS),  # it can only be 90, and a channel has a range
        (Polynomial((0, 1)), Channel("Cel")),
        (Table(((0, 5), (1, 3))), Channel("Cel", 3, 5)),
        (Table(((0, 5), (1, 5))), Channel("Cel")),
        (Round(0.5), Channel("Cel", -40, 85)),
    ],
)
def test_range_and_step_follow_the_arithmetic(step: Step, channel: Channel) -> None:
    assert step.through(CELSIUS) == channel


def test_values_are_rounded_to_the_step_at_the_end_unless_raw() -> None:
    """-40.405 is a little more than it in binary."""
    third = Treatment((Offset(-0.405),))

    assert Chain(third, CELSIUS).take(-40.0, 0)[0] == -40.41
    assert Chain(Treatment(), CELSIUS).take(21.23456, 0)[0] == 21.23
    assert Chain(Treatment(raw=True), CELSIUS).take(21.23456, 0)[0] == 21.23456


@pytest.mark.parametrize(
    ("value", "steps"),
    [
        (1e308, (Scale(10.0),)),
        (2**60, (Polynomial((0,) * 30 + (1,)),)),
        (1e200, (Polynomial((0, 0, 1.5)),)),
    ],
)
def test_what_becomes_too_large_is_refused(value: float, steps: tuple[Step, ...]) -> None:
    """NaN and infinities are no values, and no window may remember them."""
    with pytest.raises(BadReading, match="beyond all bounds"):
        after(value, *steps)


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(
        st.one_of(
            st.builds(Offset, st.floats(-1e300, 1e300)),
            st.builds(Scale, st.floats(-1e300, 1e300).filter(bool)),
            st.builds(Polynomial, st.lists(st.floats(-1e300, 1e300), min_size=1).map(tuple)),
            st.builds(Round, st.floats(1e-6, 1e6)),
        ),
        max_size=4,
    ),
)
def test_nothing_but_finite_numbers_comes_out(value: float, steps: list[Step]) -> None:
    try:
        found = after(value, *steps)
    except BadReading:
        return

    assert abs(found) < float("inf")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Scale(0), "all values are 0"),
        (lambda: Polynomial(()), "a coefficient or more"),
        (lambda: Table(((1, 2),)), "two points or more"),
        (lambda: Table(((1, 2), (1, 3))), "each for another value"),
        (lambda: Clamp(5, 5), "nothing between 5 and 5"),
        (lambda: Valid(6, 5), "nothing between 6 and 5"),
        (lambda: Round(0), "more than 0"),
    ],
)
def test_steps_that_make_no_sense_are_refused(make: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()
