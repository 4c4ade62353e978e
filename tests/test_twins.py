"""An event that is sent again is stored once, in whatever order events come."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from damage_rig import zero_first
from hypothesis import given, settings
from hypothesis import strategies as st

from pilogger import epoch
from pilogger.engine import Entry, SQLiteEngine
from pilogger.sample import Value
from pilogger.store import Store, sealer
from pilogger.testing import FakeClock

TEXTS = ["-1", "0", "1", "1.0", "1.5", "1.500000001", "1.5000000001", "1e1", "10", "3e10", "-0"]

Event = tuple[str, str, Value]

events = st.tuples(
    st.sampled_from("ab"), st.sampled_from(TEXTS), st.sampled_from([1, 1.0, True, "1"])
)
calls = st.lists(st.one_of(st.lists(events, max_size=8), st.sampled_from(["seal", "restart"])))


def as_sent(event: Event) -> tuple[str, str, str]:
    key, at, value = event
    return key, str(epoch.pack(at)), repr(value)


@settings(max_examples=60, deadline=None)
@given(calls)
def test_what_is_new_is_counted_and_stored_once(found: list[list[Event] | str]) -> None:
    """Late or in order, fresh, sealed or after a restart; another text is another epoch."""
    known: set[tuple[str, str, str]] = set()
    full, short = sealer.FULL, sealer.SHORT
    sealer.FULL, sealer.SHORT = 3, 1
    try:
        with TemporaryDirectory() as folder:
            path = Path(folder, "x.db")
            store = Store.open(path, FakeClock(), durability=1e9)
            for call in found:
                if call == "restart":
                    store.close()
                    store = Store.open(path, FakeClock(), durability=1e9)
                elif call == "seal":
                    store.seal()
                elif not isinstance(call, str):
                    engine = SQLiteEngine(store)
                    series = engine.by_key(key for key, _, _ in call)
                    sent = [as_sent(event) for event in call]
                    entries = [Entry(series[key], at, value) for key, at, value in call]
                    assert engine.append(entries) == len({*sent} - known)
                    known.update(sent)
            with closing(store):
                engine = SQLiteEngine(store)
                engine.flush()

                assert engine.count("") == len(known)
    finally:
        sealer.FULL, sealer.SHORT = full, short


def test_what_came_back_from_a_damaged_store_is_known(tmp_path: Path) -> None:
    """Also when all that the new one was sent meanwhile is older."""
    path = tmp_path / "x.db"
    with closing(Store.open(path, FakeClock(), durability=1e9)) as store:
        engine = SQLiteEngine(store)
        series = engine.by_key("a")["a"]
        assert engine.append([Entry(series, str(at), at) for at in range(100, 200)]) == 100
    zero_first(path, Random(1))
    with closing(Store.open(path, FakeClock(boot_id="boot-2"), durability=1e9)) as store:
        engine = SQLiteEngine(store)
        series = engine.by_key("a")["a"]
        assert engine.append([Entry(series, "50", 50)]) == 1
        assert store.salvage.join(60)

        assert engine.append([Entry(series, str(at), at) for at in range(150, 201)]) == 1
