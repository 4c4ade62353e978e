"""The manual of the sensors: every driver is in it, with all that it says of itself."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, NamedTuple

import pytest

from pilogger import driver, manual
from pilogger.bus.i2c import Bus
from pilogger.channel import Channel
from pilogger.driver import GROUP, Steps
from pilogger.words import ranges

PAGE = (Path(__file__).parent.parent / "docs/sensors.md").read_text()
OURS = sorted(it.name for it in entry_points(group=GROUP) if it.value.startswith("pilogger."))


class Reading(NamedTuple):
    depth: Annotated[float, Channel("m", 0, 12, step=0.001)]
    salt: Annotated[float, Channel("1")]


class Sounder:
    """Sends a ping; sleeps in between.

    Fish are heard, too.

    Options:
        address: 0x10, or 0x11 if it is
            bridged.
        loud: true where it is deep.
    """

    addresses = (0x10, 0x11, 0x12)

    def __init__(self, bus: Bus, address: int = 0x10, loud: bool = False) -> None: ...

    def start(self) -> None: ...

    def read(self) -> Steps[Reading]:
        """Ping once, which takes 9 ms.

        Raises:
            BadReading: a fish.
        """
        yield 0.009
        return Reading(1, 2)


@pytest.fixture(autouse=True)
def one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    find = driver.find
    monkeypatch.setattr(driver, "find", lambda name: Sounder if name == "sounder" else find(name))


@pytest.mark.parametrize("name", OURS)
def test_every_driver_is_in_the_manual(name: str) -> None:
    """With its channels, its options and its addresses; `make lint` sees that they are today's."""
    chapter = PAGE.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
    cls = driver.find(name)

    assert chapter
    assert "- Quality: " in chapter
    for option in driver.options(cls):
        assert f"| `{option}` |" in chapter
    for channel in driver.channels_of(cls):
        assert f"| `{channel}` |" in chapter


def test_a_chapter_says_everything() -> None:
    """What the class says, its channels, its options, its times; but not its errors."""
    text = manual.chapters(["sounder"], {"sounder": (1.5, 0.0123, 0.009, 0.0)})

    assert text == (
        "### sounder\n\n"
        "**The manual of the sensors: every driver is in it, with all that it says of itself.**\n\n"
        "Sends a ping; sleeps in between.\n\n"
        "Fish are heard, too.\n\n"
        "| channel | unit | from | to | step |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| `depth` | m | 0 | 12 | 0.001 |\n"
        "| `salt` |  |  |  |  |\n\n"
        "| option | default | meaning |\n"
        "| --- | --- | --- |\n"
        "| `address` | 0x10 | 0x10, or 0x11 if it is bridged. |\n"
        "| `loud` | false | true where it is deep. |\n\n"
        "- Bus: I2C, address 0x10 to 0x12\n"
        "- Scan: has to guess, for it has no identity\n"
        "- Start: 1.5 s of waiting, 12.3 ms on the bus\n"
        "- Poll: 9 ms of waiting\n"
        "- Reading: Ping once, which takes 9 ms.\n"
        "- Quality: "
    )


def test_the_index_links_to_the_chapters() -> None:
    assert manual.index(["sounder"]).splitlines()[-1] == (
        "| [`sounder`](#sounder) | The manual of the sensors: every driver is in it, with all that"
        " it says of itself | I2C | 0x10 to 0x12 |"
    )


def test_an_address_names_all_who_may_live_there() -> None:
    rows = manual.addresses(["sounder", "veml7700"]).splitlines()[2:]

    assert rows == [
        "| 0x10 | [`sounder`](#sounder), [`veml7700`](#veml7700) |",
        "| 0x11 | [`sounder`](#sounder) |",
        "| 0x12 | [`sounder`](#sounder) |",
    ]


def test_the_comments_keys_are_left_out_of_the_sources() -> None:
    """A section sign means nothing to who does not read the code."""
    text = manual.chapters(["bme280", "bh1750"], {})

    assert "Datasheet: Bosch BST-BME280-DS002 rev. 1.6.\n" in text
    assert "refer" not in text
    assert "Wiring: VCC to 3V3, SDA and SCL to pins 3 and 5; SDO to ground (0x76)" in text


def test_addresses_are_written_as_ranges() -> None:
    """Two are no range yet; their order is that of the numbers."""
    assert ranges([0x77, 0x44, 0x46, 0x45, 0x11, 0x10]) == "0x10, 0x11, 0x44 to 0x46, 0x77"
    assert ranges([]) == ""


def test_what_a_driver_wants_and_remembers_is_told() -> None:
    """Where it is wired and what becomes of it is in the page on channels."""
    chapter = PAGE.partition("### sgp40\n")[2].partition("\n### ")[0]

    assert "- Compensate: temperature (°C), humidity (%); see [channels](channels.md#" in chapter
    assert "- Restart: it remembers" in chapter
    assert "Compensate: " not in PAGE.partition("### bme280\n")[2].partition("\n### ")[0]
