"""Simulated power cuts and real kills of a store, in numbers that no suite has time for.

    python benchmarks/power_cuts.py [--cuts 100000] [--damaged 10000] [--refused 10000]
        [--kills 1000] [--seed 1]

A cut: the life of a store is recorded by strace, and the power fails at a random moment of it;
of what was not synced, each sector is kept or lost at random (`tests/crash_rig.py`). Every life
is recorded anew for each 500 cuts. Then pilogger opens the store, and what it has is compared
with what was confirmed. The controls are the same with a store that syncs too little, and must
lose something.

With `--damaged`, the store of a life is damaged, gets out of the way, and what it held comes back
and is sent: at any moment of that the power fails. With `--refused`, the disk refuses writes and
syncs now and then, checkpoints among them, and later loses its power.

A kill: a process that appends, seals and sends gets SIGKILL at a random system call, all on one
store; at the end, each confirmed reading must be in it once.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from common import machine

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from crash_kill import kills
from crash_life import AMPLE, NARROW
from crash_oracle import Record, live, run
from crash_wreck import broken, refused, wrecked

Life = Callable[[Path, int], Record]
"""Records itself in a folder, with a seed."""


def plain(*arguments: object) -> Life:
    return lambda folder, _: live(folder, *arguments)


def damaged(durability: float) -> Life:
    return lambda folder, seed: wrecked(folder, durability, 10, seed)


def harmed(durability: float, table: str) -> Life:
    return lambda folder, _: broken(folder, durability, 10, table)


def failing(durability: float, fault: str, often: int) -> Life:
    """Vary by the seed when it fails for the first time, and how often then."""
    return lambda folder, seed: refused(
        folder, durability, 20, f"{fault}:when={often + seed % 17}..400+{often + seed % 23}"
    )


LIVES = {
    "a commit for each append": plain(AMPLE, 0, 20),
    "a commit now and then": plain(AMPLE, 3600, 20),
    "retention, a commit for each append": plain(NARROW, 0, 30),
    "retention, a commit now and then": plain(NARROW, 3600, 30),
}
WRECKS = {
    "damaged at the start, a commit for each append": damaged(0),
    "damaged at the start, a commit now and then": damaged(3600),
    "damaged while it is used, a commit for each append": harmed(0, "block"),
    "damaged while it is used, a commit now and then": harmed(3600, "sample"),
}
REFUSALS = {
    "syncs fail (EIO), a commit for each append": failing(0, "fdatasync:error=EIO", 11),
    "syncs fail (EIO), a commit now and then": failing(3600, "fdatasync:error=EIO", 11),
    "writes fail (EIO), a commit for each append": failing(0, "pwrite64:error=EIO", 40),
    "writes fail (ENOSPC), a commit for each append": failing(0, "pwrite64:error=ENOSPC", 40),
}
CONTROLS = {
    "control: synchronous=OFF": plain(AMPLE, 0, 20, "OFF"),
    "control: synchronous=NORMAL": plain(AMPLE, 0, 20, "NORMAL"),
}
RECORDED_FOR = 500  # cuts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=100_000)
    parser.add_argument("--damaged", type=int, default=10_000, help="cuts of damaged stores")
    parser.add_argument("--refused", type=int, default=10_000, help="cuts after failed writes")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(machine())
    failed = 0
    for lives, cuts in (
        (LIVES, options.cuts),
        (WRECKS, options.damaged),
        (REFUSALS, options.refused),
    ):
        for name, life in lives.items():
            failed += show(name, life, cuts // len(lives), options.seed)
    for name, life in CONTROLS.items():
        show(name, life, options.cuts // 100, options.seed)
    if options.kills:
        with TemporaryDirectory() as folder:
            began = time.perf_counter()
            died, wrong = kills(Path(folder), options.kills, options.seed)
            print(f"kill -9: {died:,} in {time.perf_counter() - began:,.0f} s: {words(wrong)}")
            failed += bool(wrong)
    sys.exit(failed > 0)


def show(name: str, life: Life, cuts: int, seed: int) -> bool:
    """Cut so often, and tell; True if anything was wrong."""
    if not cuts:
        return False
    began, done, wrong = time.perf_counter(), 0, Counter[str]()
    while done < cuts:
        with TemporaryDirectory() as parent:
            folder = Path(parent, "life")
            folder.mkdir()
            tally = run(life(folder, seed + done), min(RECORDED_FOR, cuts - done), seed + done)
        done += max(1, tally.done)
        wrong += tally.wrong
    print(f"{name}: {done:,} cuts in {time.perf_counter() - began:,.0f} s: {words(wrong)}")
    sys.stdout.flush()
    return bool(wrong)


def words(wrong: Counter[str]) -> str:
    return "; ".join(f"{what}: {count:,}" for what, count in wrong.items()) or "nothing lost"


if __name__ == "__main__":
    main()
