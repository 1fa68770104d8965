"""Secrets that an inventory writes out: the rendered files would hold them, and git after them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.env_references import server_tables
from anvil_gen.text.masking import literal_secrets, looks_secret, secret_looks
from anvil_gen.values import KeyPath

_VALUE_KEYS = ("default", "interpolate")
CLIENT_KEYS: dict[KeyPath, str] = {
    ("router", "api_key_env"): 'write the name of a variable, whose value is in .env: api_key_env = "ROUTER_TOKEN"',
    (
        "router",
        "api_key_sha256",
    ): "write a client's name and a digest: anvil-gen client HOST --new-key NAME makes a new key and that line",
}
"""Tables of a router's clients, and what belongs there instead of a key."""
_NAMED = ("aliases", "api_key_sha256", "fallbacks", "tiers", "lora", "files", "mounts", "tls")
"""Keys of a table whose tables have names of a person's choice, or files or digests of keys."""


def check_literal_secrets(collector: Collector) -> None:
    """Report secrets that are written out, wherever an inventory takes anything."""
    data = collector.document.data
    for path in secret_places(data):
        at_key = isinstance(path[-1], str) and path[-1] not in _VALUE_KEYS
        reference = f"name a variable, whose value is in .env: {_form(path, at_key=at_key)}"
        remedy = CLIENT_KEYS.get(path[:2], reference)
        collector.add("secret-in-the-inventory", path, "rendered files would hold it", remedy, key=at_key, secret=True)


def secret_places(data: dict[str, Any]) -> list[KeyPath]:
    """Return the places at which an inventory's data hold a secret."""
    by_name = (path for table, value in _free_values(data) for path in literal_secrets(value, table))
    return list(dict.fromkeys([*by_name, *secret_looks(data)]))


def _form(path: KeyPath, *, at_key: bool) -> str:
    """Return a reference to a variable, for the key at which the secret is."""
    name = next(part for part in reversed(path) if isinstance(part, str) and part not in _VALUE_KEYS)
    if not at_key or looks_secret(name):
        return '{ env = "API_KEY" }'
    variable = re.sub("[^A-Z0-9]+", "_", name.upper()).strip("_")
    return f'{name} = {{ env = "{variable}" }}'


def _free_values(data: dict[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    for path, table in server_tables(data):
        yield from (((*path, key), value) for key, value in table.items() if key not in _NAMED)
    for section in ("services", "volumes", "networks", "configs"):
        tables = data.get(section)
        yield from (((section, name), table) for name, table in (tables.items() if isinstance(tables, dict) else ()))
