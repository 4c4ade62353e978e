"""The streamer: log a value now, it arrives later."""

from __future__ import annotations

import csv
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Self
from uuid import uuid4

from pilogger import epoch as epochs
from pilogger.destinations import Accepted, Outcome
from pilogger.destinations.initialstate import Bucket, Events
from pilogger.errors import BadValue, PiloggerError
from pilogger.initialstate import fields, settings
from pilogger.initialstate.buckets import Buckets
from pilogger.protocols import initialstate as wire
from pilogger.sample import Point, Sample, Value
from pilogger.spool import Spool
from pilogger.store import Store

log = logging.getLogger("pilogger.initialstate")

GATHER_S = 1.0  # the longest that an event waits for others
FLUSH_S = 10.0  # the longest that a flush takes
PATIENCE_S = 2.0  # the same, while the server cannot be reached
TOLD = 100  # different mistakes that are logged

Epoch = float | Decimal | str
"""Seconds since 1970, as a number or its text; it arrives as it was given, never corrected."""


class NotDelivered(PiloggerError):
    """A flush ended before everything was accepted; what is left is kept, and sent later."""


class Streamer:
    """Logs events to a bucket at Initial State, or at a hub.

    Args:
        bucket_name: for people; else `default_bucket` of the ini file.
        bucket_key: the bucket's own name, which never changes; a new UUID if there is none.
        access_key: of the account; else `access_key` of the ini file.
        ini_file_location: else ~/isstreamer.ini or ./isstreamer.ini; see `settings`.
        debug_level: 0 logs mistakes and goes on. 1 also prints every event. From 2 on each
            request is printed too, with what became of it; a mistake is raised where it is
            made, and so is a flush that did not succeed.
        buffer_size: so many events are sent at once; fewer wait a second for others.
        offline: True writes events to a CSV file and sends nothing; None asks the ini file.
        use_async: False sends within `log`, whenever `buffer_size` events wait.
        store: one file that keeps what is not sent, in place of one for each process below
            ~/.local/state/pilogger (or $XDG_STATE_HOME).
        base_url: where the service is, like http://hub.local:8080; else `stream_api_base`
            of the ini file, else https://groker.init.st.

    An event survives kill -9 as soon as `log` returns, and a power cut a second later. It is
    sent in the background, again and again until it is accepted; what a program leaves is
    sent by the next one. Any thread may log; after a fork, parent and child both may.

    Raises:
        BadValue: a key, name or address cannot be used.
        ConfigError: the ini file cannot be used.
        StoreError: there is no place to keep events; the text says what to do.

    Source: README of initialstate/python_appender (`ISStreamer` 2.0.0).
    """

    ApiVersion = wire.VERSION

    def __init__(  # noqa: PLR0917  # the original's order
        self,
        bucket_name: str = "",
        bucket_key: str = "",
        access_key: str = "",
        ini_file_location: str | Path | None = None,
        debug_level: int = 0,
        buffer_size: int = 10,
        offline: bool | None = None,
        use_async: bool = True,
        *,
        store: str | Path | None = None,
        base_url: str = "",
    ) -> None:
        self.IsClosed = True
        ini = settings.load(ini_file_location)
        self.AccessKey = access_key or ini.access_key
        self.StreamApiBase = base_url or ini.base_url
        self.Offline = ini.offline if offline is None else offline
        self.Async = use_async
        self.BufferSize = max(1, buffer_size)
        self.DebugLevel = debug_level
        self.refused = 0
        """How many values, keys and epochs could not be used as they were given."""
        self._told: set[str] = set()
        self._ready: tuple[Store, set[tuple[int, str]]] | None = None
        self._spool: Spool | None = None
        if self.Offline:
            self._open_csv(ini.offline_file)
        self.set_bucket(bucket_name or ini.bucket, bucket_key)
        if not self.Offline:
            account, url = self.AccessKey, self.StreamApiBase  # the spool must not keep us alive
            self._spool = Spool.open(
                "initialstate",
                f"{url}\n{account}",
                lambda store: Buckets(store, account, url),
                store=Path(store) if store else None,
                observer=_show if debug_level >= 2 else None,
                gather=GATHER_S,
                enough=self.BufferSize,
            )
        self.IsClosed = False

    def __repr__(self) -> str:
        return f"Streamer({self.BucketName!r}, {self.BucketKey!r})"

    # -- events ----------------------------------------------------------------------------

    def log(self, key: str, value: object, epoch: Epoch | None = None) -> None:
        """Log a value, of now or of the time `epoch`.

        `key` has 1 to 250 characters. `value` is a number, a truth value or text; numpy's
        scalars and Decimal do too. An `epoch` that is no time becomes now.

        Raises (from debug_level 2 on; else it is logged and counted in `refused`):
            BadValue: the key or value cannot be an event.
            StoreError: the disk is full or broken.
        """
        self._log([(key, value)], self._epoch(epoch))

    def log_object(
        self, obj: object, key_prefix: str | None = None, epoch: Epoch | None = None
    ) -> None:
        """Log everything in an object as values of one moment.

        `obj` is a list, a dict, or an object with attributes: of its own, of a namedtuple or
        dataclass, or properties. The keys are `prefix_index`, `prefix_key`, `prefix_name`;
        the prefix is `key_prefix`, else the name of the object's type; with "" there is none.

        Raises (from debug_level 2 on; else it is logged and counted in `refused`):
            BadValue: something in it cannot be an event; the rest was logged.
            StoreError: the disk is full or broken.
        """
        when = self._epoch(epoch)
        prefix = type(obj).__name__ if key_prefix is None else key_prefix
        before = f"{prefix}_" if prefix else ""
        self._log([(before + name, value) for name, value in fields.items(obj)], when)

    def set_bucket(
        self,
        bucket_name: str = "",
        bucket_key: str = "",
        retries: int = 3,  # noqa: ARG002  # nor does the original use it
    ) -> None:
        """Log to another bucket from now on; what was logged before stays where it was.

        Without a key it is a new bucket.

        Raises:
            BadValue: a name or key that no bucket can have; the old one stays.
        """
        bucket = Bucket(bucket_key or str(uuid4()), bucket_name or "")
        api = None if self.Offline else Events(self.AccessKey, self.StreamApiBase)
        self.BucketKey, self.BucketName = bucket.key, bucket.name
        self._bucket = bucket
        if api is None:
            self.console_message("Working in offline mode.", level=0)
        else:  # as soon as can be, for people who look; its events will make it in any case
            Thread(target=_make, args=(api, bucket), name="bucket", daemon=True).start()

    def flush(self) -> None:
        """Send everything now, in at most 10 s, or 2 s if the server cannot be reached.

        Raises:
            NotDelivered: from debug_level 2 on, if something is left. It is kept.
        """
        if self.Offline:
            self.LocalFileHandler.flush()
        elif self._spool and not self._spool.flush(FLUSH_S, patience=PATIENCE_S):
            self._not_delivered(self._spool.pending(), self._spool.trouble)

    def close(self) -> None:
        """Flush, and let go of files and connections. To log afterwards opens them again.

        Raises:
            NotDelivered: as for `flush`.
        """
        self._close(PATIENCE_S)

    @property
    def pending(self) -> int:
        """How many events of this process were neither accepted nor refused yet."""
        return self._spool.pending() if self._spool else 0

    def console_message(self, message: str, level: int = 1) -> None:
        """Print a message if `debug_level` is so high."""
        if self.DebugLevel >= level:
            sys.stdout.write(f"{message}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not self.__dict__.get("IsClosed", True):
            with suppress(Exception):
                self._close(patience=0)  # nobody asked to wait

    # -- inside ----------------------------------------------------------------------------

    def _epoch(self, given: Epoch | None) -> str:
        """Return the exact text of an epoch; that of now if there is none, or none to use."""
        if given is not None:
            with self._forgiven():
                try:
                    return epochs.text(given)
                except (BadValue, TypeError, AttributeError) as error:
                    raise BadValue(f"{error}; the current time is taken") from None
        return epochs.from_us(time.time_ns() // 1000)

    def _log(self, found: Sequence[tuple[str, object]], when: str) -> None:
        good: list[tuple[str, Value]] = []
        mistakes: list[str] = []
        for key, value in found:
            try:
                good.append((wire.check_key(key), fields.plain(value)))
            except BadValue as error:
                mistakes.append(f"{str(key)[:40]!r}: {error}")
        if not found:
            mistakes.append("an object without anything to log")
        if good:
            with self._forgiven():
                self._keep(good, when)
        for mistake in mistakes:
            with self._forgiven():
                raise BadValue(mistake)

    def _keep(self, events: Sequence[tuple[str, Value]], when: str) -> None:
        if self.DebugLevel >= 1:
            moment = _readable(when)
            for key, value in events:
                self.console_message(f"{moment}: {key} {value}")
        if self.Offline:
            if self.LocalFileHandler.closed:
                self._open_csv(self.LocalFileHandler.name)
            self.LocalFile.writerows([when, key, value] for key, value in events)
            return
        assert self._spool
        store = self._spool.store
        if self._ready is None or self._ready[0] is not store:  # after a fork, or a close
            self._ready = (store, set())
        known = self._ready[1]
        bucket, _ = store.bucket("", self._bucket.key, self._bucket.name)
        for key, _ in events:
            if (bucket, key) not in known:
                store.declare(key, {"": "1"}, bucket)
                known.add((bucket, key))
        boot = store.clock.boot()
        store.append([Sample(key, {"": value}, boot, when, bucket) for key, value in events])
        if not self.Async and self.pending >= self.BufferSize and not self._spool.trouble:
            self.flush()

    def _close(self, patience: float) -> None:
        self.IsClosed = True
        if self.Offline:
            self.LocalFileHandler.close()
        elif spool := self._spool:
            spool.flush(FLUSH_S, patience=patience)
            left, trouble = spool.pending(), spool.trouble
            if not spool.close():
                self._not_delivered(left, trouble)

    def _open_csv(self, path: str | Path) -> None:
        self.LocalFileHandler = Path(path).open("a", newline="", encoding="utf-8")  # noqa: SIM115
        self.LocalFile = csv.writer(self.LocalFileHandler)

    @contextmanager
    def _forgiven(self) -> Iterator[None]:
        """Raise mistakes from debug_level 2 on; else count them, and log each kind once."""
        try:
            yield
        except PiloggerError as error:
            if self.DebugLevel >= 2:
                raise
            self.refused += 1
            if len(self._told) < TOLD and str(error) not in self._told:
                self._told.add(str(error))
                log.warning("not logged: %s", error)

    def _not_delivered(self, left: int, trouble: str) -> None:
        why = f": {trouble}" if trouble else " yet"
        what = f"{left} events are not delivered{why}; they are kept, and sent later"
        if self.DebugLevel >= 2:
            raise NotDelivered(what)
        log.warning("%s", what)


def _make(api: Events, bucket: Bucket) -> None:
    with suppress(Exception):
        api.make(bucket)
    api.close()


def _show(points: Sequence[Point], outcome: Outcome) -> None:
    why = "accepted" if isinstance(outcome, Accepted) else outcome.reason
    sys.stdout.write(f"{len(points)} events: {why}\n")


def _readable(when: str) -> str:
    """Print an epoch as the original does, in local time; as a number where there is none."""
    try:
        return datetime.fromtimestamp(float(when)).strftime("%Y-%m-%d %H:%M:%S.%f")  # noqa: DTZ006
    except (ValueError, OverflowError, OSError):
        return when
