"""pilogger: readings that were taken arrive, once, with their own time."""

__version__ = "0.1.0"
