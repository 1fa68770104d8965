"""Compose's secrets and configs: declared once, and in the file of each service that names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from inventories import compared

from anvil_gen.deploy.pipeline import Generator

HEAD = """schema = 1
[secrets.hub_token]
environment = "HF_TOKEN"
[secrets.key]
file = "secret/key.txt"
[configs.search]
content = { interpolate = "limit: ${LIMIT:-5}\\n" }
"""
TIER = '[tiers.chat]\nengine = "custom"\nimage = "x:1"\nport = 8000\n'


def rendered(folder: Path, text: str) -> dict[str, Any]:
    """Return what an inventory renders to, its compose files parsed."""
    (folder / "box.toml").write_text(HEAD + text, "utf-8")
    files = Generator().render(folder / "box.toml", output=folder / "tree").tree.files
    return {path: yaml.safe_load(one) if path.endswith(".yml") else one for path, one in files.items()}


def test_a_service_has_what_it_names_in_its_file(tmp_path: Path) -> None:
    service = '[services.ui]\nimage = "x:1"\nsecrets = ["key"]\nconfigs = [{ source = "search", target = "/s.yml" }]\n'
    files = rendered(tmp_path, f"{TIER}{service}")

    file = files["services/ui.yml"]
    assert file["secrets"] == {"key": {"file": "../../secret/key.txt"}}
    assert file["configs"] == {"search": {"content": "limit: ${LIMIT:-5}\n"}}
    assert "LIMIT" in files[".env.example"]
    assert "secrets" not in files["tiers/chat.yml"]


def test_a_tier_has_them_too_and_the_variable_is_one_of_the_tree(tmp_path: Path) -> None:
    files = rendered(tmp_path, f'{TIER}secrets = ["hub_token"]\nconfigs = ["search"]\n')

    assert files["tiers/chat.yml"]["secrets"] == {"hub_token": {"environment": "HF_TOKEN"}}
    assert files["tiers/chat.yml"]["services"]["chat"]["configs"] == ["search"]
    assert "HF_TOKEN" in files[".env.example"]


def test_a_build_has_its_secrets(tmp_path: Path) -> None:
    files = rendered(tmp_path, f'{TIER}build = {{ context = "image", secrets = ["hub_token"] }}\n')

    assert files["tiers/chat.yml"]["secrets"] == {"hub_token": {"environment": "HF_TOKEN"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f'{TIER}secrets = [▸"hub_tokn"]\n',
            ("reference to something undefined", "tiers.chat.secrets[0]", "add a table"),
        ),
        (f'[configs.x]\n▸contents = "a"\n{TIER}configs = ["x"]\n', ("unknown key", "configs.x.contents", "content")),
        (f"[▸secrets.spare]\nfile = 'x'\n{TIER}", ("declared but not used", "secrets.spare", "name it, or remove it")),
        (
            f'[configs.x]\n▸content = "api_key: sk-abcdefghijklmnopqrst1234"\n{TIER}configs = ["x"]\n',
            ("secret in the inventory", "configs.x.content", "name a variable"),
        ),
    ],
)
def test_what_is_wrong_with_one(text: str, expected: tuple[str, str, str], tmp_path: Path) -> None:
    found, wanted = compared(f"schema = 1\n{text}", [expected], tmp_path)

    assert found == wanted
