"""Which models a tier serves, by its own answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from anvil_gen.catalog.engine import ModelsEndpoint

_SECONDS = 2.0
_LARGEST = 1 << 20  # bytes of an answer

Address = tuple[str, int]
"""Host and port."""


def served_models(asked: Mapping[str, tuple[Address, ModelsEndpoint]]) -> dict[str, tuple[str, ...]]:
    """Return the models that each service names; none where it does not answer within two seconds."""
    if not asked:
        return {}
    with ThreadPoolExecutor(max_workers=len(asked)) as pool:
        answers = pool.map(lambda one: _ask(*one), asked.values())
        return dict(zip(asked, answers, strict=True))


def _ask(address: Address, endpoint: ModelsEndpoint) -> tuple[str, ...]:
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415  imported while Docker is asked

    connection = HTTPConnection(*address, timeout=_SECONDS)
    try:
        connection.request("GET", endpoint.path)
        response = connection.getresponse()
        return tuple(_found(json.loads(response.read(_LARGEST)), endpoint.names.split(".")))
    except (OSError, HTTPException, ValueError):  # it loads, or is something else
        return ()
    finally:
        connection.close()


def _found(value: Any, steps: list[str]) -> Iterator[str]:
    """Yield the texts at the end of a way like ``data[].id``."""
    if not steps:
        if isinstance(value, str):
            yield value
        return
    key, many, _ = steps[0].partition("[]")
    inner = value.get(key) if isinstance(value, dict) else None
    for item in inner if many and isinstance(inner, list) else [inner]:
        yield from _found(item, steps[1:])
