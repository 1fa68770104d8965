"""The documents cannot lie: what is generated is up to date, and every key, verb and option is in it."""

from __future__ import annotations

import re
import tomllib

import click
import msgspec
import pytest
from generate_docs import commands, pages
from keys_pages import DATA_TABLES, TABLES
from places import REPOSITORY

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.health import Health
from anvil_gen.catalog.json_schema import DATA, data_schema
from anvil_gen.catalog.metrics import Metrics
from anvil_gen.cli.main import VERBS, cli
from anvil_gen.cli.views.diagnostics import diagnostic_json
from anvil_gen.diagnostic_codes import SUMMARIES
from anvil_gen.diagnostics import Diagnostic
from anvil_gen.inventory.json_schema import inventory_schema

PAGES: dict[str, str] = pages()
TOP = click.Context(cli, info_name="anvil-gen")


@pytest.mark.parametrize("path", sorted(PAGES))
def test_a_generated_page_is_up_to_date(path: str) -> None:
    written = (REPOSITORY / path).read_text("utf-8")

    assert written == PAGES[path], f"{path} is not up to date; to mend it:\n\n    make docs\n"


def test_no_page_of_a_removed_engine_is_left() -> None:
    written = sorted(path.stem for path in (REPOSITORY / "docs" / "engines").glob("*.md"))

    assert written == Catalog().names("engines")


COLUMNS = ["key", "type", "unit", "default", "example", "meaning"]


def rows(page: str) -> dict[str, dict[str, dict[str, str]]]:
    """Return the cells of a page's tables by heading, key and column."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    heading, columns = "", list[str]()
    for line in page.split("\n"):
        if line.startswith("## "):
            heading, columns = line.removeprefix("## ").strip("`"), []
        elif line.startswith("| ") and not line.startswith("| ---"):
            cells = [cell.strip() for cell in line.strip("|").replace("\\|", "/").split("|")]
            if columns:
                found.setdefault(heading, {})[cells[0].strip("`")] = dict(zip(columns, cells, strict=True))
            else:
                columns = cells
    return found


def test_every_key_is_documented() -> None:
    """A key is missing, or has no type, unit, default, example or meaning ("-" says that it has none)."""
    tables = {struct: title for title, (struct, _) in TABLES.items()}
    page = rows(PAGES["docs/inventory.md"])
    missing = []
    for struct, definition in inventory_schema()["$defs"].items():
        for key in definition["properties"]:
            cells = page.get(tables.get(struct, ""), {}).get(key, {})
            missing += [f"{struct}.{key}: {column}" for column in COLUMNS if not cells.get(column)]
            missing += [f"{struct}.{key}: an example"] if cells.get("example") == "-" else []

    assert missing == []


UNITS = ("_mib", "_length", "_size", "_period", "_utilization", "_memory", "_files", "_sequences")


def test_what_has_a_unit_tells_it() -> None:
    page = rows(PAGES["docs/inventory.md"])
    missing = [
        f"{title}: {key}"
        for title, keys in page.items()
        for key, cells in keys.items()
        if key.endswith((*UNITS, "interval", "timeout")) and cells["unit"] == "-"
    ]

    assert missing == []


HABITS = ("init", "restart", "stop_grace_period", "start_period", "log_max_size", "log_max_files")


@pytest.mark.parametrize("name", Catalog().names("engines"))
def test_every_habit_of_an_engine_has_its_reason(name: str) -> None:
    catalog = Catalog()
    engine = catalog.engine(name)
    assert engine is not None
    told = rows(PAGES[f"docs/engines/{name}.md"])["Habits of its services"]
    wanted = [*HABITS, *(key for key in ("ipc", "shm_size") if key in engine.defaults)]

    assert [key for key in wanted if not told.get(key, {}).get("why")] == []
    # One that an engine shares with all others needs to be true of all of them.
    assert engine.own_command or {"stop_grace_period", "start_period"} <= engine.reasons.keys()


def test_every_verb_and_option_is_documented() -> None:
    sections = dict(part.split("\n", 1) for part in PAGES["docs/cli.md"].split("\n## ")[1:])
    found = {context.command_path: context.command for context in commands(TOP)}
    missing = [
        f"{name} {option}"
        for name, command in found.items()
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option not in sections[name]
    ]

    assert list(sections) == list(found)
    assert {f"anvil-gen {name}" for name in VERBS} <= found.keys()
    assert missing == []


def test_verbs_of_a_group_are_documented_too() -> None:
    assert "\n## anvil-gen experiment up\n" in PAGES["docs/cli.md"]


def test_every_code_is_documented() -> None:
    page = PAGES["docs/errors.md"]

    assert re.findall(r"^\| `(.+)` \| (.+) \|$", page, re.MULTILINE) == list(SUMMARIES.items())


def test_every_key_of_a_diagnostic_is_documented() -> None:
    shown = diagnostic_json(Diagnostic(code="internal-error"))

    assert [key for key in shown if f"`{key}`" not in PAGES["docs/errors.md"]] == []


@pytest.mark.parametrize("name", Catalog().names("engines"))
def test_every_flag_of_an_engine_is_documented(name: str) -> None:
    engine = Catalog().engine(name)
    assert engine is not None
    page = PAGES[f"docs/engines/{name}.md"]

    flags = [flag for named in engine.fields.values() for flag in ((named,) if isinstance(named, str) else named)]
    assert [flag for flag in flags if f"`--{flag}`" not in page] == []
    assert [quirk.reason for quirk in engine.quirks if quirk.reason not in page] == []


def test_the_example_of_an_engine_is_one() -> None:
    example = (REPOSITORY / "docs" / "templates.md").read_text("utf-8").split("```toml\n")[1].partition("```")[0]

    assert msgspec.convert(tomllib.loads(example), Engine).flag_fields["ctx"] == "context_length"


@pytest.mark.parametrize("kind", DATA)
def test_every_key_of_a_data_file_is_documented(kind: str) -> None:
    _, tables = DATA_TABLES[kind]
    definitions = data_schema(kind)["$defs"]
    others = {DATA[kind].__name__, Health.__name__, Metrics.__name__} - {*tables.values()}
    page = PAGES["docs/template-data.md"]
    required = [key for struct in tables.values() for key in definitions[struct].get("required", ())]

    assert {*tables.values(), *others} >= definitions.keys()
    assert [key for key in required if not re.search(rf"\| `{key}` \|.*\| \*\*required\*\* \|", page)] == []
