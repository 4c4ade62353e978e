"""The clock segments of a store: how boot time becomes wall time, now and afterwards.

A *segment* is a span of boot time with one offset to wall time. No reading has a wall time
of its own, so when more is known of a clock, a few rows of `segment` change and every
reading is right:

    unsynced   nobody said that the clock was right
    synced     it was right, or became right later in the same boot: boot time never steps
    estimated  of an earlier boot that ended before its clock was right

Boot time runs at the pace of the crystal until NTP steers it. What NTP then adds is the
crystal's error, and so the `drift` of the segments before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any, Literal, TypedDict

from pilogger import clock as clocks
from pilogger.clock import Clock
from pilogger.store.journal import Write
from pilogger.store.segment import Segment, estimate

STEP_US = 50_000  # a clock that moved by more was set, not slewed
NUDGE_PPB = 2_000  # the kernel's frequency is steady while it moves by less
STEADY_US = 600_000_000  # for so long, before it is believed
PATIENCE_US = 1_800_000_000  # the longest that readings wait for that
COARSE_US = 2_500_000_000  # a crystal 100 ppm off errs by 0.25 s in so long
ROUGH_US = 1_500_000  # two dates of a web server differ by more only if the clock drifted
HTTP_DATE = "http-date"

Standing = Literal["right", "soon", "estimated", "unknown"]
"""Of a reading's time. `soon`: it may become right in this boot; `unknown`: when the clock is."""

NOT_YET = "the clock has not been right since the machine started"
DRIFTING = "the drift of the clock before it was right is being measured, for 30 min at most"


class Sync(TypedDict):
    """How well the present clock is known; for `pilogger status`.

    `source` says that it is right; '' while nobody does. `since` is the epoch in seconds
    from which on it was, `confirmed` whether the source still stands by it, and `error` the
    seconds that it may err now, or None if nobody says.
    """

    source: str
    confirmed: bool
    since: float | None
    error: float | None


class Segments:
    """All segments of a store; the caller holds the store's lock.

    `write` takes the rows that changed, `newest` tells the boot time of the last sample
    of a segment that is in the file, or None. New ones get ids `above` that.
    """

    def __init__(
        self,
        clock: Clock,
        rows: Iterable[Sequence[Any]],
        write: Callable[[Sequence[Write]], object],
        newest: Callable[[int], int | None],
        above: int = 0,
    ) -> None:
        self._above = above
        self._clock = clock
        self._write = write
        self._newest = newest
        self._told: int | None = None
        self._all = {segment.id: segment for segment in map(Segment._make, rows)}
        self._ids = [s.id for s in self._all.values() if s.boot_id == clock.boot_id]
        self._steady = (clock.boot(), clock.frequency())
        self._unplaced = any(
            segment.state == "unsynced" and segment.boot_id != clock.boot_id
            for segment in self._all.values()
        )
        known = [segment for segment in self._of_this_boot() if segment.state == "synced"]
        right = self._right_offset()
        if right is not None:
            self._begin(right, clock.source)
        elif known:  # boot time ran on, whatever became of the wall clock since
            self._begin(known[-1].wall(clock.boot()) - clock.boot(), known[-1].synced_by)
        else:
            self._begin(clocks.offset(clock), "")

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, id: object) -> bool:
        return id in self._all

    def __getitem__(self, id: int) -> Segment:
        return self._all[id]

    def rows(self) -> list[Write]:
        """Return what makes the same segments in an empty file."""
        return [("clock", *segment) for segment in self._all.values()]

    def adopt(self, found: Iterable[Segment]) -> None:
        """Take in segments of a store that was damaged; those that are known stay as they are."""
        new = [segment for segment in found if segment.id not in self._all]
        self._keep(new)
        self._all = dict(sorted(self._all.items()))
        self._ids = [id for id, one in self._all.items() if one.boot_id == self._clock.boot_id]
        self._unplaced = self._unplaced or any(one.state == "unsynced" for one in new)

    def at(self, boot: int) -> int:
        """Return the id of this boot's segment at a boot time; a sample may come late."""
        started = (id for id in reversed(self._ids) if self._all[id].started <= boot)
        return next(started, self._ids[0])

    def standing(self, id: int) -> Standing:
        """Tell what the time of a segment's readings is worth."""
        segment = self._all[id]
        if segment.boot_id == self._clock.boot_id:
            settled = segment.state == "synced" and segment.drift is not None
            return "right" if settled else "soon"
        if segment.state == "estimated":
            return "estimated"
        return "right" if segment.state == "synced" else "unknown"

    def why(self, id: int) -> str:
        """Tell why readings whose time will be right soon must wait."""
        return DRIFTING if self._all[id].state == "synced" else NOT_YET

    def age(self, id: int, boot: int) -> float:
        """Tell how many microseconds ago a boot time was; infinitely many in an earlier boot."""
        ours = self._all[id].boot_id == self._clock.boot_id
        return self._clock.boot() - boot if ours else inf

    def tend(self) -> bool:
        """Look at the clock: follow it, correct what is known better now; True if anything is.

        Called every second; costs a few microseconds and writes only when something changed.
        """
        right, by = self._right_offset(), self._clock.source
        if right is None and self._needs(self._told):
            right, by = self._told, HTTP_DATE
        self._told = None
        if right is None:
            # Of a clock that was right before, boot time is the better witness.
            if self.present.state == "unsynced":
                self._follow()
            return self._fit()
        stale = [segment for segment in self._of_this_boot() if segment.state == "unsynced"]
        if stale:
            self._correct(stale, right, by)
        if self.present.state == "unsynced" or self._moved(right):
            self._begin(right, by)
        if placed := self._unplaced:
            self._keep(estimate(self._all.values(), self._newest))
            self._unplaced = False
        return self._fit() or bool(stale) or placed

    def tell(self, offset: int) -> None:
        """Hear of the offset from a web server, for `tend` to use while nobody better says."""
        self._told = offset

    def sync(self) -> Sync:
        """Tell how well the present clock is known."""
        error = self._clock.error()
        right = [segment for segment in self._of_this_boot() if segment.state == "synced"]
        return {
            "source": self.present.synced_by,
            "confirmed": self._clock.synced(),
            "since": right[0].wall(right[0].anchor) / 1e6 if right else None,
            "error": None if error is None else error / 1e6,
        }

    def _needs(self, told: int | None) -> bool:
        if told is None:
            return False
        rough = self.present.synced_by == HTTP_DATE
        return not self.present.synced_by or (rough and abs(told - self.present.offset) > ROUGH_US)

    # -- the present ---------------------------------------------------------------------

    def _right_offset(self) -> int | None:
        """Measure the offset if the clock is right, before and after: it may be set meanwhile."""
        if not self._clock.synced():
            return None
        offset = clocks.offset(self._clock)
        return offset if self._clock.synced() else None

    def _begin(self, offset: int, synced_by: str) -> None:
        now = self._clock.boot()
        segment = Segment(
            id=max(self._all, default=self._above) + 1,
            boot_id=self._clock.boot_id,
            started=now,
            offset=offset,
            state="synced" if synced_by else "unsynced",
            anchor=now,
            drift=0,
            frequency=self._clock.frequency(),
            synced_by=synced_by,
        )
        self._keep([segment])
        self._ids.append(segment.id)
        self.present = segment

    def _follow(self) -> None:
        """Begin a segment where an unsynced clock was set, or its pace."""
        offset = clocks.offset(self._clock)
        paced = abs(self._clock.frequency() - self.present.frequency) > NUDGE_PPB
        if paced or self._moved(offset):
            self._begin(offset, "")

    def _moved(self, offset: int) -> bool:
        return abs(offset - self.present.offset) > STEP_US

    def _of_this_boot(self) -> list[Segment]:
        return [self._all[id] for id in self._ids]

    def _keep(self, changed: Sequence[Segment]) -> None:
        writes: list[Write] = []
        for segment in changed:
            moves = segment.id in self._all  # then it may have blocks
            around = [("unroll", segment.id)] if moves else []
            place = [("place", segment.id), ("reach", segment.id)] if moves else []
            writes += [*around, ("clock", *segment), *place, *around]
        self._write(writes)
        self._all.update((segment.id, segment) for segment in changed)

    # -- the past of this boot -----------------------------------------------------------

    def _correct(self, stale: Sequence[Segment], offset: int, by: str) -> None:
        """The clock became right: so is every reading since the machine started."""
        now = self._clock.boot()
        self._steady = (now, self._clock.frequency())
        steered = by == self._clock.source  # else nobody learns the crystal's pace
        drift = None if steered and now - stale[0].started > COARSE_US else 0
        self._keep(
            [
                segment._replace(
                    offset=offset,
                    state="synced",
                    anchor=now,
                    drift=drift,
                    synced_by=by,
                )
                for segment in stale
            ]
        )

    def _fit(self) -> bool:
        """Take the drift out of what was before the sync, once NTP has learnt the crystal."""
        coarse = [segment for segment in self._of_this_boot() if segment.drift is None]
        if not coarse:
            return False
        now, frequency = self._clock.boot(), self._clock.frequency()
        since, was = self._steady
        if abs(frequency - was) > NUDGE_PPB:
            self._steady = (since, was) = (now, frequency)
        if now - since < STEADY_US and now - coarse[-1].anchor < PATIENCE_US:
            return False
        fitted = []
        anchor, offset = coarse[-1].anchor, coarse[-1].offset
        for old in reversed(coarse):  # each ends where the one after it begins
            drift = frequency - old.frequency
            new = old._replace(anchor=anchor, offset=offset, drift=drift)
            fitted.append(new)
            anchor, offset = new.started, new.wall(new.started) - new.started
        self._keep(fitted)
        return True
