"""What a service can reach and be reached by, beyond a container's own: what of it is new is said to a reviewer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from anvil_gen.patterns import lazy_pattern
from anvil_gen.review.host_access import Exposure, host_access, networks

_LOOPBACK = ("127.", "[::1]", "::1", "localhost")
# host:published:target/protocol, where an address of IPv6 is in brackets, and a variable may have a default.
_SHORT = lazy_pattern(r"(?:(?P<host>\[[^]]*\]|[^:]*):)?(?P<published>[^:]*):(?P<target>[^:]*)$")
_VARIABLE = lazy_pattern(r"\$\{\w+(?::?-(?P<default>[^}]*))?[^}]*\}")


Place = tuple[Mapping[str, Any], Iterable[Mapping[str, Any]]]
"""A service, and the parsed files that it is in."""


def new_exposures(before: Place, after: Place) -> tuple[Exposure, ...]:
    """Return what is new about a service that a reviewer must not overlook."""
    old = set(exposures(*before))
    return tuple(one for one in dict.fromkeys(exposures(*after)) if one not in old)


def exposures(service: Mapping[str, Any], files: Iterable[Mapping[str, Any]]) -> Iterator[Exposure]:
    """Yield what a service can reach and be reached by, beyond a container's own."""
    declared = list(files)
    yield from (("listens beyond loopback", one) for one in listeners(service))
    yield from networks(service, declared)
    yield from host_access(service, declared)


def listeners(service: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a service listens beyond loopback, by its parsed compose file."""
    if service.get("network_mode") == "host":
        yield "all ports of the host's network"
    ports = service.get("ports")
    for port in ports if isinstance(ports, list) else ():
        host, published = _parts(port)
        if not host.startswith(_LOOPBACK):
            yield f"{host or '0.0.0.0'}:{published or 'a port that Docker chooses'}"  # noqa: S104  told of, not bound


def _parts(port: Any) -> tuple[str, str]:
    if isinstance(port, Mapping):
        return str(port.get("host_ip") or ""), str(port.get("published") or "")
    text = _VARIABLE.sub(lambda match: match["default"] or "", str(port))
    found = _SHORT.fullmatch(text)
    return (found["host"] or "", found["published"]) if found is not None else ("", "")
