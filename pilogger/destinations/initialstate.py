"""Send readings as events of Initial State: to that service, or to a pilogger hub."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from pilogger.destinations import Accepted, LockedOut, Outcome, Refused, Wait
from pilogger.destinations.http import Answer, Http, outcome
from pilogger.errors import BadValue
from pilogger.protocols import initialstate as wire
from pilogger.sample import Point

SUCCESS = frozenset({200, 201, 202, 204})
NOT_IN_A_KEY = frozenset(":\"'")  # the service's documentation, "buckets"
MARK_KEY = "pilogger.clock"
SERVICE = "https://groker.init.st"
LONGEST_PAUSE_S = 60.0  # the limits count by 10 seconds or a minute


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where the events go: `key` never changes, `name` is what people read.

    Keys travel in a header, so they are of Latin-1 characters without : " and '.
    """

    key: str
    name: str = ""

    def __post_init__(self) -> None:
        wire.check_key(self.key, "the bucket's key")
        _check_header(self.key, "the bucket's key")
        if NOT_IN_A_KEY & set(self.key):
            raise BadValue("the bucket's key cannot hold : \" or '")
        if self.name:
            wire.check_key(self.name, "the bucket's name")


class Events:
    """The events API as one account uses it, over one connection; used by one thread.

    Raises:
        BadValue: for a key or an address that no request could carry.
    """

    def __init__(self, access_key: str, base_url: str) -> None:
        _check_header(access_key, "access_key")
        address = urlsplit(base_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise BadValue("base_url is like https://groker.init.st or http://hub.local:8080")
        self.http = Http(access_key)
        self._url = base_url.rstrip("/")
        self._made: set[Bucket] = set()
        self._headers = {
            "Content-Type": "application/json",
            wire.VERSION_HEADER: wire.VERSION,
            wire.ACCESS_KEY_HEADER: access_key,
        }

    def deliver(self, bucket: Bucket, points: Sequence[Point]) -> Outcome:
        """Send events, into a new bucket where the old one is gone."""
        body = wire.encode_events(points)
        for _ in range(2):
            if trouble := self.make(bucket):
                return trouble
            answer = self._post(wire.EVENTS_PATH, bucket, body)
            if isinstance(answer, Wait):
                return answer
            if _is_success(answer):
                return Accepted(_pause(answer.headers))
            if not _says_gone(answer):
                return outcome(answer)
            self._made.discard(bucket)
        return Wait("the bucket is gone, and making it anew did not help", answered=True)

    def make(self, bucket: Bucket) -> Wait | LockedOut | None:
        """Make the bucket unless it is there; no reading is to blame when that fails."""
        if bucket in self._made:
            return None
        answer = self._post(wire.BUCKETS_PATH, bucket, wire.encode_bucket(bucket.key, bucket.name))
        if isinstance(answer, Wait):
            return answer
        if _is_success(answer):
            self._made.add(bucket)
            return None
        judged = outcome(answer)
        if isinstance(judged, Refused):
            return LockedOut(f"the bucket cannot be made: {judged.reason}")
        return judged

    def interrupt(self) -> None:
        self.http.interrupt()

    def close(self) -> None:
        self.http.close()

    def _post(self, path: str, bucket: Bucket, body: bytes) -> Answer | Wait:
        headers = self._headers | {wire.BUCKET_KEY_HEADER: bucket.key}
        return self.http.post(self._url + path, body, headers)


class InitialState(Events):
    """A bucket at Initial State, or at a hub.

    Options:
        access_key: of the account; keep it with `!secret`.
        bucket: its `key`, and a `name` for people; made when it does not exist.
        base_url: where the service is; a hub's is like http://hub.local:8080.
        batch: the most readings in one request, 1 to 10000. The service takes 1 MB, its
            smaller plans 10 events.

    An event has no room for a mark, so for readings whose time is an estimate an event
    `pilogger.clock` of the same epoch goes before them and says "estimated".

    Raises:
        BadValue: for an option that no request could carry.
    """

    def __init__(
        self,
        access_key: str,
        bucket: Bucket,
        base_url: str = SERVICE,
        batch: int = 1000,
    ) -> None:
        super().__init__(access_key, base_url)
        if not 1 <= batch <= 10_000:
            raise BadValue(f"batch is 1 to 10000, not {batch}")
        self.limit = batch
        self._bucket = Bucket(bucket.key, bucket.name or bucket.key)

    def __repr__(self) -> str:
        return f"InitialState({self._bucket.key!r} at {self._url})"

    def send(self, points: Sequence[Point]) -> Outcome:
        """Send readings as events of the bucket."""
        for point in points:
            if len(point.series) > wire.MAX_KEY:
                return Refused(f"a key has at most {wire.MAX_KEY} characters")
        if marks := _marks(points):
            marked = self.deliver(self._bucket, marks)
            if not isinstance(marked, Accepted):
                return marked
        return self.deliver(self._bucket, points)


def _marks(points: Sequence[Point]) -> list[Point]:
    """Make the events that say of which moments the time is an estimate."""
    moments = {point.epoch: point.seq for point in points if point.estimated}
    return [Point(seq, MARK_KEY, epoch, "estimated") for epoch, seq in moments.items()]


def _is_success(answer: Answer) -> bool:
    """Whether this is the service's success, and not the 200 of a login page.

    The service answers 204 to events and 201 or 204 to a bucket; others who speak the
    protocol answer 200 or 202, with nothing or with JSON.
    """
    if answer.status == 204:
        return True
    html = "html" in answer.headers.get("Content-Type", "").lower()
    return answer.status in SUCCESS and not html and (not answer.text or _is_json(answer.text))


def _pause(headers: Mapping[str, str]) -> float:
    """Tell how long the service wants no more requests, as it says with each answer.

    `X-RateLimit-Reset` is a time of its clock, which is measured against its own `Date`.
    """
    try:
        left = int(headers.get("X-RateLimit-Remaining", "1"))
        until = float(headers.get("X-RateLimit-Reset", "nan"))
        now = parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return min(until - now, LONGEST_PAUSE_S) if left <= 0 and until > now else 0.0


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _says_gone(answer: Answer) -> bool:
    return answer.status in (404, 410) or (
        answer.status == 400 and f'"{wire.BUCKET_REMOVED}"' in answer.text
    )


def _check_header(text: str, what: str) -> None:
    """Refuse what cannot travel in a header; the text itself is not repeated."""
    plain = text.isprintable() and text == text.strip() and all(c <= "\xff" for c in text)
    if not text or not plain:
        raise BadValue(f"{what} is not 1 or more printable Latin-1 characters")
