"""An experiment slot on a Docker that is made up."""

from __future__ import annotations

from pathlib import Path

from anvil_gen.operate.experiment.slot import Slot, open_slot

INVENTORY = """schema = 1
[paths]
models = "{models}"
[hfcache]
volume = "hub"
[gpus.big]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
[gpus.small]
uuid = "GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1"
[gpus.red]
vendor = "amd"
uuid = "GPU-0123456789abcdef"
[tiers.one]
engine = "vllm"
model = {{ path = "/srv/x" }}
[experiment]
engine = "vllm"
"""


def slot(folder: Path, more: str = 'gpu = "big"\n') -> Slot:
    """Return the slot of a box with a folder of models."""
    (folder / "models" / "local").mkdir(parents=True)
    inventory = folder / "box.toml"
    inventory.write_text(INVENTORY.format(models=(folder / "models").as_posix()) + more, "utf-8")
    return open_slot(str(inventory), folder)
