"""Blocks of sealed history: whole, or damaged and said to be."""

from __future__ import annotations

import random
from contextlib import suppress
from itertools import accumulate
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.errors import StoreDamaged
from pilogger.sample import Value
from pilogger.store import columns
from pilogger.store.block import HEADER, pack, unpack

VALUES = st.one_of(
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.text(max_size=5),
)
NUMBERS = st.integers(0, 2**63 - 1)
TIMES = st.one_of(st.integers(-(2**63), 2**63 - 1), st.just("1.5e9"))


@st.composite
def blocks(draw: st.DrawFn) -> tuple[list[int], list[int | str], list[list[Value | None]]]:
    rows = draw(st.integers(1, 12))

    def column(values: st.SearchStrategy[object]) -> list:  # type: ignore[type-arg]
        return draw(st.lists(values, min_size=rows, max_size=rows))

    channels = [column(VALUES) for _ in range(draw(st.integers(0, 4)))]
    return column(NUMBERS), column(TIMES), channels


def sensor(rows: int) -> tuple[list[int], list[int | str], list[list[Value | None]]]:
    """A sensor of three channels among seven, once a second, up to 2 ms late."""
    rng = random.Random(4)
    seqs = [7 * i + rng.randrange(7) for i in range(rows)]
    times: list[int | str] = [1_000_000 * i + 1000 * rng.randrange(3) for i in range(rows)]
    channels: list[list[Value | None]] = []
    for start in (21, 45, 1013):
        levels = accumulate((rng.gauss(0, 0.004) for _ in range(rows - 1)), initial=start)
        channels.append([round(level + rng.gauss(0, 0.015), 2) for level in levels])
    return seqs, times, channels


@given(blocks())
def test_a_block_comes_back(
    block: tuple[list[int], list[int | str], list[list[Value | None]]],
) -> None:
    """Numbers, times and every channel are what they were, bit for bit."""
    seqs, times, channels = block
    found = unpack(pack(seqs, times, channels))

    assert (found.samples, found.width) == (len(seqs), len(channels))
    assert (found.seqs, found.times) == (seqs, times)
    assert repr([found.column(i) for i in range(found.width)]) == repr(channels)


@pytest.mark.parametrize(("rows", "bytes_per_reading"), [(1, 19), (100, 1.06), (1024, 0.68)])
def test_a_reading_needs_few_bytes(rows: int, bytes_per_reading: float) -> None:
    """Numbers and times of the samples are part of it."""
    assert len(pack(*sensor(rows))) / (3 * rows) <= bytes_per_reading


def test_a_block_has_as_many_channels_as_it_needs() -> None:
    """A hundred channels, or a single sample, or nothing at all."""
    column: list[Value | None] = [20.5, None, 21.5]
    wide = unpack(pack([1, 2, 3], [10, 20, 30], [column] * 100))
    empty = unpack(pack([], [], []))

    assert [wide.column(i) for i in range(wide.width)] == [column] * 100
    assert (empty.samples, empty.width, empty.seqs, empty.times) == (0, 0, [], [])


@pytest.mark.parametrize("channels", [[[1.5]], [[1.5, 2.5], [1.5, 2.5, 3.5]]])
def test_a_block_is_a_rectangle(channels: list[list[Value | None]]) -> None:
    """Every sample has a time, and a value or None of every channel."""
    with pytest.raises(ValueError, match="for every sample"):
        pack([1, 2], [10, 20], channels)
    with pytest.raises(ValueError, match="for every sample"):
        pack([1, 2], [10], [[1.5, 2.5]])


WHOLE = pack(*sensor(30))


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_noticed(place: int, flip: int) -> None:
    """Wherever it is, and whatever it has become."""
    damaged = bytearray(WHOLE)
    damaged[place] ^= flip

    with pytest.raises(StoreDamaged):
        unpack(bytes(damaged))


def test_what_was_cut_off_or_added_is_noticed() -> None:
    """A block that is too short by any length, or too long, is damaged."""
    for length in range(len(WHOLE)):
        with pytest.raises(StoreDamaged):
            unpack(WHOLE[:length])
    for more in (b"\0", b"\xff", WHOLE):
        with pytest.raises(StoreDamaged):
            unpack(WHOLE + more)


def test_a_block_of_a_later_format_is_told_from_this_one() -> None:
    """The first byte is the version; nothing else is looked at if it is another."""
    with pytest.raises(StoreDamaged, match="no block begins with 02"):
        unpack(b"\x02" + WHOLE[1:])


@given(st.binary())
def test_random_bytes_are_no_block(data: bytes) -> None:
    """Bytes that were never a block are refused, whatever they are."""
    with pytest.raises(StoreDamaged):
        unpack(data)
    with pytest.raises(StoreDamaged):
        unpack(WHOLE[:1] + data)


def sealed(body: bytes) -> bytes:
    """Give nonsense its right CRC."""
    return WHOLE[:1] + crc32(body).to_bytes(4, "little") + body


@given(st.integers(HEADER, len(WHOLE) - 1), st.binary(max_size=4), st.integers(0, 4))
def test_nonsense_with_its_right_crc_is_no_crash(place: int, put: bytes, cut: int) -> None:
    """Even then each part is what it should be, as long as it should be, or a StoreDamaged."""
    body = WHOLE[HEADER:place] + put + WHOLE[place + cut :]
    with suppress(StoreDamaged):
        block = unpack(sealed(body))
        for part in (lambda: block.seqs, lambda: block.times, lambda: block.column(0)):
            with suppress(StoreDamaged):
                assert len(part()) == block.samples


def test_a_channel_is_decoded_alone() -> None:
    """Nonsense in one channel, with its right CRC, costs that channel and no other."""
    seqs, times, channels = sensor(30)
    last = columns.encode(channels[-1])
    body = pack(seqs, times, channels)[HEADER:].removesuffix(last)
    block = unpack(sealed(body + b"\xff" * len(last)))

    assert block.column(0) == channels[0]
    assert block.seqs == seqs
    with pytest.raises(StoreDamaged, match="a column is not what was written"):
        block.column(2)


def test_a_channel_that_is_not_there_is_no_crash() -> None:
    """A block may lie where that of another sensor should be."""
    block = unpack(WHOLE)

    for channel in (-1, 3):
        with pytest.raises(StoreDamaged, match=f"has 3 channels, and none is number {channel}"):
            block.column(channel)


def test_a_time_is_a_number_or_its_text() -> None:
    """Only these two name a moment; a block that says otherwise is damaged."""
    block = unpack(pack([1], [1.5], []))  # type: ignore[list-item]

    with pytest.raises(StoreDamaged, match="neither whole numbers nor text"):
        _ = block.times
