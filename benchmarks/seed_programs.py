"""Small programs as the three services' users write them; `seeds` runs them.

    python benchmarks/seed_programs.py CLIENT URL KEY COUNT RATE END [STORE]

Each logs the numbers from 0 to COUNT, RATE a second (0: as fast as it can), says "logged", waits
for a line, and ends: with close or flush, or by just ending. A drop-in and its original run the
same program with another import. "sent N" is how many good values it has logged, "told N" of how
many it heard that they were not delivered: by an exception, a returned False, a callback.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

BAD = {33: float("nan"), 66: object()}
"""In place of these numbers, where the values are to be bad: COUNT is below 0 then."""

Program = tuple[Callable[[object], object], Callable[[], object]]
"""Logs a value; and ends it all as the documentation says."""


def tell(count: int) -> None:
    print("told", count, flush=True)


def streamer(module: str, url: str, key: str, options: dict[str, Any]) -> Program:
    ini = Path("seeds.ini")
    ini.write_text(
        f"[isstreamer.client_config]\naccess_key: {key}\n"
        f"[isstreamer.api_config]\nstream_api_base: {url}\n"
    )
    make = import_module(module).Streamer
    it = make(bucket_name="Seeds", bucket_key="seeds", ini_file_location=str(ini), **options)
    return lambda value: it.log("n", value), it.close


def rudder(module: str, url: str, key: str, options: dict[str, Any]) -> Program:
    told: list[object] = []

    def heard(*given: object) -> None:
        told.extend(given)
        tell(len(told))

    make = import_module(module).Client
    it = make(key, url, on_error=lambda _, messages: heard(*messages), **options)

    def log(value: object) -> None:
        taken, message = it.track("pi", "e", {"n": value})
        if not taken:
            heard(message)

    return log, it.flush


def tempodb(module: str, url: str, key: str, _: dict[str, Any]) -> Program:
    """Keep what an exception told of, and send it with the next: the client has no queue."""
    package, address = import_module(module), urlsplit(url)
    it = package.Client(key, "secret", address.hostname, address.port, False)
    waiting: list[Any] = []

    def send() -> None:
        try:
            if waiting:
                it.write_key("n", waiting)
            waiting.clear()
        except package.TempoDBApiException:
            tell(len(waiting))
        except ValueError:
            waiting.pop()

    def log(value: object) -> None:
        waiting.append(package.DataPoint(datetime.now(UTC), value))
        send()

    return log, send


CLIENTS: dict[str, Callable[..., Program]] = {
    "pilogger.initialstate": streamer,
    "ISStreamer.Streamer": streamer,
    "pilogger.rudderstack": rudder,
    "rudderstack.analytics": rudder,
    "pilogger.tempodb": tempodb,
}


def main(arguments: Sequence[str]) -> None:
    name, url, key, count, rate, end, *store = arguments
    log, close = CLIENTS[name](name, url, key, {"store": store[0]} if store else {})
    bad = BAD if int(count) < 0 else {}
    start, sent = time.monotonic(), 0
    for number in range(abs(int(count))):
        log(bad.get(number, number))
        sent += number not in bad
        print("sent", sent, flush=True)
        if pace := float(rate):
            time.sleep(max(0.0, start + (number + 1) / pace - time.monotonic()))
    print("logged", flush=True)
    sys.stdin.readline()
    if end == "close":
        close()


if __name__ == "__main__":
    main(sys.argv[1:])
