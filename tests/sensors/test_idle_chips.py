"""What every driver keeps to on a chip that is wired and well."""

from __future__ import annotations

import idle_chips
import pytest

from pilogger.scheduler.conform import Shape


def test_every_sensor_with_a_bus_has_an_idle_chip() -> None:
    """A new driver gets one here; pins have fakes of their own in its tests."""

    assert set(idle_chips.CHIPS) == idle_chips.wired()


@pytest.mark.parametrize("name", sorted(idle_chips.CHIPS))
def test_an_idle_chip_gives_a_reading_that_the_driver_promised(name: str) -> None:
    """Each value of its type and within its channel's range, before any user's word on it."""
    driver, reading, _ = idle_chips.poll(name)

    values = Shape(driver).values(reading)
    assert values


@pytest.mark.parametrize("name", sorted(idle_chips.CHIPS))
def test_a_poll_is_done_before_the_next_and_leaves_the_bus_to_others(name: str) -> None:
    """At the interval by default, on I2C at 100 kHz."""
    _, _, times = idle_chips.poll(name)

    assert times.read_wait + times.read_bus < 10
    assert times.start_bus < 0.1
    assert times.read_bus < 0.1


def test_the_meter_counts_bits() -> None:
    """A start, a stop, and nine bits for each byte and for the address."""
    times = idle_chips.poll("bh1750")[2]

    assert times.read_bus == pytest.approx((2 * 20 + 29) / 100_000)
    assert times.read_wait == 0.18
