"""Questions about a span: as TempoDB answered them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pilogger.errors import BadValue
from pilogger.periods import Interval, from_text, to_text
from pilogger.sample import Sample, Value
from pilogger.series import History, Info, find
from pilogger.series.query import DataSet, Rollup, read
from pilogger.store import Store, open_reader, sealer
from pilogger.testing import FakeClock

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
Ask = Callable[..., DataSet]
START = from_text("2012-01-01")


@pytest.fixture(params=["fresh", "sealed"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """A store with the series `a`: each half hour its number, for 40 days; and a far one."""
    monkeypatch.setattr(sealer, "FULL", 64 if request.param == "sealed" else 10**6)
    store = Store.open(tmp_path / "x.db", FakeClock(), durability=1e9)
    store.declare("a", {"": "1"})
    put(store, {to_text(START + n * HOUR // 2): n for n in range(40 * 48)})
    put(store, {"5012-01-01": 7})
    store.seal()
    yield store
    store.close()


def put(store: Store, values: dict[str, Value]) -> None:
    store.append(
        [
            Sample("a", {"": value}, 0, str(from_text(time) // SECOND))
            for time, value in values.items()
        ]
    )


@pytest.fixture
def history(store: Store) -> Iterator[History]:
    with closing(open_reader(store.path)) as db:
        yield History(db)


@pytest.fixture
def info(store: Store) -> Info:
    with closing(open_reader(store.path)) as db:
        [info] = find(db)
        return info


@pytest.fixture
def ask(history: History, info: Info) -> Ask:
    def ask(start: str, end: str, **options: str) -> DataSet:
        return read(history, info, from_text(start), from_text(end), **options)

    return ask


def shown(found: DataSet) -> list[tuple[str, Value]]:
    """Return the points, with times that a person can read."""
    return [(to_text(t)[:16], value) for t, value in found.points]


def test_who_names_no_interval_gets_one_that_fits(ask: Ask) -> None:
    """Up to 2 days raw, up to 30 days hours, else days; the mean of them."""
    raw = ask("2012-01-01", "2012-01-03")
    hours = ask("2012-01-01", "2012-01-31")
    days = ask("2012-01-01", "2012-02-01")

    assert (raw.rollup, len(list(raw.points))) == (None, 96)
    assert hours.rollup == Rollup(Interval(1, "hour"), "mean", "UTC")
    assert shown(hours)[:2] == [("2012-01-01T00:00", 0.5), ("2012-01-01T01:00", 2.5)]
    assert days.rollup == Rollup(Interval(1, "day"), "mean", "UTC")
    assert shown(days)[:2] == [("2012-01-01T00:00", 23.5), ("2012-01-02T00:00", 71.5)]


def test_a_span_is_half_open(ask: Ask) -> None:
    """Raw and rolled up: what is at the end is not in it."""
    raw = ask("2012-01-01T01:00", "2012-01-01T02:00", interval="raw")
    rolled = ask("2012-01-01T01:00", "2012-01-01T02:00", interval="1hour", function="count")

    assert shown(raw) == [("2012-01-01T01:00", 2), ("2012-01-01T01:30", 3)]
    assert shown(rolled) == [("2012-01-01T01:00", 2)]
    assert rolled.summary["count"] == 2


def test_periods_at_the_ends_are_cut(ask: Ask) -> None:
    """They count only what is in the span, and go by their own start."""
    found = ask("2012-01-01T23:30", "2012-01-03T00:30", interval="1day", function="count")

    assert shown(found) == [
        ("2012-01-01T00:00", 1),
        ("2012-01-02T00:00", 48),
        ("2012-01-03T00:00", 1),
    ]
    assert found.summary["count"] == 50


@pytest.mark.parametrize(
    ("function", "value"),
    [("sum", 18), ("max", 6), ("min", 3), ("avg", 4.5), ("mean", 4.5), ("count", 4)],
)
def test_a_period_is_folded(ask: Ask, function: str, value: float) -> None:
    """By each of TempoDB's functions."""
    found = ask("2012-01-01T01:30", "2012-01-01T03:30", interval="1day", function=function)

    assert shown(found) == [("2012-01-01T00:00", value)]


def test_the_summary_is_that_of_a_sample(ask: Ask) -> None:
    """`ss` is the sum of squared deviations, `stddev` has n - 1; of raw and rolled up alike."""
    raw = ask("2012-01-01T01:30", "2012-01-01T03:30")
    rolled = ask("2012-01-01T01:30", "2012-01-01T03:30", interval="5min", function="stddev")

    assert raw.summary == rolled.summary
    assert raw.summary == {
        "count": 4, "sum": 18, "mean": 4.5, "min": 3, "max": 6,
        "ss": 5.0, "stddev": pytest.approx((5 / 3) ** 0.5, rel=1e-15),
    }  # fmt: skip
    assert [value for _, value in shown(rolled)] == [0.0] * 4


def test_a_day_is_a_local_day(ask: Ask) -> None:
    """In Kolkata it begins at 18:30 UTC."""
    found = ask(
        "2012-01-01T12:00", "2012-01-03", interval="1day", function="count", zone="Asia/Kolkata"
    )

    assert shown(found) == [
        ("2011-12-31T18:30", 13),
        ("2012-01-01T18:30", 48),
        ("2012-01-02T18:30", 11),
    ]


def test_empty_periods_are_left_out(store: Store, ask: Ask) -> None:
    """Also if there are millions of them, and text is nothing."""
    put(store, {"3000-01-01": "text", "1001-06-01": 5})
    store.flush()
    found = ask("1000-01-01", "9000-01-01", interval="1min", function="count")

    times = [time for time, _ in shown(found)]
    assert len(times) == 40 * 48 + 2
    assert times[0] == "1001-06-01T00:00"
    assert times[-2:] == ["2012-02-09T23:30", "5012-01-01T00:00"]


def test_an_empty_span_has_nothing(ask: Ask) -> None:
    """Its count and sum are 0, what has no value is None."""
    for found in (ask("2012-01-01", "2012-01-01"), ask("2011-01-01", "2012-01-01")):
        assert list(found.points) == []
        assert found.summary == {
            "count": 0, "sum": 0, "mean": None, "min": None, "max": None, "ss": None, "stddev": None
        }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"interval": "1h"}, r"'1h' is no interval: .*did you mean 1hour"),
        ({"function": "median"}, "'median' is no function: expected one of sum, max"),
        ({"zone": "Europe/Lodnon"}, "did you mean Europe/London"),
    ],
)
def test_what_is_not_understood_is_told(ask: Ask, options: dict[str, str], wrong: str) -> None:
    """With what would be."""
    with pytest.raises(BadValue, match=wrong):
        ask("2012-01-01", "2012-01-02", **options)
    with pytest.raises(BadValue, match="start is after end"):
        ask("2012-01-02", "2012-01-01")
