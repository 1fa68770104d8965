"""Fields in Compose's own form are held to what Compose takes, with the line, before it reads a rendered file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from inventories import Fault, compared

from anvil_gen.deploy.pipeline import Generator

TIER = 'schema = 1\n[tiers.one]\nengine = "vllm"\nmodel = { path = "/m/x" }\nport = 9000\n'
WRITTEN, LITERAL = "for its variables, write { interpolate", "text that looks like a variable"

FAULTS: list[tuple[str, Fault]] = [
    ('ports = [▸"a"]', ("not of the right form", "ports[0]", "container_port")),
    ('ports = [▸"1-3:1-2"]', ("not of the right form", "ports[0]", "address, port of the host")),
    ('ports = [▸"9000:1"]\nbind = "127.0.0.1"', ("port taken twice", "ports[0]", "another port")),
    ('healthcheck = { test = ▸["curl"] }', ("not of the right form", "healthcheck.test", '"CMD-SHELL"')),
    ('healthcheck = false\n▸start_period = "1m"', ("conflicting values", "start_period", "remove it")),
    ("entrypoint = ▸[]", ("not of the right form", "entrypoint", "For example")),
    ("build = { ▸contxt = 'x' }", ("unknown key", "build.contxt", '"context"')),
    ("build = { context = ▸3 }", ("wrong type", "build.context", '"3"')),
    ('networks = ["default", ▸"default"]', ("not of the right form", "networks[1]", "remove one")),
    ('networks.default.ipv4_address = ▸"x"', ("not an IP address", "networks.default.ipv4_address", "10.77")),
    ('networks.default.mac_address = ▸"x"', ("not of the right form", "networks.default.mac_address", "02:42")),
    ("extra_arguments = ▸{ env = 'X', default = \"--y 'a b\" }", ("not of the right form", "extra_arguments", "quote")),
    ("override.extends = ▸{ service = 'two' }", ("not of the right form", "override.extends", "[defaults]")),
    ('mounts."/a" = ▸"${X}/y"', (LITERAL, 'mounts."/a"', "{ interpolate")),
    ('mounts."/a".source = ▸"$X"', (LITERAL, 'mounts."/a".source', '{ env = "X" }')),
    ('image = ▸"${TAG:-x}"', (LITERAL, "image", WRITTEN)),
    ('context_length = ▸"${LEN:-8192}"', ("wrong type", "context_length", WRITTEN)),
    ('restart = ▸"${R:-no}"', ("not of the right form", "restart", WRITTEN)),
    ('gpus = [▸"all"]', ("unknown GPU", "gpus[0]", 'gpus = "all"')),
    ("healthcheck = ▸true", ("wrong type", "healthcheck", '{ interval = "30s" }')),
]


@pytest.mark.parametrize(("lines", "fault"), FAULTS)
def test_what_compose_would_refuse_is_told_at_its_line(lines: str, fault: Fault, tmp_path: Path) -> None:
    summary, where, remedy = fault
    found, wanted = compared(TIER + lines + "\n", [(summary, f"tiers.one.{where}", remedy)], tmp_path)

    assert found == wanted


NETWORKS = TIER + "networks = ['edge']\n[networks.edge]\n[router]\nnetworks = ['edge']\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            TIER + "networks = ['edge']\noverride.network_mode = ▸'host'\n[networks.edge]\n",
            ("conflicting values", "tiers.one.override.network_mode", "keep one"),
        ),
        (
            TIER + "override.network_mode = ▸'host'\n[router]\n",
            ("network not shared with the router", "tiers.one.override.network_mode", "publish the port"),
        ),
        (
            NETWORKS.replace("networks = ['edge']\n[n", "networks = ▸['edge']\noverride.networks.remove = true\n[n"),
            ("network not shared with the router", "tiers.one.networks", "that both are on"),
        ),
        (
            TIER + "[paths]\nmodels = ▸'${MODELS}'\n",
            (LITERAL, "paths.models", '{ env = "MODELS" }'),
        ),
    ],
)
def test_what_an_override_takes_away_is_told(text: str, fault: Fault, tmp_path: Path) -> None:
    found, wanted = compared(text, [fault], tmp_path)

    assert found == wanted


def test_an_external_volume_has_no_more_than_a_name(tmp_path: Path) -> None:
    text = TIER + "mounts.'/a' = { volume = 'v' }\n[volumes.v]\nexternal = true\nname = 'w'\ndriver = ▸'local'\n"
    found, wanted = compared(text, [("not of the right form", "volumes.v.driver", "remove it")], tmp_path)

    assert found == wanted


@pytest.mark.parametrize("lines", ["logging = {}", "logging = { options = {} }", "healthcheck = {}", "networks = []"])
def test_a_table_that_says_nothing_leaves_it_to_docker(lines: str, tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text(TIER + lines + "\n", "utf-8")
    service = yaml.safe_load(Generator().render(tmp_path / "box.toml").tree.files["tiers/one.yml"])["services"]["one"]

    assert ("logging" not in service) == lines.startswith("logging")
    assert "healthcheck" in service
    assert "networks" not in service


def test_all_gpus_may_be_the_default_of_a_variable(tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text(TIER + 'gpus = { env = "N", default = "all" }\n', "utf-8")
    service = yaml.safe_load(Generator().render(tmp_path / "box.toml").tree.files["tiers/one.yml"])["services"]["one"]

    assert service["deploy"]["resources"]["reservations"]["devices"][0]["count"] == "${N:-all}"
