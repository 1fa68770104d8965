"""Who may use a router: clients by the variables of their keys, and by the digests of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator

from msgspec import UNSET

from anvil_gen.catalog.router import RouterKind
from anvil_gen.diagnostics import join_words
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.options import RouterOptions
from anvil_gen.resolve.router_model import Client
from anvil_gen.values import KeyPath

_VARIABLES: KeyPath = ("router", "api_key_env")
_DIGESTS: KeyPath = ("router", "api_key_sha256")
_OF_NOTHING = hashlib.sha256(b"").hexdigest()


def clients_of(options: RouterOptions) -> tuple[Client, ...]:
    """Return the clients of a router: those by a variable as the inventory has them, then those by a digest, sorted."""
    digests = sorted(options.api_key_sha256.items())
    return (*_by_variable(options), *(Client(name=name, digest=digest.lower()) for name, digest in digests))


def _by_variable(options: RouterOptions) -> Iterator[Client]:
    """Yield the clients by a variable, after which they are called where the inventory does not name them."""
    keys = options.api_key_env
    if isinstance(keys, dict):
        yield from (Client(name=name, variable=variable) for name, variable in keys.items())
    elif keys is not None:
        yield from (Client(name=name, variable=name) for name in ([keys] if isinstance(keys, str) else keys))


def check_clients(context: ResolveContext, kind: RouterKind, options: RouterOptions) -> None:
    """Report keys that two clients share, names that two have, and variables that the container uses otherwise."""
    clients = clients_of(options)
    variables = [client.variable for client in clients if client.variable]
    for variable in variables:
        if variable in kind.reserved_variables:
            detail = f'the router\'s container has another use for "{variable}"'
            context.collector.add("variable-taken-twice", _VARIABLES, detail, 'write "ROUTER_TOKEN", for example')
    for variable, times in sorted(Counter(variables).items()):
        if times > 1:
            detail = f'"{variable}" is listed twice: each client has a key of its own'
            context.collector.add("variable-taken-twice", _VARIABLES, detail, "name another variable")
    _check_digests(context, clients)
    if clients and not variables and options.metrics == "key" and context.inventory.monitoring is not UNSET:
        detail = "Prometheus has to send a key, and the router has the digests of its clients' keys alone"
        remedy = "name the variable of a client for it in api_key_env, or write a port: metrics = 9101"
        context.collector.add("conflicting-values", ("router", "metrics"), detail, remedy)


def _check_digests(context: ResolveContext, clients: tuple[Client, ...]) -> None:
    """Report what is wrong with the clients by a digest. What stands there is not shown: it may be the key."""
    named = {client.name for client in clients if client.variable}
    owners: dict[str, list[str]] = {}
    for client in clients:
        owners.setdefault(client.digest, []).append(client.name)
    for client in clients:
        path = (*_DIGESTS, client.name)
        if client.digest == _OF_NOTHING:
            context.collector.add("digest-of-no-key", path, remedy="it is that of an empty text: make a key first")
        elif client.digest and owners[client.digest][0] != client.name:
            remedy = f"{join_words(owners[client.digest])} share it: each client has a key of its own"
            context.collector.add("key-taken-twice", path, remedy=remedy)
        if client.digest and client.name in named:
            remedy = "take it out of api_key_env, or give one of the two another name"
            context.collector.add("client-named-twice", path, remedy=remedy, key=True)
