"""Which engine a service runs, by its image and its words; the engines' own data say how each is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.engine_parts import Recognise
from anvil_gen.importing.shell_words import words_of
from anvil_gen.importing.texts import plain
from anvil_gen.patterns import lazy_pattern

_TAG = lazy_pattern(r"(?::[\w][\w.-]*)?(?:@sha256:[0-9a-f]+)?$")


def engine_of(catalog: Catalog, name: str, service: Mapping[str, Any]) -> str:
    """Return the engine that a service runs; empty where it runs none that is known."""
    line = " ".join(plain(word.text) for key in ("entrypoint", "command") for word in words_of(service.get(key)) or ())
    image = _TAG.sub("", plain(service.get("image") or "")).lower()
    known = [(engine, data.recognise) for engine, data in _engines(catalog).items() if data.recognise is not None]
    by_program = [engine for engine, how in known if how.programs and re.search(how.programs, line)]
    by_image = [engine for engine, how in known if any(re.fullmatch(one, image) for one in how.images)]
    by_build = [] if image else [engine for engine, how in known if _is_built(how, name, service)]
    for engine in (*by_program, *by_image, *by_build):
        how = _engines(catalog)[engine].recognise
        does_else = how is not None and how.others and re.search(how.others, line) and engine not in by_program
        if not does_else:
            return engine
    return ""


def _engines(catalog: Catalog) -> dict[str, Engine]:
    found = {name: catalog.engine(name) for name in catalog.names("engines")}
    return {name: engine for name, engine in found.items() if engine is not None}


def _is_built(how: Recognise, name: str, service: Mapping[str, Any]) -> bool:
    """Tell whether an image that is built here is called as an engine is."""
    build = service.get("build")
    table = build if isinstance(build, dict) else {"context": build}
    texts = [name, *(str(table.get(key, "")) for key in ("dockerfile", "context"))]
    words = {word for text in texts for word in re.split(r"[/._-]+", text.lower())}
    return any(re.fullmatch(one, word) for one in how.images for word in words - {""})
