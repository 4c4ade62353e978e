"""DS18B20 through files as the kernel lays them out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.bus.onewire import KernelBus
from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.ds18b20 import DS18B20, Reading, celsius, crc8, scratchpad
from pilogger.testing import run, w1_slave

THIRTY = "e0 01 00 00 3f ff 10 10 3f"
POWER_ON = "50 05 4b 46 7f ff 0c 10 1c"


def bus(folder: Path, **chips: str) -> KernelBus:
    """Lay out chips, given as their ids with _ for - and the text of their w1_slave."""
    for name, text in {"w1-bus-master1": "", **chips}.items():
        device = folder / name.replace("_", "-")
        device.mkdir()
        (device / "w1_slave").write_text(text)
    return KernelBus(folder)


def sample(wires: KernelBus) -> float:
    sensor = DS18B20(wires)
    sensor.start()
    reading, waits = run(sensor.read())
    assert waits == [], "the kernel has waited already"
    return reading.temperature


def test_a_recorded_scratchpad_end_to_end(tmp_path: Path) -> None:
    assert sample(bus(tmp_path, **{"28_0a": w1_slave(THIRTY)})) == 30.0


@pytest.mark.parametrize(
    ("raw", "temperature"),
    [
        (0x07D0, 125),
        (0x0550, 85),
        (0x0191, 25.0625),
        (0x00A2, 10.125),
        (0x0008, 0.5),
        (0x0000, 0),
        (0xFFF8, -0.5),
        (0xFF5E, -10.125),
        (0xFE6F, -25.0625),
        (0xFC90, -55),
    ],
)
def test_the_table_of_the_datasheet(raw: int, temperature: float) -> None:
    """19-7487 Rev 6, p. 6, table 1."""
    data = raw.to_bytes(2, "little") + b"\x4b\x46\x7f\xff" + bytes([0x10 - (raw & 0xF), 0x10, 0])

    assert celsius(data) == temperature


@pytest.mark.parametrize(
    ("config", "temperature"),
    [(0x1F, 25.5), (0x3F, 25.75), (0x5F, 25.875), (0x7F, 25.9375), (0xFF, 25.9375)],
)
def test_undefined_bits_do_not_count(config: int, temperature: float) -> None:
    """At 9 to 11 bits the lowest bits mean nothing (p. 6); R1 and R0 alone say how many (p. 9)."""
    data = b"\x9f\x01\x4b\x46" + bytes([config]) + b"\xff\x01\x10\x00"

    assert celsius(data) == temperature


@pytest.mark.fault(87)
def test_85_degrees_is_a_reading_and_the_power_on_value_is_none(tmp_path: Path) -> None:
    """Byte 6 is 0x0C until the first conversion, and then 0x10 less the low nibble."""
    true_85 = bytes.fromhex("5005 4b46 7fff 1010 00")

    assert celsius(true_85) == 85.0
    with pytest.raises(BadReading, match="85 Cel is the power-on value"):
        sample(bus(tmp_path, **{"28_0a": w1_slave(POWER_ON)}))


def test_another_temperature_with_byte_6_of_power_on_is_a_reading() -> None:
    """25.25 Cel leaves 0x10 - 4 = 0x0C by rights; some copies never change the byte."""
    assert celsius(bytes.fromhex("9401 4b46 7fff 0c10 00")) == 25.25


@pytest.mark.parametrize(
    ("data", "crc"),
    [("28ac410e070000", 0x74), ("e00100003fff1010", 0x3F), ("50054b467fff0c10", 0x1C)],
)
def test_the_checksum_of_known_bytes(data: str, crc: int) -> None:
    """A ROM of Maxim's application note 27's kind, and two recorded scratchpads."""
    assert crc8(bytes.fromhex(data)) == crc
    assert crc8(bytes.fromhex(data) + bytes([crc])) == 0


@pytest.mark.fault(87)
@given(st.integers(0, 71))
def test_every_flipped_bit_is_noticed_though_the_kernel_said_yes(bit: int) -> None:
    damaged = int.from_bytes(bytes.fromhex(THIRTY), "big") ^ 1 << bit

    with pytest.raises(BadReading, match="checksum"):
        scratchpad(w1_slave(damaged.to_bytes(9, "big").hex(" ")))


def test_a_checksum_that_the_kernel_refused_is_refused() -> None:
    with pytest.raises(BadReading, match="checksum is wrong: e0 01"):
        scratchpad(w1_slave(THIRTY, "NO"))


def test_all_zeros_are_no_reading() -> None:
    """Their checksum is right: a data line held low would read as 0 Cel for ever."""
    with pytest.raises(BadReading, match="held low"):
        scratchpad(w1_slave(" ".join(["00"] * 9)))


@pytest.mark.parametrize(
    "text", ["\n", "garbage", THIRTY[3:] + " : YES", "00 " + THIRTY + " : YES", "zz : YES"]
)
def test_text_that_is_no_scratchpad_is_no_reading(text: str) -> None:
    with pytest.raises(BadReading, match="the kernel gives no scratchpad"):
        scratchpad(text)


def test_the_configured_chip_is_read(tmp_path: Path) -> None:
    other = "91 01 4b 46 7f ff 0f 10 25"
    wires = bus(tmp_path, **{"28_0a": w1_slave(THIRTY), "28_0b": w1_slave(other)})
    sensor = DS18B20(wires, id="28-0b")

    sensor.start()

    assert run(sensor.read())[0].temperature == 25.0625


def test_several_chips_without_an_id_are_listed(tmp_path: Path) -> None:
    wires = bus(tmp_path, **{"28_0a": "", "28_0b": "", "10_0c": ""})

    with pytest.raises(WrongChip, match=r"set id to one of: 28-0a, 28-0b$"):
        DS18B20(wires).start()


def test_a_missing_chip_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    wires = bus(tmp_path, **{"28_0a": "", "10_0c": ""})

    with pytest.raises(NoAnswer, match=r"28-0b is not on the 1-wire bus; DS18B20 there: 28-0a$"):
        DS18B20(wires, id="28-0b").start()


def test_a_chip_of_another_family_is_refused(tmp_path: Path) -> None:
    """A DS18S20 (family 10) has other units in the same bytes."""
    wires = bus(tmp_path, **{"10_0c": w1_slave(THIRTY)})

    with pytest.raises(WrongChip, match="10-0c is no DS18B20"):
        DS18B20(wires, id="10-0c").start()
    with pytest.raises(NoAnswer, match="no DS18B20 is on the 1-wire bus"):
        DS18B20(wires).start()


def test_a_chip_that_leaves_says_so(tmp_path: Path) -> None:
    """First the kernel shows an empty file, then it takes the folder away."""
    sensor = DS18B20(bus(tmp_path, **{"28_0a": ""}))
    sensor.start()

    with pytest.raises(NoAnswer, match="28-0a does not answer"):
        run(sensor.read())
    (tmp_path / "28-0a" / "w1_slave").unlink()
    with pytest.raises(NoAnswer, match="28-0a is not on the 1-wire bus"):
        run(sensor.read())


def test_channels_carry_unit_and_range() -> None:
    temperature = channels(Reading)["temperature"]

    assert temperature.unit == "Cel"
    assert (temperature.low, temperature.high) == (-55, 125)
