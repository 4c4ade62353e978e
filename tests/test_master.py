"""The master test: whatever goes wrong, what was confirmed arrives, once, and all is accounted for.

Each seed is a schedule of faults that overlap; `make soak` runs as many as there is time for.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import card_rig
import pytest
from conftest import NO_SKIPS
from life_rig import Life
from oracle_rig import check
from world_rig import World

from pilogger.errors import ConfigError, Mistake, StoreBroken

FAULTS = 16
LIVELY_S = 20.0
"""How soon after the last fault a new reading must have arrived."""


def live_through(folder: Path, seed: int, faults: int = FAULTS) -> World:
    """Let the faults of a seed happen, then check that nothing came of them."""
    with World(folder, seed) as world:
        world.live(faults)
        assert world.make_peace() < LIVELY_S
        evidence = world.evidence()
        check(world.oracle, evidence)
        assert world.bounded or not evidence.gone[0]
    world.happened["evicted"] = evidence.gone[0]
    return world


@pytest.mark.fault(9, 13, 18, 20, 59, 71)
@pytest.mark.parametrize("seed", [1, 3])
def test_whatever_goes_wrong(tmp_path: Path, seed: int) -> None:
    """Conservation, integrity, order, liveness, accounting; one again: make soak SEEDS=<seed>."""
    world = live_through(tmp_path, seed)

    assert len(world.oracle.confirmed) > 100


# -- the rig itself ------------------------------------------------------------------------


def give_up() -> None:
    raise StoreBroken("the disk takes nothing")


def be_wrong() -> None:
    raise ConfigError([Mistake("a.yaml", 1, 2, "store.max_size", "what?")])


def meet_a_bug() -> None:
    raise RuntimeError("how could this be?")


def end() -> None:
    sys.stdout.write("that was it")


@pytest.mark.parametrize(
    ("work", "sick", "words"),
    [
        (give_up, False, "ended with 1: pilogger: the disk takes nothing"),
        (be_wrong, True, "ended with 2: .*store.max_size: what"),
        (meet_a_bug, True, "ended with 1: .*how could this be"),
        (end, True, "ended with 0: that was it"),
    ],
)
def test_an_end_that_nobody_can_explain_fails_a_seed(
    tmp_path: Path, work: Callable[[], None], sick: bool, words: str
) -> None:
    """With all that the process said."""
    life = Life(tmp_path / "life.txt", work, sick=sick)

    with pytest.raises(AssertionError, match=f"(?s)life {words}"):
        life.end()


def test_who_is_killed_or_gives_up_on_a_sick_disk_is_explained(tmp_path: Path) -> None:
    """A service manager starts it again."""
    killed = Life(tmp_path / "killed.txt", time.sleep, 100.0)
    killed.kill()
    Life(tmp_path / "sick.txt", give_up, sick=True).end()

    assert not killed.alive


def test_where_nothing_can_be_mounted_calls_fail_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seed says so; where nothing may be skipped it fails."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv(NO_SKIPS, "1")
    with pytest.raises(card_rig.CannotMount):
        card_rig.find(tmp_path)
    monkeypatch.delenv(NO_SKIPS)

    assert isinstance(card_rig.find(tmp_path), card_rig.Folder)
