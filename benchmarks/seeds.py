"""What becomes of events when things go wrong: the drop-in clients beside their originals.

    python benchmarks/seeds.py [--only outage kill ...] [--down 20] [--watch 60]

Each program (see `seed_programs`) runs in a process and a home of its own, at the client's
defaults, and sends to a hub of its own, before which a server misbehaves (see `between`).
Where it was killed, or ended before all was sent, it is started again, and logs nothing more.

    sent     events that the program logged, without those of bad values
    arrived  of them, on the hub's disk
    told     how many the program heard of: by an exception, a returned False, a callback
    twice    stored twice, by a server that knows no repetition, and by the hub
    last     the last event, in seconds after the server was well (or the program began) again
    exit     the program's end, in seconds after its last log; it is killed after `--watch`
    threads  the most that it had

The originals are ISStreamer 2.0.0 and rudder-sdk-python 2.1.9. That of TempoDB, 0.5.0, needs
Python 2 and is not here. Neither it nor ours has a queue: our program keeps in a list what an
exception told of, and sends it with the next.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from between import Handler, answer, say_nothing
from common import line_by_line, machine
from seed_case import Case, Result
from seed_programs import CLIENTS

RATE = 50  # events a second
FAST = 200

Row = Callable[[Case, float], None]
"""What happens, given for how many seconds the server is in trouble."""


def burst(case: Case, down: float) -> None:
    """1,000 at once while the server is down, then it is up."""
    program = case.start(1000)
    time.sleep(down)
    case.up()
    case.end(program)


def outage(case: Case, down: float) -> None:
    """50 a second for as long as the server is down, then it is up."""
    program = case.start(round(down * RATE), RATE)
    program.logged.wait(down + 2)  # a process takes a while to start
    case.up()
    case.end(program)


def middle(case: Case, down: float) -> None:
    """50 a second; the server is down from the 5th second on, and up for the last 5."""
    case.up()
    program = case.start(round((down + 10) * RATE), RATE)
    time.sleep(5)
    case.down()
    time.sleep(down)
    case.up()
    case.end(program)


def kill(case: Case, _: float) -> None:
    """SIGKILL after 1,030 at 200 a second, all well."""
    case.up()
    case.kill(case.start(1030, FAST))
    case.up()
    case.again()


def kill_500(case: Case, _: float) -> None:
    """The same while the server answers 500; then it is well."""
    case.up(answer(500))
    case.kill(case.start(1030, FAST))
    case.up()
    case.again()


def end(case: Case, _: float) -> None:
    """The program logs 1,000 and ends, without flush or close."""
    case.up()
    case.end(case.start(1000, end="exit"))
    case.up()
    case.again()


def end_down(case: Case, _: float) -> None:
    """The same while the server is down; then it is up."""
    case.end(case.start(1000, end="exit"))
    case.up()
    case.again()


def wrong_key(case: Case, _: float) -> None:
    """50 with a wrong key; the next start has the right one, and what was left as its store."""
    case.up()
    case.end(case.start(50, key="wrong"))
    case.up()
    case.again(store=case.left())


def answer_lost(case: Case, _: float) -> None:
    """1,000; the server stores, and breaks the connection before its first answer."""
    case.up(case.store_and_hang_up)
    case.end(case.start(1000))


def hang(case: Case, down: float) -> None:
    """5,000 while the server takes requests and says nothing, then new ones are answered."""
    case.up(say_nothing)
    program = case.start(5000)
    time.sleep(down)
    case.up()
    case.end(program)
    case.again()


def bad_value(case: Case, _: float) -> None:
    """100, of which one is NaN and one an object; the server refuses a body that is no JSON."""

    def judge(handler: Handler) -> None:
        try:
            json.loads(handler.plain(), parse_constant=int)  # there is no int("NaN")
            case.store(handler)
        except ValueError:
            answer(400, "Invalid JSON")(handler)

    case.up(judge)
    case.end(case.start(-100))


ROWS: Sequence[Row] = (
    burst, outage, middle, kill, kill_500, end, end_down, wrong_key, answer_lost, hang, bad_value,
)  # fmt: skip
TOGETHER = {burst, outage, middle, kill, kill_500}  # they sleep most of the time


def measure(row: Row, down: float, watch: float, client: str) -> Result:
    with tempfile.TemporaryDirectory() as folder, Case(client, Path(folder), watch) as case:
        row(case, down)
        return case.result()


def show(row: Row, down: float, watch: float) -> None:
    """Measure a row of the table, and print it."""
    about = (row.__doc__ or "").strip()
    print(f"{row.__name__}: {about}")
    print(f"{'':24}{'sent':>6}{'arrived':>9}{'told':>6}{'twice, at hub':>15}"
          f"{'last':>9}{'exit':>9}{'threads':>9}")  # fmt: skip
    one = partial(measure, row, down, watch)
    with ThreadPoolExecutor(len(CLIENTS) if row in TOGETHER else 1) as pool:
        for client, found in zip(CLIENTS, pool.map(one, CLIENTS), strict=True):
            last = "-" if found.last is None else f"{found.last:.1f} s"
            print(f"  {client:22}{found.sent:6,}{found.arrived:9,}{found.told:6,}"
                  f"{found.twice:8,}{found.twice_at_hub:7,}"
                  f"{last:>9}{found.exit:7.1f} s{found.threads:9,}")  # fmt: skip
    print()


def main() -> None:
    line_by_line()
    names = {row.__name__: row for row in ROWS}
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--only", nargs="+", choices=names, default=names, metavar="ROW")
    options.add_argument("--down", type=float, default=20.0, help="seconds of an outage")
    options.add_argument("--watch", type=float, default=60.0, help="seconds for a program to end")
    chosen = options.parse_args()
    print(machine(), "\n", sep="")
    for name in chosen.only:
        show(names[name], chosen.down, chosen.watch)


if __name__ == "__main__":
    main()
