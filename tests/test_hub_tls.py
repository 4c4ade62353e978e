"""A hub that speaks TLS."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from pilogger.errors import PiloggerError
from pilogger.hub import TLS, Account, Accounts, Hub
from pilogger.tempodb import Client, TempoDBNoAnswer

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="needs openssl: sudo apt install openssl"
)

ANN = Accounts([Account("ann", "key")])


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TLS:
    return certificate(tmp_path_factory.mktemp("tls"))


def certificate(folder: Path) -> TLS:
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=hub", "-addext", "subjectAltName=IP:127.0.0.1",
            "-out", cert, "-keyout", key,
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return TLS(cert, key)


def test_readings_come_encrypted(tmp_path: Path, tls: TLS) -> None:
    """The address says so, and a client that trusts the certificate is served."""
    event = {"key": "a", "value": 1, "epoch": 5}
    headers = {"X-IS-AccessKey": "key", "X-IS-BucketKey": "b"}
    with Hub("127.0.0.1", 0, tmp_path / "hub.db", ANN, tls=tls) as hub:
        assert hub.url == f"https://127.0.0.1:{hub.address[1]}"
        said = requests.post(
            f"{hub.url}/api/events", json=event, headers=headers, verify=str(tls.cert), timeout=10
        )

    assert said.status_code == 204


def test_the_tempodb_client_asks_over_tls_by_default(
    tmp_path: Path, tls: TLS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hub whose certificate it trusts, and only of one."""
    with Hub("127.0.0.1", 0, tmp_path / "hub.db", ANN, tls=tls) as hub:
        with (
            Client("key", "", *hub.address, retries=0) as stranger,
            pytest.raises(TempoDBNoAnswer, match="is not trusted"),
        ):
            stranger.create_series("a")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.cert))
        with Client("key", "", *hub.address) as client:
            assert client.create_series("a").key == "a"


def test_one_file_may_hold_both(tmp_path: Path, tls: TLS) -> None:
    """The key in the same file as the certificate."""
    assert tls.key is not None
    both = tmp_path / "both.pem"
    both.write_bytes(tls.key.read_bytes() + tls.cert.read_bytes())
    with Hub("127.0.0.1", 0, tmp_path / "hub.db", tls=TLS(both)) as hub:
        said = requests.get(f"{hub.url}/api/versions", verify=str(tls.cert), timeout=10)

    assert said.status_code == 200


def test_who_speaks_no_tls_is_no_trouble(
    tmp_path: Path, tls: TLS, caplog: pytest.LogCaptureFixture
) -> None:
    """Plain HTTP gets no answer, others are served, and idle ones do not hold up the end."""
    with (
        Hub("127.0.0.1", 0, tmp_path / "hub.db", tls=tls) as hub,
        requests.Session() as idle,
        socket.create_connection(hub.address, timeout=3) as plain,
    ):
        plain.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        with suppress(ConnectionResetError):
            assert b"HTTP" not in plain.recv(4096)
        said = idle.get(f"{hub.url}/api/versions", verify=str(tls.cert), timeout=10)
        assert said.status_code == 200
        hub.stop()

    assert caplog.records == []


def test_a_certificate_that_cannot_be_used_is_a_sentence(tmp_path: Path, tls: TLS) -> None:
    """It says which file, and no store is left open."""
    other = tmp_path / "other"
    other.mkdir()
    stranger = certificate(other).key
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("-----BEGIN NONSENSE-----")
    missing = tmp_path / "missing.pem"
    for wrong, words in (
        (TLS(missing, tls.key), r"missing\.pem cannot be read: No such file"),
        (TLS(tls.cert, missing), r"missing\.pem cannot be read: No such file"),
        (TLS(tls.cert, stranger), r"other/key\.pem is not the key of .*cert\.pem"),
        (TLS(tls.cert), r"cert\.pem: no certificate with its key"),
        (TLS(garbage, tls.key), r"garbage\.pem and .*key\.pem: no certificate with its key"),
        (TLS(tls.cert, garbage), r"cert\.pem and .*garbage\.pem: no certificate with its key"),
    ):
        with pytest.raises(PiloggerError, match=words):
            Hub("127.0.0.1", 0, tmp_path / "hub.db", tls=wrong)
    with Hub("127.0.0.1", 0, tmp_path / "hub.db", tls=tls):
        pass  # the store was let go each time


def test_a_key_with_a_password_is_refused(tmp_path: Path, tls: TLS) -> None:
    """A service has nobody to ask."""
    assert tls.key is not None
    locked = tmp_path / "locked.pem"
    subprocess.run(
        ["openssl", "ec", "-aes256", "-passout", "pass:x", "-in", tls.key, "-out", locked],
        check=True,
        capture_output=True,
    )

    with pytest.raises(PiloggerError, match="without a password"):
        Hub("127.0.0.1", 0, tmp_path / "hub.db", tls=TLS(tls.cert, locked))
