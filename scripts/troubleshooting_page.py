"""The page of troubles: what people see, and what becomes of it here."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from page_parts import NOTE, table

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.docker_conditions import docker_conditions

TROUBLES = Path(__file__).with_name("troubles.toml")
HEAD = ("trouble", "verdict", "here", "known from", "test")
HOST_TEST = "tests/unit/operate/doctor/test_host.py"
VERDICTS = {
    "does not happen": "it is right by default",
    "told": "`render`, `doctor` or `up` say it, before anything starts",
    "explained": "the cause is given after a failure",
    "to be said": "it is right once the inventory says it",
    "not offered": "it cannot be said",
}


def troubleshooting_page(catalog: Catalog) -> str:
    """Return the page of all troubles, by what people see."""
    lines = [
        NOTE,
        "# Troubleshooting",
        "",
        "Trouble that people have with model servers in containers, by what they see. What a log says is on",
        "[the engines' pages](engines) and in [failures.md](failures.md), what a message of anvil-gen means in",
        "[errors.md](errors.md). Verdicts:",
        "",
        *(f"- **{verdict}**: {meaning}" for verdict, meaning in VERDICTS.items()),
    ]
    for section in sections():
        rows = (
            [one.get(key, "") for key in ("see", "verdict", "here", "source", "test")] for one in section["trouble"]
        )
        lines += ["", f"## {section['title']}", "", *_table(rows)]
    lines += ["", "## The host, by `docker info`", "", "`anvil-gen doctor HOST` reports each with its command.", ""]
    hosts = ([one.trouble, "told", one.detail, one.source, HOST_TEST] for one in docker_conditions(catalog))
    return "\n".join([*lines, *_table(hosts), ""])


def sections() -> list[Mapping[str, Any]]:
    """Return the sections of the data, each with its troubles."""
    found: list[Mapping[str, Any]] = tomllib.loads(TROUBLES.read_text("utf-8"))["section"]
    return found


def _table(rows: Iterable[list[str]]) -> list[str]:
    return table(HEAD, ([*row[:4], f"`{row[4]}`"] for row in rows))
