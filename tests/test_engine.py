"""SQLite as an engine: all that every engine does, fresh, sealed and after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pilogger.engine import Engine, SQLiteEngine
from pilogger.store import Store, sealer
from pilogger.testing import FakeClock

pytest.register_assert_rewrite("engine_conformance")
from engine_conformance import *  # noqa: E402, F403


class Restless(SQLiteEngine):
    """Seals all that it can at every flush, in blocks of two."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._seal = store.seal

    def flush(self) -> None:
        super().flush()
        self._seal()


@pytest.fixture(params=[SQLiteEngine, Restless])
def engine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    if request.param is Restless:
        monkeypatch.setattr(sealer, "FULL", 2)
        monkeypatch.setattr(sealer, "SHORT", 1)
    store = Store.open(tmp_path / "x.db", FakeClock(), durability=0)
    made: Engine = request.param(store)
    yield made
    store.close()
