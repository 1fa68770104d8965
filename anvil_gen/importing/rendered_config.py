"""What Compose makes of a rendered tree: its root files as they are, a large tree in a few parts."""

from __future__ import annotations

import json
import os.path
import posixpath
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from msgspec import Struct

from anvil_gen.importing.compose_config import ComposeError, ComposeFiles
from anvil_gen.inventory.env_references import DECLARED
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.model import Tree
from anvil_gen.resolve.own_references import referred_services
from anvil_gen.resolve.relative_paths import Move, moved_keys, moved_volume
from anvil_gen.resolve.root_files import included

_MANY = 50
"""Services above which a tree is read in parts: Compose takes some 5 ms for each file that another includes."""
_AT_ONCE = 2
"""Readings at a time."""
_ROOT = lazy_pattern(r"docker-compose(?:\.[^/]+)?\.yml")
_FILES = ("env_file", "label_file", "extends")
"""Keys of a service that name files, in which there may be variables too."""
_OF_COMPOSE = lazy_pattern("(?:COMPOSE|DOCKER|BUILDX)_.*|HOME|USERPROFILE|PATH|PWD|TMPDIR|TEMP")
"""Variables that Compose reads for itself, whether a file names them or not."""


class Part(Struct, frozen=True, kw_only=True):
    """Files of Compose, and the services that count in them: all, unless they are named.

    ``varies``: a variable may be in it. Another part is the same whatever the variables are.
    """

    files: ComposeFiles
    services: frozenset[str] | None = None
    varies: bool = True

    def config(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Return the configuration, in which a refusal is a key of its own."""
        try:
            found = self.files.config(values)
        except ComposeError as error:
            return {"services": {}, "refused": str(error)}
        if self.services is not None:
            found["services"] = {name: one for name, one in found["services"].items() if name in self.services}
        return found


class RenderedConfigs(Struct, frozen=True, kw_only=True):
    """A rendered tree, written to ``folder`` for Compose."""

    folder: Path
    parts: tuple[Part, ...]

    def read(self, assignments: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Any]]:
        """Return the configuration under each assignment of the variables; that of all modes together."""
        of_compose = any(_OF_COMPOSE.fullmatch(name) for values in assignments.values() for name in values)
        every = [*assignments]
        jobs = [
            (part, names)
            for part in self.parts
            for names in ([[name] for name in every] if part.varies or of_compose else [every])
        ]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            read = list(pool.map(lambda job: job[0].config(assignments[job[1][0]]), jobs))
        found: dict[str, dict[str, Any]] = {name: {} for name in assignments}
        for (_, names), config in zip(jobs, read, strict=True):
            for name in names:
                found[name] = _with_mode(found[name], config)
        return found


def write_rendered(tree: Tree, folder: Path, *, many: int = _MANY) -> RenderedConfigs:
    """Write a tree for Compose, in parts where it has many services."""
    roots = sorted(path for path in tree.files if _ROOT.fullmatch(path))
    is_large = len(tree.data) - len(roots) > many
    for path, text in tree.files.items():
        if not (is_large and path in tree.data):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
    if is_large:
        folder.mkdir(parents=True, exist_ok=True)
        whole, base = as_one_file(tree.data, folder)
        return RenderedConfigs(folder=folder, parts=tuple(_parts(whole, base)))
    files = (ComposeFiles(folder=folder, files=[str(folder / path)]) for path in roots)
    return RenderedConfigs(folder=folder, parts=tuple(Part(files=one) for one in files))


def _parts(whole: Mapping[str, Any], folder: Path) -> Iterator[Part]:
    """Yield the services in which a variable may be, and the others in as many parts as are read at a time."""
    services = whole["services"]
    everywhere = "$" in json.dumps({**whole, "services": {}})
    varying = [name for name, one in services.items() if everywhere or _may_vary(one)]
    others = sorted(services.keys() - {*varying})
    for names in (others[start::_AT_ONCE] for start in range(_AT_ONCE)):
        if names:
            yield _part(whole, folder, names, varies=False)
    if varying:
        yield _part(whole, folder, varying, varies=True)


def _may_vary(service: Mapping[str, Any]) -> bool:
    return "$" in json.dumps(service) or not service.keys().isdisjoint(_FILES)


def _part(whole: Mapping[str, Any], folder: Path, names: Collection[str], *, varies: bool) -> Part:
    """Return some of the services; in place of others that they refer to, there are empty ones."""
    services = {name: whole["services"][name] for name in names}
    missing = set().union(*map(referred_services, services.values())) - services.keys()
    services |= {name: {"image": "none"} for name in missing & whole["services"].keys()}
    files = ComposeFiles(folder=folder, files=[], text=json.dumps({**whole, "services": services}))
    return Part(files=files, services=frozenset(names), varies=varies)


def as_one_file(data: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], Path]:
    """Return what the root files of a tree in a folder include, as one compose file, and the folder of its paths.

    It is the `project_directory` where they name one, since only there a variable means the path that it means to them.
    """
    whole: dict[str, Any] = {section: {} for section in ("services", *DECLARED)}
    entries = [entry for root in data if _ROOT.fullmatch(root) for entry in data[root].get("include", ())]
    base = folder / next((one["project_directory"] for one in entries if isinstance(one, dict)), "")
    for path, own in dict(included({"include": entries})).items():
        keys, move = data[path], _move_from(Path(os.path.relpath(folder / own, base)).as_posix())
        whole["name"] = keys["name"]
        whole["services"] |= {name: moved_keys(one, move) for name, one in keys["services"].items()}
        whole["volumes"] |= {name: moved_volume(one or {}, move) for name, one in keys.get("volumes", {}).items()}
        whole["networks"] |= keys.get("networks") or {}
        for section in ("secrets", "configs"):
            whole[section] |= {name: moved_keys(one, move) for name, one in keys.get(section, {}).items()}
    return whole, base


def _move_from(folder: str) -> Move:
    def move(written: str) -> str:
        if not written.startswith("."):
            return written
        path = posixpath.normpath(posixpath.join(folder, written))
        return path if path.startswith("..") else f"./{path}"

    return move


def _with_mode(found: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **found,
        **{
            kind: {**found.get(kind, {}), **value} if isinstance(value, dict) else value
            for kind, value in other.items()
        },
    }
