"""The master test for as long as there is time: `make soak [SEEDS="17 20-30"] [FOR=1h]`.

Prints a line for each seed. It stops at the first that fails, and says how to repeat it: the
seed gives the faults and their order; when each comes, to the millisecond, is up to the machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import mkdtemp

from test_master import FAULTS, live_through

from pilogger.config.durations import seconds


def seeds(chosen: list[str]) -> Iterator[int]:
    """Yield what was asked for, as in 17 20-30; or seeds without end, others each time."""
    for part in chosen:
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)
    if not chosen:
        yield from count(Random().randrange(10**6) * 1000)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("seeds", nargs="*", help="as in 17 20-30; without end if none is given")
    options.add_argument("--for", dest="time", default="10m", help="how long, as in 1h")
    options.add_argument("--faults", type=int, default=FAULTS, help="in the life of a seed")
    chosen = options.parse_args()
    until = time.monotonic() + seconds(chosen.time)
    total, lives, confirmed = Counter[str](), 0, 0
    for seed in seeds(chosen.seeds):
        if time.monotonic() > until:
            break
        folder = mkdtemp()
        try:
            world = live_through(Path(folder), seed, chosen.faults)
        except BaseException as error:
            print(f"seed {seed} FAILED: {error}\nits stores are in {folder}", flush=True)
            print(f"to repeat it: make soak SEEDS={seed}", flush=True)
            raise
        rmtree(folder)
        total += world.happened
        lives += 1
        confirmed += len(world.oracle.confirmed)
        told = ", ".join(f"{name} {n}" for name, n in sorted(world.happened.items()))
        print(f"seed {seed}: {len(world.oracle.confirmed):,} readings; {told}", flush=True)
    told = ", ".join(f"{name} {n}" for name, n in sorted(total.items()))
    print(f"{lives} seeds, {confirmed:,} confirmed readings, none lost; {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
