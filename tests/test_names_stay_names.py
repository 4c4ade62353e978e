"""A name is a name: never a path, never SQL, never code, never an address; and no port is open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from logger_rig import agent, configure, free_port, hub

from pilogger.config import from_dict
from pilogger.destinations.initialstate import Bucket, InitialState
from pilogger.destinations.rudderstack import RudderStack
from pilogger.destinations.tempodb import TempoDB
from pilogger.driver import UnknownDriver, find
from pilogger.errors import BadValue, PiloggerError
from pilogger.hub import Hub, register
from pilogger.initialstate import Streamer
from pilogger.sample import Sample
from pilogger.store import Store, open_reader
from pilogger.testing import FakeClock

EVIL = [
    "../../../../tmp/evil",
    "/tmp/evil",
    "..",
    ".",
    "~/evil",
    "%2e%2e%2fevil",
    "a\\..\\evil",
    "'; DROP TABLE sample; --",
    '" OR "1" = "1',
    "x') OR 1=1 --",
    "%s%n{0}",
    "$(touch evil)`touch evil`",
    "-rf",
    "\u202egnp.exe",
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub("127.0.0.1", 0, tmp_path_factory.mktemp("hub") / "hub.db") as hub:
        yield hub


def beside(path: Path) -> set[str]:
    """All files under a folder, but for those that are named after the store."""
    names = {str(each.relative_to(path.parent)) for each in path.parent.rglob("*")}
    return {name for name in names if not name.startswith(path.name)}


@pytest.mark.fault(93, 94)
@pytest.mark.parametrize("name", EVIL)
def test_a_hub_takes_any_name_for_a_name(served: Hub, name: str) -> None:
    """Buckets, keys, tags, attributes, users: kept as they came, found by what they are."""
    url = served.url
    event = {"key": name.replace(":", ""), "value": 1, "epoch": 5}
    with suppress(UnicodeEncodeError):  # no header carries it; the address does
        requests.post(
            f"{url}/api/events", json=event, params={"bucketKey": name}, timeout=10
        ).raise_for_status()
    described = {"key": name, "name": name, "tags": [name], "attributes": {name: name}}
    point = [{"t": "2026-11-21T00:00:00.000Z", "v": 1}]
    with suppress(requests.HTTPError):  # a key of dots, or that cannot be shown, is refused
        requests.post(f"{url}/v1/series/", json=described, timeout=10).raise_for_status()
        key = quote(name, safe="")
        requests.post(f"{url}/v1/series/key/{key}/data/", json=point, timeout=10)
    message = {"userId": name, "event": name, "type": "track", "properties": {name: 1}}
    requests.post(f"{url}/v1/track", json=message, timeout=10)
    asked = {"tag": name, f"attr[{name}]": name, "key": name}
    found = requests.get(f"{url}/v1/series/", params=asked, timeout=10)
    with closing(open_reader(served.store.path)) as db:
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        buckets = {key for (key,) in db.execute("SELECT key FROM bucket")}

    assert found.status_code < 500
    assert all(one["key"] == name for one in found.json())
    assert name in buckets
    assert tables > (10,)
    assert beside(served.store.path) == set()
    assert not Path("/tmp/evil").exists()


@pytest.mark.fault(93)
@pytest.mark.parametrize("name", EVIL)
def test_accounts_destinations_and_buckets_of_clients_are_no_paths(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What is made is made in its folder, under names that are ours."""
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    monkeypatch.setenv("XDG_STATE_HOME", str(inside))
    monkeypatch.chdir(inside)
    store = Store.open(inside / "x.db", FakeClock())
    store.declare("air", {"t": "Cel"})
    store.append([Sample("air", {"t": 1}, 0, "5")])
    with closing(store.outbox(name)) as outbox:
        assert outbox.pending() == 1
    store.close()
    with suppress(PiloggerError):  # one that not every client can send is refused
        register.add(inside / "accounts", register.Account(name, "key", "secret"))
    with suppress(PiloggerError, ValueError):  # nor one that no header carries
        streamer = Streamer(name, name, "key", base_url=served.url)
        streamer.log("t", 1)
        streamer.close()

    assert [path for path in tmp_path.iterdir() if path.name != "a"] == []
    assert [path for path in (tmp_path / "a").iterdir() if path.name != "b"] == []
    assert {path.name for path in inside.iterdir()} <= {
        "accounts", "accounts-lock", "pilogger", "x.db", "x.db-lock", "x.db-ballast"
    }  # fmt: skip
    assert "evil" not in " ".join(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))


@pytest.mark.fault(99)
@pytest.mark.parametrize("url", ["file:///etc/x", "ftp://x", "unix:///x", "//x", "http://", "x:80"])
def test_a_destination_is_on_the_web_or_nowhere(url: str) -> None:
    """No other scheme is an address. A hub asks nobody: it has no client in it."""
    for make in (
        lambda: InitialState("k", Bucket("b"), url),
        lambda: RudderStack("k", url, user_id="u"),
        lambda: TempoDB(url, "k", "s"),
    ):
        with pytest.raises(BadValue):
            make()


@pytest.mark.fault(100)
def test_a_driver_comes_from_where_it_was_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not from the current folder, not from beside the config, and not from a path.

    A folder that the config names need not be of root: who may write the config may have any
    program run, by the driver `command`, so the folder is as good as the config.
    """
    code = "class Planted:\n    def read(self) -> None: ...\nopen('ran', 'w').close()\n"
    (tmp_path / "planted.py").write_text(code)
    (tmp_path / "yaml.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    for name in ("planted", "./planted", str(tmp_path / "planted"), "planted:Planted", "os"):
        with pytest.raises(PiloggerError, match="driver"):
            from_dict({"sensors": {"a": {"driver": name}}})
        with pytest.raises(UnknownDriver):
            find(name)

    assert not (tmp_path / "ran").exists()
    assert find("planted", [tmp_path]).__name__ == "Planted"
    assert (tmp_path / "ran").exists()


def listening(pid: int) -> list[str]:
    """What a process listens on, or receives datagrams at: as /proc/PID/net tells."""
    own = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            own.add(os.readlink(fd))
    found = []
    for kind in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        for line in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if f"socket:[{rest[5]}]" in own and (state == "0A" or not kind.startswith("tcp")):
                found.append(f"{kind} {local}")
    return found


@pytest.mark.fault(101)
def test_a_logger_opens_no_port(tmp_path: Path) -> None:
    """Its doors are Unix sockets beside the store; the hub, as the control, has one port."""
    port = free_port()
    with (
        hub(tmp_path / "hub.db", port) as other,
        agent(configure(tmp_path, port)) as running,
    ):
        assert listening(running.pid) == []
        assert listening(other.pid) == [f"tcp 0100007F:{port:04X}"]
