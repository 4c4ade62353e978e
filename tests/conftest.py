"""Fixtures that tests of several files share, and the switch that forbids skipping."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import faults
import pytest
from hypothesis import HealthCheck, settings

from pilogger.bus import gpio

NO_SKIPS = "PILOGGER_NO_SKIPS"
NOBODY = 65534

# In a new checkout the first text takes a second, as the tables of Unicode are made for it.
settings.register_profile("usual", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("usual")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Turn a skipped test into a failed one, where the machine must have everything."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get(NO_SKIPS):
        report.outcome = "failed"
        report.longrepr = f"skipped, and {NO_SKIPS} is set: {report.longrepr}"
    return report  # type: ignore[return-value]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a mark of a fault that is not in the catalogue."""
    numbers = {n: item for item in items for mark in item.iter_markers("fault") for n in mark.args}
    if unknown := numbers.keys() - faults.catalogue():
        item = numbers[min(unknown)]
        raise pytest.UsageError(f"{item.nodeid}: docs/faults.yaml has no fault {min(unknown)}")


@pytest.fixture
def pins() -> Iterator[gpio.PinBus]:
    """The pins of a Pi that gpiozero makes up; `pins.factory.pin(17)` can be driven."""
    bus = gpio.open("mock")
    yield bus
    bus.close()


@pytest.fixture
def public_path() -> Iterator[Path]:
    """A folder that any user of the machine can enter and read; pytest's own are private."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def not_root() -> Iterator[None]:
    """Be a user whom file modes stop; root becomes nobody for a while."""
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
        yield
        os.seteuid(0)
    else:
        yield
