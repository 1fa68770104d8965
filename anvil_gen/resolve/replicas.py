"""Replicas: the servers of a tier, each a tier of the stack with a name, a port and GPUs of its own."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from anvil_gen.inventory.fields import NAME_LENGTH
from anvil_gen.resolve.compose_keys import published_ports
from anvil_gen.resolve.context import ResolveContext, TierServer
from anvil_gen.resolve.options import TierOptions
from anvil_gen.resolve.override_merge import Added
from anvil_gen.values import KeyPath, VariableValue, concat, text_of, with_reference

_LAST_PORT = 65535


def replica_name(name: str, number: int) -> str:
    """Return the name of a tier's server: ``fast``, ``fast-2``, ``fast-3``."""
    return name if number == 1 else f"{name}-{number}"


def replica_options(options: TierOptions, number: int) -> TierOptions:
    """Return the options of one of a tier's servers: names and port are counted on, and all else is the tier's."""
    container = options.container_name
    if container is not False and number > 1:
        own = concat(text_of(container), replica_name("", number))
        container = with_reference(replica_name(container, number), own)
    return replace(
        options,
        replica=number,
        service=replica_name(options.service, number),
        container_name=container,
        port=options.port if options.port is None or number == 1 else options.port + number - 1,
    )


def replica_count(context: ResolveContext, server: TierServer) -> int:
    """Return how many servers a tier has; one, with diagnostics, where there cannot be as many as are written."""
    count = server.options.replicas
    errors = list(_errors(context, server, count)) if count > 1 else []
    for code, path, detail, remedy in errors:
        context.collector.add(code, path, detail, remedy)
    return 1 if errors else count


def _errors(context: ResolveContext, server: TierServer, count: int) -> Iterator[tuple[str, KeyPath, str, str]]:
    """Yield what keeps a tier from having further servers: a code, a place, what is wrong, and the fix."""
    options = server.options
    here = options.path_of("replicas") or server.path
    names = [replica_name(server.name, number) for number in range(2, count + 1)]
    for taken in (one for one in names if one in context.inventory.tiers):
        detail = f'"{taken}" is a tier of its own, and would be a replica of "{server.name}"'
        yield "tier-name-taken-twice", here, detail, "rename one of the two"
    service = replica_name(options.service, count)
    if len(service) > NAME_LENGTH:
        yield "invalid-name", here, f'"{service}" is too long for a host name', f"write a service of {NAME_LENGTH - 4}"
    yield from _gpu_errors(options, (*server.path, "gpus"), count)
    port = options.path_of("port") or server.path
    if isinstance(options.port, VariableValue):
        detail = "the ports of replicas are counted on from it"
        yield "variable-where-a-value-is-needed", port, detail, "write the value itself"
    elif options.port is not None and options.port + count - 1 > _LAST_PORT:
        detail = f"its last replica would have {options.port + count - 1}"
        yield "number-out-of-range", port, detail, f"write {_LAST_PORT - count + 1} at most"
    if server.engine is not None and server.engine.own_command and options.container_port is None:
        detail = "its own command says on which port it listens, and replicas count on from port"
        yield "not-for-replicas", here, detail, f"write container_port = {options.port or 8000}, where it listens"
    for path in _of_one_container(options, server.path):
        yield "not-for-replicas", path, f"each of its {count} containers would have it", "remove it, or replicas"


def _gpu_errors(options: TierOptions, path: KeyPath, count: int) -> Iterator[tuple[str, KeyPath, str, str]]:
    path = options.path_of("gpus") or path
    if options.gpu_count is not None:
        yield "not-for-replicas", path, "GPUs without names cannot be dealt out", "name them: gpus = [...]"
    elif not isinstance(options.gpus, int | str) and len(options.gpus) % count:
        number = len(options.gpus)
        fitting = f"write {count} of them, or {2 * count}, or another number of replicas"
        detail = f"{number} GPU{'' if number == 1 else 's'} cannot be dealt out evenly to {count} replicas"
        yield "gpus-cannot-be-dealt-out", path, detail, fitting


def _of_one_container(options: TierOptions, table: KeyPath) -> Iterator[KeyPath]:
    """Yield where a tier sets what only one container of a host can have."""
    if any(published_ports(options.ports)):
        yield options.path_of("ports") or (*table, "ports")
    override = options.path_of("override") or (*table, "override")
    own = options.override.get("ports")
    if any(published_ports(own.items if isinstance(own, Added) else own)):
        yield (*override, "ports")
    if options.override.get("container_name"):
        yield (*override, "container_name")
