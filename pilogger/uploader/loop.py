"""The loop of one destination: take a batch, send it, judge the outcome, move the cursor.

Its heart is `Uploader.step`, which never sleeps: it does what is due and returns how long
to wait, so that a test with a fake clock goes through an outage of days in no time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from random import Random
from threading import Event, Thread

from pilogger import destinations
from pilogger.clock import Clock
from pilogger.destinations import Destination, Interruptible, LockedOut, Refused, Wait
from pilogger.errors import StoreError
from pilogger.store import Outbox
from pilogger.uploader.outage import Outage
from pilogger.uploader.shipment import Part, Shipment
from pilogger.uploader.state import Outcome, State

GATHER = 1.0  # seconds that a reading waits for company
IDLE = 5.0  # seconds between two looks at a silent store, which wakes us anyway
GROW_AFTER = 50  # full requests in a row before a larger one is tried
LONG = 3.0  # seconds; an answer that takes longer than this may never come
REASONS = 5  # last refusals that are remembered


class Uploader:
    """Sends one outbox to one destination, in a daemon thread of its own.

    `random` is the source of jitter. Each request runs in a context that `inside` gives.
    Readings wait for company for `gather` seconds, unless there are `enough`: by default
    as many as go into one request.
    """

    def __init__(
        self,
        destination: Destination,
        outbox: Outbox,
        clock: Clock,
        name: str,
        random: Random | None = None,
        *,
        inside: Callable[[], AbstractContextManager[object]] = nullcontext,
        gather: float = GATHER,
        enough: int | None = None,
    ) -> None:
        self.name = name
        self._destination = destination
        self.outbox = outbox
        self._clock = clock
        self._random = random or Random()
        self._inside = inside
        self._gather = gather
        self._enough = enough or destination.limit
        self._resume_at = 0.0  # when the destination wants to hear of us again
        self._shipment: Shipment | None = None
        self._outage: Outage | None = None
        self._limit = destination.limit  # less after "too large"
        self._full = 0  # full requests that were accepted in a row
        self._fresh = 0  # readings to send beyond the shipment
        self._seen: float | None = None  # when the oldest of them was
        self._unsendable = 0  # readings that wait for a clock
        self._requests = 0
        self._answered = False
        self._reasons: deque[str] = deque(maxlen=REASONS)
        self._drained: Event | None = None
        self._delay = 0.0
        self._stop = Event()
        self._sending: float | None = None  # since when an answer is waited for
        self._hurry = Event()  # ends the pause of an outage
        self._abandoned = False
        self._thread = Thread(target=self._run, name=f"upload {name}", daemon=True)

    def start(self, delay: float = 0.0) -> None:
        """Begin to send after `delay` seconds; once is enough."""
        if self._thread.ident is None:
            self._delay = delay
            self._thread.start()

    def ask_to_stop(self) -> None:
        """Begin to end, without waiting: so several can end at the same time."""
        self._stop.set()
        self._hurry.set()
        self.outbox.wake()

    def network_came(self) -> None:
        """Try again at once, if nobody has answered; any thread may say so.

        A request that has waited for long may be on a connection that is dead: it is repeated.
        """
        now, outage, sending = self._clock.monotonic(), self._outage, self._sending
        if outage and outage.network_came(now):
            self._hurry.set()
        if sending and now - sending > LONG and isinstance(self._destination, Interruptible):
            self._destination.interrupt()

    def stop(self, timeout: float) -> None:
        """End; a request under way gets `timeout` seconds, then its thread is left behind.

        What it was sending stays pending then, and goes again at the next start.
        """
        self.ask_to_stop()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        self._abandoned = self._thread.is_alive()
        if not self._abandoned:
            self._destination.close()

    def drain(self, timeout: float) -> bool:
        """Wait until nothing is left that may be sent; False after `timeout` seconds.

        Meanwhile readings do not wait for company.
        """
        self._drained = drained = Event()
        self.outbox.wake()
        done = drained.wait(timeout)
        self._drained = None
        return done

    def state(self) -> State:
        """Take a snapshot; any thread may ask."""
        now, outage = self._clock.monotonic(), self._outage
        outcome: Outcome
        if outage:
            outcome = "locked out" if isinstance(outage.why, LockedOut) else "waiting"
        else:
            outcome = "accepted" if self._answered else "none yet"
        return State(
            name=self.name,
            outcome=outcome,
            why=outage.why.reason if outage else "",
            lasting=now - outage.since if outage else 0.0,
            retry_in=max(0.0, outage.retry_at - now) if outage else 0.0,
            pending=self.outbox.pending(),
            sent=self.outbox.sent,
            refused=self.outbox.refused,
            requests=self._requests,
            limit=self._limit,
            held=self.outbox.waiting,
            reasons=tuple(self._reasons),
        )

    # -- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        self._stop.wait(self._delay)
        while not self._stop.is_set():
            pause = self.step()
            if self._outage:
                self._hurry.wait(pause)
                self._hurry.clear()
            elif pause:
                self.outbox.wait(pause)

    def step(self) -> float:
        """Do what is due; return the seconds until there is more to do, 0 for at once."""
        now = self._clock.monotonic()
        if self._outage and now < self._outage.retry_at:
            return self._outage.retry_at - now
        if now < self._resume_at:
            return self._resume_at - now
        try:
            self._look(now)
            return self._ship(self._shipment) if self._shipment else self._load(now)
        except StoreError as error:
            return self._failed(Wait(f"the store: {error}", answered=True))
        except Exception as error:  # whatever it is, it must not cost readings
            return self._failed(Wait(f"{type(error).__name__}: {error}", answered=True), error)

    def _look(self, now: float) -> None:
        """See what is there beyond the shipment, and since when."""
        taken = len(self._shipment.batch.points) if self._shipment else 0
        self._fresh = self.outbox.pending() - self._unsendable - taken
        if self._fresh <= 0:
            self._seen = None
        elif self._seen is None:
            self._seen = now

    def _load(self, now: float) -> float:
        """Take the next batch, once it is full or has waited for company long enough."""
        drained, pending = self._drained, self.outbox.pending()
        room = self._limit - self._limit // 10  # samples come whole, the last may reach over
        if self._seen is not None and self._fresh < min(room, self._enough) and not drained:
            left = self._seen + self._gather - now
            if left > 0:
                return left
        batch = self.outbox.take(room)
        if batch:
            self._shipment = Shipment(batch)
            if len(batch.points) >= self._fresh:
                self._seen = None
            return 0
        self._unsendable = pending
        self._well()
        if drained:
            drained.set()
        return IDLE

    def _ship(self, shipment: Shipment) -> float:
        """Send the next part; when that was the last, move the cursor."""
        if part := shipment.next(self._limit):
            self._requests += 1
            outcome = self._send(part)
            if self._abandoned:
                return IDLE
            if isinstance(outcome, Wait | LockedOut):
                return self._failed(outcome)
            self._answered = True
            if isinstance(outcome, Refused):
                self._refused(outcome, shipment, part)
            else:
                shipment.accepted()
                self._resume_at = self._clock.monotonic() + outcome.pause
                self._grow(part)
        if not shipment.next(self._limit):
            self.outbox.settle(shipment.batch, shipment.set_aside)
            self._shipment = None
        self._well()
        return 0

    def _send(self, part: Part) -> destinations.Outcome:
        self._sending = self._clock.monotonic()
        try:
            with self._inside():
                return self._destination.send(part)
        finally:
            self._sending = None

    # -- what follows from an outcome ------------------------------------------------------

    def _refused(self, outcome: Refused, shipment: Shipment, part: Part) -> None:
        self._full = 0
        if len(part) == 1:
            self._reasons.append(f"{part[0].series}: {outcome.reason}")
            if outcome.too_large:  # so it was this reading, and not their number
                self._limit = self._destination.limit
        elif outcome.too_large:
            self._limit = len(part) // 2
        shipment.refused(outcome.reason)

    def _grow(self, part: Part) -> None:
        """After many full requests, try larger ones again: the large readings may be gone."""
        if len(part) < self._limit // 2:
            return
        self._full += 1
        if self._full >= GROW_AFTER and self._limit < self._destination.limit:
            self._full = 0
            self._limit = min(self._limit + self._limit // 4 + 1, self._destination.limit)

    def _failed(self, why: Wait | LockedOut, bug: Exception | None = None) -> float:
        now = self._clock.monotonic()
        if self._outage is None:
            self._outage = Outage(self.name, now, self._random)
        return self._outage.failed(why, now, bug)

    def _well(self) -> None:
        if self._outage:
            self._outage.ended(self._clock.monotonic(), self.outbox.pending())
            self._outage = None
