"""Paths in a config start at the folder that the config is in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo


def _beside(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / os.path.expanduser(path)


def _named(path: Path) -> Path:
    if path.name in ("", ".."):
        raise ValueError("expected the path of a file")
    return path


def _existing(path: Path) -> Path:
    if not os.path.isdir(path):  # unlike Path.is_dir(), it never raises
        raise ValueError("there is no such folder")
    return path


File = Annotated[Path, AfterValidator(_named), AfterValidator(_beside)]
"""A file, which need not exist."""

Folder = Annotated[Path, AfterValidator(_beside), AfterValidator(_existing)]
"""A folder that exists."""
