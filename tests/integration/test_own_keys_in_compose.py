"""What an inventory may write in Compose's own keys is what the real Compose accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tomlkit
from compose_cli import ComposeError, compose_config
from effort import examples
from hypothesis import event, given
from own_keys import services

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import DiagnosticError

if TYPE_CHECKING:
    from pathlib import Path

GENERATOR = Generator()


def refusals(inventory: dict[str, Any], folder: Path) -> tuple[list[str], str]:
    """Return what is told of an inventory, and what Compose says of its tree; nothing where there is none."""
    (folder / "box.toml").write_text(tomlkit.dumps({"schema": 1, **inventory}), "utf-8")
    try:
        tree = GENERATOR.render(folder / "box.toml").tree
    except DiagnosticError as error:
        return [f"{one.address}: {one.summary}: {one.detail}" for one in error.diagnostics], ""
    for path, text in tree.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    try:
        compose_config(folder)
    except ComposeError as error:
        return [], str(error)
    return [], ""


def boxed(**tables: Any) -> dict[str, Any]:
    tier = {"engine": "custom", "image": "y", "port": 9000, "bind": False, "service": "other"}
    return {"tiers": {"ab": {**tier, **tables.pop("tier", {})}}, **tables}


@examples(12)
@given(service=services())
def test_a_service_that_is_accepted(service: dict[str, Any], tmp_path: Path) -> None:
    told, refused = refusals(boxed(services={"ui": service}), tmp_path)
    event("refused" if told else "accepted")

    assert not refused, service


@examples(12)
@given(override=services())
def test_an_override_that_is_accepted(override: dict[str, Any], tmp_path: Path) -> None:
    tables = {"other": {"image": "z"}}
    told, refused = refusals(boxed(tier={"service": "ab", "override": override}, services=tables), tmp_path)
    event("refused" if told else "accepted")

    assert not refused, override
