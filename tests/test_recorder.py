"""The recorder: no sensor waits for the disk, nothing is dropped without a count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from logger_rig import eventually, held

from pilogger import recorder
from pilogger.errors import StoreBroken
from pilogger.recorder import Recorder
from pilogger.sample import Sample
from pilogger.store import Store
from pilogger.testing import FakeClock


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "x.db", FakeClock())
    store.declare("n", {"": "1"})
    yield store
    store.close()


def number(value: float) -> Sample:
    return Sample("n", {"": value}, 0)


def values(store: Store) -> list[object]:
    store.flush()
    return [value for _, _, value in held(store.path)]


def test_samples_reach_the_store_in_order(store: Store) -> None:
    """What was put is stored when `stop` returns."""
    carrier = Recorder(store)
    for value in range(5):
        carrier.put(number(value))
    carrier.start()
    for value in range(5, 2000):
        carrier.put(number(value))
    carrier.stop(10)

    assert values(store) == list(range(2000))
    assert carrier.waiting == 0


@pytest.mark.fault(73)
def test_a_sample_that_cannot_be_held_costs_only_itself(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Its neighbours of the same moment are stored; it is counted and logged."""
    carrier = Recorder(store)
    for value in (1, float("nan"), 2):
        carrier.put(number(value))
    carrier.start()
    carrier.stop(10)

    assert values(store) == [1, 2]
    assert carrier.refused == 1
    assert "n: nan is not a number" in caplog.text


@pytest.mark.fault(21)
def test_samples_wait_while_the_disk_takes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They are stored when it takes samples again; the log has one line for each turn."""
    monkeypatch.setattr(recorder, "RETRY_S", 0.01)
    carrier = Recorder(store)
    carrier.start()
    fds, store.writer._journal._fds = store.writer._journal._fds, [-1, -1]
    carrier.put(number(1))
    eventually(lambda: carrier.trouble)
    carrier.put(number(2))
    eventually(lambda: carrier.waiting == 2)
    store.writer._journal._fds = fds
    eventually(lambda: not carrier.trouble)
    carrier.stop(10)

    assert values(store) == [1, 2]
    assert caplog.text.count("samples wait in memory") == 1
    assert caplog.text.count("takes samples again") == 1


@pytest.mark.fault(20)
def test_memory_is_bounded_and_the_loss_is_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more than fits the newest are kept."""
    monkeypatch.setattr(recorder, "MOST", 10)
    carrier = Recorder(store)
    carrier.declare("n", {"": "1"})
    for value in range(25):
        carrier.put(number(value))
    carrier.start()
    carrier.stop(10)

    assert carrier.dropped == 16
    assert values(store) == list(range(16, 25))


def test_channels_may_change_while_samples_wait(store: Store) -> None:
    """Each sample is stored under the channels that were declared before it."""
    carrier = Recorder(store)
    carrier.declare("air", {"t": "Cel"})
    carrier.put(Sample("air", {"t": 1}, 0))
    carrier.declare("air", {"h": "%"})
    carrier.put(Sample("air", {"h": 2}, 0))
    carrier.start()
    carrier.stop(10)
    store.flush()

    assert [(series, value) for series, _, value in held(store.path)] == [
        ("air.t", 1),
        ("air.h", 2),
    ]


@pytest.mark.fault(77)
def test_a_name_that_cannot_be_held_is_refused(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """It costs its own samples only."""
    carrier = Recorder(store)
    carrier.declare("nul\0", {"t": "Cel"})
    carrier.put(Sample("nul\0", {"t": 1}, 0))
    carrier.put(number(2))
    carrier.start()
    carrier.stop(10)

    assert values(store) == [2]
    assert "NUL" in caplog.text


def test_a_fact_is_stored_before_the_samples_that_wait(store: Store) -> None:
    """And of each key only the newest: a total must not be behind a reading, nor pile up."""
    carrier = Recorder(store)
    carrier.put(number(1))
    for total in range(5):
        carrier.remember("state.n", str(total))
    carrier.remember("state.m", "x")
    seen: list[dict[str, str]] = []
    append = store.append

    def watched(samples: Sequence[Sample]) -> int:
        store.flush()
        seen.append(store.facts("state."))
        return append(samples)

    store.append = watched  # type: ignore[method-assign, assignment]
    carrier.start()
    carrier.stop(10)

    assert seen == [{"state.n": "4", "state.m": "x"}]
    assert store.facts("state.m") == {"state.m": "x"}


def test_a_fact_waits_for_the_disk_and_gives_way_to_a_newer_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "RETRY_S", 0.01)
    remember, troubles = store.remember, [StoreBroken("full"), StoreBroken("full")]
    carrier = Recorder(store)

    def sometimes(key: str, text: str) -> None:
        if troubles:
            carrier.remember(key, "newer")
            raise troubles.pop()
        remember(key, text)

    monkeypatch.setattr(store, "remember", sometimes)
    carrier.start()
    carrier.remember("state.n", "old")

    assert carrier.drain(10)
    carrier.stop(10)
    store.flush()
    assert store.facts("state.") == {"state.n": "newer"}
