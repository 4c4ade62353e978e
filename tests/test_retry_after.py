"""Retry-After in every form that a server may give it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.destinations.http import retry_after

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.fault(66)
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("315360000", 315_360_000.0),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        ("Sunday, 06-Nov-94 08:50:37 GMT", 60.0),
        ("Wed, 03 Nov 2004 08:49:37 GMT", 315_360_000.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", None),
        ("Sat, 05 Nov 1994 08:49:37 GMT", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("NaN", None),
        ("١٢", None),
        ("1e3", None),
        ("Sun, 06 Nov 99999999999999999999 08:49:37 GMT", None),
    ],
)
def test_seconds_and_dates_are_read(header: str, seconds: float | None) -> None:
    """Dates against the server's own; what is past or no time at all says nothing."""
    assert retry_after({"Retry-After": header, "Date": DATE}) == seconds


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_old_date_form_is_read(in_tokyo: None) -> None:
    """C's asctime() form (RFC 9110 section 5.6.7) is in GMT, wherever we are."""
    headers = {"Retry-After": "Sun Nov  6 08:50:37 1994", "Date": DATE}

    assert retry_after(headers) == 60.0


@pytest.mark.fault(66)
@pytest.mark.parametrize("headers", [{}, {"Date": ""}, {"Date": "today"}])
def test_a_date_without_the_servers_own_says_nothing(headers: dict[str, str]) -> None:
    """Our clock may be wrong by decades."""
    assert retry_after({"Retry-After": "Wed, 03 Nov 2104 08:49:37 GMT", **headers}) is None


def test_no_header_says_nothing() -> None:
    assert retry_after({}) is None


@pytest.mark.fault(66)
@given(st.text(), st.text())
def test_no_text_does_harm(asked: str, date: str) -> None:
    seconds = retry_after({"Retry-After": asked, "Date": date})

    assert seconds is None or seconds >= 0
