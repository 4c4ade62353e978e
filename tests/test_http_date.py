"""The time from a web server, where NTP never comes: from the right one, to about a second."""

from __future__ import annotations

import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pilogger import httpdate
from pilogger.clock import SystemClock, offset
from pilogger.config import from_dict
from pilogger.errors import ConfigError
from pilogger.sample import Sample
from pilogger.store import Store
from pilogger.testing import FakeClock

DAY = 86_400


class Server(ThreadingHTTPServer):
    """Tells a time `off` seconds from the truth, with further headers."""

    off = 0.0
    more: dict[str, str] = {}  # noqa: RUF012 - tests give each server its own

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self.send_response_only(204)
        self.send_header("Date", formatdate(time.time() + self.server.off, usegmt=True))
        for name, value in self.server.more.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve with a certificate of ten days that this process trusts."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 10"
        " -subj /CN=hub -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(
        [*make.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Server(("127.0.0.1", 0), Handler) as made:
        made.socket = context.wrap_socket(made.socket, server_side=True)
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.mark.parametrize("off", [0.0, 3 * DAY])
def test_the_date_is_right_to_about_a_second(server: Server, off: float) -> None:
    """Whatever this machine's own clock says."""
    server.off = off
    clock = SystemClock("ntp")
    found = httpdate.ask(server.url, clock) - offset(clock)

    assert abs(found / 1e6 - off) < 1.5


@pytest.mark.parametrize("off", [-2 * DAY, 12 * DAY])
def test_a_date_beyond_the_certificate_is_not_believed(server: Server, off: float) -> None:
    """The server could not prove its name at such a time."""
    server.off = off
    with pytest.raises(ValueError, match="could not prove its name"):
        httpdate.ask(server.url, SystemClock())


def test_an_answer_from_a_cache_is_not_believed(server: Server) -> None:
    """Its date is that of long ago."""
    server.more = {"Age": "3600"}
    with pytest.raises(ValueError, match="too old to tell the time"):
        httpdate.ask(server.url, SystemClock())


def test_a_stranger_is_not_believed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate's chain is checked, only not against our clock."""
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        httpdate.ask(server.url, SystemClock())


def test_another_name_is_not_believed(server: Server) -> None:
    """The certificate is for 127.0.0.1."""
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        httpdate.ask(server.url.replace("127.0.0.1", "localhost"), SystemClock())


def test_it_asks_while_the_clock_is_not_right(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first server does not answer well; the thread goes on until one does."""
    monkeypatch.setattr(httpdate, "RETRY_S", 0.01)
    server.more = {"Age": "1"}
    told: list[int] = []
    heard = threading.Event()

    def tell(offset: int) -> None:
        told.append(offset)
        heard.set()

    clock = FakeClock(synced=False)
    asker = httpdate.DateAsker(server.url, clock, tell).start()
    silent = heard.wait(0.2)
    server.more = {}
    asked = heard.wait(30)
    asker.stop()

    assert (silent, asked, len(told)) == (False, True, 1)


@pytest.mark.fault(40)
def test_readings_get_the_time_that_was_told(tmp_path: Path) -> None:
    """Until NTP comes after all; a date that differs by less than it is worth changes nothing."""
    clock = FakeClock(synced=False)
    clock.step_wall(-1_000_000_000)
    store = Store.open(tmp_path / "x.db", clock)
    store.declare("n", {"": "1"})
    outbox = store.outbox("there")

    def poll() -> None:
        store.append([Sample("n", {"": clock.truth}, clock.boot())])
        clock.advance(10)

    poll()
    store.tell_time(clock.truth - clock.boot() + 800_000)
    told = store.sync()["source"]
    store.tell_time(clock.truth - clock.boot() - 600_000)
    poll()
    clock.ntp()
    store.tend_clock()
    poll()
    batch = outbox.take(10)

    assert batch is not None
    errors = [round(float(p.epoch) - int(p.value) / 1e6, 3) for p in batch.points]
    assert errors == [0.8, 0.8, 0]
    assert (told, store.sync()["source"]) == ("http-date", "ntp")
    store.close()


def test_what_ntp_said_goes_before(tmp_path: Path) -> None:
    """Boot time is counted on from there; it is better than a second."""
    clock = FakeClock()
    store = Store.open(tmp_path / "x.db", clock)
    clock.set_wall(3600)
    store.tell_time(clock.truth - clock.boot() + 5_000_000)

    assert store.sync()["source"] == "ntp"
    assert len(store.segments) == 1
    store.close()


@pytest.mark.parametrize("bad", ["http://example.org", "example.org", "https://", "https://a:b"])
def test_only_a_server_that_proves_its_name_may_be_asked(bad: str) -> None:
    """The others are mistakes of the config."""
    sensors = {"a": {"driver": "simulated"}}
    good = from_dict({"sensors": sensors, "clock": {"http_date": "https://example.org"}})
    with pytest.raises(ConfigError, match=r"clock\.http_date"):
        from_dict({"sensors": sensors, "clock": {"http_date": bad}})

    assert good.clock.http_date == "https://example.org"
