"""A store tells at its start whether it was closed, and up to where it has readings."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilogger.sample import Sample
from pilogger.store import Store
from pilogger.testing import FakeClock


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is that of Greenwich."""
    monkeypatch.setenv("TZ", "UTC0")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def left_by(tmp_path: Path, store: Store) -> Path:
    """Copy a store as a power cut leaves it: without the journal, which is in memory."""
    copy = tmp_path / "after" / store.path.name
    copy.parent.mkdir()
    for file in store.path.parent.glob(f"{store.path.name}*"):
        if "fresh" not in file.name:
            shutil.copy(file, copy.parent)
        else:
            (copy.parent / file.name).symlink_to("/run/pilogger/nothing")
    return copy


@pytest.mark.fault(2)
def test_after_a_power_cut_it_says_how_far_it_has_come(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The newest reading that is on the disk: what came later was taken by the power cut."""
    caplog.set_level(logging.INFO)
    store = Store.open(tmp_path / "x.db", FakeClock(), durability=3600)
    store.declare("n", {"": "1"})
    store.append([Sample("n", {"": 1}, 160_000_000)])
    store.flush()
    store.append([Sample("n", {"": 2}, 170_000_000)])
    copy = left_by(tmp_path, store)
    store.close()
    Store.open(copy, FakeClock(boot_id="boot-2")).close()

    (said,) = (record.message for record in caplog.records)
    assert said.startswith(f"{copy} was not closed")
    assert said.endswith("its newest reading is of 2026-01-01 00:01:00")


def test_a_store_without_readings_says_that(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The power failed before there were any."""
    caplog.set_level(logging.INFO)
    store = Store.open(tmp_path / "x.db", FakeClock())
    copy = left_by(tmp_path, store)
    store.close()
    Store.open(copy, FakeClock(boot_id="boot-2")).close()

    assert "there is no reading in it" in caplog.text


def test_a_store_that_was_closed_says_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a new one, nor one that was stopped."""
    caplog.set_level(logging.INFO)
    for _ in range(2):
        Store.open(tmp_path / "x.db", FakeClock()).close()

    assert not caplog.records
