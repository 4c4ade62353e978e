"""From the store to a destination: one `Uploader` each, so that one delays no other."""

from pilogger.uploader.loop import State, Uploader

__all__ = ["State", "Uploader"]
