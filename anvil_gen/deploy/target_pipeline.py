"""From a host's deploy tree to the files of another target."""

from __future__ import annotations

import re

from anvil_gen.deploy.deploy_tree import Places
from anvil_gen.render.group_view import ReadTree, with_workers
from anvil_gen.render.renderer import Renderer
from anvil_gen.render.target_renderer import PLACEHOLDERS, render_target, target_folder
from anvil_gen.render.target_view import HostTree, ViewBuilder
from anvil_gen.render.verify_target import verify_target
from anvil_gen.resolve.target import TargetRequest, check_target


def target_files(renderer: Renderer, tree: HostTree, read: ReadTree) -> dict[str, str]:
    """Return the files of a target, read back and compared with the deploy tree that they follow from.

    Args:
        renderer: has the target's templates.
        tree: the host's own.
        read: gives those of other hosts.

    Raises:
        DiagnosticError: with everything of the inventory that the target cannot say.
        InternalError: a file does not say what the deploy tree says.
    """
    host, request = tree.host, tree.request
    check_target(host, request)
    view = ViewBuilder(tree).view()
    host.collector.raise_errors()
    if request.data.group is not None:
        view = with_workers(view, read)
    files = render_target(renderer, tree.stack, request, view)
    verify_target(request.data.syntax, view, files)
    return files


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
