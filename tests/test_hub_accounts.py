"""Who may write and read at a hub."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from starlette.exceptions import HTTPException
from starlette.requests import Request

from pilogger.errors import BadValue, PiloggerError
from pilogger.hub import Account, Accounts, Hub, accounts, register
from pilogger.hub.accounts import MOST_WAITING, REMEMBERED

EVENT = {"key": "a", "value": 1, "epoch": 5}
EVE = Account("eve", "key of eve", "secret of eve")
TRACK = {"userId": "u", "event": "e", "messageId": "1"}


@pytest.fixture
def delays() -> list[float]:
    return []


@pytest.fixture
def hub(tmp_path: Path, delays: list[float]) -> Iterator[Hub]:
    """A hub with two accounts; it notes how long it would wait."""

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    known = [Account("ann", "key of ann"), Account("bob", "key of bob"), EVE]
    with Hub("127.0.0.1", 0, tmp_path / "hub.db", Accounts(known, sleep=sleep)) as hub:
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


@pytest.mark.fault(98)
def test_wrong_keys_are_answered_later_and_later(hub: Hub, delays: list[float]) -> None:
    """The delay doubles up to a limit; a right key is served at once and resets it."""
    for _ in range(5):
        post(hub, "wrong")
    assert delays == [0.1, 0.2, 0.4, 0.8, 0.8]

    assert post(hub, "key of bob").status_code == 204
    assert len(delays) == 5
    post(hub, "wrong")
    assert delays[-1] == 0.1


@pytest.mark.fault(98)
def test_a_bounded_number_of_addresses_is_remembered(delays: list[float]) -> None:
    """Someone with many addresses cannot fill the memory; the oldest is forgotten."""

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    some = Accounts([Account("ann", "key")], sleep=sleep)
    addresses = ["first", *map(str, range(REMEMBERED)), "first", "first"]
    for address in addresses:
        scope = {"type": "http", "headers": [], "query_string": b"", "client": (address, 1)}
        with pytest.raises(HTTPException):
            asyncio.run(some.admit(Request(scope)))

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


@pytest.mark.fault(101)
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
    closed = Accounts.from_environment({"PILOGGER_HUB_ACCESS_KEY": "secret"})
    with Hub("127.0.0.1", 0, path, closed) as hub:
        assert post(hub, "anything").status_code == 401
        assert get(hub, "/api/health?accessKey=secret").json()["readings"] == 1


@pytest.mark.fault(101)
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.com"])
def test_a_hub_without_an_account_stays_on_loopback(tmp_path: Path, host: str) -> None:
    """It says what to set, and makes no store."""
    with pytest.raises(PiloggerError, match="set PILOGGER_HUB_ACCESS_KEY"):
        Hub(host, 0, tmp_path / "hub.db")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(101)
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


def ask(
    hub: Hub, method: str, path: str, auth: tuple[str, str] | None = None, **headers: str
) -> requests.Response:
    """Ask with Basic authentication."""
    json = TRACK if method == "POST" else None
    url = f"{hub.url}{path}"
    return requests.request(method, url, json=json, auth=auth, headers=headers, timeout=10)


@pytest.mark.fault(102)
def test_the_key_alone_writes(hub: Hub) -> None:
    """That is all that Initial State's and RudderStack's clients can send."""
    assert post(hub, "key of eve").status_code == 204
    assert ask(hub, "POST", "/v1/track", ("key of eve", "")).status_code == 200


@pytest.mark.fault(102)
@pytest.mark.parametrize("path", ["/api/live", "/api/health", "/v1/series/"])
def test_reading_needs_the_secret_of_an_account_that_has_one(hub: Hub, path: str) -> None:
    """Who may write may not yet see, or delete; without a secret the key does it all."""
    refused = 403 if path.startswith("/v1") else 401

    assert ask(hub, "GET", path, ("key of eve", "")).status_code == refused
    assert ask(hub, "GET", path, ("key of eve", "guess")).status_code == refused
    assert ask(hub, "GET", path, ("key of eve", "secret of eve")).status_code == 200
    assert ask(hub, "GET", path, ("key of ann", "")).status_code == 200
    assert ask(hub, "GET", path, ("key of ann", "any")).status_code == 200


def test_a_secret_that_is_sent_is_right(hub: Hub) -> None:
    """Also where none is asked for."""
    wrong = ask(hub, "POST", "/v1/track", ("key of eve", "guess"))

    assert (wrong.status_code, wrong.text) == (401, "the secret is wrong")
    assert ask(hub, "POST", "/v1/track", ("key of eve", "secret of eve")).status_code == 200


def test_a_refusal_has_each_protocols_own_form(hub: Hub) -> None:
    """Plain text for two; for TempoDB a 403 that says nothing, as the service did."""
    events = post(hub, "wrong")
    track = ask(hub, "POST", "/v1/track", ("wrong", ""))
    tempodb = ask(hub, "GET", "/v1/series/", ("key of ann's", "x"))

    assert (events.status_code, events.text) == (401, "the access key is wrong")
    assert (track.status_code, track.text) == (401, "the access key is wrong")
    assert (tempodb.status_code, tempodb.text) == (403, "")


@pytest.mark.parametrize("text", ["x", "\xe4", "Zg=", "Zg", "/w==", "Og=="])
def test_basic_that_is_none_is_refused(hub: Hub, text: str) -> None:
    """What cannot be decoded has no key."""
    said = requests.post(
        f"{hub.url}/v1/track",
        json=TRACK,
        headers={b"Authorization": f"Basic {text}".encode("latin-1")},  # type: ignore[dict-item]
        timeout=10,
    )

    assert said.status_code == 401


def test_a_secret_is_computed_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a tenth of a second: many that come together share it, later ones do without."""
    slow: list[str] = []

    def is_right(secret: str, known: str) -> bool:
        slow.append(secret)
        return True

    monkeypatch.setattr(register, "is_right", is_right)
    with ThreadPoolExecutor(8) as pool:
        asked = pool.map(
            lambda _: ask(hub, "GET", "/v1/series/", (EVE.access_key, EVE.secret)), range(16)
        )
        assert {answer.status_code for answer in asked} == {200}

    assert slow == ["secret of eve"]


@pytest.mark.fault(98)
def test_the_key_alone_forgives_no_guess_of_the_secret(hub: Hub, delays: list[float]) -> None:
    """Else who has the key could guess without ever being slowed."""
    for _ in range(2):
        ask(hub, "GET", "/v1/series/", ("key of eve", "guess"))
        post(hub, "key of eve")
    assert delays == [0.1, 0.2]

    ask(hub, "GET", "/v1/series/", ("key of eve", "secret of eve"))
    post(hub, "wrong")
    assert delays[-1] == 0.1


@pytest.mark.fault(98)
def test_guessing_at_once_is_no_faster() -> None:
    """Beyond some refusals under way an address is asked to wait; others are not."""
    waiting = asyncio.Event()
    some = Accounts([Account("ann", "key"), EVE], sleep=lambda _: _until(waiting))

    def request(address: str, key: str) -> Request:
        headers = [(b"x-is-accesskey", key.encode())]
        client = (address, 1)
        scope = {"type": "http", "headers": headers, "query_string": b"", "client": client}
        return Request(scope)

    async def attack() -> list[int]:
        guesses = [
            asyncio.ensure_future(some.admit(request("a", f"guess {number}")))
            for number in range(MOST_WAITING + 4)
        ]
        await asyncio.sleep(0)
        assert await some.admit(request("a", "key")) == "ann"  # nobody else is to blame
        waiting.set()
        found = await asyncio.gather(*guesses, return_exceptions=True)
        with pytest.raises(HTTPException, match="401"):
            await some.admit(request("a", "again"))
        return [error.status_code for error in found if isinstance(error, HTTPException)]

    assert asyncio.run(attack()) == [401] * MOST_WAITING + [429] * 4


async def _until(event: asyncio.Event) -> None:
    await event.wait()


def test_other_web_pages_cannot_use_what_a_browser_remembers(hub: Hub) -> None:
    """A browser adds Basic by itself once somebody signed in with an address."""
    eve = ("key of eve", "secret of eve")

    for origin in ("https://evil.example", "null", "http://["):
        assert ask(hub, "POST", "/v1/track", eve, Origin=origin).status_code == 403
    assert ask(hub, "POST", "/v1/track", eve, Origin=hub.url).status_code == 200


# -- the file of accounts ----------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "hub.db-accounts"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub looks at the file for each request."""
    monkeypatch.setattr(accounts, "LOOK_S", 0)


@pytest.mark.usefixtures("at_once")
def test_accounts_come_and_go_while_the_hub_runs(tmp_path: Path, file: Path) -> None:
    """An open hub is closed by its first account, and stays so when the last is gone."""
    with Hub("127.0.0.1", 0, tmp_path / "hub.db", Accounts(path=file)) as hub:
        assert post(hub).status_code == 204
        register.add(file, Account("ann", "key of ann"))
        assert post(hub).status_code == 401
        assert post(hub, "key of ann").status_code == 204
        assert get(hub, "/api/health?accessKey=key of ann").json()["readings"] == 1
        register.remove(file, "ann")
        assert post(hub, "key of ann").status_code == 401
        register.add(file, Account("ann", "another key"))
        assert get(hub, "/api/health?accessKey=another key").json()["readings"] == 1


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    "garbage", ["", "{", "[1]", "{}x", '[{"name": 1}]', "[[]]", "\udcff", "null"]
)
def test_a_damaged_file_changes_nothing_and_opens_nothing(
    tmp_path: Path, file: Path, garbage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A hub that runs goes on with what it knew; one that starts says what to do."""
    register.add(file, Account("ann", "key of ann"))
    with Hub("127.0.0.1", 0, tmp_path / "hub.db", Accounts(path=file)) as hub:
        file.write_bytes(garbage.encode(errors="surrogateescape"))
        assert post(hub, "key of ann").status_code == 204
        assert post(hub).status_code == 401

    assert caplog.text.count("is no list of accounts") == 1
    with pytest.raises(PiloggerError, match="is no list of accounts: bring it back"):
        Accounts(path=file)


@pytest.mark.fault(91, 102)
def test_the_file_has_neither_key_nor_secret(file: Path) -> None:
    """And is for its owner only."""
    register.add(file, EVE)

    text = file.read_text()
    assert "key of" not in text
    assert "secret of" not in text
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_two_who_add_at_once_both_succeed(file: Path) -> None:
    """The file is changed by one after another."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: register.add(file, Account(f"a{n}", f"k{n}")), range(16)))

    assert sorted(entry.name for entry in register.load(file)) == sorted(f"a{n}" for n in range(16))


def test_a_name_or_key_is_given_once(file: Path) -> None:
    """The sentence says which account has it; a name that is not there is told, too."""
    register.add(file, Account("ann", "key"))
    with pytest.raises(PiloggerError, match="there is an account ann already"):
        register.add(file, Account("ann", "other"))
    with pytest.raises(PiloggerError, match="this access key is that of the account ann"):
        register.add(file, Account("bob", "key"))
    with pytest.raises(PiloggerError, match="no account bob; there are: ann"):
        register.remove(file, "bob")

    assert [entry.name for entry in register.load(file)] == ["ann"]


@pytest.mark.parametrize(
    ("name", "key", "secret"),
    [
        ("", "key", ""),
        ("a\n", "key", ""),
        ("a" * 201, "key", ""),
        ("ann", "", ""),
        ("ann", "k:y", ""),
        ("ann", "k\u00e4y", ""),
        ("ann", " key", ""),
        ("ann", "key", "a\tb"),
    ],
)
def test_what_not_every_client_can_send_is_refused(
    file: Path, name: str, key: str, secret: str
) -> None:
    """At once, and without a file."""
    with pytest.raises(BadValue):
        register.add(file, Account(name, key, secret))

    assert not file.exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """No traceback for a slip on the command line."""
    with pytest.raises(PiloggerError, match=r"none/x cannot be written: No such file"):
        register.add(tmp_path / "none" / "x", EVE)


def test_a_secret_of_the_environment_needs_a_key(file: Path) -> None:
    """A hub that seemed closed would be open."""
    with pytest.raises(PiloggerError, match="PILOGGER_HUB_SECRET is set, but"):
        Accounts.from_environment({"PILOGGER_HUB_SECRET": "x"}, file)
    both = {"PILOGGER_HUB_ACCESS_KEY": "key", "PILOGGER_HUB_SECRET": "secret"}
    assert not Accounts.from_environment(both, file).open


@pytest.mark.fault(91)
def test_a_key_is_never_shown() -> None:
    """An account's repr, as it may end up in a log, leaves the key out."""
    shown = repr(Account("ann", "a key", "a secret"))
    assert "a key" not in shown
    assert "a secret" not in shown
