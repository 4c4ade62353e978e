"""Bytes on the disk per reading, everything included: the store beside other databases.

    python benchmarks/store_size.py [--days 2] [--dir /var/tmp]

20 channels at 1 Hz, once with every value rounded to its step, and once with four of them raw
doubles, of which no coding saves more than one byte in eight. `du` counts after everybody had
the time to tidy up, so indexes, rollups and checksums are in it, and what is not sealed yet;
`blocks alone` is the sealed history without what surrounds it.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import closing
from itertools import islice
from pathlib import Path

from common import line_by_line, machine
from history import DAY, DECIMAL, MIXED, READINGS, Station, polls
from store_query import PEERS

from pilogger.store import open_reader

STATIONS = {"decimal": DECIMAL, "mixed": MIXED}


def taken(name: str, station: Station, seconds: int, folder: Path) -> dict[str, float]:
    """Load one of the peers; return bytes per reading by what they are."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        with closing(PEERS[name](Path(scratch))) as peer:
            peer.load(islice(polls(station), seconds))
            found = {name: peer.size() / (seconds * READINGS)}
        if name == "store":
            found["  blocks alone"] = blocks(Path(scratch, "readings.db"))
    return found


def blocks(path: Path) -> float:
    """Tell the bytes of a sealed reading."""
    with closing(open_reader(path)) as reader:
        (found,) = reader.execute(
            "SELECT sum(length(data)) * 1.0 / sum(readings) FROM block"
        ).fetchone()
    return float(found)


def main() -> None:
    parser = argparse.ArgumentParser(description="Bytes on the disk per reading.")
    parser.add_argument("--days", type=float, default=2)
    parser.add_argument("--dir", type=Path, default="/var/tmp", help="a folder on the disk")
    options = parser.parse_args()
    seconds = round(options.days * DAY)

    line_by_line()
    print(machine())
    print(f"{seconds * READINGS:,} readings of {READINGS} channels at 1 Hz, bytes per reading\n")
    print("                 " + "".join(f"{name:>9}" for name in STATIONS))
    for name in PEERS:
        found = [taken(name, station, seconds, options.dir) for station in STATIONS.values()]
        for what in found[0]:
            print(f"{what:17}" + "".join(f"{one[what]:9.2f}" for one in found))


if __name__ == "__main__":
    main()
