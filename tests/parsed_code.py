"""The modules of the package, each read and parsed once."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache

from places import REPOSITORY

PACKAGE = REPOSITORY / "anvil_gen"
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


@cache
def text_of(module: str) -> str:
    """Return the text of a module."""
    return MODULES[module].read_text("utf-8")


@cache
def nodes_of(module: str) -> tuple[ast.AST, ...]:
    """Return every node of a module."""
    return tuple(ast.walk(ast.parse(text_of(module))))


def nodes() -> Mapping[str, tuple[ast.AST, ...]]:
    """Return every node of the package, by module."""
    return {module: nodes_of(module) for module in MODULES}
