"""Readings per second from a waiting store to a server, beside the services' own clients.

    python benchmarks/upload.py [--readings 50000] [--rounds 5]

One sink (see `sink.py`) takes what all have to say, each in a fresh process, in interleaved
rounds:

    pilogger           readings in a store that was closed and opened again: from the start of
                       its uploader to the last answer
    ISStreamer 2.0.0   the same readings, in a list: from the first `log` to the end of `close`
                       and of every thread; at its defaults, and with buffer_size=200
    rudder-sdk 2.1.9   the same list: from the first `track` to the end of `flush`; at its
                       defaults, and with a queue that is long enough to drop none

A rate counts the readings that arrived, and the sink counts them by parsing them. What it
takes from a bare socket, with prepared requests in the shape of each sender, is shown last:
that is the ceiling for everybody.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import sink
from common import CHANNELS, SENSORS, alone, line_by_line, machine, seconds

from pilogger.clock import SystemClock
from pilogger.destinations.initialstate import Bucket, InitialState
from pilogger.protocols import initialstate as wire
from pilogger.sample import Point, Value, series_key
from pilogger.store import Store
from pilogger.uploader import Uploader

EPOCH = 1_795_000_000
LONGEST_S = 300.0


class Reading(NamedTuple):
    """One reading as the peers take it."""

    series: str
    value: Value
    epoch: float


def readings(count: int) -> list[Reading]:
    return [
        Reading(series_key(sample.sensor, name), value, EPOCH + sample.boot / 1e6)
        for polled in seconds(count // CHANNELS)
        for sample in polled
        for name, value in sample.values.items()
    ]


def store(path: Path, count: int) -> None:
    """Make the store that waits for its uploader."""
    with closing(Store.open(path, SystemClock("system"))) as made:
        for sensor, names in SENSORS.items():
            made.declare(sensor, dict.fromkeys(names, "1"))
        for polled in seconds(count // CHANNELS):
            made.append(polled)


# -- the senders: each returns how long it took ------------------------------------------


def pilogger(url: str, path: Path, turn: int) -> float:
    clock, name = SystemClock("system"), f"round {turn}"  # a new destination begins at the start
    with closing(Store.open(path, clock)) as opened:
        place = InitialState("key", Bucket("bench"), url)
        uploader = Uploader(place, opened.outbox(name), clock, name)
        start = time.perf_counter()
        uploader.start()
        uploader.drain(LONGEST_S)
        took = time.perf_counter() - start
        uploader.stop(1.0)
    return took


def isstreamer(url: str, count: int, **options: Any) -> float:
    from ISStreamer.Streamer import Streamer

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # where it leaves events that it failed to send
        ini = Path("bench.ini")
        ini.write_text(
            f"[isstreamer.client_config]\naccess_key: key\n"
            f"[isstreamer.api_config]\nstream_api_base: {url}\n"
        )
        waiting = readings(count)
        streamer = Streamer("bench", "bench", ini_file_location=str(ini), **options)
        start = time.perf_counter()
        for reading in waiting:
            streamer.log(*reading)
        streamer.close()
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join()
        took = time.perf_counter() - start
        os.chdir("/")
    return took


def rudder(url: str, count: int, **options: Any) -> float:
    from rudderstack import analytics

    logging.getLogger("rudderstack").setLevel(logging.CRITICAL)  # a line for each it drops
    analytics.write_key, analytics.dataPlaneUrl = "key", url
    for name, value in options.items():
        setattr(analytics, name, value)
    waiting = readings(count)
    start = time.perf_counter()
    for series, value, _ in waiting:
        analytics.track("bench", series, {"value": value})
    analytics.flush()
    return time.perf_counter() - start


# -- the sink alone ----------------------------------------------------------------------


def ceiling(url: str, shape: str, count: int) -> float:
    """Pour prepared requests into the sink; return the readings that it takes per second."""
    some = readings(count)
    if shape == "pilogger":
        size = 900
        points = [Point(n, r.series, str(r.epoch), r.value) for n, r in enumerate(some[:size])]
        request = _post(wire.EVENTS_PATH, wire.encode_events(points))
    elif shape == "rudder":
        from rudderstack.analytics.client import Client

        size, client = 100, Client("key", send=False)
        batch = [client.track("bench", r.series, {"value": r.value})[1] for r in some[:size]]
        packed = gzip.compress(json.dumps({"batch": batch, "sentAt": ""}).encode())
        request = _post("/v1/batch", packed, "Content-Encoding: gzip\r\n")
    else:
        size = 10
        events = [{"key": r.series, "value": r.value, "epoch": r.epoch} for r in some[:size]]
        request = _post(wire.EVENTS_PATH, json.dumps(events).encode())
    address = (urlsplit(url).hostname, urlsplit(url).port)
    connection = socket.create_connection(address)
    start = time.perf_counter()
    for _ in range(count // size):
        if shape == "isstreamer":  # a connection for each request
            connection.close()
            connection = socket.create_connection(address)
        connection.sendall(request)
        connection.recv(4096)
    took = time.perf_counter() - start
    connection.close()
    return count // size * size / took


def _post(path: str, body: bytes, extra: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: sink\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


# -- the comparison ----------------------------------------------------------------------


def compare(count: int, rounds: int, place: sink.Sink, folder: Path) -> None:
    """Print a line for each sender."""
    path = folder / "readings.db"
    store(path, count)
    senders: dict[str, Callable[[int], float]] = {
        "pilogger": lambda turn: alone(pilogger, place.url, path, turn),
        "ISStreamer": lambda _: alone(isstreamer, place.url, count),
        "  buffer of 200": lambda _: alone(isstreamer, place.url, count, buffer_size=200),
        "rudder-sdk": lambda _: alone(rudder, place.url, count),
        "  long queue": lambda _: alone(rudder, place.url, count, max_queue_size=count),
    }
    rates: dict[str, list[float]] = {name: [] for name in senders}
    arrived: dict[str, list[int]] = {name: [] for name in senders}
    for turn in range(rounds):
        for name, send in senders.items():
            took = send(turn)
            arrived[name].append(place.taken())
            rates[name].append(arrived[name][-1] / took)
    ours = median(rates["pilogger"])
    print("sender            readings/s   pilogger is   arrived at least   rounds")
    for name, found in rates.items():
        each = " ".join(f"{rate:7,.0f}" for rate in found)
        times = ours / median(found)
        print(f"{name:16} {median(found):11,.0f} {times:11.1f} x {min(arrived[name]):18,}   {each}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Readings per second to a loopback server.")
    parser.add_argument("--readings", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    count = options.readings // CHANNELS * CHANNELS

    line_by_line()
    print(machine())
    print(f"{count:,} readings to a sink on loopback, median of {options.rounds} rounds\n")
    with tempfile.TemporaryDirectory() as folder, sink.running() as place:
        compare(count, options.rounds, place, Path(folder))
        print("\nthe sink alone    readings/s")
        for shape in ("pilogger", "isstreamer", "rudder"):
            print(f"  {shape:14} {alone(ceiling, place.url, shape, count):11,.0f}")


if __name__ == "__main__":
    main()
