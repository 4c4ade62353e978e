"""What `!secret NAME` and `!env NAME` stand for.

A secret is a systemd credential (https://systemd.io/CREDENTIALS), else an entry of
`secrets.yaml` beside the config, which only its owner may read. Where that is not us, the
file itself may be a credential: systemd reads it as root, once, at the start of a service.
Nothing here ever puts a secret's text into a sentence.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pilogger.config.document import Document
from pilogger.config.files import open_file
from pilogger.config.names import meant
from pilogger.config.parser import LARGEST, Unresolved, parse
from pilogger.errors import Mistake

FILE = "secrets.yaml"
CREDENTIALS = "CREDENTIALS_DIRECTORY"
NAME = re.compile(r"(?!\.)[A-Za-z0-9_.-]{1,100}")
HANDED = "; systemd handed it over at the start: restart the service after a change"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Secrets:
    """Looks them up beside one config; `mistakes` are those of the secrets file itself."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE
        self.handed_over = False
        """Whether the file is a copy that systemd made for us."""
        self.mistakes: list[Mistake] = []
        self._entries: dict[str, str | None] | None = None

    def resolve(self, tag: str, name: str) -> str:
        """Return the text that a tag stands for.

        Raises:
            Unresolved: there is none, or it cannot be read; the sentence says which.
        """
        if not NAME.fullmatch(name):
            raise Unresolved(f"{tag} needs a name of letters, digits, _, - and dots")
        found = _from_env(name) if tag == "!env" else self._secret(name)
        if not found:
            raise Unresolved(f"{tag} {name} is empty")
        return found

    def _secret(self, name: str) -> str:
        if (found := _from_systemd(name)) is not None:
            return found
        if self._entries is None:
            self._entries = self._read(name)
        if (entry := self._entries.get(name)) is not None:
            return entry
        unreadable = self.mistakes and not self._entries
        if unreadable or name in self._entries:  # and so told at its place in the file
            raise Unresolved
        hint = meant(name, self._entries) + (HANDED if self.handed_over else "")
        raise Unresolved(f"{self.file} has no secret {name}{hint}")

    def _read(self, name: str) -> dict[str, str | None]:
        """Read the secrets file; an entry that is no text is None and told of."""
        try:
            with self._open() as file:
                private = self.handed_over or not os.fstat(file.fileno()).st_mode & OTHERS
                document = parse(file.read(LARGEST + 1), str(self.file), _no_tags)
        except FileNotFoundError:
            raise Unresolved(f"there is no secret {name}: {self.file} does not exist") from None
        except OSError as error:
            document, private = Document(str(self.file)), True
            document.broken((), f"cannot be read: {error.strerror}")
        if not private:
            document = Document(str(self.file))
            document.broken((), f"others can read the secrets in it: run chmod 600 {self.file}")
        self.mistakes = document.mistakes
        return dict(_entries(document))

    def _open(self) -> BinaryIO:
        try:
            return open_file(self.file)
        except PermissionError:
            copy = Path(os.environ.get(CREDENTIALS, "/nowhere")) / FILE
            if not copy.exists():
                raise
            self.handed_over = True
            return open_file(copy)


def sealed(folder: Path) -> object:
    """Return what tells a secrets file that only systemd may read from the next; falsy if ours."""
    file = folder / FILE
    try:
        found = file.stat()
        ours = os.access(file, os.R_OK, effective_ids=True)
    except OSError:
        return None
    return not ours and (found.st_ino, found.st_size, found.st_mtime_ns)


def _entries(document: Document) -> Iterator[tuple[str, str | None]]:
    if not isinstance(document.value, dict):
        document.mistake((), "expected a mapping, as in initialstate: my-access-key")
        return
    for name, text in document.value.items():
        if not isinstance(text, str):
            document.mistake((name,), "expected text: put it in quotes")
        yield name, text if isinstance(text, str) else None


def _no_tags(tag: str, _name: str) -> str:
    raise Unresolved(f"a secrets file holds the text itself, not {tag}")


def _from_env(name: str) -> str:
    if name not in os.environ:
        raise Unresolved(f"the environment variable {name} is not set{meant(name, os.environ)}")
    return os.environ[name]


def _from_systemd(name: str) -> str | None:
    folder = os.environ.get(CREDENTIALS)
    if not folder:
        return None
    try:
        return (Path(folder) / name).read_bytes()[:LARGEST].decode().rstrip("\r\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        why = error.strerror
        raise Unresolved(f"the systemd credential {name} cannot be read: {why}") from None
    except UnicodeDecodeError:
        raise Unresolved(f"the systemd credential {name} is not UTF-8 text") from None
