"""What does `pilogger run` cost a small machine? Memory, CPU, descriptors and threads.

    python benchmarks/resources.py [--minutes 10]

20 simulated channels at 1 Hz are stored and uploaded to a loopback sink. Beside it, at the
same time, run a bare Python that imported sqlite3, and the real RudderStack SDK at its
defaults, which sends 20 values at 1 Hz to the same sink and stores nothing. The kernel is
asked once a minute. First, one process shows what each import costs, in the order given:
what an earlier line has loaded is free for the later ones.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import sink
from common import line_by_line, machine

CHANNELS = 20
TICKS = os.sysconf("SC_CLK_TCK")

IMPORTS = (
    "sqlite3",
    "logging",
    "click",
    "yaml",
    "pydantic",
    "requests",
    "pilogger.config",
    "pilogger.agent",
    "pilogger.destinations.initialstate",
    "pilogger.sensors.simulated",
)

IMPORTER = """
import importlib, os, sys, time
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6
print(f"{'(Python itself)':36} {resident():6.1f}")
for name in sys.argv[1:]:
    before, start = resident(), time.perf_counter()
    importlib.import_module(name)
    print(f"{name:36} {resident() - before:6.1f} {1000 * (time.perf_counter() - start):6.0f}")
print(f"{'(all)':36} {resident():6.1f}")
"""

BARE = "import signal, sqlite3; signal.pause()"

RUDDER = """
import sys, time
import rudderstack.analytics as rudder
rudder.write_key, rudder.dataPlaneUrl = "key", sys.argv[1]
due = time.monotonic()
while True:
    for number in range(int(sys.argv[2])):
        rudder.track("bench", f"sensor{number}.value", {"value": time.time() % 60})
    due += 1
    time.sleep(max(0, due - time.monotonic()))
"""


class Usage(NamedTuple):
    """What a process holds, in MB, and the CPU seconds it has used."""

    rss: float
    pss: float
    cpu: float
    descriptors: int
    threads: int

    @classmethod
    def of(cls, process: subprocess.Popen[bytes]) -> Usage:
        """Ask the kernel; proc(5)."""
        folder = Path(f"/proc/{process.pid}")
        memory = dict(
            line.split()[:2] for line in (folder / "smaps_rollup").read_text().splitlines()[1:]
        )
        times = (folder / "stat").read_text().rpartition(")")[2].split()
        return cls(
            rss=int(memory["Rss:"]) * 1024 / 1e6,
            pss=int(memory["Pss:"]) * 1024 / 1e6,
            cpu=(int(times[11]) + int(times[12])) / TICKS,
            descriptors=len(list((folder / "fd").iterdir())),
            threads=int(times[17]),
        )


def config(folder: Path, url: str) -> Path:
    """Write the config of a logger that is busy all the time."""
    sensors = "".join(
        f"  sensor{number}: {{driver: simulated, shape: walk, every: 1s, seed: {number}}}\n"
        for number in range(CHANNELS)
    )
    file = folder / "pilogger.yaml"
    file.write_text(
        f"sensors:\n{sensors}"
        "destinations:\n"
        f"  - {{type: initialstate, access_key: key, bucket: {{key: bench}}, base_url: '{url}'}}\n"
        "store: {path: readings.db}\n"
        "clock: {trust: system}\n"
    )
    return file


@contextmanager
def process(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run this Python; end it as systemd would."""
    with subprocess.Popen([sys.executable, *map(str, arguments)]) as running:
        try:
            yield running
        finally:
            running.send_signal(signal.SIGTERM)


def watch(minutes: int) -> None:
    """Print a line for each process each minute."""
    with (
        tempfile.TemporaryDirectory() as folder,
        sink.running() as place,
        process("-m", "pilogger", "run", "--config", config(Path(folder), place.url)) as ours,
        process("-c", BARE) as bare,
        process("-c", RUDDER, place.url, CHANNELS) as rudder,
    ):
        watched = {"pilogger run": ours, "bare python": bare, "rudder 2.1.9": rudder}
        first: dict[str, Usage] = {}
        start = time.monotonic()
        print("minute  process         RSS MB  PSS MB  CPU s/h  files  threads")
        for minute in range(1, minutes + 1):
            time.sleep(max(0.0, start + 60 * minute - time.monotonic()))
            for name, running in watched.items():
                now = Usage.of(running)
                # Of the minutes after the first, as starting is done once.
                since = first.setdefault(name, now)
                hours = (minute - 1) / 60
                cpu = f"{(now.cpu - since.cpu) / hours:8.1f}" if hours else f"{'':8}"
                print(
                    f"{minute:6}  {name:14} {now.rss:7.1f} {now.pss:7.1f} {cpu}"
                    f" {now.descriptors:6} {now.threads:8}"
                )
        for name, since in first.items():
            print(f"{name}: {since.cpu:.1f} CPU s in the first minute")
        print(f"{place.taken()} readings arrived, of about {2 * CHANNELS * 60 * minutes}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory and CPU of a running logger.")
    parser.add_argument("--minutes", type=int, default=10)
    options = parser.parse_args()

    line_by_line()
    print(machine())
    print(f"\n{'import':36} RSS MB     ms")
    subprocess.run([sys.executable, "-c", IMPORTER, *IMPORTS], check=True)
    print(f"\n{CHANNELS} channels at 1 Hz")
    watch(options.minutes)


if __name__ == "__main__":
    main()
