"""A batch in parts: the guilty are found, the others arrive in order and once."""

from __future__ import annotations

from math import ceil, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilogger.sample import Point
from pilogger.store import Batch
from pilogger.uploader.shipment import Shipment


def shipment(count: int) -> Shipment:
    return Shipment(Batch(tuple(Point(n, "air", str(n), n) for n in range(count)), count))


def deliver(whole: Shipment, guilty: set[int], limit: int) -> tuple[list[int], int]:
    """Play a server that refuses what holds a guilty reading; return arrivals and refusals."""
    arrived: list[int] = []
    refusals = 0
    while part := whole.next(limit):
        assert len(part) <= limit
        numbers = [point.seq for point in part]
        if guilty & set(numbers):
            refusals += 1
            whole.refused("bad")
        else:
            arrived += numbers
            whole.accepted()
    return arrived, refusals


@pytest.mark.fault(60)
@given(st.integers(0, 300), st.sets(st.integers(0, 299)), st.integers(1, 300))
def test_only_the_guilty_are_set_aside(count: int, guilty: set[int], limit: int) -> None:
    """Whoever they are, and however small the parts must be."""
    whole = shipment(count)

    arrived, _ = deliver(whole, guilty, limit)

    assert arrived == [n for n in range(count) if n not in guilty]
    assert [point.seq for point, _ in whole.set_aside] == [n for n in range(count) if n in guilty]


@pytest.mark.fault(60)
@given(st.integers(1, 2000), st.data())
def test_one_guilty_reading_costs_about_log2_refusals(count: int, data: st.DataObject) -> None:
    guilty = data.draw(st.integers(0, count - 1))

    _, refusals = deliver(shipment(count), {guilty}, count)

    assert refusals <= ceil(log2(count)) + 1


@given(st.lists(st.integers(1, 5), min_size=1, max_size=50), st.integers(5, 300))
def test_samples_stay_whole(sizes: list[int], limit: int) -> None:
    """A part that has more than one ends between two of them."""
    points = tuple(
        Point(seq, f"air.{n}", "5", n) for seq, size in enumerate(sizes) for n in range(size)
    )
    whole = Shipment(Batch(points, len(sizes)))
    arrived: list[Point] = []
    while part := whole.next(limit):
        whole.accepted()
        arrived += part
        found = {point.seq for point in part}

        assert len(part) == sum(sizes[seq] for seq in found)
    assert arrived == [*points]


def test_the_same_part_comes_until_it_is_judged() -> None:
    """A retry is the same bytes."""
    whole = shipment(5)

    assert whole.next(3) == whole.next(3)


def test_a_batch_without_readings_is_done_at_once() -> None:
    assert shipment(0).next(10) == ()


def test_the_servers_words_stay_with_the_reading() -> None:
    whole = shipment(1)
    whole.next(10)
    whole.refused("400: too hot")

    (aside,) = whole.set_aside
    assert (aside.point.seq, aside.reason) == (0, "400: too hot")
