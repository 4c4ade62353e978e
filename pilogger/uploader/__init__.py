"""From the store to a destination: one `Uploader` each, so that one delays no other."""

from pilogger.uploader.loop import Uploader
from pilogger.uploader.state import State

__all__ = ["State", "Uploader"]
