"""What services mount and the networks they are on, as real Compose reads it: by the root file, and each file alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_cli import compose_config

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator, write

TIER = '[tiers.one]\nengine = "vllm"\nmodel = { path = "/m/x" }\nport = 9001\n'
OLLAMA = '[hfcache]\nvolume = "hub"\n[tiers.pond]\nengine = "ollama"\nmodel.repo = "coot"\nport = 9002\n'


def rendered(folder: Path, text: str) -> Path:
    """Render an inventory, and return the folder of its tree."""
    inventory = folder / "hosts" / "box.toml"
    inventory.parent.mkdir(exist_ok=True)
    inventory.write_text(f"schema = 1\n{text}", "utf-8")
    write([Generator().render(inventory)])
    return folder / "deploy" / "box"


def read(folder: Path, *files: str) -> dict[str, Any]:
    """Return what Compose reads, with the folder of the tests left out."""
    env = {"ROUTER_TOKEN": "x", "MODEL": "a/b", "HOME": "/home/me"}
    config: dict[str, Any] = compose_config(folder, *(files or ["docker-compose.yml"]), env=env)
    return config


def mounts(config: dict[str, Any], service: str) -> dict[str, Any]:
    """Return the mounts of a service by their place."""
    named = ({key: value for key, value in mount.items() if key != "volume"} for mount in volumes_of(config, service))
    return {mount.pop("target"): mount for mount in named}


def volumes_of(config: dict[str, Any], service: str) -> list[dict[str, Any]]:
    """Return what a service mounts."""
    found: list[dict[str, Any]] = config["services"][service]["volumes"]
    return found


MOUNTS = """mounts."/a" = "/srv/a $x"
mounts."/b" = "data/b"
mounts."/c" = { source = "../c", read_only = false, selinux = "Z", create = true }
mounts."/d" = { volume = "d", read_only = false }
mounts."/e" = { volume = "shared" }
mounts."/e2" = { volume = "shared" }
mounts."/f" = "~/f"
mounts."/g" = "C:/Users/me/g"
"""
VOLUMES = """[volumes.shared]
external = true
name = "shared-compiled"
"""


@pytest.mark.parametrize("router", Catalog().names("routers"))
def test_every_mount_is_what_compose_reads(router: str, tmp_path: Path) -> None:
    text = f"{TIER}{MOUNTS}[router]\nkind = '{router}'\n{MOUNTS}[experiment]\nengine = 'vllm'\n{MOUNTS}"
    folder = rendered(tmp_path, f"{text}[hfcache]\nvolume = 'hub'\n{VOLUMES}")
    expected: dict[str, dict[str, Any]] = {
        "/a": {"type": "bind", "source": "/srv/a $$x", "read_only": True, "bind": {}},
        "/b": {"type": "bind", "source": f"{tmp_path}/hosts/data/b", "read_only": True, "bind": {}},
        "/c": {"type": "bind", "source": f"{tmp_path}/c", "bind": {"create_host_path": True, "selinux": "Z"}},
        "/d": {"type": "volume", "source": "d"},
        "/e": {"type": "volume", "source": "shared", "read_only": True},
        "/e2": {"type": "volume", "source": "shared", "read_only": True},
        "/f": {"type": "bind", "source": "/home/me/f", "read_only": True, "bind": {}},
        "/g": {"type": "bind", "source": "C:/Users/me/g", "read_only": True, "bind": {}},
    }
    for file, service in (
        ("docker-compose.yml", "one"),
        ("tiers/one.yml", "one"),
        ("docker-compose.yml", "router"),
        ("router/compose.yml", "router"),
        ("docker-compose.experiment.yml", "experiment"),
    ):
        config = read(folder, file)
        found = mounts(config, service)
        assert {target: found[target] for target in expected} == expected
        assert config["volumes"]["shared"] == {"name": "shared-compiled", "external": True}
        assert config["volumes"]["d"] == {"name": f"{config['name']}_d"}


def test_no_path_of_the_rendering_machine_is_in_a_file(tmp_path: Path) -> None:
    folder = rendered(tmp_path, f"{TIER}mounts.'/b' = 'b'\n[services.ui]\nimage = 'x'\nvolumes = ['./d:/d', 'v:/v']\n")

    assert not any(str(tmp_path) in path.read_text("utf-8") for path in folder.rglob("*.yml"))
    assert 'source: "../../../hosts/b"' in (folder / "tiers" / "one.yml").read_text("utf-8")


OWN_PATHS = """
env_file = ["a.env", { path = "./b.env", required = false }]
volumes = ["./d:/d:ro", "../e:/e", "named:/n", "/abs:/a", { type = "bind", source = "f", target = "/f" }, "~/g:/g"]
build = { context = "ctx", additional_contexts = { x = "other", y = "docker-image://y" } }
extends = { file = "base.yml", service = "base" }
develop.watch = [{ path = "src", action = "rebuild" }]
"""


def test_relative_paths_of_a_service_are_below_the_folder_of_the_inventory(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.mkdir()
    (hosts / "a.env").write_text("A=1\n")
    (hosts / "base.yml").write_text("services:\n  base:\n    hostname: from-base\n")
    folder = rendered(tmp_path, f"{TIER}[services.ui]\nimage = 'x'{OWN_PATHS}")

    for file in ("docker-compose.yml", "services/ui.yml"):
        config = read(folder, file)
        service = config["services"]["ui"]
        assert service["environment"] == {"A": "1"}
        assert service["hostname"] == "from-base"
        assert (service["build"]["context"], service["build"]["additional_contexts"]) == (
            f"{hosts}/ctx",
            {"x": f"{hosts}/other", "y": "docker-image://y"},
        )
        assert service["develop"]["watch"][0]["path"] == f"{hosts}/src"
        assert {target: mount["source"] for target, mount in mounts(config, "ui").items()} == {
            "/d": f"{hosts}/d",
            "/e": f"{tmp_path}/e",
            "/n": "named",
            "/a": "/abs",
            "/f": f"{hosts}/f",
            "/g": "/home/me/g",
        }


def test_relative_paths_of_an_override_and_of_defaults_of_variables(tmp_path: Path) -> None:
    override = (
        "override.volumes = [{ env = 'MINE', default = './d:/d' }]\noverride.env_file = { env = 'F', default = 'e' }\n"
    )
    folder = rendered(tmp_path, f"{TIER}{override}[router]\noverride.volumes = ['./r:/r']\n")
    (tmp_path / "hosts" / "e").write_text("E=1\n")

    assert mounts(read(folder), "one")["/d"]["source"] == f"{tmp_path}/hosts/d"
    assert read(folder, "tiers/one.yml")["services"]["one"]["environment"]["E"] == "1"
    assert mounts(read(folder), "router")["/r"]["source"] == f"{tmp_path}/hosts/r"


def test_a_variable_without_a_default_mounts_nothing_where_it_is_not_set(tmp_path: Path) -> None:
    tree = rendered(tmp_path, f'{TIER}mounts."/v" = {{ source = {{ env = "V" }} }}\n')

    (mount,) = [
        mount
        for mount in volumes_of(yaml.safe_load((tree / "tiers" / "one.yml").read_text("utf-8")), "one")
        if mount["target"] == "/v"
    ]
    assert mount["source"] == "${V}"


DRIVEN = """[volumes.weights]
driver = "local"
driver_opts = { type = "none", o = "bind", device = "weights" }
[volumes.share]
driver_opts = { type = "nfs", o = "addr=10.0.0.1", device = ":/export" }
[volumes.asked]
driver = "local"
driver_opts = { type = "none", o = "bind", device = { env = "WEIGHTS", default = "./w" } }
"""


def test_a_volume_that_several_files_mount_is_declared_alike(tmp_path: Path) -> None:
    mounted = "".join(f"mounts.'/{name}' = {{ volume = '{name}' }}\n" for name in ("weights", "share", "asked"))
    ui = "[services.ui]\nimage = 'x'\nvolumes = ['weights:/w', 'share:/s', 'asked:/a']\n"
    folder = rendered(tmp_path, f"{TIER}{mounted}[router]\n{mounted}{ui}{DRIVEN}")
    for file in ("docker-compose.yml", "tiers/one.yml", "router/compose.yml", "services/ui.yml"):
        volumes = read(folder, file)["volumes"]
        assert volumes["weights"]["driver_opts"]["device"] == f"{tmp_path}/hosts/weights"
        assert volumes["share"]["driver_opts"]["device"] == ":/export"
        assert volumes["asked"]["driver_opts"]["device"] == f"{tmp_path}/hosts/w"
    assert "#WEIGHTS=" in (folder / ".env.example").read_text("utf-8")


def test_the_cache_of_the_hub_and_of_an_engine_are_what_volumes_says(tmp_path: Path) -> None:
    text = "[volumes.hub]\n[volumes.vllm-cache]\nexternal = true\nname = 'shared-compiled'\n"
    folder = rendered(tmp_path, f"{TIER}{OLLAMA}{text}")

    assert read(folder)["volumes"]["hub"] == {"name": "box_hub"}
    assert read(folder, "tiers/one.yml")["volumes"]["vllm-cache"] == {"name": "shared-compiled", "external": True}


def test_the_volume_of_the_hub_is_external_for_whoever_mounts_it(tmp_path: Path) -> None:
    override = "override.volumes = ['hub:/h']\n"
    ui = "[services.ui]\nimage = 'x'\nvolumes = ['hub:/hub']\n"
    folder = rendered(tmp_path, f"{OLLAMA}mounts.'/other' = {{ volume = 'hub' }}\n{TIER}{override}{ui}")

    for file in ("docker-compose.yml", "tiers/one.yml", "tiers/pond.yml", "services/ui.yml"):
        assert read(folder, file)["volumes"]["hub"] == {"name": "hub", "external": True}


NETWORKS = """[networks.default]
name = "inference"
[networks.edge]
external = true
name = "site-edge"
[networks.serving]
name = "serving-lan"
driver = "bridge"
ipam.config = [{ subnet = "10.77.0.0/24" }]
"""


def without_ipam(network: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in network.items() if value != {}}


@pytest.mark.parametrize("router", Catalog().names("routers"))
def test_every_network_is_what_compose_reads(router: str, tmp_path: Path) -> None:
    text = f"""{TIER}networks.edge = {{}}
networks.serving = {{ ipv4_address = "10.77.0.20", aliases = ["chat"] }}
{OLLAMA}networks = ["default", "edge"]
[router]
kind = "{router}"
networks = ["default", "serving"]
[services.ui]
image = "x"
[services.proxy]
image = "x"
networks.edge.aliases = ["front"]
{NETWORKS}"""
    folder = rendered(tmp_path, text)
    config = read(folder)

    assert {name: without_ipam(network) for name, network in config["networks"].items()} == {
        "default": {"name": "inference"},
        "edge": {"name": "site-edge", "external": True},
        "serving": {"name": "serving-lan", "driver": "bridge", "ipam": {"config": [{"subnet": "10.77.0.0/24"}]}},
    }
    expected: dict[str, Any] = {
        "one": {"edge": None, "serving": {"ipv4_address": "10.77.0.20", "aliases": ["chat"]}},
        "pond": {"default": None, "edge": None},
        "pond-pull": {"default": None, "edge": None},
        "router": {"default": None, "serving": None},
        "ui": {"default": None},
        "proxy": {"edge": {"aliases": ["front"]}},
    }
    joined = {name: service for name, service in config["services"].items() if name != "router-reload"}
    assert {name: service["networks"] for name, service in joined.items()} == expected
    for file in ("tiers/one.yml", "tiers/pond.yml", "router/compose.yml", "services/ui.yml", "services/proxy.yml"):
        alone = read(folder, file)
        assert all(config["networks"][name] == network for name, network in alone["networks"].items())
        assert all(
            service["networks"] == expected[name] for name, service in alone["services"].items() if name in joined
        )


def test_a_sealed_tier_stays_on_the_internal_network(tmp_path: Path) -> None:
    text = f"host.egress = 'deny'\n{TIER}networks = ['lan']\n[router]\nnetworks = ['lan', 'default']\n"
    folder = rendered(tmp_path, f"{text}[networks.lan]\ninternal = true\n")
    services = read(folder)["services"]

    assert sorted(services["one"]["networks"]) == ["internal", "lan"]
    assert sorted(services["router"]["networks"]) == ["default", "internal", "lan"]


def test_a_service_has_files_as_a_tier_has(tmp_path: Path) -> None:
    for labels in ("labels = ['a=b']", "labels.a = 'b'", ""):
        (tmp_path / "hosts").mkdir(exist_ok=True)
        (tmp_path / "hosts" / "x.conf").write_text("$a\n", "utf-8")
        text = f"{TIER}[services.ui]\nimage = 'x'\nvolumes = ['data:/d']\n{labels}\nfiles.'/etc/x.conf' = 'x.conf'\n"
        folder = rendered(tmp_path, text)
        copied = folder / "services" / "ui.files" / "etc" / "x.conf"
        service = read(folder)["services"]["ui"]
        found = mounts(read(folder), "ui")

        assert copied.read_text("utf-8") == "$a\n"
        assert found["/etc/x.conf"] == {"type": "bind", "source": str(copied), "read_only": True, "bind": {}}
        assert found["/d"]["source"] == "data"
        assert "files" not in service
        before = service["labels"]["anvil-gen.file.etc/x.conf"]
        (tmp_path / "hosts" / "x.conf").write_text("other", "utf-8")
        assert read(rendered(tmp_path, text))["services"]["ui"]["labels"]["anvil-gen.file.etc/x.conf"] != before


def test_files_of_a_service_go_with_it(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts" / "x.conf").write_text("a", "utf-8")
    service = "[services.ui]\nimage = 'x'\n"
    folder = rendered(tmp_path, f"{TIER}{service}files.'/etc/x.conf' = 'x.conf'\n")
    assert (folder / "services" / "ui.files" / "etc" / "x.conf").exists()

    assert not (rendered(tmp_path, TIER + service) / "services" / "ui.files").exists()
    assert list((folder / "services").iterdir()) == [folder / "services" / "ui.yml"]


def test_without_any_the_files_are_as_they_were(tmp_path: Path) -> None:
    folder = rendered(tmp_path, f"{TIER}[router]\n[services.ui]\nimage = 'x'\n")

    assert [path for path in folder.rglob("*.yml") if "networks" in yaml.safe_load(path.read_text("utf-8"))] == []


def test_a_source_marked_as_text_keeps_its_dollars(tmp_path: Path) -> None:
    mounts = (
        'mounts."/a" = { interpolate = "/srv/$${X}a" }\nmounts."/b" = { source = { interpolate = "/srv/$${X}b" } }\n'
    )
    volumes = read(rendered(tmp_path, f"{TIER}{mounts}"))["services"]["one"]["volumes"]

    assert {item["target"]: item["source"] for item in volumes if item["target"] in ("/a", "/b")} == {
        "/a": "/srv/$${X}a",
        "/b": "/srv/$${X}b",
    }
