"""The JSON Schema of the inventory, generated from its structs."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from anvil_gen.inventory.schema import REQUIRED, Inventory
from anvil_gen.values import Number

TITLE = "anvil-gen inventory"


def inventory_schema() -> dict[str, Any]:
    """Return the schema of ``hosts/*.toml`` (JSON Schema 2020-12, which Taplo reads)."""
    schema = msgspec.json.schema(Inventory, schema_hook=_hook)
    for name, keys in REQUIRED.items():
        if keys:
            schema["$defs"][name]["required"] = list(keys)
    for definition in schema["$defs"].values():
        # The defaults are in templates/defaults.toml: an empty table here would contradict them.
        for option in definition["properties"].values():
            option.pop("default", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": TITLE, **schema}


def as_text(schema: dict[str, Any]) -> str:
    """Return a schema as the file that is committed."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _hook(kind: type) -> dict[str, Any]:
    if kind is Number:
        return {"type": "number"}
    raise NotImplementedError(kind)
