"""From a TOML document to an `Inventory`: keys, types and ranges, all errors at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.fields import PASSED_ON
from anvil_gen.inventory.literal_secrets import CLIENT_KEYS
from anvil_gen.inventory.schema import SCHEMA, Inventory
from anvil_gen.inventory.schema_host import GpuTable
from anvil_gen.inventory.schema_tier import TierTable
from anvil_gen.inventory.struct_errors import ErrorKind, StructError, decode_number, decode_valid
from anvil_gen.inventory.variables import Reference, put_back, take_references, warn_of_defaults
from anvil_gen.patterns import lazy_pattern
from anvil_gen.values import KeyPath

CODES: dict[ErrorKind, str] = {
    "unknown key": "unknown-key",
    "renamed key": "renamed-key",
    "missing key": "missing-key",
    "name": "invalid-name",
    "type": "wrong-type",
    "choice": "not-one-of-the-choices",
    "form": "invalid-form",
    "range": "number-out-of-range",
    "NUL": "nul-character",
}

_LONGEST_NAME = 31
"""Characters of a client's name at most, where it has to be told from a key or a digest."""

# What may hold a NUL, or a whole number of more than 64 bits: msgspec accepts both. Within a UUID, `0b` is no number.
_UNREADABLE = lazy_pattern(r"\\[uUx]|\x00|[0-9_]{19}|(?<![\w-])0[xob]")


def parse(collector: Collector) -> Inventory:
    """Return the inventory of a document; what is wrong goes to ``collector``, and is left out of the result.

    Raises:
        DiagnosticError: the document is of a format that this version does not read.
    """
    _check_version(collector, collector.document.data)
    data, references = take_references(collector, collector.document.data)
    inventory = _decode(collector, data, references)
    put_back(inventory, references)
    warn_of_defaults(collector, references)
    return inventory


def _decode(collector: Collector, data: dict[str, Any], references: Mapping[KeyPath, Reference]) -> Inventory:
    message = ""
    if not _UNREADABLE.search(collector.document.text):
        try:
            return msgspec.convert(data, Inventory, dec_hook=decode_number)
        except msgspec.ValidationError as error:
            message = str(error)
    data = _without_stray_keys(collector, data)
    decoded, struct_errors = decode_valid(data, Inventory)
    for struct_error in struct_errors:
        _report(collector, struct_error, references)
    if decoded is msgspec.UNSET:  # those errors may be told as fewer: what is not shown looks the same
        collector.raise_errors(ended=True)
    if message and not collector.diagnostics:  # never silently
        collector.add("not-of-the-inventory-format", (), message)
        raise DiagnosticError(collector.diagnostics)
    inventory: Inventory = decoded
    return inventory


def _check_version(collector: Collector, data: dict[str, Any]) -> None:
    version = data.get("schema")
    if version is None:
        collector.missing_key((), "schema", f"write schema = {SCHEMA} as the file's first line")
    elif type(version) is int and version > SCHEMA:
        raise DiagnosticError(
            [
                Diagnostic(
                    code="inventory-of-a-newer-format",
                    detail=f"it is written for schema {version}, and this anvil-gen reads {SCHEMA}",
                    remedy="install a newer anvil-gen",
                    address="schema",
                    location=collector.document.location(("schema",)),
                )
            ]
        )


def _without_stray_keys(collector: Collector, data: dict[str, Any]) -> dict[str, Any]:
    """Report keys of an entry that are in the table of all entries, and return the data without them."""
    valid = dict(data)
    for table, struct in (("tiers", TierTable), ("gpus", GpuTable)):
        entries = data.get(table)
        if not isinstance(entries, dict):
            continue
        stray = [key for key in entries if key in struct.__struct_fields__]
        plain = [key for key in stray if not isinstance(entries[key], dict)]
        if plain:
            detail = f'"{plain[0]}" is in [{table}] itself'
            collector.add("missing-name", (table, plain[0]), detail, f"a name is missing: [{table}.NAME]", key=True)
            valid[table] = {key: entry for key, entry in entries.items() if key not in stray}
            for path in [(table, key) for key in stray] if valid[table] else [(table,)]:
                collector.drop(path)
    return valid


def _report(collector: Collector, error: StructError, references: Mapping[KeyPath, Reference]) -> None:
    """Report an error, and note what is left out because of it."""
    path, at_key = error.path, error.at_key
    if _may_name_a_key(collector, error):
        path, at_key = path[:2], False
    remedy = _inventory_remedy(collector, error) or error.remedy
    at = path
    if path in references:
        at = (*path, references[path].key)
        remedy += "; or leave the default out" if references[path].mark == PASSED_ON else ""
    collector.add(CODES[error.kind], at, error.detail, remedy, key=at_key)
    if error.kept:
        collector.invalid_name(path)
    else:
        collector.drop(path)


def _may_name_a_key(collector: Collector, error: StructError) -> bool:
    """Tell whether a path may hold a secret: who mixes up names and keys has one in it.

    Next to a text that is no name, since it is too long for one, a name is one.
    """
    table, value = error.path[:2], collector.value_at(error.path)
    if table not in CLIENT_KEYS:
        return False
    is_digest = isinstance(value, str) and len(value) > _LONGEST_NAME
    return table == ("router", "api_key_env") or error.kind == "name" or not is_digest


def _inventory_remedy(collector: Collector, error: StructError) -> str:
    """Return what to write where the inventory's own rules say more than the type."""
    key = error.path[-1] if error.path else ""
    value = collector.value_at(error.path)
    if error.kind == "type" and error.path[:2] in CLIENT_KEYS:
        return CLIENT_KEYS[error.path[:2]]
    if error.kind == "type" and key in ("model", "draft_model") and isinstance(value, str):
        kind = "repo" if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", value) else "path"
        return f'write {key} = {{ {"file" if value.endswith(".gguf") else kind} = "{value}" }}'
    return ""
