"""A destination's way out: oldest first, the same batch until it is settled, nothing twice."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

from hypothesis import given, settings
from hypothesis import strategies as st

from pilogger.sample import Sample
from pilogger.store import Batch, SetAside, Store
from pilogger.testing import FakeClock


def opened(path: Path) -> Store:
    store = Store.open(path, FakeClock())
    store.declare("air", {"t": "Cel", "h": "%"})
    return store


def feed(store: Store, first: int, count: int) -> None:
    store.append([Sample("air", {"t": n, "h": -n}, 0) for n in range(first, first + count)])


def temperatures(batch: Batch | None) -> list[object]:
    return [p.value for p in batch.points if p.series == "air.t"] if batch else []


def test_the_same_batch_comes_until_it_is_settled(tmp_path: Path) -> None:
    """New readings do not change a batch that is on its way."""
    store = opened(tmp_path / "x.db")
    outbox = store.outbox("there")
    feed(store, 0, 2)
    first = outbox.take(10)
    feed(store, 2, 2)

    assert outbox.take(10) is first
    assert first is not None
    outbox.settle(first)
    assert temperatures(outbox.take(10)) == [2, 3]
    store.close()


def test_a_batch_holds_whole_samples(tmp_path: Path) -> None:
    """The limit is passed by at most one sample; order is the order of arrival."""
    store = opened(tmp_path / "x.db")
    outbox = store.outbox("there")
    feed(store, 0, 5)
    batch = outbox.take(3)

    assert batch is not None
    assert [(p.series, p.value) for p in batch.points] == [
        ("air.t", 0),
        ("air.h", 0),
        ("air.t", 1),
        ("air.h", -1),
    ]
    store.close()


def test_what_is_set_aside_is_kept_with_its_reason(tmp_path: Path) -> None:
    """Sent, refused and pending add up, now and after a restart."""
    store = opened(tmp_path / "x.db")
    outbox = store.outbox("there")
    feed(store, 0, 3)
    batch = outbox.take(4)
    assert batch is not None
    outbox.settle(batch, [SetAside(batch.points[1], "too damp")])

    assert (outbox.sent, outbox.refused, outbox.pending()) == (3, 1, 2)
    store.close()
    store = opened(tmp_path / "x.db")
    outbox = store.outbox("there")
    assert (outbox.sent, outbox.refused, outbox.pending()) == (3, 1, 2)
    rows = store.writer.connection.execute("SELECT * FROM set_aside").fetchall()
    assert rows == [("there", 1, "air.h", "too damp")]
    store.close()


def test_destinations_do_not_know_one_another(tmp_path: Path) -> None:
    """Each has its own cursor; a new one begins with all that is stored, or now."""
    store = opened(tmp_path / "x.db")
    feed(store, 0, 3)
    first, late, now = (
        store.outbox("first"),
        store.outbox("late", start="all"),
        store.outbox("now", start="now"),
    )
    batch = first.take(100)
    assert batch is not None
    first.settle(batch)
    feed(store, 3, 1)

    assert temperatures(first.take(100)) == [3]
    assert temperatures(late.take(100)) == [0, 1, 2, 3]
    assert temperatures(now.take(100)) == [3]
    assert [box.pending() for box in (first, late, now)] == [2, 8, 2]
    store.close()
    store = opened(tmp_path / "x.db")
    assert temperatures(store.outbox("now", start="all").take(100)) == [3]
    store.close()


def test_waiting_ends_when_something_arrives(tmp_path: Path) -> None:
    """The uploader sleeps until there is news."""
    store = opened(tmp_path / "x.db")
    outbox = store.outbox("there")
    sleeper = Thread(target=outbox.wait, args=(60,))
    sleeper.start()
    feed(store, 0, 1)
    sleeper.join(10)

    assert not sleeper.is_alive()
    store.close()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("feed"), st.integers(1, 7)),
            st.tuples(st.just("send"), st.integers(1, 9)),
            st.sampled_from([("flush", 0), ("restart", 0)]),
        ),
        max_size=30,
    )
)
def test_everything_leaves_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    """Whatever is committed, fresh or replayed when: each reading goes out exactly once."""
    from tempfile import TemporaryDirectory

    sent: list[object] = []
    fed = 0
    with TemporaryDirectory() as folder:
        path = Path(folder, "x.db")
        store = opened(path)
        outbox = store.outbox("there")
        for what, count in [*steps, ("send", 1000)]:
            match what:
                case "feed":
                    feed(store, fed, count)
                    fed += count
                case "flush":
                    store.flush()
                case "restart":
                    store.close()
                    store = opened(path)
                    outbox = store.outbox("there")
                case _:
                    if batch := outbox.take(count):
                        sent += temperatures(batch)
                        outbox.settle(batch)
            assert outbox.pending() == 2 * (fed - len(sent))
        store.close()

    assert sent == list(range(fed))
