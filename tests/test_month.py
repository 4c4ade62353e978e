"""Days in seconds: nothing grows that should not, and every reading is accounted for.

The same with 20 channels at 1 Hz for a month: benchmarks/month.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pilogger.store import Bounds

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from month import DAY_S, MB, Life

MINUTE = 60


@pytest.mark.fault(19, 51)
def test_days_with_outages_reboots_and_reloads(tmp_path: Path) -> None:
    """Each day: memory and descriptors are those of the first, and the counts add up."""
    bounds = (Bounds(keep=DAY_S, max_size=2 * MB),)
    days = list(Life(tmp_path, 5 * MINUTE, bounds).days(3))

    assert all(day.adds_up for day in days), days
    # The sink and its poller are in this process too: a connection has both ends here, or none.
    assert all(day.files <= days[0].files + 6 for day in days), days
    assert days[-1].rss < days[0].rss + 10, days
    assert all(day.size <= day.bound for day in days), days
    assert days[-1].sent > 0
