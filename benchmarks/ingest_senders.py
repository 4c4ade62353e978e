"""What loads a hub for `ingest`: prepared requests by protocol, and clients at their defaults."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from common import CHANNELS, seconds

from pilogger.sample import Value, series_key

EPOCH = 1_795_000_000
EVENTS = 10_000  # in a body; a hub takes 1 MB
MESSAGES = 4_000
POLLS = 1_000
KEY = "key"


class Request(NamedTuple):
    """What is sent again and again, each time with other readings."""

    path: str
    headers: dict[str, str]
    bodies: list[bytes]


# -- bare requests -----------------------------------------------------------------------


def initialstate(count: int) -> Request:
    events = [
        {"key": series_key(sensor, name), "value": value, "epoch": at}
        for sensor, at, values in polled(count)
        for name, value in values.items()
    ]
    bodies = [json.dumps(some).encode() for some in pieces(events, EVENTS)]
    return Request("/api/events", {"X-IS-AccessKey": KEY, "X-IS-BucketKey": "bench"}, bodies)


def tempodb(count: int) -> Request:
    points = [
        {"t": iso(at), "key": series_key(sensor, name), "v": value}
        for sensor, at, values in polled(count)
        for name, value in values.items()
    ]
    bodies = [json.dumps(some).encode() for some in pieces(points, EVENTS)]
    return Request("/v1/multi/", {}, bodies)


def rudderstack(count: int) -> Request:
    return tracks(polled(count), MESSAGES)


def rudderstack_polls(count: int) -> Request:
    """Put all 20 channels into one message."""
    return tracks(
        (
            (
                "station",
                at,
                {series_key(s.sensor, n): v for s in samples for n, v in s.values.items()},
            )
            for at, samples in enumerate(seconds(count // CHANNELS), EPOCH)
        ),
        POLLS,
    )


def tracks(samples: Iterable[tuple[str, float, dict[str, Value]]], size: int) -> Request:
    messages = [
        {
            "type": "track", "userId": "bench", "event": sensor, "properties": values,
            "timestamp": iso(at), "messageId": f"{sensor}-{at}",
        }
        for sensor, at, values in samples
    ]  # fmt: skip
    bodies = [json.dumps({"batch": some}).encode() for some in pieces(messages, size)]
    return Request("/v1/batch", {}, bodies)


BARE: dict[str, Callable[[int], Request]] = {
    "Initial State": initialstate,
    "RudderStack": rudderstack,
    "  20 in a track": rudderstack_polls,
    "TempoDB": tempodb,
}


def bare(url: str, protocol: str, count: int) -> float:
    """Send prepared bodies, each when the one before was answered; return how long it took."""
    request = BARE[protocol](count)
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port)
    start = time.perf_counter()
    for body in request.bodies:
        connection.request("POST", request.path, body, request.headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status not in (200, 204):
            raise RuntimeError(f"{answer.status} {said.decode()[:200]}")
    took = time.perf_counter() - start
    connection.close()
    return took


def polled(count: int) -> Iterator[tuple[str, float, dict[str, Value]]]:
    """Yield sensor, epoch and values, until so many readings were given."""
    for samples in seconds(count // CHANNELS):
        for sample in samples:
            yield sample.sensor, EPOCH + sample.boot / 1e6, dict(sample.values)


def pieces(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def iso(at: float) -> str:
    return moment(at).isoformat()


# -- clients at their defaults -----------------------------------------------------------


def isstreamer(url: str, count: int) -> float:
    from ISStreamer.Streamer import Streamer

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # where it leaves events that it failed to send
        ini = Path("bench.ini")
        ini.write_text(
            f"[isstreamer.client_config]\naccess_key: {KEY}\n"
            f"[isstreamer.api_config]\nstream_api_base: {url}\n"
        )
        waiting = [*polled(count)]
        streamer = Streamer("bench", "bench", ini_file_location=str(ini))
        start = time.perf_counter()
        for sensor, at, values in waiting:
            for name, value in values.items():
                streamer.log(series_key(sensor, name), value, at)
        streamer.close()
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join()
        took = time.perf_counter() - start
        os.chdir("/")
    return took


def streamer(url: str, count: int) -> float:
    from pilogger.initialstate import Streamer

    with tempfile.TemporaryDirectory() as folder:
        waiting = [*polled(count)]
        ours = Streamer("bench", "bench", KEY, store=Path(folder, "x.db"), base_url=url)
        start = time.perf_counter()
        for sensor, at, values in waiting:
            for name, value in values.items():
                ours.log(series_key(sensor, name), value, at)
        while ours.pending:
            ours.flush()
        took = time.perf_counter() - start
        ours.close()
    return took


def rudder_sdk(url: str, count: int) -> float:
    from rudderstack import analytics

    logging.getLogger("rudderstack").setLevel(logging.CRITICAL)  # a line for each it drops
    return _track(analytics, url, count)


def rudder(url: str, count: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        from pilogger import rudderstack as analytics

        return _track(analytics, url, count)


def _track(analytics: Any, url: str, count: int) -> float:
    analytics.write_key, analytics.dataPlaneUrl = KEY, url
    waiting = [(sensor, moment(at), v) for sensor, at, v in polled(count)]
    start = time.perf_counter()
    for sensor, at, values in waiting:
        analytics.track("bench", sensor, values, timestamp=at)
    analytics.flush()
    took = time.perf_counter() - start
    analytics.join()
    return took


def tempodb_client(url: str, count: int) -> float:
    from pilogger.tempodb import Client

    place = urlsplit(url)
    waiting = [
        [
            {"t": moment(EPOCH + s.boot / 1e6), "key": series_key(s.sensor, name), "v": value}
            for s in samples
            for name, value in s.values.items()
        ]
        for samples in seconds(count // CHANNELS)
    ]
    with Client(KEY, "", place.hostname or "", place.port or 80, secure=False) as client:
        start = time.perf_counter()
        for points in waiting:
            client.write_multi(points)
        return time.perf_counter() - start


CLIENTS: dict[str, Callable[[str, int], float]] = {
    "ISStreamer 2.0.0": isstreamer,
    "pilogger.initialstate": streamer,
    "rudder-sdk 2.1.9": rudder_sdk,
    "pilogger.rudderstack": rudder,
    "pilogger.tempodb": tempodb_client,
}
