"""The ports of a compose service: which is the server's own, and how an inventory writes each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.importing.texts import has_variable, plain, typed, value_of, whole
from anvil_gen.inventory.fields import PORT_PATTERN

_LONG = {"target", "published", "host_ip", "protocol", "mode"}


class PortRead(Struct, frozen=True, kw_only=True):
    """A port as texts of a compose file; ``spec`` is its short form, None where it has none."""

    target: str
    published: str
    host: str
    protocol: str
    spec: str | None
    written: Any


def read_ports(ports: Any) -> Iterator[PortRead]:
    """Yield the ports of a service."""
    for port in ports if isinstance(ports, list) else ():
        yield _long(port) if isinstance(port, Mapping) else _short(port)


def _long(port: Mapping[str, Any]) -> PortRead:
    parts = {key: str(port.get(key, "")) for key in ("target", "published", "host_ip", "protocol")}
    plain_keys = port.keys() <= _LONG and port.get("mode", "ingress") == "ingress"
    address = f"[{parts['host_ip']}]" if ":" in parts["host_ip"] else parts["host_ip"]
    named = [part for part in (address, parts["published"] or ("" if address else None), parts["target"]) if part]
    protocol = "" if parts["protocol"] in ("", "tcp") else f"/{parts['protocol']}"
    fits = plain_keys and (not address or parts["published"])
    return PortRead(
        target=parts["target"],
        published=parts["published"],
        host=parts["host_ip"],
        protocol=parts["protocol"] or "tcp",
        spec=":".join(named) + protocol if fits else None,
        written=port,
    )


def _short(port: Any) -> PortRead:
    text = str(port)
    body, _, protocol = text.rpartition("/") if re.search(r"/(?:tcp|udp|sctp)$", text) else (text, "", "tcp")
    *rest, target = list(split_parts(body))
    published = rest[-1] if rest else ""
    host = ":".join(rest[:-1]).strip("[]")
    return PortRead(target=target, published=published, host=host, protocol=protocol, spec=text, written=port)


def split_parts(text: str) -> Iterator[str]:
    """Yield the parts between colons that are in no variable and no address of IPv6."""
    depth, start = 0, 0
    for place, char in enumerate(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(char, 0)
        if char == ":" and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def take_ports(ports: Any, listens: int | None, image_port: int) -> tuple[dict[str, Any], list[Any]]:
    """Return the fields that say a service's ports, and the ports that no field says, in Compose's form.

    Args:
        ports: as the service has them.
        listens: the port that its command names; None where it names none.
        image_port: the port that its image listens on by itself.
    """
    found = list(read_ports(ports))
    own = listens or next((int(port.target) for port in found if re.fullmatch("[0-9]{1,5}", port.target)), image_port)
    main = next((fields for port in found if (fields := _as_fields(port, own))), None)
    others = [port for port in found if main is None or port is not main[0]]
    said = main[1] if main is not None else {"bind": False, "port": own}
    further = [_further(port) for port in others]
    if further and all(item is not None for item in further):
        return {**said, "ports": further}, []
    return said, [value_of(port.written) for port in others]


def _as_fields(port: PortRead, own: int) -> tuple[PortRead, dict[str, Any]] | None:
    """Return a port with the fields that say it; None where they cannot."""
    if port.target != str(own) or port.protocol != "tcp" or port.spec is None or not port.published:
        return None
    try:
        published = typed(port.published, _port)
        bind = typed(port.host, _address) if port.host else "all"
    except ValueError:
        return None
    if bind == "" or (has_variable(port.host) and not plain(port.host)):
        return None
    same = published == own
    return port, {"port": published, **({} if same else {"container_port": own}), "bind": bind}


def _port(text: str) -> int:
    number = whole(text)
    if not 1 <= number <= 65535:
        raise ValueError(text)
    return number


def _address(text: str) -> str:
    if not re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]+", text):
        raise ValueError(text)
    return text


def _further(port: PortRead) -> Any:
    if port.spec is None:
        return None
    if has_variable(port.spec):
        return value_of(port.spec) if re.fullmatch(PORT_PATTERN, plain(port.spec)) else None
    return port.spec if re.fullmatch(PORT_PATTERN, port.spec) else None
