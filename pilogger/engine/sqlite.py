"""The engine that comes with pilogger: the file of a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pilogger import epoch, series
from pilogger.engine.api import Arrival, Entry, Info, Receipt, Recent
from pilogger.sample import Value
from pilogger.series import History, find
from pilogger.stats import Stats
from pilogger.store import Store
from pilogger.store.journal import Write
from pilogger.store.messages import Messages
from pilogger.store.points import Points

KEPT_S = 86_400
TIDY_S = 3_600
FIRST, LAST = -(2**63), 2**63 - 1  # nanoseconds that SQLite holds as a whole number


class SQLiteEngine:
    """Series in the file of a `Store`, which stays its owner's to close."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._points = Points(store)
        self._messages = Messages(store)
        self._known: dict[str, Info] = {}
        """Series that were asked for, by uid."""
        self._receipts: dict[tuple[str, str], Receipt] = {}
        """Those that may not be in the file yet."""
        self._tidied = 0

    # -- which series there are ----------------------------------------------------------

    def bucket(self, key: str, name: str, *, account: str = "") -> bool:
        with self._store.lock:
            _, known = self._store.buckets.get((account, key), (0, ""))
            return self._store.bucket(account, key, name or known)[1]

    def create(self, key: str, *, account: str = "", bucket: str = "") -> Info | None:
        with self._store.lock:
            if self._points.create(key, self._bucket(account, bucket)) is None:
                return None
        self._store.flush()
        [info] = self.find(account, bucket=bucket, keys=[key])
        return info

    def by_key(self, keys: Iterable[str], *, account: str = "", bucket: str = "") -> dict[str, int]:
        store, found = self._store, {}
        with store.lock:
            place, known = self._bucket(account, bucket), store.registry.series
            for key in keys:
                if (place, key) not in known:
                    store.declare(key, {"": "1"}, place)
                found[key] = known[place, key]
        return found

    def by_uid(self, uids: Iterable[str], *, account: str = "", bucket: str = "") -> dict[str, int]:
        wanted = set(uids)
        if unknown := wanted - self._known.keys():
            found = self.find(account, bucket=bucket, ids=[*unknown])
            self._known.update((info.uid, info) for info in found)
        known = self._store.registry.series
        place = self._store.buckets.get((account, bucket), (None, ""))[0]
        return {
            uid: info.id
            for uid in wanted
            if (info := self._known.get(uid)) and known.get((place, info.key)) == info.id
        }

    def find(
        self,
        account: str = "",
        *,
        bucket: str | None = None,
        ids: Sequence[str] = (),
        keys: Sequence[str] = (),
        tags: Sequence[str] = (),
        attributes: Mapping[str, str] | None = None,
    ) -> list[Info]:
        with self._store.readers.one() as db:
            found = find(
                db, account, bucket=bucket, ids=ids, keys=keys, tags=tags, attributes=attributes
            )
        is_there = self._store.registry.is_there  # one that is being removed is gone already
        return [info for info in found if is_there(info.id)]

    def describe(
        self, series: int, name: str, tags: Sequence[str], attributes: Mapping[str, str]
    ) -> None:
        self._points.describe(series, name, tags, attributes)

    def remove(self, series: int) -> None:
        self._points.remove(series)

    def _bucket(self, account: str, key: str) -> int:
        known = self._store.buckets.get((account, key))
        return known[0] if known else self._store.bucket(account, key, "")[0]

    # -- values in -----------------------------------------------------------------------

    def append(self, entries: Sequence[Entry]) -> int:
        return self._store.enter(_exact(entries), once=True)

    def write(self, entries: Sequence[Entry]) -> None:
        self._points.write(_exact(entries))

    def increment(self, entries: Sequence[Entry], receipt: Receipt | None = None) -> None:
        self._points.increment(_exact(entries), also=self._rows(receipt) if receipt else ())
        if receipt:
            self._receipts[receipt[:2]] = receipt

    def erase(self, series: int, start: int, end: int) -> None:
        self._points.erase(series, start, end)

    def arrive(self, account: str, messages: Sequence[Arrival]) -> int:
        return self._messages.keep(account, [_brought(each) for each in messages])

    def flush(self) -> None:
        written = [*self._receipts]
        self._store.flush()
        for name in written:
            self._receipts.pop(name, None)

    # -- what must not be done twice -----------------------------------------------------

    def keep(self, receipt: Receipt) -> None:
        self._store.writer.write(self._rows(receipt))
        self._receipts[receipt[:2]] = receipt

    def receipt(self, account: str, key: str) -> Receipt | None:
        if taken := self._receipts.get((account, key)):
            return taken
        with self._store.readers.one() as db:
            row = db.execute(
                "SELECT status, body FROM answered WHERE account = ? AND key = ?", (account, key)
            ).fetchone()
        return Receipt(account, key, *row) if row else None

    def _rows(self, receipt: Receipt) -> list[Write]:
        """Return what is to be written; now and then also that old ones go."""
        now = self._store.clock.wall() // 1_000_000
        rows: list[Write] = [("answered", *receipt, now)]
        if now > self._tidied + TIDY_S:
            self._tidied = now
            rows.append(("forget_answered", now - KEPT_S))
        return rows

    # -- values out ----------------------------------------------------------------------

    def read(self, series: int, start: int, end: int) -> Iterator[tuple[int, Value]]:
        with self._store.readers.one() as db:
            for t, _, value in History(db).read(series, start, end):
                yield t, value

    def rollup(self, series: int, edges: Iterable[int]) -> Iterator[tuple[int, Stats]]:
        with self._store.readers.one() as db:
            yield from History(db).rollup(series, edges)

    def next_after(self, series: int, start: int) -> int | None:
        with self._store.readers.one() as db:
            return History(db).next_after(series, start)

    def summary(self, series: int, start: int, end: int) -> Stats | None:
        with self._store.readers.one() as db:
            return History(db).summary(series, start, end)

    # -- what is new ---------------------------------------------------------------------

    def recent(self, account: str, since: int = 0) -> Recent:
        with self._store.readers.one() as db:
            return series.recent(db, account, since=since)

    def count(self, account: str) -> int:
        with self._store.readers.one() as db:
            return series.count(db, account)


def _exact(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Bring epochs into the one form of which equal ones are equal; most are in it already."""
    whole = [at for _, at, _ in entries if isinstance(at, int)]
    if len(whole) == len(entries) and (not whole or FIRST <= min(whole) <= max(whole) <= LAST):
        return entries
    return [
        entry if isinstance(entry.epoch, int) and FIRST <= entry.epoch <= LAST else _packed(entry)
        for entry in entries
    ]


def _brought(message: Arrival) -> Arrival:
    entries = _exact(message.entries)
    return message if entries is message.entries else message._replace(entries=entries)


def _packed(entry: Entry) -> Entry:
    at = entry.epoch
    text = epoch.unpack(at) if isinstance(at, int) else epoch.text(at)
    return entry._replace(epoch=epoch.pack(text))
