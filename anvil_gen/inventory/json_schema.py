"""The JSON Schema of the inventory, generated from its structs."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from anvil_gen.inventory.fields import VARIABLE
from anvil_gen.inventory.schema import REQUIRED, Inventory
from anvil_gen.inventory.schema_base import EnvTable
from anvil_gen.inventory.schema_group import GroupTable
from anvil_gen.values import Number

_TOLD = ("description", "examples", "x-unit")
"""What is said of a value, and not of its form."""
TITLE = "anvil-gen inventory"


def inventory_schema() -> dict[str, Any]:
    """Return the schema of ``hosts/*.toml`` (JSON Schema 2020-12, which Taplo reads)."""
    return _schema(Inventory, TITLE)


def group_schema() -> dict[str, Any]:
    """Return the schema of ``groups/*.toml``."""
    return _schema(GroupTable, "anvil-gen group")


def _schema(kind: type, title: str) -> dict[str, Any]:
    schema = msgspec.json.schema(kind, schema_hook=_hook)
    schema["$defs"] |= msgspec.json.schema_components([EnvTable], schema_hook=_hook, ref_template="#/$defs/{name}")[1]
    for name, keys in REQUIRED.items():
        if keys and name in schema["$defs"]:
            schema["$defs"][name]["required"] = list(keys)
    for definition in schema["$defs"].values():
        # The defaults are in templates/defaults.toml: an empty table here would contradict them.
        for option in definition["properties"].values():
            option.pop("default", None)
    schema = _with_variables(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}


def without_variables(schema: Any) -> Any:
    """Return a schema of what Compose never reads, where nothing is a variable."""
    if isinstance(schema, list):
        return [without_variables(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: without_variables(item) for key, item in schema.items() if key != VARIABLE}


def _with_variables(schema: Any) -> Any:
    """Return a schema in which what may be a variable is one or the value itself."""
    if isinstance(schema, list):
        return [_with_variables(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _with_variables(item) for key, item in schema.items() if key != VARIABLE}
    if VARIABLE not in schema:
        return inner
    told = {key: inner.pop(key) for key in _TOLD if key in inner}
    choices = inner["anyOf"] if inner.keys() == {"anyOf"} else [inner]
    return {"anyOf": [*choices, {"$ref": f"#/$defs/{EnvTable.__name__}"}], **told}


def as_text(schema: dict[str, Any]) -> str:
    """Return a schema as the file that is committed."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _hook(kind: type) -> dict[str, Any]:
    if kind is Number:
        return {"type": "number"}
    raise NotImplementedError(kind)
