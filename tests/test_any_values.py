"""Whatever a source gives, what can be held arrives bit for bit, and the rest costs only itself."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilogger.protocols.initialstate import decode_events, encode_events
from pilogger.recorder import Recorder
from pilogger.sample import Point, Sample
from pilogger.series import History, find
from pilogger.store import Store, open_reader
from pilogger.testing import FakeClock

ANYTHING = st.one_of(
    st.floats(),  # NaN, infinities, -0.0 and denormals among them
    st.integers(),
    st.integers(2**63 - 2, 2**63 + 2),
    st.booleans(),
    st.text(),  # NUL and right-to-left among it
    st.text(st.characters(categories=["Cs", "Lu"])),  # halves of surrogate pairs
)
EPOCH = 1_767_225_600


def fits(value: Any) -> bool:
    """Whether SQLite and JSON can both hold it."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
    return math.isfinite(value) and (isinstance(value, float) or -(2**63) <= value < 2**63)


@pytest.mark.fault(73, 74, 75, 77, 79, 81)
@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(ANYTHING, st.integers(0, 2)), min_size=1, max_size=30), st.booleans())
@example([(float("nan"), 0), (-0.0, 0), (5e-324, 0), (2**63, 0), ("\ud800", 0), ("\0", 1)], True)
def test_one_series_of_anything(given_: list[tuple[Any, int]], sealed: bool) -> None:
    """Mixed types, and times that are there twice: all of it is sent, in order, and readable."""
    with TemporaryDirectory() as folder:
        store = Store.open(Path(folder, "x.db"), FakeClock(), durability=3600)
        carrier = Recorder(store)
        carrier.declare("any", {"": "1"})
        for value, second in given_:
            carrier.put(Sample("any", {"": value}, 100_000_000, str(EPOCH + second)))
        carrier.start()
        carrier.stop(30)
        if sealed:
            store.seal()
        store.flush()
        batch = store.outbox("there").take(1000)
        with closing(open_reader(store.path)) as db:
            infos = find(db)
            nanos = 10**9
            read = [
                repr(value)
                for info in infos
                for _, _, value in History(db).read(info.id, EPOCH * nanos, (EPOCH + 9) * nanos)
            ]
        store.close()
    good = [(value, second) for value, second in given_ if fits(value)]
    points: tuple[Point, ...] | list[Point] = batch.points if batch else []

    assert carrier.refused == len(given_) - len(good)
    assert [(repr(point.value), point.epoch) for point in points] == [
        (repr(value), str(EPOCH + second)) for value, second in good
    ]
    assert read == [repr(value) for value, _ in sorted(good, key=lambda it: it[1])]


@pytest.mark.fault(76, 77)
@given(st.text(max_size=300))
@example("")
@example("k" * 250)
@example("k" * 251)
def test_a_key_is_taken_as_it_is_or_refused(key: str) -> None:
    """Nothing is cut off and nothing made equal: two keys never become one."""
    wire = encode_events([Point(1, key, "5", 1.5), Point(2, "good", "5", 2.5)])
    events, refused = decode_events(wire)
    found = [event.key for event in events]

    assert found in ([key, "good"], ["good"])
    assert len(refused) == 2 - len(found)
    assert (len(found) == 2) == (1 <= len(key) <= 250 and fits(key))
