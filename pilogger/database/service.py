"""Requests in, answers out, as TempoDB gave them; who asks was found out before.

A write of several points keeps the good ones, and a 207 says what is wrong with the others.
An answer of 200 or 207 means that everything is on the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import NamedTuple
from uuid import uuid4

from pilogger.database.answered import Answered, Name
from pilogger.database.reading import Span, facts, span, write_all, write_one
from pilogger.engine import Engine, Entry, Info, Receipt
from pilogger.errors import BadValue
from pilogger.protocols import tempodb as wire
from pilogger.protocols.tempodb import Filters, Item

NO_ID = "There is no series with this ID"

Items = Sequence[Item | list[str]]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: `path` and `query` as they came, `once` names it for its repetitions."""

    account: str
    method: str
    path: bytes
    query: bytes = b""
    body: bytes = b""
    once: str = ""

    @property
    def name(self) -> Name:
        """Name what is asked: another request with the same `once` is another one."""
        parts = (self.once.encode(), self.method.encode(), self.path, self.query, self.body)
        return Name(self.account, sha256(b"\n".join(parts)).hexdigest()[:32])


class Answer(NamedTuple):
    """A status, and either a text or the pieces of a long one."""

    status: int
    text: str = ""
    pieces: Iterator[str] | None = None


DONE = Answer(200)
UNKNOWN = Answer(403)


class Unknown(Exception):
    """There is no such series."""


class Call(NamedTuple):
    """A request, taken apart; `by` is id or key, of the series `ref`."""

    account: str
    by: str
    ref: str
    filters: Filters
    options: Mapping[str, str]
    body: bytes
    name: Name | None


class Database:
    """The series of the accounts of one engine; thread-safe.

    They are in the bucket ''; those of Initial State all have a key.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._answered = Answered(engine)

    def answer(self, request: Request) -> Answer:
        """Do what is asked.

        Raises:
            StoreError: it could not be done; nothing that is asked for once was, or it is
                remembered, so to ask again is right.
        """
        try:
            call, do = self._route(request)
            if call.name is None:
                return do(self, call)
            with self._answered.turn(call.name) as receipt:
                return Answer(*receipt[2:]) if receipt else self._once(call, call.name, do)
        except BadValue as error:
            return Answer(400, str(error))
        except Unknown:
            return UNKNOWN
        except _Refused as error:
            return error.answer

    def _route(self, request: Request) -> tuple[Call, Do]:
        parts = wire.decode_path(request.path)
        by, ref = "", ""
        if parts[:1] == ["series"] and len(parts) > 2 and parts[1] in ("id", "key"):
            _, by, ref = parts[:3]
            parts = ["series", "*", *parts[3:]]
        methods = ROUTES.get("/".join(parts))
        if methods is None:
            raise _Refused(404, "there is nothing at this address")
        if request.method not in methods:
            raise _Refused(405, f"possible here: {', '.join(methods)}")
        filters, options = wire.decode_query(request.query)
        keeps = request.once and request.method in ("POST", "DELETE")
        call = Call(
            request.account, by, ref, filters, options, request.body,
            request.name if keeps else None,
        )  # fmt: skip
        return call, methods[request.method]

    def _once(self, call: Call, name: Name, do: Do) -> Answer:
        """Do it, and keep a receipt, where that is not done in one."""
        answer = do(self, call)
        if answer.status == 200 and do not in COUNTING:
            self._engine.keep(Receipt(*name, answer.status, answer.text))
        return answer

    # -- series --------------------------------------------------------------------------

    def create(self, call: Call) -> Answer:
        """Make a series; 409 if its key is taken."""
        key = wire.decode_new(call.body) or uuid4().hex
        made = self._engine.create(key, account=call.account)
        if made is None:
            return Answer(409, f"a series with the key {key!r} is there already")
        return _json(wire.encode_series(facts(made)))

    def show(self, call: Call) -> Answer:
        """Tell which series fit."""
        found = self._find(call.account, call.filters)
        return _json([wire.encode_series(facts(info)) for info in found])

    def update(self, call: Call) -> Answer:
        """Give a series its name, tags and attributes."""
        info = self._one(call)
        new = wire.decode_series(call.body, facts(info))
        self._engine.describe(info.id, new.name, new.tags, new.attributes)
        self._engine.flush()
        return _json(wire.encode_series(facts(self._one(call))))

    def delete(self, call: Call) -> Answer:
        """Delete the series that fit; all of them only if that is what was said."""
        everything = call.options.get("allow_truncation", "false") == "true"
        if everything == any(call.filters):
            raise BadValue(
                "allow_truncation=true deletes every series, so it goes without filters"
                if everything
                else "no filter was given: to delete every series, say allow_truncation=true"
            )
        found = self._find(call.account, call.filters)
        for info in found:
            self._engine.remove(info.id)
        return _json({"deleted": len(found)})

    # -- points --------------------------------------------------------------------------

    def read_one(self, call: Call) -> Answer:
        """Give the data set of a series."""
        asked = Span.parse(call.options)
        return Answer(200, pieces=_begun(write_one(self._engine, self._one(call), asked)))

    def read(self, call: Call) -> Answer:
        """Give the data sets of the series that fit."""
        asked = Span.parse(call.options)
        found = self._find(call.account, call.filters)
        return Answer(200, pieces=_begun(write_all(self._engine, found, asked)))

    def erase(self, call: Call) -> Answer:
        """Delete the points of a span."""
        first, last = span(call.options)
        info = self._one(call)
        if first < last:
            self._engine.erase(info.id, first, last)
        return DONE

    def write_one(self, call: Call) -> Answer:
        """Write points of a series."""
        return self._write(call, self._of_one(call))

    def write_bulk(self, call: Call) -> Answer:
        """Write points of one moment."""
        return self._write(call, wire.decode_bulk(call.body))

    def write_multi(self, call: Call) -> Answer:
        """Write points of many series and moments."""
        return self._write(call, wire.decode_multi(call.body))

    def add_one(self, call: Call) -> Answer:
        """Add to points of a series."""
        return self._add(call, self._of_one(call))

    def add_bulk(self, call: Call) -> Answer:
        """Add to points of one moment."""
        return self._add(call, wire.decode_bulk(call.body))

    def add_multi(self, call: Call) -> Answer:
        """Add to points of many series and moments."""
        return self._add(call, wire.decode_multi(call.body))

    def _of_one(self, call: Call) -> Items:
        if call.by == "id" and not self._engine.by_uid([call.ref], account=call.account):
            raise Unknown
        id, key = (call.ref, "") if call.by == "id" else ("", wire.check_key(call.ref))
        return [
            item._replace(id=id, key=key) if isinstance(item, Item) else item
            for item in wire.decode_points(call.body)
        ]

    def _write(self, call: Call, items: Items) -> Answer:
        entries, answer = self._entries(call.account, items)
        if entries:
            self._engine.write(entries)
        self._engine.flush()
        return answer

    def _add(self, call: Call, items: Items) -> Answer:
        items = [
            [wire.NO_VALUE] if isinstance(item, Item) and isinstance(item.value, bool) else item
            for item in items
        ]
        entries, answer = self._entries(call.account, items)
        name = call.name
        receipt = Receipt(*name, answer.status, answer.text) if name else None
        self._engine.increment(entries, receipt)
        self._engine.flush()
        return answer

    def _entries(self, account: str, items: Items) -> tuple[list[Entry], Answer]:
        """Make entries of the good points, and an answer that says what is wrong with others."""
        good = [item for item in items if isinstance(item, Item)]
        keys = self._engine.by_key({item.key for item in good if not item.id}, account=account)
        uids = self._engine.by_uid({item.id for item in good} - {""}, account=account)
        entries, wrong = [], []
        for item in items:
            if not isinstance(item, Item):
                wrong.append(item)
            elif (series := uids.get(item.id) if item.id else keys[item.key]) is None:
                wrong.append([NO_ID])
            else:
                entries.append(Entry(series, item.at, item.value))
                wrong.append([])
        if any(wrong):
            return entries, Answer(207, wire.encode_multistatus(wrong).decode())
        return entries, DONE

    # -- which series --------------------------------------------------------------------

    def _find(self, account: str, filters: Filters) -> list[Info]:
        return self._engine.find(account, bucket="", **filters._asdict())

    def _one(self, call: Call) -> Info:
        ref = [call.ref]
        for info in self._find(
            call.account, Filters(ref) if call.by == "id" else Filters(keys=ref)
        ):
            return info
        raise Unknown


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.answer = Answer(status, text)


def _begun(pieces: Iterator[str]) -> Iterator[str]:
    """Read the first piece now: what fails then can still be told."""
    return chain([next(pieces)], pieces)


def _json(content: object) -> Answer:
    return Answer(200, wire.encode(content))


Do = Callable[[Database, Call], Answer]

ROUTES: dict[str, dict[str, Do]] = {
    "series": {"GET": Database.show, "POST": Database.create, "DELETE": Database.delete},
    "series/*": {"PUT": Database.update},
    "series/*/data": {
        "GET": Database.read_one,
        "POST": Database.write_one,
        "DELETE": Database.erase,
    },
    "series/*/increment": {"POST": Database.add_one},
    "data": {"GET": Database.read, "POST": Database.write_bulk},
    "increment": {"POST": Database.add_bulk},
    "multi": {"POST": Database.write_multi},
    "multi/increment": {"POST": Database.add_multi},
}
"""What each address does; `*` is id or key, and the series it is of."""

COUNTING = (Database.add_one, Database.add_bulk, Database.add_multi)
"""What keeps a receipt together with what it changes."""
