"""What an inventory may say of its router and hardly means: keys that nothing sends, names that mean several models."""

from __future__ import annotations

import re
from collections.abc import Iterator

from anvil_gen.diagnostics import did_you_mean, join_words
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.likely_mistakes import Mistake
from anvil_gen.resolve.model import Stack, Tier
from anvil_gen.resolve.peers import hosts_named
from anvil_gen.resolve.router_model import Peer, Route
from anvil_gen.text.masking import is_placeholder
from anvil_gen.values import KeyPath, canonical_flag

_KEY_FLAGS = frozenset(map(canonical_flag, ("api-key", "api-keys", "api-key-file")))


def check_router_mistakes(context: ResolveContext, stack: Stack) -> None:
    """Warn of what is valid and hardly meant of a router."""
    for find in (_own_keys, _mixed_names):
        for found in find(context, stack):
            context.collector.add(found.code, found.path, found.detail, found.remedy, key=found.key, severity="warning")


def _own_keys(context: ResolveContext, stack: Stack) -> Iterator[Mistake]:
    """Yield keys that tiers ask for themselves: no key reaches a tier, so that it answers no request of the router."""
    routed = {route.tier for route in stack.router.routes} if stack.router is not None else set()
    for tier in stack.tiers:
        for path in _key_places(tier) if tier.name in routed else ():
            yield Mistake(
                code="key-that-the-router-does-not-send",
                path=path,
                detail=f'"{tier.name}" asks for a key of its own, and the router passes none on: it answers 401',
                remedy="remove it, here and where it is used: the router asks for keys, by api_key_env in [router]",
                key=True,
            )


def _key_places(tier: Tier) -> Iterator[KeyPath]:
    for name, value in tier.options.flags.items():
        if canonical_flag(name) in _KEY_FLAGS and value is not False and not is_placeholder(value):
            yield (*tier.table, "flags", name)
    for name, value in tier.options.variables.items():
        prefix = name.removesuffix("API_KEY").rstrip("_").lower()
        if name.endswith("API_KEY") and tier.engine.startswith(prefix) and not is_placeholder(value):
            yield (*tier.table, "environment", name)


def _mixed_names(context: ResolveContext, stack: Stack) -> Iterator[Mistake]:
    """Yield names that this host and others, or several others, have for different models."""
    places = dict(hosts_named(context.inventory))
    models = {tier.name: tier.model for tier in stack.tiers}
    for route in stack.router.routes if stack.router is not None else ():
        serving = dict(_serving(route, models, context.peers))
        kinds = {_plain(model) for model in serving.values() if model}
        if len(kinds) > 1 and not any(all(other.startswith(one) for other in kinds) for one in kinds):
            shown = join_words(f"{model.rpartition('/')[2]} on {where}" for where, model in serving.items())
            yield Mistake(
                code="name-of-different-models",
                path=places[route.hosts[-1]],
                detail=f'"{route.name}" is {shown}: its requests are spread over all of them',
                remedy="keep the name on one of them, and give the others names of their own",
            )


def _serving(route: Route, models: dict[str, str], peers: tuple[Peer, ...]) -> Iterator[tuple[str, str]]:
    """Yield what answers to a name, each with its model."""
    if route.how != "host":
        yield "this host", models.get(route.tier, "")
    for peer in peers:
        found = next((one.serves for one in peer.models if one.name == route.name), "")
        if peer.name in route.hosts:
            yield peer.name, found


def _plain(model: str) -> str:
    """Return a model's name without its organisation, folder, format and case."""
    return re.sub(r"[^a-z0-9]+", "-", model.rpartition("/")[2].lower().removesuffix(".gguf"))


def report_missing_tier(context: ResolveContext, target: str, path: KeyPath, tiers: tuple[Tier, ...]) -> None:
    """Report an alias whose tier does not exist, or does not run in the alias' mode."""
    known, collector = context.inventory.tiers, context.collector
    if target in known:
        # One of [router] may well name a tier that only some modes run.
        if path[0] == "modes" and not collector.is_dropped(("tiers", target)):
            detail = f'"{target}" does not run in this mode: it has {join_words(tier.name for tier in tiers)}'
            collector.add("alias-to-a-missing-tier", path, detail, "add the tier to the mode, or name one of it")
    elif known and not collector.is_dropped(("tiers", target)):
        serving = next((f'write "{tier.name}", the tier that serves it' for tier in tiers if target in tier.names), "")
        remedy = serving or did_you_mean(target, known) or "name one of them"
        detail = f'"{target}" is not a tier (defined: {join_words(known)})'
        collector.add("alias-to-a-missing-tier", path, detail, remedy)
