"""What a newer image would break in an inventory."""

from __future__ import annotations

from pathlib import Path

from inventories import HUB, UUID_A

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.inventory.lock_file import Lock
from anvil_gen.pin.outdated import breaks
from anvil_gen.resolve.host import Host

INVENTORY = f"""\
schema = 1
hfcache.volume = "hub"
gpus.a.uuid = "{UUID_A}"
[tiers.one]
engine = "vllm"
gpus = ["a"]
image = "vllm/vllm-openai:v0.11.2"
model = {HUB}
flags.swap-space = 4
flags.zzz = true
"""


def test_what_breaks_is_what_the_newer_image_has_wrong_and_the_old_one_not(tmp_path: Path) -> None:
    path = tmp_path / "box.toml"
    path.write_text(INVENTORY, "utf-8")
    host = Host(path, Catalog(), lock=Lock())
    newer = breaks(host, {"vllm/vllm-openai:v0.11.2": "vllm/vllm-openai:v0.33.0"})

    assert [(one.code, one.address) for one in newer if "zzz" not in one.address] == [
        ("flag-of-another-version", "tiers.one.flags.swap-space")
    ]
    assert breaks(host, {"vllm/vllm-openai:v0.11.2": "vllm/vllm-openai:v0.11.2"}) == []
    assert breaks(host, {}) == []
