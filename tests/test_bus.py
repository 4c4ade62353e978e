"""The bus seams: foreign errors become NoAnswer with a remedy, and the fakes check."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import smbus2
from gpiozero import DigitalInputDevice, InputDevice

from pilogger.bus import gpio, i2c, kind_of, onewire
from pilogger.driver import Steps
from pilogger.errors import NoAnswer
from pilogger.testing import MemoryBus, ScriptedBus, run

I2C_M_RD = 1  # linux/i2c.h


class Wire:
    """What the kernel does with a message list: takes bytes, fills buffers, or fails."""

    def __init__(self, answer: bytes = b"", fault: int = 0) -> None:
        self.answer = answer
        self.fault = fault
        self.transfers: list[list[tuple[str, int, bytes | int]]] = []
        self.open = True
        self.funcs = i2c.QUICK
        self.asked: list[str] = []

    def write_quick(self, i2c_addr: int) -> None:
        self._ask("quick", i2c_addr)

    def read_byte(self, i2c_addr: int) -> int:
        self._ask("byte", i2c_addr)
        return 0

    def _ask(self, how: str, address: int) -> None:
        self.asked.append(f"{how} {address:#04x}")
        if self.fault:
            raise OSError(self.fault, os.strerror(self.fault))

    def i2c_rdwr(self, *messages: Any) -> None:
        if self.fault:
            raise OSError(self.fault, os.strerror(self.fault))
        seen: list[tuple[str, int, bytes | int]] = []
        for message in messages:
            if message.flags & I2C_M_RD:
                ctypes.memmove(message.buf, self.answer, message.len)
                seen.append(("read", message.addr, message.len))
            else:
                seen.append(("write", message.addr, bytes(message)))
        self.transfers.append(seen)

    def close(self) -> None:
        self.open = False


def test_each_verb_is_one_transfer() -> None:
    """A register read is two messages of one transfer: no STOP in between."""
    wire = Wire(answer=b"\x83\x90")
    bus = i2c.LinuxBus(wire, "/dev/i2c-1")

    bus.write(0x23, b"\x20")
    assert bus.read(0x23, 2) == b"\x83\x90"
    assert bus.write_read(0x76, b"\xd0", 2) == b"\x83\x90"

    assert wire.transfers == [
        [("write", 0x23, b"\x20")],
        [("read", 0x23, 2)],
        [("write", 0x76, b"\xd0"), ("read", 0x76, 2)],
    ]


def test_zero_bytes_and_long_blocks_pass_unchanged() -> None:
    """Neither C strings nor the 32 bytes of SMBus limit what is read."""
    long = bytes(range(60)) + bytes(4)

    assert i2c.LinuxBus(Wire(answer=long), "").read(0x12, 64) == long


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (errno.EREMOTEIO, "nothing answers at 0x76 on /dev/i2c-1"),
        (errno.ENXIO, "nothing answers at 0x76"),
        (errno.EIO, "nothing answers at 0x76"),
        (errno.ETIMEDOUT, "timed out: .* at 0x76"),
        (errno.EBUSY, "kernel driver uses the chip at 0x76"),
        (errno.EPROTO, "'Protocol error' at 0x76"),
    ],
)
@pytest.mark.parametrize(
    "transfer",
    [
        lambda bus: bus.write(0x76, b"\xe0\xb6"),
        lambda bus: bus.read(0x76, 2),
        lambda bus: bus.write_read(0x76, b"\xd0", 1),
    ],
)
def test_a_failed_transfer_says_what_and_where(
    fault: int, sentence: str, transfer: Callable[[i2c.Bus], object]
) -> None:
    """No verb lets an OSError out, whatever its number."""
    bus = i2c.LinuxBus(Wire(fault=fault), "/dev/i2c-1")

    with pytest.raises(NoAnswer, match=sentence):
        transfer(bus)


@pytest.mark.parametrize(
    ("bus", "sentence"),
    [(199, "no /dev/i2c-199: switch I2C on"), ("/dev/null", "/dev/null is no I2C bus")],
)
def test_a_bus_that_cannot_be_opened_is_explained_and_leaves_nothing_open(
    bus: int | str, sentence: str
) -> None:
    """Asked of the real kernel: a missing device, and one that is something else."""
    before = os.listdir("/proc/self/fd")

    with pytest.raises(NoAnswer, match=sentence):
        i2c.open(bus)
    assert os.listdir("/proc/self/fd") == before


def test_what_the_kernel_refuses_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ioctl, on a device that opens, and knows nothing of I2C."""
    monkeypatch.setattr(smbus2.SMBus, "_get_funcs", lambda _: 0)
    bus = i2c.open("/dev/null")

    with pytest.raises(NoAnswer, match=r"Inappropriate ioctl.* at 0x76 on /dev/null"):
        bus.write_read(0x76, b"\xd0", 1)
    bus.close()


@pytest.mark.fault(88)
@pytest.mark.usefixtures("not_root")
def test_a_forbidden_bus_names_the_group(public_path: Path) -> None:
    """Asked of the real kernel, too."""
    forbidden = public_path / "i2c-1"
    forbidden.touch(mode=0o000)

    with pytest.raises(NoAnswer, match=r"may not open .*i2c-1: add the user to group i2c"):
        i2c.open(str(forbidden))


def test_what_nobody_expected_is_told_in_the_kernels_words() -> None:
    assert i2c.remedy(OSError(errno.EMFILE, "Too many"), "/dev/i2c-1").endswith("Too many")


def test_closing_a_bus_closes_its_wire() -> None:
    wire = Wire()

    i2c.LinuxBus(wire, "").close()

    assert not wire.open


def test_a_chip_is_looked_for_as_i2cdetect_does() -> None:
    """A write of nothing; a byte read where EEPROMs live, or if the adapter knows no other."""
    wire = Wire()
    bus = i2c.LinuxBus(wire, "/dev/i2c-1")
    addresses = (0x2F, 0x30, 0x37, 0x38, 0x4F, 0x50, 0x5F, 0x60)

    assert all([bus.answers(address) for address in addresses])  # noqa: C419
    assert wire.asked == [
        "quick 0x2f",
        "byte 0x30",
        "byte 0x37",
        "quick 0x38",
        "quick 0x4f",
        "byte 0x50",
        "byte 0x5f",
        "quick 0x60",
    ]
    wire.funcs = 0
    assert bus.answers(0x60)
    assert wire.asked[-1] == "byte 0x60"
    assert not wire.transfers


@pytest.mark.parametrize("fault", [errno.EREMOTEIO, errno.ENXIO, errno.EIO])
def test_where_no_chip_is_the_bus_says_no(fault: int) -> None:
    assert i2c.LinuxBus(Wire(fault=fault), "/dev/i2c-1").answers(0x76) is False


def test_the_kernels_own_answer_to_the_search_is_no_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ioctls, both ways, on a device that opens, and knows nothing of I2C."""
    monkeypatch.setattr(smbus2.SMBus, "_get_funcs", lambda _: i2c.QUICK)
    bus = i2c.open("/dev/null")

    for address in (0x30, 0x76):
        with pytest.raises(
            NoAnswer, match=rf"Inappropriate ioctl.* at {address:#04x} on /dev/null"
        ):
            bus.answers(address)
    bus.close()


def test_a_chip_of_the_kernel_is_told_from_a_bus_in_trouble() -> None:
    """i2cdetect shows UU for the first; the second would time out at each address."""
    with pytest.raises(i2c.Held, match=r"kernel driver .* at 0x68"):
        i2c.LinuxBus(Wire(fault=errno.EBUSY), "").answers(0x68)
    with pytest.raises(NoAnswer, match=r"timed out: .* at 0x08 on /dev/i2c-1") as trouble:
        i2c.LinuxBus(Wire(fault=errno.ETIMEDOUT), "/dev/i2c-1").answers(0x08)
    assert not isinstance(trouble.value, i2c.Held)


class Chip(i2c.I2CDevice):
    config = i2c.Register(0x1A)
    limit = i2c.Register(0x1B, size=2)
    words = i2c.Block(0x20, ">Hh")


def test_registers_are_attributes() -> None:
    """A register is one byte; a block is one burst, unpacked."""
    bus = ScriptedBus(
        ("write", 0x40, b"\x1a\x7f"),
        ("write_read", 0x40, b"\x1a", b"\x7f"),
        ("write_read", 0x40, b"\x20", b"\xff\xfe\xff\xfe"),
    )
    chip = Chip(bus, 0x40)

    chip.config = 0x7F
    assert chip.config == 0x7F
    assert chip.words == (0xFFFE, -2)
    bus.done()
    assert Chip.config.register == 0x1A
    assert Chip.words.register == 0x20


def test_a_register_of_two_bytes_has_its_high_byte_first() -> None:
    """So do TI, Microchip and NXP, other than an SMBus word."""
    bus = ScriptedBus(
        ("write", 0x40, b"\x1b\xf1\x02"),
        ("write_read", 0x40, b"\x1b", b"\xf1\x02"),
    )
    chip = Chip(bus, 0x40)

    chip.limit = 0xF102
    assert chip.limit == 0xF102
    bus.done()
    with pytest.raises(ValueError, match="0x10000 does not fit register 0x1b"):
        chip.limit = 0x10000


def test_another_chip_is_named_with_what_to_do() -> None:
    """The driver that fits, or where to look for one."""
    chip = Chip(MemoryBus({}), 0x40)

    assert str(chip.wrong("INA260", "ina260")) == "0x40 answers as INA260: use driver: ina260"
    assert str(chip.wrong("0x1234")).startswith("0x40 answers as 0x1234, not Chip; `pilogger scan`")
    assert str(chip.wrong()).startswith("0x40 does not answer as Chip; `pilogger scan` tells")


@pytest.mark.parametrize("value", [-1, 0x100])
def test_a_value_that_does_not_fit_a_register_is_refused(value: int) -> None:
    """Cutting it off silently would configure the chip wrongly."""
    with pytest.raises(ValueError, match="does not fit register 0x1a"):
        Chip(MemoryBus({0x40: {}}), 0x40).config = value


def test_one_wire_chips_are_the_folders_of_the_kernel(tmp_path: Path) -> None:
    """The bus master lies among its chips, and is none; the order does not change by itself."""
    chips = [f"28-0{digit}" for digit in "a7f3c1e5"]
    for name in (*chips, "w1_bus_master1"):
        (tmp_path / name).mkdir()
    (tmp_path / "28-0a" / "temperature").write_text("21500\n")
    bus = onewire.KernelBus(tmp_path)

    assert bus.devices() == sorted(chips)
    assert bus.read("28-0a", "temperature") == "21500\n"
    bus.close()


def test_one_wire_faults_are_explained(tmp_path: Path) -> None:
    """1-wire switched off, a chip that left, and what cannot be read."""
    (tmp_path / "28-0a").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(NoAnswer, match="switch 1-wire on"):
        onewire.KernelBus(tmp_path / "none").devices()
    with pytest.raises(NoAnswer, match=r"cannot list .*file: Not a directory"):
        onewire.KernelBus(tmp_path / "file").devices()
    with pytest.raises(NoAnswer, match="28-0b is not on the 1-wire bus"):
        onewire.KernelBus(tmp_path).read("28-0b", "w1_slave")
    with pytest.raises(NoAnswer, match="28-0a does not answer: Is a directory"):
        onewire.KernelBus(tmp_path).read("28-0a", ".")


@pytest.mark.fault(88)
def test_a_pin_belongs_to_one_device(pins: gpio.PinBus) -> None:
    """The second device on a pin is refused until the first is closed."""
    first = pins.device(DigitalInputDevice, 17)

    with pytest.raises(NoAnswer, match=r"GPIO17 cannot be used: .*in use"):
        pins.device(InputDevice, 17)
    first.close()
    pins.device(InputDevice, 17).close()


def test_a_pin_that_does_not_exist_is_named(pins: gpio.PinBus) -> None:
    with pytest.raises(NoAnswer, match="GPIO99 cannot be used"):
        pins.device(InputDevice, 99)


def test_closing_the_pins_frees_them_and_may_be_done_twice(pins: gpio.PinBus) -> None:
    pins.device(InputDevice, 17)
    assert pins.factory.pins

    pins.close()
    pins.close()
    assert not pins.factory.pins


def test_a_machine_without_the_pin_library_is_told_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """lgpio comes with Debian's python3-lgpio."""
    monkeypatch.setitem(__import__("sys").modules, "lgpio", None)

    with pytest.raises(NoAnswer, match="apt install python3-lgpio"):
        gpio.open("lgpio")


def test_a_machine_without_pins_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pin factory that does not start is explained with its own words."""
    monkeypatch.setenv("GPIOZERO_MOCK_REVISION", "no number")

    with pytest.raises(NoAnswer, match=r"no usable GPIO \(mock\): invalid literal"):
        gpio.open("mock")


def test_an_unknown_pin_factory_is_named() -> None:
    with pytest.raises(NoAnswer, match="no pin factory 'lgipo'"):
        gpio.open("lgipo")


def test_a_bus_annotation_leads_to_its_kind() -> None:
    assert kind_of(i2c.Bus)[:3] == ("i2c", 1, i2c.open)
    assert kind_of(onewire.Bus)[:3] == ("onewire", "/sys/bus/w1/devices", onewire.KernelBus)
    assert kind_of(gpio.Bus)[:3] == ("gpio", "lgpio", gpio.open)
    with pytest.raises(TypeError, match="no bus module"):
        kind_of(int)


def test_run_collects_the_waits_of_steps_and_takes_plain_results() -> None:
    def steps() -> Steps[str]:
        yield 0.5
        yield 2
        return "done"

    assert run(steps()) == ("done", [0.5, 2])
    assert run("done") == ("done", [])


def test_run_refuses_a_wait_that_no_clock_can_make() -> None:
    def steps() -> Steps[None]:
        yield -1

    with pytest.raises(AssertionError, match="cannot wait for -1 s"):
        run(steps())


def test_a_memory_bus_remembers_and_checks() -> None:
    bus = MemoryBus({0x76: {0xD0: b"\x60\x61"}})

    bus.write(0x76, b"\xd1\x07")

    assert bus.write_read(0x76, b"\xd0", 2) == b"\x60\x07"
    assert bus.writes == [(0x76, b"\xd1\x07")]
    with pytest.raises(NoAnswer, match="0x77"):
        bus.write(0x77, b"\xd1\x07")
    with pytest.raises(NoAnswer, match="0x77"):
        bus.read(0x77, 1)
    with pytest.raises(AssertionError, match="write_read"):
        bus.read(0x76, 1)
    with pytest.raises(AssertionError, match="pass the last register"):
        bus.write_read(0x76, b"\xff", 2)
    with pytest.raises(AssertionError, match="d0 01 is no register"):
        bus.write_read(0x76, b"\xd0\x01", 2)
    with pytest.raises(NoAnswer, match="0x77"):
        bus.write_read(0x77, b"\xd0\x01", 2)


def test_a_scripted_bus_accepts_only_its_script() -> None:
    """The order, the bytes, the length and the end all count."""
    bus = ScriptedBus(("write", 0x23, b"\x01"), ("read", 0x23, b"\x83\x90"))

    with pytest.raises(AssertionError):
        bus.write(0x23, b"\x02")
    with pytest.raises(AssertionError):
        bus.read(0x23, 2)
    bus.write(0x23, b"\x01")
    with pytest.raises(AssertionError, match="never happened"):
        bus.done()
    with pytest.raises(AssertionError, match="asked for 3 bytes"):
        bus.read(0x23, 3)
    bus.done()
    with pytest.raises(AssertionError, match="not in the script"):
        bus.write(0x23, b"\x01")
