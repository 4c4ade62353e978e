"""ADS1115 and ADS1015: one-shot conversions of each input, and what is no voltage."""

from __future__ import annotations

from typing import Any

import adafruit_ads1x15.ads1x15 as peer
import pytest
from adafruit_ads1x15 import ads1015, ads1115, analog_in
from adafruit_rig import BusIO, CommandBus
from hypothesis import given
from hypothesis import strategies as st

from pilogger.errors import BadReading, NoAnswer, WrongChip
from pilogger.sensors.ads1115 import ADS1115, GAINS, MUX, signed
from pilogger.testing import MemoryBus, ScriptedBus, run


class Chip(CommandBus):
    """Keeps its configuration; is never busy."""

    def __init__(self, word: int) -> None:
        super().__init__(0x48, {b"\x00": word.to_bytes(2, "big"), b"\x01": b"\x85\x83"})

    def write(self, address: int, data: bytes) -> None:
        super().write(address, data)
        if len(data) == 3:
            self.answers[data[:1]] = bytes([data[1] | 0x80, data[2]])


def test_one_poll_end_to_end() -> None:
    """Each input by itself; the chip says when it is done (§9.6.3)."""
    bus = ScriptedBus(
        ("write", 0x48, b"\x01\xc5\x83"),  # a0, +-2.048 V, one shot, 128 per second
        ("write_read", 0x48, b"\x01", b"\x45\x83"),
        ("write_read", 0x48, b"\x01", b"\xc5\x83"),
        ("write_read", 0x48, b"\x00", b"\x52\xd0"),
        ("write", 0x48, b"\x01\xb5\x83"),  # a2 - a3
        ("write_read", 0x48, b"\x01", b"\xb5\x83"),
        ("write_read", 0x48, b"\x00", b"\xff\x50"),
    )

    reading, waits = run(ADS1115(bus, full_scale=2.048, inputs=["a0", "a2_a3"]).read())

    assert reading == {"a0": 1.325, "a2_a3": -0.011}
    assert waits == [pytest.approx(1.1 / 128)] * 3
    bus.done()


@pytest.mark.parametrize(
    ("model", "full_scale", "word", "volt"),
    [
        ("ads1115", 2.048, 0x52D0, 1.325),
        ("ads1115", 6.144, 0xFF50, -0.033),
        ("ads1115", 0.256, 0x0001, 0.0000078125),  # the least step of the datasheet
        ("ads1115", 4.096, 0xFFFF, -0.000125),
        ("ads1015", 6.144, 0x0010, 0.003),
        ("ads1015", 2.048, 0xFFF0, -0.001),
        ("ads1015", 4.096, 0x3FFF, 2.046),  # four bits do not count
    ],
)
def test_steps_of_the_datasheets(model: Any, full_scale: float, word: int, volt: float) -> None:
    """§9.3.3, table 3; and two worked values."""
    reading, _ = run(ADS1115(Chip(word), 0x48, model, full_scale, ["a0"]).read())

    assert reading["a0"] == pytest.approx(volt, rel=1e-12)


@given(
    st.integers(0, 0xFFFF),
    st.sampled_from([(6.144, 2 / 3), (4.096, 1), (2.048, 2), (1.024, 4), (0.512, 8), (0.256, 16)]),
    st.sampled_from([("ads1115", ads1115.ADS1115), ("ads1015", ads1015.ADS1015)]),
)
def test_an_independent_driver_reads_the_same(
    word: int, scale: tuple[float, float], model: tuple[Any, Any]
) -> None:
    """Adafruit's, but at the ends of the scale; it divides by 32767, we as the datasheet says."""
    (full_scale, gain), (name, their_class) = scale, model
    theirs = analog_in.AnalogIn(their_class(BusIO(Chip(word)), gain=gain), 1)
    counts = signed(word) >> (0 if name == "ads1115" else 4)
    ends = (-0x8000, 0x7FFF) if name == "ads1115" else (-0x800, 0x7FF)
    ours = ADS1115(Chip(word), 0x48, name, full_scale, ["a1"])

    if counts in ends:
        with pytest.raises(BadReading, match="no input is within"):
            run(ours.read())
    else:
        reading, _ = run(ours.read())
        assert reading["a1"] == pytest.approx(theirs.voltage, rel=1e-3, abs=1e-9)


def test_inputs_and_scales_are_those_of_the_datasheet() -> None:
    """Bits 14:12 and 11:9 of the configuration, as Adafruit's driver has them, too."""
    assert [MUX[name] for name in ("a0", "a1", "a2", "a3")] == [4, 5, 6, 7]
    assert [MUX[name] for name in ("a0_a1", "a0_a3", "a1_a3", "a2_a3")] == [0, 1, 2, 3]
    assert list(GAINS.values()) == [bits >> 9 for bits in peer._ADS1X15_CONFIG_GAIN.values()]


@pytest.mark.parametrize("word", [0x7FFF, 0x8000])
def test_an_input_beyond_the_scale_is_absent_and_costs_no_other(word: int) -> None:
    done, end = ("write_read", 0x48, b"\x01", b"\xc3\x83"), word.to_bytes(2, "big")
    bus = ScriptedBus(
        ("write", 0x48, b"\x01\xc3\x83"),
        done,
        ("write_read", 0x48, b"\x00", end),
        ("write", 0x48, b"\x01\xd3\x83"),
        ("write_read", 0x48, b"\x01", b"\xd3\x83"),
        ("write_read", 0x48, b"\x00", b"\x7f\xfe"),
    )

    reading, _ = run(ADS1115(bus, inputs=["a0", "a1"]).read())

    assert reading == {"a1": pytest.approx(4.09575)}


@pytest.mark.parametrize("found", [0x0583, 0x8583, 0x0000, 0xFFFF])
def test_settings_that_are_not_ours_give_no_reading(found: int) -> None:
    """As after a dip of the supply, and on a line that is stuck."""
    bus = ScriptedBus(
        ("write", 0x48, b"\x01\xc3\x83"),
        ("write_read", 0x48, b"\x01", found.to_bytes(2, "big")),
    )

    with pytest.raises(BadReading, match="ADS1115 at 0x48 forgot its settings"):
        run(ADS1115(bus).read())


def test_a_conversion_that_does_not_end_gives_no_reading() -> None:
    busy = ("write_read", 0x48, b"\x01", b"\x43\x83")
    bus = ScriptedBus(("write", 0x48, b"\x01\xc3\x83"), busy, busy, busy, busy)

    with pytest.raises(BadReading, match="does not finish measuring"):
        run(ADS1115(bus).read())
    bus.done()


def test_start_ends_what_runs_and_waits() -> None:
    """Eight conversions a second are the slowest."""
    bus = ScriptedBus(
        ("write", 0x48, b"\x01\x03\x83"),
        ("write_read", 0x48, b"\x01", b"\x83\x83"),
    )

    _, waits = run(ADS1115(bus).start())

    assert waits == [pytest.approx(0.1375)]
    bus.done()


@pytest.mark.parametrize("found", [0x0000, 0xFFFF, 0x0383, 0x8383 ^ 0x0100])
def test_what_keeps_no_settings_is_no_ads1115(found: int) -> None:
    """As an LM75, whose configuration has one byte, and a PCF8591, which has none."""
    bus = ScriptedBus(
        ("write", 0x48, b"\x01\x03\x83"),
        ("write_read", 0x48, b"\x01", found.to_bytes(2, "big")),
    )

    with pytest.raises(
        WrongChip,
        match=r"0x48 answers as something with the settings 0x.*, not ADS1115; `pilogger scan`",
    ):
        run(ADS1115(bus).start())


def test_an_unplugged_chip_says_so() -> None:
    with pytest.raises(NoAnswer, match="0x4b"):
        run(ADS1115(MemoryBus({}), address=0x4B).start())


def test_options_that_the_chip_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="not 5"):
        ADS1115(MemoryBus({}), full_scale=5)
    with pytest.raises(ValueError, match="no input"):
        ADS1115(MemoryBus({}), inputs=[])


@pytest.mark.parametrize(
    ("model", "full_scale", "step"),
    [("ads1115", 4.096, 1e-4), ("ads1115", 0.256, 1e-6), ("ads1015", 4.096, 1e-3)],
)
def test_channels_carry_units_and_ranges(model: Any, full_scale: float, step: float) -> None:
    found = ADS1115(MemoryBus({}), 0x48, model, full_scale).channels()

    assert list(found) == ["a0", "a1", "a2", "a3"]
    channel = found["a3"]
    assert (channel.unit, channel.low, channel.high) == ("V", -full_scale, full_scale)
    assert channel.step == step
