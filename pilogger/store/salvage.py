"""Brings back what a damaged store still holds, in the background, in small pieces.

How far it is stands in the store, in the transaction that puts a piece there: a process that
is killed goes on where it was. Readings that a destination had not had are owed to it in the
end, behind its back: they have smaller numbers than what came since.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any, NamedTuple

from pilogger.errors import StoreBroken
from pilogger.store import ballast
from pilogger.store.damage import finish, first_number, wrecks
from pilogger.store.eviction import record
from pilogger.store.journal import Write
from pilogger.store.remains import Remains
from pilogger.store.restorer import Piece, Restorer
from pilogger.store.writes import WRITES

if TYPE_CHECKING:
    from pilogger.store.log import Store

log = logging.getLogger("pilogger.store")

KEY = "salvage "
BREATH_S = 0.01  # between two pieces, for whoever waits for the processor
RETRY_S = 1.0
ROWS, BLOCKS = 2048, 4  # of a piece
DONE = -1
OWED = (
    "SELECT min(first), max(last) FROM held"
    " WHERE destination = ?1 AND first <= ?2 AND last >= ?2 AND reason = 'salvaged'"
)


class Progress(NamedTuple):
    """How far a damaged store is saved: `floor` is above its numbers, `at` the next piece.

    A message counts as a reading.
    """

    floor: int
    at: int = 0
    saved: int = 0
    lost: int = 0


class Interrupted(Exception):
    """The store is being closed, or its file was replaced."""


class Salvage:
    """One per store, with a thread while there is something to save."""

    def __init__(self, store: Store) -> None:
        self.floor = 1
        """Numbers below belong to damaged stores, while they are salvaged."""
        self.turn = 0
        """Goes up when readings came back, or went, without passing an outbox."""
        self._store = store
        self._all: dict[Path, Progress] = {}
        self._stopped = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def pending(self) -> bool:
        """Whether something is to be saved yet."""
        return any(progress.at != DONE for progress in self._all.values())

    def state(self) -> list[dict[str, Any]]:
        """Tell what was saved and lost of each damaged store; for `pilogger status`."""
        return [_told(wreck, progress) for wreck, progress in tuple(self._all.items())]

    # -- from the store ------------------------------------------------------------------

    def load(self, meta: Mapping[str, Any]) -> None:
        """Find what is to be saved, as the store opens; its own first number is `floor` then."""
        path = self._store.path
        self._all = dict(_records(meta, path))
        for wreck in wrecks(path):
            if wreck not in self._all:
                self._all[wreck] = Progress(first_number(wreck))
                self._store.writer.write([self._record(wreck)])
            elif self._all[wreck].at == DONE:
                self._put_away(wreck)
        self._set_floor()

    def begin(self, floor: int) -> list[Write]:
        """Begin with the store that was just moved aside; returns what its follower must know."""
        self._all = {
            wreck: Progress(self._all[wreck].floor if wreck in self._all else floor)
            for wreck in wrecks(self._store.path)
        }
        self._set_floor()
        return [self._record(wreck) for wreck in self._all]

    def _set_floor(self) -> None:
        floors = [progress.floor for progress in self._all.values() if progress.at != DONE]
        self.floor = max(floors, default=1)

    def _record(self, wreck: Path) -> Write:
        return ("meta", f"{KEY}{wreck.parent.name}", json.dumps(self._all[wreck]))

    def start(self) -> None:
        """Go on saving, if there is something to save."""
        with self._starting:
            if self.pending and not (self._thread and self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="salvage", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End after the piece that is under way; the next start goes on."""
        self._stopped.set()
        self.join()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until nothing is left to save; False if something is, after `timeout` seconds."""
        self.start()
        with self._starting:
            thread = self._thread
        if thread:
            thread.join(timeout)
        return not self.pending

    # -- the thread ----------------------------------------------------------------------

    def _run(self) -> None:
        while self.pending and not self._stopped.is_set():
            wreck = next(wreck for wreck, it in self._all.items() if it.at != DONE)
            self._store.sealer.erases = False
            try:
                self._save(wreck)
            except Interrupted:
                continue
            except (StoreBroken, OSError) as error:
                log.warning("saving %s has to wait: %s", wreck.parent, error)
                self._stopped.wait(RETRY_S)
            except Exception:
                log.exception("saving %s met a bug; the next start tries again", wreck.parent)
                return
        self._store.sealer.erases = True

    def _save(self, wreck: Path) -> None:
        generation = self._store.writer.generation
        remains = Remains(wreck)
        try:
            for _ in remains.look():
                self._breathe(generation)
            restorer = Restorer(self._store, remains, self._all[wreck].floor)
            for piece in self._pieces(remains, restorer, self._all[wreck].at):
                self._breathe(generation)
                self._put(wreck, restorer, piece, generation)
            with self._store.writer.alone() as db:
                self._check(generation)
                progress = self._finish(db, wreck, remains)
        finally:
            remains.close()
        self._all[wreck] = progress
        self.turn += 1
        self._set_floor()
        self._store.wake()
        self._put_away(wreck)

    def _breathe(self, generation: int) -> None:
        """Leave the processor to others for a while, and wait while the disk is full."""
        path = self._store.path
        while True:
            if self._stopped.wait(BREATH_S):
                raise Interrupted
            self._check(generation)
            disk = ballast.disk(path)
            if disk.free > disk.trifle:
                return
            self._stopped.wait(RETRY_S)

    def _check(self, generation: int) -> None:
        if generation != self._store.writer.generation:
            raise Interrupted

    def _pieces(self, remains: Remains, restorer: Restorer, at: int) -> Iterator[Piece]:
        """Read the pages from `at` on; the journal is the last piece."""
        piece = Piece(at)
        for number in remains.full[at:]:
            piece.take(restorer, remains.rows(number))
            piece.at += 1
            if len(piece.rows) + len(piece.messages) >= ROWS or piece.blocks >= BLOCKS:
                yield piece
                piece = Piece(piece.at)
        piece.take(restorer, ((row[0], [None, *row[1:]]) for row in remains.fresh))
        piece.take(restorer, ((0, [None, *row]) for row in remains.messages))
        yield piece

    def _put(self, wreck: Path, restorer: Restorer, piece: Piece, generation: int) -> None:
        before = self._all[wreck]
        with self._store.writer.alone() as db:
            self._check(generation)
            saved = before.saved + restorer.put(db, piece.rows)
            saved += db.executemany(WRITES["message"], piece.messages).rowcount
            progress = Progress(before.floor, piece.at, saved, before.lost + piece.lost)
            _remember(db, wreck, progress)
        self._all[wreck] = progress

    def _finish(self, db: Connection, wreck: Path, remains: Remains) -> Progress:
        """Say what is owed to whom, and that it is done."""
        before = self._all[wreck]
        missing = sum(count for id, count in remains.counts.items() if id not in remains.seen)
        lost = max(before.lost + missing, remains.unread)
        progress = Progress(before.floor, DONE, before.saved, lost)
        last = before.floor - 1
        for name, (seq, sent, refused) in remains.destinations.items():
            owed = db.execute(OWED, (name, last)).fetchone()
            new = db.execute(
                "INSERT OR IGNORE INTO destination VALUES (?, ?, ?, ?)", (name, last, sent, refused)
            ).rowcount
            # Else this process knew it all the time, or a later store tells it better.
            if new or owed in ((1, last), (None, None)):
                db.execute("DELETE FROM held WHERE destination = ? AND last = ?", (name, last))
                spans = {span for span in remains.held if span[0] == name}
                spans.add((name, seq + 1, last, "salvaged"))
                db.executemany("INSERT OR IGNORE INTO held VALUES (?, ?, ?, ?)", sorted(spans))
        db.executemany(WRITES["set_aside"], remains.set_aside)
        db.executemany(WRITES["answered"], remains.answered)
        if progress.lost:
            record(db, "damaged", progress.lost, 0)
        _remember(db, wreck, progress)
        return progress

    def _put_away(self, wreck: Path) -> None:
        done = self._all[wreck]
        words = f"{done.saved:,} readings were saved, {done.lost:,} are lost"
        keep = bool(done.lost) or not done.saved
        log.warning("%s: %s%s", wreck.parent, words, "; it can be deleted" if keep else "")
        try:
            finish(wreck, f"{words}. This folder can be deleted.", keep=keep)
        except OSError as error:
            log.warning("%s cannot be put away: %s", wreck.parent, error)


def _records(meta: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Progress]]:
    for key, value in meta.items():
        if key.startswith(KEY):
            yield path.parent / key.removeprefix(KEY) / path.name, Progress(*json.loads(value))


def _told(wreck: Path, progress: Progress) -> dict[str, Any]:
    return {
        "folder": str(wreck.parent),
        "kept": wreck.exists(),
        "done": progress.at == DONE,
        "saved": progress.saved,
        "lost": progress.lost,
    }


def salvaged(db: Connection, path: Path) -> list[dict[str, Any]]:
    """Read what `Salvage.state` tells, from the file of a store."""
    meta = dict(db.execute("SELECT key, value FROM meta").fetchall())
    return [_told(wreck, progress) for wreck, progress in _records(meta, path)]


def _remember(db: Connection, wreck: Path, progress: Progress) -> None:
    db.execute(
        "INSERT OR REPLACE INTO meta VALUES (?, ?)",
        (f"{KEY}{wreck.parent.name}", json.dumps(progress)),
    )
