"""Messages that a hub was sent, each once, in the transaction of the readings they bring."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pilogger.errors import StoreError
from pilogger.sample import Arrival
from pilogger.store.log import Store


class Messages:
    """Tells messages that are sent again by account and id; thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._fresh: set[tuple[str, str]] = set()
        """Those that may not be in the file yet."""

    def keep(self, account: str, arrivals: Sequence[Arrival]) -> int:
        """Store those that are new, with their values; returns how many they were.

        When this returns they are on the disk.

        Raises:
            BadValue: a value cannot be held, or a series was deleted; nothing was stored.
            StoreError: the disk took nothing, or nothing for sure; to send them again helps.
        """
        store = self._store
        count = sum(len(each.entries) for each in arrivals)
        with store.readers.one() as db, store.numbered(count):
            known = {id for owner, id in self._fresh if owner == account}
            ids = json.dumps([each.id for each in arrivals])
            known.update(
                id
                for (id,) in db.execute(
                    "SELECT message_id FROM message WHERE account = ?"
                    " AND message_id IN (SELECT value FROM json_each(?))",
                    [account, ids],
                )
            )
            new: dict[str, Arrival] = {}
            for each in arrivals:
                if each.id not in known:
                    new.setdefault(each.id, each)
            # All of it but its values is a row, in the order of the table.
            rows = [("message", account, *each[:-1]) for each in new.values()]
            entries = [entry for each in new.values() for entry in each.entries]
            taken = store.appender.take_entries(entries, also=rows)
            given = {(account, id) for id in new}
            self._fresh |= given
            waiting = set(self._fresh)
        try:
            store.appender.confirm(taken)
        except StoreError:
            with store.lock:
                self._fresh -= given
            raise
        store.flush()
        with store.lock:
            self._fresh -= waiting
        return len(new)
