"""InfluxDB and VictoriaMetrics as peers: started on loopback, and stopped, by the benchmark.

Both take line protocol in big batches over HTTP, and answer over a connection that is kept.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from http.client import HTTPConnection
from itertools import chain, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from common import free_port
from history import ONE
from peers import HOUR_MS, Hour, Point, disk, milliseconds

from pilogger.sample import Sample

((SENSOR, (FIELD,)),) = ONE.items()

BATCH = 50_000  # lines in a request
START_S = 30.0
QUIET_S = 5.0  # a server whose files do not change for so long has put them in order
STOP_S = 30.0


class Server:
    """A process of one's own, and the connection to it."""

    def __init__(self, folder: Path, package: str, command: Sequence[str], port: int) -> None:
        if shutil.which(command[0]) is None:
            sys.exit(
                f"{command[0]} not found: sudo apt install {package}\n"
                f"(its own service is not needed: sudo systemctl disable --now {package})"
            )
        self.folder = folder
        self._name = command[0]
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._connection = HTTPConnection("127.0.0.1", port, timeout=600)

    def wait(self, path: str) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + START_S
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                self.ask(path)
            except OSError:
                self._connection.close()
                time.sleep(0.1)
            else:
                return
        self.close()
        sys.exit(f"{self._name} did not start: {(self.folder / 'log').read_text()}")

    def ask(self, path: str, body: bytes | None = None, /, **query: str) -> bytes:
        """Ask once, by POST if there is a body; exits with the server's words if it refuses."""
        method = "GET" if body is None else "POST"
        self._connection.request(method, f"{path}?{urlencode(query)}", body)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            sys.exit(f"{path} answered {answer.status}: {content.decode(errors='replace')}")
        return content

    def load(self, polled: Iterable[list[Sample]], **query: str) -> None:
        """Send all as line protocol."""
        lines = (line(sample) for sample in chain.from_iterable(polled))
        while batch := "\n".join(islice(lines, BATCH)):
            self.ask("/write", batch.encode(), precision="ms", **query)

    def settle(self) -> None:
        """Wait until the files stay as they are."""
        size, since = -1, time.monotonic()
        while time.monotonic() - since < QUIET_S:
            if (now := disk(self.folder)) != size:
                size, since = now, time.monotonic()
            time.sleep(0.2)

    def close(self) -> None:
        self._connection.close()
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def line(sample: Sample) -> str:
    """Write a sample in InfluxDB's line protocol; an `i` marks whole numbers."""
    fields = ",".join(
        f"{name}={value}" + "i" * (type(value) is int) for name, value in sample.values.items()
    )
    return f"{sample.sensor} {fields} {milliseconds(sample)}"


def seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}"


INFLUX = """
reporting-disabled = true
bind-address = "127.0.0.1:{backup}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  cache-snapshot-write-cold-duration = "1s"
  compact-full-write-cold-duration = "1s"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
"""
"""Its defaults, but that it compacts at once what it would compact after hours."""


class InfluxDB:
    """InfluxDB 1.6, asked in InfluxQL."""

    def __init__(self, folder: Path) -> None:
        port, config = free_port(), folder / "influxdb.conf"
        config.write_text(INFLUX.format(folder=folder, port=port, backup=free_port()))
        self._server = Server(folder, "influxdb", ["influxd", "-config", str(config)], port)
        self._server.wait("/ping")
        self._server.ask("/query", b"", q="CREATE DATABASE bench")

    def load(self, polled: Iterable[list[Sample]]) -> None:
        self._server.load(polled, db="bench")
        self._server.settle()

    def size(self) -> int:
        return disk(self._server.folder / "data") + disk(self._server.folder / "wal")

    def by_hour(self, start: int, end: int) -> list[Hour]:
        what = ", ".join(f"{name}({FIELD})" for name in ("count", "mean", "min", "max"))
        return [Hour(*row) for row in self._ask(what, start, end, "GROUP BY time(1h)")]

    def raw(self, start: int, end: int) -> list[Point]:
        return [(time, value) for time, value in self._ask(FIELD, start, end)]

    def _ask(self, what: str, start: int, end: int, how: str = "") -> list[Any]:
        query = f"SELECT {what} FROM {SENSOR} WHERE time >= {start}ms AND time < {end}ms {how}"
        answer = json.loads(self._server.ask("/query", db="bench", epoch="ms", q=query))
        found: list[Any] = answer["results"][0]["series"][0]["values"]
        return found

    def close(self) -> None:
        self._server.close()


class VictoriaMetrics:
    """VictoriaMetrics, asked in MetricsQL.

    A window of its ends at the moment asked for, that moment in it, so the last millisecond
    of each hour is asked for. `nocache` makes it look at the data each time.
    """

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self._data = folder / "data"
        options = {
            "storageDataPath": self._data,
            "httpListenAddr": f"127.0.0.1:{port}",
            "retentionPeriod": "100y",
        }
        command = ["victoria-metrics", *(f"-{name}={value}" for name, value in options.items())]
        self._server = Server(folder, "victoria-metrics", command, port)
        self._server.wait("/health")

    def load(self, polled: Iterable[list[Sample]]) -> None:
        self._server.load(polled)
        self._server.ask("/internal/force_flush")
        self._server.ask("/internal/force_merge")
        self._server.settle()

    def size(self) -> int:
        return disk(self._data)

    def by_hour(self, start: int, end: int) -> list[Hour]:
        wanted = ("count", "avg", "min", "max")
        functions = ", ".join(f'"{name}_over_time"' for name in wanted)
        answer = self._ask(
            "/api/v1/query_range",
            query=f"aggr_over_time(({functions}), {SENSOR}_{FIELD}[1h])",
            start=seconds(start + HOUR_MS - 1),
            end=seconds(end - 1),
            step="1h",
        )
        found = {
            one["metric"]["rollup"].removesuffix("_over_time"): one["values"] for one in answer
        }
        return [
            Hour(round(1000 * end) + 1 - HOUR_MS, int(count), float(mean), float(low), float(high))
            for (end, count), (_, mean), (_, low), (_, high) in zip(
                *(found[name] for name in wanted), strict=True
            )
        ]

    def raw(self, start: int, end: int) -> list[Point]:
        span = f"{SENSOR}_{FIELD}[{end - start}ms]"
        (found,) = self._ask("/api/v1/query", query=span, time=seconds(end - 1))
        return [(round(1000 * time), float(value)) for time, value in found["values"]]

    def _ask(self, path: str, **query: str) -> list[Any]:
        answer = json.loads(self._server.ask(path, nocache="1", **query))
        found: list[Any] = answer["data"]["result"]
        return found

    def close(self) -> None:
        self._server.close()
