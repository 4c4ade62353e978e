"""Where readings had to go, their rollups are all there is: each counts once, where it begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from logger_rig import entries

from pilogger.sample import Sample
from pilogger.series import History
from pilogger.store import Store, open_reader, thinned
from pilogger.store.points import Points
from pilogger.store.rollups import DAY, TIERS
from pilogger.testing import FakeClock

SECOND = 1_000_000_000
START = 1_767_225_600  # a midnight
STEP = 300
HOURS = [START + 3600 * n for n in range(73)]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Three days of a series; of the first only hours are left, of the second quarters."""
    monkeypatch.setattr("pilogger.store.sealer.FULL", 32)
    store = Store.open(tmp_path / "x.db", FakeClock(), durability=1e9)
    store.declare("a", {"": "1"})
    store.append([point(START + n * STEP, n) for n in range(3 * DAY // STEP)])
    store.seal()
    with store.writer.alone() as db:
        db.execute('DELETE FROM block WHERE "end" < ?', [(START + 2 * DAY) * 1_000_000])
        db.execute("DELETE FROM quarter WHERE start < ?", [START + DAY])
        thinned.mark(db, 1, "hour", START, START + DAY)
        thinned.mark(db, 1, "quarter", START, START + 2 * DAY)
    yield store
    store.close()


def point(at: int, value: float) -> Sample:
    return Sample("a", {"": value}, 0, str(at))


def counts(store: Store, edges: list[int]) -> dict[int, int]:
    """Count what each period has, from one edge to the next, in seconds from `START`."""
    store.flush()
    with closing(open_reader(store.path)) as db:
        rolled = History(db).rollup(1, [(START + edge) * SECOND for edge in edges])
        return {start // SECOND - START: stats.count for start, stats in rolled}


@pytest.mark.parametrize("step", [60, 420, 900, 1800, 3600, 5400, 7200, DAY, 3 * DAY])
@pytest.mark.parametrize("shift", [0, 1, 450, 1800])
def test_nothing_counts_twice_and_nothing_is_missing(store: Store, step: int, shift: int) -> None:
    """Whatever the periods are, aligned or not."""
    found = counts(store, list(range(-DAY + shift, 4 * DAY + step, step)))

    assert sum(found.values()) == 3 * DAY // STEP


def test_an_hour_counts_where_it_begins(store: Store) -> None:
    """In a period that is finer than what is left, and in one that cuts it."""
    assert counts(store, [0, 900, 1800, 3600]) == {0: 12}
    assert counts(store, [1800, 5400, 9000]) == {1800: 12, 5400: 12}
    assert counts(store, [DAY, DAY + 60, DAY + 900]) == {DAY: 3}


def test_what_comes_late_is_added(store: Store) -> None:
    """To what is left, whether it is fresh or sealed, as points or as readings."""
    edges = [n * 3600 for n in range(49)]
    before = counts(store, edges)
    late = [DAY // 2, DAY // 2 + 1, DAY + DAY // 2]
    store.append([point(START + at, 1) for at in late])
    fresh = counts(store, edges)
    store.append([point(START + 3 * DAY + n, 1) for n in range(40)])
    store.seal()

    expected = before | {DAY // 2: 14, DAY + DAY // 2: 13}
    assert fresh == expected
    assert counts(store, edges) == expected
    Points(store).write(entries(store, [point(START + at, 2) for at in late]))
    assert sum(counts(store, edges).values()) == sum(expected.values()) + 3


def test_an_erased_span_takes_the_periods_within_it(store: Store) -> None:
    """Those that it cuts stay, at once and for ever."""
    edges = [n * 900 for n in range(97 * 2)]
    before = counts(store, edges)
    first, last = DAY - 5400, DAY + 2000
    Points(store).erase(1, (START + first) * SECOND, (START + last) * SECOND)
    at_once = counts(store, edges)
    store.append([point(START + 3 * DAY + n, 1) for n in range(40)])
    store.seal()

    gone = {at for at in before if DAY - 3600 <= at < DAY + 1800}
    assert at_once == {at: n for at, n in before.items() if at not in gone}
    assert counts(store, edges) == at_once
    with closing(open_reader(store.path)) as db:
        assert db.execute("SELECT * FROM erased").fetchall() == []
        for tier, length in list(TIERS.items())[1:]:
            rows = db.execute(f"SELECT start, count FROM {tier} ORDER BY start").fetchall()
            assert rows
            for (start, count), (following, _) in pairwise(rows):
                assert following - start >= length
                if tier == "hour" and DAY - 3600 <= start - START < DAY:
                    pytest.fail(f"{count} are left at {start - START}")
