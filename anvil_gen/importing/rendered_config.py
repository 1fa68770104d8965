"""What Compose makes of a rendered tree: its root files as they are, a large tree as one file."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from msgspec import Struct

from anvil_gen.importing.compose_config import ComposeError, ComposeFiles
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.model import Tree
from anvil_gen.resolve.relative_paths import Move, moved_keys, moved_volume

_MANY = 50
"""Services above which a tree is read as one file: Compose takes some 5 ms for each file that another includes."""
_ROOT = lazy_pattern(r"docker-compose(?:\.[^/]+)?\.yml")


class RenderedConfigs(Struct, frozen=True, kw_only=True):
    """A rendered tree, written to ``folder`` for Compose."""

    folder: Path
    files: tuple[ComposeFiles, ...]

    def read(self, assignments: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Any]]:
        """Return the configuration under each assignment of the variables; that of all modes together."""
        jobs = [(name, file) for name in assignments for file in self.files]
        with ThreadPoolExecutor(2) as pool:
            read = list(pool.map(lambda job: _config(job[1], assignments[job[0]]), jobs))
        found: dict[str, dict[str, Any]] = {name: {} for name in assignments}
        for (name, _), config in zip(jobs, read, strict=True):
            found[name] = _with_mode(found[name], config)
        return found


def write_rendered(tree: Tree, folder: Path, *, many: int = _MANY) -> RenderedConfigs:
    """Write a tree for Compose, as one file where it has many services."""
    roots = sorted(path for path in tree.files if _ROOT.fullmatch(path))
    is_large = len(tree.data) - len(roots) > many
    for path, text in tree.files.items():
        if not (is_large and path in tree.data):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
    if is_large:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(as_one_file(tree.data))
        return RenderedConfigs(folder=folder, files=(ComposeFiles(folder=folder, files=[], text=text),))
    files = tuple(ComposeFiles(folder=folder, files=[str(folder / path)]) for path in roots)
    return RenderedConfigs(folder=folder, files=files)


def as_one_file(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the root files of a tree include, as one compose file of its folder."""
    whole: dict[str, Any] = {"services": {}, "volumes": {}, "networks": {}}
    included = dict.fromkeys(path for root in data if _ROOT.fullmatch(root) for path in data[root].get("include", ()))
    for path in included:
        keys, move = data[path], _move_from(posixpath.dirname(path))
        whole["name"] = keys["name"]
        whole["services"] |= {name: moved_keys(one, move) for name, one in keys["services"].items()}
        whole["volumes"] |= {name: moved_volume(one or {}, move) for name, one in keys.get("volumes", {}).items()}
        whole["networks"] |= keys.get("networks") or {}
    return whole


def _move_from(folder: str) -> Move:
    def move(written: str) -> str:
        if not written.startswith("."):
            return written
        path = posixpath.normpath(posixpath.join(folder, written))
        return path if path.startswith("..") else f"./{path}"

    return move


def _config(file: ComposeFiles, values: Mapping[str, str]) -> dict[str, Any]:
    try:
        return file.config(values)
    except ComposeError as error:
        return {"services": {}, "refused": str(error)}


def _with_mode(found: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **found,
        **{
            kind: {**found.get(kind, {}), **value} if isinstance(value, dict) else value
            for kind, value in other.items()
        },
    }
