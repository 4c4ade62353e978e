"""Epoch overrides come out as the number that went in."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger import epoch
from pilogger.errors import BadValue


@pytest.mark.fault(46)
@given(st.one_of(st.integers(-(10**25), 10**25), st.floats(allow_nan=False, allow_infinity=False)))
def test_every_number_comes_back_as_itself(number: float) -> None:
    """Whatever is stored, the text and so the number is the same afterwards."""
    exact = epoch.text(number)

    assert epoch.unpack(epoch.pack(exact)) == exact
    assert type(number)(exact) == number


@pytest.mark.parametrize(
    ("exact", "packed"),
    [
        ("0", 0),
        ("1795217624.483", 1795217624483000000),
        ("-1.5", -1500000000),
        ("1700000000.0", "1700000000.0"),  # the zero was given
        ("1.7e9", "1.7e9"),
        ("32503680000", "32503680000"),  # year 3000 is beyond 64-bit nanoseconds
        ("1795217624483", "1795217624483"),  # milliseconds by mistake
        ("0.1234567891", "0.1234567891"),
        ("-0", "-0"),
    ],
)
def test_nanoseconds_where_they_are_exact_and_text_where_not(exact: str, packed: int | str) -> None:
    """The store keeps an integer only if it prints as the very same text."""

    assert epoch.pack(exact) == packed
    assert epoch.unpack(packed) == exact


@pytest.mark.fault(46)
@pytest.mark.parametrize(
    "wrong",
    [
        True,
        float("nan"),
        float("inf"),
        "",
        "now",
        "01",
        "1.",
        "0x10",
        10**100,
        "9" * 65,
        "1\n",
        "\u0661",
    ],
)
def test_what_is_no_number_of_seconds_is_refused(wrong: float | str) -> None:
    """An epoch that JSON could not carry is refused with a sentence."""
    with pytest.raises(BadValue, match="number of seconds"):
        epoch.text(wrong)


@pytest.mark.fault(78)
def test_decimals_keep_their_digits() -> None:
    """A Decimal is exact text already."""

    assert epoch.text(Decimal("1795217624.483398200")) == "1795217624.483398200"
    assert epoch.text(Decimal("1E+5")) == "1e+5"
    assert epoch.seconds(epoch.pack("1e+5")) == 100_000
