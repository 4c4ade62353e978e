"""PMS5003: finding frames in what comes in; the frame itself has tests in test_plantower.py."""

from __future__ import annotations

import struct
from itertools import pairwise

import adafruit_pm25 as peer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.errors import BadReading, NoAnswer
from pilogger.sensors.pms5003 import PMS5003
from pilogger.testing import SerialPort, run

WORDS = st.lists(st.integers(0, 0xFFFF), min_size=13, max_size=13)


def frame(words: list[int]) -> bytes:
    body = struct.pack(">2s14H", b"BM", 28, *words)
    return body + sum(body).to_bytes(2, "big")


FRAME = frame(list(range(1, 14)))


def port(*talk: bytes) -> SerialPort:
    """What lay in the buffer comes first, and is forgotten."""
    return SerialPort(frame([99] * 13), *talk)


class Whole(peer.PM25):  # type: ignore[misc]
    """Adafruit's decoder, fed by hand."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._buffer = bytearray(data)

    def _read_into_buffer(self) -> None:
        pass


@given(WORDS)
def test_an_independent_driver_reads_the_same(words: list[int]) -> None:
    """Adafruit's; all are whole numbers."""
    theirs = Whole(frame(words)).read()

    ours, _ = run(PMS5003(port(frame(words))).read())

    assert list(ours) == list(theirs.values())


def test_the_next_frame_is_waited_for() -> None:
    reading, waits = run(PMS5003(port(b"", b"", FRAME)).read())

    assert reading.pm1_factory == 1
    assert reading.above_10um == 12
    assert waits == [0.25] * 3


@given(st.lists(st.integers(0, 40), max_size=6))
def test_a_frame_may_come_in_any_pieces(cuts: list[int]) -> None:
    """With the tail of another before it."""
    sent = FRAME[20:] + FRAME
    edges = [0, *sorted(cut % len(sent) for cut in cuts), len(sent)]
    pieces = [sent[a:b] for a, b in pairwise(edges)]

    assert run(PMS5003(port(*pieces)).read())[0].pm1_factory == 1


def test_a_damaged_frame_is_passed_over() -> None:
    damaged = FRAME[:10] + b"\x7f" + FRAME[11:]

    assert run(PMS5003(port(damaged, FRAME)).read())[0].pm10 == 6


def test_a_start_inside_of_a_damaged_frame_hides_none() -> None:
    """Bytes were lost: the second start is the true one."""
    assert run(PMS5003(port(FRAME[:9] + FRAME)).read())[0].pm1_factory == 1


def test_damaged_frames_alone_give_no_reading() -> None:
    with pytest.raises(BadReading, match="checksum is wrong"):
        run(PMS5003(port(FRAME[:-1] + b"\x00")).read())


@pytest.mark.parametrize("heard", [b"\xff" * 40, b"$GPRMC,1", FRAME[:31]])
def test_what_is_no_frame_is_no_reading(heard: bytes) -> None:
    with pytest.raises(BadReading, match="no frame of Plantower"):
        run(PMS5003(port(heard)).read())


def test_start_finds_the_sensor_and_waits_until_its_fan_is_steady() -> None:
    bus = port(FRAME)

    _, waits = run(PMS5003(bus).start())

    assert waits == [0.25, 30]
    assert bus.speeds == [9600]
    assert bus.writes == []


def test_an_unplugged_sensor_says_so() -> None:
    """After 3 s; what was sent long ago is no sign of life."""
    waits: list[float] = []

    with pytest.raises(NoAnswer, match="sends nothing"):
        waits.extend(PMS5003(port()).read())
    assert sum(waits) == 3
