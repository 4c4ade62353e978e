"""The network at its worst: names, certificates, proxies, connections that are none any more."""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import subprocess
import sys
import tracemalloc
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import wire_rig as wire

from pilogger.destinations import Accepted, LockedOut, Wait
from pilogger.destinations.http import LONGEST_BODY, Answer, Http
from pilogger.destinations.initialstate import Bucket, InitialState
from pilogger.sample import Point

KEY = "key_5up3r"
POINTS = [Point(1, "air.temperature", "1795217600.25", 20.5)]
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
alone = pytest.mark.skipif(os.getuid() != 0, reason="a network of its own needs root")


def to(url: str, **times: float) -> InitialState:
    """Return a destination in a hurry."""
    made = InitialState(KEY, Bucket("green"), url)
    made.http._times.update({"connect": 2.0, "read": 0.3, "total": 5.0} | times)
    return made


def answering(answer: bytes) -> wire.Talk:
    """Answer every request of a connection alike."""

    def talk(server: wire.Wire, connection: socket.socket) -> None:
        while server.request(connection):
            connection.sendall(answer)

    return talk


# -- names ---------------------------------------------------------------------------------

RESOLVER = """
import socket, subprocess, sys, threading
from pilogger.destinations.http import Http

subprocess.run("ip link set lo up".split(), check=True)
subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind(("127.0.0.1", 53))
how = "silent"

def serve():
    while True:
        query, asker = names.recvfrom(512)
        question = query[12:query.index(0, 12) + 5]
        address = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\1\\0\\4\\x7f\\0\\0\\1"
        is_a = question[-4:-2] == b"\\0\\1"
        if how == "broken":
            names.sendto(query[:2] + b"\\x81\\x82\\0\\1\\0\\0\\0\\0\\0\\0" + question, asker)
        elif how == "well":
            counts = b"\\0\\1\\0\\1" if is_a else b"\\0\\1\\0\\0"
            answer = query[:2] + b"\\x81\\x80" + counts + b"\\0\\0\\0\\0" + question
            names.sendto(answer + (address if is_a else b""), asker)

threading.Thread(target=serve, daemon=True).start()
listener = socket.create_server(("127.0.0.1", 80))

def hub():
    while True:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 204 No Content\\r\\nConnection: close\\r\\n\\r\\n")
        connection.close()

threading.Thread(target=hub, daemon=True).start()
http = Http(total=0.5)
for how in ("silent", "broken", "well"):
    if how == "broken":
        http = Http(total=20)
    found = http.post("http://hub.example/", b"x", {})
    print(getattr(found, "reason", getattr(found, "status", "")), flush=True)
"""


@alone
@pytest.mark.fault(50)
def test_a_resolver_that_is_silent_or_broken_is_waited_for(tmp_path: Path) -> None:
    """A sentence within the deadline, in a thread of its own; and when it works again, all does."""
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.1\noptions timeout:2 attempts:1\n")
    done = subprocess.run(
        ["unshare", "-n", "-m", sys.executable, "-c", RESOLVER, conf],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    silent, broken, well = done.stdout.splitlines() or [done.stderr] * 3

    assert silent == "hub.example gave no complete answer within 0.5 s"
    assert broken.startswith("no address is known for hub.example: ")
    assert well == "204"


# -- certificates --------------------------------------------------------------------------

Identity = Callable[[int, str, bool], ssl.SSLContext]


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Identity:
    """Return what makes a server's certificate, for some days and a name, known here or not."""

    def make(days: int, name: str, known: bool) -> ssl.SSLContext:
        file, request, names = (tmp_path / each for each in ("hub.pem", "request.pem", "names"))
        names.write_text(f"subjectAltName={name}\nbasicConstraints=critical,CA:TRUE\n")
        key = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=hub -keyout"
        sign = f"x509 -req -days {days} -extfile {names} -in {request} -signkey"
        for command in (f"{key} {file} -out {request}", f"{sign} {file}"):
            done = subprocess.run(["openssl", *command.split()], check=True, capture_output=True)
        with file.open("ab") as certificate:
            certificate.write(done.stdout)
        if known:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    return make


@pytest.mark.fault(53)
@pytest.mark.parametrize(
    ("made", "known", "said"),
    [
        ((-1, "IP:127.0.0.1"), True, "expired"),
        ((9, "IP:127.0.0.1"), False, "self-signed"),
        ((9, "DNS:elsewhere.example"), True, "IP address mismatch"),
    ],
)
def test_a_server_that_cannot_prove_its_name_gets_nothing(
    identity: Identity, made: tuple[int, str], known: bool, said: str
) -> None:
    """Neither key nor readings leave; it is told as what it is, and tried again."""
    with wire.serving(answering(NO_CONTENT), tls=identity(*made, known)) as server:
        found = to(server.url).send(POINTS)

    assert isinstance(found, Wait)
    assert f"127.0.0.1:{server.port} is not trusted: " in found.reason
    assert said in found.reason
    assert server.received == b""


def test_a_server_that_proves_its_name_is_served(identity: Identity) -> None:
    """The control: the same server with a certificate that is right."""
    tls = identity(9, "IP:127.0.0.1", True)
    with wire.serving(answering(NO_CONTENT), tls=tls) as server:
        assert to(server.url).send(POINTS) == Accepted()


# -- proxies -------------------------------------------------------------------------------

USER, PASSWORD = "pr0xy_user", "pr0xy_pass"


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return what sends this process through a proxy that wants a password."""

    def set_proxy(port: int) -> None:
        for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv("HTTP_PROXY", f"http://{USER}:{PASSWORD}@127.0.0.1:{port}")
        monkeypatch.setenv("HTTPS_PROXY", f"http://{USER}:{PASSWORD}@127.0.0.1:{port}")

    return set_proxy


Through = Callable[[int], None]


@pytest.mark.fault(54)
def test_a_proxy_of_the_environment_is_used(through: Through) -> None:
    """With its name and password, which the service behind it never sees."""
    with wire.serving(answering(NO_CONTENT)) as proxy:
        through(proxy.port)
        assert to("http://hub.example").send(POINTS) == Accepted()

    assert proxy.received.startswith(b"POST http://hub.example/api/buckets HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " in proxy.received


@pytest.mark.fault(54)
def test_no_proxy_goes_around_it(through: Through, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub in the house is reached directly."""
    with wire.serving(answering(NO_CONTENT)) as proxy, wire.serving(answering(NO_CONTENT)) as hub:
        through(proxy.port)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert to(hub.url).send(POINTS) == Accepted()

    assert proxy.connections == 0


def echoing(status: bytes) -> wire.Talk:
    """Refuse, and send back all that came."""

    def talk(server: wire.Wire, connection: socket.socket) -> None:
        head = server.request(connection)
        said = head.replace(b"\r\n", b" ")
        length = b"\r\nContent-Length: %d\r\n\r\n" % len(said)
        connection.sendall(b"HTTP/1.1 " + status + length + said)

    return talk


@pytest.mark.fault(54, 91)
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("status", [b"407 Who Are You", b"502 Bad Gateway"])
def test_a_proxy_that_refuses_is_told_without_its_password(
    through: Through, scheme: str, status: bytes
) -> None:
    """Even if it sends it back. A key that is wrong locks out, where that can be told."""
    with wire.serving(echoing(status)) as proxy:
        through(proxy.port)
        found = to(f"{scheme}://hub.example").send(POINTS)

    assert isinstance(found, Wait | LockedOut)
    assert PASSWORD not in found.reason
    assert USER not in found.reason
    assert b64encode(f"{USER}:{PASSWORD}".encode()).decode() not in found.reason
    assert isinstance(found, LockedOut) == (scheme == "http" and status.startswith(b"407"))


@pytest.mark.fault(54, 91)
def test_a_proxy_that_is_gone_is_told_without_its_password(through: Through) -> None:
    """The sentence names the service behind it."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        through(nobody.getsockname()[1])
    found = to("https://hub.example").send(POINTS)

    assert isinstance(found, Wait)
    assert found.reason == "the proxy on the way to hub.example does not help"


# -- connections ---------------------------------------------------------------------------


@pytest.mark.fault(56)
def test_a_connection_whose_other_end_is_gone_is_left() -> None:
    """A router that restarted forgets connections, and nobody says so: one deadline, a new one."""

    def once(server: wire.Wire, connection: socket.socket) -> None:
        for _ in range(2):  # the bucket, then events
            server.request(connection)
            connection.sendall(NO_CONTENT)
        server.over.wait(10)

    with wire.serving(once, answering(NO_CONTENT)) as server, closing(to(server.url)) as hub:
        assert hub.send(POINTS) == Accepted()
        lost = hub.send(POINTS)
        assert hub.send(POINTS) == Accepted()

    assert lost == Wait(f"127.0.0.1:{server.port} is connected, but was silent for 0.3 s")
    assert server.connections == 2


@pytest.mark.fault(55)
def test_a_server_that_takes_no_connection_meets_the_deadline() -> None:
    """Its queue is full: packets are dropped, and nobody says so."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            found = to(f"http://127.0.0.1:{port}", connect=0.3).send(POINTS)

    assert found == Wait(f"no connection to 127.0.0.1:{port} within 0.3 s")


def packed(times: int, plain: bytes) -> bytes:
    for _ in range(times):
        plain = gzip.compress(plain)
    names = ", ".join(["gzip"] * times).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n"
    return head % (names, len(plain)) + plain


@pytest.mark.fault(91)
def test_headers_that_are_none_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a trace, nor the secret that a server may quote in them."""
    broken = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nyou said %s\r\n\r\n" % KEY.encode()
    with wire.serving(answering(broken)) as server:
        outcome = to(server.url).send(POINTS)

    assert isinstance(outcome, Wait)
    assert caplog.text == ""


@pytest.mark.fault(58)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_an_answer_that_inflates_without_end_does_not(times: int) -> None:
    """Nobody asked for compression; what comes is inflated to 64 KB at most, and not twice."""
    bomb = packed(times, b"[" + b" " * (1 << 27))
    with wire.serving(answering(bomb)) as server:
        http = Http(total=5)
        tracemalloc.start()
        found = http.post(server.url, b"x", {})
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        http.close()
        outcome = to(server.url).send(POINTS)

    assert isinstance(found, Answer)
    assert len(found.text) <= LONGEST_BODY
    assert found.text.startswith("[ ") == (times == 1)
    assert most < 2_000_000
    assert isinstance(outcome, Wait)


@pytest.mark.fault(58)
def test_an_answer_that_is_packed_all_the_same_is_read() -> None:
    """Some servers in between do that unasked."""
    with wire.serving(answering(packed(1, b"[]"))) as server:
        assert to(server.url).send(POINTS) == Accepted()
