"""How containers reach the Hugging Face Hub where a host's way out is a proxy, or its certificates are its own."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.model import EnvVar, Mount
from anvil_gen.resolve.mounts import moved_source
from anvil_gen.resolve.relative_paths import Move

CA_BUNDLE = "/etc/anvil-gen/ca.pem"
_OWN = ("localhost", "127.0.0.1", "0.0.0.0")  # noqa: S104  where engines ask themselves
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


def way_out_environment(context: ResolveContext) -> Iterator[EnvVar]:
    """Yield the variables of a container that fetches: the proxy and whom it is not asked for, and the certificates."""
    host = context.inventory.host
    if context.sealed:
        return
    if host.proxy is not UNSET:
        yield from (EnvVar(name=name, value=host.proxy) for name in _PROXIES)
        yield EnvVar(name="NO_PROXY", value=",".join((*_OWN, *sorted(_services(context)))))
    if host.ca_file is not UNSET:
        yield from (EnvVar(name=name, value=CA_BUNDLE) for name in _BUNDLES)


def way_out_mounts(context: ResolveContext, move: Move) -> Iterator[Mount]:
    """Yield the mount of the host's own certificates."""
    host = context.inventory.host
    if host.ca_file is not UNSET and not context.sealed:
        yield Mount(source=moved_source(host.ca_file, move), target=CA_BUNDLE, read_only=True)


def _services(context: ResolveContext) -> Iterator[str]:
    """Yield the names by which the project's services reach each other."""
    inventory = context.inventory
    for name, tier in inventory.tiers.items():
        service = name if tier.service is UNSET else tier.service
        count = 1 if tier.replicas is UNSET else tier.replicas
        yield from (service, *(f"{service}-{number}" for number in range(2, count + 1)))
    yield from inventory.services
    if inventory.router is not UNSET:
        own = inventory.router.service
        yield str(context.catalog.defaults["router"]["service"] if own is UNSET else own)
