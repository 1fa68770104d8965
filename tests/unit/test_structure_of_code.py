"""The shape of the code: rooms in order, imports that run downward, pieces that are short."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from places import REPOSITORY

PACKAGE = REPOSITORY / "anvil_gen"
GROUND = ("diagnostic_codes", "diagnostics", "digests", "host_paths", "text_files", "values")
"""Modules that belong to no room."""
ROOMS = [
    ("ground",),
    ("text",),
    ("inventory",),
    ("catalog",),
    ("resolve",),
    ("fit",),
    ("render",),
    ("machine", "deploy"),  # neither knows the other
    ("operate", "onboard", "pin", "importing"),  # likewise
    ("review",),
    ("cli",),
]
"""From the ground up: a module imports from its own room and from those of lower floors."""
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def room_of(module: str) -> str:
    """Return the room of a module of the package; empty for the package itself and its entry point."""
    room = module.split(".")[1] if "." in module else ""
    return {"__main__": "", "_version": ""}.get(room, "ground" if room in GROUND else room)


def imports(path: Path) -> set[str]:
    """Return the modules of the package that a module imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in MODULES else node.module for name in inside}
    return found & set(MODULES)


IMPORTS = {module: imports(path) for module, path in MODULES.items()}


def test_every_module_is_in_a_room() -> None:
    assert {room_of(module) for module in MODULES} == {*FLOOR, ""}


def test_imports_run_downward() -> None:
    upward = [
        f"{module} imports {other}"
        for module, others in IMPORTS.items()
        for other in sorted(others)
        if room_of(module) and room_of(other) and room_of(module) != room_of(other)
        if FLOOR[room_of(other)] >= FLOOR[room_of(module)]
    ]

    assert upward == []


def test_there_is_no_circle() -> None:
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_pieces_are_short() -> None:
    long = []
    for module, path in MODULES.items():
        text = path.read_text("utf-8")
        if len(text.splitlines()) > 400:
            long.append(module)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 50:
                long.append(f"{module}.{node.name}")

    assert long == []


def test_no_blanket_except() -> None:
    blanket = []
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.dump(node.type) if node.type is not None else "everything"
                if node.type is None or "id='Exception'" in caught or "id='BaseException'" in caught:
                    blanket.append(f"{module}:{node.lineno}")

    assert blanket == []


def test_no_possessive_group() -> None:
    """Python before 3.11.5, as Debian 12 has it, matches a group wrongly that takes and keeps all it can."""
    found = [module for module, path in MODULES.items() if re.search(r"\)(?:[*+?]|\{\d)\+", path.read_text("utf-8"))]

    assert found == []
