"""How much comes back of damaged stores, and how soon a new one takes readings.

Each file is a store of some 19,000 readings, with history, fresh rows and a destination that
had half of it. Each is damaged in one of eight ways (see `tests/damage_rig.py`): bytes flipped
in the head, the schema, anywhere, or at the front of pages; pages zeroed, or scribbled over; the
end cut off.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from common import machine

from pilogger.sample import Sample
from pilogger.store import Store
from pilogger.testing import FakeClock

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from damage_rig import HARMS, NAME, Harm, Reading, declare, everything, is_hit, make, places

TRIES = 9


class Result(NamedTuple):
    """Of one file: readings that were not hit, and of them there; wrong ones; seconds."""

    undamaged: int
    kept: int
    wrong: int
    collecting: float
    replaced: bool


def run(path: Path, before: set[Reading], where: dict[int, list[Harm]], seed: int) -> Result:
    harms = HARMS[seed % len(HARMS)](path, Random(seed))
    hit = {seq for seq, spans in where.items() if is_hit(spans, harms)}
    undamaged = {reading for reading in before if reading[1] not in hit}
    began = time.perf_counter()
    store = Store.open(path, FakeClock(boot_id="boot-2"))
    declare(store)
    store.append([Sample("door", {"closed": True}, 200_000_000)])
    store.flush()
    collecting = time.perf_counter() - began
    own = store.last
    for _ in range(TRIES):
        with suppress(Exception):  # the store has heard of it, and does something about it
            store.inspect()
            store.seal()
            with store.writer.reading(store.writer.generation):
                everything(store)
            break
    replaced = bool(store.salvage.state())
    store.salvage.join(60)
    after = {reading for reading in everything(store) if reading[1] != own}
    store.close()
    return Result(len(undamaged), len(after & undamaged), len(after - before), collecting, replaced)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first file")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    results = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        whole.mkdir()
        before = make(whole, killed=False)
        where = dict(places(whole / NAME))
        for seed in range(options.first, options.first + options.files):
            place = Path(folder) / "run"
            shutil.copytree(whole, place)
            result = run(place / NAME, before, where, seed)
            results[HARMS[seed % len(HARMS)].__name__].append(result)
            shutil.rmtree(place)
    print(f"{machine()}; {options.files} files of {len(before):,} readings")
    results["all"] = [result for found in results.values() for result in found]
    for name, found in results.items():
        undamaged, kept, wrong, _, replaced = (sum(column) for column in zip(*found, strict=True))
        worst = min(result.kept / result.undamaged for result in found if result.undamaged)
        slowest = max(result.collecting for result in found)
        print(
            f"{name:16}{len(found):5} files {kept / undamaged:9.4%} kept (worst {worst:.2%}),"
            f" {wrong} wrong, {replaced} replaced, collecting after {slowest:.2f} s at most"
        )


if __name__ == "__main__":
    main()
