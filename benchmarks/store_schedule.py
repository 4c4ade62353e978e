"""How late are polls while a store appends, and seals all the time? 20 sensors at 1 Hz.

    python benchmarks/store_schedule.py [--for 60] [--backlog 72] [--dir /var/tmp]

The rig of `schedule.py`: 20 sensors at 1 Hz, ten on one bus and ten with a worker each, and
beside them the loop that everybody writes first. They run three times: alone; with their samples
going through the recorder into a store; and the same with a store that opens on a long
backlog, as after an upgrade, so that its own thread seals from the first second to the last.
`often` is that again with threads that take turns as often as `pilogger run` lets them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from itertools import chain, islice
from pathlib import Path

from common import line_by_line, machine
from history import HOUR, MIXED, declare, polls
from ours import NEVER_S
from schedule import SENSORS, Begun, measure, report

from pilogger.channel import Channel, units
from pilogger.clock import SystemClock
from pilogger.daemon import SWITCH_S
from pilogger.recorder import Recorder
from pilogger.store import Store, open_reader
from pilogger.testing import FakeClock

AT_ONCE = 1800  # seconds of the backlog in one call
DRAIN_S = 60.0


def put_by(path: Path, seconds: int) -> None:
    """Make a store that has not sealed anything."""
    with closing(Store.open(path, FakeClock(), durability=NEVER_S)) as store:
        store.sealer.stop()
        rest = islice(polls(MIXED), seconds)
        while batch := list(islice(rest, AT_ONCE)):
            declare(store, batch[0])
            store.append([*chain.from_iterable(batch)])
            store.flush()


def stored(path: Path, seconds: float) -> tuple[Begun, str]:
    """Poll into a store; return when each poll began, and what became of the samples."""
    with closing(Store.open(path, SystemClock("system"))) as store:
        recorder = Recorder(store)

        def tell(sensor: str, channels: Mapping[str, Channel]) -> None:
            recorder.declare(sensor, units(channels))

        recorder.start()
        begun = measure(seconds, recorder.put, tell)
        recorder.stop(DRAIN_S)
        store.flush()
        return begun, f"{sealed(store):,} samples were sealed, {store.sealer.waiting:,} wait"


def sealed(store: Store) -> int:
    """Count the samples in blocks."""
    with closing(open_reader(store.path)) as reader:
        (found,) = reader.execute("SELECT ifnull(sum(samples), 0) FROM block").fetchone()
    return int(found)


def main() -> None:
    parser = argparse.ArgumentParser(description="Lateness while the store works.")
    parser.add_argument("--for", dest="seconds", type=float, default=60, help="seconds per run")
    parser.add_argument("--backlog", type=float, default=72, help="hours of 20 channels to seal")
    parser.add_argument("--dir", type=Path, default="/var/tmp", help="a folder on the disk")
    options = parser.parse_args()

    line_by_line()
    print(machine())
    print(f"{SENSORS} sensors at 1 Hz for {options.seconds:g} s; lateness and drift in ms")
    print("store  worker  polls       p50       p99       max     drift")
    report("none", measure(options.seconds))
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        begun, _ = stored(Path(folder, "plain.db"), options.seconds)
        report("plain", begun)
        for name, interval in (("seals", sys.getswitchinterval()), ("often", SWITCH_S)):
            path = Path(folder, f"{name}.db")
            put_by(path, round(options.backlog * HOUR))
            sys.setswitchinterval(interval)
            begun, became = stored(path, options.seconds)
            report(name, begun)
            print(f"  ({became})")


if __name__ == "__main__":
    main()
