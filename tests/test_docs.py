"""The documents cannot lie: what is generated is up to date, and every key, verb and option is in it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import click
import pytest

from anvil_gen.catalog import Catalog
from anvil_gen.cli import VERBS, cli
from anvil_gen.schema import inventory_schema

REPOSITORY = Path(__file__).parent.parent


def generator() -> ModuleType:
    """Return scripts/generate_docs.py as a module."""
    spec = importlib.util.spec_from_file_location("generate_docs", REPOSITORY / "scripts" / "generate_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES: dict[str, str] = generator().pages()


@pytest.mark.parametrize("path", sorted(PAGES))
def test_a_generated_page_is_up_to_date(path: str) -> None:
    """To mend it: make docs."""
    assert (REPOSITORY / path).read_text("utf-8") == PAGES[path]


def test_no_page_of_a_removed_engine_is_left() -> None:
    written = sorted(path.stem for path in (REPOSITORY / "docs" / "engines").glob("*.md"))

    assert written == Catalog().names("engines")


def test_every_key_is_documented() -> None:
    page = PAGES["docs/inventory.md"]
    tables = set(generator().TABLES.values())
    definitions = inventory_schema()["$defs"]
    missing = [
        f"{struct}.{key}"
        for struct, definition in definitions.items()
        for key in definition["properties"]
        if struct not in {name for name, _ in tables} or f"| `{key}` |" not in page
    ]

    assert missing == []


def test_every_verb_and_option_is_documented() -> None:
    page = PAGES["docs/cli.md"]
    commands = {name: cli.get_command(click.Context(cli), name) for name in VERBS}
    missing = [
        f"{name} {option}"
        for name, command in commands.items()
        if command is not None
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if f"## anvil-gen {name}\n" not in page or option not in page
    ]

    assert missing == []


@pytest.mark.parametrize("name", Catalog().names("engines"))
def test_every_flag_of_an_engine_is_documented(name: str) -> None:
    engine = Catalog().engine(name)
    assert engine is not None
    page = PAGES[f"docs/engines/{name}.md"]

    flags = [flag for named in engine.options.values() for flag in ((named,) if isinstance(named, str) else named)]
    assert [flag for flag in flags if f"`--{flag}`" not in page] == []
    assert [quirk.reason for quirk in engine.quirks if quirk.reason not in page] == []


def test_the_templates_page_names_every_key_of_an_engine() -> None:
    page = (REPOSITORY / "docs" / "templates.md").read_text("utf-8")
    engine = Catalog().engine(Catalog().names("engines")[0])
    assert engine is not None

    assert [key for key in engine.__struct_fields__ if f"`{key}`" not in page and f"[{key}]" not in page] == []
