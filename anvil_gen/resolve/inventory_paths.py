"""Paths that are written relative to the inventory's folder, as a rendered tier names them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anvil_gen.host_paths import is_absolute
from anvil_gen.inventory.schema_tier import EnvFileTable
from anvil_gen.resolve.compose_keys import compose_form
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.model import EnvFile

_ELSEWHERE = ("~", "git@")


def from_tier(context: ResolveContext, written: str) -> str:
    """Return a path relative to the folder of a tier's file; one from the root on, or a URL, as it is."""
    if is_absolute(written) or written.startswith(_ELSEWHERE) or "://" in written:
        return written
    return Path(os.path.relpath(context.folder / written, context.output / "tiers")).as_posix()


def env_files(context: ResolveContext, files: Sequence[str | EnvFileTable]) -> tuple[EnvFile, ...]:
    """Return a tier's files of variables, in their order: the last has the last word."""
    tables = [file if isinstance(file, EnvFileTable) else EnvFileTable(path=file) for file in files]
    return tuple(EnvFile(path=from_tier(context, table.path), required=table.required) for table in tables)


def build_keys(context: ResolveContext, build: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return how a tier's image is built, in Compose's own keys."""
    if build is None:
        return {}
    keys = {"context": build} if isinstance(build, str) else {"context": ".", **build}
    place = keys["context"]
    moved = {**keys, "context": from_tier(context, place)} if isinstance(place, str) else keys
    ready: dict[str, Any] = compose_form(moved)
    return ready
