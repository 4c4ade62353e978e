"""Real processes that get a real SIGKILL at some system call, one after the other on one store."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

from crash_life import AMPLE, NAME
from crash_oracle import LIFE, Promises, judge, placed
from crash_rig import SAID

MOMENTS = {"pwrite64": 130, "write": 45, "fdatasync": 20, "ftruncate": 15, "unlink": 4}
"""How often a life of so few steps makes these calls; in a later one it is killed by itself."""
STEPS = 5
STORES = 25  # kills of one store; then it begins anew, as all of it is read each time


def kills(parent: Path, count: int, seed: int) -> tuple[int, Counter[str]]:
    """Kill so many processes; return how many died, and what was wrong afterwards how often."""
    random, wrong, died = Random(seed), Counter[str](), 0
    for number in range(count):
        folder = parent / f"{number // STORES}"
        if number % STORES == 0:
            folder.mkdir()
            (folder / SAID).touch()
            promises, heard = Promises(frozenset()), 0
        died += _kill(folder, random)
        said = (folder / SAID).read_bytes().splitlines()
        for words in said[heard:]:
            promises.hear(words)
        heard = len(said)
        files = {file.name: file.read_bytes() for file in folder.iterdir()}
        with placed(files) as copy:  # a look at the store itself would tidy it up
            wrong.update(judge(copy / NAME, promises, "kill"))
    return died, wrong


def _kill(folder: Path, random: Random) -> bool:
    """Let a process live in a folder until it is killed; whether it was."""
    (call,) = random.choices(list(MOMENTS), weights=list(MOMENTS.values()))
    when = random.randrange(1, MOMENTS[call] + 1)
    durability = random.choice((0, 3600))
    done = subprocess.run(
        [
            *("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"),
            *("-e", f"inject={call}:signal=KILL:when={when}"),
            *(sys.executable, LIFE, folder, f"{AMPLE}", f"{durability}", f"{STEPS}"),
        ],
        check=False,
        capture_output=True,
    )
    return done.returncode in (-9, 137)
