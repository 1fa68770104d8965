"""Other hosts of the fleet whose models a router serves too: what it has to know, and what speaks against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import UNSET, Struct
from msgspec.structs import replace

from anvil_gen.inventory.schema import Inventory
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.model import Router, Stack
from anvil_gen.resolve.options import RouterOptions
from anvil_gen.resolve.router_model import Client, OtherHosts, Peer, PeerModel, Route
from anvil_gen.resolve.uniqueness import is_address
from anvil_gen.values import KeyPath

_LOOPBACK = ("127.", "::1")


class NamedPeer(Struct, frozen=True, kw_only=True):
    """Another host as `[router] hosts` names it, and what its own inventory says."""

    name: str
    inventory: Inventory
    stack: Stack


def hosts_named(inventory: Inventory) -> list[tuple[str, KeyPath]]:
    """Return the hosts that an inventory names, each with its place."""
    router = inventory.router
    names: Sequence[str] = () if router is UNSET or router.hosts is UNSET else router.hosts
    return [(name, ("router", "hosts", index)) for index, name in enumerate(names)]


def way_back(name: str, own: str, named_by: Callable[[str], Sequence[str]]) -> list[str]:
    """Return by which hosts one leads back to ``own``; an empty list where it does not."""
    seen: dict[str, list[str]] = {name: [name]}
    waiting = [name]
    while waiting:
        current = waiting.pop(0)
        if current == own:
            return seen[current]
        for other in named_by(current):
            if other not in seen:
                seen[other] = [*seen[current], other]
                waiting.append(other)
    return []


def peer_of(named: NamedPeer, own: str) -> tuple[Peer | None, str, str]:
    """Return what a router has to know of another host; without that, why not, and the fix."""
    host, router = named.inventory.host, named.stack.router
    if router is None:
        return None, f"{named.name} has no router", f"add [router] to {named.name}"
    bind = router.options.bind
    if bind is False or (is_address(bind) and bind.startswith(_LOOPBACK)):
        where = "publishes no port" if bind is False else f'is bound to "{bind}"'
        detail = f"the router of {named.name} {where}: no other host reaches it"
        return None, detail, f'set bind = "0.0.0.0" and api_key_env in [router] of {named.name}'
    if host.address is UNSET:
        return None, f"{named.name} does not say how others reach it", f"set address in [host] of {named.name}"
    if router.limits.tls is not None and is_address(host.address):
        return None, f"its certificate is verified by a name, and not by {host.address}", "write a name as its address"
    client = _client_of(router, own)
    if client is not None and not client.variable:
        detail = f"its router has the digest of {client.name}'s key alone, and this one has to send the key itself"
        return None, detail, f'name its variable in {named.name}: [router] api_key_env = {{ {own} = "…" }}'
    return _peer(named, host.address, router, client), "", ""


def _client_of(router: Router, own: str) -> Client | None:
    """Return the client of a router that this host is: the one of its name, else the first whose key is at hand."""
    ranked = sorted(router.clients, key=lambda client: (client.name != own, not client.variable))
    return ranked[0] if ranked else None


def _peer(named: NamedPeer, address: str, router: Router, client: Client | None) -> Peer:
    models = {tier.name: tier.model for tier in named.stack.tiers}
    return Peer(
        name=named.name,
        address=address,
        port=router.port,
        tls=router.limits.tls is not None,
        variable=client.variable if client is not None else None,
        timeout=max([router.limits.timeout, *(upstream.timeout for upstream in router.upstreams)]),
        models=tuple(
            PeerModel(name=route.name, task=route.task, serves=models.get(route.tier, "")) for route in router.routes
        ),
    )


def with_hosts(context: ResolveContext, routes: Sequence[Route], reads: Callable[[str], bool]) -> tuple[Route, ...]:
    """Return the routes of a router with those to other hosts; what cannot be routed is reported.

    ``reads`` tells whether the router can route a name.
    """
    places = dict(hosts_named(context.inventory))
    found = {route.name: route for route in routes}
    for peer in context.peers:
        for model in peer.models:
            route = found.get(model.name)
            if not reads(model.name):
                detail, remedy = f'"{model.name}" of {peer.name} cannot be read', f"give it another name in {peer.name}"
                context.collector.add("model-name-that-cannot-be-routed", places[peer.name], detail, remedy)
            elif route is None:
                new = Route(name=model.name, tier=peer.name, task=model.task, how="host", hosts=(peer.name,))
                found[model.name] = new
            elif route.task != model.task:
                other = route.tier if route.how == "host" else f'the tier "{route.tier}"'
                detail = f'"{model.name}" is for {model.task} on {peer.name}, and {other} has it for {route.task}'
                remedy = "give one of the two another name"
                context.collector.add("model-name-taken-twice", places[peer.name], detail, remedy)
            else:
                found[model.name] = replace(route, hosts=(*route.hosts, peer.name))
    return tuple(found.values())


def other_hosts(
    peers: Sequence[Peer], options: RouterOptions, own: Sequence[Client], routes: Sequence[Route]
) -> OtherHosts:
    """Return what a router needs to pass requests to other hosts; ``own`` are its clients."""
    taken = {client.variable for client in own}
    several = [route for route in routes if len(route.hosts) > (route.how == "host")]
    return OtherHosts(
        peers=tuple(peers),
        variables=tuple(dict.fromkeys(peer.variable for peer in peers if peer.variable and peer.variable not in taken)),
        certificates=options.hosts_ca if any(peer.tls for peer in peers) else None,
        shared=tuple({route.backend: route for route in several}.values()),
    )
