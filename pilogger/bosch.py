"""What Bosch's pressure sensors have in common: one register that says who it is, and two formulas.

They share the addresses 0x76 and 0x77, and reading one as another gives plausible nonsense.
Sources: Bosch BST-BMP280-DS001 and BST-BME280-DS002; "§" below refers to the second.
"""

from __future__ import annotations

from typing import ClassVar

from pilogger.bus.i2c import Bus, I2CDevice, Register
from pilogger.driver import Steps
from pilogger.errors import NotReady

CHIP_ID = 0xD0  # §5.4.1
CHIPS = {
    0x55: "BMP180",
    0x56: "BMP280",  # a sample, as 0x57
    0x57: "BMP280",
    0x58: "BMP280",
    0x60: "BME280",
    0x61: "BME680",
}
SOFT_RESET = 0xB6  # §5.4.2
IM_UPDATE = 0b0000_0001  # status bit: calibration is being copied, §5.4.4
STARTUP_S = 0.002  # §1.1, table 1
STARTUP_TRIES = 5
UNMEASURED = 0x80000  # what a reset leaves in both values, §5.4.7-8


class BoschDevice(I2CDevice):
    """A chip that says who it is; `name` is what it must be."""

    name: ClassVar[str]
    chip_id = Register(CHIP_ID)
    reset = Register(0xE0)  # §5.4.2

    @classmethod
    def identify(cls, bus: Bus, address: int) -> bool:
        """Whether the chip at this address is this one."""
        return CHIPS.get(bus.write_read(address, bytes([CHIP_ID]), 1)[0]) == cls.name

    def check_identity(self) -> None:
        """Refuse a chip that is another, before anything is written to it.

        Raises:
            WrongChip: with the driver that fits, if there is one.
        """
        found = self.chip_id
        name = CHIPS.get(found)
        if name == self.name:
            return
        if name is None:
            raise self.wrong(f"{found:#04x}")
        raise self.wrong(f"{name} ({found:#04x})", name.lower())


class Bosch280(BoschDevice):
    """What a BMP280 and a BME280 do alike: starting."""

    status = Register(0xF3)  # §5.4.4

    def restart(self) -> Steps[None]:
        """Reset the chip, and wait until it has copied its calibration.

        Raises:
            NotReady: it is still copying after 10 ms.
        """
        self.reset = SOFT_RESET
        for _ in range(STARTUP_TRIES):
            yield STARTUP_S
            if not self.status & IM_UPDATE:
                return
        raise NotReady(f"the {self.name} at {self.address:#04x} does not come out of its reset")


def unmeasured(raw_p: int, raw_t: int) -> bool:
    """Whether no conversion followed the last reset.

    One register starts both, so one value alone that looks like it is true: that is 26 Cel.
    """
    return raw_p == raw_t == UNMEASURED


def fine_temperature(raw: int, t: tuple[int, int, int]) -> float:
    """Return t_fine, which is 5120 times the temperature in Celsius (§8.1)."""
    t1, t2, t3 = t
    return (raw / 16384 - t1 / 1024) * t2 + (raw / 131072 - t1 / 8192) ** 2 * t3


def pressure(raw: int, t_fine: float, p: tuple[float, ...], p10: float = 0) -> float:
    """Return the pressure in pascal from the words p1 to p9 (§8.1); the BME680 has a tenth."""
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = p
    x = t_fine / 2 - 64000
    offset = (x * x * p6 / 32768 + x * p5 * 2) / 4 + p4 * 65536
    scale = (1 + (p3 * x * x / 524288 + p2 * x) / 524288 / 32768) * p1
    pa = (1048576 - raw - offset / 4096) * 6250 / scale
    cubic = (pa / 256) ** 3 * p10 / 131072
    return pa + (p9 * pa * pa / 2147483648 + pa * p8 / 32768 + p7 + cubic) / 16
