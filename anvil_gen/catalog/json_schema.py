"""The JSON Schemas of the template data files, and by name those of what the owner of a fleet writes."""

from __future__ import annotations

from typing import Any

import msgspec

from anvil_gen.catalog.architectures import Architectures
from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.engine_memory import EngineMemory
from anvil_gen.catalog.gpu_vendor import Vendor
from anvil_gen.catalog.log_patterns import LogData
from anvil_gen.catalog.model_families import ModelFile
from anvil_gen.catalog.router import RouterKind
from anvil_gen.catalog.target import Target
from anvil_gen.inventory.json_schema import as_text, group_schema, inventory_schema, without_variables

DATA = {
    "engine": Engine,
    "router": RouterKind,
    "gpu": Vendor,
    "log": LogData,
    "memory": EngineMemory,
    "architectures": Architectures,
    "model": ModelFile,
    "target": Target,
}
"""Name of a data file, without `.toml` -> its struct."""

_WRITTEN = {"inventory": inventory_schema, "group": group_schema}
KINDS = (*_WRITTEN, *DATA)
"""What has a schema."""


def schema_text(kind: str) -> str:
    """Return a schema as the file that is committed."""
    return as_text(_WRITTEN[kind]() if kind in _WRITTEN else data_schema(kind))


def data_schema(kind: str) -> dict[str, Any]:
    """Return the schema of a data file (JSON Schema 2020-12, which Taplo reads)."""
    schema = without_variables(msgspec.json.schema(DATA[kind]))
    for definition in schema["$defs"].values():
        properties = definition["properties"]
        definition["properties"] = {name: _without_null(option) for name, option in properties.items()}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"anvil-gen {kind}.toml", **schema}


def _without_null(option: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a key without the null by which a struct says that it is not set: TOML has none."""
    choices = [choice for choice in option.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == len(option.get("anyOf", ())):
        return option
    return choices[0] if len(choices) == 1 else {"anyOf": choices}
