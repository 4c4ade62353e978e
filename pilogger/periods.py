"""Rollup periods, in the time zone of whoever asks.

A period is half open, `[start, end)`, and labelled by its start. There are two kinds:

* **day, month, year** follow the calendar. A date begins when the zone's clock first shows
  it: at midnight, later where midnight is skipped, never where the whole date is. What
  the clock then repeats of the day before belongs to the new date. Days are counted from
  1970-01-01, months and years from year 0, so `3month` are quarters.
* **min, hour** follow the clock on the wall, counted from 1970-01-01T00:00 on it. So those
  that divide a day begin at midnight, and `5hour` is never cut short by one. Where the clock
  jumps out of a period, or back into one that it had finished, the next one begins: an
  hour that comes twice gives two, and `12hour` on that day gives two still.

Times are whole nanoseconds since 1970, of any size; as text they have years from 1 to 9999.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from difflib import get_close_matches
from functools import cache
from itertools import count, groupby, pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from pilogger.errors import BadValue

SECOND = 1_000_000_000
DAY = 86_400
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - on the wall of any zone
EARLIEST, LATEST = -62_135_510_400, 253_402_128_000
"""0001-01-02 and 9999-12-30: a zone may be a day away from UTC, and datetime ends soon after."""

ERA = 400  # years, after which the calendar repeats itself
ERA_DAYS = 146_097

CLOCK = {"min": 60, "hour": 3600}
MONTHS = {"month": 1, "year": 12}
ISO = {
    "min": ("PT", "M"),
    "hour": ("PT", "H"),
    "day": ("P", "D"),
    "month": ("P", "M"),
    "year": ("P", "Y"),
}
SPELLINGS = {unit: unit for unit in ISO} | {"".join(iso): unit for unit, iso in ISO.items()}
WRITTEN = re.compile(r"(P?T?)([1-9][0-9]{0,4})([A-Za-z]+)")
LOOSE = re.compile(r"\s*([1-9][0-9]{0,4}|)\s*([a-z]+)\s*")

TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"([T ](?P<clock>[0-9]{2}:[0-9]{2}(:[0-9]{2})?)(\.(?P<fraction>[0-9]{1,9}))?"
    r"(?P<zone>Z|(?P<sign>[+-])(?P<h>[01][0-9]|2[0-3])(:?(?P<m>[0-5][0-9])(:?(?P<s>[0-5][0-9]))?)?)?)?"
)
SHOWN = 40  # characters of what somebody wrote


class Interval(NamedTuple):
    """The length of a period: `number` units, from 1 to 99999; `str` gives it as `15min`."""

    number: int
    unit: str
    """min, hour, day, month or year."""

    @classmethod
    def parse(cls, text: str) -> Interval | None:
        """Read `15min`, `1hour`, `2day`, `1month`, `1year`, or the same as `PT15M`; `raw` is None.

        Raises:
            BadValue: it is none of these; the sentence says what is.
        """
        if text == "raw":
            return None
        match = WRITTEN.fullmatch(text)
        unit = SPELLINGS.get(match[1] + match[3]) if match else None
        if match is None or unit is None:
            raise BadValue(
                f"{text[:SHOWN]!r} is no interval: expected raw, or a number and one of"
                f" {' '.join(ISO)}, as in 15min or 1day{_meant(text)}"
            )
        return cls(int(match[2]), unit)

    def __str__(self) -> str:
        return f"{self.number}{self.unit}"

    @property
    def iso(self) -> str:
        """As an ISO 8601 period: `PT15M`, `P1D`."""
        before, after = ISO[self.unit]
        return f"{before}{self.number}{after}"


def _meant(text: str) -> str:
    """Mend a space, an abbreviation, a plural or a missing number."""
    if match := LOOSE.fullmatch(text.lower()):
        number, word = match.groups()
        for unit in ISO:
            if unit.startswith(word) or word.startswith(unit):
                return f" (did you mean {number or 1}{unit}?)"
    return ""


def automatic(start: int, end: int) -> Interval | None:
    """Choose for whoever did not: up to 2 days raw (None), up to 30 days hours, else days."""
    span = end - start
    if span <= 2 * DAY * SECOND:
        return None
    return Interval(1, "hour" if span <= 30 * DAY * SECOND else "day")


def edges(start: int, end: int, interval: Interval, zone: tzinfo = UTC) -> Iterator[int]:
    """Yield the starts of the periods that cover `[start, end)`, and the end of the last one.

    Strictly ascending: the first is not after `start`, the last not before `end`; both may lie
    outside, so that it is the caller who leaves out what is not in `[start, end)`. Nothing
    is yielded where that is empty.
    """
    if start >= end:
        return
    endless = _clock_edges if interval.unit in CLOCK else _calendar_edges
    for edge, following in pairwise(endless(start // SECOND, interval, zone)):
        if following * SECOND > start:
            yield edge * SECOND
        if following * SECOND >= end:
            yield following * SECOND
            return


def _calendar_edges(first: int, interval: Interval, zone: tzinfo) -> Iterator[int]:
    """Yield edges in seconds for ever, from one not after `first` on."""
    today = (first + _offset(first, zone)) // DAY
    months = MONTHS.get(interval.unit)
    if months is None:
        days = (period * interval.number for period in count(today // interval.number))
    else:
        step = months * interval.number
        days = (_first_day(period * step) for period in count(_month(today) // step))
    begins = (_reached(day * DAY, zone) for day in days)
    return (edge for edge, _ in groupby(begins))  # a date that never was begins with the next


def _clock_edges(first: int, interval: Interval, zone: tzinfo) -> Iterator[int]:
    """Yield edges in seconds for ever, from one not after `first` on."""
    step = CLOCK[interval.unit] * interval.number
    at = first - step - 2 * DAY  # no clock was ever set back by more than a day
    while True:
        change = _change(at, at + 2 * DAY, zone)
        old, new = _offset(at, zone), _offset(change, zone)
        yield from range(((at + old) // step + 1) * step - old, change, step)
        # What the clock showed last, what it would show now had it not changed, what it shows.
        before, ended, begun = change - 1 + old, change + old, change + new
        if not before // step == ended // step == begun // step:
            yield change
        at = change


def _month(day: int) -> int:
    """Count the months from January of year 0 to a day, which is counted from 1970."""
    eras, left = divmod(day, ERA_DAYS)
    found = EPOCH + timedelta(days=left)
    return (found.year + eras * ERA) * 12 + found.month - 1


def _first_day(month: int) -> int:
    """Count the days from 1970 to the first of a month, which is counted from year 0."""
    eras, left = divmod(month - EPOCH.year * 12, ERA * 12)
    found = date(EPOCH.year + left // 12, left % 12 + 1, 1)
    return (found - EPOCH.date()).days + eras * ERA_DAYS


def _offset(at: int, zone: tzinfo) -> int:
    """Return by how many seconds the zone's clock is ahead of UTC at a moment."""
    if zone is UTC:
        return 0
    seconds = min(max(at, EARLIEST), LATEST)
    moment = EPOCH.replace(tzinfo=UTC) + timedelta(seconds=seconds)  # time_t may have but 32 bits
    ahead = moment.astimezone(zone).utcoffset() or timedelta()
    return ahead.days * DAY + ahead.seconds


def _change(start: int, end: int, zone: tzinfo) -> int:
    """Return when the zone's offset first changes after `start`, or `end` if it does not.

    The two are at most two days apart: no clock was ever changed twice within so short a time (the
    nearest is Freetown's of 1939, with four days), so equal offsets mean no change.
    """
    offset = _offset(start, zone)
    if _offset(end, zone) == offset:
        return end
    return start + bisect(
        range(start, end), False, key=lambda moment: _offset(moment, zone) != offset
    )


def _reached(local: int, zone: tzinfo) -> int:
    """Return when the zone's clock first shows a local time, or skips it."""
    change = _change(local - DAY, local + DAY, zone)
    found = local - _offset(local - DAY, zone)
    return found if found < change else max(change, local - _offset(change, zone))


def to_text(epoch: int, zone: tzinfo = UTC) -> str:
    """Write a time in ISO 8601: `2012-01-01T06:00:00.000Z`, or `-06:00` where that is the offset.

    Three decimals, or six or nine where the time has more.

    Raises:
        BadValue: the zone's calendar has no year from 1 to 9999 for it.
    """
    seconds, ns = divmod(epoch, SECOND)
    offset = _offset(seconds, zone)
    try:
        local = EPOCH + timedelta(seconds=seconds + offset)
    except OverflowError:
        raise BadValue(f"{seconds} s since 1970 is not in the years 1 to 9999") from None
    decimals = 3 if ns % 1_000_000 == 0 else 6 if ns % 1000 == 0 else 9
    return f"{local.isoformat()}.{f'{ns:09d}'[:decimals]}{_hours(offset)}"


def _hours(offset: int) -> str:
    """Write an offset as `Z` or `-06:00`; with seconds only where it has some, before 1972."""
    if offset == 0:
        return "Z"
    minutes, s = divmod(abs(offset), 60)
    return f"{'-' if offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}" + (
        f":{s:02d}" if s else ""
    )


def from_text(text: str, zone: tzinfo = UTC) -> int:
    """Read a time in ISO 8601; without an offset it is the zone's own, a date alone its start.

    Of a time that the zone's clock shows twice the first is meant; one that it skips is
    the moment at which it does.

    Raises:
        BadValue: it is none, or has more than nine decimals.
    """
    match = TIME.fullmatch(text)
    if match is None:
        raise BadValue(
            f"{text[:SHOWN]!r} is no time: expected one like 2012-01-31, 2012-01-31T13:05:00,"
            " 2012-01-31T13:05:00.250Z or 2012-01-31T13:05:00-06:00"
        )
    try:
        shown = datetime.fromisoformat(f"{match['date']}T{match['clock'] or '00:00'}")
    except ValueError as error:
        raise BadValue(f"{text!r} is no time: {error}") from None
    local = (shown - EPOCH) // timedelta(seconds=1)
    if match["sign"]:
        ahead = int(match["h"]) * 3600 + int(match["m"] or 0) * 60 + int(match["s"] or 0)
        local += ahead if match["sign"] == "-" else -ahead
    seconds = local if match["zone"] else _reached(local, zone)
    return seconds * SECOND + int((match["fraction"] or "").ljust(9, "0"))


def find_zone(name: str) -> tzinfo:
    """Return the time zone of an IANA name, such as `Europe/London`.

    Raises:
        BadValue: there is none of that name, or the system has no time zones at all.
    """
    if name == "UTC":
        return UTC  # known to every system
    try:
        if name.startswith("right/"):  # these count leap seconds, which an epoch does not
            raise ValueError
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        known = _names()
    if not known:
        raise BadValue("this system knows no time zone but UTC: install Debian's package tzdata")
    near = get_close_matches(name[:SHOWN].lower(), known, n=1)
    hint = f" (did you mean {known[near[0]]}?)" if near else ", as in Europe/London"
    raise BadValue(f"{name[:SHOWN]!r} is no time zone{hint}")


@cache
def _names() -> dict[str, str]:
    return {name.lower(): name for name in sorted(available_timezones())}
