"""The committed JSON Schemas, the files that name them, and that every key in them is described."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from places import REPOSITORY

from anvil_gen.catalog.json_schema import DATA, KINDS, data_schema, schema_text
from anvil_gen.inventory.json_schema import group_schema, inventory_schema

TEMPLATES = REPOSITORY / "templates"
SCHEMAS = {"inventory": inventory_schema(), "group": group_schema(), **{kind: data_schema(kind) for kind in DATA}}
FILES = [
    *(("inventory", path) for path in sorted((REPOSITORY / "hosts").glob("*.toml"))),
    *((kind, path) for kind in DATA for path in sorted(TEMPLATES.rglob(f"{kind}.toml"))),
]


def options() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every key of every table, with what describes it."""
    for kind, schema in SCHEMAS.items():
        for table, definition in schema["$defs"].items():
            for name, option in definition["properties"].items():
                told = option if "description" in option else schema["$defs"][option["$ref"].rpartition("/")[2]]
                yield f"{kind}: {table}.{name}", told


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_schema_is_generated(kind: str) -> None:
    """To fix it: make schema."""
    assert (TEMPLATES / f"{kind}.schema.json").read_text("utf-8") == schema_text(kind)


def test_every_schema_belongs_to_a_kind() -> None:
    assert sorted(path.name for path in TEMPLATES.glob("*.schema.json")) == sorted(f"{k}.schema.json" for k in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_is_a_schema(kind: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[kind])


@pytest.mark.parametrize(
    ("kind", "file"), FILES, ids=lambda value: value if isinstance(value, str) else "/".join(value.parts[-3:])
)
def test_a_file_names_and_keeps_its_schema(kind: str, file: Path) -> None:
    text = file.read_text("utf-8")
    named = text.splitlines()[0].removeprefix("#:schema ")

    assert (file.parent / named).resolve() == TEMPLATES / f"{kind}.schema.json"
    assert list(Draft202012Validator(SCHEMAS[kind]).iter_errors(tomllib.loads(text))) == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("engine", 'title = "x"\ndocs = "x"\n'),
        ("engine", 'title = "x"\ndocs = "x"\nvendors = []\n[images.nvidia]\nlatest = "x"\n'),
        ("engine", 'title = "x"\ndocs = "x"\nvendors = []\n[options]\n'),
        ("router", 'title = "x"\n'),
        ("gpu", 'title = "x"\n'),
        ("log", '[[stage]]\nwords = "x"\n'),
    ],
)
def test_a_schema_refuses_what_the_program_refuses(kind: str, text: str) -> None:
    assert list(Draft202012Validator(SCHEMAS[kind]).iter_errors(tomllib.loads(text))) != []


@pytest.mark.parametrize(("name", "described"), list(options()))
def test_every_key_is_described(name: str, described: dict[str, Any]) -> None:
    assert len(described["description"]) > 10, name
    assert described["description"].endswith("."), name
