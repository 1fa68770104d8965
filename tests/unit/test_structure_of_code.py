"""The shape of the code: rooms in order, imports that run downward, pieces that are short."""

from __future__ import annotations

import ast
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest
from parsed_code import MODULES, nodes, nodes_of, text_of

GROUND = (
    "diagnostic_codes",
    "diagnostics",
    "digests",
    "host_paths",
    "installation",
    "patterns",
    "text_files",
    "values",
)
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


def room_of(module: str) -> str:
    """Return the room of a module of the package; empty for the package itself and its entry point."""
    room = module.split(".")[1] if "." in module else ""
    return {"__main__": "", "_version": ""}.get(room, "ground" if room in GROUND else room)


def imports(module: str) -> set[str]:
    """Return the modules of the package that a module imports, also inside functions."""
    found = set()
    for node in nodes_of(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in MODULES else node.module for name in inside}
    return found & set(MODULES)


@cache
def all_imports() -> dict[str, set[str]]:
    """Return what each module imports."""
    return {module: imports(module) for module in MODULES}


def test_every_module_is_in_a_room() -> None:
    assert {room_of(module) for module in MODULES} == {*FLOOR, ""}


def test_imports_run_downward() -> None:
    upward = [
        f"{module} imports {other}"
        for module, others in all_imports().items()
        for other in sorted(others)
        if room_of(module) and room_of(other) and room_of(module) != room_of(other)
        if FLOOR[room_of(other)] >= FLOOR[room_of(module)]
    ]

    assert upward == []


def test_there_is_no_circle() -> None:
    try:
        TopologicalSorter(all_imports()).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_pieces_are_short() -> None:
    long = []
    for module, found in nodes().items():
        if len(text_of(module).splitlines()) > 400:
            long.append(module)
        for node in found:
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 50:
                long.append(f"{module}.{node.name}")

    assert long == []


def test_no_blanket_except() -> None:
    blanket = []
    for module, found in nodes().items():
        for node in found:
            if isinstance(node, ast.ExceptHandler):
                caught = ast.dump(node.type) if node.type is not None else "everything"
                if node.type is None or "id='Exception'" in caught or "id='BaseException'" in caught:
                    blanket.append(f"{module}:{node.lineno}")

    assert blanket == []


def test_no_possessive_group() -> None:
    """Python before 3.11.5, as Debian 12 has it, matches a group wrongly that takes and keeps all it can."""
    found = [module for module in MODULES if re.search(r"\)(?:[*+?]|\{\d)\+", text_of(module))]

    assert found == []


def test_no_expression_is_compiled_by_an_import() -> None:
    """Modules keep `lazy_pattern`: all the others together take as long as a tenth of a command."""
    found = []
    for module in MODULES:
        pending: list[ast.AST] = [ast.parse(text_of(module))]
        while pending:
            node = pending.pop()
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile":
                found.append(f"{module}:{node.lineno}")
            inside = () if isinstance(node, ast.FunctionDef | ast.Lambda) else ast.iter_child_nodes(node)
            pending += inside

    assert found == []
