"""Which files of a repository an engine reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from anvil_gen.catalog.engine import Engine

_USUAL_TAG = "Q4_K_M"
_PART = re.compile(r"-(\d{5})-of-\d{5}\.gguf$")
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
        return gguf_of(models, tag)
    if not any(name.endswith(_WEIGHTS) for name in found):
        found += [name for name in names if _matches(name, (_OLD_WEIGHTS,)) and not _matches(name, unread)]
    return found


def gguf_of(names: Iterable[str], tag: str = "") -> list[str]:
    """Return the files of the GGUF model with a tag; of the usual one, or the first, without: all of its parts."""
    models = sorted(name for name in names if name.endswith(".gguf") and "mmproj" not in name.lower())
    tagged = [name for name in models if _has_tag(name, tag or _USUAL_TAG)]
    chosen = tagged or ([] if tag else models)
    if not chosen:
        return []
    stem = _PART.sub("", chosen[0])
    return [name for name in models if _PART.sub("", name) == stem] if stem != chosen[0] else chosen[:1]


def _has_tag(name: str, tag: str) -> bool:
    return re.search(rf"(?<![a-z0-9]){re.escape(tag.lower())}(?![a-z0-9])", name.lower()) is not None


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether a pattern matches a name; one without a folder matches in none."""
    return any(fnmatchcase(name, pattern) and name.count("/") == pattern.count("/") for pattern in patterns)
