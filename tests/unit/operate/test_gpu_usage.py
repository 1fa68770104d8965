"""Who holds a card, and what is left of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from inspected import inspected
from inventories import UUID_A
from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.operate.gpu_usage import GpuUse, gpu_use
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Stack

INVENTORY = f"""schema = 1
gpus.big = {{ uuid = "{UUID_A}", memory_mib = 1000, reserve_mib = 100 }}
tiers.one = {{ engine = "vllm", gpus = ["big"], gpu_memory_utilization = 0.50, model = {{ path = "/m/x" }} }}
tiers.two = {{ engine = "vllm", gpus = ["big"], gpu_memory_utilization = 0.25, model = {{ path = "/m/x" }}, port = 2 }}
tiers.off = {{ engine = "vllm", gpus = ["big"], standby = true, model = {{ path = "/m/x" }}, port = 3 }}
modes.night.tiers = ["off"]
"""


def stack(folder: Path) -> Stack:
    """Return three tiers of one card."""
    (folder / "box.toml").write_text(INVENTORY, "utf-8")
    return Host(folder / "box.toml", Catalog()).stack


def holders(use: GpuUse) -> list[tuple[str, bool, bool, int | None]]:
    """Return the holders as plain values."""
    return [(one.tier, one.running, one.in_default_mode, one.takes_mib) for one in use.holders]


@pytest.mark.parametrize(
    ("running", "expected", "left"),
    [
        ({}, [("one", False, True, 500), ("two", False, True, 250)], 900),
        ({"one": "running", "two": "exited"}, [("one", True, True, 500), ("two", False, True, 250)], 400),
        ({"off": "running"}, [("one", False, True, 500), ("two", False, True, 250), ("off", True, False, None)], None),
    ],
)
def test_the_holders_of_a_card(
    running: dict[str, str], expected: list[tuple[str, bool, bool, int | None]], left: int | None, tmp_path: Path
) -> None:
    found = stack(tmp_path)
    containers = {name: replace(inspected(), state=state) for name, state in running.items()}
    use = gpu_use(found, found.gpus[0], containers)

    assert (holders(use), use.left_mib) == (expected, left)
    assert use.busy == tuple(name for name, state in running.items() if state == "running")


def test_a_tier_that_was_given_another_card_does_not_hold_this_one(tmp_path: Path) -> None:
    found = stack(tmp_path)
    elsewhere = {"DeviceRequests": [{"DeviceIDs": ["GPU-other"]}]}
    use = gpu_use(found, found.gpus[0], {"one": replace(inspected(elsewhere), state="running")})

    assert (use.busy, use.left_mib) == ((), 900)


def test_without_its_memory_nobody_can_tell_what_is_left(tmp_path: Path) -> None:
    found = stack(tmp_path)
    use = gpu_use(found, replace(found.gpus[0], memory_mib=None), {})

    assert use.left_mib is None


BY_INDEX = """schema = 1
gpus.first = { index = 0, memory_mib = 1000 }
gpus.third = { index = 2, memory_mib = 1000 }
tiers.named = { engine = "vllm", gpus = ["third"], model = { path = "/m/x" } }
tiers.two = { engine = "vllm", gpus = 2, model = { path = "/m/x" }, port = 2 }
tiers.all = { engine = "vllm", gpus = "all", model = { path = "/m/x" }, port = 3 }
"""


@pytest.mark.parametrize(
    ("gpu", "granted", "expected"),
    [
        (0, {}, [("two", False, True, None), ("all", False, True, None)]),
        (1, {}, [("named", False, True, None), ("all", False, True, None)]),
        (1, {"named": "2"}, [("named", True, True, None), ("all", False, True, None)]),
        (1, {"named": "nvidia.com/gpu=2"}, [("named", True, True, None), ("all", False, True, None)]),
        (1, {"all": ""}, [("named", False, True, None), ("all", True, True, None)]),
    ],
)
def test_the_holders_of_a_card_by_index(
    gpu: int, granted: dict[str, str], expected: list[tuple[str, bool, bool, int | None]], tmp_path: Path
) -> None:
    (tmp_path / "box.toml").write_text(BY_INDEX, "utf-8")
    found = Host(tmp_path / "box.toml", Catalog()).stack
    containers = {
        name: replace(inspected({"DeviceRequests": [{"DeviceIDs": [one] if one else []}]}), state="running")
        for name, one in granted.items()
    }

    assert holders(gpu_use(found, found.gpus[gpu], containers)) == expected
