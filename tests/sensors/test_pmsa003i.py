"""PMSA003I on its bus; the frame itself has tests of its own (test_plantower.py)."""

from __future__ import annotations

import struct

import adafruit_pm25.i2c as peer
import pytest
from adafruit_rig import BusIO
from hypothesis import given
from hypothesis import strategies as st

from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.pmsa003i import PMSA003I
from pilogger.testing import MemoryBus, ScriptedBus, run

WORDS = st.lists(st.integers(0, 0xFFFF), min_size=13, max_size=13)


def frame(words: list[int]) -> bytes:
    body = struct.pack(">2s14H", b"BM", 28, *words)
    return body + sum(body).to_bytes(2, "big")


def sending(answer: bytes) -> ScriptedBus:
    return ScriptedBus(("read", 0x12, answer))


@given(WORDS)
def test_an_independent_driver_reads_the_same(words: list[int]) -> None:
    """Adafruit's, whose "standard" are our `factory` values; all are whole numbers."""
    theirs = peer.PM25_I2C(BusIO(sending(frame(words)))).read()
    ours = PMSA003I(sending(frame(words))).read()

    assert list(ours) == list(theirs.values())
    assert (ours.pm2_5_factory, ours.pm2_5) == (theirs["pm25 standard"], theirs["pm25 env"])


def test_start_identifies_the_sensor_and_waits_until_the_fan_is_steady() -> None:
    bus = sending(b"BM")

    _, waits = run(PMSA003I(bus).start())

    assert waits == [30.0]
    bus.done()


@pytest.mark.parametrize("found", [b"\x00\x00", b"\xff\xff", b"MB"])
def test_another_chip_is_left_alone(found: bytes) -> None:
    with pytest.raises(WrongChip, match="0x12 does not answer as PMSA003I"):
        run(PMSA003I(sending(found)).start())
    assert not PMSA003I.identify(sending(found), 0x12)


def test_a_damaged_frame_is_no_reading() -> None:
    with pytest.raises(BadReading, match="checksum"):
        PMSA003I(sending(frame([1] * 13)[:-1] + b"\x00")).read()


def test_its_identity_is_known() -> None:
    assert PMSA003I.identify(sending(b"BM"), 0x12)


def test_an_unplugged_sensor_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x12"):
        run(PMSA003I(MemoryBus({})).start())
