"""Real processes for end-to-end tests: an agent, a hub, and what their stores hold."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from pilogger import epoch, status
from pilogger.sample import Entry, Sample, series_key
from pilogger.store import Store, open_reader
from pilogger.store.schema import WALL

PATIENCE_S = 30.0

Held = tuple[str, str, object]
"""A reading in a store: its series, its epoch as exact text, its value."""


def eventually(what: Callable[[], Any], patience: float = PATIENCE_S) -> Any:
    """Wait until something is true; returns it."""
    end = time.monotonic() + patience
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(*arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run `pilogger ...`; it is killed at the end if it still runs."""
    running = subprocess.Popen(
        [sys.executable, "-m", "pilogger", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
    )
    try:
        yield running
    finally:
        if running.poll() is None:
            running.kill()
        running.wait()
        assert running.stdout is not None
        running.stdout.close()


@contextmanager
def hub(store: Path, port: int, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a hub on a port until the block ends; waits until it answers."""
    with process("hub", "--port", port, "--store", store, **environment) as running:
        assert running.stdout is not None
        assert f"hub at http://127.0.0.1:{port}\n" in iter(running.stdout.readline, "")
        yield running
        running.terminate()
        running.wait(PATIENCE_S)


@contextmanager
def agent(config: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run the agent of a config; waits until it answers for its status."""
    store = config.parent / "pilogger.db"
    with process("run", "--config", config, **environment) as running:
        eventually(lambda: running.poll() is not None or status.ask(store))
        assert running.poll() is None, running.stdout and running.stdout.read()
        yield running


def stop(running: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    """Ask a process to stop; returns all that it said."""
    running.send_signal(number)
    said, _ = running.communicate(timeout=PATIENCE_S)
    return said


def configure(folder: Path, hub_port: int | None = None, **more: object) -> Path:
    """Write a config of five fast sensors that sends to a hub on loopback."""
    sensors = {
        f"s{n}": {"driver": "simulated", "shape": "walk", "seed": n, "every": "20ms"}
        for n in range(5)
    }
    destination = {
        "type": "initialstate",
        "name": "hub",
        "bucket": {"key": "house"},
        "access_key": "key",
        "base_url": f"http://127.0.0.1:{hub_port}",
    }
    config = {
        "device": "rig",
        "sensors": sensors,
        "destinations": [destination] if hub_port else [],
        "store": {"path": str(folder / "pilogger.db")},
        "clock": {"trust": "system"},
        **more,
    }
    path = folder / "pilogger.yaml"
    path.write_text(json.dumps(config))  # YAML, too
    return path


def entries(store: Store, samples: Sequence[Sample]) -> list[Entry]:
    """The values of samples with an epoch and one nameless channel, by the ids of their series."""
    known = store.registry.series
    return [
        Entry(known[each.bucket, each.sensor], epoch.pack(each.epoch or ""), each.values[""])
        for each in samples
    ]


def held(store: Path) -> list[Held]:
    """Every reading of a store, in the order of arrival."""
    found = []
    with closing(open_reader(store)) as reader:
        rows = reader.execute(
            f"SELECT sensor, channels, {WALL}, epoch, data FROM sample"
            " JOIN source ON source.id = source JOIN segment ON segment.id = segment ORDER BY seq"
        )
        for sensor, channels, derived, override, data in rows:
            when = epoch.from_us(derived) if override is None else epoch.unpack(override)
            for channel, value in zip(json.loads(channels), json.loads(data), strict=True):
                if value is not None:
                    found.append((series_key(sensor, channel), when, value))
    return found


def by_series(readings: list[Held]) -> dict[str, list[tuple[str, object]]]:
    """Sort readings by series; within one, the order of arrival stays."""
    found: dict[str, list[tuple[str, object]]] = {}
    for series, when, value in readings:
        found.setdefault(series, []).append((when, value))
    return found
