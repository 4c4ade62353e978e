"""The oracle of the master test: what was confirmed, what arrived, and what must be true of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, Self

from damage_rig import Reading, everything
from oracle_process import VISITOR, Told
from proxy_rig import POISON, Event, Number

from pilogger import status
from pilogger.destinations.initialstate import MARK_KEY
from pilogger.store import Store
from pilogger.testing import FakeClock

FAR_OFF_S = 0.1  # of an epoch that counts as right

Known = tuple[str, str, str]
"""A reading that differs from every other: its series, its exact value, its override if any."""


def known(series: str, value: object, epoch: str | None) -> Known:
    own = epoch if series.startswith(VISITOR) and epoch else ""
    return series, repr(value), own


def value_of(written: object) -> object:
    """Turn what was on the wire into the value that it means."""
    if not isinstance(written, Number):
        return written
    return int(written) if written.lstrip("-").isdigit() else float(written)


class Oracle:
    """Holds what loggers confirmed and what the hub acknowledged."""

    def __init__(self) -> None:
        self.offered: dict[Known, None] = {}
        """In the order of the first time, which is that of each series."""
        self.confirmed: set[Known] = set()
        self.excused: set[Known] = set()
        """Confirmed, but not on the disk when the power was cut."""
        self.acknowledged: set[Known] = set()
        self._at_risk: list[list[Known]] = []
        self._durable = 0  # calls that are not in `_at_risk` any more
        self._lock = threading.Lock()

    def hear(self, told: Told) -> None:
        what, which = told
        with self._lock:
            if what == "ready":  # it has committed all that the journal had
                self._at_risk.clear()
                self._durable = 0
            elif what == "durable":
                del self._at_risk[: which - self._durable]
                self._durable = which
            elif what != "quiet":
                readings = [known(*reading) for reading in which]
                if what == "offered":
                    self.offered |= dict.fromkeys(readings)
                else:
                    self.confirmed.update(readings)
                    self._at_risk.append(readings)

    def power_cut(self) -> None:
        """Excuse what no flush had put on the disk."""
        with self._lock:
            for readings in self._at_risk:
                self.excused.update(readings)
            self._at_risk.clear()

    def accepted(self, events: Sequence[Event]) -> None:
        with self._lock:
            for event in events:
                key, when = str(event["key"]), str(event["epoch"])
                self.acknowledged.add(known(key, value_of(event["value"]), when))


class Evidence(NamedTuple):
    """What is in the stores in the end; `truth` is wall time minus boot time, in seconds."""

    device: set[Reading]
    hub: set[Reading]
    state: status.State
    truth: float

    @classmethod
    def find(cls, device: Path, hub: Path, truth: float) -> Self:
        state = status.read(device)
        return cls(_contents(device), _contents(hub), state, truth)

    @property
    def gone(self) -> tuple[int, int]:
        """Readings that had to go, and how many of them had not been sent."""
        found = self.state["store"]["evicted"].values()
        return sum(it["readings"] for it in found), sum(it["unsent"] for it in found)


def _contents(path: Path) -> set[Reading]:
    with closing(Store.open(path, FakeClock(boot_id="the oracle's", synced=False))) as store:
        return everything(store)


def check(oracle: Oracle, evidence: Evidence) -> None:
    """Check the four properties, but for liveness, which is over by now."""
    arrived = Counter(known(series, value, when) for series, _, when, value in evidence.hub)
    stored = {known(series, value, when) for series, _, when, value in evidence.device}
    poison = {reading for reading in oracle.offered if POISON in reading[1]}
    must = oracle.confirmed - oracle.excused
    gone, unsent = evidence.gone
    (place,) = evidence.state["destinations"]

    # Conservation: what was confirmed arrived, or was refused, or had to go and was counted.
    assert not oracle.acknowledged - arrived.keys(), "the hub lost what it had acknowledged"
    missing = must - arrived.keys() - poison
    assert len(missing) <= unsent, f"{len(missing)} lost: {sorted(missing)[:5]}"
    assert len(must - stored) <= gone, f"not in the store: {sorted(must - stored)[:5]}"

    # Integrity: nothing that was not offered, nothing twice, each with its own time.
    marks = {reading for reading in arrived if reading[0] == MARK_KEY}
    assert not arrived.keys() - oracle.offered.keys() - marks, "made up"
    assert not arrived.keys() & poison, "refused, and there all the same"
    assert not stored - oracle.offered.keys(), "made up by the device"
    twice = [reading for reading, times in arrived.items() if times > 1 and reading not in marks]
    assert not twice, f"twice: {twice[:5]}"
    _check_times(evidence)
    _check_order(oracle, evidence)

    # Accounting: every reading that the device took is sent, refused, gone unsent, or pending.
    assert place["pending"] == 0
    settled = place["sent"] + place["refused"] + unsent
    assert settled == len(evidence.device) + gone, "the counts do not add up"
    if not gone:
        assert place["refused"] == len(poison & stored)


def _check_order(oracle: Oracle, evidence: Evidence) -> None:
    """Each series arrived in the order in which it was taken; apart from that, what was held."""
    taken = {reading: number for number, reading in enumerate(oracle.offered)}
    estimated, last = _estimated(evidence), dict[tuple[str, bool], int]()
    for series, _, when, value in sorted(evidence.hub, key=itemgetter(1)):
        if series != MARK_KEY:
            stream = series, when in estimated
            number = taken[known(series, value, when)]
            assert number > last.get(stream, -1), f"{series} {value} came too late"
            last[stream] = number


def _estimated(evidence: Evidence) -> set[str]:
    """Find the epochs that the device said to be estimated."""
    return {when for series, _, when, _ in evidence.hub if series == MARK_KEY}


def _check_times(evidence: Evidence) -> None:
    """Epochs at the hub are those of the device, and right where nobody said that they are not."""
    estimated = _estimated(evidence)
    there = {(series, repr(value)): when for series, _, when, value in evidence.hub}
    for series, _, when, value in evidence.device:
        if not series.startswith(VISITOR):
            assert there.get((series, repr(value)), when) == when, "another time than the device's"
    for series, _, when, value in evidence.hub:
        if series != MARK_KEY and not series.startswith(VISITOR) and when not in estimated:
            off = float(when) - float(value) - evidence.truth
            assert abs(off) < FAR_OFF_S, f"{series} {value} is {off} s off"
