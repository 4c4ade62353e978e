"""SGP30 command by command, and its values against the library of Adafruit."""

from __future__ import annotations

import adafruit_sgp30 as peer
import pytest
from adafruit_rig import BusIO, CommandBus, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.bus.sensirion import encode
from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.sgp30 import SGP30, Reading
from pilogger.testing import MemoryBus, ScriptedBus, run

peer.time = Time()

FEATURES, INIT, MEASURE, BASELINE = b"\x20\x2f", b"\x20\x03", b"\x20\x08", b"\x20\x15"


def chip(eco2: int = 455, tvoc: int = 12, features: int = 0x0022) -> CommandBus:
    answers = {
        FEATURES: encode(features),
        MEASURE: encode(eco2, tvoc),
        BASELINE: encode(0x8A12, 0x9B34),
        b"\x36\x82": encode(0, 1, 2),
    }
    return CommandBus(0x58, answers)


def minute(sensor: SGP30) -> list[Reading]:
    return [run(sensor.read())[0] for _ in range(60)]


def test_a_poll_asks_once() -> None:
    """CO2 first, then TVOC: 0x01c7 is 455 ppm, 0x000c is 12 ppb."""
    bus = ScriptedBus(("write", 0x58, MEASURE), ("read", 0x58, encode(0x01C7, 0x000C)))

    reading, waits = run(SGP30(bus).read())

    assert (reading.eco2, reading.tvoc) == (455, 12)
    assert waits == [0.012]
    bus.done()


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_an_independent_driver_reads_the_same(eco2: int, tvoc: int) -> None:
    """Adafruit's; all are whole numbers."""
    bus = chip(eco2, tvoc)
    theirs = peer.Adafruit_SGP30(BusIO(bus))

    assert run(SGP30(bus).read())[0] == (theirs.eCO2, theirs.TVOC)


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("command", [MEASURE, BASELINE])
def test_a_wrong_byte_anywhere_is_no_reading(command: bytes, at: int) -> None:
    bus = chip()
    damaged = bytearray(bus.answers[command])
    damaged[at] ^= 0x20
    bus.answers[command] = bytes(damaged)

    with pytest.raises(BadReading, match="checksum"):
        minute(SGP30(bus))


def test_clean_air_is_a_reading() -> None:
    """400 ppm and 0 ppb also stand for "nothing yet", but only in the first 15 s."""
    assert run(SGP30(chip(400, 0)).read())[0] == (400, 0)


def test_start_identifies_begins_and_lets_15_seconds_pass() -> None:
    """One measurement each second: the chip learns from them (§6.3)."""
    bus = chip()

    _, waits = run(SGP30(bus).start())

    assert bus.writes == [FEATURES, INIT, *[MEASURE] * 15]
    assert waits == [0.01, 0.01, *[0.012, pytest.approx(0.988)] * 15]


def test_a_baseline_is_given_back_when_the_chip_is_set_up_anew() -> None:
    """It gives CO2 first and takes TVOC first; Adafruit's library sends the same bytes."""
    bus = chip()
    sensor = SGP30(bus)
    minute(sensor)
    assert bus.writes == [*[MEASURE] * 60, BASELINE]
    bus.writes.clear()

    run(sensor.start())

    assert bus.writes[:3] == [FEATURES, INIT, b"\x20\x1e" + encode(0x9B34, 0x8A12)]
    theirs = peer.Adafruit_SGP30(BusIO(bus))
    theirs.set_iaq_baseline(theirs.baseline_eCO2, theirs.baseline_TVOC)
    assert bus.writes[-1] == bus.writes[2]


def test_the_baseline_is_noted_each_minute_beside_the_reading() -> None:
    bus = chip()
    sensor = SGP30(bus)
    minute(sensor)
    bus.answers[BASELINE] = encode(0, 0x7777)  # one of both may be zero

    assert minute(sensor)[-1] == (455, 12)

    assert sensor.baseline == (0, 0x7777)
    assert bus.writes == [*[MEASURE] * 60, BASELINE] * 2


def test_a_chip_may_have_no_baseline_yet() -> None:
    bus = chip()
    bus.answers[BASELINE] = encode(0, 0)
    sensor = SGP30(bus)

    assert minute(sensor)[-1] == (455, 12)

    bus.writes.clear()
    run(sensor.start())
    assert bus.writes == [FEATURES, INIT, *[MEASURE] * 15]


def test_a_chip_that_forgot_everything_is_noticed_and_gets_its_baseline_back() -> None:
    """After a dip of the supply it gives the same 400 and 0 as clean air, but has no baseline."""
    bus = chip()
    sensor = SGP30(bus)
    minute(sensor)
    bus.answers[BASELINE] = encode(0, 0)

    with pytest.raises(BadReading, match="forgot its baseline"):
        minute(sensor)
    with pytest.raises(BadReading, match="forgot its baseline"):  # the core tries again
        run(sensor.read())
    bus.writes.clear()
    run(sensor.start())

    assert bus.writes[1:3] == [INIT, b"\x20\x1e" + encode(0x9B34, 0x8A12)]


@pytest.mark.parametrize(
    ("features", "name"),
    [
        (0x1006, r"SGPC3 \(0x1006\)"),
        (0x1022, r"SGPC3 \(0x1022\)"),
        (0x0010, r"another chip \(0x0010\)"),
        (0x3220, r"another chip \(0x3220\)"),
    ],
)
def test_a_lookalike_is_named_and_left_alone(features: int, name: str) -> None:
    bus = chip(features=features)

    with pytest.raises(WrongChip, match=f"0x58 answers as {name}, not SGP30; `pilogger scan`"):
        run(SGP30(bus).start())
    assert bus.writes == [FEATURES]
    assert not run(SGP30.identify(bus, 0x58))[0]


@pytest.mark.parametrize("features", [0x0020, 0x0022, 0x00FF, 0x0F22])
def test_its_identity_is_known_in_all_versions(features: int) -> None:
    """Bits 15:12 are the product, 7:0 the version; those between are reserved (§6.3)."""
    found, waits = run(SGP30.identify(chip(features=features), 0x58))

    assert found
    assert waits == [0.01]


def test_what_does_not_answer_is_none() -> None:
    assert not run(SGP30.identify(CommandBus(0x58, {}), 0x58))[0]
    assert not run(SGP30.identify(CommandBus(0x58, {FEATURES: b"\x00\x22\x00"}), 0x58))[0]


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x58"):
        run(SGP30(MemoryBus({})).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert {name: (c.unit, c.low, c.high, c.step) for name, c in found.items()} == {
        "eco2": ("[ppm]", 400, 60_000, 1),
        "tvoc": ("[ppb]", 0, 60_000, 1),
    }


def test_the_chip_is_told_how_moist_the_air_is_when_that_changes() -> None:
    """25 Cel and 50 % are 11.48 g/m3: 0x0b7c in 1/256; Adafruit's library sends the same bytes."""
    air: list[float | None] = [50.0]
    bus = chip()
    sensor = SGP30(bus, temperature=lambda: 25.0, humidity=lambda: air[0])

    _, waits = run(sensor.read())
    run(sensor.read())
    air[0] = 60.0
    run(sensor.read())

    moist, moister = b"\x20\x61" + encode(0x0B7C), b"\x20\x61" + encode(0x0DC8)
    assert bus.writes == [moist, MEASURE, MEASURE, moister, MEASURE]
    assert waits == [0.01, 0.012]
    theirs = peer.Adafruit_SGP30(BusIO(bus))
    theirs.set_iaq_humidity(11.4844)  # it cuts where we round
    assert bus.writes[-1] == moist


def test_without_a_fresh_value_there_is_no_compensation() -> None:
    """0 switches it off (§6.3), also what the chip was told before this start."""
    air: list[float | None] = [None]
    bus = chip()
    sensor = SGP30(bus, temperature=lambda: 25.0, humidity=lambda: air[0])
    off = b"\x20\x61" + encode(0)

    run(sensor.read())
    run(sensor.read())
    assert bus.writes == [off, MEASURE, MEASURE]

    air[0] = 50.0
    run(sensor.read())
    air[0] = None
    bus.writes.clear()
    run(sensor.read())
    assert bus.writes == [off, MEASURE]


def test_a_chip_with_half_of_its_wires_is_told_nothing() -> None:
    bus = chip()

    run(SGP30(bus, temperature=lambda: 25.0).read())

    assert bus.writes == [MEASURE]


def test_bone_dry_air_is_told_as_nearly_so_and_a_new_start_tells_it_again() -> None:
    """0 would switch the compensation off; INIT forgets what the chip was told."""
    bus = chip()
    sensor = SGP30(bus, temperature=lambda: 25.0, humidity=lambda: 0.0)
    run(sensor.read())
    run(sensor.start())
    bus.writes.clear()

    run(sensor.read())

    assert bus.writes == [b"\x20\x61" + encode(1), MEASURE]


def test_a_baseline_of_twelve_hours_survives_a_restart() -> None:
    """Sensirion's guide: what was learnt in less is not worth it, nor what is a week old."""
    sensor = SGP30(chip())
    for _ in range(12 * 60 - 1):
        minute(sensor)
    assert sensor.state == {}
    minute(sensor)
    bus = chip()
    after = SGP30(bus)

    after.state = {"baseline": list(sensor.state["baseline"])}  # as JSON has it
    run(after.start())

    assert bus.writes[:3] == [FEATURES, INIT, b"\x20\x1e" + encode(0x9B34, 0x8A12)]
    assert after.state == sensor.state
    assert SGP30.state_lasts == 7 * 24 * 3600


@pytest.mark.parametrize("baseline", [[1], [1, 70_000], ["a", "b"], None])
def test_a_baseline_that_is_none_is_refused(baseline: object) -> None:
    sensor = SGP30(chip())

    with pytest.raises((ValueError, TypeError, OverflowError, AttributeError)):
        sensor.state = {"baseline": baseline}
    assert sensor.baseline == (0, 0)
