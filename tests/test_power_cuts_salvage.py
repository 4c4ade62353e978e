"""The power fails while a damaged store gets out of the way and what it held comes back.

Each life is recorded once, until everything is saved and sent, and cut at random moments; see
`crash_rig`. Other seeds and more cuts: `benchmarks/power_cuts.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from crash_oracle import run
from crash_wreck import broken, wrecked
from syscall_rig import needs_strace

pytestmark = needs_strace

AT_ONCE, LATER = 0, 3600  # s of durability
STEPS = 10


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "life"
    made.mkdir()
    return made


@pytest.mark.fault(24)
@pytest.mark.parametrize(("durability", "seed"), [(AT_ONCE, 1), (LATER, 2), (AT_ONCE, 4)])
def test_a_damaged_store_comes_back_whenever_the_power_fails(
    folder: Path, durability: float, seed: int
) -> None:
    """What comes back without a cut comes back with one, once; no folder is left half done.

    And what a destination had is not sent again, what it had not is.
    """
    life = wrecked(folder, durability, STEPS, seed)
    tally = run(life, 150)

    assert life.whole
    assert len(life.whole.readings) > 400
    assert not life.whole.again
    assert not tally.wrong


@pytest.mark.fault(24)
@pytest.mark.parametrize(("durability", "table"), [(AT_ONCE, "block"), (LATER, "sample")])
def test_damage_that_a_running_store_meets_costs_nothing_more(
    folder: Path, durability: float, table: str
) -> None:
    """The file is moved from below the feet of who writes it, and the power fails."""
    life = broken(folder, durability, STEPS, table)
    tally = run(life, 120)

    assert life.whole
    assert len(life.whole.readings) > 400
    assert not tally.wrong


@pytest.mark.fault(13, 24)
def test_a_process_that_is_killed_while_it_saves_loses_nothing(folder: Path) -> None:
    """At any moment from the first file that is moved to the last that is deleted."""
    tally = run(wrecked(folder, LATER, STEPS, 3), 100, after="kill")

    assert not tally.wrong
