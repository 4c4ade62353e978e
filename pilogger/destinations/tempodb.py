"""Send readings as points of TempoDB's API: to a pilogger hub."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pilogger import epoch
from pilogger.destinations import Accepted, LockedOut, Outcome, Refused, Wait
from pilogger.destinations.http import Answer, Http, outcome
from pilogger.errors import BadValue
from pilogger.periods import to_text
from pilogger.protocols import tempodb as wire
from pilogger.protocols.tempodb import Facts, Filters
from pilogger.sample import Point

MARK_KEY = "pilogger.clock.estimated"


@dataclass(frozen=True, slots=True)
class Described:
    """What is told of a series: a `name`, `tags`, and `attributes` with their text."""

    name: str = ""
    tags: list[str] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)


class TempoDB:
    """Points of series, at a hub or another server that speaks TempoDB's API.

    Options:
        base_url: where the server is, as in http://hub.local:8080.
        key: of the account; keep it with `!secret`.
        secret: of the account; keep it with `!secret`.
        tags: what every series is tagged with.
        attributes: what every series is described by.
        series: more of that for single series, by their key, as in air.temperature.
        batch: the most readings in one request, 1 to 2000.

    A point has no room for a mark, so the moments whose time is an estimate get a point with
    the value true in the series `pilogger.clock.estimated`.

    Raises:
        BadValue: for an option that no request could carry.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        secret: str = "",
        *,
        tags: list[str] | None = None,
        attributes: dict[str, str] | None = None,
        series: dict[str, Described] | None = None,
        batch: int = 1000,
    ) -> None:
        address = urlsplit(base_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise BadValue("base_url is like http://hub.local:8080")
        if not key or ":" in key:
            raise BadValue("key is 1 or more characters without a colon")
        if not 1 <= batch <= 2000:
            raise BadValue(f"batch is 1 to 2000, not {batch}")
        basic = b64encode(f"{key}:{secret}".encode()).decode()
        self.limit = batch
        self.http = Http(basic)
        self._url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Basic {basic}"}
        self._all = Described("", tags or [], attributes or {})
        self._each = {wire.check_key(name): said for name, said in (series or {}).items()}
        self._told: set[str] = set()

    def __repr__(self) -> str:
        return f"TempoDB({self._url})"

    def send(self, points: Sequence[Point]) -> Outcome:
        """Send readings as points; a point that is sent again replaces itself."""
        try:
            items = [_item(point.series, point.epoch, point.value) for point in points]
        except BadValue as error:
            return Refused(str(error))
        moments = dict.fromkeys(point.epoch for point in points if point.estimated)
        items += [_item(MARK_KEY, moment, True) for moment in moments]
        for name in dict.fromkeys(point.series for point in points):
            if name not in self._told and (trouble := self._tell(name)):
                return trouble
            self._told.add(name)
        answer = self._ask("POST", ["multi"], body=wire.encode_multi(items))
        return answer if isinstance(answer, Wait) else _judge(answer)

    def interrupt(self) -> None:
        self.http.interrupt()

    def close(self) -> None:
        self.http.close()

    # -- what is told of a series ------------------------------------------------------------

    def _tell(self, name: str) -> Wait | LockedOut | None:
        """Give a series its name, tags and attributes; no reading is to blame when that fails."""
        said = self._described(name)
        if said == Described():
            return None
        answer = self._ask("GET", ["series"], wire.encode_query(Filters(keys=[name])))
        if not isinstance(answer, Wait) and answer.status == 200 and answer.text.strip() == "[]":
            answer = self._ask("POST", ["series"], body=_json({"key": name}))
        if isinstance(answer, Wait):
            return answer
        now = _facts(answer)
        if now is None:
            return _cannot(name, outcome(answer))
        wanted = Facts(now.id, now.key, said.name or now.name, said.tags, said.attributes)
        if wire.encode_series(wanted) == wire.encode_series(now):
            return None
        body = _json(wire.encode_series(wanted))
        answer = self._ask("PUT", ["series", "id", now.id], body=body)
        if isinstance(answer, Wait):
            return answer
        return None if _facts(answer) else _cannot(name, outcome(answer))

    def _described(self, name: str) -> Described:
        each = self._each.get(name, Described())
        tags = sorted({*self._all.tags, *each.tags})
        attributes = dict(sorted({**self._all.attributes, **each.attributes}.items()))
        return Described(each.name, tags, attributes)

    def _ask(
        self, method: str, path: Sequence[str], query: str = "", body: bytes = b""
    ) -> Answer | Wait:
        url = self._url + wire.encode_path(*path) + ("?" + query if query else "")
        headers: Mapping[str, str] = self._headers
        if body:
            headers = {**headers, "Content-Type": "application/json"}
        return self.http.ask(method, url, body, headers)


def _item(series: str, exact: str, value: object) -> dict[str, object]:
    """Make a point of a reading; its time as it was given, to the nanosecond.

    Raises:
        BadValue: the API has no such keys, values or times.
    """
    if isinstance(value, str):
        raise BadValue("TempoDB's API has no text as a value")
    at = to_text(epoch.nanoseconds(epoch.pack(exact)))
    return {"t": at, "key": wire.check_key(series), "v": value}


def _judge(answer: Answer) -> Outcome:
    """Find the outcome: success is 200 and nothing else; a login page says more."""
    if answer.status == 200 and not answer.text.strip():
        return Accepted()
    if answer.status != 207:
        return outcome(answer)
    try:
        points = wire.decode_multistatus(answer.text)
    except BadValue:  # cut off, since so many failed: smaller parts tell more
        return Refused("the server refused some of these points")
    failed = [(status, words) for status, words in points if status != 200]
    for status, words in failed:
        said = f"the server answered {status}: {', '.join(words)}"
        return Refused(said) if status < 500 else Wait(said, answered=True)
    return Accepted()


def _facts(answer: Answer) -> Facts | None:
    """Read a series, alone or as the only one of a list; None if it is none."""
    if answer.status != 200:
        return None
    try:
        found = json.loads(answer.text)
        one = found[0] if isinstance(found, list) else found
        return Facts(one["id"], one["key"], one["name"], one["tags"], one["attributes"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def _cannot(name: str, judged: Refused | Wait | LockedOut) -> Wait | LockedOut:
    if isinstance(judged, Refused):
        return LockedOut(f"series {name} cannot be described: {judged.reason}")
    return judged


def _json(content: object) -> bytes:
    return wire.encode(content).encode("ascii")
