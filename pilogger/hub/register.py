"""The accounts of a hub, in a file beside its store: `pilogger-hub.db-accounts`.

Not in the store, because accounts come and go while the hub runs, which alone may write the
store; and because a store that is damaged must not take along who may use it. The file holds
no key and no secret, only what tells them from others.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import scrypt, sha256
from hmac import compare_digest
from pathlib import Path
from typing import Self

from pilogger.errors import BadValue, PiloggerError

LONGEST = 200  # characters of a name, a key, a secret

# The cost of a guess: 16 MiB and about a tenth of a second on a Pi (RFC 7914 section 2).
COST, BLOCK, PARALLEL = 1 << 14, 8, 1


@dataclass(frozen=True, slots=True)
class Account:
    """Someone with data of their own; the account '' owns what an open hub was sent.

    Raises:
        BadValue: the key or the secret could not be sent by every client.
    """

    name: str
    access_key: str = field(repr=False)
    secret: str = field(default="", repr=False)
    """Empty where none is asked for."""

    def __post_init__(self) -> None:
        _check(self.access_key, "an access key")
        if ":" in self.access_key:
            raise BadValue("an access key has no colon: in a request one ends it")
        if self.secret:
            _check(self.secret, "a secret")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept of an account."""

    name: str
    access_key: str
    """Its SHA-256, in hex."""
    secret: str
    """Its scrypt; empty where none is asked for."""
    created: str
    """In ISO 8601."""

    @classmethod
    def of(cls, account: Account) -> Self:
        """Make the entry of a new account."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        secret = account.secret and hashed(account.secret)
        return cls(account.name, digest(account.access_key), secret, now)


def digest(access_key: str) -> str:
    """Return what an account is found by."""
    return sha256(access_key.encode(errors="surrogateescape")).hexdigest()


def hashed(secret: str) -> str:
    """Return what a secret is known by; slow, so that guessing is."""
    salt = secrets.token_bytes(16)
    found = _scrypt(secret, salt, COST, BLOCK, PARALLEL)
    return f"scrypt${COST}${BLOCK}${PARALLEL}${salt.hex()}${found.hex()}"


def is_right(secret: str, known: str) -> bool:
    """Whether this is the secret that is known by `known`; as slow as `hashed`."""
    _, cost, block, parallel, salt, found = known.split("$")
    given = _scrypt(secret, bytes.fromhex(salt), int(cost), int(block), int(parallel))
    return compare_digest(given, bytes.fromhex(found))


def new_key() -> str:
    """Make up an access key or a secret."""
    return secrets.token_urlsafe(24)


# -- the file ----------------------------------------------------------------------------


def load(path: Path) -> list[Entry]:
    """Read the accounts; none if there is no file.

    Raises:
        PiloggerError: it cannot be read, or is no such file.
    """
    try:
        rows = json.loads(path.read_bytes())
        found = [Entry(**row) for row in rows]
        for each in found:
            if not all(isinstance(text, str) for text in asdict(each).values()):
                raise TypeError(each.name)
            if each.secret:
                _, *numbers, salt, known = each.secret.split("$")
                [*map(int, numbers)], bytes.fromhex(salt), bytes.fromhex(known)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise PiloggerError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise PiloggerError(
            f"{path} is no list of accounts: bring it back from a backup, or remove it and "
            "add the accounts again"
        ) from error
    return found


def add(path: Path, account: Account) -> None:
    """Add an account; a hub that runs knows it within a second.

    Raises:
        BadValue: no account can have this name.
        PiloggerError: the name or the access key is taken, or the file cannot be written.
    """
    _check(account.name, "an account's name", plain=False)
    new = Entry.of(account)
    with _changing(path) as accounts:
        for each in accounts:
            if each.name == new.name:
                raise PiloggerError(f"there is an account {new.name} already")
            if each.access_key == new.access_key:
                raise PiloggerError(f"this access key is that of the account {each.name}")
        accounts.append(new)


def remove(path: Path, name: str) -> None:
    """Remove an account; its data stays, for an account of this name.

    Raises:
        PiloggerError: there is none of this name, or the file cannot be written.
    """
    with _changing(path) as accounts:
        left = [each for each in accounts if each.name != name]
        if len(left) == len(accounts):
            known = ", ".join(each.name for each in accounts) or "none"
            raise PiloggerError(f"there is no account {name}; there are: {known}")
        accounts[:] = left


@contextmanager
def _changing(path: Path) -> Iterator[list[Entry]]:
    """Give the accounts; what becomes of them replaces the file, whole or not at all."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # another command waits
            accounts = load(path)
            yield accounts
            _replace(path, accounts, os.fstat(folder))
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise PiloggerError(f"{path} cannot be written: {error.strerror}") from error


def _replace(path: Path, accounts: list[Entry], folder: os.stat_result) -> None:
    text = json.dumps([asdict(each) for each in accounts], indent=1, ensure_ascii=False)
    new = path.with_name(f"{path.name}-new")
    with suppress(FileNotFoundError):
        new.unlink()
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        if os.geteuid() == 0:
            os.fchown(fd, folder.st_uid, folder.st_gid)  # the hub must be able to read it
        file.write(f"{text}\n")
        file.flush()
        os.fsync(fd)
    new.replace(path)


def _scrypt(secret: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    text = secret.encode(errors="surrogateescape")
    room = 160 * cost * block  # bytes; it takes 128 * cost * block
    return scrypt(text, salt=salt, n=cost, r=block, p=parallel, maxmem=room)


def _check(text: str, what: str, *, plain: bool = True) -> None:
    """Refuse what not every client could send; the text itself is not repeated."""
    good = text.isprintable() and text == text.strip() and (text.isascii() or not plain)
    if not (good and 1 <= len(text) <= LONGEST):
        kind = "printable ASCII" if plain else "printable"
        raise BadValue(f"{what} has 1 to {LONGEST} {kind} characters, and no space around them")
