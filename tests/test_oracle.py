"""The oracle of the master test is no yes-man: each thing that may be wrong is seen."""

from __future__ import annotations

import re
from typing import Any

import pytest
from oracle_process import VISITOR
from oracle_process import Reading as Offered
from oracle_rig import Evidence, Oracle, check
from proxy_rig import POISON

from pilogger.destinations.initialstate import MARK_KEY

TRUTH = 1_000_000.0  # wall time minus boot time, in seconds
N = f"{VISITOR}.n"
MOMENT = "s0.at"


class Case:
    """What was offered, what is where, and what the device says of it: all is well."""

    def __init__(self) -> None:
        self.offered = [
            *(Offered(N, n, f"{n}") for n in range(6)),
            *(Offered(MOMENT, float(n), None) for n in range(6)),
            Offered(f"{VISITOR}.word", POISON, "7"),
        ]
        self.device = [
            (series, seq, epoch or f"{TRUTH + float(value)}", value)
            for seq, (series, value, epoch) in enumerate(self.offered)
        ]
        self.hub = self.device[:-1]
        self.place = {"sent": 12, "refused": 1, "pending": 0}
        self.evicted = {"readings": 0, "unsent": 0}

    def go(self, first: int, last: int, unsent: int) -> None:
        """Let readings go, of which so many did not arrive, as far as the device knows."""
        del self.device[first:last]
        self.evicted = {"readings": last - first, "unsent": unsent}
        self.place["sent"] -= unsent

    def check(self) -> None:
        oracle = Oracle()
        oracle.hear(("ready", None))
        for reading in self.offered:
            oracle.hear(("offered", [reading]))
            oracle.hear(("taken", [reading]))
        state: dict[str, Any] = {
            "destinations": [self.place],
            "store": {"evicted": {"size": self.evicted}},
        }
        check(oracle, Evidence(set(self.device), set(self.hub), state, TRUTH))


def test_what_is_well_passes() -> None:
    """With and without readings that had to go, one of which arrived all the same."""
    Case().check()
    gone = Case()
    gone.go(0, 3, 2)
    gone.hub.remove(gone.hub[1])
    gone.check()


def test_what_was_held_comes_later_in_an_order_of_its_own() -> None:
    """Its time was estimated, and the device says so."""
    case = Case()
    late = [(series, 100 + n, "500" + epoch, value) for n, (series, _, epoch, value) in
            enumerate(case.hub[6:8])]  # fmt: skip
    marks = [(MARK_KEY, 200 + n, epoch, "estimated") for n, (_, _, epoch, _) in enumerate(late)]
    case.hub = [*case.hub[:6], *case.hub[8:], *late, *marks]
    case.device[6:8] = [(s, 6 + n, epoch, value) for n, (s, _, epoch, value) in enumerate(late)]
    case.check()
    late[0], late[1] = (late[1][0], 100, *late[1][2:]), (late[0][0], 101, *late[0][2:])
    case.hub[-4:-2] = late

    with pytest.raises(AssertionError, match="came too late"):
        case.check()


def lost(case: Case) -> None:
    del case.hub[3]


def swapped(case: Case) -> None:
    case.hub[1], case.hub[2] = (N, 1, "2", 2), (N, 2, "1", 1)


def twice(case: Case) -> None:
    case.hub.append((N, 99, "3", 3))


def made_up(case: Case) -> None:
    case.hub.append((N, 99, "98", 98))


def poisoned(case: Case) -> None:
    case.hub.append(case.device[-1])


def another_value(case: Case) -> None:
    case.hub[3] = (N, 3, "3", 3.0)


def another_epoch(case: Case) -> None:
    case.hub[3] = (N, 3, "3.0", 3)


def another_time(case: Case) -> None:
    case.hub[8] = (MOMENT, 8, f"{TRUTH + 2.2}", 2.0)


def wrong_clock(case: Case) -> None:
    case.hub[8] = case.device[8] = (MOMENT, 8, f"{TRUTH + 2.2}", 2.0)


def not_in_the_store(case: Case) -> None:
    del case.device[3]


def too_few_unsent(case: Case) -> None:
    case.go(0, 3, 1)
    case.place["sent"] -= 1


def too_many_unsent(case: Case) -> None:
    case.go(0, 3, 1)
    case.evicted["unsent"] += 1


def miscounted(case: Case) -> None:
    case.place["sent"] += 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lost, "1 lost"),
        (swapped, "came too late"),
        (twice, "twice"),
        (made_up, "made up"),
        (poisoned, "refused, and there all the same"),
        (another_value, "1 lost"),
        (another_epoch, "1 lost"),
        (another_time, "another time than the device's"),
        (wrong_clock, "s off"),
        (not_in_the_store, "not in the store"),
        (too_few_unsent, "do not add up"),
        (too_many_unsent, "do not add up"),
        (miscounted, "do not add up"),
    ],
)
def test_what_is_wrong_is_seen(wrong: Any, words: str) -> None:
    """Each by its own check."""
    case = Case()
    wrong(case)

    with pytest.raises(AssertionError, match=re.escape(words)):
        case.check()
