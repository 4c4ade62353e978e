"""Rollup periods follow the calendar and the clock of a time zone."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilogger.errors import BadValue
from pilogger.periods import Interval, automatic, edges, find_zone, from_text, to_text

SECOND = 1_000_000_000
MINUTE, DAY = 60, 86_400
WATCHED = 30  # clocks, each of them for days
FIRST_DAY = date(1970, 1, 1).toordinal()
NAMES = sorted(available_timezones() - {"localtime"})

ZONES = st.sampled_from(NAMES).map(find_zone)
UNITS = st.sampled_from(["min", "hour", "day", "month", "year"])
INTERVALS = st.builds(Interval, st.integers(1, 40), UNITS)
MOMENTS = st.builds(
    lambda day, second, ns: (day * DAY + second) * SECOND + ns,
    st.integers(-43_800, 65_700),  # 1850 to 2150
    st.integers(0, DAY - 1),
    st.integers(0, SECOND - 1),
)
SPANS = st.tuples(MOMENTS, st.integers(1, 3 * DAY).map(SECOND.__mul__))


def shown(start: str, end: str, interval: str, name: str) -> list[str]:
    """The edges from one local time to another, as that zone writes them, in short."""
    zone, length = find_zone(name), Interval.parse(interval)
    assert length is not None
    found = edges(from_text(start, zone), from_text(end, zone), length, zone)
    return [to_text(edge, zone).replace(":00.000", "") for edge in found]


def text_of(time: str, name: str) -> str:
    """A time that is read and written in one zone."""
    return to_text(from_text(time, find_zone(name)), find_zone(name))


def on_the_wall(at: int, zone: tzinfo) -> datetime:
    """What the zone's clock shows at an epoch in seconds."""
    return (
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(0, at)).astimezone(zone).replace(tzinfo=None)
    )


# -- in any zone -----------------------------------------------------------------------------


@pytest.mark.fault(43)
@given(ZONES, INTERVALS, SPANS)
def test_periods_cover_the_range_without_gaps(
    zone: tzinfo, interval: Interval, span: tuple[int, int]
) -> None:
    """They ascend, the first holds the start, and the last holds the last nanosecond."""
    start, end = span[0], span[0] + span[1]
    found = list(edges(start, end, interval, zone))

    assert all(one < other for one, other in pairwise(found))
    assert found[0] <= start < found[1]
    assert found[-2] < end <= found[-1]


@given(ZONES, INTERVALS, SPANS, st.floats(0, 1))
def test_a_period_does_not_depend_on_the_question(
    zone: tzinfo, interval: Interval, span: tuple[int, int], cut: float
) -> None:
    """Asked in two parts, the same edges come."""
    start, end = span[0], span[0] + span[1]
    middle = start + int((end - start) * cut)
    parts = [*edges(start, middle, interval, zone), *edges(middle, end, interval, zone)]

    assert sorted(set(parts)) == list(edges(start, end, interval, zone))


@given(ZONES, st.integers(1, 40), SPANS)
def test_a_day_begins_with_the_first_moment_of_its_date(
    zone: tzinfo, days: int, span: tuple[int, int]
) -> None:
    """At midnight or when the clock skips it, each so many dates from 1970 on."""
    for edge in edges(span[0], sum(span), Interval(days, "day"), zone):
        before, first = (on_the_wall(edge // SECOND + second, zone) for second in (-1, 0))
        begun = range(before.toordinal() + 1 - FIRST_DAY, first.toordinal() + 1 - FIRST_DAY)

        assert any(day % days == 0 for day in begun)
        assert f"{first:%H:%M:%S}" == "00:00:00" or first - before > timedelta(seconds=1)


# -- around changes of the clock, against one that is watched minute by minute ---------------


@st.composite
def changes(draw: st.DrawFn) -> tuple[tzinfo, int]:
    """A zone, and an epoch of up to 10 hours and a day before a change, if it has one that year."""
    zone = draw(ZONES)
    first = int(datetime(draw(st.integers(1973, 2037)), 1, 1, tzinfo=UTC).timestamp())
    days = range(first, first + 366 * DAY, DAY)
    ahead = [on_the_wall(day, zone) - on_the_wall(day, UTC) for day in days]
    found = [day for day, (one, other) in zip(days, pairwise(ahead), strict=False) if one != other]
    return zone, draw(st.sampled_from(found or [first])) - draw(st.integers(0, 600)) * MINUTE


def within(start: int, end: int, interval: Interval, zone: tzinfo) -> list[int]:
    """The edges that lie in a range of epochs in seconds, and not those about it."""
    found = edges(start * SECOND, end * SECOND, interval, zone)
    return [edge for edge in found if start * SECOND <= edge < end * SECOND]


@settings(max_examples=WATCHED, deadline=None)
@given(changes(), st.sampled_from([1, 2, 5, 15, 30, 60]))
def test_an_hour_is_all_that_the_clock_shows_it_with_one_offset(
    change: tuple[tzinfo, int], minutes: int
) -> None:
    """Each date, part of an hour and offset from UTC is one period."""
    zone, start = change
    end = start + 2 * DAY
    seen: dict[object, int] = {}
    for at in range(start - 60 * MINUTE, end, MINUTE):
        wall = on_the_wall(at, zone)
        seen.setdefault(
            (wall - on_the_wall(at, UTC), wall.date(), wall.hour, wall.minute // minutes), at
        )
    expected = [at * SECOND for at in seen.values() if at >= start]

    assert within(start, end, Interval(minutes, "min"), zone) == expected


@settings(max_examples=WATCHED, deadline=None)
@given(changes(), st.integers(1, 3000))
def test_minutes_of_any_number_are_counted_on_the_wall(
    change: tuple[tzinfo, int], minutes: int
) -> None:
    """From 1970 on; they end when the clock has come to their end, or jumps out of them."""
    zone, start = change

    def period(wall: datetime) -> int:
        days = wall.toordinal() - FIRST_DAY
        return (days * 1440 + wall.hour * 60 + wall.minute) // minutes

    expected = []
    before = on_the_wall(start - MINUTE, zone)
    for at in range(start, start + 2 * DAY, MINUTE):
        wall = on_the_wall(at, zone)
        if not period(before) == period(before + timedelta(minutes=1)) == period(wall):
            expected.append(at * SECOND)
        before = wall

    assert within(start, start + 2 * DAY, Interval(minutes, "min"), zone) == expected


@settings(max_examples=WATCHED, deadline=None)
@given(changes(), st.integers(1, 40), st.sampled_from(["day", "month", "year"]))
def test_dates_are_those_of_a_calendar_that_is_torn_off(
    change: tuple[tzinfo, int], number: int, unit: str
) -> None:
    """A leaf goes when the clock first shows the next date, and is never put back."""
    zone, start = change
    newest = 0
    seen: dict[int, int] = {}
    for at in range(start - DAY, start + 2 * DAY, MINUTE):
        newest = max(newest, on_the_wall(at, zone).toordinal())
        day = date.fromordinal(newest)
        months = day.year * 12 + day.month - 1
        counted = {"day": newest - FIRST_DAY, "month": months, "year": day.year}
        seen.setdefault(counted[unit] // number, at)
    expected = [at * SECOND for at in list(seen.values())[1:] if at >= start]

    assert within(start, start + 2 * DAY, Interval(number, unit), zone) == expected


# -- by name ---------------------------------------------------------------------------------


@pytest.mark.fault(43)
@pytest.mark.parametrize(
    ("name", "days"),
    [
        # 23 hours, then 25
        ("Europe/London", ["2024-03-30T00:00Z", "2024-03-31T00:00Z", "2024-04-01T00:00+01:00"]),
        ("Europe/London", ["2024-10-27T00:00+01:00", "2024-10-28T00:00Z"]),
        # midnight is skipped
        ("America/Sao_Paulo", ["2017-10-14T00:00-03:00", "2017-10-15T01:00-02:00"]),
        ("Asia/Beirut", ["2022-03-26T00:00+02:00", "2022-03-27T01:00+03:00"]),
        # midnight comes twice: at 1:00 back to 0:00, at 0:01 back to 23:01
        ("America/Havana", ["2024-11-03T00:00-04:00", "2024-11-04T00:00-05:00"]),
        ("America/St_Johns", ["2006-10-29T00:00-02:30", "2006-10-30T00:00-03:30"]),
        # at midnight back to 23:00: the date lasts an hour longer
        ("America/Sao_Paulo", ["2018-02-17T00:00-02:00", "2018-02-18T00:00-03:00"]),
        # a date that never was
        (
            "Pacific/Apia",
            ["2011-12-29T00:00-10:00", "2011-12-31T00:00+14:00", "2012-01-01T00:00+14:00"],
        ),
        ("Asia/Kathmandu", ["1985-12-31T00:00+05:30", "1986-01-01T00:15+05:45"]),
    ],
)
def test_days_that_are_not_of_24_hours(name: str, days: list[str]) -> None:
    """Their first moments, as the zone's clock shows them."""

    assert shown(days[0][:10], days[-1][:10], "1day", name) == days


@pytest.mark.parametrize(
    ("name", "interval", "day", "hours"),
    [
        # 2:00 is 3:00; 2:00 is 1:00 again
        ("America/New_York", "1hour", "2024-03-10", "01:00-05:00 03:00-04:00 04:00-04:00"),
        ("America/New_York", "1hour", "2024-11-03", "01:00-04:00 01:00-05:00 02:00-05:00"),
        ("America/New_York", "2hour", "2024-11-03", "00:00-04:00 01:00-05:00 02:00-05:00"),
        ("America/New_York", "12hour", "2024-11-03", "00:00-04:00 12:00-05:00"),
        ("America/New_York", "12hour", "2024-03-10", "00:00-05:00 12:00-04:00"),
        # half an hour
        ("Australia/Lord_Howe", "1hour", "2024-10-06", "01:00+10:30 02:30+11:00 03:00+11:00"),
        ("Australia/Lord_Howe", "1hour", "2024-04-07", "01:00+11:00 01:30+10:30 02:00+10:30"),
        # offsets of 30 and 45 minutes; 3:45 is 2:45 again
        ("Asia/Kolkata", "1hour", "2024-01-01", "00:00+05:30 01:00+05:30"),
        ("Asia/Kathmandu", "6hour", "2024-01-01", "00:00+05:45 06:00+05:45"),
        ("Pacific/Chatham", "1hour", "2024-04-07", "03:00+13:45 02:45+12:45 03:00+12:45"),
    ],
)
def test_hours_on_the_wall(name: str, interval: str, day: str, hours: str) -> None:
    """Their first moments, from one to another."""
    expected = [f"{day}T{hour}" for hour in hours.split()]

    assert shown(expected[0], expected[-1], interval, name) == expected


def test_what_does_not_divide_a_day_goes_on_over_midnight() -> None:
    """So that each is as long as the others."""

    assert shown("1970-01-01T20:00", "1970-01-02T06:00", "5hour", "Asia/Tokyo") == [
        "1970-01-01T20:00+09:00",
        "1970-01-02T01:00+09:00",
        "1970-01-02T06:00+09:00",
    ]
    assert shown("2024-11-02", "2024-11-06", "48hour", "America/New_York") == [
        "2024-11-01T00:00-04:00",
        "2024-11-03T00:00-04:00",
        "2024-11-05T00:00-05:00",
        "2024-11-07T00:00-05:00",
    ]


def test_months_and_years_are_counted_from_year_0() -> None:
    """So 3month are quarters, and 10year decades."""

    assert shown("2024-02-29", "2024-07-01", "3month", "UTC") == [
        "2024-01-01T00:00Z",
        "2024-04-01T00:00Z",
        "2024-07-01T00:00Z",
    ]
    assert shown("2024-02-29", "2024-03-01", "1month", "Europe/Oslo") == [
        "2024-02-01T00:00+01:00",
        "2024-03-01T00:00+01:00",
    ]
    assert shown("1999-12-31", "2000-01-02", "10year", "Asia/Tokyo") == [
        "1990-01-01T00:00+09:00",
        "2000-01-01T00:00+09:00",
        "2010-01-01T00:00+09:00",
    ]


def test_a_range_starts_and_ends_where_it_is_asked_to() -> None:
    """Half open, to the nanosecond; an empty one has no periods."""
    hour = Interval(1, "hour")
    length = 3600 * SECOND

    assert list(edges(0, length, hour)) == [0, length]
    assert list(edges(0, length + 1, hour)) == [0, length, 2 * length]
    assert list(edges(-1, 1, hour)) == [-length, 0, length]
    assert list(edges(5, 5, hour)) == []
    assert list(edges(6, 5, hour)) == []


@pytest.mark.parametrize("interval", ["1hour", "1day", "1month", "1000year"])
def test_the_first_and_the_last_year_have_periods_too(interval: str) -> None:
    """Nothing overflows, wherever the zone is; what has no year cannot be written."""
    first, last = from_text("0001-01-01"), from_text("9999-12-31T23:59:59.999999999")
    length = Interval.parse(interval)
    assert length is not None
    for name in ("UTC", "Pacific/Kiritimati", "Pacific/Niue"):
        for at in (first, last, 10**30, -(10**30)):
            begin, end = edges(at, at + 1, length, find_zone(name))
            assert begin <= at < end

    with pytest.raises(BadValue, match="not in the years 1 to 9999"):
        to_text(last + 1)
    with pytest.raises(BadValue, match="not in the years 1 to 9999"):
        to_text(first, find_zone("Pacific/Niue"))


# -- intervals -------------------------------------------------------------------------------


@given(st.builds(Interval, st.integers(1, 99_999), UNITS))
def test_an_interval_is_read_as_it_is_written(interval: Interval) -> None:
    """In TempoDB's words and in those of ISO 8601."""

    assert Interval.parse(str(interval)) == interval
    assert Interval.parse(interval.iso) == interval


def test_a_minute_is_not_a_month() -> None:
    """ISO 8601 has one letter for both."""

    assert [Interval.parse(text) for text in ("PT5M", "P5M", "raw")] == [
        Interval(5, "min"),
        Interval(5, "month"),
        None,
    ]
    assert (Interval(1, "hour").iso, str(Interval(15, "min"))) == ("PT1H", "15min")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1h", "1hour"),
        ("1 day", "1day"),
        ("5m", "5min"),
        ("2Months", "2month"),
        ("hour", "1hour"),
        ("0hour", ""),
        ("90s", ""),
        ("-1day", ""),
        ("1.5hour", ""),
        ("100000day", ""),
        ("P1W", ""),
        ("PT1D", ""),
        ("1PT1M", ""),
        ("\u0661day", ""),
        ("", ""),
        ("1day\n", "1day"),
    ],
)
def test_what_is_no_interval_is_refused_with_what_is(text: str, meant: str) -> None:
    """The sentence has the grammar, and what was probably meant."""
    with pytest.raises(BadValue) as refused:
        Interval.parse(text)

    assert "one of min hour day month year, as in 15min or 1day" in str(refused.value)
    assert str(refused.value).endswith(f" (did you mean {meant}?)" if meant else "1day")


@pytest.mark.parametrize(
    ("days", "interval"),
    [(0, None), (2, None), (2.001, "1hour"), (30, "1hour"), (30.001, "1day"), (9999, "1day")],
)
def test_who_names_no_interval_gets_a_chart_of_a_fair_size(
    days: float, interval: str | None
) -> None:
    """Raw up to 2 days, by the hour up to 30, else by the day."""
    found = automatic(7, 7 + int(days * DAY) * SECOND)

    assert found == (None if interval is None else Interval.parse(interval))


# -- times as text ---------------------------------------------------------------------------


@given(ZONES, MOMENTS, st.sampled_from([1, 1000, 10**6, SECOND]))
def test_a_time_is_read_as_it_is_written(zone: tzinfo, epoch: int, unit: int) -> None:
    """To the nanosecond, in any zone, whatever it had for an offset."""
    exact = epoch // unit * unit

    assert from_text(to_text(exact, zone), find_zone("Asia/Tokyo")) == exact


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2012-01-01T06:00:00", "2012-01-01T06:00:00.000Z"),
        ("2012-01-01", "2012-01-01T00:00:00.000Z"),
        ("2012-01-01 06:00", "2012-01-01T06:00:00.000Z"),
        ("2012-01-01T06:00:00.123456", "2012-01-01T06:00:00.123456Z"),
        ("2012-01-01T06:00:00.5Z", "2012-01-01T06:00:00.500Z"),
        ("2012-01-01T06:00:00.123456789Z", "2012-01-01T06:00:00.123456789Z"),
        ("2012-01-01T06:00:00-06:00", "2012-01-01T12:00:00.000Z"),
        ("2012-01-01T06:00:00+0530", "2012-01-01T00:30:00.000Z"),
        ("2012-01-01T06:00:00+0000", "2012-01-01T06:00:00.000Z"),
        ("2012-01-01T06:00:00+01", "2012-01-01T05:00:00.000Z"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ("0001-01-01T00:00:00", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_times_as_clients_send_them(text: str, written: str) -> None:
    """Without an offset they are UTC; three decimals come back, more only where there are more."""

    assert text_of(text, "UTC") == written


def test_a_time_without_an_offset_is_the_zones_own() -> None:
    """The first of two; one that is skipped is the moment of the skip; an offset counts more."""

    assert text_of("2012-01-01T06:00:00", "America/Chicago") == "2012-01-01T06:00:00.000-06:00"
    assert text_of("2012-07-01", "America/Chicago") == "2012-07-01T00:00:00.000-05:00"
    assert text_of("2012-07-01T00:00Z", "America/Chicago") == "2012-06-30T19:00:00.000-05:00"
    assert text_of("2024-11-03T01:30", "America/New_York") == "2024-11-03T01:30:00.000-04:00"
    assert text_of("2024-03-10T02:30", "America/New_York") == "2024-03-10T03:00:00.000-04:00"
    assert text_of("2011-12-30T12:00", "Pacific/Apia") == "2011-12-31T00:00:00.000+14:00"
    assert text_of("1840-01-01", "Europe/Paris") == "1840-01-01T00:00:00.000+00:09:21"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1325376000",
        "2012-1-1",
        "20120101",
        "2012-13-01",
        "2012-02-30",
        "2012-01-01T24:00:00",
        "2012-01-01T06",
        "2012-01-01T06:00:60",
        "2012-01-01T06:00:00.",
        "2012-01-01T06:00:00.1234567890",
        "2012-01-01T06:00:00+24:00",
        "2012-01-01T06:00:00 +01:00",
        "0000-01-01",
        "10000-01-01",
        "2012-01-01Z",
        "2012-01-01\n",
        "\u0662012-01-01",
        "9" * 5000,
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """With a sentence of a readable length."""
    with pytest.raises(BadValue, match="is no time: ") as refused:
        from_text(text)

    assert len(str(refused.value)) < 200


# -- zones -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Londn", "(did you mean Europe/London?)"),
        ("europe/london", "(did you mean Europe/London?)"),
        ("Mars/Olympus", "as in Europe/London"),
        ("", "as in Europe/London"),
        ("../../etc/passwd", "as in Europe/London"),
        ("zone.tab", "as in Europe/London"),
        ("\0", "as in Europe/London"),
        ("\ud800", "as in Europe/London"),
        ("right/Europe/London", "(did you mean Europe/London?)"),  # it counts leap seconds
        ("America", "?)"),
        ("x" * 5000, "as in Europe/London"),
    ],
)
def test_a_zone_that_does_not_exist_is_named_with_its_nearest(name: str, hint: str) -> None:
    """Whatever a stranger sends, no other file is read and no other error raised."""
    with pytest.raises(BadValue, match="is no time zone") as refused:
        find_zone(name)

    assert str(refused.value).endswith(hint)


def test_a_system_without_time_zones_says_so_and_knows_utc() -> None:
    """A slim Debian has no tzdata."""
    script = """
import sys, zoneinfo
sys.modules["tzdata"] = None
zoneinfo.reset_tzpath(to=[])
from pilogger.periods import find_zone, to_text
print(to_text(0, find_zone("UTC")))
find_zone("Europe/London")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert done.stdout == "1970-01-01T00:00:00.000Z\n"
    assert "install Debian's package tzdata" in done.stderr
