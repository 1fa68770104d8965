"""The proof finds a template that says something else than the model, whatever is wrong with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from anvil_gen import templating
from anvil_gen.catalog import shipped_templates
from anvil_gen.diagnostics import InternalError
from anvil_gen.generate import Generator

INVENTORY = """
schema = 1
[tiers.tier]
engine = "vllm"
model = { path = "/models/m" }
served_name = "it's-$HOME"
environment.X = "%s"
restart = "no"
"""
HOSTILE = ["plain", "a: b", "x #y", "null", "1e3", "line\\nbreak", "${HOME}", "it's", '\\"', "- a", "\\u0085", "{a: b}"]


def render(folder: Path, value: str) -> dict[str, str]:
    """Render an inventory that holds ``value``."""
    (folder / "hosts").mkdir(exist_ok=True)
    inventory = folder / "hosts" / "box.toml"
    inventory.write_text(INVENTORY % value, "utf-8")
    return dict(Generator().render(inventory).tree.files)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_is_proven(value: str, tmp_path: Path) -> None:
    assert "tiers/tier.yml" in render(tmp_path, value)


@pytest.mark.parametrize("value", [value for value in HOSTILE if value != "plain"])
def test_a_broken_quoter_is_found(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(templating.QUOTES, "yaml", str)

    with pytest.raises(InternalError, match="does not"):
        render(tmp_path, value)


BROKEN_TEMPLATES = [
    ("{{ variable.name | key }}: {{ variable.value }}", "{{ variable.name | key }}: {{ variable.value[:3] }}"),
    ("    image: {{ service.image }}\n", "    image: {{ service.image.upper() }}\n"),
    ("    restart: {{ service.restart }}\n", "{% if service.restart == 'no' %}\n    restart: always\n{% endif %}\n"),
]


@pytest.mark.parametrize(("old", "new"), BROKEN_TEMPLATES)
def test_a_template_that_changes_a_value_is_found(old: str, new: str, tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "compose"
    folder.mkdir(parents=True)
    text = (shipped_templates() / "compose" / "service.yml.j2").read_text("utf-8")
    assert old in text
    (folder / "service.yml.j2").write_text(text.replace(old, new), "utf-8")

    with pytest.raises(InternalError, match=r"tiers/tier\.yml does not say what the model says"):
        render(tmp_path, "plain-value")


def test_a_difference_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(templating.QUOTES, "yaml", str)
    with pytest.raises(InternalError):
        render(tmp_path, "a: b")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["hosts"]
    shutil.rmtree(tmp_path / "hosts")
