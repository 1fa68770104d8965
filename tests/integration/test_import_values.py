"""The import of sources whose `.env` has relative paths: with the same `.env`, the rendered tree has the same ones."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from compose_cli import LOCAL_BINARY, compose_config
from importing import GENERATOR, Importing

from anvil_gen.deploy.pipeline import write
from anvil_gen.importing.run import Request, run_import

SOURCE = """
services:
  chat:
    image: vllm/vllm-openai:v0.11.2
    command: --model /models/m
    ports: ["9000:8000"]
    volumes: ["${MODELS}:/models", "${CACHE:-./cache}:/root/.cache/huggingface"]
  ui:
    image: ui:1
    env_file: ${UI_ENV}
    environment: {MODELS: "${MODELS}"}
    volumes: ["${DATA:?is missing}/ui:/data", "./static:/static:ro"]
  tools:
    build: {context: "${TOOLS}"}
    volumes: [{type: bind, source: "${MODELS}", target: /models, read_only: true}]
"""
VALUES = "MODELS=./models\nUI_ENV=ui.env\nDATA=../data\nTOOLS=./tools\n"


@pytest.fixture
def importing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Importing:
    monkeypatch.setenv("PATH", str(LOCAL_BINARY.parent), prepend=":")
    found = Importing(tmp_path)
    found.write(".env", VALUES)
    found.write("ui.env", "FROM_FILE=yes\n")
    return found


def paths(config: dict[str, Any]) -> dict[str, Any]:
    """Return what services mount and are built from."""
    return {
        name: (
            sorted((mount["target"], mount["source"]) for mount in service.get("volumes", ())),
            service.get("build", {}).get("context"),
            service.get("environment"),
        )
        for name, service in config["services"].items()
    }


def test_the_rendered_tree_with_the_same_values_has_the_same_paths(importing: Importing) -> None:
    inventory = importing.write("hosts/box.toml", importing.proved(SOURCE))
    write([GENERATOR.render(inventory)])
    importing.write("deploy/box/.env", VALUES)
    found = paths(compose_config(importing.folder / "deploy" / "box", "docker-compose.yml"))
    source = paths(compose_config(importing.folder, "compose.yml"))

    assert found == source
    assert ("/models", f"{importing.folder}/models") in found["chat"][0]
    assert tomllib.loads(inventory.read_text("utf-8"))["host"] == {"project_directory": ".."}


@pytest.mark.parametrize("values", ["", "MODELS=/srv/models\nUI_ENV=/srv/ui.env\nDATA=~/data\nTOOLS=/srv\n"])
def test_without_relative_values_no_folder_is_named(importing: Importing, values: str) -> None:
    importing.write(".env", values)
    source = (
        SOURCE.replace("env_file: ${UI_ENV}", "").replace("${MODELS}", "${MODELS:-/m}").replace("./cache", "/cache")
    )

    assert "host" not in tomllib.loads(importing.proved(source))


def test_of_a_large_source(importing: Importing) -> None:
    services = "".join(f"  s{number}: {{image: x, volumes: ['${{MODELS}}:/m']}}\n" for number in range(60))

    assert tomllib.loads(importing.proved(f"services:\n{services}"))["host"] == {"project_directory": ".."}


def test_of_a_source_outside_of_the_fleet(importing: Importing, tmp_path: Path) -> None:
    importing.write("compose.yml", SOURCE)
    inventory = tmp_path / "fleet" / "hosts" / "box.toml"
    inventory.parent.mkdir(parents=True)
    found = run_import(Request(sources=[str(importing.folder / "compose.yml")], output=inventory), GENERATOR).imported

    assert found.residue == ()
    assert tomllib.loads(found.text)["host"] == {"project_directory": "../../box"}


def test_of_the_file_of_a_secret(importing: Importing) -> None:
    importing.write(".env", "TOKEN=token.txt\n")
    text = 'services: {ui: {image: "ui:1", secrets: [token]}}\nsecrets: {token: {file: "${TOKEN}"}}\n'

    assert tomllib.loads(importing.proved(text))["host"] == {"project_directory": ".."}


@pytest.mark.parametrize("values", ["CACHE=./cache\n", "A=1\n"])
def test_a_value_may_be_what_the_default_is(importing: Importing, values: str) -> None:
    importing.write(".env", values)
    source = "services: {ui: {image: x, env_file: ['${FILE:-.env}'], volumes: ['${CACHE:-./cache}/x:/x'], "
    importing.write("conf/Dockerfile", "FROM x\n")

    importing.proved(source + "build: '${CONF:-conf}'}}\n")
