"""The page that maps fields to Compose's keys and engines' flags, in both directions."""

from __future__ import annotations

from collections.abc import Iterable

from page_parts import table

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.engine import Engine
from anvil_gen.inventory.compose_fields import COMPOSE_KEYS, ELSEWHERE, FROM_COMPOSE
from anvil_gen.inventory.schema_tier import TierTable


def fields_page(catalog: Catalog) -> list[str]:
    """Return the lines of docs/fields.md."""
    engines = {name: engine for name in catalog.names("engines") if (engine := catalog.engine(name)) is not None}
    head = ("field", "Compose", *(engine.title for engine in engines.values() if not engine.own_command))
    return [
        "# Fields, and what they become",
        "",
        "For readers of generated files, and of files that were written by hand. A flag or variable in an engine's",
        "column is how that engine is told; `-` is neither, and a field that is told in no other way is refused there.",
        "",
        "## From a tier's field",
        "",
        *table(head, (_row(field, list(engines.values())) for field in TierTable.__struct_fields__)),
        "",
        "## From a key of a Compose service",
        "",
        *table(("Compose", "fields"), ((f"`{key}`", fields) for key, fields in FROM_COMPOSE.items())),
        "",
        "Every other key goes into `override`, in Compose's own form.",
        "",
        "## From a flag or variable of an engine",
        "",
        *table(
            ("engine", "flag or variable", "field"), (row for engine in engines.values() for row in _reverse(engine))
        ),
    ]


def _row(field: str, engines: Iterable[Engine]) -> list[str]:
    compose = ", ".join(f"`{key}`" for key in COMPOSE_KEYS.get(field, ())) or ELSEWHERE.get(field, "`command`")
    return [
        f"`{field.rstrip('_')}`",
        compose,
        *(_of_engine(field, engine) for engine in engines if not engine.own_command),
    ]


def _of_engine(field: str, engine: Engine) -> str:
    flags = [
        f"`--{flag}`"
        for name, named in engine.fields.items()
        if field in (name, name.partition(".")[0], _FIELD_OF.get(name))
        for flag in ((named,) if isinstance(named, str) else named)
    ]
    variable = engine.field_env.get(field)
    if field == "model" and any("{model}" in part for part in engine.command):
        flags.append("first argument")
    return ", ".join([*dict.fromkeys(flags), *([f"`{variable}`"] if variable else [])]) or "-"


_FIELD_OF = {"revision": "model"}
"""What a flag says that no field of that name says -> the field that it follows from."""


def _reverse(engine: Engine) -> Iterable[tuple[str, str, str]]:
    for flag, field in engine.flag_fields.items():
        yield engine.title, f"`--{flag}`", f"`{_FIELD_OF.get(field, field)}`"
    for field, key in engine.json_keys.items():
        yield engine.title, f"`{key}` in the JSON of `--{engine.fields[field]}`", f"`{field}`"
    for field, variable in engine.field_env.items():
        yield engine.title, f"`{variable}`", f"`{field}`"
