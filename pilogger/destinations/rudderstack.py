"""Send messages to RudderStack, or to a pilogger hub."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from urllib.parse import urlsplit
from uuid import UUID, uuid4, uuid5

from pilogger import __version__, epoch, periods
from pilogger.destinations import Accepted, Outcome, Refused, Wait
from pilogger.destinations.http import Answer, Http, outcome
from pilogger.errors import BadValue
from pilogger.protocols import rudderstack as wire
from pilogger.sample import Point

LARGEST = 1_000_000  # bytes of a batch before it is compressed; a hub takes 1 MB
TOTAL = 4  # timeouts that an exchange may last in all

SENSOR = "{sensor}"
NAMELESS = "value"  # the property of a channel without a name
CONTEXT = {"library": {"name": "pilogger", "version": __version__}}


class Api:
    """The HTTP API as one write key uses it, over one connection; used by one thread.

    `timeout` is in seconds, for the connection and for each pause in an answer. `proxies`
    are as requests has them; None leaves it to the environment.

    Raises:
        BadValue: for a key or an address that no request could carry.
    """

    def __init__(
        self,
        write_key: str,
        url: str,
        *,
        gzip: bool = True,
        timeout: float = 15.0,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        if not write_key or ":" in write_key:
            raise BadValue("write_key is text of 1 or more characters, without a colon")
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise BadValue("dataPlaneUrl is like https://example.dataplane.rudderstack.com")
        self.answer: Answer | None = None
        """What the server said last; None if it said nothing."""
        sent = wire.authorization(write_key)
        self._http = Http(
            write_key,
            sent.removeprefix("Basic "),
            connect=timeout,
            read=timeout,
            total=TOTAL * timeout,
            proxies=proxies,
        )
        self._url = url.rstrip("/") + wire.BATCH_PATH
        self._sent: tuple[Sequence[str], str] = ((), "")
        self._gzip = gzip
        self._headers = {
            "Content-Type": "application/json",
            "Authorization": sent,
        } | ({"Content-Encoding": "gzip"} if gzip else {})

    def deliver(self, messages: Sequence[str]) -> Outcome:
        """Send messages that are JSON already, all or none; the same again as the same bytes."""
        self.answer = None
        if self._sent[0] != messages:
            self._sent = (messages, datetime.now(UTC).isoformat())
        body = wire.encode_batch(*self._sent)
        if len(body) > LARGEST and len(messages) > 1:
            return Refused(f"{len(body)} bytes are too much for a batch", too_large=True)
        found = self._http.post(self._url, _gzipped(body) if self._gzip else body, self._headers)
        if isinstance(found, Wait):
            return found
        self.answer = found
        return Accepted() if _is_success(found) else outcome(found)

    def interrupt(self) -> None:
        """Let `deliver` give up the answer that it waits for; any thread may say so."""
        self._http.interrupt()

    def close(self) -> None:
        """Let go of the connection; may be called twice."""
        self._http.close()


class RudderStack:
    """Tracks at RudderStack, or at a hub: one for each sample.

    Options:
        write_key: of the source; keep it with `!secret`.
        base_url: of the data plane; a hub's is like http://hub.local:8080.
        user_id: whom the events belong to.
        anonymous_id: the same for somebody without a name; one of the two must be there.
        event: the name of the events; {sensor} in it stands for the sensor's.
        batch: the most readings in one request, 1 to 10000.

    The properties are the channels; where the event does not name the sensor, they do. The
    timestamp is the sample's time, with up to nine decimals. The messageId is made of the
    store's identity and the sample's number, so it is the same whenever the sample is sent.
    Where the time is an estimate, `context.clock` says "estimated".

    Raises:
        BadValue: for an option that no request could carry.
    """

    def __init__(
        self,
        write_key: str,
        base_url: str,
        *,
        user_id: str = "",
        anonymous_id: str = "",
        event: str = SENSOR,
        batch: int = 1000,
    ) -> None:
        if not (user_id or anonymous_id):
            raise BadValue("one of user_id and anonymous_id says whose the events are")
        if not event:
            raise BadValue("event is the name of the events, for example Measured")
        if not 1 <= batch <= 10_000:
            raise BadValue(f"batch is 1 to 10000, not {batch}")
        self.limit = batch
        self._event = event
        self._who = {"userId": user_id or None, "anonymousId": anonymous_id or None}
        self._store = uuid4()
        self._api = Api(write_key, base_url)

    def __repr__(self) -> str:
        return f"RudderStack({self._event!r} of {self._who['userId'] or self._who['anonymousId']})"

    def identify(self, store: str) -> None:
        """Make the ids of messages from those of this store."""
        self._store = UUID(store)

    def send(self, points: Sequence[Point]) -> Outcome:
        """Send readings, those of one sample as one message."""
        try:
            samples = [[*group] for _, group in groupby(points, attrgetter("seq"))]
            return self._api.deliver([self._message(sample) for sample in samples])
        except BadValue as error:
            return Refused(str(error))

    def interrupt(self) -> None:
        self._api.interrupt()

    def close(self) -> None:
        self._api.close()

    def _message(self, sample: Sequence[Point]) -> str:
        first = sample[0]
        sensor = first.series.rpartition(".")[0] or first.series
        named = SENSOR in self._event
        series = [point.series for point in sample]
        keys = [it.rpartition(".")[2] if "." in it else NAMELESS for it in series]
        # With a part of its channels it is another message.
        id = uuid5(self._store, "\n".join([str(first.seq), *series]))
        return wire.dump(
            {
                "type": "track",
                **self._who,
                "event": self._event.replace(SENSOR, sensor),
                "properties": {
                    key: point.value
                    for key, point in zip(keys if named else series, sample, strict=True)
                },
                "timestamp": periods.to_text(epoch.nanoseconds(epoch.pack(first.epoch))),
                "messageId": str(id),
                "context": CONTEXT | ({"clock": "estimated"} if first.estimated else {}),
                "integrations": {"All": True},
                "channel": "server",
            }
        )


def _is_success(answer: Answer) -> bool:
    """Whether it is the API's success: 200, and not with the HTML of a login page."""
    html = "html" in answer.headers.get("Content-Type", "").lower()
    return answer.status == 200 and not html and not answer.text.lstrip().startswith("<")


def _gzipped(body: bytes) -> bytes:
    """Compress without a time, so that the same is the same again."""
    stream = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    return stream.compress(body) + stream.flush()
