"""Who may write and read at a hub."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from starlette.exceptions import HTTPException
from starlette.requests import Request

from pilogger.errors import PiloggerError
from pilogger.hub import Account, Accounts, Hub
from pilogger.hub.accounts import REMEMBERED

EVENT = {"key": "a", "value": 1, "epoch": 5}


@pytest.fixture
def delays() -> list[float]:
    return []


@pytest.fixture
def hub(tmp_path: Path, delays: list[float]) -> Iterator[Hub]:
    """A hub with two accounts; it notes how long it would wait."""

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    accounts = Accounts([Account("ann", "key of ann"), Account("bob", "key of bob")], sleep=sleep)
    with Hub("127.0.0.1", 0, tmp_path / "hub.db", accounts) as hub:
        yield hub


def post(hub: Hub, key: str | None = None) -> requests.Response:
    headers = {"X-IS-BucketKey": "shared"} | ({"X-IS-AccessKey": key} if key else {})
    return requests.post(f"{hub.url}/api/events", json=EVENT, headers=headers, timeout=10)


def get(hub: Hub, path: str, **headers: str) -> requests.Response:
    return requests.get(f"{hub.url}{path}", headers=headers, timeout=10)


@pytest.mark.parametrize(
    ("key", "word"), [(None, "missing"), ("key of an", "wrong"), ("ä", "wrong")]
)
def test_a_wrong_key_is_refused_in_words(hub: Hub, key: str | None, word: str) -> None:
    """401, as plain text, with nothing stored."""
    answer = post(hub, key)

    assert (answer.status_code, answer.text) == (401, f"the access key is {word}")
    assert get(hub, "/api/health?accessKey=key of ann").json()["readings"] == 0


def test_wrong_keys_are_answered_later_and_later(hub: Hub, delays: list[float]) -> None:
    """The delay doubles up to a limit; a right key is served at once and resets it."""
    for _ in range(5):
        post(hub, "wrong")
    assert delays == [0.1, 0.2, 0.4, 0.8, 0.8]

    assert post(hub, "key of bob").status_code == 204
    assert len(delays) == 5
    post(hub, "wrong")
    assert delays[-1] == 0.1


def test_a_bounded_number_of_addresses_is_remembered(delays: list[float]) -> None:
    """Someone with many addresses cannot fill the memory; the oldest is forgotten."""

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    accounts = Accounts([Account("ann", "key")], sleep=sleep)
    addresses = ["first", *map(str, range(REMEMBERED)), "first", "first"]
    for address in addresses:
        scope = {"type": "http", "headers": [], "query_string": b"", "client": (address, 1)}
        with pytest.raises(HTTPException):
            asyncio.run(accounts.admit(Request(scope)))

    assert delays[-2:] == [0.1, 0.2]


def test_an_account_sees_its_own_data_only(hub: Hub) -> None:
    """The same bucket key is another bucket in another account."""
    post(hub, "key of ann")
    live = [
        get(hub, "/api/live", **{"X-IS-AccessKey": key}).json()["series"]
        for key in ("key of ann", "key of bob")
    ]

    assert [series["key"] for series in live[0]] == ["a"]
    assert live[1] == []


@pytest.mark.parametrize("path", ["/api/live", "/api/health"])
def test_reading_needs_the_key_too(hub: Hub, path: str) -> None:
    """The page itself is for everyone, what it shows is not."""
    assert get(hub, path).status_code == 401
    assert get(hub, "/").status_code == 200


def test_the_account_comes_from_the_environment(tmp_path: Path) -> None:
    """PILOGGER_HUB_ACCESS_KEY makes an account that owns what the hub already held."""
    path = tmp_path / "hub.db"
    with Hub("127.0.0.1", 0, path, Accounts.from_environment({})) as hub:
        assert post(hub, "anything").status_code == 204
    accounts = Accounts.from_environment({"PILOGGER_HUB_ACCESS_KEY": "secret"})
    with Hub("127.0.0.1", 0, path, accounts) as hub:
        assert post(hub, "anything").status_code == 401
        assert get(hub, "/api/health?accessKey=secret").json()["readings"] == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.com"])
def test_a_hub_without_an_account_stays_on_loopback(tmp_path: Path, host: str) -> None:
    """It says what to set, and makes no store."""
    with pytest.raises(PiloggerError, match="set PILOGGER_HUB_ACCESS_KEY"):
        Hub(host, 0, tmp_path / "hub.db")

    assert list(tmp_path.iterdir()) == []


def test_an_open_hub_turns_other_web_pages_away(tmp_path: Path) -> None:
    """A page elsewhere cannot make the visitor's browser read or write here."""
    with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        for headers in (
            {"Host": "evil.example"},  # a name that was made to point here
            {"Host": "["},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
        ):
            assert get(hub, "/api/live", **headers).status_code == 403
        assert get(hub, "/api/live", Origin=hub.url).status_code == 200
        assert get(hub, "/api/live", Host="localhost:1").status_code == 200


def test_a_key_is_never_shown() -> None:
    """An account's repr, as it may end up in a log, leaves the key out."""
    assert "secret" not in repr(Account("ann", "secret"))
