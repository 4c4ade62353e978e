"""The Initial State destination against a real server that can be told to misbehave."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from pilogger.destinations import Accepted, Destination, LockedOut, Refused, Wait, find
from pilogger.destinations.http import MOST_HUNG, Answer, Http
from pilogger.destinations.initialstate import Bucket, InitialState
from pilogger.errors import BadValue
from pilogger.sample import Point

KEY = "ist_secret_5up3r"
POINTS = [Point(n, "air.temperature", f"17952176{n:02}.25", 20 + n / 4) for n in range(8)]


class Service(ThreadingHTTPServer):
    """Initial State's API in small; what is in `script` comes before its own answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.script: deque[Callable[[Handler], None]] = deque()
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.buckets: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []

    def paths(self) -> list[str]:
        return [path for path, _, _ in self.requests]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        if self.server.script:
            self.server.script.popleft()(self)
        elif self.path == "/api/buckets":
            bucket = json.loads(body)
            known = bucket["bucketKey"] in self.server.buckets
            self.server.buckets[bucket["bucketKey"]] = bucket["bucketName"]
            answer(204 if known else 201)(self)
        else:
            self.server.events += json.loads(body)
            answer(204)(self)

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Serve; a client that hangs up is what some tests are about."""
        with suppress(ConnectionError):
            super().handle()


def answer(status: int, body: str = "", **headers: str) -> Callable[[Handler], None]:
    def send(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if status != 204:
            handler.send_header("Content-Length", str(len(body.encode())))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return send


def store_and_hang_up(handler: Handler) -> None:
    handler.server.events += json.loads(handler.server.requests[-1][2])
    handler.close_connection = True


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def destination(service: Service) -> Iterator[InitialState]:
    made = InitialState(KEY, Bucket("greenhouse", "Greenhouse"), service.url)
    yield made
    made.close()


@pytest.fixture
def ready(destination: InitialState, service: Service) -> InitialState:
    """Return a destination whose bucket is made already."""
    assert destination.send(POINTS[:1]) == Accepted()
    service.requests.clear()
    service.events.clear()
    return destination


def impatient(destination: InitialState) -> InitialState:
    destination.close()
    destination.http = Http(KEY, connect=1, read=0.2, total=0.4)
    return destination


def test_it_is_found_by_its_type(destination: Destination) -> None:
    assert find("initialstate") is type(destination)


def test_readings_arrive_with_their_exact_epochs(
    destination: InitialState, service: Service
) -> None:
    """The bucket first, then the events, as the service documents them."""
    assert destination.send(POINTS[:2]) == Accepted()

    assert service.paths() == ["/api/buckets", "/api/events"]
    assert service.buckets == {"greenhouse": "Greenhouse"}
    assert service.events == [
        {"key": "air.temperature", "value": 20.0, "epoch": 1795217600.25},
        {"key": "air.temperature", "value": 20.25, "epoch": 1795217601.25},
    ]


def test_the_headers_are_those_of_the_service(destination: InitialState, service: Service) -> None:
    destination.send(POINTS)

    for _, headers, _ in service.requests:
        assert headers["X-IS-AccessKey"] == KEY
        assert headers["X-IS-BucketKey"] == "greenhouse"
        assert headers["Accept-Version"] == "<=0.0.4"
        assert headers["Content-Type"] == "application/json"
        assert headers["Accept-Encoding"] == "identity", "a compressed answer may be a bomb"
        assert headers["User-Agent"].startswith("pilogger/")


def test_the_bucket_is_made_once(destination: InitialState, service: Service) -> None:
    for _ in range(3):
        assert destination.send(POINTS) == Accepted()

    assert service.paths() == ["/api/buckets", *["/api/events"] * 3]


def test_estimated_times_are_marked_before_the_readings(
    ready: InitialState, service: Service
) -> None:
    """An event has no room for a mark, so one event says it of all readings of a moment."""
    guess = [point._replace(estimated=True) for point in POINTS[:2]]
    damp = guess[0]._replace(series="air.humidity", value=40)
    ready.send([guess[0], damp, guess[1], POINTS[2]])

    assert service.paths()[-2:] == ["/api/events"] * 2
    assert service.events[:2] == [
        {"key": "pilogger.clock", "value": "estimated", "epoch": 1795217600.25},
        {"key": "pilogger.clock", "value": "estimated", "epoch": 1795217601.25},
    ]
    assert [event["key"] for event in service.events[2:]] == [
        "air.temperature",
        "air.humidity",
        "air.temperature",
        "air.temperature",
    ]


def test_without_its_mark_an_estimate_is_not_sent(ready: InitialState, service: Service) -> None:
    """When the server does not take the marks, the readings stay."""
    service.script.append(answer(503))
    outcome = ready.send([POINTS[0]._replace(estimated=True)])

    assert isinstance(outcome, Wait)
    assert service.events == []


def test_the_same_readings_are_the_same_bytes(ready: InitialState, service: Service) -> None:
    """So a receiver can tell a repetition."""
    ready.send(POINTS)
    ready.send(POINTS)

    first, second = (body for _, _, body in service.requests)
    assert first == second


@pytest.mark.fault(63)
@pytest.mark.parametrize(
    "gone",
    [
        answer(404),
        answer(410),
        answer(400, '{"message":{"error":{"type":"BUCKET_REMOVED","message":"deleted"}}}'),
    ],
)
def test_a_bucket_that_is_gone_is_made_again(
    ready: InitialState, service: Service, gone: Callable[[Handler], None]
) -> None:
    service.script.append(gone)

    assert ready.send(POINTS) == Accepted()

    assert service.paths() == ["/api/events", "/api/buckets", "/api/events"]
    assert len(service.events) == len(POINTS)


@pytest.mark.fault(63)
def test_a_bucket_that_stays_gone_is_waited_for(ready: InitialState, service: Service) -> None:
    service.script.extend([answer(404), answer(201), answer(404)])

    found = ready.send(POINTS)

    assert found == Wait("the bucket is gone, and making it anew did not help", answered=True)


@pytest.mark.fault(63)
def test_a_bucket_that_cannot_be_made_blames_no_reading(
    destination: InitialState, service: Service
) -> None:
    """A refusal of the bucket would otherwise set every reading aside."""
    service.script.append(answer(400, "no such plan"))

    found = destination.send(POINTS)

    assert found == LockedOut("the bucket cannot be made: the server answered 400: no such plan")
    assert service.paths() == ["/api/buckets"]


@pytest.mark.fault(68)
@pytest.mark.parametrize(
    "success",
    [
        answer(204),
        answer(200),
        answer(201),
        answer(202),
        answer(200, '{"accepted": 8}', Content_Type="application/json"),
        answer(200, '"OK"'),
    ],
)
def test_success_is_an_empty_answer_or_json(
    ready: InitialState, service: Service, success: Callable[[Handler], None]
) -> None:
    service.script.append(success)

    assert ready.send(POINTS) == Accepted()


@pytest.mark.fault(52)
@pytest.mark.parametrize(
    "portal",
    [
        answer(200, "<html>Welcome to Hotel Wi-Fi</html>", Content_Type="text/html"),
        answer(200, "<html>Welcome to Hotel Wi-Fi</html>"),
        answer(200, "", Content_Type="text/html; charset=utf-8"),
        answer(200, '{"not": "really"}', Content_Type="text/html"),
        answer(200, "[" * 60_000),
        answer(203, ""),
        answer(302, "", Location="https://login.hotel.example/"),
        answer(307, "", Location="/login"),
    ],
)
@pytest.mark.parametrize("first", ["bucket", "events"])
def test_a_login_page_is_no_success(
    destination: InitialState, service: Service, portal: Callable[[Handler], None], first: str
) -> None:
    """Neither for the bucket nor for the events; and nobody follows it."""
    if first == "events":
        destination.send(POINTS[:1])
    service.requests.clear()
    service.events.clear()
    service.script.append(portal)

    found = destination.send(POINTS)

    assert isinstance(found, Wait)
    assert found.answered
    assert "a login page?" in found.reason
    assert len(service.requests) == 1
    assert service.events == []


@pytest.mark.fault(52)
def test_a_redirect_says_where_to(ready: InitialState, service: Service) -> None:
    service.script.append(answer(302, "", Location="https://login.hotel.example/\x1b[2J"))

    found = ready.send(POINTS)

    assert isinstance(found, Wait)
    assert "(302) to https://login.hotel.example/\\x1b[2J" in found.reason


@pytest.mark.fault(61, 62)
@pytest.mark.parametrize("status", [401, 402, 403, 407])
def test_a_wrong_key_or_quota_locks_out(ready: InitialState, service: Service, status: int) -> None:
    service.script.append(answer(status, '"ACCESS_DENIED_KEY"'))

    found = ready.send(POINTS)

    assert found == LockedOut(f'the server answered {status}: "ACCESS_DENIED_KEY"')


@pytest.mark.fault(60, 95)
@pytest.mark.parametrize("status", [400, 406, 409, 418, 422, 499])
def test_a_client_error_refuses_with_the_servers_words(
    ready: InitialState, service: Service, status: int
) -> None:
    service.script.append(answer(status, "value\n\tis  \x1b[31mbad\x07"))

    found = ready.send(POINTS)

    assert found == Refused(f"the server answered {status}: value is \\x1b[31mbad\\x07")


def test_the_servers_words_are_cut(ready: InitialState, service: Service) -> None:
    service.script.append(answer(400, "ä" * 100_000))

    found = ready.send(POINTS)

    assert isinstance(found, Refused)
    assert found.reason == "the server answered 400: " + "ä" * 300


@pytest.mark.fault(65)
def test_too_large_is_told_apart(ready: InitialState, service: Service) -> None:
    service.script.append(answer(413))

    assert ready.send(POINTS) == Refused("the server answered 413", too_large=True)


@pytest.mark.fault(64)
@pytest.mark.parametrize("status", [405, 408, 421, 425, 429, 500, 501, 503, 599])
def test_a_server_in_trouble_is_waited_for(
    ready: InitialState, service: Service, status: int
) -> None:
    """And one at a wrong address: no reading is to blame."""
    service.script.append(answer(status, Retry_After="7"))

    found = ready.send(POINTS)

    assert found == Wait(f"the server answered {status}", answered=True, retry_after=7.0)


@pytest.mark.fault(59)
def test_an_answer_lost_after_storing_is_waited_for(ready: InitialState, service: Service) -> None:
    service.script.append(store_and_hang_up)

    found = ready.send(POINTS)

    assert isinstance(found, Wait)
    assert not found.answered
    assert "closed the connection without an answer" in found.reason
    assert ready.send(POINTS) == Accepted()
    assert service.requests[0][2] == service.requests[1][2]


def test_an_answer_that_breaks_off_is_waited_for(ready: InitialState, service: Service) -> None:
    def half(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1")
        handler.close_connection = True

    service.script.append(half)

    found = ready.send(POINTS)

    assert isinstance(found, Wait)
    assert "broke off" in found.reason


@pytest.mark.fault(55)
def test_a_silent_server_is_waited_for(ready: InitialState, service: Service) -> None:
    """It accepted the connection and the data, and says nothing."""
    release = threading.Event()

    def silence(handler: Handler) -> None:
        release.wait(5)

    service.script.append(silence)

    found = impatient(ready).send(POINTS)
    release.set()

    assert isinstance(found, Wait)
    assert "was silent for 0.2 s" in found.reason


@pytest.fixture
def drip(service: Service) -> Iterator[Callable[[bytes], None]]:
    """Let the next answer begin as given and then drip for the rest of the test.

    A byte now and then defeats every read timeout.
    """
    stop = threading.Event()

    def script(begin: bytes) -> None:
        def answer(handler: Handler) -> None:
            handler.close_connection = True
            handler.wfile.write(begin)
            while not stop.wait(0.02):
                handler.wfile.write(b"x")

        service.script.append(answer)

    yield script
    stop.set()


def left_behind() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("POST")]


@pytest.mark.fault(55, 57)
@pytest.mark.parametrize("begin", [b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"])
def test_an_answer_that_drips_meets_the_deadline(
    ready: InitialState, service: Service, drip: Callable[[bytes], None], begin: bytes
) -> None:
    """In its body, and before it."""
    drip(begin)
    began = time.monotonic()

    found = impatient(ready).send(POINTS)

    assert found == Wait(f"{service.url[7:]} gave no complete answer within 0.4 s")
    assert 0.3 < time.monotonic() - began < 5, "the deadline is for the whole exchange"


@pytest.mark.fault(57)
def test_a_body_that_drips_is_let_go(ready: InitialState, drip: Callable[[bytes], None]) -> None:
    """The thread that reads it ends, though the server goes on."""
    drip(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")

    impatient(ready).send(POINTS)
    for thread in left_behind():
        thread.join(5)

    assert left_behind() == []


@pytest.mark.fault(50, 57)
def test_requests_that_hang_do_not_pile_up(
    ready: InitialState, service: Service, drip: Callable[[bytes], None]
) -> None:
    """A server that drips for days would otherwise take every file descriptor."""
    ready.close()
    ready.http = Http(KEY, read=5, total=0.1)

    for _ in range(MOST_HUNG):
        drip(b"HTTP/1.1 2")
        assert isinstance(ready.send(POINTS), Wait)
    found = ready.send(POINTS)

    assert found == Wait(f"{service.url[7:]} keeps {MOST_HUNG} earlier requests hanging")
    assert len(left_behind()) == MOST_HUNG


def test_at_the_end_of_a_program_it_goes_without_a_thread(
    ready: InitialState, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no thread can begin any more, what is left is sent all the same."""

    class Late(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr("pilogger.destinations.http.Thread", Late)

    assert ready.send(POINTS) == Accepted()
    assert len(service.events) == len(POINTS)


@pytest.mark.fault(57)
def test_an_endless_answer_is_cut(ready: InitialState, service: Service) -> None:
    """64 KB of an answer are enough for anybody."""

    def flood(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 400 No\r\nConnection: close\r\n\r\n")
        while True:  # until the client hangs up
            handler.wfile.write(b"x" * 100_000)

    service.script.append(flood)

    assert isinstance(ready.send(POINTS), Refused)


def test_a_port_where_nobody_listens_is_no_answer() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        destination = InitialState(KEY, Bucket("k"), f"http://{host}")

        found = destination.send(POINTS)
        destination.close()

    assert found == Wait(f"{host} refuses connections: nothing listens there")


@pytest.mark.fault(50)
def test_a_name_without_an_address_is_no_answer() -> None:
    """`.invalid` never has one (RFC 6761)."""
    destination = InitialState(KEY, Bucket("k"), "http://hub.invalid")

    found = destination.send(POINTS)
    destination.close()

    assert isinstance(found, Wait)
    assert not found.answered
    assert "no address is known for hub.invalid" in found.reason


def test_a_server_without_tls_is_told_apart_from_none(service: Service) -> None:
    destination = InitialState(KEY, Bucket("k"), service.url.replace("http", "https"))

    found = destination.send(POINTS)
    destination.close()

    assert isinstance(found, Wait)
    assert found.answered
    assert "speaks no TLS that we speak" in found.reason


@pytest.mark.fault(53)
@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl: apt install openssl")
def test_a_certificate_that_is_not_trusted_gets_nothing(service: Service, tmp_path: Path) -> None:
    """Fail closed: the access key never leaves."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=hub"
    subprocess.run(
        [*make.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    service.socket = context.wrap_socket(service.socket, server_side=True)
    destination = InitialState(KEY, Bucket("k"), service.url.replace("http", "https"))

    found = destination.send(POINTS)
    destination.close()

    assert isinstance(found, Wait)
    assert found.answered
    assert "is not trusted: self-signed certificate" in found.reason
    assert service.requests == []


def test_a_missing_file_of_certificates_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A setting of this machine, so the sentence says which."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    destination = InitialState(KEY, Bucket("k"), "https://127.0.0.1:1")

    found = destination.send(POINTS)
    destination.close()

    assert isinstance(found, Wait)
    assert "none.pem" in found.reason


def test_a_bug_is_raised_and_not_taken_for_an_outage(service: Service) -> None:
    http = Http()

    with pytest.raises(TypeError):
        http.post(service.url, cast("bytes", 5), {})
    http.close()


def test_a_server_may_be_asked_without_a_secret(service: Service) -> None:
    """Then there is nothing to hide in its answer."""
    service.script.append(answer(418, "short and stout", X_Pot="tea"))
    http = Http()

    found = http.post(service.url + "/pot", b"", {})
    http.close()

    assert isinstance(found, Answer)
    assert (found.status, found.headers["x-pot"], found.text) == (418, "tea", "short and stout")


@pytest.mark.fault(91)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 413, 500])
def test_the_access_key_is_never_quoted(ready: InitialState, service: Service, status: int) -> None:
    """Not even when the server echoes it."""
    service.script.append(answer(status, f"no account {KEY}", Location=f"/?accessKey={KEY}"))

    found = ready.send(POINTS)

    assert KEY not in repr(found)
    assert "***" in repr(found)
    assert KEY not in repr(ready)


def test_a_key_that_is_too_long_is_refused_without_a_request(
    ready: InitialState, service: Service
) -> None:
    found = ready.send([*POINTS, Point(9, "k" * 251, "1", 1)])

    assert found == Refused("a key has at most 250 characters")
    assert service.requests == []


def test_a_base_url_may_have_a_path_and_a_slash(service: Service) -> None:
    destination = InitialState(KEY, Bucket("k"), service.url + "/hub/")
    service.script.extend([answer(201), answer(204)])

    assert destination.send(POINTS) == Accepted()
    destination.close()

    assert service.paths() == ["/hub/api/buckets", "/hub/api/events"]


def test_a_bucket_without_a_name_is_called_by_its_key(service: Service) -> None:
    destination = InitialState(KEY, Bucket("k"), service.url)
    destination.send(POINTS)
    destination.close()

    assert service.buckets == {"k": "k"}


def test_closing_twice_is_fine_and_sending_opens_again(
    ready: InitialState, service: Service
) -> None:
    ready.close()
    ready.close()

    assert ready.send(POINTS) == Accepted()


@pytest.mark.fault(66)
@pytest.mark.parametrize(
    ("left", "reset", "date", "pause"),
    [
        ("0", "1795217630", "Fri, 20 Nov 2026 23:33:44 GMT", 6.0),
        ("0", "1795217999", "Fri, 20 Nov 2026 23:33:44 GMT", 60.0),
        ("0", "1795217620", "Fri, 20 Nov 2026 23:33:44 GMT", 0.0),
        ("1", "1795217630", "Fri, 20 Nov 2026 23:33:44 GMT", 0.0),
        ("0", "1795217630", "", 0.0),
        ("0", "soon", "Fri, 20 Nov 2026 23:33:44 GMT", 0.0),
        ("none", "1795217630", "Fri, 20 Nov 2026 23:33:44 GMT", 0.0),
    ],
)
def test_a_limit_that_is_reached_asks_for_a_pause(  # noqa: PLR0917
    ready: InitialState, service: Service, left: str, reset: str, date: str, pause: float
) -> None:
    """Until the service counts anew, by its own clock; a minute at most."""
    headers = {"X-RateLimit-Remaining": left, "X-RateLimit-Reset": reset, "Date": date}

    def limited(handler: Handler) -> None:
        handler.send_response_only(204)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()

    service.script.append(limited)

    assert ready.send(POINTS) == Accepted(pause)


@pytest.mark.parametrize("key", ["", "two\nlines", " padded", "snow☃", "nul\0", "tail\n"])
def test_an_access_key_that_fits_no_header_is_refused_unseen(key: str) -> None:
    with pytest.raises(BadValue, match="access_key is not") as caught:
        InitialState(key, Bucket("k"))

    assert not key.strip() or key.strip() not in str(caught.value)


@pytest.mark.parametrize("key", ["", "k" * 251, "a:b", 'a"b', "a'b", "snow☃", "two\nlines"])
def test_a_bucket_key_that_fits_no_header_is_refused(key: str) -> None:
    with pytest.raises(BadValue, match="the bucket's key"):
        Bucket(key)


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(BadValue, match="the bucket's name has 251 characters"):
        Bucket("k", "n" * 251)
    for url in ("groker.init.st", "ftp://groker.init.st", "http://", "http:///api"):
        with pytest.raises(BadValue, match="base_url is like https://"):
            InitialState(KEY, Bucket("k"), url)
    with pytest.raises(BadValue, match="batch is 1 to 10000, not 0"):
        InitialState(KEY, Bucket("k"), batch=0)
