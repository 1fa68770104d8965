"""The digests of a router's files: one of what they say of each tier, and one a file of all else.

So branches that change different tiers change different digests, and git merges them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from anvil_gen.digests import digest
from anvil_gen.resolve.model import Router

_PUNCTUATION = str.maketrans(dict.fromkeys("\"',()[]{}", " "))


class RouterDigests(NamedTuple):
    """Digests by path, and by tier."""

    files: dict[str, str]
    tiers: dict[str, str]


def router_digests(files: Mapping[str, str], router: Router) -> RouterDigests:
    """Return the digests of some files of a router. Every line is in one of them, whoever it is thought to be of."""
    owners = _owners(router)
    parts: dict[str, list[str]] = {upstream.tier.name: [] for upstream in router.upstreams}
    rest: dict[str, list[str]] = {path: [] for path in files}
    for path, text in files.items():
        for owner, line in _owned_lines(path, text, owners):
            (parts[owner] if owner else rest[path]).append(line)
    return RouterDigests(
        files={path: digest("\n".join(lines)) for path, lines in rest.items()},
        tiers={tier: digest("\n".join(lines)) for tier, lines in parts.items() if lines},
    )


def _owners(router: Router) -> dict[str, str]:
    """Return the tier that each word stands for."""
    tiers = {upstream.tier.name for upstream in router.upstreams}
    routes = {route.name: route.tier for route in router.routes if route.tier in tiers}
    servers = {
        name: upstream.tier.name
        for upstream in router.upstreams
        for server in upstream.servers
        for name in (server.name, f"{upstream.tier.name}/{server.name}")
    }
    return {**routes, **servers}


def _owned_lines(path: str, text: str, owners: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the lines that say something, each with the tier that its first word of a tier stands for.

    What is indented below a tier's line is the tier's. What a tier's lines come behind is among them, as a name or as a
    line: lines that change places are a change.
    """
    known = owners.keys()
    section = owner = ""
    before = path
    for line, plain in zip(text.split("\n"), text.translate(_PUNCTUATION).split("\n"), strict=True):
        if not line or line.isspace():
            continue
        words = plain.split()
        own = "" if known.isdisjoint(words) else next(owners[word] for word in words if word in known)
        if not line[0].isspace():
            section = own
        own = section or own
        if own and own != owner:
            yield own, before
        yield own, line
        owner, before = own, own or line
