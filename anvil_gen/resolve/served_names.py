"""Model names that engines are given besides the served one, so that a router can pass requests on as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import UNSET, UnsetType

from anvil_gen.catalog.router import RouterKind
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.context import ResolveContext, TierServer
from anvil_gen.resolve.model_names import ModelNames
from anvil_gen.resolve.router import RouterSpec
from anvil_gen.resolve.router_options import kinds_that
from anvil_gen.values import KeyPath

# The version in an image's tag; other tags, such as latest or nightly, tell none.
_VERSION = lazy_pattern(r":v?([0-9]+\.[0-9]+(?:\.[0-9]+)?)(?![^:]*/)")


def further_names(
    context: ResolveContext,
    spec: RouterSpec | None,
    servers: Mapping[str, TierServer],
    names: Mapping[str, ModelNames],
) -> dict[str, tuple[str, ...]]:
    """Return the names that each tier must answer to, besides its own.

    Those are its aliases, in whatever mode, and the names of the tiers that it is a fallback of. There are none where
    the router writes the served name into the request. What an engine cannot be given is reported. ``names`` are the
    tiers' own.
    """
    if spec is None or "rewrite" in spec.kind.supports:
        return {}
    wanted: dict[str, dict[str, KeyPath]] = {name: {} for name in servers}
    for alias, target, path in _aliases(context):
        if target in wanted:
            wanted[target].setdefault(alias, path)
    own = {name: {**dict.fromkeys(names[name].all, server.path), **wanted[name]} for name, server in servers.items()}
    for name, fallbacks in spec.options.fallbacks.items():
        for index, other in enumerate(fallbacks):
            if name in own and other in wanted and other != name:
                path = ("router", "fallbacks", name, index)
                wanted[other].update({alias: path for alias in own[name] if alias not in wanted[other]})
    return {name: _given_names(context, spec, server, names[name], wanted[name]) for name, server in servers.items()}


def _rewrites(kind: RouterKind) -> bool:
    return "rewrite" in kind.supports


def _aliases(context: ResolveContext) -> Iterator[tuple[str, str, KeyPath]]:
    """Yield every alias with its tier and where it is written, in order of the names."""
    router = context.inventory.router
    tables: list[tuple[KeyPath, dict[str, str] | UnsetType]] = []
    tables += [(("router", "aliases"), UNSET if router is UNSET else router.aliases)]
    tables += [(("modes", name, "aliases"), mode.aliases) for name, mode in context.inventory.modes.items()]
    found: list[tuple[str, str, KeyPath]] = [
        (alias, target, (*path, alias))
        for path, aliases in tables
        if aliases is not UNSET
        for alias, target in aliases.items()
    ]
    yield from sorted(found)


def takes_any_name(spec: RouterSpec | None, server: TierServer) -> bool:
    """Tell whether an engine is made to answer to any name: behind a router that passes names on, where it can be."""
    if spec is None or "rewrite" in spec.kind.supports or server.options.task not in spec.kind.tasks:
        return False
    return server.engine is not None and server.engine.any_name is not None and not _is_older(server)


def _is_older(server: TierServer) -> bool:
    """Tell whether an image is known to be older than the version that answers to any name."""
    since = server.engine.any_name.since if server.engine is not None and server.engine.any_name is not None else ""
    tag = _VERSION.search(str(server.image))
    return tag is not None and _numbers(tag[1]) < _numbers(since)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _given_names(
    context: ResolveContext, spec: RouterSpec, server: TierServer, own: ModelNames, names: Mapping[str, KeyPath]
) -> tuple[str, ...]:
    """Return the names that an engine can be given; the others are reported."""
    engine = server.engine
    if engine is None:
        return ()
    others = {name: path for name, path in names.items() if name not in own.all}
    if not own.several and (takes_any_name(spec, server) or engine.served_names == "any"):
        for name, path in others.items():
            if path[-2] == "aliases" and engine.alias_pattern and not re.fullmatch(engine.alias_pattern, name):
                _refuse(context, spec, own, path, f"{engine.title} {engine.alias_help}")
        return ()
    given = []
    for name, path in others.items():
        as_flag = name.startswith("-") and engine.list_style == "spread"
        if engine.served_names == "several" and not as_flag and not own.several:
            given.append(name)
            continue
        why = f'would take "{name}" for a flag' if as_flag else f"answers to {_quoted(own.served)} alone"
        _refuse(context, spec, own, path, f"{engine.title} {why}")
    if given and engine.any_name is not None:
        detail = f"{engine.title} before {engine.any_name.since} is told its names: a new alias restarts it"
        remedy = "take a newer image, or leave it at that"
        path = server.options.path_of("image") or server.path
        context.collector.add("alias-restarts-the-tier", path, detail, remedy, severity="warning")
    return tuple(given)


def _refuse(context: ResolveContext, spec: RouterSpec, own: ModelNames, path: KeyPath, why: str) -> None:
    detail = f"{spec.kind.title} passes requests on as they are, and {why}"
    others = kinds_that(context.catalog, _rewrites)
    remedy = f'ask for "{own.served[0]}"' + (f", or write {others}, which rewrites names" if others else "")
    context.collector.add("alias-that-cannot-be-routed", path, detail, remedy)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
