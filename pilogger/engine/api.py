"""What an engine is: series, values in, values out, and what a hub must not do twice.

A series goes by a number, its id; `Info` tells more of it, and its `uid` is its name for ever.
An epoch that is given is exact: whole nanoseconds since 1970, or the text of a number of
seconds (see `pilogger.epoch`); one that is asked for is in whole nanoseconds. A span is half
open, `[start, end)`. Texts hold no NUL. Every method may be called by any thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from pilogger.sample import Arrival, Entry, Value
from pilogger.series import Info, Recent
from pilogger.stats import Stats

__all__ = ["Arrival", "Engine", "Entry", "Info", "Receipt", "Recent"]


class Receipt(NamedTuple):
    """That a request was done which must not be done twice, and what was answered.

    `key` tells it from the other requests of its account.
    """

    account: str
    key: str
    status: int
    text: str


class Engine(Protocol):
    """Keeps series. Whatever is asked raises StoreError if it could not be done.

    What was changed is on the disk, and is seen by whoever reads, when `flush` returns. Values
    come back as what they were: numbers, whole numbers up to 64 bits, truth values and text.
    """

    # -- which series there are ----------------------------------------------------------

    def bucket(self, key: str, name: str, *, account: str = "") -> bool:
        """Name a bucket of an account; True if it is new. It keeps its name if '' is given.

        Raises BadValue for no such text.
        """
        ...

    def create(self, key: str, *, account: str = "", bucket: str = "") -> Info | None:
        """Make a series in a bucket, which is made too; None if its key is taken there.

        Raises BadValue for a key that cannot be held.
        """
        ...

    def by_key(self, keys: Iterable[str], *, account: str = "", bucket: str = "") -> dict[str, int]:
        """Return the ids of the series with these keys; what is missing is made. For writing.

        Raises BadValue for a key that cannot be held.
        """
        ...

    def by_uid(self, uids: Iterable[str], *, account: str = "", bucket: str = "") -> dict[str, int]:
        """Return the ids of those of these series that are there. For writing."""
        ...

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
        """Return the series of an account that fit, by key.

        One of `ids` (uids) or `keys`, all `tags`, all `attributes`; what is empty does not
        choose, and a bucket of None is any.
        """
        ...

    def describe(
        self, series: int, name: str, tags: Sequence[str], attributes: Mapping[str, str]
    ) -> None:
        """Give a series a name, tags and attributes in place of those that it had.

        Raises BadValue for a text that cannot be held, and nothing is changed.
        """
        ...

    def remove(self, series: int) -> None:
        """Delete a series with all that it has; its key is free again, its uid never."""
        ...

    # -- values in -----------------------------------------------------------------------

    def append(self, entries: Sequence[Entry]) -> int:
        """Add events; returns how many are new: equal in series, epoch and value is the same.

        Raises BadValue for a value that cannot be held or a series that was deleted; nothing
        is stored then.
        """
        ...

    def write(self, entries: Sequence[Entry]) -> None:
        """Store values, each in place of what its series has at its epoch; the last one holds.

        From then on the series has one value at an epoch. Raises BadValue as `append` does.
        """
        ...

    def increment(self, entries: Sequence[Entry], receipt: Receipt | None = None) -> None:
        """Add to what each series has at the epoch, or to nothing; all or none.

        Whole numbers stay whole, and two that come at once are both counted. The receipt is
        kept if they are, and lost with them. Raises BadValue where a number is missing or the
        sum cannot be held, and as `append` does.
        """
        ...

    def erase(self, series: int, start: int, end: int) -> None:
        """Delete the values of a span; those that come later stay.

        Where the engine's calendar ends before a span does, the span has no end. Raises BadValue
        for a span that lies where the engine has no calendar at all: SQLite's is from 1677 to 2262.
        """
        ...

    def arrive(self, account: str, messages: Sequence[Arrival]) -> int:
        """Keep messages with the values that they bring, each once by its id, all or none.

        Returns how many are new. Of the others nothing is stored. Raises BadValue as `append` does.
        """
        ...

    def flush(self) -> None:
        """Wait until everything that was called for before is on the disk."""
        ...

    # -- what must not be done twice -----------------------------------------------------

    def keep(self, receipt: Receipt) -> None:
        """Keep a receipt by itself, as all are kept: for a day at least."""
        ...

    def receipt(self, account: str, key: str) -> Receipt | None:
        """Return the receipt of this name if one was taken, on the disk or not."""
        ...

    # -- values out ----------------------------------------------------------------------

    def read(self, series: int, start: int, end: int) -> Iterator[tuple[int, Value]]:
        """Yield epochs and values of a span in the order of time."""
        ...

    def rollup(self, series: int, edges: Iterable[int]) -> Iterator[tuple[int, Stats]]:
        """Yield start and statistics of each period with numbers, from one edge to the next."""
        ...

    def next_after(self, series: int, start: int) -> int | None:
        """Return a time from `start` on before which there is nothing; None: nor after it."""
        ...

    def summary(self, series: int, start: int, end: int) -> Stats | None:
        """Return the statistics of a span; None if it has no numbers."""
        ...

    # -- what is new ---------------------------------------------------------------------

    def recent(self, account: str, since: int = 0) -> Recent:
        """Return what arrived since an earlier answer's `seq`, some hundred values a series.

        Asked from 0, every series of the account comes, at least with what arrived last.
        """
        ...

    def count(self, account: str) -> int:
        """Count the values of an account."""
        ...
