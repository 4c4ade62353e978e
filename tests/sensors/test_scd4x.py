"""SCD4x command by command, and its values against the datasheet and the library of Adafruit."""

from __future__ import annotations

import adafruit_scd4x as peer
import pytest
from adafruit_rig import BusIO, CommandBus, Time
from hypothesis import given
from hypothesis import strategies as st

from pilogger.bus.sensirion import encode
from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer
from pilogger.sensors.scd4x import Reading, SCD4x
from pilogger.testing import MemoryBus, ScriptedBus, run

peer.time = Time()

NOTHING_NEW, NEW = bytes.fromhex("8000a2"), bytes.fromhex("8006 04")
EXAMPLE = bytes.fromhex("01f433 6667a2 5eb93c")


def chip(data: bytes = EXAMPLE, ready: bytes = NEW) -> CommandBus:
    return CommandBus(0x62, {b"\xe4\xb8": ready, b"\xec\x05": data})


def sample(data: bytes, ready: bytes = NEW) -> Reading:
    return run(SCD4x(chip(data, ready)).read())[0]


def test_worked_example_of_the_datasheet() -> None:
    """§3.5.2: 500 ppm, 25 Cel, 37 %."""
    reading = sample(EXAMPLE)

    assert reading.co2 == 500
    assert reading.temperature == pytest.approx(25.0, abs=0.003)
    assert reading.humidity == pytest.approx(37.0, abs=0.003)


def test_a_recorded_chip() -> None:
    reading = sample(bytes.fromhex("022ca3 670d36 4d08f1"))

    assert reading.co2 == 556
    assert reading.temperature == pytest.approx(25.446, abs=0.0005)
    assert reading.humidity == pytest.approx(30.091, abs=0.0005)


@given(st.integers(1, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_an_independent_driver_reads_the_same(co2: int, temperature: int, humidity: int) -> None:
    """Adafruit's divides by 65535 too: only the order of the arithmetic differs."""
    bus = chip(encode(co2, temperature, humidity))
    theirs = peer.SCD4X(BusIO(bus))

    ours = run(SCD4x(bus).read())[0]

    assert ours.co2 == theirs.CO2
    assert ours.temperature == pytest.approx(theirs.temperature, abs=1e-9)
    assert ours.humidity == pytest.approx(theirs.relative_humidity, abs=1e-9)


@pytest.mark.parametrize("at", range(9))
def test_a_wrong_byte_anywhere_is_no_reading(at: int) -> None:
    damaged = bytearray(EXAMPLE)
    damaged[at] ^= 0x10

    with pytest.raises(BadReading, match="checksum"):
        sample(bytes(damaged))


@pytest.mark.parametrize("at", range(3))
def test_a_wrong_byte_of_the_status_is_no_reading(at: int) -> None:
    damaged = bytearray(NEW)
    damaged[at] ^= 0x01

    with pytest.raises(BadReading, match="checksum"):
        sample(EXAMPLE, bytes(damaged))


@pytest.mark.parametrize("stuck", [b"\x00", b"\xff"])
def test_a_line_that_is_stuck_is_no_reading(stuck: bytes) -> None:
    with pytest.raises(BadReading, match="checksum"):
        sample(stuck * 9, stuck * 3)


def test_zero_ppm_is_no_reading() -> None:
    """It stands for CO2 that was not measured; no air has none."""
    with pytest.raises(BadReading, match="has not measured CO2"):
        sample(encode(0, 0x6667, 0x5EB9))


def test_start_ends_what_runs_sets_up_and_measures() -> None:
    """The settings are refused while it measures (§3.6); 1950 m and 1 are the datasheet's."""
    bus = ScriptedBus(
        ("write", 0x62, b"\x3f\x86"),
        ("write", 0x62, bytes.fromhex("2427 079e 09")),
        ("write", 0x62, bytes.fromhex("2416 0001 b0")),
        ("write", 0x62, b"\x21\xb1"),
    )

    _, waits = run(SCD4x(bus, altitude=1950).start())

    assert waits == [0.5, 0.001, 0.001]
    bus.done()


def test_self_calibration_is_switched_off_where_there_is_no_fresh_air() -> None:
    bus = chip()

    run(SCD4x(bus, self_calibration=False).start())

    assert bytes.fromhex("2416 0000 81") in bus.writes
    assert bytes.fromhex("2427 0000 81") in bus.writes


def test_a_poll_waits_for_values_that_are_new() -> None:
    """Only the low 11 bits count (§3.8.2): 0x8000 is not ready."""
    bus = ScriptedBus(
        ("write", 0x62, b"\xe4\xb8"),
        ("read", 0x62, NOTHING_NEW),
        ("write", 0x62, b"\xe4\xb8"),
        ("read", 0x62, NEW),
        ("write", 0x62, b"\xec\x05"),
        ("read", 0x62, EXAMPLE),
    )

    reading, waits = run(SCD4x(bus).read())

    assert reading.co2 == 500
    assert waits == [0.001, 0.5, 0.001, 0.001]
    bus.done()


@pytest.mark.parametrize("bit", range(11))
def test_each_of_the_low_bits_means_ready(bit: int) -> None:
    assert sample(EXAMPLE, encode(1 << bit)).co2 == 500


def test_a_chip_that_stopped_is_set_up_anew() -> None:
    """A dip of the supply ends the measuring; the core starts a sensor again that failed."""
    bus = chip(ready=encode(0xF800))
    sensor = SCD4x(bus)

    with pytest.raises(BadReading, match="does not measure"):
        run(sensor.read())
    bus.writes.clear()
    run(sensor.start())

    assert bus.writes[0] == b"\x3f\x86"
    assert bus.writes[-1] == b"\x21\xb1"


def test_a_chip_has_six_seconds_for_what_takes_five() -> None:
    bus = chip(ready=NOTHING_NEW)
    steps = SCD4x(bus).read()
    waited = 0.0

    while waited < 5.5:
        waited += next(steps)

    bus.answers[b"\xe4\xb8"] = NEW
    assert run(steps)[0].co2 == 500


def test_it_does_not_wait_for_ever() -> None:
    waits: list[float] = []

    with pytest.raises(BadReading, match="does not measure"):
        waits.extend(SCD4x(chip(ready=NOTHING_NEW)).read())
    assert sum(waits) == pytest.approx(6.012)


@pytest.mark.parametrize("altitude", [-1, 3001])
def test_an_altitude_that_the_chip_does_not_know_is_refused(altitude: int) -> None:
    with pytest.raises(ValueError, match=f"0 to 3000 m, not {altitude}"):
        SCD4x(chip(), altitude=altitude)


def test_the_highest_altitude_is_taken() -> None:
    assert SCD4x(chip(), altitude=3000).altitude == 3000


def test_it_is_identified_by_an_answer_with_a_checksum() -> None:
    found, waits = run(SCD4x.identify(chip(), 0x62))

    assert found
    assert waits == [0.001]
    assert not run(SCD4x.identify(chip(ready=b"\x00\x00\x00"), 0x62))[0]
    assert not run(SCD4x.identify(CommandBus(0x62, {}), 0x62))[0]


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x62"):
        run(SCD4x(MemoryBus({})).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert {name: (c.unit, c.low, c.high, c.step) for name, c in found.items()} == {
        "co2": ("[ppm]", 0, 40_000, 1),
        "temperature": ("Cel", -10, 60, 0.001),
        "humidity": ("%", 0, 100, 0.001),
    }


def test_the_pressure_of_the_air_is_told_when_it_changes() -> None:
    """The example of the datasheet (§3.6.5): 98 700 Pa are 0xe000 0x03db, CRC 0x42."""
    air: list[float | None] = [98_700]
    bus = chip()
    sensor = SCD4x(bus, pressure=lambda: air[0])

    _, waits = run(sensor.read())
    air[0] = 98_740
    run(sensor.read())
    air[0] = None
    run(sensor.read())
    air[0] = 101_325
    run(sensor.read())

    told = [written for written in bus.writes if written[:2] == b"\xe0\x00"]
    assert told == [bytes.fromhex("e000 03db42"), b"\xe0\x00" + encode(1013)]
    assert waits == [0.001, 0.001, 0.001]
    assert bus.writes[0] == told[0], "before the values are fetched"


def test_a_chip_that_is_set_up_anew_is_told_again() -> None:
    """START follows the altitude."""
    bus = chip()
    sensor = SCD4x(bus, pressure=lambda: 98_700)
    run(sensor.read())
    run(sensor.start())
    bus.writes.clear()

    run(sensor.read())

    assert bus.writes[0] == bytes.fromhex("e000 03db42")
