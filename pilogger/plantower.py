"""The frame of Plantower's particle sensors, the same by I2C (PMSA003I) and by serial (PMS5003).

32 bytes, each word high byte first: the start "BM", how many bytes follow (28), 13 words, and
the sum of all bytes before it. Source: Plantower "PMS5003 series data manual", 2016, appendix I.
"""

from __future__ import annotations

import struct
from typing import Annotated, NamedTuple

from pilogger.channel import Channel
from pilogger.errors import BadReading

START = b"\x42\x4d"
SIZE = 32
FRAME = struct.Struct(">2sH 12H 2x H")  # the 13th word has a version and an error code
WARM_UP_S = 30.0  # until the fan draws a steady flow

MASS = Channel("ug/m3", 0, 0xFFFF, step=1)
COUNT = Channel("/dL", 0, 0xFFFF, step=1)


class Reading(NamedTuple):
    """Mass of the particles up to 1, 2.5 and 10 um, and how many are larger than 0.3 um and so on.

    The manual wants the `factory` values ("CF=1, standard particle") used in factories only;
    those that people compare are the others, "under atmospheric environment".
    """

    pm1_factory: Annotated[int, MASS]
    pm2_5_factory: Annotated[int, MASS]
    pm10_factory: Annotated[int, MASS]
    pm1: Annotated[int, MASS]
    pm2_5: Annotated[int, MASS]
    pm10: Annotated[int, MASS]
    above_0_3um: Annotated[int, COUNT]
    above_0_5um: Annotated[int, COUNT]
    above_1um: Annotated[int, COUNT]
    above_2_5um: Annotated[int, COUNT]
    above_5um: Annotated[int, COUNT]
    above_10um: Annotated[int, COUNT]


def decode(frame: bytes) -> Reading:
    """Return what a frame says.

    Raises:
        BadReading: it is no frame, or it is damaged.
    """
    if len(frame) != SIZE:
        raise BadReading(f"a frame of Plantower has {SIZE} bytes, not {len(frame)}")
    start, length, *values, checksum = FRAME.unpack(frame)
    if start != START or length != SIZE - 4:
        raise BadReading(f"no frame of Plantower begins like this: {frame[:4].hex(' ')}")
    if checksum != sum(frame[:-2]):
        raise BadReading(f"the checksum is wrong: {frame.hex(' ')}")
    return Reading(*values)
