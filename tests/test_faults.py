"""Every fault of the catalogue is made to happen by a test, or says what it needs."""

from __future__ import annotations

import ast

import faults
import pytest


@pytest.mark.parametrize("number", faults.catalogue())
def test_each_fault_happens_or_says_what_it_needs(number: int) -> None:
    """A promise that nobody tries is none."""
    fault = faults.catalogue()[number]

    assert faults.marked().get(number) or fault.needs, f"nothing shows: {fault.what}"


def test_the_catalogue_is_whole() -> None:
    """102 faults, each with what happens then."""
    found = faults.catalogue()

    assert list(found) == list(range(1, 103))
    assert all(fault.what and fault.then.endswith(".") for fault in found.values())


def test_marks_are_found_wherever_they_may_stand() -> None:
    """On a test, on one of its cases, on a list of cases above it, and on a whole file."""
    source = """
pytestmark = [pytest.mark.boot, pytest.mark.fault(1)]
CASES: list[object] = [pytest.param(1, marks=pytest.mark.fault(2)), 3]
@pytest.mark.parametrize("n", CASES)
@pytest.mark.fault(3, 4)
def test_a() -> None: ...
@pytest.mark.parametrize("n", [pytest.param(1, marks=[pytest.mark.fault(5)])])
def test_b() -> None: ...
def helper() -> None: ...
"""
    found = [(number, name) for number, _, name in faults._marks(ast.parse(source))]

    assert found == [(n, "test_a") for n in (1, 2, 3, 4)] + [(1, "test_b"), (5, "test_b")]
