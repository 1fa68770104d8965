"""Which models a tier serves, as its model server reports them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from anvil_gen.catalog.engine import ModelsEndpoint

_SECONDS = 2.0
_LARGEST = 1 << 20  # bytes of a response

Address = tuple[str, int]
"""Host and port."""


def served_models(endpoints: Mapping[str, tuple[Address, ModelsEndpoint]]) -> dict[str, tuple[str, ...]]:
    """Return the models that each service reports; none where it does not answer within two seconds."""
    if not endpoints:
        return {}
    with ThreadPoolExecutor(max_workers=len(endpoints)) as pool:
        responses = pool.map(lambda one: _query(*one), endpoints.values())
        return dict(zip(endpoints, responses, strict=True))


def _query(address: Address, endpoint: ModelsEndpoint) -> tuple[str, ...]:
    return tuple(_found(get_json(address, endpoint.path), endpoint.names.split(".")))


def get_json(address: Address, path: str, *, tls: bool = False) -> Any:
    """Return what a server on this machine answers as data; None where it does not answer within two seconds."""
    found = get_bytes(address, path, tls=tls)
    try:
        return None if found is None else json.loads(found)
    except ValueError:  # it is no such server
        return None


def get_bytes(address: Address, path: str, *, tls: bool = False) -> bytes | None:
    """Return what a server on this machine answers; None where it does not answer within two seconds."""
    import ssl  # noqa: PLC0415
    from http.client import HTTPConnection, HTTPException, HTTPSConnection  # noqa: PLC0415  imported while Docker answers

    connection: HTTPConnection = HTTPConnection(*address, timeout=_SECONDS)
    if tls:  # whose name is in the certificate does not matter on this machine
        context = ssl._create_unverified_context()  # noqa: S323
        connection = HTTPSConnection(*address, timeout=_SECONDS, context=context)
    try:
        connection.request("GET", path)
        return connection.getresponse().read(_LARGEST)
    except (OSError, HTTPException, ValueError):  # it is loading, or is no such server
        return None
    finally:
        connection.close()


def _found(value: Any, steps: list[str]) -> Iterator[str]:
    """Yield the texts at the end of a path like ``data[].id``."""
    if not steps:
        if isinstance(value, str):
            yield value
        return
    key, many, _ = steps[0].partition("[]")
    inner = value.get(key) if isinstance(value, dict) else None
    for item in inner if many and isinstance(inner, list) else [inner]:
        yield from _found(item, steps[1:])
