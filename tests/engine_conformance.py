"""What every engine does, as tests: import them all into a file with a fixture `engine`.

    from engine_conformance import *

The fixture gives an empty `pilogger.engine.Engine`; whatever keeps it, it is closed
by the fixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from threading import Thread

import pytest

from pilogger.engine import Arrival, Engine, Entry, Info, Receipt, Recent
from pilogger.errors import BadValue
from pilogger.sample import Value

NOW = 1_767_225_600
SECOND = 1_000_000_000
HOUR = 3600

VALUES: list[Value] = [
    21.5, 0.1 + 0.2, -0.0, 5e-324, 1.7976931348623157e308, 20, 2**63 - 1, -(2**63), True, False,
    "", "on", "München \U0001f321", 1, 1.0,
]  # fmt: skip


def made(engine: Engine, key: str = "a", **place: str) -> Info:
    found = engine.create(key, **place)
    assert found is not None
    return found


def values(engine: Engine, series: Info, start: int = 0, end: int = 10**6) -> list[Value]:
    """Return what a span has, in seconds from `NOW`."""
    engine.flush()
    found = engine.read(series.id, (NOW + start) * SECOND, (NOW + end) * SECOND)
    return [value for _, value in found]


def entries(series: Info, found: Sequence[Value], step: int = 1) -> list[Entry]:
    return [Entry(series.id, str(NOW + step * n), value) for n, value in enumerate(found)]


# -- which series there are ----------------------------------------------------------------------


def test_a_series_is_made_once(engine: Engine) -> None:
    """It has a uid of 32 hex digits; a taken key gives None; buckets and accounts are apart."""
    first = made(engine, "a", account="me", bucket="b")
    others = [
        made(engine, "a", account="me"),
        made(engine, "a", account="me", bucket="c"),
        made(engine, "a", account="you", bucket="b"),
    ]

    assert engine.create("a", account="me", bucket="b") is None
    assert (first.key, first.bucket, first.name, first.tags) == ("a", "b", "", ())
    assert len({first.uid, *(other.uid for other in others)}) == 4
    assert len(first.uid) == 32
    assert int(first.uid, 16) >= 0


def test_a_bucket_takes_its_newest_name(engine: Engine) -> None:
    """It is new once, and without a name it keeps the one that it has."""
    assert engine.bucket("b", "One", account="me")
    assert not engine.bucket("b", "Two", account="me")
    assert not engine.bucket("b", "", account="me")
    assert engine.bucket("b", "One", account="you")
    [series] = engine.by_key(["a"], account="me", bucket="b").values()
    engine.append([Entry(series, str(NOW), 1)])
    engine.flush()

    assert [each.name for each in engine.recent("me").series] == ["Two"]


def test_a_series_is_named_by_key_and_made_where_it_is_missing(engine: Engine) -> None:
    """Of one account and bucket; a removed one is made anew, and a described one is the same."""
    there = made(engine, "a", account="me", bucket="b")
    engine.describe(there.id, "Name", [], {})
    found = engine.by_key(["a", "new", "a"], account="me", bucket="b")
    engine.flush()

    assert found["a"] == there.id
    assert [info.id for info in engine.find("me")] == [found["a"], found["new"]]
    assert engine.by_key(found, account="me", bucket="b") == found
    others = (engine.by_key(["a"], account="me"), engine.by_key(["a"], account="you", bucket="b"))
    assert len({there.id, *(other["a"] for other in others)}) == 3
    engine.remove(there.id)
    assert engine.by_key(["a"], account="me", bucket="b")["a"] != there.id
    with pytest.raises(BadValue):
        engine.by_key(["\0"])


def test_a_series_is_named_by_uid_if_it_is_there(engine: Engine) -> None:
    """Nobody is given what is another's, or was removed."""
    mine, yours = made(engine, account="me", bucket="b"), made(engine, account="you", bucket="b")
    uids = [mine.uid, yours.uid, "0" * 32, ""]

    assert engine.by_uid(uids, account="me", bucket="b") == {mine.uid: mine.id}
    assert engine.by_uid(uids, account="you", bucket="b") == {yours.uid: yours.id}
    assert engine.by_uid(uids, account="me") == {}
    engine.remove(mine.id)
    engine.flush()
    assert engine.by_uid(uids, account="me", bucket="b") == {}


def test_series_are_found_by_what_was_described(engine: Engine) -> None:
    """One of ids or keys, all tags, all attributes; by key; of one account."""
    for key in ("c", "a", "b"):
        engine.describe(made(engine, key).id, "", ["all", key], {"key": key, "of": "all"})
    made(engine, "a", account="other")
    engine.flush()
    [a, b, c] = engine.find()

    assert [a.key, b.key, c.key] == ["a", "b", "c"]
    assert (a.tags, a.attributes) == (("a", "all"), {"key": "a", "of": "all"})
    assert engine.find(ids=[c.uid], keys=["a"]) == [a, c]
    assert engine.find(tags=["all", "b"]) == [b]
    assert engine.find(tags=["a", "b"]) == []
    assert engine.find(attributes={"of": "all", "key": "c"}) == [c]
    assert engine.find(attributes={"of": "c"}) == []
    assert engine.find(keys=["a", "b"], tags=["a"], attributes={"of": "all"}) == [a]
    assert engine.find(bucket="") == [a, b, c]
    assert engine.find(bucket="none") == []
    assert [info.uid for info in engine.find("other")] != [a.uid]


def test_a_description_takes_the_place_of_the_one_before(engine: Engine) -> None:
    """Any text is one; NUL is not, and changes nothing."""
    series = made(engine)
    engine.describe(series.id, "Name", ["x", "y", "x"], {"a": "1", "b": "2"})
    engine.describe(series.id, 'Név "\\', ["'", "%", '"'], {"$.a": '"', "": ""})
    for name, tags, attributes in (("\0", [""], {}), ("", ["\0"], {}), ("", [], {"a": "\0"})):
        with pytest.raises(BadValue, match="NUL"):
            engine.describe(series.id, name, tags, attributes)
    engine.flush()

    [found] = engine.find(tags=["'", '"'], attributes={"$.a": '"', "": ""})
    assert (found.name, found.attributes) == ('Név "\\', {"": "", "$.a": '"'})
    assert sorted(found.tags) == ['"', "%", "'"]


def test_a_removed_series_is_gone(engine: Engine) -> None:
    """Its key is free; the new one has another uid and nothing of the old one."""
    old = made(engine)
    engine.write(entries(old, [1, 2, 3]))
    engine.remove(old.id)
    engine.flush()
    assert engine.find() == []
    assert values(engine, old) == []
    with pytest.raises(BadValue, match="'a' was deleted"):
        engine.write(entries(old, [1]))
    new = made(engine)

    assert new.uid != old.uid
    assert values(engine, new) == []
    with pytest.raises(BadValue, match="'a' was deleted"):
        engine.append(entries(old, [1]))
    engine.write(entries(new, [4]))
    assert values(engine, new) == [4]


# -- values in -----------------------------------------------------------------------------------


def test_values_come_back_as_what_they_were(engine: Engine) -> None:
    """Written or appended, bit for bit, with their types."""
    written, appended = made(engine, "w"), made(engine, "a")
    engine.write(entries(written, VALUES))
    engine.append(entries(appended, VALUES))

    assert repr(values(engine, written)) == repr(VALUES)
    assert repr(values(engine, appended)) == repr(VALUES)


def test_epochs_are_exact(engine: Engine) -> None:
    """Nanoseconds, times before 1970 and after 9999, in their order."""
    series = made(engine)
    epochs = ["-62135596800.5", "-0.000000001", "0", "1767225600.000000001", "253402300800.25"]
    engine.write([Entry(series.id, text, n) for n, text in enumerate(reversed(epochs))])
    engine.flush()

    found = list(engine.read(series.id, -(10**30), 10**30))
    assert found == [
        (-62135596800_500000000, 4), (-1, 3), (0, 2), (1767225600_000000001, 1),
        (253402300800_250000000, 0),
    ]  # fmt: skip


def test_a_later_value_takes_the_place_of_the_first(engine: Engine) -> None:
    """Also of another type, also in the same call, also long after."""
    series = made(engine)
    engine.write(entries(series, [1.5, 2.5, 3.5]))
    engine.flush()
    engine.write([Entry(series.id, str(NOW + 1), "on"), Entry(series.id, f"{NOW + 1}.0", 7)])

    assert values(engine, series) == [1.5, 7, 3.5]
    summary = engine.summary(series.id, NOW * SECOND, (NOW + 10) * SECOND)
    assert summary is not None
    assert (summary.count, summary.total) == (3, 12.0)


def test_an_event_that_is_sent_again_is_not_stored_again(engine: Engine) -> None:
    """Equal in series, epoch and value; another value at the epoch is another event."""
    series, other = made(engine, "a"), made(engine, "b")
    events = entries(series, [1, 2, 3])

    assert engine.append([*events, *events[:1]]) == 3
    engine.flush()
    assert (
        engine.append([*events, Entry(series.id, str(NOW), 1.0), Entry(other.id, str(NOW), 1)]) == 2
    )


def test_sums_are_added_up(engine: Engine) -> None:
    """To nothing, to what is there, twice in a call; whole numbers stay whole."""
    series = made(engine)
    engine.write(entries(series, [10, 0.5]))
    engine.increment(entries(series, [1, 0.25, 4]))
    engine.increment([Entry(series.id, str(NOW), 1), Entry(series.id, f"{NOW}.0", 1)])

    assert repr(values(engine, series)) == repr([13, 0.75, 4])


def test_no_sum_is_lost_between_threads(engine: Engine) -> None:
    """Four that add at once are all counted."""
    series = made(engine)
    one = [Entry(series.id, str(NOW), 1), Entry(series.id, str(NOW + 1), 2)]

    def add() -> None:
        for _ in range(20):
            engine.increment(one)

    threads = [Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert values(engine, series) == [80, 160]


def test_a_receipt_is_kept_with_its_sum(engine: Engine) -> None:
    """It is known at once; a sum that fails leaves none."""
    series, receipt = made(engine), Receipt("me", "k", 200, "done \U0001f321")
    engine.increment(entries(series, [1]), receipt)
    taken = engine.receipt("me", "k")
    engine.flush()
    with pytest.raises(BadValue):
        engine.increment(entries(series, ["on"]), receipt._replace(key="failed"))
    engine.keep(Receipt("you", "alone", 207, ""))
    engine.flush()

    assert taken == receipt
    assert engine.receipt("me", "k") == receipt
    assert engine.receipt("you", "alone") == ("you", "alone", 207, "")
    assert [engine.receipt(*name) for name in (("you", "k"), ("me", "failed"))] == [None, None]


def test_a_message_that_is_sent_again_brings_nothing(engine: Engine) -> None:
    """Neither twice in a call, nor in another one; to another account it is another message."""
    series = made(engine)
    first, again, other = (
        Arrival(
            id,
            "track",
            "user",
            None,
            "e",
            None,
            NOW,
            "{}",
            [Entry(series.id, str(NOW + value), value)],
        )
        for id, value in (("m", 1), ("m", 2), ("n", 3))
    )

    assert engine.arrive("me", [first, again]) == 1
    assert engine.arrive("me", [again, other]) == 1
    assert engine.arrive("you", [again]) == 1
    assert values(engine, series) == [1, 2, 3]
    refused = other._replace(id="o", entries=[Entry(series.id, "1", float("nan"))])
    with pytest.raises(BadValue):
        engine.arrive("me", [other._replace(id="p"), refused])
    assert engine.arrive("me", [other._replace(id="p")]) == 1


@pytest.mark.parametrize(
    ("there", "delta"), [("on", 1), (True, 1), (1, "on"), (1, True), (2**63 - 1, 1), (1e308, 1e308)]
)
def test_a_sum_that_is_none_changes_nothing(engine: Engine, there: Value, delta: Value) -> None:
    """The others of the call are not added either."""
    series = made(engine)
    engine.write(entries(series, [there, 5]))
    with pytest.raises(BadValue):
        engine.increment([Entry(series.id, str(NOW + 1), 1), Entry(series.id, str(NOW), delta)])

    assert values(engine, series) == [there, 5]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**63, "\0", "\ud800", None])
def test_what_cannot_be_held_is_refused(engine: Engine, value: Value) -> None:
    """With all of its call; so is an epoch that is no number."""
    series = made(engine)
    good = Entry(series.id, str(NOW), 1)
    for verb in (engine.append, engine.write):
        with pytest.raises(BadValue):
            verb([good, Entry(series.id, str(NOW + 1), value)])
        with pytest.raises(BadValue):
            verb([good, Entry(series.id, "noon", 1)])

    assert values(engine, series) == []


def test_a_span_is_erased(engine: Engine) -> None:
    """Half open; of one series; what comes later stays."""
    series, other = made(engine, "a"), made(engine, "b")
    for each in (series, other):
        engine.write(entries(each, list(range(10))))
    engine.erase(series.id, (NOW + 2) * SECOND, (NOW + 8) * SECOND)
    assert values(engine, series) == [0, 1, 8, 9]
    engine.write([Entry(series.id, str(NOW + 5), "new")])
    engine.increment([Entry(series.id, str(NOW + 6), 1)])

    assert values(engine, series) == [0, 1, "new", 1, 8, 9]
    assert values(engine, other) == list(range(10))
    engine.erase(series.id, NOW * SECOND, 253402300800 * SECOND)
    assert values(engine, series) == []


# -- values out ----------------------------------------------------------------------------------


def test_a_span_is_half_open(engine: Engine) -> None:
    """Its start is in it, its end is not; an empty one has nothing."""
    series = made(engine)
    engine.write(entries(series, [0, 1, 2, 3]))

    assert values(engine, series, 1, 3) == [1, 2]
    assert values(engine, series, 2, 2) == []
    assert values(engine, series, 3, 1) == []
    assert engine.summary(series.id, (NOW + 2) * SECOND, (NOW + 2) * SECOND) is None


def test_a_rollup_is_what_the_values_give(engine: Engine) -> None:
    """By aligned periods and others; empty ones are left out; text counts for nothing."""
    series = made(engine)
    found: list[Value] = [n % 17 / 4 for n in range(300)]
    found[100:130] = ["off"] * 30
    engine.write(entries(series, found, 300))
    engine.flush()
    for step in (60, 300, 420, 900, HOUR, 3 * HOUR + 7, 24 * HOUR):
        edges = [(NOW + at) * SECOND for at in range(-step, 301 * 300 + step, step)]
        numbers = {
            start: [
                value
                for n, value in enumerate(found)
                if not isinstance(value, str) and start <= (NOW + n * 300) * SECOND < end
            ]
            for start, end in pairwise(edges)
        }
        rolled = dict(engine.rollup(series.id, iter(edges)))

        assert list(rolled) == [start for start, inside in numbers.items() if inside]
        for start, stats in rolled.items():
            inside = numbers[start]
            assert (stats.count, stats.low, stats.high) == (len(inside), min(inside), max(inside))
            assert stats.mean == pytest.approx(sum(inside) / len(inside), rel=1e-12)


def test_the_next_value_is_not_before_what_is_told(engine: Engine) -> None:
    """Whoever looks for it in steps misses none, and comes to an end."""
    series = made(engine)
    assert engine.next_after(series.id, 0) is None
    engine.write([Entry(series.id, text, 1) for text in ("-5", "1000", f"{NOW}.5")])
    engine.flush()
    for at in (-5, 1000, NOW + 0.5):
        told = engine.next_after(series.id, int((at - 1) * SECOND))
        assert told is not None
        assert told <= at * SECOND

    assert engine.next_after(series.id, (NOW + 1) * SECOND) is None


def test_a_summary_has_all_of_a_span(engine: Engine) -> None:
    """Count, sum, mean, min, max, ss and stddev (n - 1); values far from zero lose nothing."""
    series = made(engine)
    engine.write(entries(series, [1e9 + 0.001, 1e9, 1e9 - 0.001, "text"]))
    engine.flush()
    stats = engine.summary(series.id, NOW * SECOND, (NOW + 10) * SECOND)

    assert stats is not None
    assert (stats.count, stats.mean) == (3, 1e9)
    assert stats.stddev == pytest.approx(0.001, rel=1e-4)


def test_text_alone_has_no_summary(engine: Engine) -> None:
    """It is read all the same."""
    series = made(engine)
    engine.write(entries(series, ["on", "off"]))

    assert values(engine, series) == ["on", "off"]
    assert engine.summary(series.id, NOW * SECOND, (NOW + 10) * SECOND) is None


# -- what is new ---------------------------------------------------------------------------------


def newest(found: Recent) -> dict[str, list[tuple[float, Value]]]:
    """Return what came, by bucket and key."""
    return {f"{one.bucket}/{one.key}": [(*each,) for each in one.readings] for one in found.series}


def test_what_is_new_comes_once(engine: Engine) -> None:
    """By account; from 0 on every series comes, in the order of time."""
    assert newest(engine.recent("me")) == {}
    engine.append(entries(made(engine, "quiet", account="me"), [0]))
    series = made(engine, "a", account="me", bucket="b")
    engine.append([Entry(series.id, text, value) for text, value in (("2", "x"), ("1.5", True))])
    engine.append(entries(made(engine, account="you"), [9]))
    engine.flush()
    first = engine.recent("me")
    engine.append([Entry(series.id, "3", 1.25)])
    engine.flush()
    second = engine.recent("me", first.seq)

    assert newest(first) == {"/quiet": [(NOW, 0)], "b/a": [(1.5, True), (2, "x")]}
    assert newest(second) == {"b/a": [(3, 1.25)]}
    assert newest(engine.recent("me", second.seq)) == {}
    assert newest(engine.recent("me"))["b/a"] == [(1.5, True), (2, "x"), (3, 1.25)]


def test_values_are_counted_by_account(engine: Engine) -> None:
    engine.append(entries(made(engine, account="me"), [1, "on", False]))
    engine.append(entries(made(engine, account="you"), [1]))
    engine.flush()

    assert [engine.count(account) for account in ("me", "you", "")] == [3, 1, 0]
