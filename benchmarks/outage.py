"""A server that is down while readings are taken, then comes back: what arrives, and when.

    python benchmarks/outage.py [--down 20] [--rate 50]

Each sender, in a process of its own, logs at a steady rate while nothing listens on its
port; then its sink starts. Counted are the readings that arrived, and the seconds from
the sink's start to the last of them. The sender is then given a minute to do better.

    pilogger           store and uploader, at their defaults
    ISStreamer 2.0.0   at its defaults, closed when the server is back
    rudder-sdk 2.1.9   at its defaults, flushed when the server is back
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import sink
from common import free_port, line_by_line, machine

from pilogger.clock import SystemClock
from pilogger.destinations.initialstate import Bucket, InitialState
from pilogger.sample import Sample
from pilogger.store import Store
from pilogger.uploader import Uploader

LONGEST_S = 60.0


class Outcome(NamedTuple):
    """Readings that arrived, and when the last did, in seconds after the server was back."""

    arrived: int
    last: float


def paced(count: int, rate: float, log: Callable[[int], None]) -> None:
    """Call `log` at a steady rate."""
    start = time.monotonic()
    for number in range(count):
        log(number)
        time.sleep(max(0.0, start + (number + 1) / rate - time.monotonic()))


def pilogger(url: str, count: int, rate: float, back: Any) -> None:
    clock = SystemClock("system")
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder, "x.db"), clock)
        store.declare("sensor", {"value": "1"})
        place = InitialState("key", Bucket("outage"), url)
        uploader = Uploader(place, store.outbox("sink"), clock, "sink")
        uploader.start()

        def log(number: int) -> None:
            store.append([Sample("sensor", {"value": number}, clock.boot())])

        paced(count, rate, log)
        back.wait()
        uploader.drain(LONGEST_S)
        uploader.stop(1)
        store.close()


def isstreamer(url: str, count: int, rate: float, back: Any) -> None:
    from ISStreamer.Streamer import Streamer

    with tempfile.TemporaryDirectory() as folder:
        ini = Path(folder, "isstreamer.ini")
        ini.write_text(
            f"[isstreamer.client_config]\naccess_key: key\n"
            f"[isstreamer.api_config]\nstream_api_base: {url}\n"
        )
        streamer = Streamer(bucket_name="b", bucket_key="b", ini_file_location=str(ini))
        paced(count, rate, lambda n: streamer.log("sensor.value", n))
        back.wait()
        with suppress(Exception):
            streamer.close()


def rudder(url: str, count: int, rate: float, back: Any) -> None:
    import rudderstack.analytics as client

    client.write_key, client.dataPlaneUrl = "key", url
    paced(count, rate, lambda n: client.track("user", "sensor.value", {"value": n}))
    back.wait()
    client.flush()


SENDERS = {"pilogger": pilogger, "ISStreamer": isstreamer, "rudder-sdk": rudder}


def measure(name: str, count: int, rate: float) -> Outcome:
    """Log against a closed port, open it, and watch what comes."""
    context = get_context("spawn")
    port, back = free_port(), context.Event()
    sender = context.Process(
        target=quietly, args=(name, f"http://127.0.0.1:{port}", count, rate, back), daemon=True
    )
    sender.start()
    time.sleep(count / rate + 2)  # a process takes a while to start
    with sink.running(port) as place:
        start, arrived, last = time.monotonic(), 0, float("nan")
        back.set()
        while arrived < count and (now := time.monotonic()) < start + LONGEST_S:
            if more := place.taken():
                arrived, last = arrived + more, now - start
            time.sleep(0.02)
    sender.kill()
    sender.join()
    return Outcome(arrived, last)


def quietly(name: str, *arguments: Any) -> None:
    """Run a sender without what it prints of its troubles."""
    logging.disable()
    with open("/dev/null", "w") as nowhere, redirect_stdout(nowhere):
        SENDERS[name](*arguments)


def main() -> None:
    line_by_line()
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--down", type=float, default=20.0, help="seconds without a server")
    options.add_argument("--rate", type=float, default=50.0, help="readings per second")
    chosen = options.parse_args()
    count = round(chosen.down * chosen.rate)
    print(machine())
    print(f"{count:,} readings at {chosen.rate:g}/s while the server is down, then it is back\n")
    print(f"{'sender':<12}{'arrived':>9}{'last after':>13}")
    with ThreadPoolExecutor(len(SENDERS)) as pool:
        found = pool.map(lambda name: measure(name, count, chosen.rate), SENDERS)
        for name, outcome in zip(SENDERS, found, strict=True):
            print(f"{name:<12}{outcome.arrived:>9,}{outcome.last:>11.1f} s")


if __name__ == "__main__":
    main()
