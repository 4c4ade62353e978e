"""The serial seam on a real port: one end of a pseudo-terminal."""

from __future__ import annotations

import os
import select
import sys
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilogger.bus import serial
from pilogger.errors import NoAnswer


@pytest.fixture
def ends() -> Iterator[tuple[int, str]]:
    """The sensor's end as a descriptor, ours as a path."""
    sensor, port = os.openpty()
    tty.setraw(port)
    yield sensor, os.ttyname(port)
    for end in (sensor, port):
        os.close(end)


def test_bytes_go_both_ways_and_nothing_waits(ends: tuple[int, str]) -> None:
    sensor, device = ends
    bus = serial.open(device)

    assert bus.read() == b""
    bus.write(b"\xff\x01\x00")
    assert os.read(sensor, 10) == b"\xff\x01\x00"
    os.write(sensor, b"\x42\x4d\r\n\x11")
    select.select([bus.port], [], [], 10)
    assert bus.read() == b"\x42\x4d\r\n\x11"
    bus.speed(38_400)
    assert bus.port.baudrate == 38_400
    bus.close()


def test_a_port_has_one_user(ends: tuple[int, str]) -> None:
    bus = serial.open(ends[1])

    with pytest.raises(NoAnswer, match=f"{ends[1]} is used by another program"):
        serial.open(ends[1])
    bus.close()


def test_a_port_that_is_gone_says_so(ends: tuple[int, str]) -> None:
    """As an adapter that was pulled out."""
    bus = serial.open(ends[1])
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), ends[0])  # the other end hangs up

    with pytest.raises(NoAnswer, match="cannot read from"):
        bus.read()
    with pytest.raises(NoAnswer, match="cannot write to"):
        bus.write(b"x")
    bus.close()


def test_a_speed_that_the_port_does_not_have_is_refused(ends: tuple[int, str]) -> None:
    bus = serial.open(ends[1])

    with pytest.raises(NoAnswer, match="cannot speak -1 baud"):
        bus.speed(-1)
    bus.close()


def test_a_port_that_is_missing_comes_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match=r"there is no .*/ttyX: switch the serial port on"):
        serial.open(str(tmp_path / "ttyX"))


def test_a_port_that_may_not_be_used_comes_with_the_remedy() -> None:
    error = PermissionError(13, "Permission denied")

    assert "sudo usermod -aG dialout" in serial.remedy(error, "/dev/ttyS0")


def test_a_file_is_no_port(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(NoAnswer, match=f"cannot open {file}"):
        serial.open(str(file))


def test_a_missing_library_comes_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)

    with pytest.raises(NoAnswer, match=r"pip install 'pilogger\[serial\]'"):
        serial.open("/dev/serial0")
