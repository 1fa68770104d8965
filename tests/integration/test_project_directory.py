"""A host that names the folder of relative paths: what variables and the inventory say, as real Compose reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from compose_cli import compose_config
from places import REPOSITORY

from anvil_gen.deploy.pipeline import Generator, write
from anvil_gen.diagnostics import DiagnosticError

HOST = '[host]\nproject_directory = ".."\n'
INVENTORY = """
[tiers.one]
engine = "vllm"
model = { path = "/m/x" }
port = 9001
mounts."/value" = { source = { env = "VALUE" } }
mounts."/default" = { source = { env = "DEFAULT", default = "../data" } }
mounts."/written" = "written"
mounts."/volume" = { volume = "weights" }
files."/etc/one.conf" = "one.conf"
environment.ONLY_THERE = { env = "ONLY_THERE", default = "unset" }
[tiers.two]
engine = "vllm"
model = { path = "/m/x" }
port = 9002
standby = true
mounts."/value" = { source = { env = "VALUE" } }
[services.ui]
image = "ui"
env_file = { env = "UI_ENV" }
build = { context = { env = "SOURCES" } }
volumes = [{ type = "bind", source = { env = "VALUE" }, target = "/value" }, "./own:/own"]
files."/etc/ui.conf" = "one.conf"
[router]
api_key_env = "ROUTER_TOKEN"
mounts."/volume" = { volume = "weights" }
[modes.other]
tiers = ["two"]
[monitoring]
[volumes.weights]
driver = "local"
driver_opts = { type = "none", o = "bind", device = "../weights" }
"""
SHELL = {"ROUTER_TOKEN": "x", "HOME": "/home/me", "MODEL": "a/b", "GRAFANA_PASSWORD": "x"}
VALUES = "VALUE=./models\nUI_ENV=ui.env\nSOURCES=./src\n"


def rendered(folder: Path, text: str) -> Path:
    """Render an inventory with a `.env` in its tree, and return the tree."""
    (folder / "hosts").mkdir(exist_ok=True)
    (folder / "hosts" / "box.toml").write_text(f"schema = 1\n{text}", "utf-8")
    (folder / "hosts" / "one.conf").write_text("x\n", "utf-8")
    (folder / "ui.env").write_text("FROM_FILE=yes\n", "utf-8")
    write([Generator().render(folder / "hosts" / "box.toml")])
    (folder / "deploy" / "box" / ".env").write_text(VALUES, "utf-8")
    return folder / "deploy" / "box"


def sources(config: dict[str, Any], service: str) -> dict[str, str]:
    """Return the sources of the folders and files that a service mounts, by their place."""
    return {one["target"]: one["source"] for one in config["services"][service]["volumes"] if one["type"] == "bind"}


def test_relative_values_mean_the_folder(tmp_path: Path) -> None:
    tree = rendered(tmp_path, HOST + INVENTORY)
    config = compose_config(tree, "docker-compose.yml", env=SHELL)

    one, ui = sources(config, "one"), sources(config, "ui")
    assert {key: one[key] for key in ("/value", "/default", "/written")} == {
        "/value": f"{tmp_path}/models",
        "/default": f"{tmp_path}/data",
        "/written": f"{tmp_path}/hosts/written",
    }
    assert (ui["/value"], ui["/own"]) == (f"{tmp_path}/models", f"{tmp_path}/hosts/own")
    assert config["services"]["ui"]["environment"] == {"FROM_FILE": "yes"}
    assert config["services"]["ui"]["build"]["context"] == f"{tmp_path}/src"
    assert config["volumes"]["weights"]["driver_opts"]["device"] == f"{tmp_path}/weights"


def test_files_of_the_tree_are_found(tmp_path: Path) -> None:
    tree = rendered(tmp_path, HOST + INVENTORY)
    for root in ("docker-compose.yml", "docker-compose.other.yml"):
        config = compose_config(tree, root, env=SHELL)
        own = [
            source
            for service in config["services"]
            if "volumes" in config["services"][service]
            for source in sources(config, service).values()
            if source.startswith(f"{tree}/")
        ]
        assert f"{tree}/services/ui.files/etc/ui.conf" in own
        assert f"{tree}/monitoring" in own
        assert [source for source in own if not Path(source).exists()] == []


def test_values_of_the_shell_mean_it_too_in_every_mode(tmp_path: Path) -> None:
    tree = rendered(tmp_path, HOST + INVENTORY)
    config = compose_config(tree, "docker-compose.other.yml", env={**SHELL, "VALUE": "../elsewhere"})

    assert sources(config, "two")["/value"] == f"{tmp_path.parent}/elsewhere"


def test_no_other_file_of_variables_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ONLY_THERE=leaked\nVALUE=/leaked\n", "utf-8")
    tree = rendered(tmp_path, HOST + INVENTORY)
    config = compose_config(tree, "docker-compose.yml", env=SHELL)

    assert config["services"]["one"]["environment"]["ONLY_THERE"] == "unset"
    assert sources(config, "one")["/value"] == f"{tmp_path}/models"


def test_what_the_inventory_says_is_the_same_with_it(tmp_path: Path) -> None:
    shell = {**SHELL, "VALUE": "/v", "UI_ENV": f"{tmp_path}/ui.env", "SOURCES": "/src"}
    usual = compose_config(rendered(tmp_path, INVENTORY), "docker-compose.yml", env=shell)

    assert compose_config(rendered(tmp_path, HOST + INVENTORY), "docker-compose.yml", env=shell) == usual


def test_the_folder_may_be_any_of_the_host(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    tree = rendered(tmp_path, f'[host]\nproject_directory = "{tmp_path}/stack"\n{INVENTORY}')
    (tree / ".env").write_text(VALUES.replace("ui.env", "../ui.env"), "utf-8")
    config = compose_config(tree, "docker-compose.yml", env=SHELL)

    assert sources(config, "one")["/value"] == f"{tmp_path}/stack/models"
    assert sources(config, "one")["/written"] == f"{tmp_path}/hosts/written"


@pytest.mark.parametrize(
    ("written", "code"), [("../..", "path-above-the-fleet"), ("~/x", "invalid-form"), ("..\\\\x", "invalid-form")]
)
def test_what_is_no_folder_is_refused(written: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as error:
        rendered(tmp_path, f'[host]\nproject_directory = "{written}"\n{INVENTORY}')

    assert {one.code: one.address for one in error.value.diagnostics} == {code: "host.project_directory"}


def test_other_targets_do_without(tmp_path: Path) -> None:
    text = '[tiers.one]\nengine = "vllm"\nmodel = { path = "/m/x" }\nport = 9001\nfiles."/etc/one.conf" = "one.conf"\n'
    rendered(tmp_path, text)
    inventory = tmp_path / "hosts" / "box.toml"
    usual = Generator().render(inventory, target="quadlet").tree.files
    inventory.write_text(f"schema = 1\n{HOST}{text}", "utf-8")

    assert Generator().render(inventory, target="quadlet").tree.files == usual


@pytest.mark.parametrize(
    "line", ["    env_file: /dev/null\n", "    project_directory: {{ stack.project_directory }}\n"]
)
def test_a_template_without_it_is_refused(line: str, tmp_path: Path) -> None:
    own = tmp_path / "templates" / "compose" / "root.yml.j2"
    own.parent.mkdir(parents=True)
    text = (REPOSITORY / "templates" / "compose" / "root.yml.j2").read_text("utf-8")
    own.write_text(text.replace(line, ""), "utf-8")
    with pytest.raises(DiagnosticError) as error:
        rendered(tmp_path, HOST + INVENTORY)

    assert "docker-compose.yml does not match the inventory at include" in str(error.value.diagnostics)
