"""Sensirion SGP30: volatile organic compounds, and the CO2 that would go with them (I2C).

Datasheet: Sensirion "SGP30", version 0.9, August 2017; "§" below refers to it.
Wiring: VDD to 3V3 (to 1V8 on a bare chip), SDA and SCL to pins 3 and 5. The address is fixed.
"""

# quality: bench

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pilogger.air import COLDEST, HOTTEST, absolute_humidity
from pilogger.bus.i2c import Bus, I2CDevice
from pilogger.bus.sensirion import ask, encode
from pilogger.channel import Channel
from pilogger.driver import Source, Steps, latest
from pilogger.errors import BadReading, SensorError

ADDRESS = 0x58
FEATURES = b"\x20\x2f"  # bits 15:12 are the product, 0 for an SGP30, §6.3
OLDEST = 0x20  # version, in bits 7:0
INIT = b"\x20\x03"
MEASURE = b"\x20\x08"
GET_BASELINE = b"\x20\x15"  # answers CO2, TVOC
SET_BASELINE = b"\x20\x1e"  # takes TVOC, CO2
COMMAND_S = 0.01  # table 10
MEASURE_S = 0.012
PACE_S = 1.0  # at which the chip wants to be asked, §6.3
FIRST = 15  # measurements that give 400 ppm and 0 ppb, whatever the air
POLLS_PER_BASELINE = 60
SET_HUMIDITY = b"\x20\x61"  # takes g/m3 in 1/256; 0 is none, and the standard of 11.57, §6.3
NO_HUMIDITY = 0
NO_BASELINE = (0, 0)
LEARNT = 12 * 3600  # measurements after which a baseline is worth keeping, as in the
WEEK_S = 7 * 86_400.0  # "SGP30 Driver Integration Guide"; so long it is worth something

ECO2 = Channel("[ppm]", 400, 60_000, step=1)
TVOC = Channel("[ppb]", 0, 60_000, step=1)
AIR = Channel("Cel", COLDEST, HOTTEST)
MOISTURE = Channel("%", 0, 100)


class Reading(NamedTuple):
    eco2: Annotated[int, ECO2]
    tvoc: Annotated[int, TVOC]


class SGP30(I2CDevice):
    """Estimates compounds in the air; poll it with `every: 1s`, or it learns nothing.

    What it takes for clean air, its baseline, it learns within 12 hours. If the chip has to be
    set up anew it gets its last one back, after a restart too, unless that was a week ago.

    Options:
        temperature: of the air, for `compensate`; moisture counts only if both are there.
        humidity: of the air, likewise.
    """

    addresses = (ADDRESS,)
    state_lasts = WEEK_S

    def __init__(
        self,
        bus: Bus,
        *,
        temperature: Annotated[Source | None, AIR] = None,
        humidity: Annotated[Source | None, MOISTURE] = None,
    ) -> None:
        super().__init__(bus, ADDRESS)
        self.temperature = temperature
        self.humidity = humidity
        self.told: int | None = None
        self.baseline: tuple[int, ...] = NO_BASELINE
        self.polls = 0
        self.learnt = 0  # measurements, one each second

    @property
    def state(self) -> dict[str, Any]:
        """The baseline; nothing in the first 12 hours."""
        return {"baseline": self.baseline} if self.learnt >= LEARNT else {}

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        eco2, tvoc = state["baseline"]
        encode(eco2, tvoc)  # it fits, or there is an error
        self.baseline, self.learnt = (eco2, tvoc), LEARNT

    @staticmethod
    def identify(bus: Bus, address: int) -> Steps[bool]:
        """Whether the chip at this address says that it is an SGP30.

        A chip with registers would take the command for one that is written, but scan does
        not ask those.
        """
        try:
            (features,) = yield from ask(bus, address, FEATURES, COMMAND_S)
        except SensorError:
            return False
        return is_sgp30(features)

    def start(self) -> Steps[None]:
        """Identify the chip, let it begin, and wait for 15 s until its values mean something.

        Raises:
            WrongChip: another one lives at this address.
            BadReading: a checksum is wrong.
        """
        (features,) = yield from ask(self.bus, self.address, FEATURES, COMMAND_S)
        if not is_sgp30(features):
            name = "SGPC3" if features >> 12 == 1 else "another chip"
            raise self.wrong(f"{name} ({features:#06x})")
        self.bus.write(self.address, INIT)
        self.told = None
        yield COMMAND_S
        if self.baseline != NO_BASELINE:
            eco2, tvoc = self.baseline
            self.bus.write(self.address, SET_BASELINE + encode(tvoc, eco2))
            yield COMMAND_S
        for _ in range(FIRST):
            yield from ask(self.bus, self.address, MEASURE, MEASURE_S, 2)
            yield PACE_S - MEASURE_S

    def read(self) -> Steps[Reading]:
        """Measure once, which takes 12 ms; each minute it also notes the baseline.

        Raises:
            BadReading: a checksum is wrong, or the chip has forgotten everything, as after a dip
                of its supply.
        """
        yield from self._tell_humidity()
        eco2, tvoc = yield from ask(self.bus, self.address, MEASURE, MEASURE_S, 2)
        self.polls += 1
        self.learnt += 1
        if self.polls >= POLLS_PER_BASELINE:
            yield from self._note_baseline()
            self.polls = 0  # only now: if it failed, the next poll looks again
        return Reading(eco2, tvoc)

    def _tell_humidity(self) -> Steps[None]:
        """Tell the chip how moist the air is, if that is another than it was told last."""
        if self.temperature is None or self.humidity is None:
            return
        warm, wet = latest(self.temperature), latest(self.humidity)
        word = NO_HUMIDITY if warm is None or wet is None else fixed(absolute_humidity(warm, wet))
        if word != self.told:
            self.bus.write(self.address, SET_HUMIDITY + encode(word))
            self.told = word
            yield COMMAND_S

    def _note_baseline(self) -> Steps[None]:
        found = yield from ask(self.bus, self.address, GET_BASELINE, COMMAND_S, 2)
        if found == NO_BASELINE != self.baseline:
            raise BadReading("the SGP30 forgot its baseline: its supply may have dipped")
        self.baseline = found


def fixed(grams: float) -> int:
    """Return g/m3 in 1/256, at least the least that is not none (§6.3)."""
    return max(round(grams * 256), NO_HUMIDITY + 1)


def is_sgp30(features: int) -> bool:
    """Tell by the feature set whether a chip is an SGP30 with the commands above."""
    return features >> 12 == 0 and features & 0xFF >= OLDEST
