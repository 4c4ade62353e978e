"""What the benchmarks share: the same readings for everybody, and a process of one's own."""

from __future__ import annotations

import os
import platform
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import ParamSpec, TypeVar

from pilogger.sample import Sample

P = ParamSpec("P")
T = TypeVar("T")

SENSORS = {
    "air": ("temperature", "humidity", "pressure"),
    "soil": ("temperature", "moisture", "salinity"),
    "power": ("voltage", "current", "power"),
    "wind": ("speed", "direction", "gust"),
    "light": ("visible", "infrared", "ultraviolet"),
    "dust": ("pm1", "pm2_5", "pm10"),
    "tank": ("level", "flow"),
}
"""A small station: 20 channels as 7 sensors."""

CHANNELS = sum(map(len, SENSORS.values()))


def seconds(count: int, seed: int = 0) -> Iterator[list[Sample]]:
    """Poll the station once a second: readings of two decimals that walk at random."""
    random = Random(seed)
    level = {(sensor, name): 20.0 for sensor, names in SENSORS.items() for name in names}
    for second in range(count):
        samples = []
        for number, (sensor, names) in enumerate(SENSORS.items()):
            for name in names:
                level[sensor, name] += random.uniform(-1, 1)
            values = {name: round(level[sensor, name], 2) for name in names}
            boot = (second * 1000 + number) * 1000  # whole milliseconds, as the scheduler stamps
            samples.append(Sample(sensor, values, boot))
        yield samples


def alone(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do the work in a new process, which has nothing of this one but the arguments."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(work, args, kwargs)


def free_port() -> int:
    """Find a port of loopback where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def machine() -> str:
    """Name the day and the machine, for the results."""
    cpu = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            cpu = line.partition(":")[2].strip()
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {cpu}, {os.cpu_count()} cores, Linux {platform.release()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def line_by_line() -> None:
    """Show each line when it is printed, also through a pipe."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
