"""MCP3008 and kin: bits that go out and come in at the same time."""

from __future__ import annotations

from typing import Any

import gpiozero as peer
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilogger.bus.gpio import SPI, PinBus
from pilogger.errors import NoAnswer
from pilogger.sensors.mcp3008 import MCP3008, Input

PEERS = {name: getattr(peer, name.upper()) for name in ("mcp3004", "mcp3008", "mcp3204", "mcp3208")}


class Chip:
    """Follows figure 6-1 bit by bit: start, SGL, three of the input; a pause, a zero, the value."""

    bits_per_word = 8

    def __init__(self, bits: int, codes: list[int], idle: str = "1") -> None:
        self.bits = bits
        self.codes = codes
        self.idle = idle
        self.closed = False

    def transfer(self, data: list[int]) -> list[int]:
        sent = "".join(f"{byte:08b}" for byte in data)
        start = sent.index("1")
        assert sent[start + 1] == "1", "against ground"
        value = self.codes[int(sent[start + 2 : start + 5], 2)]
        answer = self.idle * (start + 6) + "0" + f"{value:0{self.bits}b}"
        assert len(answer) == len(sent), "the value ends with the last byte"
        return [int(answer[at : at + 8], 2) for at in range(0, len(answer), 8)]

    def close(self) -> None:
        self.closed = True


class Pins:
    """A gpio bus with one chip on its SPI pins."""

    def __init__(self, chip: Any) -> None:
        self.chip = chip
        self.selected: list[int] = []

    def device(self, kind: type[Any], pin: int, **options: Any) -> Any:
        raise NoAnswer(f"GPIO{pin} has no {kind.__name__} {options}")

    def spi(self, select: int) -> SPI:
        self.selected.append(select)
        found: SPI = self.chip
        return found


class Silent(Chip):
    """A line that a pull-up holds."""

    def transfer(self, data: list[int]) -> list[int]:
        return [0xFF] * len(data)


def test_worked_example() -> None:
    """01, 80, 00 go out, and 02 9B come back: 667 of 1024 parts of 3.3 V."""

    class Recorded(Chip):
        def transfer(self, data: list[int]) -> list[int]:
            assert data == [0x01, 0x80, 0x00]
            return [0xFF, 0xFA, 0x9B]

    pins = Pins(Recorded(10, []))
    sensor = MCP3008(pins, inputs=["a0"])
    sensor.start()

    assert sensor.read() == {"a0": pytest.approx(2.1495, abs=1e-4)}
    assert pins.selected == [0]


@given(
    st.sampled_from(sorted(PEERS)),
    st.lists(st.integers(0, 4095), min_size=8, max_size=8),
    st.floats(1, 5.5),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_independent_driver_reads_the_same(
    monkeypatch: pytest.MonkeyPatch, model: Any, codes: list[int], reference: float
) -> None:
    """gpiozero's, which divides by one part less than there are."""
    bits, count = (10 if model[4] == "0" else 12), int(model[-1])
    chip = Chip(bits, [code & (1 << bits) - 1 for code in codes])
    names: list[Input] = ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"]
    monkeypatch.setattr(
        peer.SPIDevice, "__init__", lambda self, **_: object.__setattr__(self, "_spi", chip)
    )
    theirs = [PEERS[model](channel, max_voltage=reference).raw_value for channel in range(count)]
    ours = MCP3008(Pins(chip), model, names[:count], reference=reference)
    ours.start()

    assert list(ours.read().values()) == pytest.approx(
        [raw * reference / (1 << bits) for raw in theirs]
    )


@pytest.mark.parametrize("idle", ["0", "1"])
def test_bits_before_the_answer_do_not_count(idle: str) -> None:
    sensor = MCP3008(Pins(Chip(12, [4095] * 8, idle)), "mcp3208", ["a7"], reference=4.096)
    sensor.start()

    assert sensor.read() == {"a7": pytest.approx(4.095)}


def test_a_line_that_nobody_drives_is_no_reading() -> None:
    """A chip sends a zero before its value."""
    sensor = MCP3008(Pins(Silent(10, [])), select=1)

    with pytest.raises(NoAnswer, match="no mcp3008 answers at SPI0 CE1"):
        sensor.start()
    with pytest.raises(NoAnswer, match="no mcp3008 answers"):
        sensor.read()


def test_closing_frees_the_pins() -> None:
    chip = Chip(10, [0] * 8)
    sensor = MCP3008(Pins(chip))
    sensor.start()

    sensor.close()
    sensor.close()

    assert chip.closed
    with pytest.raises(NoAnswer, match="SPI0 CE0 is not open"):
        sensor.read()


def test_a_pi_without_spi_is_told_how_to_switch_it_on(pins: PinBus) -> None:
    with pytest.raises(NoAnswer, match=r"SPI0 CE1 cannot be used \(.*raspi-config nonint do_spi 0"):
        MCP3008(pins, select=1).start()


def test_the_chip_is_asked_for_by_its_select_line() -> None:
    """gpiozero's words for it; two chips may share the other lines."""
    asked: dict[str, Any] = {}

    class Factory:
        def spi(self, **options: Any) -> Chip:
            asked.update(options)
            return Chip(10, [512] * 8)

    sensor = MCP3008(PinBus(Factory()), select=1)
    sensor.start()

    assert sensor.read()["a3"] == 1.65
    assert asked == {"port": 0, "device": 1, "shared": True}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "mcp3004", "inputs": ["a4"]}, "mcp3004 are a0 to a3"),
        ({"inputs": []}, "mcp3008 are a0 to a7"),
        ({"reference": 6}, r"up to 5\.5 V"),
    ],
)
def test_options_that_the_chip_does_not_have_are_refused(options: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        MCP3008(Pins(None), **options)


def test_channels_carry_units_and_ranges() -> None:
    found = MCP3008(Pins(None), "mcp3204", reference=2.5).channels()

    assert list(found) == ["a0", "a1", "a2", "a3"]
    channel = found["a3"]
    assert (channel.unit, channel.low, channel.high, channel.step) == ("V", 0, 2.5, 1e-4)
