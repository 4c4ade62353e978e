"""Simulated power cuts and real kills of a store, in numbers that no suite has time for.

    python benchmarks/power_cuts.py [--cuts 100000] [--kills 1000] [--seed 1]

A cut: the life of a store is recorded by strace, and the power fails at a random moment of it;
of what was not synced, each sector is kept or lost at random (`tests/crash_rig.py`). Every life
is recorded anew for each 2,500 cuts. Then pilogger opens the store, and what it has is compared
with what was confirmed. The controls are the same with a store that syncs too little, and must
lose something.

A kill: a process that appends, seals and sends gets SIGKILL at a random system call, all on one
store; at the end, each confirmed reading must be in it once.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from common import machine

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from crash_kill import kills
from crash_life import AMPLE, NARROW
from crash_oracle import live, run

LIVES = {
    "a commit for each append": (AMPLE, 0, 20),
    "a commit now and then": (AMPLE, 3600, 20),
    "retention, a commit for each append": (NARROW, 0, 30),
    "retention, a commit now and then": (NARROW, 3600, 30),
}
CONTROLS = {
    "control: synchronous=OFF": (AMPLE, 0, 20, "OFF"),
    "control: synchronous=NORMAL": (AMPLE, 0, 20, "NORMAL"),
}
RECORDED_FOR = 2500  # cuts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(machine())
    failed = 0
    for name, arguments in LIVES.items():
        failed += show(name, arguments, options.cuts // len(LIVES), options.seed)
    for name, control in CONTROLS.items():
        show(name, control, options.cuts // 100, options.seed)
    if options.kills:
        with TemporaryDirectory() as folder:
            began = time.perf_counter()
            died, wrong = kills(Path(folder), options.kills, options.seed)
            print(f"kill -9: {died:,} in {time.perf_counter() - began:,.0f} s: {words(wrong)}")
            failed += bool(wrong)
    sys.exit(failed > 0)


def show(name: str, arguments: tuple[object, ...], cuts: int, seed: int) -> bool:
    """Cut so often, and tell; True if anything was wrong."""
    began, done, wrong = time.perf_counter(), 0, Counter[str]()
    while done < cuts:
        with TemporaryDirectory() as parent:
            folder = Path(parent, "life")
            folder.mkdir()
            tally = run(live(folder, *arguments), min(RECORDED_FOR, cuts - done), seed + done)
        done += max(1, tally.done)
        wrong += tally.wrong
    print(f"{name}: {done:,} cuts in {time.perf_counter() - began:,.0f} s: {words(wrong)}")
    sys.stdout.flush()
    return bool(wrong)


def words(wrong: Counter[str]) -> str:
    return "; ".join(f"{what}: {count:,}" for what, count in wrong.items()) or "nothing lost"


if __name__ == "__main__":
    main()
