"""Sensirion SGP40: volatile organic compounds, as a raw signal and as an index (I2C).

Datasheet: Sensirion "SGP40", version 1.0, July 2020; tables are its own.
Wiring: VDD to 3V3, SDA and SCL to pins 3 and 5. The address is fixed.
"""

# quality: bench

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pilogger.bus.i2c import Bus, I2CDevice
from pilogger.bus.sensirion import ask, encode
from pilogger.channel import Channel
from pilogger.driver import Source, Steps, latest
from pilogger.errors import BadReading, SensorError
from pilogger.gasindex import PAUSE_S, RAW_NONE, VOCIndex

ADDRESS = 0x59
FEATURES = b"\x20\x2f"  # in no datasheet; Adafruit's and ESPHome's drivers tell the kind by it
KIND, SGP40_KIND, SGP41_KIND = 0x01FF, 0x0020, 0x0040
FEATURES_S = 0.01
TEST = b"\x28\x0e"  # table 12
TEST_S = 0.32  # 250 ms in this edition, 320 in later ones
PASSED = 0xD400  # table 13
MEASURE = b"\x26\x0f"  # takes humidity and temperature, table 9
STANDARD = 0x8000, 0x6666  # 50 %, 25 Cel, table 10
MEASURE_S = 0.03  # table 8
WARM_UP_S = 60.0  # until it notices, table 1

VOC_RAW = Channel("1", 1, RAW_NONE - 1, step=1)
VOC_INDEX = Channel("1", 1, 500, step=1)
AIR = Channel("Cel", -45, 130)  # what table 10 can express
MOISTURE = Channel("%", 0, 100)


def ticks(temperature: float, humidity: float) -> tuple[int, int]:
    """Return humidity and temperature as the chip takes them (table 10)."""
    return round(humidity * 0xFFFF / 100), round((temperature + 45) * 0xFFFF / 175)


class Reading(NamedTuple):
    voc_raw: Annotated[int, VOC_RAW]
    voc_index: Annotated[int | None, VOC_INDEX]


class SGP40(I2CDevice):
    """Gives the raw signal, which falls where there is more in the air, and an index of it.

    In the index 100 is what was usual in the last hours, and more is worse. Its heater stays on
    from the start, which takes a minute. After a restart it goes on from what it has learnt in
    three hours or more; after more than ten minutes it learns again.

    Options:
        interval: 1 or 10, the seconds from poll to poll, as in `every`: the index counts by them.
        temperature: of the air, for `compensate`; 25 Cel and 50 % unless both are there.
        humidity: of the air, likewise.
    """

    addresses = (ADDRESS,)
    state_lasts = PAUSE_S

    def __init__(
        self,
        bus: Bus,
        interval: Literal[1, 10] = 10,
        *,
        temperature: Annotated[Source | None, AIR] = None,
        humidity: Annotated[Source | None, MOISTURE] = None,
    ) -> None:
        super().__init__(bus, ADDRESS)
        self.temperature = temperature
        self.humidity = humidity
        self.index = VOCIndex(interval)

    @property
    def state(self) -> dict[str, Any]:
        """What the index has learnt; nothing in the first three hours."""
        learnt = self.index.learnt
        return {"mean": learnt[0], "std": learnt[1]} if learnt else {}

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        self.index.resume(float(state["mean"]), float(state["std"]))

    @staticmethod
    def identify(bus: Bus, address: int) -> Steps[bool]:
        """Whether the chip at this address says that it is an SGP40.

        A chip with registers would take the command for one that is written, but scan does
        not ask those.
        """
        try:
            (features,) = yield from ask(bus, address, FEATURES, FEATURES_S)
        except SensorError:
            return False
        return features & KIND == SGP40_KIND

    def start(self) -> Steps[None]:
        """Identify the chip, test it, and heat it up.

        Raises:
            WrongChip: another one lives at this address.
            BadReading: a checksum is wrong, or the chip finds itself broken.
        """
        (features,) = yield from ask(self.bus, self.address, FEATURES, FEATURES_S)
        if features & KIND != SGP40_KIND:
            name = "SGP41" if features & KIND == SGP41_KIND else "another chip"
            raise self.wrong(f"{name} ({features:#06x})")
        (verdict,) = yield from ask(self.bus, self.address, TEST, TEST_S)
        if verdict != PASSED:
            raise BadReading(f"the SGP40 fails its own test ({verdict:#06x})")
        yield from self._measure()
        yield WARM_UP_S

    def read(self) -> Steps[Reading]:
        """Measure once, which takes 30 ms.

        Raises:
            BadReading: a checksum is wrong, or there is no signal.
        """
        raw = yield from self._measure()
        if not 0 < raw < RAW_NONE:
            raise BadReading(f"{raw} is no signal of an SGP40")
        return Reading(raw, self.index.update(raw))

    def _measure(self) -> Steps[int]:
        warm, wet = latest(self.temperature), latest(self.humidity)
        air = STANDARD if warm is None or wet is None else ticks(warm, wet)
        (raw,) = yield from ask(self.bus, self.address, MEASURE + encode(*air), MEASURE_S)
        return raw
