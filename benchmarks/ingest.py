"""Readings per second that a hub takes, by protocol and client, beside a server that keeps nothing.

    python benchmarks/ingest.py [--readings 200000] [--small 5000] [--rounds 3]

A hub in a process of its own, with a new store for each run; everything that it answered is on
the disk. The same station as everywhere: 20 channels as 7 sensors, once a second.

    bare        prepared bodies of nearly 1 MB, one after another through one connection of
                `http.client`; RudderStack's messages are a `track` for each sample, as our
                destination sends them, and for each poll
    the floor   the same bytes to a uvicorn app that reads the body and answers
    clients     each at its defaults, from the first call to the end of its flush; TempoDB's
                client sends what it is given, so it writes a poll of 20 values at a time

A rate counts the readings that the hub holds in the end; it says so itself. CPU is the hub's,
all of its threads, in microseconds for a reading. Blocks are made when a flood is over, or
250,000 samples wait: `--readings 1000000` shows what a hub takes for long.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import urlopen

from common import CHANNELS, alone, line_by_line, machine, seconds

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


# -- servers -----------------------------------------------------------------------------


class Hub(NamedTuple):
    """A hub that runs in a process of its own."""

    url: str
    process: int

    def held(self) -> int:
        """Ask how many readings it holds."""
        with urlopen(f"{self.url}/api/health") as answer:
            return int(json.load(answer)["readings"])

    def cpu(self) -> float:
        """Return the seconds of processor that it used; proc(5)."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def hub(folder: Path) -> Iterator[Hub]:
    """Run a hub with a new store."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        process = subprocess.Popen(
            [sys.executable, "-m", "pilogger", "hub", "--port", "0", "--store", f"{place}/hub.db"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            yield Hub(process.stdout.readline().split()[-1], process.pid)
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


@contextmanager
def floor() -> Iterator[str]:
    """Run the server that keeps nothing."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection) -> None:
    import socket

    import uvicorn

    async def app(_: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    listening = socket.create_server(("127.0.0.1", 0))
    pipe.send(listening.getsockname()[1])
    config = uvicorn.Config(app, http="h11", ws="none", lifespan="off", log_level="error")
    uvicorn.Server(config).run(sockets=[listening])


# -- the comparison ----------------------------------------------------------------------


def compare(count: int, small: int, rounds: int, folder: Path) -> None:
    """Print a line for each protocol, and for each client."""
    print("bare              readings/s    CPU us    the floor   rounds")
    with floor() as nowhere:
        for protocol in BARE:
            rates, used, floors = [], [], []
            for _ in range(rounds):
                with hub(folder) as place:
                    before = place.cpu()
                    took = alone(bare, place.url, protocol, count)
                    used.append((place.cpu() - before) / count * 1e6)
                    rates.append(place.held() / took)
                floors.append(count / alone(bare, nowhere, protocol, count))
            each = " ".join(f"{rate:9,.0f}" for rate in rates)
            cpu, most = median(used), median(floors)
            print(f"{protocol:16}{median(rates):12,.0f}{cpu:10.1f}{most:13,.0f}   {each}")
    print("\nclient                 readings/s   arrived at least   rounds")
    for name, send in CLIENTS.items():
        rates, arrived = [], []
        for _ in range(rounds):
            with hub(folder) as place:
                took = alone(send, place.url, small)
                arrived.append(place.held())
                rates.append(arrived[-1] / took)
        each = " ".join(f"{rate:8,.0f}" for rate in rates)
        print(f"{name:22}{median(rates):11,.0f}{min(arrived):19,}   {each}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Readings per second that a hub takes.")
    parser.add_argument("--readings", type=int, default=200_000, help="in bare requests")
    parser.add_argument("--small", type=int, default=5_000, help="by each client")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    count, small = (n // CHANNELS * CHANNELS for n in (options.readings, options.small))

    line_by_line()
    print(machine())
    print(f"{count:,} readings bare, {small:,} by each client; median of {options.rounds} rounds\n")
    with tempfile.TemporaryDirectory() as folder:
        compare(count, small, options.rounds, Path(folder))


if __name__ == "__main__":
    main()
