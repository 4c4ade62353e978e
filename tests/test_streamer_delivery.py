"""How the streamer's events get to the server: when, where to, and what if it is not there."""

from __future__ import annotations

import gc
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from streamer_rig import Rig, hub, rig

from pilogger.errors import BadValue, StoreLocked
from pilogger.hub import Hub
from pilogger.hub.accounts import Accounts
from pilogger.hub.register import Account
from pilogger.initialstate import NotDelivered

__all__ = ["hub", "rig"]


@pytest.fixture
def port() -> int:
    """A port where nobody listens yet."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def soon(condition: object, timeout: float = 10.0) -> bool:
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


def test_flush_returns_when_the_events_are_there(rig: Rig) -> None:
    """Not before, and nothing waits then."""
    with rig.streamer(buffer_size=1000) as streamer:
        for number in range(25):
            streamer.log("a", number)
        streamer.flush()

        assert [value for _, _, value in rig.held()] == [*range(25)]
        assert streamer.pending == 0


def test_nothing_waits_for_an_eleventh_event(rig: Rig) -> None:
    """One event alone goes out too, soon."""
    with rig.streamer() as streamer:
        streamer.log("a", 1)

        assert soon(rig.held)


def test_a_full_buffer_is_sent_at_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """With buffer_size events nothing waits for company."""
    monkeypatch.setattr("pilogger.initialstate.streamer.GATHER_S", 1e6)
    with rig.streamer(buffer_size=3) as streamer:
        streamer.log("a", 1)
        streamer.log("a", 2)
        time.sleep(0.05)
        early = rig.held()
        streamer.log("a", 3)

        assert soon(lambda: len(rig.held()) == 3)
    assert early == []


def test_without_async_log_itself_sends(rig: Rig) -> None:
    """As soon as there are buffer_size events, they have arrived when log returns."""
    with rig.streamer(buffer_size=2, use_async=False) as streamer:
        streamer.log("a", 1)
        streamer.log("a", 2)

        assert len(rig.held()) == 2


def test_each_event_goes_to_the_bucket_that_was_set(rig: Rig) -> None:
    """The example of the documentation: one event in each of two buckets."""
    with rig.streamer(bucket_name="Starting Bucket") as streamer:
        streamer.log("key1", "starting")
        first = streamer.BucketKey
        streamer.set_bucket(bucket_name="New Bucket")
        streamer.log("key1", "starting")
        second = streamer.BucketKey
        streamer.set_bucket("Starting Bucket", first)
        streamer.log("key2", "again")

    assert rig.values(first) == {"key1": "starting", "key2": "again"}
    assert rig.values(second) == {"key1": "starting"}
    assert len(second) == 36
    names = rig.query("SELECT name FROM bucket WHERE key IN (?, ?) ORDER BY name", first, second)
    assert names == [("New Bucket",), ("Starting Bucket",)]


def test_a_bucket_is_made_when_the_streamer_is(rig: Rig) -> None:
    """Before its first event; by set_bucket too."""
    with rig.streamer(bucket_name="Empty") as streamer:
        assert soon(lambda: rig.query("SELECT 1 FROM bucket WHERE name = 'Empty'"))
        streamer.set_bucket("Another")
        assert soon(lambda: rig.query("SELECT 1 FROM bucket WHERE name = 'Another'"))


def test_without_a_name_a_bucket_keeps_the_one_it_has(rig: Rig) -> None:
    """To append to a bucket only its key is needed."""
    with rig.streamer(bucket_name="Green") as streamer:
        streamer.log("a", 1)
    with rig.streamer() as streamer:
        streamer.log("a", 2)

    assert rig.query("SELECT name FROM bucket WHERE key = ?", rig.bucket) == [("Green",)]
    assert len(rig.held()) == 2


def test_a_bad_bucket_leaves_the_old_one(rig: Rig) -> None:
    """The error says what is wrong, and events go on where they went."""
    with rig.streamer() as streamer:
        with pytest.raises(BadValue, match="cannot hold"):
            streamer.set_bucket("x", "a'b")
        streamer.log("a", 1)

    assert rig.values() == {"a": 1}


def test_close_is_no_end(rig: Rig) -> None:
    """As with the original, to log afterwards works; to close twice too."""
    streamer = rig.streamer()
    streamer.log("a", 1)
    streamer.close()
    streamer.close()
    streamer.log("a", 2)
    streamer.close()

    assert [value for _, _, value in rig.held()] == [1, 2]


def test_a_streamer_that_is_let_go_of_is_closed(rig: Rig) -> None:
    """What was logged has arrived when it is gone."""
    streamer = rig.streamer()
    streamer.log("a", 1)
    del streamer
    gc.collect()

    assert rig.values() == {"a": 1}


def test_an_outage_loses_nothing(rig: Rig, port: int, tmp_path: Path) -> None:
    """What is logged meanwhile arrives, in order and with its own time."""
    with rig.streamer(base_url=f"http://127.0.0.1:{port}") as streamer:
        for number in range(500):
            streamer.log("a", number, epoch=number)
        with Hub("127.0.0.1", port, tmp_path / "late.db") as late:
            rig.hub = late
            streamer.flush()

            assert rig.held() == [("a", str(number), number) for number in range(500)]


def test_a_flush_that_fails_is_an_error_from_debug_level_2_on(
    rig: Rig, port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It says how many events wait, and for what; below it is a line in the log."""
    monkeypatch.setattr("pilogger.initialstate.streamer.PATIENCE_S", 0)
    strict = rig.streamer(base_url=f"http://127.0.0.1:{port}", debug_level=2)
    strict.log("a", 1)
    for ending in (strict.flush, strict.close):
        with pytest.raises(NotDelivered, match=r"1 events are not delivered: .* refuses connec"):
            ending()
    lax = rig.streamer(base_url=f"http://127.0.0.1:{port}")
    lax.close()

    assert "1 events are not delivered: " in caplog.text


def test_the_next_start_sends_what_the_last_could_not(
    rig: Rig, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each event to the bucket that it was meant for."""
    monkeypatch.setattr("pilogger.initialstate.streamer.PATIENCE_S", 0)
    url = f"http://127.0.0.1:{port}"
    with rig.streamer(base_url=url) as streamer:
        streamer.log("a", 1, epoch=5)
    with Hub("127.0.0.1", port, tmp_path / "late.db") as rig.hub:
        with rig.streamer(base_url=url, bucket_key="other") as streamer:
            streamer.log("a", 2, epoch=6)

        assert rig.held() == [("a", "5", 1)]
        assert rig.held("other") == [("a", "6", 2)]


def test_a_wrong_key_keeps_everything(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has the server's words; nothing is thrown away."""
    monkeypatch.setattr("pilogger.initialstate.streamer.PATIENCE_S", 0)
    accounts = Accounts([Account("me", "right")])
    with Hub("127.0.0.1", 0, tmp_path / "own.db", accounts) as rig.hub:
        streamer = rig.streamer(access_key="mistaken", debug_level=2)
        streamer.log("a", 1)
        with pytest.raises(NotDelivered, match="the server answered 401: the access key is wrong"):
            streamer.close()

        assert streamer.pending == 0  # of this process: it is closed
    [spool] = (tmp_path / ".local/state/pilogger/initialstate").glob("*/*.db")
    assert spool.stat().st_mode & 0o777 == 0o644
    assert spool.parent.stat().st_mode & 0o777 == 0o700


def test_a_store_of_ones_own(rig: Rig, tmp_path: Path) -> None:
    """`store` names the file; a second streamer that wants it is told who has it."""
    path = tmp_path / "mine" / "events.db"
    with rig.streamer(store=path) as streamer:
        streamer.log("a", 1)
        with pytest.raises(StoreLocked, match="is being written by another"):
            rig.streamer(store=str(path))

    assert path.exists()
    assert not (tmp_path / ".local").exists()
    assert rig.values() == {"a": 1}


PROGRAM = """
import sys, os
from pilogger.initialstate import Streamer
streamer = Streamer("x", sys.argv[1], "key", base_url=sys.argv[2])
for number in range(1000):
    streamer.log("a", number, epoch=number)
"""


def run(bucket: str, url: str, more: str = "") -> int:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM + more, bucket, url], timeout=60, check=False
    ).returncode


def test_a_program_that_just_ends_has_delivered(rig: Rig) -> None:
    """Neither flush nor close is needed."""
    assert run(rig.bucket, rig.hub.url) == 0
    assert len(rig.held()) == 1000


def test_a_program_that_is_killed_has_lost_nothing(rig: Rig) -> None:
    """The next one sends it; what had arrived already is there once."""
    assert run(rig.bucket, rig.hub.url, "os.kill(os.getpid(), 9)") == -9
    with rig.streamer():
        pass

    assert rig.held() == [("a", str(number), number) for number in range(1000)]


def test_a_program_that_lets_go_of_it_in_an_outage_does_not_wait(
    rig: Rig, port: int, tmp_path: Path
) -> None:
    """Only `flush` and `close` have patience; the next one sends what it left."""
    url = f"http://127.0.0.1:{port}"
    done = run(
        "gone",
        url,
        """
import pilogger.initialstate.streamer as module
module.FLUSH_S = module.PATIENCE_S = 1e6
del streamer
""",
    )
    with Hub("127.0.0.1", port, tmp_path / "late.db") as rig.hub:
        rig.streamer(bucket_key="gone", base_url=url).close()

        assert done == 0
        assert len(rig.held("gone")) == 1000


def test_what_waits_under_a_wrong_key_can_be_sent_with_the_right_one(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a streamer that is given the file as its store."""
    monkeypatch.setattr("pilogger.initialstate.streamer.PATIENCE_S", 0)
    with Hub("127.0.0.1", 0, tmp_path / "own.db", Accounts([Account("", "key")])) as rig.hub:
        with rig.streamer(access_key="mistaken") as streamer:
            streamer.log("a", 1, epoch=5)
        [left] = (tmp_path / ".local/state/pilogger/initialstate").glob("*/*.db")
        rig.streamer(store=left).close()

        assert rig.held() == [("a", "5", 1)]
