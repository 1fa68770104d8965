"""What of a service can be reached from outside its host."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_LOOPBACK = ("127.", "[::1]", "::1", "localhost")
# host:published:target/protocol, where an address of IPv6 is in brackets, and a variable may have a default.
_SHORT = re.compile(r"(?:(?P<host>\[[^]]*\]|[^:]*):)?(?P<published>[^:]*):(?P<target>[^:]*)$")
_VARIABLE = re.compile(r"\$\{\w+(?::?-(?P<default>[^}]*))?[^}]*\}")


def new_listeners(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return where a service listens from now on beyond loopback, as ``0.0.0.0:8000``."""
    old = set(listeners(before))
    return [one for one in dict.fromkeys(listeners(after)) if one not in old]


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
