"""The bounds of a store: how a config says them, who obeys, and what the status tells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import logger_rig as rig
import pytest
from config_rig import SENSOR, mistake
from hypothesis import given
from hypothesis import strategies as st

from pilogger import status, tell
from pilogger.agent import Agent
from pilogger.config import Settings, load, loads
from pilogger.config.sizes import count, write
from pilogger.sample import Sample
from pilogger.store import Store
from pilogger.testing import FakeClock


def test_nothing_is_bounded_but_by_the_disk() -> None:
    """Who says nothing keeps everything, and a part of the disk."""
    store = loads(SENSOR).store

    assert (store.keep, store.max_size) == (None, None)
    assert (store.when_full, store.min_free) == ("drop_oldest", 100_000_000)


def test_all_bounds_can_be_said() -> None:
    """With units, as people say them."""
    text = "store: {keep: 2y, max_size: 4.5GB, when_full: thin, min_free: 0}"
    store = loads(SENSOR + text).store

    assert (store.keep, store.max_size) == (2 * 365 * 86_400.0, 4_500_000_000)
    assert (store.when_full, store.min_free) == ("thin", 0)


HOW = "expected a size, a number and one of kB MB GB TB, as in 500MB or 4GB"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("max_size: 4 GB", f"max_size: {HOW} (did you mean 4GB?)"),
        ("max_size: 4G", f"max_size: {HOW} (did you mean 4GB?)"),
        ("max_size: 500 mb", f"max_size: {HOW} (did you mean 500MB?)"),
        ("max_size: 500MiB", f"max_size: {HOW} (did you mean 500MB?)"),
        ("max_size: 5000KB", f"max_size: {HOW} (did you mean 5000kB?)"),
        ("max_size: 5000000000", f"max_size: {HOW}"),
        ("max_size: 4PB", f"max_size: {HOW}"),
        ("max_size: on", f"max_size: {HOW}"),
        ("max_size: 9MB", "max_size: must be from 10MB to 1000TB"),
        ("min_free: 1kB", "min_free: must be from 1MB to 1000TB or 0"),
        ("min_free: 1", f"min_free: {HOW}"),
        ("keep: 2h", "keep: must be from 1d to 1000y"),
        ("when_full: drop", "when_full: expected drop_oldest, thin or stop"),
    ],
)
def test_what_is_no_bound_is_told_how_one_is_written(written: str, said: str) -> None:
    """With the units, and with what was probably meant."""

    assert mistake(f"{SENSOR}store: {{{written}}}").partition(": store.")[2] == said


@given(st.integers(1, 10**15))
def test_a_size_is_read_as_it_was_written(size: int) -> None:
    """To the byte."""

    assert count(write(size)) == size


def settings(folder: Path, **bounds: object) -> Settings:
    """Settings whose bounds may be what no config would say."""
    found = load(rig.configure(folder))
    return replace(found, store=replace(found.store, **bounds))  # type: ignore[arg-type]


def test_a_full_store_takes_readings_again_when_a_reload_allows_it_more(tmp_path: Path) -> None:
    """What waited in memory meanwhile is stored."""
    full = settings(tmp_path, max_size=1000, when_full="stop")
    with Agent(full) as agent:
        rig.eventually(lambda: agent.recorder.waiting > 20)
        why = agent.state()["store"]["trouble"]
        stored = agent.store.stored
        agent.reload(settings(tmp_path, max_size=10**8, when_full="stop"))
        rig.eventually(lambda: agent.store.stored > stored + 20)
        after = agent.state()["store"]

    assert "takes no more: it is as large as it may be; store.max_size and store.when_full" in why
    assert (after["trouble"], after["dropped"], after["evicted"]) == ("", 0, {})
    assert after["max_size"] == 10**8


def test_the_status_tells_what_had_to_go(tmp_path: Path) -> None:
    """By reason, with what some destination had not had; and who is no destination any more."""
    kept = settings(tmp_path, keep=86_400.0)
    clock = FakeClock()
    store = Store.open(kept.store.path, clock)
    store.declare("old", {"": "1"})
    store.append([Sample("old", {"": n}, clock.boot()) for n in range(5)])
    store.outbox("away")
    store.close()
    with Agent(kept) as agent:
        rig.eventually(lambda: agent.state()["store"]["evicted"])
        running = tell.status(agent.state())
    stopped = tell.status(status.find(kept.store.path))

    for words in (running, stopped):
        assert "5 readings too old (store.keep) are gone\n" in words
        assert "away is no destination any more: nothing is kept for it" in words
    unsent = {"evicted": {"size": {"readings": 3000, "unsent": 1000}}}
    state = {**status.find(kept.store.path)}
    state["store"] = state["store"] | unsent
    assert "3,000 readings gone, as the store reached store.max_size, 1,000 of them not sent" in (
        tell.status(state)
    )
