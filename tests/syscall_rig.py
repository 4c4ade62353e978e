"""System calls that fail: strace puts an error in their place, in a process that runs.

The kernel is not asked, so a file stays as it was before the call.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="needs the package strace")

WRITES = "write,pwrite64,ftruncate,fsync,fdatasync"
READS = "read,pread64"


@contextmanager
def failing(process: int, calls: str, how: str, *paths: Path) -> Iterator[None]:
    """Let the calls of a process on these files fail until the block ends; `how`: `error=EIO`."""
    chosen = [word for path in paths for word in ("-P", str(path))]
    command = ["strace", "-f", "-p", str(process), "-e", f"trace={calls}", *chosen]
    strace = subprocess.Popen(
        [*command, "-e", f"inject={calls}:{how}"], stderr=subprocess.PIPE, text=True
    )
    assert strace.stderr is not None
    with strace.stderr:
        said = []
        while "attached" not in (line := strace.stderr.readline()):
            said.append(line)
            assert line, "".join(said)
        with subprocess.Popen(["cat"], stdin=strace.stderr, stdout=subprocess.DEVNULL):
            try:
                yield
            finally:
                strace.terminate()
                strace.wait()


def calls(trace: str) -> Iterator[str]:
    """Yield what strace wrote, a line for each call, also where another thread's came between."""
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        thread, _, rest = line.partition(" ")
        if rest.endswith("<unfinished ...>"):
            begun[thread] = line.removesuffix("<unfinished ...>").rstrip()
        elif " resumed>" in rest:
            yield begun.pop(thread) + rest.partition(" resumed>")[2]
        else:
            yield line
