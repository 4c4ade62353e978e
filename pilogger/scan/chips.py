"""Who lives at which address of an I2C bus, asked so that no chip is changed by the question.

What a question does depends on who hears it. To a chip with registers one byte chooses a
register, and more bytes change it; a chip with commands takes each byte for a command. So
questions are asked in three rounds, and the next only if nobody was found in the one before:

    1. a read alone, which announces nothing;
    2. one byte and a read: a register to some, to the others in the catalogue no command;
    3. commands of two bytes and more, if the chip has nothing to say when it was not asked:
       one that has registers always has.

What a driver's `identify` writes is watched, so this holds for any driver. Which single
bytes are harmless to whom is told by `identify` itself where chips share an address.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pilogger.bus import mux
from pilogger.bus.i2c import Held, WalkedBus
from pilogger.driver import addresses
from pilogger.errors import NoAnswer
from pilogger.scan.finds import Candidate, Find, Trouble, Wait

FIRST, LAST = 0x08, 0x77  # the rest is reserved by the I2C specification
ROUNDS = (0, 1, 32)  # bytes that may be written at once


class TooBold(Exception):
    """A question was more than may be asked in this round."""


class Watched:
    """A bus with one chip, on which at most so many bytes may be written at once."""

    def __init__(self, bus: WalkedBus, most: int) -> None:
        self.bus = bus
        self.most = most
        self.refused = False

    def write(self, address: int, data: bytes) -> None:
        self._check(data)
        self.bus.write(address, data)

    def read(self, address: int, length: int) -> bytes:
        return self.bus.read(address, length)

    def write_read(self, address: int, data: bytes, length: int) -> bytes:
        self._check(data)
        return self.bus.write_read(address, data, length)

    def _check(self, data: bytes) -> None:
        if len(data) > self.most:
            self.refused = True
            raise TooBold


class Walk:
    """A walk over I2C buses; `system` is where the kernel tells of its own drivers."""

    def __init__(self, known: Sequence[Candidate], wait: Wait, system: Path = Path("/sys")) -> None:
        self.known = known
        self.wait = wait
        self.system = system

    def over(self, trunk: WalkedBus, name: int | str) -> Iterator[Find | Trouble]:
        """Find the chips of a bus, then those behind its multiplexers.

        `trunk` is the open bus that the name begins with.
        """
        bus, outer = mux.branch(trunk, name), mux.outer(name)
        try:
            # Who is met on the way to a branch answers on it, too.
            met = () if outer is None else _present(mux.branch(trunk, outer))
            found = [
                self._held(name, address) if is_held else self._meet(bus, name, address)
                for address, is_held in _present(bus).items()
                if address not in met
            ]
        except NoAnswer as error:
            yield Trouble("i2c", name, str(error))
            return
        for one in found:
            yield one
            if one.note == MUX:
                for channel in mux.CHANNELS:
                    yield from self.over(trunk, f"{name}/{one.at:#04x}/{channel}")

    def _meet(self, bus: WalkedBus, name: int | str, address: int) -> Find:
        here = [one for one in self.known if address in addresses(one.cls)]
        askable = [one for one in here if one.can_ask]
        unsure = [one for one in here if not one.can_ask]
        for most in ROUNDS:
            if most > 1 and not (askable and _is_silent(bus, address)):
                break
            verdicts = {one.name: self._ask(one, bus, address, most) for one in askable}
            if sure := [one for one in askable if verdicts[one.name] is True]:
                return Find("i2c", name, address, sure, sure=len(sure) == 1)
            unsure += [one for one in askable if verdicts[one.name] is None]
            askable = [one for one in askable if verdicts[one.name] is TooBold]
        if address in mux.ADDRESSES and mux.is_mux(bus, address):
            return Find("i2c", name, address, note=MUX)
        fits = sorted([*unsure, *askable], key=lambda one: one.name)
        return Find("i2c", name, address, fits, note="" if fits else OTHERS.get(address, UNKNOWN))

    def _ask(
        self, one: Candidate, bus: WalkedBus, address: int, most: int
    ) -> bool | type[TooBold] | None:
        """Return a driver's verdict, None if it cannot tell, or TooBold if it may not ask yet."""
        watched = Watched(bus, most)
        verdict = one.ask(self.wait, watched, address)
        return TooBold if watched.refused else verdict

    def _held(self, name: int | str, address: int) -> Find:
        link = self.system / f"bus/i2c/devices/{name}-{address:04x}/driver"
        who = f"its driver {link.resolve().name}" if link.exists() else "one of its drivers"
        note = f"the kernel has it, with {who}; see driver: iio"
        return Find("i2c", name, address, note=note)


def _present(bus: WalkedBus) -> dict[int, bool]:
    """Return the addresses that answer, and whether the kernel has the chip.

    Raises:
        NoAnswer: the bus is in trouble, and each further address would time out.
    """
    found = {}
    for address in range(FIRST, LAST + 1):
        try:
            if bus.answers(address):
                found[address] = False
        except Held:
            found[address] = True
    return found


def _is_silent(bus: WalkedBus, address: int) -> bool:
    try:
        bus.read(address, 1)
    except NoAnswer:
        return True
    return False


MUX = "TCA9548A multiplexer"
UNKNOWN = "nothing that a driver knows"
OTHERS = (
    dict.fromkeys(range(0x20, 0x28), "perhaps a port expander: PCF8574, MCP23017")
    | dict.fromkeys((0x3C, 0x3D), "perhaps a display: SSD1306, SH1106")
    | dict.fromkeys(range(0x50, 0x58), "perhaps an EEPROM: AT24C32 on clock boards, a HAT's")
    | {0x0D: "perhaps a QMC5883L compass", 0x1E: "perhaps an HMC5883L compass"}
)
"""What often lives where no driver of ours does."""
