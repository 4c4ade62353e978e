"""`pilogger replay`: a span goes out once more, before all else."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pilogger.cli import main
from pilogger.sample import Point, Sample
from pilogger.store import Store
from pilogger.testing import FakeClock

START = 1_767_225_600


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store that has sent 3,000 readings of a second each; some of them are sealed."""
    path = tmp_path / "x.db"
    store = Store.open(path, FakeClock())
    store.declare("n", {"": "1"})
    store.append([Sample("n", {"": n}, 100_000_000 + n * 1_000_000) for n in range(3000)])
    store.seal()
    drain(store)
    store.close()
    return path


def drain(store: Store) -> list[Point]:
    outbox = store.outbox("there")
    points: list[Point] = []
    while batch := outbox.take(500):
        points += batch.points
        outbox.settle(batch)
    return points


def run(*args: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.fault(69)
@pytest.mark.parametrize(("first", "last"), [(2500, 2600), (10, 20), (900, 2200)])
def test_a_span_is_sent_again_and_then_no_more(path: Path, first: int, last: int) -> None:
    """All of it, with its numbers and epochs, fresh or sealed; then what is new.

    That is what helps against a server that says success and loses the readings later. To ask
    it for some of them afterwards would need leave to read, which a device should not have.
    """
    result = run(
        "replay", "there", "--store", path,
        "--start", str(START + first), "--end", str(START + last),
    )  # fmt: skip
    store = Store.open(path, FakeClock(boot_id="boot-2"))
    store.declare("n", {"": "1"})
    store.append([Sample("n", {"": "new"}, 0, epoch="5")])
    pending = store.outbox("there").pending()
    points = drain(store)
    again = drain(store)
    store.close()
    values = [point.value for point in points]

    assert result.stdout == f"{pending - 1:,} readings will be sent to there again\n"
    assert values[-1] == "new"
    assert set(range(first, last)) <= set(values)
    assert len(values) == pending
    assert again == []


def test_a_destination_that_never_was_is_named(path: Path) -> None:
    """A mistyped name is no reason to wait for ever."""
    result = run("replay", "thre", "--store", path)

    assert result.exit_code == 1
    assert "sent nothing to thre; known: there" in result.stderr


def test_a_span_without_readings_is_told(path: Path) -> None:
    """Nothing was kept from before the first reading."""
    result = run("replay", "there", "--store", path, "--end", "2025-01-01")

    assert result.stdout == "0 readings will be sent to there again\n"


def test_what_is_still_to_be_sent_is_not_sent_twice(path: Path) -> None:
    """Only what the destination has had goes again, also where spans overlap; the counts hold."""
    store = Store.open(path, FakeClock(boot_id="boot-2"))
    outbox = store.outbox("there")
    hour, of = 3_600_000_000, (START + 100) * 1_000_000
    first = outbox.send_again(of, of + hour)
    batch = outbox.take(50)
    assert batch is not None
    outbox.settle(batch)
    found = outbox.send_again(0, of + hour)
    pending = outbox.pending()
    store.close()
    store = Store.open(path, FakeClock(boot_id="boot-2"))
    again = store.outbox("there").pending()
    values = [point.value for point in drain(store)]
    store.close()

    assert first + found == 3000 + 50
    assert pending == again == 3000
    assert values == list(range(3000))
