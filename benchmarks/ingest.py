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
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.request import urlopen

from common import CHANNELS, alone, line_by_line, machine
from ingest_senders import BARE, CLIENTS, bare

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
