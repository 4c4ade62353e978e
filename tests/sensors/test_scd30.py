"""SCD30 command by command, and its values against the datasheet and the library of Adafruit."""

from __future__ import annotations

import struct

import adafruit_scd30 as peer
import pytest
from adafruit_rig import BusIO, CommandBus, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.bus.sensirion import encode
from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer
from pilogger.sensors.scd30 import SCD30, Reading
from pilogger.testing import MemoryBus, ScriptedBus, run

peer.time = Time()

NOT_READY, READY = bytes.fromhex("000081"), bytes.fromhex("0001b0")
EXAMPLE = bytes.fromhex("43dbcb 8c2e8f 41d970 e7fff5 4243bf 3a1b74")

SINGLE = st.floats(width=32, min_value=0.0078125, max_value=40_000)


def chip(data: bytes = EXAMPLE, ready: bytes = READY) -> CommandBus:
    return CommandBus(0x61, {b"\x02\x02": ready, b"\x03\x00": data, b"\xd1\x00": encode(0x0342)})


def floats(*values: float) -> bytes:
    return encode(*struct.unpack(">6H", struct.pack(">3f", *values)))


def sample(data: bytes, ready: bytes = READY) -> Reading:
    return run(SCD30(chip(data, ready)).read())[0]


def test_worked_example_of_the_datasheet() -> None:
    """§1.4: 439.09 ppm, 27.2 Cel, 48.8 %."""
    reading = sample(EXAMPLE)

    assert reading.co2 == pytest.approx(439.095, abs=0.0005)
    assert reading.temperature == pytest.approx(27.238, abs=0.0005)
    assert reading.humidity == pytest.approx(48.807, abs=0.0005)


@given(SINGLE, SINGLE, SINGLE)
def test_an_independent_driver_reads_the_same(co2: float, warm: float, wet: float) -> None:
    """Adafruit's; both take the bits of a float as they are."""
    bus = chip(floats(co2, warm, wet))
    theirs = peer.SCD30(BusIO(bus))

    assert run(SCD30(bus).read())[0] == (theirs.CO2, theirs.temperature, theirs.relative_humidity)


def test_frost_is_a_reading() -> None:
    assert sample(floats(400, -12.5, 80)).temperature == -12.5


@pytest.mark.parametrize("at", range(18))
def test_a_wrong_byte_anywhere_is_no_reading(at: int) -> None:
    damaged = bytearray(EXAMPLE)
    damaged[at] ^= 0x10

    with pytest.raises(BadReading, match="checksum"):
        sample(bytes(damaged))


@pytest.mark.parametrize("at", range(3))
def test_a_wrong_byte_of_the_status_is_no_reading(at: int) -> None:
    damaged = bytearray(READY)
    damaged[at] ^= 0x02

    with pytest.raises(BadReading, match="checksum"):
        sample(EXAMPLE, bytes(damaged))


@pytest.mark.parametrize(("co2", "shown"), [(0.0, "0"), (-3.0, "-3"), (float("nan"), "nan")])
def test_what_no_air_has_is_no_reading(co2: float, shown: str) -> None:
    """The first values after power-on have 0 ppm."""
    with pytest.raises(BadReading, match=f"gives {shown} ppm: it has not measured CO2"):
        sample(floats(co2, 25, 50))


def test_start_changes_only_the_settings_that_are_others() -> None:
    """They are kept in memory that wears; 0x03e8 is 1000 m, and 5 s is what somebody else set."""
    bus = ScriptedBus(
        ("write", 0x61, b"\x46\x00"),
        ("read", 0x61, encode(5)),
        ("write", 0x61, bytes.fromhex("4600 0002 e3")),  # the datasheet's example, §1.4
        ("write", 0x61, b"\x51\x02"),
        ("read", 0x61, encode(1000)),
        ("write", 0x61, b"\x53\x06"),
        ("read", 0x61, encode(1)),
        ("write", 0x61, bytes.fromhex("0010 0000 81")),  # the datasheet's example, §1.4
    )

    _, waits = run(SCD30(bus, altitude=1000).start())

    assert waits == [0.05] * 5
    bus.done()


def test_self_calibration_is_switched_off_where_there_is_no_fresh_air() -> None:
    bus = chip()
    bus.answers |= {b"\x46\x00": encode(2), b"\x51\x02": encode(500), b"\x53\x06": encode(1)}

    run(SCD30(bus, self_calibration=False).start())

    assert bytes.fromhex("5306 0000 81") in bus.writes
    assert bytes.fromhex("5102 0000 81") in bus.writes
    assert b"\x46\x00" + encode(2) not in bus.writes


def test_a_poll_waits_for_values_that_are_new() -> None:
    """There is no repeated start: each answer is fetched by a read of its own (§1.1)."""
    bus = ScriptedBus(
        ("write", 0x61, b"\x02\x02"),
        ("read", 0x61, NOT_READY),
        ("write", 0x61, b"\x02\x02"),
        ("read", 0x61, READY),
        ("write", 0x61, b"\x03\x00"),
        ("read", 0x61, EXAMPLE),
    )

    reading, waits = run(SCD30(bus).read())

    assert reading.co2 == pytest.approx(439.095, abs=0.0005)
    assert waits == [0.05, 0.5, 0.05, 0.05]
    bus.done()


def test_a_chip_that_does_not_measure_is_set_up_anew() -> None:
    """It has 3 s for what takes 2; the core starts a sensor again that failed."""
    bus = chip(ready=NOT_READY)
    bus.answers |= {b"\x46\x00": encode(2), b"\x51\x02": encode(0), b"\x53\x06": encode(1)}
    sensor = SCD30(bus)
    steps = sensor.read()
    waited = 0.0
    while waited < 2.5:
        waited += next(steps)

    with pytest.raises(BadReading, match="does not measure"):
        run(steps)
    run(sensor.start())
    assert bus.writes[-1] == bytes.fromhex("0010 0000 81")


def test_it_does_not_wait_for_ever() -> None:
    waits: list[float] = []

    with pytest.raises(BadReading, match="does not measure"):
        waits.extend(SCD30(chip(ready=NOT_READY)).read())
    assert sum(waits) == pytest.approx(3.3)


@pytest.mark.parametrize("altitude", [-1, 0x10000])
def test_an_altitude_that_does_not_fit_is_refused(altitude: int) -> None:
    with pytest.raises(ValueError, match=f"0 to 65535 m, not {altitude}"):
        SCD30(chip(), altitude=altitude)


def test_the_highest_altitude_is_taken() -> None:
    assert SCD30(chip(), altitude=0xFFFF).altitude == 0xFFFF


def test_it_is_identified_by_an_answer_with_a_checksum() -> None:
    found, waits = run(SCD30.identify(chip(), 0x61))

    assert found
    assert waits == [0.05]
    assert not run(SCD30.identify(CommandBus(0x61, {b"\xd1\x00": b"\x03\x42\x00"}), 0x61))[0]
    assert not run(SCD30.identify(CommandBus(0x61, {}), 0x61))[0]


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x61"):
        run(SCD30(MemoryBus({})).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert {name: (c.unit, c.low, c.high, c.step) for name, c in found.items()} == {
        "co2": ("[ppm]", 0, 40_000, 0.1),
        "temperature": ("Cel", -40, 70, 0.001),
        "humidity": ("%", 0, 100, 0.001),
    }


def kept() -> CommandBus:
    bus = chip()
    bus.answers |= {b"\x46\x00": encode(2), b"\x51\x02": encode(0), b"\x53\x06": encode(1)}
    return bus


def test_the_pressure_of_the_air_goes_with_the_command_to_measure() -> None:
    """§1.4: in hPa; Adafruit's library sends the same bytes for 980."""
    bus = kept()
    theirs = peer.SCD30(BusIO(bus), ambient_pressure=980)
    assert theirs is not None
    expected = next(written for written in bus.writes if written[:2] == b"\x00\x10")

    run(SCD30(bus, pressure=lambda: 98_000).start())

    assert bus.writes[-1] == expected == b"\x00\x10" + encode(980)


def test_a_pressure_that_has_hardly_changed_is_not_told() -> None:
    """The command is kept in memory that wears: 5 hPa are 0.5 % of the CO2."""
    air: list[float | None] = [98_000]
    bus = kept()
    sensor = SCD30(bus, pressure=lambda: air[0])
    run(sensor.start())
    bus.writes.clear()

    for pascal in (98_400, 97_600, None, 97_500, 97_500):
        air[0] = pascal
        run(sensor.read())

    told = [written for written in bus.writes if written[:2] == b"\x00\x10"]
    assert told == [b"\x00\x10" + encode(975)]
