"""What the code says of itself: for the schema, for lists of drivers, for the manual.

A driver's module begins with what the chip is, then where that is from and how to wire it. Its
class says what a poll does, and under `Options:` what each option means.
"""

from __future__ import annotations

import inspect
import re

ENTRY = re.compile(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)
QUALITY = re.compile(r"^# quality: (\w+)$", re.MULTILINE)
BUS = re.compile(r" \([^()]*\)$")


def summary(owner: type) -> str:
    """Return the first paragraph of a class's docstring."""
    return " ".join((inspect.getdoc(owner) or "").partition("\n\n")[0].split())


def descriptions(owner: type) -> dict[str, str]:
    """Read the section `Options:` of a class's docstring: `name: text`, one below the other.

    Those of the classes that it is made from are there too.
    """
    found: dict[str, str] = {}
    for kind in reversed(owner.__mro__):
        text = inspect.cleandoc(kind.__doc__ or "")
        section = text.partition("\nOptions:\n")[2].partition("\n\n")[0]
        found |= {name: " ".join(words.split()) for name, words in ENTRY.findall(section)}
    return found


def about(driver: type) -> str:
    """Return what a driver's chip is: the first line of its module, without its bus."""
    first = _module(driver).partition("\n")[0] or driver.__name__
    return BUS.sub("", first.removesuffix("."))


def notes(driver: type) -> list[str]:
    """Return the paragraphs of a driver's module behind the first: sources, wiring, hints."""
    return _paragraphs(_module(driver).partition("\n")[2])


def paragraphs(thing: object) -> list[str]:
    """Return the paragraphs of a docstring, without its sections."""
    text = re.split(r"\n(?:Options|Raises):\n", inspect.getdoc(thing) or "")[0]
    return _paragraphs(text)


def quality(driver: type) -> str:
    """Return how far a driver was proven: bench, field or reference; nothing if it is not said."""
    module = inspect.getmodule(driver)
    found = QUALITY.search(inspect.getsource(module)) if module else None
    return found[1] if found else ""


def _module(driver: type) -> str:
    module = inspect.getmodule(driver)
    return (inspect.getdoc(module) or "") if module else ""


def _paragraphs(text: str) -> list[str]:
    """Split at empty lines, and before "Wiring:"; code keeps its lines, words are joined."""
    parts = re.split(r"\n\s*\n|\n(?=Wiring:)", text.strip("\n"))
    return [
        part if part.startswith("    ") else " ".join(part.split())
        for part in parts
        if part.strip()
    ]
