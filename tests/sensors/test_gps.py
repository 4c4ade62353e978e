"""NMEA: sentences, checksums, and two of them that belong together."""

from __future__ import annotations

import pynmea2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.channel import channels
from pilogger.errors import BadReading, NoAnswer, NotReady
from pilogger.sensors.gps import GPS, Reading, degrees, sentences
from pilogger.testing import SerialPort, run

GGA = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n"
RMC = b"$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A\r\n"
OLD = GGA.replace(b"4807", b"4907")


def sentence(body: str) -> bytes:
    """By another's checksum."""
    return f"${body}*{pynmea2.NMEASentence.checksum(body):02X}\r\n".encode()


def sample(*talk: bytes) -> Reading:
    return run(GPS(SerialPort(OLD, *talk)).read())[0]


def test_two_well_known_sentences_end_to_end() -> None:
    """48 deg 7.038 min N, 11 deg 31 min E, 545.4 m, 22.4 kn."""
    reading, waits = run(GPS(SerialPort(OLD, GGA[:30], GGA[30:], RMC)).read())

    assert reading == pytest.approx((48.1173, 11.5166667, 545.4, 11.5235556, 8), abs=1e-6)
    assert waits == [0.2] * 3


ANGLES = st.tuples(st.integers(0, 89), st.integers(0, 5_999_999))  # degrees, 1e-5 minutes


@given(ANGLES, ANGLES, st.sampled_from("NS"), st.sampled_from("EW"))
def test_an_independent_library_reads_the_same(
    north: tuple[int, int], east: tuple[int, int], ns: str, ew: str
) -> None:
    """pynmea2; both are floats of the same digits, to a millionth of a metre."""
    lat, long = f"{north[0]:02}{north[1] / 1e5:08.5f}", f"{2 * east[0]:03}{east[1] / 1e5:08.5f}"
    place = f"{lat},{ns},{long},{ew}"
    rmc = f"GNRMC,101010.00,A,{place},1.5,,010226,,,A"
    gga = f"GNGGA,101010.00,{place},2,12,0.8,-3.5,M,40.1,M,,0000"
    theirs, height = pynmea2.parse(f"${rmc}"), pynmea2.parse(f"${gga}")

    ours = sample(sentence(rmc) + sentence(gga))

    assert ours.latitude == pytest.approx(theirs.latitude, abs=1e-11)
    assert ours.longitude == pytest.approx(theirs.longitude, abs=1e-11)
    assert ours.speed == pytest.approx(theirs.spd_over_grnd * 1852 / 3600)
    assert (ours.altitude, ours.satellites) == (height.altitude, int(height.num_sats))


@pytest.mark.parametrize(
    ("text", "side", "expected"),
    [("4807.038", "S", -48.1173), ("00959.9999", "W", -9.999998333), ("18000.0", "E", 180)],
)
def test_degrees_and_sides(text: str, side: str, expected: float) -> None:
    assert degrees(text, side) == pytest.approx(expected)


@given(st.integers(0, len(RMC) * 8 - 1))
def test_a_flipped_bit_never_gives_another_position(bit: int) -> None:
    """It costs the sentence, or nothing, where it is a letter's case or behind the end."""
    damaged = (int.from_bytes(RMC, "big") ^ 1 << bit).to_bytes(len(RMC), "big")

    for fields in sentences(damaged):
        assert fields == sentences(RMC)[0]


def test_sentences_of_two_moments_are_not_mixed() -> None:
    """The height of the second before belongs to another place."""
    later = sentence("GPRMC,123520,A,4807.040,N,01131.000,E,022.4,084.4,230394,003.1,W")

    with pytest.raises(BadReading, match="RMC and GGA of one moment"):
        sample(GGA, later)
    next_gga = sentence("GPGGA,123520,4807.040,N,01131.000,E,1,08,0.9,546.0,M,46.9,M,,")
    assert sample(GGA, later, next_gga).altitude == 546


@pytest.mark.parametrize(
    ("rmc", "gga"),
    [
        ("GPRMC,123519,V,,,,,,,230394,,", "GPGGA,123519,,,,,0,00,99.9,,,,,,"),
        ("GPRMC,123519,A,4807.038,N,01131.000,E,,,230394,,", "GPGGA,123519,,,,,0,00,,,,,,,"),
        ("GPRMC,123519,V,4807.038,N,01131.000,E,,,230394,,",
         "GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,,,,"),
        ("GPRMC,123519,A,4807.038,N,01131.000,E,,,230394,,",
         "GPGGA,123519,4807.038,N,01131.000,E,6,00,99.9,545.4,M,,,,"),
    ],
)  # fmt: skip
def test_without_a_fix_there_is_a_gap(rmc: str, gga: str) -> None:
    """V warns: the position is old; quality 6 is a guess from the last one."""
    with pytest.raises(NotReady, match="no fix"):
        sample(sentence(rmc) + sentence(gga))


def test_what_the_receiver_does_not_know_is_absent() -> None:
    place = "4807.038,N,01131.000,E"
    reading = sample(
        sentence(f"GPRMC,1,A,{place},,,230394,,"), sentence(f"GPGGA,1,{place},1,,,,M,,M,,")
    )

    assert reading[2:] == (None, None, None)


def test_sentences_that_are_too_short_are_no_reading() -> None:
    with pytest.raises(BadReading, match="not as RMC and GGA should be"):
        sample(sentence("GPRMC,1,A,4807.038,N"), sentence("GPGGA,1,4807.038,N,,E,1,08,0.9,5"))
    with pytest.raises(BadReading, match="not as RMC and GGA should be"):
        sample(sentence("GPRMC"), sentence("GPGGA"))


def test_another_baud_rate_is_suspected() -> None:
    with pytest.raises(BadReading, match="is the baud rate right"):
        sample(b"\x80\x00\xf8\x80")


def test_start_sets_the_speed_and_listens() -> None:
    bus = SerialPort(OLD, b"", b"$")

    _, waits = run(GPS(bus, baud=38_400).start())

    assert bus.speeds == [38_400]
    assert waits == [0.2] * 2
    with pytest.raises(ValueError, match="not 300"):
        GPS(bus, baud=300)


def test_an_unplugged_receiver_says_so() -> None:
    """After 3 s; what was sent long ago is no sign of life."""
    waits: list[float] = []

    with pytest.raises(NoAnswer, match="sends nothing"):
        waits.extend(GPS(SerialPort(OLD)).read())
    assert sum(waits) == pytest.approx(3)
    with pytest.raises(NoAnswer, match="sends nothing"):
        run(GPS(SerialPort(OLD)).start())


def test_channels_carry_units_and_ranges() -> None:
    found = channels(Reading)

    assert [channel.unit for channel in found.values()] == ["deg", "deg", "m", "m/s", "1"]
    assert (found["longitude"].low, found["latitude"].high) == (-180, 90)
