"""The paths that a router answers, and where a request goes that names no model."""

from __future__ import annotations

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.router import RouterKind
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.model import Tier
from anvil_gen.resolve.options import RouterOptions
from anvil_gen.resolve.router_model import PathRoute, Route
from anvil_gen.resolve.router_options import check_tier


def check_paths(context: ResolveContext, kind: RouterKind, options: RouterOptions) -> None:
    """Report paths of the inventory that the router answers by itself, or that have no tier."""
    for path, tier in options.paths.items():
        check_tier(context, tier, ("router", "paths", path))
        if path in kind.own_paths:
            detail = f"{path}: {kind.title} answers it by itself"
            context.collector.add("not-for-this-router", ("router", "paths", path), detail, "remove it", key=True)


def path_routes(
    catalog: Catalog, kind: RouterKind, options: RouterOptions, tiers: tuple[Tier, ...]
) -> tuple[PathRoute, ...]:
    """Return every path: those of each task, those that the tiers' engines have, and those of the inventory."""
    if not kind.paths:
        return ()
    having = {path: [tier.name for tier in tiers if tier.task == task] for path, task in kind.paths.items()}
    for tier in tiers:
        for path in _engine_paths(catalog, tier):
            if path not in kind.paths:
                having.setdefault(path, []).append(tier.name)
    written = {path: name for path, name in options.paths.items() if name in {tier.name for tier in tiers}}
    having |= {path: [name] for path, name in written.items()}
    return tuple(
        PathRoute(
            path=path,
            tier=written.get(path) or _nameless(kind, options, path, names),
            tiers=tuple(names),
            own=path in written or path not in kind.paths,
            form=path in kind.form_paths,
        )
        for path, names in having.items()
    )


def form_routes(paths: tuple[PathRoute, ...], routes: tuple[Route, ...]) -> tuple[Route, ...]:
    """Return the routes of tiers that are sent forms."""
    tiers = {tier for path in paths if path.form for tier in path.tiers}
    return tuple(route for route in routes if route.tier in tiers)


def _engine_paths(catalog: Catalog, tier: Tier) -> tuple[str, ...]:
    engine = catalog.engine(tier.engine)
    by_task = engine.paths if engine is not None else {}
    return next((paths for task, paths in by_task.items() if task == tier.task), ())


def _nameless(kind: RouterKind, options: RouterOptions, path: str, tiers: list[str]) -> str:
    """Return the tier of a request without a model: the default one, or the only one; for chat, none but the default.

    Some engines' own clients name no model for other tasks than chat.
    """
    if options.default_tier in tiers:
        return options.default_tier
    return tiers[0] if len(tiers) == 1 and kind.paths.get(path) != "chat" else ""
