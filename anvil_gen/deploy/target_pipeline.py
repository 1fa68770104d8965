"""From a host's deploy tree to the files of another target."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from anvil_gen.catalog.target import Target
from anvil_gen.deploy.deploy_tree import Places
from anvil_gen.deploy.plan import Plan
from anvil_gen.diagnostics import Diagnostic
from anvil_gen.render.group_view import ReadTree, with_workers
from anvil_gen.render.renderer import Renderer
from anvil_gen.render.target_renderer import PLACEHOLDERS, render_shared, render_target, target_folder
from anvil_gen.render.target_view import HostTree, ViewBuilder
from anvil_gen.render.verify_target import verify_target
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Tree
from anvil_gen.resolve.target import TargetErrors, check_target, resolve_target


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
        view = with_workers(view, read, TargetErrors(host.collector, request))
        host.collector.raise_errors()
    files = render_target(renderer, tree.stack, request, view)
    verify_target(request.data.syntax, view, files)
    return files


BASE = "base"
"""The folder of what several hosts share, next to theirs."""


def base_plan(renderer: Renderer, host: Host, target: str) -> Plan:
    """Return what several hosts of one target share; ``host`` is one of them, with the folder of that.

    Raises:
        DiagnosticError: a template has an error.
    """
    data = resolve_target(host, target).data
    files = render_shared(renderer, host.stack, target, data.syntax)
    places = Places(folders=(), pattern=re.compile("|".join(map(re.escape, files))))
    return Plan(host, Tree(files=files, data=files), places, title=BASE)


def shared_namespaces(plans: Sequence[Plan], target: str) -> Iterator[Diagnostic]:
    """Yield hosts whose objects would replace those of another one, as they have one namespace."""
    seen: dict[str, Host] = {}
    for host in (plan.host for plan in plans):
        namespace = resolve_target(host, target).options.get("namespace", "")
        other = seen.setdefault(namespace, host)
        if namespace and other is not host:
            yield Diagnostic(
                code="namespace-taken-twice",
                detail=f'"{namespace}" is that of {other.path.as_posix()} too: one would replace objects of the other',
                remedy=f'set another "namespace" in [{target}]',
                address=f"{target}.namespace",
                location=host.collector.document.location((target, "namespace")),
            )


def places_of(renderer: Renderer, data: Target, name: str) -> Places:
    """Return where the files of a target can be."""
    paths = [path.removesuffix(".j2") for path in renderer.catalog.below(target_folder(name))]
    patterns = [re.escape(path) for path in paths]
    for placeholder in ("project", *PLACEHOLDERS):
        patterns = [pattern.replace(re.escape(f"{{{placeholder}}}"), "[^/]+") for pattern in patterns]
    folders = {path.split("/")[0] for path in paths if "/" in path}
    if data.copies_files:
        folders |= {"router", "tiers"}
        patterns += ["router/.+", r"tiers/[^/]+\.files/.+"]
    patterns += [f"{re.escape(folder)}/(?:.+/)?[.]" for folder in sorted(folders)]
    return Places(folders=tuple(sorted(folders)), pattern=re.compile("|".join(patterns)))
