"""What a hub was sent as messages comes back from a damaged store, once, as it was."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path

import pytest
from damage_rig import NAME, copy, overwrite, page_size

from pilogger.sample import Arrival
from pilogger.store import Store, open_reader
from pilogger.store.messages import Messages
from pilogger.testing import FakeClock

MESSAGES = (
    "SELECT account, message_id, type, user_id, event, timestamp, received, body FROM message"
)
ANSWERED = "SELECT * FROM answered"
SENT = 200

Row = tuple[object, ...]


def arrival(number: int) -> Arrival:
    """A message that says its number everywhere; each fifth is longer than some pages."""
    body = json.dumps({"properties": {"text": f"<{number}>" * (800 if number % 5 == 0 else 20)}})
    return Arrival(f"<{number}>", "track", f"u <{number}>", None, "Fill", None, number, body, [])


def make(folder: Path, *, killed: bool) -> tuple[set[Row], set[Row]]:
    """Make a store that was sent messages; returns the rows of messages and answers."""
    live = folder / "live"
    store = Store.open(live / NAME, FakeClock(), durability=3600)
    messages = Messages(store)
    for first in range(0, SENT, 10):
        messages.keep("me", [arrival(n) for n in range(first, first + 10)])
        store.writer.write([("answered", "me", f"<{first}>", 200, "", first)])
    store.flush()
    with closing(open_reader(store.path)) as db:
        found = set(db.execute(MESSAGES)), set(db.execute(ANSWERED))
    if killed:
        copy(live, folder)
        store.close()
    else:
        store.close()
        copy(live, folder)
    return found


@pytest.mark.parametrize("killed", [True, False])
def test_messages_and_answers_of_whole_pages_come_back(tmp_path: Path, killed: bool) -> None:
    """Where the first page is gone nothing opens the file, and all of them are there again."""
    sent, answered = make(tmp_path, killed=killed)
    overwrite(tmp_path / NAME, 0, b"\xff" * 16)
    with closing(Store.open(tmp_path / NAME, FakeClock(boot_id="boot-2"))) as store:
        assert store.salvage.join(60)
        [told] = store.salvage.state()
        with closing(open_reader(store.path)) as db:
            again = db.execute(MESSAGES).fetchall()
            answers = set(db.execute(ANSWERED))

    assert sorted(again, key=repr) == sorted(sent, key=repr)
    assert answers == answered
    assert (told["saved"], told["lost"]) == (SENT, 0)


def test_of_a_lost_page_only_its_messages_are_missing(tmp_path: Path) -> None:
    """No other is missing, and none is there that was not sent."""
    sent, _ = make(tmp_path, killed=False)
    size = page_size(tmp_path / NAME)
    whole = (tmp_path / NAME).read_bytes()
    found = [
        at
        for at in range(size, len(whole), size)
        if whole[at] == 13 and b"<" in whole[at : at + size]
    ]
    for at in found[len(found) // 4 :: len(found) // 4 + 1]:
        folder = tmp_path / str(at)
        folder.mkdir()
        (folder / NAME).write_bytes(whole)
        overwrite(folder / NAME, 0, b"\xff" * 16)
        overwrite(folder / NAME, at, b"\xa5" * size)
        hit = set(re.findall(rb"<\d+>", whole[at : at + size]))
        with closing(Store.open(folder / NAME, FakeClock(boot_id="boot-2"))) as store:
            assert store.salvage.join(60)
            with closing(open_reader(store.path)) as db:
                again = set(db.execute(MESSAGES))

        missing = {str(row[1]).encode() for row in sent - again}
        assert again <= sent
        assert missing
        assert missing <= hit
