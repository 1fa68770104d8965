"""The committed JSON Schema, what it takes and refuses, and that every key in it is described."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from anvil_gen.inventory.json_schema import inventory_schema, schema_text

REPOSITORY = Path(__file__).parent.parent
COMMITTED = REPOSITORY / "templates" / "inventory.schema.json"
HOSTS = sorted((REPOSITORY / "hosts").glob("*.toml"))


def options() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every key of every table, with its schema."""
    for table, definition in inventory_schema()["$defs"].items():
        for name, option in definition["properties"].items():
            yield f"{table}.{name}", option


def test_the_committed_schema_is_generated() -> None:
    """To mend it: make schema."""
    assert COMMITTED.read_text("utf-8") == schema_text()


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(schema_text()))


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.stem)
def test_an_inventory_names_and_keeps_its_schema(host: Path) -> None:
    text = host.read_text("utf-8")
    named = text.splitlines()[0].removeprefix("#:schema ")

    assert (host.parent / named).resolve() == COMMITTED
    assert list(Draft202012Validator(inventory_schema()).iter_errors(tomllib.loads(text))) == []


@pytest.mark.parametrize(("name", "option"), list(options()))
def test_every_key_is_described(name: str, option: dict[str, Any]) -> None:
    described = (
        option.get("description") or inventory_schema()["$defs"][option["$ref"].rpartition("/")[2]]["description"]
    )

    assert len(described) > 10, name
    assert described.endswith("."), name
