"""The drop-in for RudderStack's SDK: what becomes of messages when things go wrong."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rudderstack_rig import Plane, answer, refuse, serving, store_and_hang_up

from pilogger.rudderstack import APIError, Client

PROGRAM = """
import os, sys
from pilogger.rudderstack import Client

url, count, end = sys.argv[1:]
client = Client("key", url)
for number in range(int(count)):
    client.track("u", "e", {"n": number}, message_id=str(number))
print("logged", flush=True)
if end == "kill":
    os.kill(os.getpid(), 9)
"""

Make = Callable[..., Client]
Heard = list[tuple[APIError, list[dict[str, Any]]]]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def plane() -> Iterator[Plane]:
    with serving() as plane:
        yield plane


@pytest.fixture
def heard() -> Heard:
    """What on_error was told."""
    return []


@pytest.fixture
def make(plane: Plane, heard: Heard) -> Iterator[Make]:
    made: list[Client] = []

    def on_error(error: APIError, messages: list[dict[str, Any]]) -> None:
        heard.append((error, messages))

    def client(**options: Any) -> Client:
        usual = {
            "write_key": "key", "host": plane.url, "upload_interval": 0.01, "on_error": on_error,
        }  # fmt: skip
        made.append(Client(**{**usual, **options}))
        return made[-1]

    yield client
    plane.always = None
    for each in made:
        each.join()


def numbers(plane: Plane) -> list[int]:
    return [message["properties"]["n"] for message in plane.messages]


def track(client: Client, *found: int) -> list[bool]:
    return [client.track("u", "e", {"n": n}, message_id=str(n))[0] for n in found]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def run(url: str, count: int, end: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, url, str(count), end],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


# -- what survives -----------------------------------------------------------------------------


def test_messages_arrive_in_order(make: Make, plane: Plane) -> None:
    """One after another, in requests of upload_size."""
    client = make(upload_size=20)
    track(client, *range(200))
    client.flush()

    assert numbers(plane) == [*range(200)]
    assert max(len(batch) for batch in plane.batches) == 20


def test_a_killed_process_loses_nothing(plane: Plane, make: Make) -> None:
    """SIGKILL right after the last call; the next client sends what is left, in order."""
    plane.always = answer(500)
    done = run(plane.url, 300, "kill")
    plane.always = None
    client = make()
    track(client, 300)
    client.flush()

    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "logged\n")
    assert numbers(plane) == [*range(301)]


def test_a_program_that_does_not_flush_loses_nothing(plane: Plane) -> None:
    """It ends, and everything has arrived."""
    done = run(plane.url, 300, "end")

    assert (done.returncode, done.stderr) == (0, "")
    assert numbers(plane) == [*range(300)]


def test_a_program_that_ends_in_an_outage_ends() -> None:
    """And the next one sends what it left."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    done = run(url, 50, "end")
    with serving(port) as plane:
        client = Client("key", url)
        client.flush()
        client.join()

        assert done.returncode == 0
        assert numbers(plane) == [*range(50)]


def test_an_outage_only_delays(make: Make, plane: Plane, heard: Heard) -> None:
    """Whatever the server answers meanwhile."""
    plane.script += [answer(500), answer(503, Retry_After="0")]
    client = make()
    track(client, 1, 2)
    until(lambda: not plane.script)
    track(client, 3)
    until(lambda: len(plane.messages) == 3)

    assert numbers(plane) == [1, 2, 3]
    assert heard == []


def test_a_lost_answer_repeats_the_same_bytes(make: Make, plane: Plane) -> None:
    """So that a server that knows the messageIds stores them once."""
    plane.script += [store_and_hang_up, store_and_hang_up]
    client = make()
    track(client, 1)
    until(lambda: len(plane.requests) == 3)
    client.flush()

    assert len({body for _, _, body in plane.requests}) == 1


@pytest.mark.fault(52, 68)
@pytest.mark.parametrize(
    "page", [answer(200, "<html>", Content_Type="text/html"), answer(204), answer(201, "OK")]
)
def test_only_the_answer_of_success_is_success(
    make: Make, plane: Plane, page: Callable[..., None]
) -> None:
    """A login page's 200 is none, nor is another 2xx."""
    plane.script.append(page)
    client = make()
    track(client, 1)
    until(lambda: plane.messages)

    assert len(plane.requests) == 2


def test_parent_and_child_both_deliver(make: Make, plane: Plane) -> None:
    """After a fork each has its own file and connection."""
    client = make()
    track(client, 1)
    child = os.fork()
    if child == 0:
        track(client, 2)
        client.flush()
        os._exit(0)
    os.waitpid(child, 0)
    track(client, 3)
    client.flush()

    assert sorted(numbers(plane)) == [1, 2, 3]


def test_after_a_join_a_call_opens_it_again(make: Make, plane: Plane) -> None:
    client = make()
    track(client, 1)
    client.shutdown()
    track(client, 2)
    client.shutdown()

    assert numbers(plane) == [1, 2]


def test_a_store_of_ones_own(make: Make, plane: Plane, tmp_path: Path) -> None:
    """One file, and nothing in the state folder."""
    client = make(store=tmp_path / "mine" / "spool.db")
    track(client, 1)
    client.flush()

    assert numbers(plane) == [1]
    assert [*tmp_path.glob("**/*.db")] == [tmp_path / "mine" / "spool.db"]


# -- what a program is told --------------------------------------------------------------------


def test_a_refused_message_costs_only_itself(make: Make, plane: Plane, heard: Heard) -> None:
    """on_error hears of it, with the server's status and words."""
    plane.always = refuse(lambda message: message["properties"]["n"] == 3)
    client = make()
    track(client, 1, 2, 3, 4, 5)
    client.flush()
    [(error, messages)] = heard

    assert sorted(numbers(plane)) == [1, 2, 4, 5]
    assert isinstance(error, APIError)
    assert (error.status, error.code) == (400, "unknown")
    assert error.message == "Event is not a valid rudder event"
    assert [message["messageId"] for message in messages] == ["3"]
    assert str(error) == "[rudderstack] unknown: Event is not a valid rudder event (400)"
    assert client.pending == 0


def test_code_and_message_are_the_servers(make: Make, plane: Plane, heard: Heard) -> None:
    plane.script.append(answer(401, '{"code": "unauthorized", "message": "Invalid Write Key"}'))
    client = make()
    track(client, 1)
    until(lambda: heard)
    error, messages = heard[0]

    assert (error.status, error.code, error.message) == (401, "unauthorized", "Invalid Write Key")
    assert [message["messageId"] for message in messages] == ["1"]
    assert client.pending == 1


def test_on_error_hears_of_an_outage_after_max_retries(
    make: Make, plane: Plane, heard: Heard
) -> None:
    """Once; the messages are kept, and arrive when the server is back."""
    plane.always = answer(429, "Max Requests Limit reached")
    client = make(max_retries=1)
    track(client, 1)
    until(lambda: len(plane.requests) >= 3)
    told, plane.always = list(heard), None
    until(lambda: plane.messages)
    [(error, messages)] = told

    assert (error.status, error.message) == (429, "Max Requests Limit reached")
    assert [message["messageId"] for message in messages] == ["1"]
    assert numbers(plane) == [1]


def test_without_an_answer_the_status_is_0(make: Make, heard: Heard) -> None:
    client = make(host=f"http://127.0.0.1:{free_port()}", max_retries=0)
    track(client, 1)
    until(lambda: heard)

    assert (heard[0][0].status, heard[0][0].code) == (0, "no answer")
    assert "refuses connections" in heard[0][0].message


def test_an_on_error_that_fails_does_no_harm(
    make: Make, plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    def on_error(*_: object) -> None:
        raise RuntimeError("oh")

    plane.always = refuse(lambda message: message["properties"]["n"] == 1)
    client = make(on_error=on_error)
    track(client, 1, 2)
    client.flush()

    assert numbers(plane) == [2]
    assert "on_error failed" in caplog.text


def test_without_on_error_it_is_logged(
    make: Make, plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    plane.always = refuse(lambda _: True)
    client = make(on_error=None)
    track(client, 1)
    client.flush()

    assert "Event is not a valid rudder event (400)" in caplog.text


def test_a_hanging_server_is_left_after_timeout(make: Make, plane: Plane, heard: Heard) -> None:
    """The option works, and the error says how long it was."""
    plane.script.append(lambda _: time.sleep(1.5))
    client = make(timeout=0.5, max_retries=0)
    track(client, 1)
    until(lambda: plane.messages)

    assert "silent for 0.5 s" in heard[0][0].message


def test_a_large_batch_is_sent_in_parts(make: Make, plane: Plane) -> None:
    """A server takes 1 MB at once."""
    client = make(upload_size=50, upload_interval=1e6)
    for number in range(50):
        client.track("u", "e", {"n": number, "text": "x" * 30_000})
    client.flush()

    assert numbers(plane) == [*range(50)]
    assert len(plane.batches) > 1


# -- a full queue ------------------------------------------------------------------------------


def test_a_full_queue_takes_nothing_while_the_server_is_down(
    make: Make, plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    """The call says False; what waits already is not given up for it."""
    plane.always = answer(503)
    client = make(max_queue_size=2)
    taken = track(client, 1)
    until(lambda: plane.requests)
    taken += track(client, 2, 3)
    plane.always = None
    until(lambda: len(plane.messages) == 2)

    assert taken == [True, True, False]
    assert numbers(plane) == [1, 2]
    assert "2 messages wait already; a track is not taken" in caplog.text


def test_a_full_queue_waits_for_a_server_that_takes_messages(make: Make, plane: Plane) -> None:
    """So nothing is dropped for being fast."""
    client = make(max_queue_size=5, upload_size=5)
    taken = track(client, *range(100))
    client.flush()

    assert all(taken)
    assert numbers(plane) == [*range(100)]


def test_a_full_queue_does_not_wait_for_ever(make: Make) -> None:
    """Nothing is sent before upload_interval, and timeout is sooner."""
    client = make(max_queue_size=1, upload_interval=1e6, timeout=0.05)

    assert track(client, 1, 2) == [True, False]


def test_a_queue_of_0_has_no_limit(make: Make, plane: Plane) -> None:
    plane.always = answer(503)
    client = make(max_queue_size=0)

    assert all(track(client, *range(50)))


# -- sync_mode ---------------------------------------------------------------------------------


def test_in_sync_mode_a_call_returns_when_it_arrived(make: Make, plane: Plane) -> None:
    """One request each; shutdown works too."""
    client = make(sync_mode=True, upload_interval=1e6)
    track(client, 1)
    first = numbers(plane)
    track(client, 2)
    client.shutdown()

    assert (first, numbers(plane)) == ([1], [1, 2])


def test_in_sync_mode_a_refusal_is_an_error_of_the_call(make: Make, plane: Plane) -> None:
    plane.always = refuse(lambda message: message["properties"]["n"] == 2)
    client = make(sync_mode=True)
    track(client, 1)
    with pytest.raises(APIError) as caught:
        track(client, 2)

    assert caught.value.status == 400
    assert numbers(plane) == [1]


def test_in_sync_mode_an_outage_is_an_error_of_the_call(make: Make, plane: Plane) -> None:
    """The message is kept all the same, and sent later."""
    plane.script.append(answer(503, "no"))
    client = make(sync_mode=True)
    with pytest.raises(APIError) as caught:
        track(client, 1)
    until(lambda: plane.messages)

    assert (caught.value.status, caught.value.message) == (503, "no")
    assert numbers(plane) == [1]
