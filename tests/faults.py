"""The catalogue of faults (docs/faults.yaml), and which tests make each of them happen.

The marks are read from the source, so that the page is written without running anything.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

TESTS = Path(__file__).parent
CATALOGUE = TESTS.parent / "docs" / "faults.yaml"


class Fault(NamedTuple):
    """What can go wrong, what pilogger does then, and what it takes to make it happen."""

    number: int
    section: str
    what: str
    then: str
    needs: str = ""


class Case(NamedTuple):
    """A test that makes a fault happen."""

    file: str
    line: int
    name: str


@cache
def catalogue() -> dict[int, Fault]:
    """Read the faults, by number."""
    found: dict[str, dict[int, list[str]]] = yaml.safe_load(CATALOGUE.read_text())
    return {
        number: Fault(number, section, *words)
        for section, faults in found.items()
        for number, words in faults.items()
    }


@cache
def marked() -> dict[int, list[Case]]:
    """Find the tests that carry the mark of each fault, in the order of their files."""
    found: dict[int, list[Case]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        file = path.relative_to(TESTS).as_posix()
        for number, line, name in _marks(ast.parse(path.read_text())):
            found.setdefault(number, []).append(Case(file, line, name))
    return found


def _marks(module: ast.Module) -> Iterator[tuple[int, int, str]]:
    """Yield the number of a fault, and the line and name of a test that it marks."""
    named: dict[str, set[int]] = {}
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            named[ast.unparse(target)] = _numbers(node)
    everywhere = named.get("pytestmark", set())
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            numbers = set(everywhere)
            for decorator in node.decorator_list:
                numbers |= _numbers(decorator)
                for name in ast.walk(decorator):  # a list of cases that stands above the test
                    if isinstance(name, ast.Name):
                        numbers |= named.get(name.id, set())
            for number in sorted(numbers):
                yield number, node.lineno, node.name


def _numbers(node: ast.AST) -> set[int]:
    """Return the numbers in every `pytest.mark.fault(...)` below a node."""
    calls = (n for n in ast.walk(node) if isinstance(n, ast.Call))
    marks = (call for call in calls if ast.unparse(call.func) == "pytest.mark.fault")
    return {ast.literal_eval(number) for mark in marks for number in mark.args}


def page() -> Iterator[str]:
    """Yield the lines of docs/faults.md that are generated."""
    tests, section = marked(), ""
    for fault in catalogue().values():
        if fault.section != section:
            section = fault.section
            yield f"\n## {section}\n\n| | fault | what happens then | shown by |\n|---|---|---|---|"
        shown = [
            f"[{case.name.removeprefix('test_').replace('_', ' ')}](../tests/{case.file})"
            for case in tests.get(fault.number, ())
        ]
        needs = [f"*needs {fault.needs}*"] if fault.needs else []
        yield f"| {fault.number} | {fault.what} | {fault.then} | {'; '.join(shown + needs)} |"
    yield ""
