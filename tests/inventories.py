"""Inventories for tests: a text goes in, its faults come out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from pathlib import Path

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import Diagnostic, DiagnosticError

MARK = "▸"
"""Stands in a test's text before each place that a fault is told at, in the order of the file."""

HUB = '{ repo = "org/model" }'
UUID_A = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
UUID_B = "GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1"

BOX = f"""
schema = 1
[paths]
models = "/srv/models"
[gpus.a]
uuid = "{UUID_A}"
[gpus.b]
uuid = "{UUID_B}"
[tiers.one]
engine = "vllm"
gpus = ["a"]
model = {{ path = "one" }}
port = 30000
[router]
"""
"""A host with two GPUs, one tier and a router."""

Fault = tuple[str, str, str]
"""Summary, address, and a part of the remedy."""


def faults_of(text: str | bytes, folder: Path, *, name: str = "box") -> tuple[Diagnostic, ...]:
    """Return what is told of an inventory, errors or warnings."""
    inventory = folder / f"{name}.toml"
    inventory.write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        return Generator().render(inventory).host.warnings
    except DiagnosticError as error:
        return error.diagnostics


def without_marks(marked: str) -> tuple[str, list[tuple[int, int]]]:
    """Return a text without its marks, and the line and column of each."""
    pieces = marked.split(MARK)
    places, before = [], ""
    for piece in pieces[:-1]:
        before += piece
        places.append((before.count("\n") + 1, len(before) - before.rfind("\n")))
    return "".join(pieces), places


def compared(marked: str, expected: Sequence[Fault], folder: Path) -> tuple[list[object], list[object]]:
    """Return what is told of a marked text beside what should be: each fault once, at its mark, and no other."""
    text, places = without_marks(marked)
    return told_beside(faults_of(text, folder), places, expected)


def told_beside(
    found: Sequence[Diagnostic], places: Sequence[tuple[int, int]], expected: Sequence[Fault]
) -> tuple[list[object], list[object]]:
    """Return what is told beside what should be, which is at these places."""
    told = [(diagnostic.summary, diagnostic.address, _place(diagnostic), diagnostic.remedy) for diagnostic in found]
    remedies = chain((diagnostic.remedy for diagnostic in found), repeat(""))
    wanted = [
        (summary, where, place, whole if remedy in whole else remedy)
        for ((summary, where, remedy), place), whole in zip(zip(expected, places, strict=True), remedies, strict=False)
    ]
    return [*told], [*wanted]


def _place(diagnostic: Diagnostic) -> tuple[int | None, int | None] | None:
    return (diagnostic.location.line, diagnostic.location.column) if diagnostic.location else None
