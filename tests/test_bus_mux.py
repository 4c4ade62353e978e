"""A channel of a TCA9548A is a bus: its name, its bytes, one worker, and dead branches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from schedule_rig import Rig

from pilogger.bus import i2c, mux
from pilogger.config import loads
from pilogger.errors import ConfigError, NoAnswer
from pilogger.parts import probe
from pilogger.testing import MemoryBus, MuxBus, ScriptedBus


def clock_at(celsius: int) -> MemoryBus:
    """A DS3231, at the one address that it can have."""
    return MemoryBus({0x68: {0x03: b"\x01", 0x11: bytes([celsius])}})


@pytest.mark.parametrize(
    ("transfer", "step"),
    [
        (lambda bus: bus.write(0x44, b"\x24\x00"), ("write", 0x44, b"\x24\x00")),
        (lambda bus: bus.read(0x44, 2), ("read", 0x44, b"\x66\x66")),
        (
            lambda bus: bus.write_read(0x44, b"\xf3\x2d", 1),
            ("write_read", 0x44, b"\xf3\x2d", b"\x80"),
        ),
    ],
)
def test_each_transfer_switches_its_channel_through_and_off(
    transfer: Callable[[i2c.Bus], object], step: Any
) -> None:
    """Three transfers: a channel is through from the STOP on."""
    bus = ScriptedBus(("write", 0x72, b"\x08"), step, ("write", 0x72, b"\x00"))

    assert transfer(mux.Branch(bus, 0x72, 3)) in (None, step[-1])
    bus.done()


def test_a_branch_of_a_branch_is_reached_one_after_the_other() -> None:
    """Each step of the inner way goes through the outer one."""
    bus = ScriptedBus(
        ("write", 0x70, b"\x01"),
        ("write", 0x71, b"\x80"),
        ("write", 0x70, b"\x00"),
        ("write", 0x70, b"\x01"),
        ("write", 0x44, b"\x94"),
        ("write", 0x70, b"\x00"),
        ("write", 0x70, b"\x01"),
        ("write", 0x71, b"\x00"),
        ("write", 0x70, b"\x00"),
    )

    mux.branch(bus, "1/0x70/0/0x71/7").write(0x44, b"\x94")

    bus.done()


def test_a_channel_is_switched_off_after_a_chip_that_does_not_answer() -> None:
    bus = MuxBus(MemoryBus({}), {3: MemoryBus({})})

    with pytest.raises(NoAnswer, match="nothing answers at 0x44"):
        mux.branch(bus, "1/0x70/3").read(0x44, 2)
    assert bus.control == 0


def test_two_chips_of_one_address_at_once_are_a_mistake() -> None:
    """Both would answer; the fake does not let that pass."""
    bus = MuxBus(clock_at(20), {3: clock_at(30)})

    with pytest.raises(AssertionError, match="two chips answer at 0x68"):
        mux.branch(bus, "1/0x70/3").write_read(0x68, b"\x11", 1)


def test_a_missing_multiplexer_is_named() -> None:
    with pytest.raises(NoAnswer, match="multiplexer at 0x71: nothing answers at 0x71"):
        mux.branch(MemoryBus({0x44: {}}), "1/0x71/3").read(0x44, 2)


@pytest.mark.parametrize(
    ("name", "trunk", "short"),
    [
        (1, 1, 1),
        ("1", 1, 1),
        ("/dev/i2c-10", 10, 10),
        ("/dev/i2c-1/0x77/7", 1, "1/0x77/7"),
        ("1/0x70/3", 1, "1/0x70/3"),
        ("1/0x70/3/0x71/0", 1, "1/0x70/3/0x71/0"),
        ("/dev/garden", "/dev/garden", "/dev/garden"),
        ("/dev/garden/0x70/1", "/dev/garden", "/dev/garden/0x70/1"),
    ],
)
def test_a_name_tells_the_trunk(name: int | str, trunk: int | str, short: int | str) -> None:
    """One physical bus has one worker, however it is spelled."""

    assert mux.trunk(name) == trunk
    assert mux.named(name) == short


@pytest.mark.parametrize(
    "name", ["", "-1", "1/", "1/0x70", "1/0x70/8", "1/0x78/0", "1/112/3", "i2c-1", -1]
)
def test_what_is_no_bus_is_refused(name: int | str) -> None:
    with pytest.raises(ValueError, match="is no I2C bus: write 1, or"):
        mux.trunk(name)


def test_a_wrong_bus_is_a_mistake_of_the_config() -> None:
    """At its place, like every other."""
    with pytest.raises(ConfigError, match=r"^c:1:36: sensors.a.bus: 1/0x70/9 is no I2C bus"):
        loads("sensors: {a: {driver: tmp117, bus: 1/0x70/9}}", "c")


def test_an_address_that_the_chip_cannot_have_is_a_mistake_of_the_config() -> None:
    with pytest.raises(ConfigError, match=r"a.address: 0x40 is no address .* 0x48 to 0x4b$"):
        loads("sensors: {a: {driver: tmp117, address: 0x40}}", "c")
    assert loads("sensors: {a: {driver: tmp117, address: 0x4b}}").sensors[0].options["address"]


def test_a_multiplexer_is_known_by_what_it_keeps_and_left_as_it_was() -> None:
    """It has no identity, and who switched a channel through may still need it."""
    bus = MuxBus(MemoryBus({}), {})
    bus.control = 0b1000

    assert mux.is_mux(bus, 0x70)
    assert bus.control == 0b1000
    assert not mux.is_mux(bus, 0x71)


@pytest.mark.parametrize("answers", [[b"\x00", b"\x01"], [b"\x00", b"\x01", b"\x01"]])
def test_who_does_not_keep_what_it_is_told_is_no_multiplexer(answers: list[bytes]) -> None:
    """A chip with registers tells what is in the one that was named last."""

    class Other(MemoryBus):
        def read(self, _address: int, _length: int) -> bytes:
            return answers.pop(0) if answers else b"\x55"

        def write(self, _address: int, data: bytes) -> None:
            assert data in (b"\x00", b"\x01", b"\x02")

    assert not mux.is_mux(Other({0x70: {}}), 0x70)


def test_two_channels_and_the_trunk_are_served_by_one_worker_on_one_bus() -> None:
    """Chips of one address are told apart by their branches; none is met on the trunk."""
    wired = MuxBus(MemoryBus({}), {0: clock_at(20), 7: clock_at(30)})
    opened: list[object] = []

    def open_bus(name: object) -> MuxBus:
        opened.append(name)
        return wired

    kind = i2c.KIND._replace(open=open_bus)
    sensors = loads(
        """
        sensors:
          low: {driver: ds3231, bus: 1/0x70/0}
          high: {driver: ds3231, bus: /dev/i2c-1/0x70/7}
          gone: {driver: ds3231}
        """
    ).sensors
    rig = Rig(*[replace(probe(sensor), kind=kind) for sensor in sensors])

    rig.run(5)

    assert {duty.probe.line for duty in rig.duties} == {("i2c", 1)}
    assert opened == [1]
    assert [(one.sensor, one.values) for one in rig.samples] == [
        ("low", {"temperature": 20}),
        ("high", {"temperature": 30}),
    ]
    assert "nothing answers at 0x68" in str(rig.state(2).error)
    assert wired.control == 0
