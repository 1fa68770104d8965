"""From a TOML document to an `Inventory`: keys, types and ranges, all faults at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import msgspec

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, did_you_mean, listing
from anvil_gen.inventory import SCHEMA, Inventory
from anvil_gen.model import KeyPath, Number
from anvil_gen.report import Report

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_TYPES = {
    "string": "text in quotes",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table",
}


def parse(report: Report) -> Inventory:
    """Return the inventory of a document; what is wrong goes to ``report``, and is left out of the result.

    Raises:
        DiagnosticError: the document is of a format that this version does not read.
    """
    data = report.document.data
    _check_version(report)
    _check_characters(report)
    try:
        inventory = msgspec.convert(data, Inventory, dec_hook=_decode)
    except msgspec.ValidationError:
        return _listed(report)
    for path, fraction in _fractions(inventory):
        if not 0 < fraction <= 1:
            report.add(
                "number out of range", path, f"{fraction} is not above 0 and at most 1", "write 0.9, for example"
            )
    return inventory


def _decode(kind: type, value: Any) -> Any:
    if isinstance(value, kind):
        return value
    if kind is Number and type(value) is int:
        return Number(str(value))
    raise ValueError(f"Expected `float`, got `{type(value).__name__}`")


def _fractions(inventory: Inventory) -> Iterator[tuple[KeyPath, Number]]:
    """Yield the numbers whose range msgspec cannot check, since they keep their spelling."""
    for name, tier in inventory.tiers.items():
        if isinstance(tier.gpu_memory_utilization, Number):
            yield ("tiers", name, "gpu_memory_utilization"), tier.gpu_memory_utilization
    experiment = inventory.experiment
    if experiment is not msgspec.UNSET and isinstance(experiment.gpu_memory_utilization, Number):
        yield ("experiment", "gpu_memory_utilization"), experiment.gpu_memory_utilization


def _check_version(report: Report) -> None:
    data = report.document.data
    version = data.get("schema")
    if version is None:
        if "schema" not in data:
            remedy = f"write schema = {SCHEMA} as the file's first line"
            report.add("missing key", (), '"schema" is not set', remedy)
    elif type(version) is int and version > SCHEMA:
        raise DiagnosticError(
            [
                Diagnostic(
                    summary="inventory of a newer format",
                    detail=f"it is written for schema {version}, and this anvil-gen reads {SCHEMA}",
                    remedy="install a newer anvil-gen: python -m pip install --upgrade anvil-gen",
                    address="schema",
                    location=report.document.location(("schema",)),
                )
            ]
        )


def _check_characters(report: Report) -> None:
    """Report NUL, which no argument, path or variable can hold."""
    if "\\u" not in report.document.text and "\0" not in report.document.text:
        return
    for path, text, key in _strings(report.document.data, ()):
        if "\0" in text:
            report.add("NUL character", path, "no path, argument or variable can hold it", "remove it", key=key)


def _strings(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str, bool]]:
    if isinstance(value, str):
        yield path, value, False
    elif isinstance(value, dict):
        for key, child in value.items():
            yield (*path, key), key, True
            yield from _strings(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _strings(child, (*path, index))


def _listed(report: Report) -> Inventory:
    """Report every structural fault, and return the inventory without what is wrong."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  slow to import, and only errors need it

    from anvil_gen.schema import inventory_schema  # noqa: PLC0415

    wrong: list[KeyPath] = []
    data = report.document.data
    for error in Draft202012Validator(inventory_schema()).iter_errors(data):
        for path in _report(report, error):
            wrong.append(path)
    pruned = _copied(data)
    # Longest first: a list's later items before its earlier ones, children before parents.
    for path in sorted(wrong, key=lambda path: (len(path), str(path)), reverse=True):
        _remove(pruned, path)
    try:
        return msgspec.convert(pruned, Inventory, dec_hook=_decode)
    except msgspec.ValidationError as error:
        if not wrong:
            report.add("not as the format wants it", (), str(error))
        raise DiagnosticError(report.diagnostics) from None


def _copied(value: Any) -> Any:
    """Copy the tables of a document; nothing else in it is changed."""
    return {key: _copied(child) for key, child in value.items()} if isinstance(value, dict) else value


def _remove(data: Any, path: KeyPath) -> None:
    """Remove the key of ``path``; for an item of a list the whole list's, since what it meant is not known."""
    table, key = data, path[0]
    for part in path[1:]:
        child = table.get(key)
        if not isinstance(child, dict):
            break
        table, key = child, part
    table.pop(key, None)


def _report(report: Report, error: ValidationError) -> Iterator[KeyPath]:
    """Report one error of the schema's validator; yield the paths that are wrong by it."""
    path: KeyPath = tuple(error.absolute_path)
    kind = error.validator
    schema: Any = error.schema
    if kind == "required":  # told by the stage that needs the key
        return
    if kind == "additionalProperties":
        known = schema["properties"]
        for key in cast("dict[str, Any]", error.instance):
            if key not in known:
                _unknown_key(report, (*path, key), known)
                yield (*path, key)
    elif "propertyNames" in error.absolute_schema_path:
        name = str(error.instance)
        remedy = _example(error.schema) or "write another name"
        report.add("name that is not allowed", (*path, name), f'"{name}"', remedy, key=True)
        yield (*path, name)
    else:
        summary, detail = _told(error)
        report.add(summary, path, detail, _example(schema))
        yield path


def _unknown_key(report: Report, path: KeyPath, known: dict[str, Any]) -> None:
    remedy = did_you_mean(str(path[-1]), known) or f"keys here: {listing(known, limit=40)}"
    report.add("unknown key", path, f'"{path[-1]}" is no key of this table', remedy, key=True)


def _told(error: ValidationError) -> tuple[str, str]:
    """Return summary and detail of an error about one value."""
    schema: Any = error.schema
    value: Any = error.instance
    if error.validator in ("minimum", "maximum", "exclusiveMinimum"):
        low, high = schema.get("minimum"), schema.get("maximum")
        if "exclusiveMinimum" in schema:
            bounds = f"above {schema['exclusiveMinimum']} and at most {high}"
        elif high is None:
            bounds = f"{low} or more"
        else:
            bounds = f"from {low} to {high}" if low != high else str(low)
        return "number out of range", f"{value} is not {bounds}"
    if error.validator == "enum":
        return "not one of the choices", f"{_shown(value)} is none of: {', '.join(map(_shown, schema['enum']))}"
    if error.validator in ("pattern", "minLength"):
        return "not of the right form", _shown(value)
    wanted = schema.get("type") or [choice.get("type", "") for choice in schema.get("anyOf", ())]
    words = [_TYPES.get(kind, "false") for kind in ([wanted] if isinstance(wanted, str) else wanted)]
    return "wrong type", f"{_shown(value)} is {_type_name(value)}; it should be {' or '.join(words)}"


def _example(schema: Any) -> str:
    if not isinstance(schema, dict):
        return ""
    description, examples = schema.get("description", ""), schema.get("examples", ())
    shown = ", ".join(_shown(example) for example in examples)
    return f"{description} For example: {shown}" if shown else description


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        short = value if len(value) <= 60 else value[:57] + "…"
        return f'"{short}"'
    if isinstance(value, dict | list):
        return "this"
    return str(value)


def _type_name(value: Any) -> str:
    names = {bool: "a boolean", str: "text", int: "a whole number", dict: "a table", list: "a list"}
    return names.get(type(value), "a number" if isinstance(value, float) else "a date or time")
