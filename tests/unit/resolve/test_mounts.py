"""Mounts, volumes and networks that an inventory cannot have."""

from __future__ import annotations

from pathlib import Path

import pytest
from contexts import context_of
from inventories import Fault, compared, faults_of

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.resolve.networks import declared_by

TIER = 'schema = 1\n[tiers.one]\nengine = "vllm"\nmodel = { path = "/m/x" }\nport = 9001\n'
TWICE, PLACE, FORM = "two mounts at one place", "name that is not allowed", "not of the right form"
MEDIA = 'tiers.one.mounts."/media"'
FAULTS: list[tuple[str, list[Fault]]] = [
    ("mounts.▸'/media/' = '/v'", [(PLACE, 'tiers.one.mounts."/media/"', 'write "/media"')]),
    ("mounts.▸'/a/../b' = '/v'", [(PLACE, 'tiers.one.mounts."/a/../b"', 'write "/b"')]),
    ("mounts.▸'//' = '/v'", [(PLACE, 'tiers.one.mounts."//"', "below the root")]),
    ("mounts.'/media' = ▸'/'", [("mount of the whole host", MEDIA, "the folder that the service needs")]),
    ("mounts.'/media' = ▸'/x/..'", [("mount of the whole host", MEDIA, "")]),
    ("mounts.'/media'.source = ▸'//.'", [("mount of the whole host", f"{MEDIA}.source", "")]),
    ("mounts.'/media' = ▸'~other/x'", [(FORM, MEDIA, "write the folder out")]),
    ("mounts.'/media' = ▸'C:x'", [("not an absolute path", MEDIA, "C:/media")]),
    ("mounts.'/media' = ▸'a\\b'", [(FORM, MEDIA, "forward slashes")]),
    (
        "mounts.'/media' = ▸'cache'\nmounts.'/x'.volume = 'cache'\n[volumes.cache]",
        [(FORM, MEDIA, 'write { volume = "cache" }, or "./cache"')],
    ),
    ("mounts.▸'/media' = { read_only = false }", [("missing key", MEDIA, "source")]),
    (
        "mounts.'/media' = { source = '/v', volume = ▸'v' }",
        [("two fields for one thing", f"{MEDIA}.volume", "keep one")],
    ),
    (
        "mounts.'/media' = { volume = 'v', ▸selinux = 'z' }",
        [("two fields for one thing", f"{MEDIA}.selinux", "remove it")],
    ),
    ("mounts.'/media' = { source = '/v', selinux = ▸'x' }", [("not one of the choices", f"{MEDIA}.selinux", "z")]),
    ("mounts.'/media' = { source = '/v', ▸readonly = true }", [("unknown key", f"{MEDIA}.readonly", "read_only")]),
    ("mounts.▸media = '/v'", [(PLACE, "tiers.one.mounts.media", "")]),
    ("mounts.▸'/models/x' = '/v'", [(TWICE, 'tiers.one.mounts."/models/x"', "another place")]),
    ("mounts.▸'/root/.cache/vllm' = '/v'", [(TWICE, 'tiers.one.mounts."/root/.cache/vllm"', "another place")]),
    (
        "[defaults]\nmounts.▸'/models/x' = '/v'",
        [(TWICE, 'defaults.mounts."/models/x"', "another place")],
    ),
    ("[router]\nmounts.'/media' = ▸'/'", [("mount of the whole host", 'router.mounts."/media"', "")]),
    ("networks = [▸'edg', 'edge']\n[networks.edge]", [("unknown network", "tiers.one.networks[0]", 'mean "edge"?')]),
    ("networks.edg = ▸{}", [("unknown network", "tiers.one.networks.edg", "add a table [networks.edg]")]),
    (
        "networks.edge = { ▸alias = ['x'] }\n[networks.edge]",
        [("unknown key", "tiers.one.networks.edge.alias", "aliases")],
    ),
    ("[▸volumes.weights]\n", [("declared but not used", "volumes.weights", "name it, or remove it")]),
    ("[▸networks.edge]\n[networks.default]\nname = 'x'\n", [("declared but not used", "networks.edge", "")]),
    (
        "networks = ▸['edge']\n[router]\n[networks.edge]",
        [("network not shared with the router", "tiers.one.networks", "a network that both are on")],
    ),
    (
        "[router]\nnetworks = ▸['edge']\n[networks.edge]",
        [("network not shared with the router", "router.networks", "a network that both are on")],
    ),
    ("[services.ui]\nimage = 'x'\nfiles = ▸'x'", [("wrong type", "services.ui.files", 'files."/etc/x.conf"')]),
    ("[services.ui]\nimage = 'x'\nfiles.▸x = 'x'", [(FORM, "services.ui.files.x", 'files."/etc/x.conf"')]),
    (
        "[services.ui]\nimage = 'x'\nfiles.'/x' = ▸'nowhere'",
        [("cannot read the file", 'services.ui.files."/x"', "relative to the inventory's folder")],
    ),
    (
        "[services.ui]\nimage = 'x'\nvolumes = ['v:/box']\nfiles.▸'/box' = 'box.toml'",
        [(TWICE, 'services.ui.files."/box"', "another place")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), FAULTS, ids=[text for text, _ in FAULTS])
def test_what_is_wrong_is_told_at_its_place(text: str, expected: list[Fault], tmp_path: Path) -> None:
    found, wanted = compared(TIER + text, expected, tmp_path)

    assert found == wanted


def test_two_mounts_at_one_place_name_both_lines(tmp_path: Path) -> None:
    (one,) = faults_of(TIER + "mounts.'/models/x' = '/v'\n", tmp_path)
    assert one.location is not None
    assert one.location.line == 6
    assert one.detail.startswith("tiers.one.model (")
    assert one.detail.endswith("box.toml:4) is mounted there")

    (other,) = faults_of(TIER + "files.'/f' = 'box.toml'\nmounts.'/f' = '/v'\n", tmp_path)
    assert 'tiers.one.files."/f" (' in other.detail
    assert "box.toml:6) is mounted there" in other.detail


SEALED = [
    ("networks = [▸'lan']\n[networks.lan]\nexternal = true", "tiers.one.networks[0]"),
    ("networks = [▸'lan']\n[networks.lan]\ninternal = 'true'", "tiers.one.networks[0]"),
    ("networks = [▸'default']", "tiers.one.networks[0]"),
    ("override.▸networks = ['lan']\n[networks.lan]\ninternal = true", "tiers.one.override.networks"),
    ("networks = ['internal']\n[▸networks.internal]\ninternal = true", "networks.internal"),
]


@pytest.mark.parametrize(("text", "address"), SEALED)
def test_a_sealed_tier_has_no_network_that_leads_out(text: str, address: str, tmp_path: Path) -> None:
    found, wanted = compared(
        f"{TIER}{text}\n[router]\n[host]\negress = 'deny'\n", [("not with egress denied", address, "")], tmp_path
    )

    assert found == wanted


@pytest.mark.parametrize("router", Catalog().names("routers"))
def test_networks_of_an_override_count(router: str, tmp_path: Path) -> None:
    gateway = f"[router]\nkind = '{router}'\nnetworks = ['default']\noverride.networks = ['edge']\n"
    text = f"networks = ['edge']\n{gateway}[networks.edge]\n"

    assert [one.code for one in faults_of(TIER + text, tmp_path)] == []


def test_what_a_service_in_composes_own_keys_declares() -> None:
    context = context_of("[networks.default]\nname = 'd'\n[networks.edge]\n[volumes.vol]\nexternal = true\n")

    def names(keys: dict[str, object]) -> tuple[list[str], list[str]]:
        found = declared_by(context, keys, folder="services", whole=True)
        return list(found.volumes), list(found.networks)

    assert names({}) == ([], ["default"])
    assert names({"networks": ["edge"], "volumes": ["vol:/v", "other:/o", "./x:/x"]}) == (["vol", "other"], ["edge"])
    assert names({"networks": {"edge": None, "default": None}}) == ([], ["edge", "default"])
    assert names({"network_mode": "host"}) == ([], [])


@pytest.mark.parametrize(
    ("router", "target"),
    [("haproxy", "/etc/router/haproxy.cfg"), ("haproxy", "/etc/router"), ("litellm", "/etc/litellm/litellm.yaml")],
)
def test_a_mount_where_the_router_has_one_of_its_own(router: str, target: str, tmp_path: Path) -> None:
    text = f"[router]\nkind = '{router}'\nmounts.▸'{target}' = '/v'\n"
    found, wanted = compared(TIER + text, [(TWICE, f'router.mounts."{target}"', "another place")], tmp_path)

    assert found == wanted
