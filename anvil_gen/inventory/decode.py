"""From a TOML document to an `Inventory`: keys, types and ranges, all faults at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec.structs import replace

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, did_you_mean, join_words
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.schema import RENAMED, REQUIRED, SCHEMA, GpuTable, Inventory, TierTable
from anvil_gen.inventory.toml_file import decode
from anvil_gen.values import KeyPath, Number, address

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

_TYPES = {
    "string": "text in quotes",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table",
}

# What may hold a NUL, or a whole number of more than 64 bits.
_UNREADABLE = re.compile(r"\\[uUx]|\x00|[0-9_]{19}|0[xob]")


def parse(collector: Collector) -> Inventory:
    """Return the inventory of a document; what is wrong goes to ``collector``, and is left out of the result.

    Raises:
        DiagnosticError: the document is of a format that this version does not read.
    """
    data = _renamed(collector, _readable(collector))
    _check_version(collector, data)
    try:
        return msgspec.convert(data, Inventory, dec_hook=decode)
    except msgspec.ValidationError:
        return _listed(collector, data)


def _check_version(collector: Collector, data: dict[str, Any]) -> None:
    version = data.get("schema")
    if version is None:
        collector.missing_key((), "schema", f"write schema = {SCHEMA} as the file's first line")
    elif type(version) is int and version > SCHEMA:
        raise DiagnosticError(
            [
                Diagnostic(
                    summary="inventory of a newer format",
                    detail=f"it is written for schema {version}, and this anvil-gen reads {SCHEMA}",
                    remedy="install a newer anvil-gen",
                    address="schema",
                    location=collector.document.location(("schema",)),
                )
            ]
        )


def _readable(collector: Collector) -> dict[str, Any]:
    """Return the document's data without the keys and values that no rendered file could hold."""
    data = collector.document.data
    if not _UNREADABLE.search(collector.document.text):
        return data
    wrong: list[KeyPath] = []
    for path, value, key in _scalars(data, ()):
        if isinstance(value, str) and "\0" in value:
            collector.add("NUL character", path, "no path, argument or variable can hold it", "remove it", key=key)
            wrong.append(path)
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            detail = "TOML's whole numbers have 64 bits"
            collector.add("number out of range", path, detail, "write a smaller number, or text in quotes")
            wrong.append(path)
    return _without(collector, data, wrong) if wrong else data


def _renamed(collector: Collector, data: dict[str, Any]) -> dict[str, Any]:
    """Return data with the present names of keys, so that an old name is one error and nothing follows from it."""
    for (table, old), new in RENAMED.items():
        keys = data.get(table)
        if not isinstance(keys, dict) or old not in keys:
            continue
        remedy = f"write {new} = {_shown(keys[old])}" if new not in keys else f'remove it: "{new}" is set'
        collector.add("renamed key", (table, old), f'"{old}" of [{table}] is now called "{new}"', remedy, key=True)
        others = {key: value for key, value in keys.items() if key != old}
        data = {**data, table: {new: keys[old], **others}}
    return data


def _scalars(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any, bool]]:
    """Yield every key (True) and every value that is no table or list (False)."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield (*path, key), key, True
            yield from _scalars(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _scalars(child, (*path, index))
    else:
        yield path, value, False


def _listed(collector: Collector, data: dict[str, Any]) -> Inventory:
    """Report every structural fault, and return the inventory without what is wrong."""
    data = _without(collector, data, list(_nameless(collector, data)))
    wrong: list[KeyPath] = []
    validator = _validator()
    for error in validator.iter_errors(data):
        # Of several faults at one place, the first says enough.
        wrong += [path for path in _report(collector, error, wrong) if path not in wrong]
    misnamed = [
        path for path in wrong if collector.has_invalid_name(path) and isinstance(data[str(path[0])][path[1]], dict)
    ]
    pruned = _without(collector, data, [path for path in wrong if path not in misnamed])
    # A table that has lost what it cannot be without goes too; that has been told.
    pruned = _without(collector, pruned, [path for error in validator.iter_errors(pruned) for path in _useless(error)])
    try:
        return _under_own_names(pruned, misnamed)
    except msgspec.ValidationError as error:
        # The schema knows less than the structs: never silently.
        collector.add("not as the format wants it", (), str(error))
        raise DiagnosticError(collector.diagnostics) from None


def _under_own_names(data: dict[str, Any], misnamed: list[KeyPath]) -> Inventory:
    """Return the inventory with its entries' names as they are written, also those that are not allowed."""
    taken = {name for entries in data.values() if isinstance(entries, dict) for name in entries}
    free = (name for name in (f"stand-in-{number}" for number in count()) if name not in taken)
    stand_ins = dict(zip(misnamed, free, strict=False))
    renamed = {
        table: {stand_ins.get((table, name), name): entry for name, entry in entries.items()}
        if isinstance(entries, dict)
        else entries
        for table, entries in data.items()
    }
    inventory = msgspec.convert(renamed, Inventory, dec_hook=decode)
    names = {stand_in: str(path[1]) for path, stand_in in stand_ins.items()}
    return replace(
        inventory,
        **{
            table: {names.get(name, name): entry for name, entry in getattr(inventory, table).items()}
            for table in {str(path[0]) for path in misnamed}
        },
    )


def _nameless(collector: Collector, data: dict[str, Any]) -> Iterator[KeyPath]:
    """Report keys of an entry that stand in the table of all entries; yield what is of no use by it."""
    for table, struct in (("tiers", TierTable), ("gpus", GpuTable)):
        entries = data.get(table)
        known = struct.__struct_fields__
        stray = [key for key in entries if key in known] if isinstance(entries, dict) else []
        plain = [key for key in stray if not isinstance(entries[key], dict)] if isinstance(entries, dict) else []
        if plain:
            detail = f'"{plain[0]}" stands in [{table}] itself'
            collector.add("missing name", (table, plain[0]), detail, f"a name is missing: [{table}.NAME]", key=True)
            yield from [(table,)] if len(stray) == len(cast("dict[str, Any]", entries)) else [(table, k) for k in stray]


def _validator() -> Validator:
    from jsonschema import Draft202012Validator  # noqa: PLC0415  slow to import, and only errors need it
    from jsonschema.validators import extend  # noqa: PLC0415

    from anvil_gen.inventory.json_schema import inventory_schema  # noqa: PLC0415

    # JSON takes 80.0 for a whole number, which TOML does not.
    types = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: type(value) is int,
            "number": lambda _, value: type(value) in (int, Number) and value == value,  # noqa: PLR0124  not nan
        }
    )
    kind = extend(Draft202012Validator, type_checker=types)  # type: ignore[no-untyped-call]
    return cast("Validator", kind(inventory_schema()))


def _without(collector: Collector, data: dict[str, Any], wrong: list[KeyPath]) -> dict[str, Any]:
    """Return data without the paths that are wrong; the collector remembers them."""
    pruned: dict[str, Any] = _copied(data)
    for path in wrong:
        collector.drop(path)
        _remove(pruned, path)
    return pruned


def _copied(value: Any) -> Any:
    """Copy the tables of a document; nothing else in it is changed."""
    return {key: _copied(child) for key, child in value.items()} if isinstance(value, dict) else value


def _remove(data: Any, path: KeyPath) -> None:
    """Remove the key of ``path``; for an item of a list the whole list's, since what it meant is not known."""
    table, key = data, path[0]
    for part in path[1:]:
        child = table.get(key)
        if not isinstance(child, dict):
            break  # an item of a list, or what a fault around it has removed already
        table, key = child, part
    table.pop(key, None)


def _lacking(collector: Collector, path: KeyPath, error: ValidationError) -> Iterator[KeyPath]:
    """Report the keys that a table lacks, unless the stage that needs them does; yield the table that is of no use."""
    schema: Any = error.schema
    if schema["title"] in REQUIRED:
        return
    for key in schema["required"]:
        if key not in cast("dict[str, Any]", error.instance):
            collector.add("missing key", path, f'"{key}" is not set', _example(schema["properties"][key]), key=True)
    yield path


def _useless(error: ValidationError) -> Iterator[KeyPath]:
    """Yield the table that lacks what it must have."""
    if error.validator == "required" and cast("dict[str, Any]", error.schema)["title"] not in REQUIRED:
        yield tuple(error.absolute_path)


def _report(collector: Collector, error: ValidationError, told: list[KeyPath]) -> Iterator[KeyPath]:
    """Report one error of the schema's validator, unless its place is among ``told``; yield what is wrong by it."""
    path: KeyPath = tuple(error.absolute_path)
    kind = error.validator
    schema: Any = error.schema
    if kind == "required":
        yield from _lacking(collector, path, error)
        return
    if kind == "additionalProperties":
        known = schema["properties"]
        for key in cast("dict[str, Any]", error.instance):
            if key not in known:
                _unknown_key(collector, (*path, key), known)
                yield (*path, key)
    elif "propertyNames" in error.absolute_schema_path:
        name = str(error.instance)
        if (*path, name) not in told:
            remedy = _example(error.schema) or "write another name"
            plain = _plain_name(name)
            if len(path) == 1 and re.search(schema["pattern"], plain):
                remedy = f"write {address((*path, plain))}. {remedy}"
            collector.add("name that is not allowed", (*path, name), _told(error)[1], remedy, key=True)
            if len(path) == 1:
                collector.invalid_name((*path, name))
        yield (*path, name)
    else:
        if path not in told:
            summary, detail = _told(error)
            collector.add(summary, path, detail, _remedy(error, path))
        yield path


def _plain_name(text: str) -> str:
    """Return the name that is nearest to a text: lower-case letters without accents, digits, and what joins them."""
    from unicodedata import combining, normalize  # noqa: PLC0415  only an error needs it

    letters = "".join(char for char in normalize("NFKD", text.lower()) if not combining(char))
    return re.sub("[^a-z0-9_.-]+", "-", letters).strip("-._")


def _unknown_key(collector: Collector, path: KeyPath, known: dict[str, Any]) -> None:
    remedy = did_you_mean(str(path[-1]), known) or f"keys here: {join_words(known, limit=40)}"
    if path[-1] in ("tensor_parallel", "tensor_parallel_size") and "gpus" in known:
        remedy = "remove it: it follows from gpus"
    collector.add("unknown key", path, f'"{path[-1]}" is no key of this table', remedy, key=True)


def _told(error: ValidationError) -> tuple[str, str]:
    """Return summary and detail of an error about one value."""
    value: Any = error.instance
    if error.validator == "anyOf" and isinstance(value, dict):
        return "not of the right form", 'a reference to a variable is { env = "NAME" }, and may have a default'
    closer = [inner for inner in error.context or () if inner.validator not in ("type", "enum")]
    return _told_of_value(closer[0] if closer else error)  # of a choice whose type does fit


def _told_of_value(error: ValidationError) -> tuple[str, str]:
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
    if error.validator == "maxLength":
        length = f"has {len(value)} characters, and may have {schema['maxLength']}"
        return "not of the right form", f"{_shown(value)} {length}"
    if error.validator == "minItems":
        return "not of the right form", "it is empty"
    if error.validator in ("pattern", "minLength"):
        return "not of the right form", _shown(value)
    if value != value:  # noqa: PLR0124  nan
        return "number out of range", "nan is not a number"
    words = [_TYPES[kind] for kind in _wanted(schema) if kind]
    words += [_shown(value) for choice in schema.get("anyOf", ()) for value in choice.get("enum", ())]
    return "wrong type", f"{_shown(value)} is {_type_name(value)}; it should be {' or '.join(words)}"


def _wanted(schema: dict[str, Any]) -> list[str]:
    """Return the types that a schema takes; an empty word for a choice that is a constant."""
    kind = schema.get("type")
    choices = schema.get("anyOf", ())
    return [kind] if kind else [choice.get("type", "object" if "$ref" in choice else "") for choice in choices]


def _remedy(error: ValidationError, path: KeyPath) -> str:
    """Return what to write instead of a wrong value."""
    schema: Any = error.schema
    value: Any = error.instance
    if error.validator == "enum":
        return did_you_mean(str(value), schema["enum"]) or _example(schema)
    if error.validator == "pattern":
        return _of_alternatives(str(value), schema)
    if error.validator not in ("type", "anyOf"):
        return _example(schema)
    if path[-1:] in (("model",), ("draft_model",)) and isinstance(value, str):
        kind = "repo" if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", value) else "path"
        return f'write {path[-1]} = {{ {"file" if value.endswith(".gguf") else kind} = "{value}" }}'
    wanted = _wanted(schema)
    if wanted == ["object"]:
        return f"write it as a table: [{address(path)}{_any_name(schema)}]{_few_keys(schema)}"
    if wanted == ["array"] and isinstance(value, str):
        return f'write it as a list: ["{value}"]'
    if wanted in (["integer"], ["number"]) and re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", str(value)):
        number = str(value).partition(".")[0] if wanted == ["integer"] else str(value)
        return f"write {number}"
    return _example(schema) or f'write it in quotes: "{_plain(value)}"'


def _of_alternatives(value: str, schema: dict[str, Any]) -> str:
    """Return the nearest of the words that a pattern is made of, or all of them."""
    match = re.match(r"\^\(\?:((?:[a-z-]+\|)+)([a-z-]+:?)", schema["pattern"])
    if match is None:
        return _example(schema)
    words = [*match[1].rstrip("|").split("|"), match[2]]
    plain = [word for word in words if not word.endswith(":")]
    choices = ", ".join(f"{word}NAME" if word.endswith(":") else word for word in words)
    return did_you_mean(value, plain) or f"{schema['description']} One of: {choices}"


def _few_keys(schema: dict[str, Any]) -> str:
    known = schema.get("properties", {})
    return f", with {join_words(known)}" if 0 < len(known) <= 6 else ""


def _any_name(schema: dict[str, Any]) -> str:
    """Return the further key of a table whose entries are tables too, under names of the user's."""
    entry = schema.get("additionalProperties")
    return ".NAME" if isinstance(entry, dict) and "$ref" in entry else ""


def _example(schema: Any) -> str:
    if not isinstance(schema, dict):
        return ""
    description, examples = schema.get("description", ""), schema.get("examples", ())
    shown = ", ".join(_shown(example) for example in examples)
    return f"{description} For example: {shown}" if shown else description


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        short = value if len(value) <= 60 else value[:57] + "…"
        return f'"{short}"'
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict | list):
        return "this"
    return _plain(value)


def _type_name(value: Any) -> str:
    names = {bool: "a boolean", str: "text", int: "a whole number", dict: "a table", list: "a list"}
    return names.get(type(value), "a number" if isinstance(value, float) else "a date or time")
