"""docs/recipes.md: each recipe renders, and Docker Compose reads what comes out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from compose_cli import compose_config
from places import REPOSITORY
from running import anvil_gen

_FILE = re.compile(r"^`(?P<path>[^`]+)`:\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SECTIONS = (REPOSITORY / "docs" / "recipes.md").read_text("utf-8").split("\n## ")[1:]
RECIPES = {section.partition("\n")[0]: section for section in _SECTIONS if _FILE.search(section)}


def laid_down(folder: Path, recipe: str) -> dict[str, dict[str, Any]]:
    """Write the files of a recipe, render them, and return what Compose makes of each host."""
    for file in _FILE.finditer(RECIPES[recipe]):
        path = folder / file["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file["text"], "utf-8")
    rendered = anvil_gen("render", "--all", cwd=folder)
    assert (rendered.code, rendered.stderr) == (0, "")
    hosts = [path.stem for path in sorted((folder / "hosts").glob("*.toml"))]
    return {host: compose_config(folder / "deploy" / host, env=_values(folder / "deploy" / host)) for host in hosts}


def _values(tree: Path) -> dict[str, str]:
    example = (tree / ".env.example").read_text("utf-8")
    return dict.fromkeys(re.findall(r"(?m)^#? ?([A-Z_]+)=", example), "x")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_renders_without_a_warning(recipe: str, tmp_path: Path) -> None:
    for config in laid_down(tmp_path, recipe).values():
        assert {"router"} < set(config["services"])


def test_services_wait_for_health(tmp_path: Path) -> None:
    (services,) = (config["services"] for config in laid_down(tmp_path, next(iter(RECIPES))).values())

    waits = {name: one["condition"] for name, one in services["ui"]["depends_on"].items()}
    assert waits == dict.fromkeys(("chat", "db", "router"), "service_healthy")
    assert all("healthcheck" in services[name] for name in waits)
    assert services["ui"]["environment"]["DATABASE_URL"] == "postgresql://ui:x@db:5432/ui"
    (mount,) = services["search"]["volumes"]
    assert Path(mount["source"]).read_text("utf-8").startswith("use_default_settings")


def test_the_address_of_a_recipe_is_that_of_other_machines(tmp_path: Path) -> None:
    laid_down(tmp_path, "Other machines of the network, with TLS")

    assert anvil_gen("client", "box", cwd=tmp_path).stdout.startswith("https://box.lan:8443/v1  ")
