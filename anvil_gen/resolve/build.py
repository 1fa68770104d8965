"""What a tier has from files next to its inventory that only Compose reads: variables, and the context of a build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anvil_gen.inventory.schema_model import EnvFileTable
from anvil_gen.resolve.compose_keys import compose_form
from anvil_gen.resolve.model import EnvFile
from anvil_gen.resolve.relative_paths import Move, moved_keys


def env_files(files: Sequence[str | EnvFileTable], move: Move) -> tuple[EnvFile, ...]:
    """Return a tier's files of variables, in their order: the last has the last word."""
    tables = [file if isinstance(file, EnvFileTable) else EnvFileTable(path=file) for file in files]
    return tuple(EnvFile(path=move(table.path), required=table.required) for table in tables)


def build_keys(build: str | Mapping[str, Any] | None, move: Move) -> dict[str, Any]:
    """Return how a tier's image is built, in Compose's own keys."""
    if build is None:
        return {}
    keys = {"context": build} if isinstance(build, str) else {"context": ".", **build}
    ready: dict[str, Any] = compose_form(moved_keys({"build": keys}, move)["build"])
    return ready
