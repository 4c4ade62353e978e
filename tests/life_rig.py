"""Processes that are meant to die, with all that each of them said until then."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from oracle_process import aloud, context

PATIENCE_S = 120.0
SLOW = "the disk is slow: the next start will commit what the journal holds"
SENTENCE = "pilogger: "  # how a command begins the last that it says, when it gives up


class Life:
    """A process from its start to its end; what it says is in the file `said`.

    It says it through a pipe, since its own files may not grow for a while. With `hear` it
    is given the end of another pipe before its `arguments`, and what it sends is heard.
    """

    def __init__(
        self,
        said: Path,
        work: Callable[..., None],
        *arguments: object,
        hear: Callable[[Any], None] | None = None,
        sick: bool = False,
    ) -> None:
        self.sick = sick
        """Whether its disk has refused something, as far as the world knows."""
        self._said = said
        self._killed = self._asked = False
        words, speaks = context.Pipe(duplex=False)
        threads = [threading.Thread(target=self._keep, args=(words,), daemon=True)]
        theirs = [speaks]
        if hear:
            reports, tells = context.Pipe(duplex=False)
            threads.append(threading.Thread(target=_hear, args=(reports, hear), daemon=True))
            theirs.append(tells)
            arguments = (tells, *arguments)
        self._process = context.Process(target=aloud, args=(speaks, work, *arguments))
        self._process.start()
        for end in theirs:
            end.close()
        for thread in threads:
            thread.start()
        self._threads = threads

    def _keep(self, words: Connection) -> None:
        with words, self._said.open("wb", buffering=0) as file:
            while found := os.read(words.fileno(), 1 << 16):
                file.write(found)

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    def let_files_grow(self, yes: bool = True) -> None:
        """Let no file of its grow, or let them grow again."""
        with suppress(ProcessLookupError):
            _, most = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (most if yes else 1, most))
        self.sick |= not yes

    def kill(self) -> None:
        """Let it die at once, and hear the last of what it said."""
        self._killed |= self.alive
        self._process.kill()
        self.end()

    def ask(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._asked |= number == signal.SIGTERM
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self) -> None:
        """Wait for its end, which must be one that can be explained.

        It was killed; it was asked to, and did it or left the last commit to the next start, as
        the disk was slow; or it gave up with a sentence, as its disk refused something: then a
        service manager starts it again.
        """
        self._process.join(PATIENCE_S)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        assert not any(thread.is_alive() for thread in self._threads)
        words, code = self._said.read_text(errors="replace"), self._process.exitcode
        last = words.rstrip().rpartition("\n")[2]
        gave_up = code == 1 and self.sick and last.startswith(SENTENCE)
        left_it = code == 1 and SLOW in words
        explained = self._killed or (self._asked and (code == 0 or left_it)) or gave_up
        assert explained, f"{self._said.stem} ended with {code}: {words}"
        assert "Traceback" not in words, f"{self._said.stem} met a bug: {words}"

    @property
    def is_well(self) -> bool:
        """Whether it ended as it should, with everything done."""
        return self._process.exitcode == 0


def _hear(reports: Connection, hear: Callable[[Any], None]) -> None:
    with reports, suppress(EOFError, OSError):
        while True:
            hear(reports.recv())
