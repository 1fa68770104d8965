"""Secrets that an inventory writes out: the rendered files would hold them, and git after them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.env_references import server_tables
from anvil_gen.masking import literal_secrets
from anvil_gen.values import KeyPath

_VALUE_KEYS = ("default", "interpolate")
_NAMED = ("aliases", "fallbacks", "tiers", "lora", "files", "mounts", "tls")
"""Keys of a table whose tables have names of a person's choice, or files of keys."""


def check_literal_secrets(collector: Collector) -> None:
    """Report secrets that are written out, wherever an inventory takes anything."""
    for table, value in _free_values(collector.document.data):
        for path in literal_secrets(value, table):
            names = [part for part in path if isinstance(part, str) and part not in _VALUE_KEYS]
            variable = re.sub("[^A-Z0-9]+", "_", names[-1].upper()).strip("_")
            at_key = isinstance(path[-1], str) and path[-1] not in _VALUE_KEYS
            form = f'{names[-1]} = {{ env = "{variable}" }}' if at_key else '{ env = "API_KEY" }'
            remedy = f"name a variable, whose value is in .env: {form}"
            detail = "rendered files would hold it"
            collector.add("secret-in-the-inventory", path, detail, remedy, key=at_key, secret=True)


def _free_values(data: dict[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    for path, table in server_tables(data):
        yield from (((*path, key), value) for key, value in table.items() if key not in _NAMED)
    services = data.get("services")
    for name, mapping in services.items() if isinstance(services, dict) else ():
        yield ("services", name), mapping
