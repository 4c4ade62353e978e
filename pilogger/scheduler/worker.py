"""The worker of one bus: serves its sensors one step at a time, each on its own grid.

A worker is deterministic and knows no thread: `step` does the next thing that is due, and
says how long nothing is. While a driver waits for its chip, the others are served.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

from pilogger.clock import Clock
from pilogger.driver import Steps
from pilogger.errors import BadReading, NoAnswer
from pilogger.scheduler.duty import Duty
from pilogger.scheduler.leash import Abandoned, Leash
from pilogger.scheduler.session import Session

log = logging.getLogger("pilogger.scheduler")

RETRY_PAUSES_S = (0.1, 0.1)  # a glitch on the wire is over by then


class Worker:
    """Serves the duties of one bus; `retired` are the drivers of a worker left behind."""

    def __init__(
        self, duties: Sequence[Duty], clock: Clock, retired: Mapping[str, object] | None = None
    ) -> None:
        self.duties = duties
        self.leash = Leash(clock)
        self._clock = clock
        self._bus: Any = None
        self._silent = 0  # sensors that have been, all at once
        self._retired = dict(retired or {})
        self._sessions: dict[Duty, Session] = {}
        self._slots: dict[Duty, Steps[None]] = {}  # begun, and waiting for their chips
        self._agenda: list[tuple[float, int, Duty]] = []
        self._order = count()  # equal times are served first come, first served
        for duty in duties:
            if hasattr(self._retired.get(duty.probe.id), "watch"):
                self._slots[duty] = self._resume(duty)
                self._plan(duty, clock.monotonic())
            else:
                self._plan(duty, duty.due)
        self._serving = duties[0]

    def step(self) -> float:
        """Do the next thing if it is due; return the seconds until there is one.

        Raises:
            Abandoned: a driver came back after its worker had been replaced.
        """
        moment, _, duty = self._agenda[0]
        if (early := moment - self._clock.monotonic()) > 0:
            return early
        heappop(self._agenda)
        self._serving = duty
        slot = self._slots.pop(duty, None) or self._serve(duty)
        try:
            wait = next(slot)
        except StopIteration:
            self._plan(duty, duty.due)
        else:
            self._slots[duty] = slot
            self._plan(duty, self._clock.monotonic() + wait)
        return max(0.0, self._agenda[0][0] - self._clock.monotonic())

    def change(self, duties: Sequence[Duty]) -> None:
        """Serve these duties from now on; one that stays notices nothing."""
        for duty in self.duties:
            if duty not in duties:
                self._let_go(duty)
        new = [duty for duty in duties if duty not in self.duties]
        self.duties = duties
        self._agenda = [entry for entry in self._agenda if entry[2] in duties]
        heapify(self._agenda)
        for duty in new:
            self._plan(duty, duty.due)

    def close(self) -> None:
        """Close the drivers and the bus."""
        self._end_slots()
        for duty, session in self._sessions.items():
            self._serving = duty
            session.close()
        self._close_bus()

    def successor(self, *, hung: bool = True) -> Worker:
        """Pass everything but the driver that hangs on to a new worker with a new bus.

        Called once the leash is cut: this worker changes nothing more. Not `hung` is a driver
        that is only too slow to be waited for now.
        """
        if hung:
            self._serving.hung()
        else:
            self._serving.health.lost()
        for duty in self._slots:
            duty.health.lost()
        retired = {
            duty.probe.id: session.driver
            for duty, session in self._sessions.items()
            if duty is not self._serving
        }
        heir = Worker(self.duties, self._clock, self._retired | retired)
        heir._silent = self._silent
        return heir

    def release(self) -> None:
        """Let go of what only this worker may still touch: the driver that hung, and the bus.

        Called in the worker's own thread, if it ever comes back.
        """
        self._end_slots()
        hung = self._sessions.get(self._serving)
        for thing in (hung and hung.driver, self._bus):
            with suppress(Exception):
                getattr(thing, "close", _nothing)()

    def _serve(self, duty: Duty) -> Steps[None]:
        """Serve one slot: read, try again if that may help, draw the conclusions."""
        duty.begin()
        session = self._sessions.get(duty) or self._open(duty)
        pauses = iter(RETRY_PAUSES_S)
        while (error := (yield from self._try(session))) is not None:
            pause = next(pauses, None) if isinstance(error, NoAnswer | BadReading) else None
            if pause is None or self._clock.monotonic() + pause >= duty.due:
                return self._failed(duty, session, error)
            duty.health.retried()
            yield pause
        duty.good()
        self._bus_answers()

    def _resume(self, duty: Duty) -> Steps[None]:
        """Start a driver ahead of its next slot: the edges that it watches for do not wait."""
        session = self._open(duty)
        try:
            yield from session.start()
        except Exception as error:
            self._failed(duty, session, error)

    def _failed(self, duty: Duty, session: Session, error: Exception) -> None:
        if duty.failed(error):
            session.restart()
            self._reopen_if_dead()

    def _try(self, session: Session) -> Steps[Exception | None]:
        """Poll; whatever a driver raises is returned, and costs only its slot."""
        try:
            yield from session.poll()
        except Exception as error:
            return error
        return None

    def _open(self, duty: Duty) -> Session:
        def bus() -> Any:
            if self._bus is None:
                with duty.probe.inside():
                    self._bus = self.leash.call(duty.probe.deadline, duty.probe.open_bus)
            return duty.probe.branch(self._bus)

        retired = self._retired.pop(duty.probe.id, None)
        session = Session(duty, self.leash, bus, retired)
        self._sessions[duty] = session
        return session

    def _let_go(self, duty: Duty) -> None:
        """Close the driver of a sensor, in the middle of a poll or not, and forget it."""
        self._serving = duty
        if slot := self._slots.pop(duty, None):
            with suppress(Exception):  # a driver's `finally` may raise
                slot.close()
        if duty in self._sessions or duty.probe.id in self._retired:
            (self._sessions.pop(duty, None) or self._open(duty)).close()
            self._sessions.pop(duty, None)

    def _reopen_if_dead(self) -> None:
        """Close a bus on which nobody answers: an adapter that was pulled needs opening again.

        Where several sensors are silent at once, it is hardly they that are ill: that is told.
        """
        if self._slots or not all(duty.health.down for duty in self.duties):
            return
        if len(self.duties) > 1 and not self._silent:
            self._silent = len(self.duties)
            log.warning(
                "%s: none of its %d sensors gives a reading; it is opened anew. If that does not"
                " help, a chip or a wire may hold it: switch the sensors off and on",
                self._name,
                self._silent,
            )
        if self._bus is None:
            return
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()
        self._close_bus()

    def _bus_answers(self) -> None:
        if self._silent:
            log.info("%s: a sensor gives readings again", self._name)
            self._silent = 0

    @property
    def _name(self) -> str:
        return " ".join(map(str, self._serving.probe.line))

    def _end_slots(self) -> None:
        for slot in self._slots.values():
            with suppress(Exception, Abandoned):  # a driver's `finally` may raise
                slot.close()

    def _close_bus(self) -> None:
        bus, self._bus = self._bus, None
        with suppress(Exception):
            self.leash.call(self._serving.probe.deadline, getattr(bus, "close", _nothing))

    def _plan(self, duty: Duty, moment: float) -> None:
        heappush(self._agenda, (moment, next(self._order), duty))


def _nothing() -> None:
    """Close what needs no closing."""
