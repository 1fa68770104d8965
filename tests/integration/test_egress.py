"""Tiers that reach nothing but the router: the networks, and what an inventory then cannot have."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from compose_cli import compose_config
from inventories import HUB, Fault, compared

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator, write

HEAD = 'schema = 1\nhost.egress = "deny"\n'
TIER = '[tiers.one]\nengine = "vllm"\nmodel = { path = "/m/x" }\nport = 9001\n'
REPO = f'[hfcache]\nvolume = "hub"\n[tiers.two]\nengine = "vllm"\nport = 9002\nmodel = {HUB}\n'


@pytest.mark.parametrize("router", Catalog().names("routers"))
def test_tiers_are_on_an_internal_network_and_the_router_on_both(router: str, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts" / "box.toml"
    inventory.parent.mkdir()
    text = f'{HEAD}{TIER}[router]\nkind = "{router}"\n[services.ui]\nimage = "x:1"\n'
    inventory.write_text(text, "utf-8")
    write([Generator().render(inventory)])
    config = compose_config(tmp_path / "deploy" / "box", "docker-compose.yml", env={"ROUTER_TOKEN": "x"})

    assert config["networks"]["internal"]["internal"] is True
    assert config["networks"]["internal"]["driver_opts"] == {"com.docker.network.bridge.inhibit_ipv4": "true"}
    assert list(config["services"]["one"]["networks"]) == ["internal"]
    assert "ports" not in config["services"]["one"]
    assert sorted(config["services"]["router"]["networks"]) == ["default", "internal"]
    assert list(config["services"]["ui"]["networks"]) == ["default"]


def test_without_it_there_is_no_network(tmp_path: Path) -> None:
    inventory = tmp_path / "box.toml"
    inventory.write_text(f"schema = 1\n{TIER}[router]\n", "utf-8")
    files = Generator().render(inventory).tree.files

    assert not any(
        "networks" in (yaml.safe_load(files[path]) or {}) for path in ("tiers/one.yml", "router/compose.yml")
    )


FAULTS: list[tuple[str, list[Fault]]] = [
    (
        f'schema = 1\nhost.egress = ▸"deny"\n{TIER}',
        [("sealed tiers without a router", "host.egress", 'egress = "allow"')],
    ),
    (
        f'{HEAD}{TIER}bind = ▸"127.0.0.1"\n[router]\n',
        [("not with egress denied", "tiers.one.bind", "clients come by the router")],
    ),
    (
        f"{HEAD}{TIER}{REPO.replace('repo = ', 'repo = ▸')}[router]\n",
        [("not with egress denied", "tiers.two.model.repo", 'HF_HUB_OFFLINE = "1"')],
    ),
    (f'{HEAD}{TIER}{REPO}environment.HF_HUB_OFFLINE = "1"\n[router]\n', []),
    (f'{HEAD}{TIER}{REPO}environment.HF_HUB_OFFLINE = {{ env = "OFFLINE" }}\n[router]\n', []),
    (
        f"""{HEAD}{TIER}{REPO.replace("repo = ", "repo = ▸")}environment.HF_HUB_OFFLINE = "0"\n[router]\n""",
        [("not with egress denied", "tiers.two.model.repo", 'HF_HUB_OFFLINE = "1"')],
    ),
    *(
        (
            f"{HEAD}{TIER}override.▸{key} = {value}\n[router]\n",
            [("not with egress denied", f"tiers.one.override.{key}", "remove it")],
        )
        for key, value in (("networks", '["default"]'), ("network_mode", '"host"'), ("ports", '["9001:9001"]'))
    ),
    (
        f'{HEAD}[defaults.override]\n▸networks = ["default"]\n{TIER}[router]\n',
        [("not with egress denied", "defaults.override.networks", "")],
    ),
]


@pytest.mark.parametrize(("text", "expected"), FAULTS)
def test_what_a_sealed_tier_cannot_have(text: str, expected: list[Fault], tmp_path: Path) -> None:
    found, wanted = compared(text, expected, tmp_path)

    assert found == wanted
