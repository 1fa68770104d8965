"""Tiers that reach nothing but the router: what an inventory then cannot have, with the way on."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET

from anvil_gen.resolve.context import ResolveContext, TierServer
from anvil_gen.resolve.model_source import Source
from anvil_gen.resolve.override_merge import REMOVED
from anvil_gen.values import VariableValue

INTERNAL = "internal"
"""The network of sealed tiers and their router."""

OFFLINE = "HF_HUB_OFFLINE"
"""The variable by which the Hugging Face libraries take what is in the cache, and ask nobody."""

_NO = ("", "0")
"""What those libraries take for a no, or might."""

_WAYS_OUT = ("network_mode", "networks", "ports")

_OPEN = 'or set egress = "allow" in [host]'


def check_way_in(context: ResolveContext) -> None:
    """Report sealed tiers that nobody could reach, and a network with the name of theirs."""
    if context.sealed and context.inventory.router is UNSET and not context.collector.is_dropped(("router",)):
        detail = "tiers that are on an internal network alone are reached by the router, and there is none"
        context.collector.add(
            "sealed-tiers-without-a-router", ("host", "egress"), detail, f"add a table [router], {_OPEN}"
        )
    if context.sealed and INTERNAL in context.inventory.networks:
        detail = "the network of sealed tiers has that name"
        context.collector.add("not-with-egress-denied", ("networks", INTERNAL), detail, "write another name", key=True)


def check_sealed(context: ResolveContext, server: TierServer, sources: Mapping[str, Source]) -> None:
    """Report what a sealed tier cannot have: a published port, another network, and weights that it would download."""
    if not context.sealed:
        return
    options = server.options
    if options.bind is not False:
        path = options.origin("bind").path or server.path
        detail = f'"{options.bind}": nothing is published from an internal network'
        context.collector.add("not-with-egress-denied", path, detail, f"remove it: clients come by the router; {_OPEN}")
    for key in _WAYS_OUT:
        if options.override.get(key, REMOVED) is not REMOVED:
            path = (*(options.origin("override").path or server.path), key)
            detail = f'"{key}" in override would put it on another network than the internal one, or publish it'
            context.collector.add("not-with-egress-denied", path, detail, f"remove it, {_OPEN}", key=True)
    offline = options.variables.get(OFFLINE, "0")
    if offline not in _NO or (offline == "" and isinstance(offline, VariableValue)):
        return
    for name, source in sources.items():
        if source.from_hub and source.argument:
            detail = "it could not be downloaded from an internal network"
            remedy = (
                f'download it into the cache before, and set environment.{OFFLINE} = "1"; or name a folder, {_OPEN}'
            )
            context.collector.add(
                "not-with-egress-denied", (*server.path, *name.split(".", 1), source.kind), detail, remedy
            )
