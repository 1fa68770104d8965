"""Tiers with one port in their containers."""

from __future__ import annotations

from pathlib import Path

import pytest
from inventories import Fault, compared
from msgspec.structs import replace
from running import INVENTORY

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.toml_file import Document
from anvil_gen.resolve.container_ports import check_container_ports
from anvil_gen.resolve.host import Host

TIER = 'engine = "vllm"\nmodel = { path = "/m/x" }\n'
ROUTER = '[router]\nbind = "127.0.0.1"\n'
TWICE = "port taken twice"


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        (  # published at two addresses
            f'[tiers.one]\n{TIER}port = 9000\nbind = "127.0.0.2"\n[tiers.two]\n{TIER}port = ▸9000\n',
            [(TWICE, "tiers.two.port", "port = 9001, or container_port in both")],
        ),
        (
            f"[tiers.one]\n{TIER}port = 9000\nbind = false\n[tiers.two]\n{TIER}bind = false\nport = ▸9000\n",
            [(TWICE, "tiers.two.port", "port = 90")],
        ),
        (  # the engine's default
            f"[tiers.one]\n{TIER}bind = false\n[▸tiers.two]\n{TIER}bind = false\n",
            [(TWICE, "tiers.two", "write port = ")],
        ),
        (
            f'host.egress = "deny"\n[tiers.one]\n{TIER}port = 9000\n[tiers.two]\n{TIER}port = ▸9000\n{ROUTER}',
            [(TWICE, "tiers.two.port", "write port = 90")],
        ),
        (
            f"[tiers.one]\n{TIER}port = 9000\n[tiers.two]\n{TIER}port = 9001\ncontainer_port = ▸9000\n",
            [(TWICE, "tiers.two.container_port", "another container_port")],
        ),
        (
            f"[tiers.one]\n{TIER}port = 9000\ncontainer_port = 80\n"
            f"[tiers.two]\n{TIER}port = 9001\ncontainer_port = ▸80\n{ROUTER}kind = 'litellm'\n",
            [(TWICE, "tiers.two.container_port", "another container_port")],
        ),
        (  # a router that asks for the name
            f"[tiers.one]\n{TIER}port = 9000\ncontainer_port = 80\n"
            f"[tiers.two]\n{TIER}port = 9001\ncontainer_port = 80\n{ROUTER}",
            [],
        ),
        (  # no router that could take one for the other, and both say so
            f"[tiers.one]\n{TIER}port = 9000\ncontainer_port = 80\n"
            f"[tiers.two]\n{TIER}port = 9001\ncontainer_port = 80\n",
            [],
        ),
        (  # they never run together
            f"[tiers.one]\n{TIER}port = 9000\n[tiers.two]\n{TIER}port = 9000\nstandby = true\n"
            '[modes.other]\ntiers = ["two"]\n',
            [],
        ),
    ],
)
def test_two_tiers(marked: str, expected: list[Fault], tmp_path: Path) -> None:
    told, wanted = compared(f"schema = 1\n{marked}", expected, tmp_path)

    assert told == wanted


@pytest.mark.parametrize(("proven", "errors"), [(True, 0), (False, 1)])
def test_a_router_that_asks_for_the_name(proven: bool, errors: int, tmp_path: Path) -> None:
    second = INVENTORY.partition("[tiers.fast]")[2].replace("30001", "30002")
    text = f"{INVENTORY}container_port = 80\n[tiers.slow]{second}container_port = 81\n{ROUTER}"
    stack = Host(tmp_path / "box.toml", Catalog(), text=text).stack
    same = text.replace("port = 81", "port = 80")
    (mode,) = stack.modes
    collector = Collector(Document(tmp_path / "box.toml", text=same))
    tiers = tuple(replace(tier, container_port=80) for tier in mode.tiers)
    check_container_ports(replace(mode, tiers=tiers), set(), set(), collector, proven=proven)

    assert len(collector.diagnostics) == errors
