"""MH-Z19: frames of nine bytes, and three minutes of patience."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.errors import BadReading, NoAnswer
from pilogger.sensors.mhz19 import MHZ19, Reading, checksum, command
from pilogger.testing import SerialPort, run

READ = bytes.fromhex("ff 01 86 00 00 00 00 00 79")
ANSWER = bytes.fromhex("ff 86 02 60 2a 00 00 00 ee")


def port(answer: bytes = ANSWER, *talk: bytes) -> SerialPort:
    return SerialPort(*talk, answers={READ: answer})


def test_a_recorded_answer_end_to_end() -> None:
    """What lay in the buffer is forgotten first."""
    bus = port(ANSWER, b"old")

    reading, waits = run(MHZ19(bus).read())

    assert reading == Reading(608)
    assert waits == [0.1]
    assert bus.writes == [READ]


def test_commands_are_those_of_the_manual() -> None:
    """And never 0x87, which would calibrate it to whatever air there is."""
    assert command(0x86) == READ
    assert command(0x79, 0xA0) == bytes.fromhex("ff 01 79 a0 00 00 00 00 e6")
    assert command(0x79, 0x00) == bytes.fromhex("ff 01 79 00 00 00 00 00 86")


@given(st.binary(min_size=9, max_size=9))
def test_the_manuals_own_words_give_the_same_checksum(frame: bytes) -> None:
    """Add bytes 1 to 7, invert, add one."""
    total = 0
    for byte in frame[1:8]:
        total = (total + byte) % 256

    assert checksum(frame) == ((0xFF - total) + 1) % 256


@given(st.integers(1, 10_000), st.binary(min_size=4, max_size=4))
def test_both_bytes_of_the_value_count(ppm: int, rest: bytes) -> None:
    """The other bytes are the sensor's own business."""
    frame = b"\xff\x86" + ppm.to_bytes(2, "big") + rest

    assert run(MHZ19(port(frame + bytes([checksum(frame)]))).read())[0].co2 == ppm


@pytest.mark.parametrize("bit", range(16, 72))
def test_every_flipped_bit_is_noticed(bit: int) -> None:
    damaged = (int.from_bytes(ANSWER, "big") ^ 1 << 71 - bit).to_bytes(9, "big")

    with pytest.raises(BadReading, match="checksum is wrong"):
        run(MHZ19(port(damaged)).read())


@pytest.mark.parametrize("answer", [ANSWER[:8], ANSWER + b"\0", b"\0" * 9, READ, ANSWER[1:] + b"x"])
def test_what_is_no_answer_is_no_reading(answer: bytes) -> None:
    """All zeros have the right checksum; an echo of the question has, too."""
    with pytest.raises(BadReading, match="no answer of an MH-Z19"):
        run(MHZ19(port(answer)).read())


def test_zero_is_no_reading() -> None:
    with pytest.raises(BadReading, match="has not measured"):
        run(MHZ19(port(bytes.fromhex("ff 86 00 00 00 00 00 00 7a"))).read())


@pytest.mark.parametrize(("wanted", "argument"), [(True, 0xA0), (False, 0x00)])
def test_start_sets_up_and_waits_until_it_is_warm(wanted: bool, argument: int) -> None:
    bus = port()

    _, waits = run(MHZ19(bus, self_calibration=wanted).start())

    assert bus.speeds == [9600]
    assert bus.writes == [command(0x79, argument), READ]
    assert waits == [0.1, 0.1, 180]


def test_a_sensor_that_is_warm_is_not_waited_for_again() -> None:
    """A damaged answer costs a poll; one that was silent may have been without power."""
    bus = port()
    sensor = MHZ19(bus)
    run(sensor.start())

    assert run(sensor.start())[1] == [0.1, 0.1]
    bus.answers.clear()
    with pytest.raises(NoAnswer, match="does not answer"):
        run(sensor.read())
    bus.answers[READ] = ANSWER
    assert run(sensor.start())[1] == [0.1, 0.1, 180]


def test_an_unplugged_sensor_says_so() -> None:
    with pytest.raises(NoAnswer, match="MH-Z19 does not answer"):
        run(MHZ19(SerialPort()).start())
