"""What a render makes of one host, and what that changes on disk."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from anvil_gen.deploy.compose_diff import Change
from anvil_gen.deploy.deploy_tree import DeployFolder, FileChange
from anvil_gen.diagnostics import InternalError
from anvil_gen.render.syntaxes import parse
from anvil_gen.resolve.model import Tree
from anvil_gen.resolve.resolved_host import Resolved


class Rendered(Resolved, frozen=True, kw_only=True):
    """One host's tree, not yet written."""

    tree: Tree


class Plan(Struct, frozen=True, kw_only=True):
    """What a rendered tree changes against the one on disk."""

    rendered: Rendered
    folder: DeployFolder
    files: tuple[FileChange, ...]
    changes: tuple[Change, ...]


def parse_existing(text: str | None, path: str) -> dict[str, Any]:
    """Return the data of a file that is on disk; none where there is no file or somebody's edit has broken it."""
    try:
        data = parse(text or "", path)
    except (InternalError, ValueError, RecursionError):  # such as a date that is none
        return {}
    return data if isinstance(data, dict) else {}
