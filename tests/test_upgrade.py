"""A store on its way to a newer version: tried on a copy, set aside, taken back."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pilogger import upgrade
from pilogger.clock import SystemClock
from pilogger.errors import PiloggerError, StoreLocked, StoreNewer
from pilogger.sample import Sample
from pilogger.store import Store, migrations, open_reader, schema
from pilogger.store.connection import Lock

OLD = schema.VERSION


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "pilogger.db"
    take(path, 1)
    return path


@pytest.fixture
def newer(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    be_newer(monkeypatch)


def be_newer(patch: pytest.MonkeyPatch) -> None:
    """Be a version that knows one more format than the store has."""
    patch.setitem(migrations.MIGRATIONS, "m999_newer", "CREATE TABLE newer (x);\n")
    patch.setattr(schema, "VERSION", OLD + 1)
    patch.setattr(upgrade, "VERSION", OLD + 1)


def take(path: Path, value: int) -> int:
    """Log one reading; returns its number."""
    with closing(Store.open(path, SystemClock("system"))) as store:
        store.declare("air", {"temperature": "Cel"})
        store.append([Sample(sensor="air", boot=store.clock.boot(), values={"temperature": value})])
    with closing(open_reader(path)) as reader:
        return int(reader.execute("SELECT max(seq) FROM sample").fetchone()[0])


def values(path: Path) -> list[int]:
    with closing(open_reader(path)) as reader:
        return [row[0] for row in reader.execute("SELECT value FROM reading ORDER BY seq")]


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


@pytest.mark.usefixtures("newer")
def test_trial_changes_a_copy_only(store: Path) -> None:
    """A trial goes the whole way to the new format, beside a store that stays as it is."""
    before = {file.name for file in store.parent.iterdir()}

    said = upgrade.rehearse(store)

    assert said == f"a copy of {store} went from format {OLD} to {OLD + 1}"
    assert version(store) == OLD
    assert {file.name for file in store.parent.iterdir()} <= before | {"pilogger.db-shm"}


def test_trial_of_the_same_format_copies_nothing(store: Path) -> None:
    """Where the format stays, there is nothing to try, and no card is worn."""
    assert upgrade.rehearse(store) == f"{store} has this version's format"
    assert upgrade.keep(store) == "nothing to set aside"


@pytest.mark.usefixtures("newer")
def test_trial_that_fails_tells_why(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that cannot be done is an error before anything was switched."""
    monkeypatch.setitem(migrations.MIGRATIONS, "m999_newer", "CREATE TABLE sample (x);\n")

    with pytest.raises(PiloggerError, match="table sample already exists"):
        upgrade.rehearse(store)
    assert version(store) == OLD


@pytest.mark.usefixtures("newer")
def test_trial_that_was_killed_leaves_nothing_for_long(store: Path) -> None:
    """The next trial takes the room back."""
    left = store.with_name(".upgrade-left")
    left.mkdir()
    (left / "pilogger.db").write_bytes(b"a copy")
    upgrade.rehearse(store)

    assert not left.exists()


@pytest.mark.usefixtures("newer")
def test_full_disk_stops_a_trial_before_it_begins(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that has no room is not begun; the sentence has both sizes."""
    monkeypatch.setattr(upgrade, "SPARE", 1 << 60)

    with pytest.raises(PiloggerError, match=r"a copy of .* needs .*, and .* are free"):
        upgrade.rehearse(store)


def test_way_back_gives_the_old_store_and_loses_nothing(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the way back the old version goes on, and what came since lies beside it.

    No number is given twice: what the newer version took may have been sent already.
    """
    with monkeypatch.context() as patch:
        be_newer(patch)
        upgrade.keep(store)
        given = take(store, 2)
        upgrade.restore(store)

    assert version(store) == OLD
    assert take(store, 3) > given
    assert values(store) == [1, 3]
    assert values(store.with_name("pilogger.db-newer") / store.name) == [1, 2]
    assert not store.with_name("pilogger.db-before").exists()


@pytest.mark.usefixtures("newer")
def test_copy_is_dropped_when_all_is_well(store: Path) -> None:
    """A good upgrade leaves no second store behind."""
    upgrade.keep(store)
    take(store, 2)
    upgrade.forget(store)

    assert values(store) == [1, 2]
    assert not store.with_name("pilogger.db-before").exists()


@pytest.mark.usefixtures("newer")
def test_running_logger_is_left_alone(store: Path, request: pytest.FixtureRequest) -> None:
    """Files that are being written are not copied one by one."""
    lock = Lock(store)
    request.addfinalizer(lock.release)

    with pytest.raises(StoreLocked):
        upgrade.keep(store)


def test_copy_of_an_upgrade_long_past_is_never_taken_back(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was killed just before its end left it, and the store has gone on since."""
    with monkeypatch.context() as patch:
        be_newer(patch)
        upgrade.keep(store)
        take(store, 2)
        upgrade.keep(store)  # of the next upgrade, which changes no format
        upgrade.restore(store)
        found = values(store)

    assert found == [1, 2]


def test_way_back_forgets_whom_the_newer_version_died_of(store: Path) -> None:
    """A part that a bad version crashed in is not set aside by the good one."""
    for marks in ("starts", "drivers"):
        store.with_name(f"pilogger.db-{marks}").write_text("boot\n! 9 sensor\n")
    upgrade.restore(store)

    assert not list(store.parent.glob("*-starts")) + list(store.parent.glob("*-drivers"))


def test_newer_store_that_cannot_be_read_is_no_obstacle(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then a large leap keeps numbers from being given twice."""
    with monkeypatch.context() as patch:
        be_newer(patch)
        upgrade.keep(store)
        given = take(store, 2)
        store.write_bytes(b"no database" * 1000)
        upgrade.restore(store)

    assert take(store, 3) > given + 1000
    assert values(store) == [1, 3]


CHANGES = {"os.rename", "os.mkdir", "os.rmdir", "os.remove", "shutil.copyfile"}


def killed(do: Callable[[Path], str], store: Path, step: int) -> bool:
    """Have a process do it that is killed before its n-th change; False if it came to its end."""
    if (process := os.fork()) == 0:
        steps = itertools.count(1)

        def watch(event: str, _arguments: object) -> None:
            if event in CHANGES and next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        do(store)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


@pytest.mark.fault(17)
@pytest.mark.parametrize("verb", ["keep", "restore"])
def test_killed_at_any_step_it_can_be_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """Whatever was done already: the way back ends with the old store, and the newer beside it."""
    step, more = 0, True
    while more:
        step += 1
        path = tmp_path / str(step) / "pilogger.db"
        take(path, 1)
        with monkeypatch.context() as patch:
            be_newer(patch)
            if verb == "keep":
                more = killed(upgrade.keep, path, step)
                upgrade.keep(path)
                given = take(path, 2)
            else:
                upgrade.keep(path)
                given = take(path, 2)
                more = killed(upgrade.restore, path, step)
            upgrade.restore(path)

        assert version(path) == OLD
        assert take(path, 3) > given
        assert values(path) == [1, 3], f"killed before step {step} of {verb}"
        assert values(path.with_name("pilogger.db-newer") / path.name) == [1, 2]
        left = {file.name.removeprefix("pilogger.db") for file in path.parent.iterdir()}
        assert not left & {"-part", "-before", "-back", "-out"}
    assert step > 4


@pytest.mark.fault(17)
def test_store_of_a_newer_version_is_refused(store: Path) -> None:
    """An older version is told so by its trial, before it is switched to."""
    with closing(sqlite3.connect(store)) as connection:
        connection.execute(f"PRAGMA user_version = {OLD + 1}")

    with pytest.raises(StoreNewer):
        upgrade.rehearse(store)
