"""Addresses of web servers."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _checked(text: str) -> str:
    address = urlsplit(text)
    if address.scheme != "https" or not address.hostname:
        raise ValueError("expected an address like https://example.org")
    _ = address.port  # a ValueError, if it is none
    return text


WebAddress = Annotated[str, AfterValidator(_checked)]
"""An https:// address, whose server proves its name."""
