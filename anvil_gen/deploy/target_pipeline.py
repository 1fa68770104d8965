"""From a host's deploy tree to the files of another target."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from anvil_gen.deploy.deploy_tree import Places
from anvil_gen.render.renderer import Renderer
from anvil_gen.render.target_model import TargetView
from anvil_gen.render.target_renderer import PLACEHOLDERS, render_target, target_folder
from anvil_gen.render.target_view import ViewBuilder
from anvil_gen.render.verify_target import verify_target
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Stack
from anvil_gen.resolve.target import TargetRequest, check_target


def target_files(
    renderer: Renderer,
    host: Host,
    stack: Stack,
    request: TargetRequest,
    tree: tuple[Mapping[str, str], Mapping[str, Any]],
) -> dict[str, str]:
    """Return the files of a target, read back and compared with the deploy tree that they follow from.

    Raises:
        DiagnosticError: with everything of the inventory that the target cannot say.
        InternalError: a file does not say what the deploy tree says.
    """
    check_target(host, request)
    view = target_view(host, stack, request, tree)
    host.collector.raise_errors()
    files = render_target(renderer, stack, request, view)
    verify_target(request.data.syntax, view, files)
    return files


def target_view(
    host: Host, stack: Stack, request: TargetRequest, tree: tuple[Mapping[str, str], Mapping[str, Any]]
) -> TargetView:
    """Return what a target's templates are given; what it cannot say goes to the host's collector."""
    return ViewBuilder(host, request, *tree).view(stack)


def places_of(renderer: Renderer, request: TargetRequest) -> Places:
    """Return where the files of a target can be."""
    paths = [path.removesuffix(".j2") for path in renderer.catalog.below(target_folder(request.name))]
    patterns = [re.escape(path) for path in paths]
    for placeholder in ("project", *PLACEHOLDERS):
        patterns = [pattern.replace(re.escape(f"{{{placeholder}}}"), "[^/]+") for pattern in patterns]
    folders = {path.split("/")[0] for path in paths if "/" in path}
    if request.data.copies_files:
        folders |= {"router", "tiers"}
        patterns += ["router/.+", r"tiers/[^/]+\.files/.+"]
    patterns += [f"{re.escape(folder)}/(?:.+/)?[.]" for folder in sorted(folders)]
    return Places(folders=tuple(sorted(folders)), pattern=re.compile("|".join(patterns)))
