"""Columns of sealed history: few bytes, and back bit for bit."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pilogger.errors import BadValue, StoreDamaged
from pilogger.sample import Value
from pilogger.store import columns, ints
from pilogger.store.pieces import numbers, piece
from pilogger.store.squeeze import LARGEST, squeeze

Column = list[Value | None]

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
DECIMALS = st.builds(lambda whole, power: whole / 10**power, st.integers(-9999, 9999), st.just(2))
WHOLES = st.integers(-(2**63), 2**63 - 1)
NEAR = st.integers(-9, 9)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
KINDS = [FLOATS, DECIMALS, WHOLES, NEAR, st.booleans(), TEXTS, st.none()]
COLUMNS = st.one_of(*map(st.lists, KINDS), st.lists(st.one_of(*KINDS)))


@given(COLUMNS)
@example([-(2**63), 2**63 - 1, 0])
@example([-(2**63), 0, 2**63 - 1])
@example([-(2**63), 1 - 2**63, 2**63 - 1])
@example([2**62, -(2**62), 2**62, -(2**62)])
@example([0.1 + 0.2, 5e-324, -5e-324, 1.7976931348623157e308, -1.7976931348623157e308])
@example([0.5, -0.0, 0.0, 0, False, None, ""])
@example([1e16, 9007199254740993, 9007199254740992.0])
@example([20, 20.0, True, 1, "1", None])
def test_a_column_comes_back_as_what_it_was(column: Column) -> None:
    """Floats to the last bit, whole numbers of 64 bits, truth values, text, and gaps."""
    found = columns.decode(columns.encode(column))

    assert list(map(repr, found)) == list(map(repr, column))


@given(st.lists(st.floats()), st.lists(st.text(st.characters(categories=["Cs", "L"]))))
def test_nothing_is_lost_that_a_store_refuses(numbers: list[float], texts: list[str]) -> None:
    """The codec itself is total: NaN, infinities and half surrogate pairs come back too."""

    assert list(map(repr, columns.decode(columns.encode(numbers)))) == list(map(repr, numbers))
    assert columns.decode(columns.encode(texts)) == texts


@given(st.lists(st.integers(0, 3)), st.integers(1, 2**40), st.integers(-(2**40), 2**40))
def test_times_come_back(jitter: list[int], step: int, start: int) -> None:
    """What rises by a step and a jitter is a line and its jitter."""
    times: Column = [start + step * (i * 4 + late) for i, late in enumerate(jitter)]

    assert columns.decode(columns.encode(times)) == times


def walk(*, start: float, step: float, noise: float, decimals: int) -> Column:
    """What a sensor of something slow gives."""
    rng, level, found = random.Random(4), start, []
    for _ in range(1024):
        level += rng.gauss(0, step)
        found.append(round(level + rng.gauss(0, noise), decimals))
    return list(found)


def temperature() -> Column:
    return walk(start=21, step=0.004, noise=0.015, decimals=2)


def with_spikes() -> Column:
    """A DS18B20 that was switched on again gives 85."""
    return [85.0 if i % 300 == 299 else value for i, value in enumerate(temperature())]


def around_zero() -> Column:
    return walk(start=0, step=0.004, noise=0.015, decimals=2)


def with_gaps() -> Column:
    return [None if i % 200 == 199 else value for i, value in enumerate(temperature())]


def sixteenths() -> Column:
    rng = random.Random(4)
    return [20 + rng.choice([0, 0, 0, 1, 1, 2]) / 16 for _ in range(1024)]


def pulses() -> Column:
    rng, count, found = random.Random(4), 0, []
    for _ in range(1024):
        count += rng.random() < 0.3
        found.append(count)
    return list(found)


def switch() -> Column:
    return [i // 300 % 2 == 1 for i in range(1024)]


def flicker() -> Column:
    """Noise that is just wider than a byte."""
    rng = random.Random(4)
    return [round(rng.gauss(400, 60)) for _ in range(1024)]


def duty() -> Column:
    """What does the same again and again, like a thermostat."""
    return [(i * 37 % 101) / 10 for i in range(1024)]


def words() -> Column:
    return ["open" if i // 300 % 2 else "closed" for i in range(1024)]


def whole_or_not() -> Column:
    """A client that writes 20 for 20.0."""
    return [int(v) if v in {20, 21, 22} else v for v in temperature() if isinstance(v, float)]


def noisy() -> Column:
    return walk(start=21, step=0.01, noise=0.1, decimals=17)


def singles() -> Column:
    """Floats of 32 bits have 29 bits that are always zero."""
    doubles = struct.pack("<1024f", *noisy())
    return list(struct.unpack("<1024f", doubles))


def parabola() -> Column:
    return [i * i / 1000 for i in range(1024)]


def milliseconds() -> Column:
    """Boot time in microseconds, taken in whole milliseconds, up to 2 ms late."""
    rng = random.Random(4)
    return [1_000_000 * i + 1000 * rng.randrange(3) for i in range(1024)]


def places() -> Column:
    """Numbers of samples, of a sensor that takes its turn among seven."""
    rng = random.Random(4)
    return [7 * i + rng.randrange(7) for i in range(1024)]


@pytest.mark.parametrize(
    ("make", "bytes_per_value"),
    [
        (temperature, 0.465),
        (with_spikes, 0.48),
        (around_zero, 0.505),
        (with_gaps, 0.49),
        (sixteenths, 0.22),
        (pulses, 0.155),
        (switch, 0.022),
        (flicker, 1.1),
        (duty, 0.036),
        (words, 0.044),
        (whole_or_not, 0.51),
        (noisy, 6.1),
        (singles, 2.4),
        (parabola, 0.012),
        (milliseconds, 0.24),
        (places, 0.4),
    ],
)
def test_a_value_needs_few_bytes(make: Callable[[], Column], bytes_per_value: float) -> None:
    """The format keeps what sensors give in about as many bytes as its noise has."""
    column = make()
    data = columns.encode(tuple(column))

    assert columns.decode(data) == column
    assert len(data) / len(column) <= bytes_per_value


@pytest.mark.parametrize(
    "column",
    [
        [20.5] * 1024,
        [None] * 1024,
        [True] * 1024,
        [1_795_217_624_483_000_000 + 60_000_000_000 * i for i in range(1024)],
        ["closed"] * 1024,
    ],
    ids=["float", "absent", "truth", "times", "text"],
)
def test_what_does_not_change_needs_next_to_nothing(column: Column) -> None:
    """A constant, or a constant step, is a few bytes however often it was read."""

    assert len(columns.encode(column)) <= 40
    assert len(columns.encode(column)) <= len(columns.encode(column[:512])) + 8


@pytest.mark.parametrize("wrong", [2**63, -(2**63) - 1, b"raw", [1.5], 1j])
def test_what_is_no_value_is_refused(wrong: Value) -> None:
    """Nothing is written that could not be read again."""
    with pytest.raises(BadValue, match=r"at most 64 bits|never a (bytes|list|complex)"):
        columns.encode([20.5, wrong])


@pytest.mark.parametrize("value", [None, 20.5, -0.0, 7, True, "open"])
def test_a_column_has_an_end(value: Value | None) -> None:
    """A column that could not be read again is not written."""
    most = [value] * ints.MOST

    assert columns.decode(columns.encode(most)) == most
    with pytest.raises(ValueError, match="too many; 65536 are possible"):
        columns.encode([*most, value])


def test_long_texts_come_back() -> None:
    """What would inflate to more than a reader allows is kept plain."""
    texts: Column = ["a" * LARGEST, "b"]

    assert columns.decode(columns.encode(texts)) == texts


@given(COLUMNS, st.data())
def test_a_damaged_column_is_no_crash(column: Column, data: st.DataObject) -> None:
    """Whatever the bytes, there are values or a StoreDamaged."""
    whole = columns.encode(column)
    place = data.draw(st.integers(0, len(whole) - 1))
    put = data.draw(st.binary(max_size=4))
    cut = data.draw(st.integers(0, 4))
    with suppress(StoreDamaged):
        columns.decode(whole[:place] + put + whole[place + cut :])

    with pytest.raises(StoreDamaged):
        columns.decode(whole[:place])


@given(st.binary())
@example(b"")
def test_random_bytes_are_no_crash(data: bytes) -> None:
    """Random bytes are values or a StoreDamaged too, whichever kind they pretend to be."""
    for kind in range(9):
        with suppress(StoreDamaged):
            columns.decode(bytes([kind]) + data)

    with pytest.raises(StoreDamaged, match="no values are kept as"):
        columns.decode(b"\xff" + data)


WHOLE, FLOAT, TEXT = (bytes([kind]) for kind in (columns.WHOLE, columns.FLOAT, columns.TEXT))
ZERO = piece(ints.encode([0]))
ABC = numbers(3) + squeeze(b"abc")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (WHOLE + b"\xff" * 12, "a number does not end"),
        (WHOLE + numbers(-1), f"-1 is not from 0 to {ints.MOST}"),
        (WHOLE + numbers(ints.MOST + 1), f"65537 is not from 0 to {ints.MOST}"),
        (WHOLE + numbers(9, 3), "3 is not from 0 to 2"),
        (WHOLE + numbers(1, 1), "1 is not from 0 to 0"),
        (WHOLE + numbers(9, 0, 65), "65 is not from 0 to 64"),
        (WHOLE + numbers(9, 0, 3, 0, 1, 0) + squeeze(bytes(4)), "does not inflate to 5 bytes"),
        (WHOLE + numbers(9, 0, 3, 0, 1, 0) + squeeze(bytes(5)) + b"\0", "does not inflate to 5"),
        (WHOLE + numbers(9, 0, 3, 0, 1, 0) + b"\xff", "cannot be inflated"),
        (FLOAT + numbers(13, 1, 0, 0, 2**63, 1, 0), "holds no floats"),
        (FLOAT + numbers(14), "14 is not from 0 to 13"),
        (TEXT + numbers(9) + bytes(8), "cut short"),
        (TEXT + ZERO + piece(ints.encode([2])) + ABC, "do not have the lengths"),
        (TEXT + ZERO + piece(ints.encode([])) + numbers(0) + squeeze(b""), "that it does not have"),
    ],
)
def test_nonsense_is_told(data: bytes, why: str) -> None:
    """What no encoder writes is refused with what is wrong."""
    with pytest.raises(StoreDamaged, match=why):
        columns.decode(data)


NO_NUMBERS = piece(ints.encode([]))


def zeros(mebibytes: int) -> bytes:
    """Deflate that many MiB of zeros into a thousandth of that."""
    deflater = zlib.compressobj(wbits=-15)
    mebibyte = deflater.compress(bytes(1 << 20)) + deflater.flush(zlib.Z_FULL_FLUSH)
    return mebibyte * mebibytes + deflater.flush()


@pytest.mark.parametrize(
    "header",
    [
        WHOLE + numbers(ints.MOST, 0, 64, 0, 1, 0),
        TEXT + NO_NUMBERS * 2 + numbers(LARGEST),
        TEXT + NO_NUMBERS * 2 + numbers(LARGEST + 1),
        TEXT + NO_NUMBERS * 2 + numbers(-1),
    ],
    ids=["numbers", "text", "long text", "no text"],
)
def test_a_bomb_does_not_go_off(header: bytes) -> None:
    """256 MiB in 260 KB are noticed before they fill the memory of a small machine."""
    bomb = header + zeros(256)
    tracemalloc.start()
    with pytest.raises(StoreDamaged):
        columns.decode(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 4 * LARGEST


def test_a_column_of_columns_goes_no_deeper() -> None:
    """A mixed column inside a mixed column is nothing that was written."""
    inner = columns.encode([1, 2.5])
    kinds = ints.encode([columns.WHOLE])

    def nested(column: bytes) -> bytes:
        return bytes([columns.MIXED]) + piece(kinds) + piece(column)

    assert columns.decode(nested(columns.encode([1]))) == [1]
    with pytest.raises(StoreDamaged, match="no values are kept as 06"):
        columns.decode(nested(inner))
    with pytest.raises(StoreDamaged, match="1 values are kept as 2"):
        columns.decode(nested(columns.encode([1, 2])))
