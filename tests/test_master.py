"""The master test: whatever goes wrong, what was confirmed arrives, once, and all is accounted for.

Each seed is a schedule of faults that overlap; `make soak` runs as many as there is time for.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from oracle_rig import check
from world_rig import World

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


@pytest.mark.fault(9, 13, 59, 71)
@pytest.mark.parametrize("seed", [1, 3])
def test_whatever_goes_wrong(tmp_path: Path, seed: int) -> None:
    """Conservation, integrity, liveness, accounting; to repeat one: make soak SEEDS=<seed>."""
    world = live_through(tmp_path, seed)

    assert len(world.oracle.confirmed) > 100
