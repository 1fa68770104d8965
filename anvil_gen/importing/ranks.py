"""Services that are one of several hosts which serve a model: what an import says of them, since it reads one host."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.multi_node import MultiNode
from anvil_gen.diagnostics import join_words
from anvil_gen.importing.shell_words import words_of
from anvil_gen.importing.texts import plain

_OF_OTHERS = ("{rank}", "{nodes}", "{head}", "{workers}")
"""Placeholders of what a rank is told of the others."""


def rank_note(catalog: Catalog, engine_name: str, name: str, service: Mapping[str, Any]) -> str | None:
    """Return what to do with a service whose command line is that of one rank; None where it serves alone."""
    engine = catalog.engine(engine_name) if engine_name else None
    if engine is None or engine.multi_node is None:
        return None
    line = " ".join(plain(word.text) for key in ("entrypoint", "command") for word in words_of(service.get(key)) or ())
    found = [] if _says_one_node(engine.multi_node, line) else [*dict.fromkeys(_signs(engine, engine.multi_node, line))]
    if not found:
        return None
    return (
        f"{name} is one of several hosts that serve a model ({join_words(found)}), and is kept as it is: to write the "
        "model once for all of them, make it the tier of groups/NAME.toml, without these (docs/groups.md)"
    )


def _signs(engine: Engine, data: MultiNode, line: str) -> Iterator[str]:
    """Yield the flags and programs of a command line that only ranks have."""
    for name in _flags(data, *_OF_OTHERS, bare=engine.headless):
        if _match(name, line):
            yield f"--{name}"
    for executor in data.executors.values():
        program = " ".join(executor.worker.entrypoint).rpartition("/")[2]
        if program and re.search(rf"(?<![\w-]){re.escape(program)}(?![\w-])", line):
            yield program


def _says_one_node(data: MultiNode, line: str) -> bool:
    """Tell whether a command line says that there is one host."""
    counts = [found[1] for name in _flags(data, "{nodes}") if (found := _match(name, line)) is not None]
    return bool(counts) and all(count == "1" for count in counts)


def _flags(data: MultiNode, *placeholders: str, bare: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the flags of ranks whose value is made of some placeholders, and those of ``bare`` that have no value."""
    for executor in data.executors.values():
        for name, value in {**executor.head.flags, **executor.worker.flags}.items():
            if name in bare or (isinstance(value, str) and any(one in value for one in placeholders)):
                yield name


def _match(name: str, line: str) -> re.Match[str] | None:
    """Return where a flag stands in a command line, with its value."""
    return re.search(rf"(?<![\w-])--{name.replace('-', '[-_]')}(?:[= ]+([^\s]+))?(?![\w-])", line)
