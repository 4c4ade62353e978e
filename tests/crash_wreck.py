"""Lives in which the disk fails, before the power does.

What comes back of a damaged store is found by letting it live to its end without a cut.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

from crash_life import AMPLE, DAMAGED, FAULTS, NAME, SALVAGE
from crash_oracle import LIFE, Promises, Record, Whole, live, opened, placed
from crash_rig import SAID, Event, record
from damage_rig import (
    flip_page_heads,
    flip_some,
    one_by_one,
    scribble_page,
    truncate,
    zero_first,
    zero_page,
)

HARMS = (flip_page_heads, flip_some, scribble_page, truncate, zero_page)

SOMETIMES = 0.7


def wrecked(folder: Path, durability: float, steps: int, seed: int) -> Record:
    """Record a life whose store is damaged while nobody ran: the next start moves it aside."""
    life = live(folder, AMPLE, durability, steps, times=1)
    events = life.events + list(_harmed(folder, Random(seed)))
    for how in ("", SALVAGE):
        events += record(folder, LIFE, folder, AMPLE, durability, steps, how)
    return _judged(Record(life.before, life.had, events), folder)


def broken(folder: Path, durability: float, steps: int, table: str) -> Record:
    """Record a life in which a table is damaged below the feet of who uses it."""
    life = live(folder, AMPLE, durability, steps, times=1)
    events = record(folder, LIFE, folder, AMPLE, durability, steps, table)
    said = next(n for n, event in enumerate(events) if DAMAGED in f"{event.data!r}")
    at = next(n for n in range(said, len(events)) if events[n].name == NAME)
    events[at] = events[at]._replace(what="harm")
    return _judged(Record(life.before, life.had, life.events + events), folder)


def refused(folder: Path, durability: float, steps: int, fault: str) -> Record:
    """Record a life in which the disk refuses some calls, from the second start on."""
    life = live(folder, AMPLE, durability, steps, times=1)
    arguments = (folder, AMPLE, durability, steps, FAULTS)
    events = record(folder, LIFE, *arguments, faults=[fault])
    return life._replace(events=life.events + events)


def _harmed(folder: Path, random: Random) -> Iterator[Event]:
    """Damage a store; yield what its card did then."""
    path = folder / NAME
    if random.random() < SOMETIMES:
        random.choice(HARMS)(path, random)
    zero_first(path, random)
    left = path.read_bytes()
    yield Event("say", SAID, json.dumps([DAMAGED]).encode())
    yield Event("harm", NAME, left)
    yield Event("truncate", NAME, at=len(left))
    yield Event("sync", NAME, at=-1)
    yield Event("synced", NAME, at=-1)


def _judged(life: Record, folder: Path) -> Record:
    """Say what comes back, now that it lives no more and nothing was cut."""
    promises = Promises(life.had)
    again = set[int]()
    for event in life.events:
        if event.what == "say":
            what, *numbers = json.loads(event.data)
            if what == "sent":
                again |= promises.settled("kill") & {*numbers}
            promises.hear(event.data)
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    with placed(files) as copy, opened(copy / NAME) as store:
        readings = frozenset(one_by_one(store))
    kept = any(file.is_dir() for file in folder.iterdir())
    return life._replace(whole=Whole(readings, frozenset(again), kept))
