"""SGP40 command by command, and its signal against the library of Adafruit."""

from __future__ import annotations

import adafruit_sgp40 as peer
import pytest
from adafruit_rig import BusIO, CommandBus, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.bus.sensirion import encode
from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.sgp40 import SGP40, Reading
from pilogger.testing import MemoryBus, ScriptedBus, run

peer.sleep = Time().sleep

FEATURES, TEST = b"\x20\x2f", b"\x28\x0e"
MEASURE = bytes.fromhex("260f 8000a2 666693")  # the datasheet's table 9, without compensation


def chip(raw: int = 30_000, features: int = 0x3220, verdict: int = 0xD400) -> CommandBus:
    answers = {
        FEATURES: encode(features),
        TEST: encode(verdict),
        MEASURE[:2]: encode(raw),
        b"\x36\x82": encode(0, 0x1234, 0x5678),
    }
    return CommandBus(0x59, answers)


def test_a_poll_sends_the_command_of_the_datasheet() -> None:
    """0x8bd4 is 35796."""
    bus = ScriptedBus(("write", 0x59, MEASURE), ("read", 0x59, encode(0x8BD4)))

    reading, waits = run(SGP40(bus).read())

    assert reading.voc_raw == 35_796
    assert waits == [0.03]
    bus.done()


@given(st.integers(1, 64_999))
def test_an_independent_driver_reads_the_same(raw: int) -> None:
    """Adafruit's without compensation, which sends the same bytes."""
    bus = chip(raw)
    theirs = peer.SGP40(BusIO(bus))
    bus.writes.clear()

    assert run(SGP40(bus).read())[0].voc_raw == theirs.raw
    assert bus.writes == [MEASURE, MEASURE]


@pytest.mark.parametrize("raw", [0, 65_000, 0xFFFF])
def test_what_is_no_signal_is_no_reading(raw: int) -> None:
    """Sensirion's index knows none from 65000 on."""
    with pytest.raises(BadReading, match=f"^{raw} is no signal"):
        run(SGP40(chip(raw)).read())


def test_the_index_comes_after_45_seconds_of_polls_and_rises_to_100() -> None:
    """At 10 s: five polls without, then from 1 to the usual."""
    sensor = SGP40(chip())

    indices = [run(sensor.read())[0].voc_index for _ in range(200)]

    assert indices[:5] == [None] * 5
    assert indices[5] == 1
    assert indices[-1] == 100


def test_the_interval_is_that_of_the_polls() -> None:
    sensor = SGP40(chip(), interval=1)

    indices = [run(sensor.read())[0].voc_index for _ in range(47)]

    assert indices == [*[None] * 46, 1]


@pytest.mark.parametrize("at", range(3))
def test_a_wrong_byte_anywhere_is_no_reading(at: int) -> None:
    bus = chip()
    damaged = bytearray(bus.answers[MEASURE[:2]])
    damaged[at] ^= 0x01
    bus.answers[MEASURE[:2]] = bytes(damaged)

    with pytest.raises(BadReading, match="checksum"):
        run(SGP40(bus).read())


def test_start_identifies_tests_and_heats_up() -> None:
    """The first signal, of a cold sensor, is dropped; a minute later it notices (table 1)."""
    bus = ScriptedBus(
        ("write", 0x59, FEATURES),
        ("read", 0x59, encode(0x3220)),
        ("write", 0x59, TEST),
        ("read", 0x59, encode(0xD400)),
        ("write", 0x59, MEASURE),
        ("read", 0x59, encode(0xFFFF)),
    )

    _, waits = run(SGP40(bus).start())

    assert waits == [0.01, 0.32, 0.03, 60.0]
    bus.done()


@pytest.mark.parametrize(
    ("features", "name"),
    [
        (0x3240, r"SGP41 \(0x3240\)"),
        (0x0010, r"another chip \(0x0010\)"),
        (0x0120, "another"),
        (0x3230, "another"),
    ],
)
def test_a_lookalike_is_named_and_left_alone(features: int, name: str) -> None:
    bus = chip(features=features)

    with pytest.raises(WrongChip, match=f"0x59 answers as {name}.*, not SGP40; `pilogger scan`"):
        run(SGP40(bus).start())
    assert bus.writes == [FEATURES]


def test_a_chip_that_finds_itself_broken_gives_no_number() -> None:
    """0x4b00: one or more tests have failed (table 13)."""
    with pytest.raises(BadReading, match=r"fails its own test \(0x4b00\)"):
        run(SGP40(chip(verdict=0x4B00)).start())


def test_its_identity_is_known() -> None:
    found, waits = run(SGP40.identify(chip(), 0x59))

    assert found
    assert waits == [0.01]
    assert not run(SGP40.identify(chip(features=0x3240), 0x59))[0]
    assert not run(SGP40.identify(CommandBus(0x59, {}), 0x59))[0]
    assert not run(SGP40.identify(CommandBus(0x59, {FEATURES: b"\x32\x20\x00"}), 0x59))[0]


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x59"):
        run(SGP40(MemoryBus({})).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert {name: (c.unit, c.low, c.high, c.step) for name, c in found.items()} == {
        "voc_raw": ("1", 1, 64_999, 1),
        "voc_index": ("1", 1, 500, 1),
    }


def test_temperature_and_humidity_of_the_air_go_with_the_command() -> None:
    """Table 10: 50 % and 25 Cel are the standard; Adafruit's library sends the same bytes."""
    bus = chip()
    theirs = peer.SGP40(BusIO(bus))
    bus.writes.clear()

    run(SGP40(bus, temperature=lambda: 60.0, humidity=lambda: 20.0).read())
    theirs.measure_raw(60, 20)
    run(SGP40(bus, temperature=lambda: 25.0, humidity=lambda: 50.0).read())

    assert bus.writes[0] == b"\x26\x0f" + encode(0x3333, 0x9999) == bus.writes[1]
    assert bus.writes[2] == MEASURE


@pytest.mark.parametrize(
    ("warm", "wet", "command"),
    [(-45, 0, "260f 000081 000081"), (130, 100, "260f ffffac ffffac")],
)
def test_the_ends_of_what_it_can_be_told(warm: float, wet: float, command: str) -> None:
    """Table 10, minimum and maximum, with their checksums."""
    bus = chip()

    run(SGP40(bus, temperature=lambda: warm, humidity=lambda: wet).read())

    assert bus.writes == [bytes.fromhex(command)]


@pytest.mark.parametrize(("warm", "wet"), [(None, 50.0), (20.0, None)])
def test_without_both_the_air_is_the_standard_one(warm: float | None, wet: float | None) -> None:
    bus = chip()

    run(SGP40(bus, temperature=lambda: warm, humidity=lambda: wet).read())

    assert bus.writes == [MEASURE]


def test_what_was_learnt_goes_on_after_a_restart() -> None:
    """After three hours; without that the index begins anew at 1."""
    before = SGP40(chip(28_000))
    assert before.state == {}
    for _ in range(5 + 3 * 360):
        run(before.read())
    assert before.state == {}, "not yet three hours of signals, of which the first makes the mean"
    run(before.read())
    run(before.read())
    after = SGP40(chip(28_000))

    after.state = before.state

    assert after.state == before.state
    assert [run(after.read())[0].voc_index for _ in range(6)] == [None] * 5 + [100]
    assert SGP40.state_lasts == 600


def test_a_state_of_another_shape_is_refused() -> None:
    with pytest.raises(KeyError):
        SGP40(chip()).state = {"mean": 1}
