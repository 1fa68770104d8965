"""An engine of a user's own, in the templates of a fleet."""

from __future__ import annotations

from pathlib import Path

TOY_ENGINE = """
title = "Toy"
docs = "https://example.org"
image = "example/toy:1"
entrypoint = ["toy-server"]
flag_style = "space"
list_style = "repeat"
models = ["path", "file"]
model_dir = "/weights"
hub_cache = "/hub"
api_base = "/v1"
vendors = []
[fields]
model = "weights"
served_name = "alias"
context_length = "ctx"
port = "listen"
[defaults]
port = 9000
[health]
path = "/ready"
test = ["CMD", "toy-server", "--probe", "{port}{path}"]
"""


TOY_INVENTORY = """
schema = 1
[paths]
models = "/srv/models"
[tiers.small]
engine = "toy"
model = { file = "a/b.bin" }
context_length = 2048
flags.stop = ["-x", "y"]
flags.json = { b = 1, a = "ü", c = { x = 0.90 }, d = [1e5, true] }
"""


def fleet(folder: Path, inventory: str, **templates: str) -> Path:
    """Lay out a fleet with an inventory and templates of its own; return the inventory."""
    for name, text in {"hosts/box.toml": inventory, **templates}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder / "hosts" / "box.toml"
