"""Which engine a service runs, by its image and its words; the engines' own data say how each is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.engine_parts import Recognise
from anvil_gen.importing.shell_words import words_of
from anvil_gen.importing.texts import plain
from anvil_gen.patterns import lazy_pattern

_TAG = lazy_pattern(r"(?::[\w][\w.-]*)?(?:@sha256:[0-9a-f]+)?$")


def engine_of(catalog: Catalog, name: str, service: Mapping[str, Any]) -> str:
    """Return the engine that a service runs; empty where it runs none that is known."""
    line = " ".join(plain(word.text) for key in ("entrypoint", "command") for word in words_of(service.get(key)) or ())
    image = _TAG.sub("", plain(service.get("image") or "")).lower()
    known = _known(catalog)
    by_program = [engine for engine, how in known.items() if how.programs and re.search(how.programs, line)]
    by_image = _by_image(catalog, image)
    by_build = [] if image else [engine for engine, how in known.items() if _is_built(how, name, service)]
    likely = [*by_program, *by_image, *by_build]
    for engine in likely:
        others = known[engine].others
        does_else = others and re.search(others, line) and engine not in by_program
        if not does_else:
            return engine
    return ""


@lru_cache(256)
def _by_image(catalog: Catalog, image: str) -> list[str]:
    return [engine for engine, how in _known(catalog).items() if any(re.fullmatch(one, image) for one in how.images)]


@lru_cache(1)
def _known(catalog: Catalog) -> dict[str, Recognise]:
    """Return how the engines are recognised that are."""
    engines = {name: catalog.engine(name) for name in catalog.names("engines")}
    return {name: one.recognise for name, one in engines.items() if one is not None and one.recognise is not None}


def _is_built(how: Recognise, name: str, service: Mapping[str, Any]) -> bool:
    """Tell whether an image that is built here is called as an engine is."""
    build = service.get("build")
    table = build if isinstance(build, dict) else {"context": build}
    texts = [name, *(str(table.get(key, "")) for key in ("dockerfile", "context"))]
    words = {word for text in texts for word in re.split(r"[/._-]+", text.lower())}
    return any(re.fullmatch(one, word) for one in how.images for word in words - {""})
