"""What a new machine starts with: a config, a file for secrets, the hub's access key.

    python -m pilogger.first SERVICE...

install.sh calls this as root, with the Python of the new version. What is there already is a
person's, and stays as it is.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from pilogger.versions import CONFIG, LOGGER, SECRETS

EXAMPLE = Path(sys.prefix, "share/pilogger/pi.yaml")
HUB = "pilogger-hub"
KEY = "PILOGGER_HUB_ACCESS_KEY="
DESTINATION = """
destinations:
  - name: hub    # the one on this machine
    type: initialstate
    base_url: http://127.0.0.1:8080
    bucket: {key: pi, name: This Pi}
    access_key: !secret hub
"""


def begin(
    services: Sequence[str], etc: Path = CONFIG.parent, example: Path = EXAMPLE, user: str = LOGGER
) -> None:
    """Write into the folder `etc` what is not there, and say so; `user` owns the secrets.

    A first config beside a hub sends to it, unless there are secrets already. The config is
    written last: where this breaks off, it begins anew.

    Raises:
        OSError: the disk refused.
    """
    config, own, env = etc / CONFIG.name, etc / SECRETS.name, etc / "hub.env"
    etc.mkdir(exist_ok=True)
    if HUB in services and not env.exists():
        _write(env, f"{KEY}{secrets.token_urlsafe(24)}\n", 0o600)
        _say(f"{env} has the hub's new access key.")
    if LOGGER in services and not own.exists():
        _write(own, "", 0o600, user)
        _say(f"{own} is for access keys; only {user} reads it.")
    if LOGGER in services and not config.exists():
        text = example.read_text()
        if HUB in services and (key := _key(env)):
            secret = f"hub: {json.dumps(key)}\n"
            if own.read_text() in {"", secret}:
                _write(own, secret, 0o600, user)
                text += DESTINATION
        _write(config, text, 0o644)
        _say(f"{config} logs this machine itself, for a start.")


def _key(env: Path) -> str:
    found = [line for line in env.read_text().splitlines() if line.startswith(KEY)]
    return found[-1].removeprefix(KEY) if found else ""


def _write(path: Path, text: str, mode: int, user: str | None = None) -> None:
    """Put a file there, whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    if user:
        shutil.chown(new, user, user)
    new.replace(path)


def _say(sentence: str) -> None:
    print(sentence)  # noqa: T201


if __name__ == "__main__":
    try:
        begin(sys.argv[1:])
    except OSError as error:
        sys.exit(f"pilogger: {error}")
