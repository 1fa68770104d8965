"""Which files of a repository an engine reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from anvil_gen.catalog.engine import Engine
from anvil_gen.patterns import lazy_pattern

_USUAL_TAGS = ("Q4_K_M", "Q8_0")
_BITS = lazy_pattern(r"[a-z]+(\d+)[^-./]*$", re.IGNORECASE)
_PART = lazy_pattern(r"-(\d{5})-of-\d{5}\.gguf$")
_WEIGHTS = (".safetensors", ".gguf", ".onnx")
_OLD_WEIGHTS = "*.bin"


def read_files(engine: Engine, names: Sequence[str], tag: str = "", flags: Mapping[str, Any] = {}) -> list[str]:
    """Return the files that an engine with some flags reads of a repository; ``tag`` is that of a GGUF model.

    Without weights in a form of today, the old one is read.
    """
    for flag, patterns in engine.hub_files_with.items():
        name, _, value = flag.partition("=")
        if str(flags.get(name)) == value:
            return [file for file in names if _matches(file, patterns)]
    unread = engine.hub_ignored
    found = [name for name in names if _matches(name, engine.hub_files) and not _matches(name, unread)]
    models = [name for name in names if name.endswith(".gguf")] if "*.gguf" in engine.hub_files else []
    if models:
        chosen = gguf_of(models, tag)
        return chosen + _companions(engine, names, chosen, flags)
    if not any(name.endswith(_WEIGHTS) for name in found):
        found += [name for name in names if _matches(name, (_OLD_WEIGHTS,)) and not _matches(name, unread)]
    return found


def gguf_of(names: Iterable[str], tag: str = "") -> list[str]:
    """Return the files of the GGUF model with a tag; of the usual one, or the first, without: all of its parts."""
    models = sorted(name for name in names if name.endswith(".gguf") and "mmproj" not in name.lower())
    by_tag = ([name for name in models if _has_tag(name, one)] for one in ((tag,) if tag else _USUAL_TAGS))
    chosen = next(filter(None, by_tag), []) or ([] if tag else models)
    if not chosen:
        return []
    stem = _PART.sub("", chosen[0])
    return [name for name in models if _PART.sub("", name) == stem] if stem != chosen[0] else chosen[:1]


def _companions(engine: Engine, names: Iterable[str], chosen: Sequence[str], given: Mapping[str, Any]) -> list[str]:
    """Return the files that an engine takes along with a GGUF model, unless what is given prevents it."""
    parts = [
        part
        for part, against in engine.hub_companions.items()
        if not any(given.get(name) not in (None, False) for name in against)
    ]
    found = [companion_of(names, chosen[0], part) for part in parts if chosen]
    return [name for name in found if name is not None]


def companion_of(names: Iterable[str], model: str, part: str) -> str | None:
    """Return the GGUF file with a part of a name that is nearest to a model: in its folder or one above, as precise."""
    folders = model.split("/")[:-1]
    found = [
        (len(above), -abs(_bits(name) - _bits(model)), name)
        for name in sorted(names)
        if name.endswith(".gguf") and part in name.lower() and folders[: len(above := name.split("/")[:-1])] == above
    ]
    return max(found, key=lambda one: one[:2])[2] if found else None


def _bits(name: str) -> int:
    """Return the bits of a quantisation that a name ends with: 4 of ``Q4_K_M``, 16 of ``BF16``."""
    match = _BITS.search(_PART.sub("", name).removesuffix(".gguf"))
    return int(match[1]) if match is not None else 0


def _has_tag(name: str, tag: str) -> bool:
    return re.search(rf"(?<![a-z0-9]){re.escape(tag.lower())}(?![a-z0-9])", name.lower()) is not None


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether a pattern matches a name; one without a folder matches in none."""
    return any(fnmatchcase(name, pattern) and name.count("/") == pattern.count("/") for pattern in patterns)
